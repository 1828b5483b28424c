"""`sctune apply-profile` without --dry-run: asks, does all or nothing, looks afterwards, and says how to undo it."""

from __future__ import annotations

import errno
import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

import sctune.host.choose
from sctune.__main__ import main
from sctune.commands.apply_profile import run_apply_profile
from sctune.commands.history import run_history
from sctune.commands.rollback import run_rollback
from sctune.commands.verify_profile import run_verify_profile
from sctune.errors import UserError
from sctune.host.root import RootHost
from sctune.report.format import Plain
from sctune.unavailable import Reason, Unavailable
from tests.unit import profile_schemas
from tests.unit.tuning_hosts import RECORD, Faulty, Kernel, machine, snapshot
from tests.unit.tuning_runs import here

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sctune.host.base import Completed, Process

OURS = "summary: here\nsysctl:\n" + "".join(
    f"  {key}: {{value: {value}, why: it is better, source: this test}}\n"
    for key, value in (("vm.swappiness", 10), ("vm.dirty_bytes", "64 MiB"))
)
MOUNTINFO = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /etc ro - ext4 /dev/sda2 ro\n"
MOUNTS = "/dev/sda1 / ext4 rw 0 0\n/dev/sda2 /etc ext4 ro 0 0\n"
FILE = "/etc/sysctl.d/90-sctune-ours.conf"


class Quiet(RootHost):
    """The machine in a folder, on which no process runs."""

    def processes(self) -> tuple[Process, ...]:
        return ()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "host").mkdir()
    site = tmp_path / "profiles.d"
    site.mkdir(mode=0o755)
    (site / "ours.yaml").write_text(OURS)
    monkeypatch.setattr("sctune.tuning.load.SITE_FOLDER", str(site))
    made = machine(tmp_path / "host")
    monkeypatch.setattr(sctune.host.choose, "open_host", lambda _from, _root: Quiet(made))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return made


def run(at: str, *, profile: str = "ours", calls: Kernel | None = None, **options: Any) -> int:
    given: dict[str, Any] = {
        "dry_run": False,
        "given": (),
        "live": True,
        "persist": True,
        "yes": True,
        "from_path": None,
        "root": None,
        "format": Plain.TEXT,
        "output": None,
        "config_path": "/dev/null",
    }
    return run_apply_profile(profile, machine=here(at, calls), **(given | options))


def read(root: str, path: str) -> str:
    with open(root + path) as file:
        return file.read().strip()


