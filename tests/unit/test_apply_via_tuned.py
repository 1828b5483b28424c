"""`sctune apply-profile --via tuned`: one transaction with tuned's own activation, undone to the byte from wherever it stops."""

from __future__ import annotations

import errno
import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import sctune.host.choose
from sctune.__main__ import main
from sctune.commands.apply_profile import run_apply_profile
from sctune.commands.history import run_history
from sctune.commands.rollback import run_rollback
from sctune.commands.verify_profile import run_verify_profile
from sctune.host.base import Process
from sctune.host.root import RootHost
from sctune.report.format import Plain
from sctune.tuning.machine import Machine
from sctune.tuning.via import Via
from tests.unit import profile_schemas
from tests.unit.tuned_daemon import FaultyTuned, Tuned, install
from tests.unit.tuning_hosts import Killed, machine, parts, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OURS = "summary: here\nsysctl:\n" + "".join(
    f"  {key}: {{value: {value}, why: it is better, source: this test}}\n"
    for key, value in (("vm.swappiness", 10), ("vm.dirty_bytes", "64 MiB"))
)
RATIO = "summary: here\nsysctl:\n  vm.dirty_ratio: {value: 40, why: it is better, source: this test}\n"
CONF = "/etc/tuned/sctune-ours/tuned.conf"
DAEMON = Process(
    pid=9, ppid=1, name="tuned", state="S", argv=("/usr/bin/python3", "/usr/sbin/tuned"), started=1.0, cpu_seconds=0, uid=0
)


class Running(RootHost):
    """The machine in a folder, on which tuned runs."""

    def processes(self) -> tuple[Process, ...]:
        return (DAEMON,)


class Idle(RootHost):
    """The same where it does not."""

    def processes(self) -> tuple[Process, ...]:
        return ()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "host").mkdir()
    site = tmp_path / "profiles.d"
    site.mkdir(mode=0o755)
    (site / "ours.yaml").write_text(OURS)
    (site / "ratio.yaml").write_text(RATIO)
    monkeypatch.setattr("sctune.tuning.load.SITE_FOLDER", str(site))
    monkeypatch.setattr("sctune.tuning.doing.PATIENCE", 0.0)
    made = machine(tmp_path / "host")
    os.unlink(f"{made}/etc/sysctl.d/50-old.conf")  # tuned would apply it after its own settings
    monkeypatch.setattr(sctune.host.choose, "open_host", lambda _from, _root: Running(made))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return made


def here(root: str, calls: Tuned) -> Machine:
    writer, journal, lock = parts(root, calls)
    return Machine(writer=writer, journal=journal, lock=lock)


def run(root: str, calls: Tuned, *, profile: str = "ours", **options: Any) -> int:
    given: dict[str, Any] = {
        "dry_run": False,
        "given": (),
        "live": True,
        "persist": True,
        "via": Via.TUNED,
        "yes": True,
        "from_path": None,
        "root": None,
        "format": Plain.TEXT,
        "output": None,
        "config_path": "/dev/null",
    }
    return run_apply_profile(profile, machine=here(root, calls), **(given | options))


def back(root: str, calls: Tuned) -> int:
    return run_rollback(None, force=False, yes=True, machine=here(root, calls))


def read(root: str, path: str) -> str:
    with open(root + path) as file:
        return file.read().strip()


FROM = [("balanced", "auto"), ("throughput", "manual"), ("", "manual")]


@pytest.mark.parametrize(("active", "mode"), FROM)
@pytest.mark.parametrize("profile", ["ours", "ratio"])
def test_applied_once_and_rolled_back_to_the_byte(
    root: str, capfd: pytest.CaptureFixture[str], active: str, mode: str, profile: str
) -> None:
    daemon = install(root, active=active, mode=mode)
    if profile == "ratio" and active != "throughput":  # bytes that a ratio ends, and that tuned does not give back
        daemon._write("/proc/sys/vm/dirty_bytes", "4096000")
    before = snapshot(root)
    assert run(root, daemon, profile=profile) == 0, capfd.readouterr()
    assert f"tuned: sctune-{profile}" in capfd.readouterr().out
    assert read(root, "/etc/tuned/active_profile") == f"sctune-{profile}"
    after = snapshot(root)
    assert after != before
    assert run(root, daemon, profile=profile) == 0
    assert "Nothing was to do" in capfd.readouterr().out
    assert snapshot(root) == after
    assert back(root, daemon) == 0, capfd.readouterr()
    assert snapshot(root) == before


