"""The Debian package used where it is installed: commands, man pages, completion, units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sctune.registry import assemble, built_in
from sctune.version import VERSION

if TYPE_CHECKING:
    from .debian import System

pytestmark = pytest.mark.thorough
COMMANDS = ("doctor", "volumes", "chain", "explain", "checks", "capacity", "metrics", "profiles", "apply-profile", "verify-profile")
UNITS = ("sctune-exporter.socket", "sctune-collector.socket", "sctune-doctor.timer")


def test_the_doctor_looks(installed: System) -> None:
    assert installed.check("sctune --version") == f"sctune {VERSION}\n"
    done = installed.run("sctune doctor")
    assert done.status in (0, 1, 3)
    assert done.error == ""
    assert "Does not apply here" in done.output


def test_it_explains_and_counts(installed: System) -> None:
    assert installed.check("sctune explain LOOP_LEAKED").startswith("LOOP_LEAKED  A volume keeps its loop device")
    done = installed.run("sctune metrics")
    assert done.status in (0, 3)
    assert "# TYPE sctune_volumes gauge" in done.output
    assert "Traceback" not in done.error


def test_the_page_of_a_code_is_there(installed: System) -> None:
    said = installed.check("sctune explain TGT_DOWN | grep -A1 '^As a page' | tail -1").strip()
    assert (installed.root / said.removeprefix("/")).is_file()


def test_passwords_of_the_exporter_can_be_checked(installed: System) -> None:
    installed.check("/usr/lib/sctune/bin/python -I -c 'import bcrypt; bcrypt.hashpw(b\"a\", bcrypt.gensalt(4))'")


def test_other_code_does_not_get_in(installed: System) -> None:
    """It is root's program: neither the working directory nor the environment may bring modules."""
    installed.check("mkdir -p /tmp/planted && echo 'raise SystemExit(77)' | tee /tmp/planted/typer.py > /tmp/planted/msgspec.py")
    installed.check(
        "cd /tmp/planted && sctune checks > /dev/null", PYTHONPATH="/tmp/planted", PYTHONSTARTUP="/tmp/planted/typer.py"
    )
    installed.check("rm -r /tmp/planted")


def test_the_shipped_configuration_is_correct_and_changes_nothing(installed: System) -> None:
    assert installed.check("sctune config check") == "/etc/sctune/sctune.yaml: correct\n"
    assert "/etc/sctune/sctune.yaml:" not in installed.check("sctune config show --origin | grep -v '^#'")


@pytest.mark.parametrize("page", ["8 sctune", *(f"8 sctune-{name}" for name in COMMANDS), "5 sctune.yaml", "7 sctune-codes"])
def test_man_shows_a_page_without_a_warning(installed: System, page: str) -> None:
    done = installed.run(f"man --warnings {page}", MANWIDTH="80")
    assert (done.status, done.error) == (0, "")
    assert done.output.startswith(page.split()[1].upper())


def test_the_pages_are_found_by_what_they_are_about(installed: System) -> None:
    # mandb runs by a trigger, so whatis is told at once.
    assert "sctune-rollback (8)" in installed.check("mandb -q; whatis sctune-rollback")
    assert installed.check("man sctune-codes").count("By hand") >= len(list(assemble(built_in()).codes())) // 2


def test_bash_completes(installed: System) -> None:
    said = installed.check(
        ". /usr/share/bash-completion/completions/sctune; COMP_WORDS=(sctune do); COMP_CWORD=1; "
        '_sctune_completion sctune; echo "${COMPREPLY[@]}"'
    )
    assert said == "doctor\n"


def test_fish_completes(installed: System) -> None:
    assert installed.check("fish --command 'complete -C \"sctune ver\"'").startswith("verify-profile")


def test_zsh_knows_whom_to_ask(installed: System) -> None:
    said = installed.check("zsh -fc 'autoload -U compinit; compinit -D -u; print $_comps[sctune]; zsh -n $^fpath/_sctune(N)'")
    assert said == "_sctune\n"


def test_installing_enables_nothing_and_what_is_enabled_is_well_formed(installed: System) -> None:
    for unit in UNITS:
        assert installed.run(f"systemctl is-enabled {unit}").output == "disabled\n"
    assert installed.check("getent group sctune-metrics")
    names = installed.check("cd /lib/systemd/system && ls sctune-*").split()
    verified = installed.run(f"cd /lib/systemd/system && systemd-analyze verify --man=no {' '.join(f'./{name}' for name in names)}")
    assert verified.error == ""
    assert verified.status == 0
    assert "/usr/bin/sctune" not in installed.check("cat /lib/systemd/system/sctune-*")


def test_the_journal_explains_what_the_doctor_tells(installed: System) -> None:
    """systemd's trigger has put the catalogue into the one that journalctl reads."""
    ids = installed.check("sed -n 's/^-- //p' /usr/lib/systemd/catalog/sctune.catalog").split()
    assert len(ids) == 5
    assert installed.check(f"journalctl --list-catalog {' '.join(ids)}").count(" sctune: ") == 5