def test_applied_twice_changes_once_and_rolls_back_to_the_byte(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = snapshot(root)
    assert run(root) == 0
    out = capfd.readouterr().out
    assert "Applied: 3 changes, as transaction 1." in out
    assert "sctune rollback 1" in out
    assert (read(root, "/proc/sys/vm/swappiness"), read(root, "/proc/sys/vm/dirty_bytes")) == ("10", str(64 << 20))
    assert "vm.swappiness = 10" in read(root, FILE)
    after = snapshot(root)
    assert run(root) == 0
    assert "Nothing was to do" in capfd.readouterr().out
    assert snapshot(root) == after
    assert run(root, dry_run=True) == 0
    assert run_rollback(None, force=False, yes=True, machine=here(root)) == 0
    assert snapshot(root) == before


def test_nobody_to_ask_changes_nothing(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = snapshot(root)
    assert run(root, yes=False) == 1
    out, err = capfd.readouterr()
    assert "2 values and 1 file would change" in out
    assert "there is no terminal to ask on" in err
    assert snapshot(root) == before


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 1), ("no\n", 1)])
def test_asks(root: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: str, code: int) -> None:
    monkeypatch.setattr("sctune.commands.refusing.may_ask", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    before = snapshot(root)
    assert run(root, yes=False) == code
    out, err = capfd.readouterr()
    assert "Apply? [y/N]" in err
    assert out.count("would change") == 1
    assert (snapshot(root) == before) is bool(code)


def test_a_later_file_that_would_win_is_refused_before_anything_changes(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    with open(f"{root}/etc/sysctl.d/99-local.conf", "w") as file:
        file.write("vm.swappiness = 60\n")
    before = snapshot(root)
    assert run(root) == 1
    out, err = capfd.readouterr()
    assert "99-local.conf" in out
    assert "the plan has conflicts" in err
    assert snapshot(root) == before


def test_a_failure_in_the_middle_undoes_all_and_is_told(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    class Refusing(Kernel):
        def put_value(self, path: str, data: bytes) -> None:
            if path.endswith("/dirty_bytes"):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES), path)
            super().put_value(path, data)

    before = snapshot(root)
    assert run(root, calls=Refusing(root)) == 1
    out = capfd.readouterr().out
    told = "/proc/sys/vm/dirty_bytes does not take 67108864: permission denied"
    assert f"vm.dirty_bytes could not be changed: {told}" in " ".join(out.split())
    assert "Everything is as it was before." in out
    assert snapshot(root) == before
    assert run_history(None, format=Plain.TEXT, output=None, machine=here(root)) == 0
    assert f"failed and undone: {told}" in " ".join(capfd.readouterr().out.split())


def test_a_file_that_cannot_be_written_is_named(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    class Full(Kernel):
        def rename(self, source: str, target: str) -> None:
            if target.endswith(".conf"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            super().rename(source, target)

    before = snapshot(root)
    assert run(root, calls=Full(root)) == 1
    assert f"could not be changed: {FILE} cannot be written: no space left on device" in " ".join(capfd.readouterr().out.split())
    assert snapshot(root) == before


def test_what_does_not_stay_is_told(root: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Quiet] = []

    def looked(_from: object, _root: object) -> Quiet:
        if looks:  # somebody is quicker than the look afterwards
            with open(f"{root}/proc/sys/vm/swappiness", "w") as file:
                file.write("99\n")
        looks.append(Quiet(root))
        return looks[-1]

    monkeypatch.setattr(sctune.host.choose, "open_host", looked)
    assert run(root) == 1
    assert "vm.swappiness: it is 99, to be 10" in capfd.readouterr().out


def test_one_half_alone(root: str) -> None:
    assert run(root, persist=False) == 0
    assert not os.path.exists(root + FILE)
    assert read(root, "/proc/sys/vm/swappiness") == "10"
    assert run_rollback(None, force=False, yes=True, machine=here(root)) == 0
    assert run(root, live=False) == 0
    assert os.path.exists(root + FILE)
    assert read(root, "/proc/sys/vm/swappiness") != "10"


def test_json_is_one_document(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(root, format=Plain.JSON) == 0
    document = profile_schemas.applied(capfd.readouterr().out)
    assert document["applied"] == {
        "ending": "applied",
        "transaction": 1,
        "changed": ["vm.swappiness", "vm.dirty_bytes", FILE],
        "failed": None,
        "reason": None,
        "remaining": [],
    }
    assert run(root, format=Plain.JSON, dry_run=True) == 0
    assert profile_schemas.applied(capfd.readouterr().out)["applied"] is None
    assert run(root, format=Plain.JSON) == 0
    assert profile_schemas.applied(capfd.readouterr().out)["applied"]["ending"] == "nothing to do"


class Stuck(Kernel):
    """A kernel that takes no bytes, and does not take back what it took before."""

    def put_value(self, path: str, data: bytes) -> None:
        if path.endswith("/dirty_bytes") or data == b"60\n":
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        super().put_value(path, data)


def test_json_of_what_went_wrong(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    with open(f"{root}/etc/sysctl.d/99-local.conf", "w") as file:
        file.write("vm.swappiness = 60\n")
    assert run(root, format=Plain.JSON) == 1
    document = profile_schemas.applied(capfd.readouterr().out)
    assert (document["applied"], len(document["conflicts"])) == (None, 1)
    os.unlink(f"{root}/etc/sysctl.d/99-local.conf")
    assert run(root, format=Plain.JSON, calls=Stuck(root)) == 1
    done = profile_schemas.applied(capfd.readouterr().out)["applied"]
    assert (done["ending"], done["failed"], done["changed"]) == ("partly undone", "vm.dirty_bytes", [])


@pytest.mark.parametrize("profile", ["enterprise-storage", "storage-controller", "eucalyptus-sc", "iscsi-root", "iscsi-multipath"])
def test_json_of_our_profiles(root: str, capfd: pytest.CaptureFixture[str], profile: str) -> None:
    run(root, profile=profile, format=Plain.JSON, dry_run=True)
    document = profile_schemas.applied(capfd.readouterr().out)
    assert (document["iscsi"] is not None) == profile.startswith("iscsi")
    assert verify(root, profile=profile, format=Plain.JSON) == 1
    assert profile_schemas.verified(capfd.readouterr().out)["differences"]


@pytest.mark.parametrize(
    "options", [{"from_path": "/x"}, {"root": "/x"}, {"format": Plain.JSON, "yes": False}, {"output": "/x", "yes": False}]
)
def test_wrong_usage(root: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        run(root, **options)


def test_others_than_root_are_told(root: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(("apply-profile", "ours", "--yes", "--config", "/dev/null")) == 1
    assert "applying takes root" in capfd.readouterr().err


def test_an_interrupted_apply_is_undone_before_the_next(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = snapshot(root)
    with pytest.raises(BaseException):  # noqa: B017 - as a process that is killed
        run(root, calls=Faulty(root, at=14))
    assert run(root) == 1
    assert "sctune rollback 1" in capfd.readouterr().err
    assert run_rollback(None, force=False, yes=True, machine=here(root)) == 0
    assert snapshot(root) == before


def test_iscsid_conf_keeps_its_owner_and_its_secrets(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = f"{root}/etc/iscsi.real/iscsid.conf"
    with open(root + RECORD, "a") as file:
        file.write("node.conn[0].timeo.noop_out_interval = 5\nnode.conn[0].timeo.noop_out_timeout = 5\n")
    before, owner = snapshot(root), os.stat(path)
    assert run(root, profile="iscsi-root", dry_run=True) == 4
    shown = capfd.readouterr().out
    assert "iscsi.node.session.timeo.replacement_timeout" in shown
    assert "1 file and 1 node record would change" in shown
    assert "live session" not in shown
    assert run(root, profile="iscsi-root") == 0, capfd.readouterr()
    told = capfd.readouterr()
    now = os.stat(path)
    assert (now.st_mode, now.st_uid, now.st_gid) == (owner.st_mode, owner.st_uid, owner.st_gid)
    assert "node.session.timeo.replacement_timeout = 7200" in read(root, "/etc/iscsi.real/iscsid.conf")
    assert "password = Hunter2x" in read(root, RECORD)
    assert run(root, profile="iscsi-root", dry_run=True) == 0
    assert run_rollback(None, force=False, yes=True, machine=here(root)) == 0
    assert snapshot(root) == before
    assert run(root, profile="iscsi-root", format=Plain.JSON) == 0
    everything = shown + told.out + told.err + "".join(capfd.readouterr())
    assert not any(secret in everything for secret in ("Hunter2x", "s3cret"))


def test_a_tool_that_is_missing_is_told_before_anything_changes(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    class Bare(Kernel):
        def finds(self, tool: str) -> bool:
            return tool != "iscsiadm"

        def run(self, argv: Sequence[str], seconds: float) -> Completed | Unavailable:
            return Unavailable(reason=Reason.ABSENT, what=argv[0], detail="not installed")

    with open(root + RECORD, "a") as file:
        file.write("node.conn[0].timeo.noop_out_interval = 5\nnode.conn[0].timeo.noop_out_timeout = 5\n")
    before = snapshot(root)
    lacks = (
        "iscsiadm is not installed, and 3 changes would be made with it: "
        "install open-iscsi, or leave files and node records as they are with --live-only"
    )
    assert run(root, profile="iscsi-root", dry_run=True, format=Plain.JSON, calls=Bare(root)) == 4
    assert json.loads(capfd.readouterr().out)["conflicts"] == [lacks]
    assert run(root, profile="iscsi-root", calls=Bare(root)) == 1
    out, err = capfd.readouterr()
    assert "iscsiadm is not installed, and 3 changes would be made with it" in " ".join(out.split())
    assert "the plan has conflicts" in err
    assert not os.path.exists(f"{root}/var/lib/sctune")
    assert snapshot(root) == before
    assert run(root, calls=Bare(root)) == 0  # a plan that needs no tool


def verify(root: str, profile: str = "ours", **options: Any) -> int:
    given: dict[str, Any] = {"given": (), "from_path": None, "root": None, "format": Plain.TEXT, "output": None}
    return run_verify_profile(profile, config_path="/dev/null", machine=here(root), **(given | options))


def test_verify(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert verify(root) == 1
    out = capfd.readouterr().out
    assert "ours: 3 differences, which is not applied by sctune here" in out
    assert f"{FILE}: is missing" in out
    run(root, given=("vm.swappiness=5",))
    capfd.readouterr()
    assert verify(root) == 0
    assert capfd.readouterr().out == "ours: conforms, as transaction 1 applied it (vm.swappiness=5)\n"
    assert verify(root, given=("vm.swappiness=7",)) == 1
    with open(f"{root}/proc/sys/vm/swappiness", "w") as file:
        file.write("6\n")
    capfd.readouterr()
    assert verify(root) == 1
    assert "vm.swappiness: it is 6, to be 5" in capfd.readouterr().out
    assert verify(root, format=Plain.JSON) == 1
    document = profile_schemas.verified(capfd.readouterr().out)
    assert (document["conforms"], document["set"]) == (False, ["vm.swappiness=5"])
    assert document["differences"] == ["vm.swappiness: it is 6, to be 5"]


GONE = "  disks: {attribute: scheduler, value: [mq-deadline], when: {kind: disk}, why: it is better, source: this test}\n"


def test_verify_tells_what_the_plan_does_not(root: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "profiles.d" / "ours.yaml"
    for name, text in (("size", "2097152"), ("dev", "8:0")):
        with open(f"{root}/sys/devices/pci0/block/sda/{name}", "w") as file:
            file.write(text + "\n")
    site.write_text(OURS + "block:\n" + GONE)
    assert run(root) == 0
    assert "sda/scheduler" in capfd.readouterr().out
    assert verify(root) == 0
    assert capfd.readouterr().out == "ours: conforms, as transaction 1 applied it\n"
    os.chmod(root + FILE, 0o666)
    assert verify(root) == 1
    out = capfd.readouterr().out
    assert " ".join(out.split()) == (
        f"ours: 1 difference, as transaction 1 applied it - {FILE}: "
        f"mode 0666, owner {os.geteuid()}, where transaction 1 left mode 0644, owner {os.geteuid()}"
    )
    os.chmod(root + FILE, 0o644)

    # A setting that the profile has no more is not in its plan, nor is the mode of a file, nor what is not here.
    site.write_text(OURS.replace("  vm.swappiness", "  # vm.swappiness") + "block:\n" + GONE)
    with open(f"{root}/proc/sys/vm/swappiness", "w") as file:
        file.write("6\n")
    os.chmod(f"{root}/etc/udev/rules.d/90-sctune-ours.rules", 0o666)
    os.unlink(f"{root}/sys/block/sda")
    assert verify(root) == 1
    out = " ".join(capfd.readouterr().out.split())
    assert "vm.swappiness: 6, where transaction 1 left 10" in out
    assert "90-sctune-ours.rules: mode 0666, owner " in out
    assert "sda/scheduler: what it was set on is not here any more" in out
    assert f"{FILE}: is not as the profile has it" in out
    assert out.count(FILE) == 1
    assert verify(root, format=Plain.JSON) == 1
    document = profile_schemas.verified(capfd.readouterr().out)
    assert (document["gone"], len(document["differences"])) == (["sda/scheduler"], 3)

    os.unlink(f"{root}/var/lib/sctune/applied.json")
    os.mkdir(f"{root}/var/lib/sctune/applied.json")
    assert verify(root) == 1
    assert "could not be looked at: /var/lib/sctune/applied.json" in " ".join(capfd.readouterr().out.split())


def test_what_goes_beyond_a_bound_conforms(root: str, tmp_path: Path) -> None:
    site = tmp_path / "profiles.d" / "ours.yaml"
    site.write_text(OURS.replace("value: 10,", "value: 70, only: raise,"))
    assert run(root) == 0
    with open(f"{root}/proc/sys/vm/swappiness", "w") as file:
        file.write("90\n")
    assert verify(root) == 0


def test_verify_of_one_half(root: str) -> None:
    run(root, persist=False)
    assert verify(root) == 0
    assert verify(root, given=("vm.swappiness=10",)) == 1  # what is asked for is the whole


def test_what_cannot_be_read_does_not_conform(
    root: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(root)
    monkeypatch.setattr(sctune.host.choose, "open_host", lambda _from, _root: RootHost(root))
    capfd.readouterr()
    assert verify(root) == 3
    assert "could not be looked at: whether tuned runs" in capfd.readouterr().out
    assert verify(root, format=Plain.JSON) == 3
    assert profile_schemas.verified(capfd.readouterr().out)["conforms"] is None


def test_a_file_that_cannot_be_kept_is_refused_and_not_half_done(root: str, capfd: pytest.CaptureFixture[str]) -> None:
    os.makedirs(f"{root}/proc/self", exist_ok=True)
    for path in ("proc/self/mountinfo", "proc/mounts", "proc/self/mounts"):
        with open(f"{root}/{path}", "w") as file:
            file.write(MOUNTINFO if path.endswith("mountinfo") else MOUNTS)
    before = snapshot(root)
    assert run(root) == 1
    out, err = capfd.readouterr()
    assert f"{FILE} cannot be written: /etc is mounted read-only" in " ".join(out.split())
    assert "--live-only" in out
    assert "the plan has conflicts" in err
    assert run(root, profile="iscsi-root") == 1
    assert "/etc/iscsi/iscsid.conf cannot be written" in " ".join(capfd.readouterr().out.split())
    assert snapshot(root) == before
    assert run(root, persist=False) == 0
    assert read(root, "/proc/sys/vm/swappiness") == "10"