@pytest.mark.parametrize(("active", "mode"), FROM)
def test_a_tuned_that_forgot_what_it_found(root: str, active: str, mode: str) -> None:
    daemon = install(root, active=active, mode=mode)
    before = snapshot(root)
    assert run(root, daemon) == 0
    daemon.originals = []  # it was killed, and takes its own values for what it found
    daemon._switch("sctune-ours", "manual")
    assert back(root, daemon) == 0
    assert snapshot(root) == before


def each_call(root: str, make: Callable[[int], FaultyTuned], do: Callable[[FaultyTuned], object]) -> None:
    """Has a fault at each call in turn, until there are no more."""
    for at in range(1, 200):
        calls = make(at)
        do(calls)
        if calls.count < at:
            assert at > 20
            return
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize(("active", "mode"), FROM)
def test_killed_at_each_call_it_is_rolled_back_by_a_later_process(root: str, active: str, mode: str) -> None:
    daemon = install(root, active=active, mode=mode)
    before = snapshot(root)

    def die(calls: FaultyTuned) -> None:
        calls.originals = daemon.originals
        with suppress(Killed):
            run(root, calls)
        daemon.originals = calls.originals
        calls.dead, calls.at = False, 0
        back(root, daemon)
        now = snapshot(root)
        assert now == before, {
            path: (before.get(path), now.get(path)) for path in {*before, *now} if before.get(path) != now.get(path)
        }

    each_call(root, lambda at: FaultyTuned(root, at=at), die)


def test_a_failure_at_each_call_undoes_all(root: str) -> None:
    daemon = install(root, active="throughput", mode="manual")
    before = snapshot(root)

    def fail(calls: FaultyTuned) -> None:
        calls.originals = daemon.originals
        run(root, calls)
        daemon.originals = calls.originals
        back(root, daemon)
        assert snapshot(root) == before

    each_call(root, lambda at: FaultyTuned(root, at=at, number=errno.EIO), fail)


