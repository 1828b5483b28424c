"""The Debian package comes, stays and goes: upgraded, removed and purged."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from sctune.tuning.record import FORMAT, Record, RecordedTransaction
from sctune.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from .debian import System

pytestmark = pytest.mark.thorough
CONFIGURATION = "etc/sctune/sctune.yaml"
LOCAL = "\nloop_limit: 128\n"
# What dpkg, man-db, systemd and groupdel keep for themselves, whatever is installed and removed.
KEPT = ("var/lib/dpkg", "var/log", "var/cache", "var/lib/systemd", "etc/group-", "etc/gshadow-", "sctune.deb", "sctune-2.deb")


def in_force() -> bytes:
    """The record of a host to which a profile is applied."""
    applied = RecordedTransaction(
        number=1, profile="storage-controller", version=VERSION, state="applied", time=1.0, options=(), settings=()
    )
    return _record(applied)


def _record(*transactions: RecordedTransaction) -> bytes:
    return msgspec.json.format(msgspec.json.encode(Record(format=FORMAT, transactions=transactions)), indent=1) + b"\n"


def state(system: System, record: bytes) -> Path:
    """What sctune keeps, as if it had been used."""
    folder = system.root / "var/lib/sctune"
    (folder / "journal").mkdir(parents=True, exist_ok=True)
    (folder / "journal/1.journal").write_text("{}\n")
    (folder / "applied.json").write_bytes(record)
    return folder


def install(system: System, deb: Path) -> None:
    shutil.copy(deb, system.root / "sctune.deb")
    system.check("dpkg -i /sctune.deb")


def next_version(deb: Path, folder: Path) -> Path:
    """The same package as the next revision, with another configuration in it and without one of its modules."""
    tree = folder / "tree"
    subprocess.run(("dpkg-deb", "-R", deb, tree), check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {VERSION}-1\n", f"Version: {VERSION}-2\n"))
    (tree / CONFIGURATION).write_text((tree / CONFIGURATION).read_text() + "# Of the next version.\n")
    shutil.rmtree(next(tree.glob("usr/lib/sctune/lib/python3*/site-packages/rich")))
    target = folder / "sctune-2.deb"
    subprocess.run(("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, target), check=True, capture_output=True)
    return target


def test_upgraded_it_keeps_a_changed_configuration_and_purged_it_leaves_nothing(system: System, deb: Path, tmp_path: Path) -> None:
    before = system.files()
    install(system, deb)
    with (system.root / CONFIGURATION).open("a") as file:
        file.write(LOCAL)
    system.check("dpkg -i /sctune.deb")
    assert (system.root / CONFIGURATION).read_text().endswith(LOCAL)

    shutil.copy(next_version(deb, tmp_path), system.root / "sctune-2.deb")
    system.check("systemctl enable --quiet sctune-doctor.timer && dpkg --force-confold -i /sctune-2.deb")
    assert system.check("dpkg-query --show --showformat '${Version}' sctune") == f"{VERSION}-2"
    assert (system.root / CONFIGURATION).read_text().endswith(LOCAL)
    assert "128" in system.check("sctune config show --origin | grep loop_limit")
    assert system.check("systemctl is-enabled sctune-doctor.timer") == "enabled\n"
    assert not list(system.root.glob("usr/lib/sctune/lib/python3*/site-packages/rich")), "byte code of the old version is left"

    folder = state(system, _record())
    (folder / "doctor.json").write_text("{}\n")
    removed = system.run("dpkg --remove sctune")
    assert (removed.status, removed.error) == (0, "")
    assert (system.root / CONFIGURATION).read_text().endswith(LOCAL)
    assert folder.is_dir()
    assert not (system.root / "usr/lib/sctune").exists()
    assert not list((system.root / "etc/systemd").rglob("sctune*"))

    purged = system.run("dpkg --purge sctune")
    assert (purged.status, purged.error) == (0, "")
    after = system.files()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {path for path in changed if not path.startswith(KEPT)} == set()


def test_purged_it_keeps_the_way_back_from_what_is_in_force_and_says_so(system: System, deb: Path) -> None:
    install(system, deb)
    folder = state(system, in_force())
    done = system.run("dpkg --purge sctune")
    assert done.status == 0
    assert "settings that it applied stay in force" in done.error
    assert "/var/lib/sctune is kept" in done.error
    assert "sctune rollback" in done.error
    assert (folder / "journal/1.journal").is_file()
    assert not (system.root / "etc/sctune").exists()

    # Installed again, it finds them.
    install(system, deb)
    assert (folder / "applied.json").read_bytes() == in_force()
    (folder / "applied.json").write_bytes(_record())
    system.check("dpkg --purge sctune")
    assert not folder.exists()