def test_what_tuned_left_different_is_named_and_all_is_undone(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    daemon = install(root, active="balanced", mode="auto", deaf=("swappiness",))
    before = snapshot(root)
    assert run(root, daemon) == 1
    out = " ".join(capfd.readouterr().out.split())
    assert "vm.swappiness could not be changed: /proc/sys/vm/swappiness reads 60 and was to be 10" in out
    assert "Everything is as it was before." in out
    assert snapshot(root) == before


def test_a_value_that_comes_later_is_waited_for(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = install(root, active="balanced", mode="auto", deaf=("swappiness",))
    monkeypatch.setattr("sctune.tuning.doing.PATIENCE", 5.0)
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            daemon._write("/proc/sys/vm/swappiness", "10")

    monkeypatch.setattr("time.sleep", sleep)
    assert run(root, daemon) == 0
    assert len(naps) == 3


def test_beside_a_tuned_that_sets_the_same_otherwise_it_is_refused(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    daemon = install(root, active="throughput", mode="manual")
    before = snapshot(root)
    assert run(root, daemon, via=None) == 1
    out, err = capfd.readouterr()
    words = " ".join(out.split())
    assert "its profile throughput sets vm.swappiness (to 30), vm.dirty_ratio (to 40) otherwise" in words
    assert "--via tuned" in words
    assert "`tuned-adm off`" in words
    assert "the plan has conflicts" in err
    run(root, daemon, via=None, dry_run=True)
    assert "its profile throughput sets" in " ".join(capfd.readouterr().out.split())
    assert snapshot(root) == before
    daemon._switch("balanced", "manual")  # which sets none of it
    assert run(root, daemon, via=None) == 0


def test_once_through_tuned_it_is_not_applied_beside_it(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    daemon = install(root, active="balanced", mode="auto")
    assert run(root, daemon) == 0
    before = snapshot(root)
    assert run(root, daemon, via=None) == 1
    assert "ours is applied through tuned" in " ".join(capfd.readouterr().out.split())
    assert snapshot(root) == before


def test_first_beside_and_then_through_tuned(root: str) -> None:
    daemon = install(root, active="balanced", mode="auto")
    before = snapshot(root)
    assert run(root, daemon, via=None) == 0
    assert os.path.exists(f"{root}/etc/sysctl.d/90-sctune-ours.conf")
    assert run(root, daemon) == 0
    assert not os.path.exists(f"{root}/etc/sysctl.d/90-sctune-ours.conf")
    assert back(root, daemon) == 0
    assert back(root, daemon) == 0
    assert snapshot(root) == before


def test_another_value_is_read_anew_and_rolled_back(root: str) -> None:
    daemon = install(root, active="balanced", mode="auto")
    assert run(root, daemon) == 0
    before = snapshot(root)
    assert run(root, daemon, given=("vm.swappiness=5",)) == 0
    assert read(root, "/proc/sys/vm/swappiness") == "5"
    assert back(root, daemon) == 0
    assert snapshot(root) == before


def test_what_somebody_else_took_up_since_is_left(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    daemon = install(root, active="balanced", mode="auto")
    assert run(root, daemon) == 0
    daemon._switch("throughput", "manual")
    assert back(root, daemon) == 1
    assert "/etc/tuned/active_profile says throughput" in " ".join(capfd.readouterr().out.split())
    assert read(root, "/etc/tuned/active_profile") == "throughput"


def test_verify_and_history_know_how_it_was_applied(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    daemon = install(root, active="balanced", mode="auto")
    assert run(root, daemon) == 0
    capfd.readouterr()

    def verify(**options: Any) -> int:
        given: dict[str, Any] = {"given": (), "from_path": None, "root": None, "format": Plain.TEXT, "output": None}
        return run_verify_profile("ours", config_path="/dev/null", machine=here(root, daemon), **(given | options))

    assert verify() == 0
    assert capfd.readouterr().out == "ours: conforms, as transaction 1 applied it (--via tuned)\n"
    assert verify(via=Via.TUNED, given=("vm.swappiness=10",)) == 0
    daemon._switch("throughput", "manual")
    capfd.readouterr()
    assert verify() == 1
    out = capfd.readouterr().out
    assert "tuned has the profile throughput, to be sctune-ours" in out
    assert "vm.swappiness: it is 30, to be 10" in out
    assert "sctune apply-profile ours --via tuned --dry-run" in out
    assert verify(format=Plain.JSON) == 1
    assert profile_schemas.verified(capfd.readouterr().out)["via"] == "tuned"
    assert run_history(1, format=Plain.TEXT, output=None, machine=here(root, daemon)) == 0
    assert "Options: --via tuned" in capfd.readouterr().out


def test_without_a_tuned_that_runs_it_is_one_clear_line(
    root: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = install(root, active="balanced", mode="auto")
    monkeypatch.setattr(sctune.host.choose, "open_host", lambda _from, _root: Idle(root))
    before = snapshot(root)
    for dry_run in (False, True):
        assert run(root, daemon, dry_run=dry_run) == 1
        out, err = capfd.readouterr()
        assert out == ""
        assert err.startswith("sctune: nothing was changed: tuned does not run here")
    assert snapshot(root) == before


def test_the_plan_shows_what_tuned_takes_up(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    daemon = install(root, active="balanced", mode="auto")
    assert run(root, daemon, dry_run=True) == 4
    out = capfd.readouterr().out
    assert f"Kept by {CONF}." in out
    assert "tuned: its active profile\n- balanced\n+ sctune-ours\n" in out
    assert run(root, daemon, dry_run=True, format=Plain.JSON) == 4
    document = profile_schemas.applied(capfd.readouterr().out)
    assert (document["via"], document["tuned"]) == ("tuned", {"before": "balanced", "after": "sctune-ours"})


@pytest.mark.parametrize("options", [("--via", "tuned", "--live-only"), ("--via", "tuned", "--persist-only"), ("--via", "ktune")])
def test_wrong_usage(root: str, capfd: pytest.CaptureFixture[str], options: tuple[str, ...]) -> None:
    assert main(("apply-profile", "ours", "--yes", *options)) == 2
    assert "--via" in capfd.readouterr().err
