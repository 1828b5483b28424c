"""Applying, with nothing going wrong but what an operator may meet."""

from __future__ import annotations

import errno
import os
import signal
import stat
from typing import TYPE_CHECKING

import pytest

from sctune.records import replace
from sctune.tuning.execute import Ending, apply
from sctune.tuning.lock import locked
from sctune.tuning.operations import FileState, Operation, RunTool, WriteFile, WriteValue
from sctune.tuning.outcome import Outcome
from sctune.tuning.transaction import Status, read_transaction
from sctune.tuning.writer import LiveWriter, Refused
from tests.unit.tuning_hosts import (
    RECORD,
    REPLACEMENT,
    REQUEST,
    Faulty,
    Kernel,
    everything,
    machine,
    new_file,
    parts,
    snapshot,
    state,
)
from tests.unit.tuning_runs import back, put, read, run

if TYPE_CHECKING:
    from pathlib import Path

SWAPPINESS = WriteValue(setting="vm.swappiness", path="/proc/sys/vm/swappiness", value="10", before="60")


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "host").mkdir()
    return machine(tmp_path / "host")


def test_apply_does_all_and_rollback_undoes_all(root: str) -> None:
    before = snapshot(root)
    applied = run(root, *everything(root))
    assert (applied.ending, applied.exit_code, applied.number) == (Ending.APPLIED, 0, 1)
    assert read(root, "/proc/sys/vm/dirty_bytes") == "1073741824\n"
    assert read(root, "/proc/sys/vm/dirty_ratio") == "0\n"
    assert read(root, "/sys/block/sda/queue/scheduler") == "none [mq-deadline]\n"
    assert read(root, "/sys/block/sda/queue/read_ahead_kb") == "776\n"
    assert read(root, "/run/udev-rules") == "90-sctune.rules\n"
    assert f"{REPLACEMENT} = 7200" in read(root, RECORD)
    assert not os.path.exists(f"{root}/etc/sysctl.d/50-old.conf")
    now = os.stat(f"{root}/etc/iscsi.real/iscsid.conf")
    assert os.path.islink(f"{root}/etc/iscsi")
    assert stat.S_IMODE(now.st_mode) == 0o600
    assert (now.st_uid, now.st_gid) == ((12, 34) if os.geteuid() == 0 else (os.geteuid(), os.getegid()))
    done = back(root)
    assert done.exit_code == 0
    assert {word.outcome for _, word in done.undone} <= {Outcome.BACK, Outcome.ALREADY}
    assert snapshot(root) == before


def test_nothing_to_do_writes_nothing(root: str) -> None:
    operations = everything(root)
    run(root, *operations)
    before = snapshot(root)
    journal = sorted(os.listdir(f"{root}/var/lib/sctune/journal"))
    os.unlink(f"{root}/run/sctune.lock")
    calls = Faulty(root)
    writer, pages, lock = parts(root, calls)
    again = apply(operations, writer=writer, journal=pages, request=REQUEST, lock=lock)
    assert (again.ending, again.exit_code, again.number) == (Ending.NOTHING, 0, None)
    assert calls.count == 0
    assert snapshot(root) == before
    assert sorted(os.listdir(f"{root}/var/lib/sctune/journal")) == journal
    assert not os.path.exists(f"{root}/run/sctune.lock")


def test_a_tool_that_only_tells_others_is_no_change(root: str) -> None:
    assert run(root, RunTool(setting="udev", argv=("udevadm",), undo=(), check={})).ending is Ending.NOTHING


def test_the_journal_is_roots_alone(root: str) -> None:
    run(root, SWAPPINESS)
    folder = f"{root}/var/lib/sctune/journal"
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert [stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) for name in os.listdir(folder)] == [0o600]


class Named(Kernel):
    """Keeps the names of some calls in their order."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.names: list[str] = []

    def write(self, descriptor: int, data: bytes) -> None:
        self.names.append("write")
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self.names.append("sync")
        super().sync(descriptor)

    def sync_folder(self, path: str) -> None:
        self.names.append("sync_folder")
        super().sync_folder(path)

    def rename(self, source: str, target: str) -> None:
        self.names.append("rename")
        super().rename(source, target)

    def put_value(self, path: str, data: bytes) -> None:
        self.names.append("put_value")
        super().put_value(path, data)


def test_all_intents_are_synced_before_the_first_change(root: str) -> None:
    calls = Named(root)
    writer, journal, lock = parts(root, calls)
    apply(everything(root), writer=writer, journal=journal, request=REQUEST, lock=lock)
    written = calls.names.index("write")
    first = min(calls.names.index("put_value"), calls.names.index("rename"))
    assert calls.names[written : written + 3] == ["write", "sync", "sync_folder"]
    assert written + 2 < first


@pytest.mark.parametrize(
    "refused",
    [
        WriteValue(setting="sda/scheduler", path="/sys/block/sda/queue/scheduler", value="bfq", before="none"),
        WriteValue(setting="sda/read_ahead_kb", path="/sys/block/sda/queue/read_ahead_kb", value="777", before="128"),
        RunTool(setting="record", argv=("false",), undo=(), check={RECORD: "node.name = other"}),
        RunTool(setting="record", argv=("missing",), undo=(), check={RECORD: "node.name = other"}),
        RunTool(setting="record", argv=("iscsiadm", "none", "-v", "1"), undo=(), check={RECORD: "node.name = other"}),
    ],
    ids=["refused", "rounded", "exit status", "not installed", "no effect"],
)
def test_a_failure_in_the_middle_undoes_all(root: str, refused: Operation) -> None:
    before = snapshot(root)
    failed = run(root, *everything(root)[:6], refused, new_file("/etc/after", b""))
    assert (failed.ending, failed.exit_code, failed.failed) == (Ending.UNDONE, 1, refused.setting)
    assert "Hunter2x" not in failed.reason
    assert snapshot(root) == before
    assert read_transaction(parts(root)[1], 1).status is Status.FAILED
    assert back(root).number is None
    assert run(root, SWAPPINESS).ending is Ending.APPLIED


def test_a_value_that_a_later_step_takes_along(root: str) -> None:
    """A new scheduler has a queue depth of its own."""
    depth = WriteValue(setting="sda/nr_requests", path="/sys/block/sda/queue/nr_requests", value="512", before="64")
    scheduler = WriteValue(setting="sda/scheduler", path="/sys/block/sda/queue/scheduler", value="mq-deadline", before="none")
    before = snapshot(root)
    assert run(root, depth, scheduler).failed == "sda/nr_requests"
    assert snapshot(root) == before
    assert run(root, scheduler, depth).ending is Ending.APPLIED
    back(root)
    assert snapshot(root) == before


def test_what_changed_since_the_plan_is_refused(root: str) -> None:
    put(root, "/proc/sys/vm/swappiness", "30\n")
    with pytest.raises(Refused, match=r"vm\.swappiness has changed since the plan was made: it is 30 and was 60"):
        run(root, SWAPPINESS)
    with pytest.raises(Refused, match=r"has changed since"):
        run(root, new_file("/etc/sysctl.d/50-old.conf", b""))
    assert not os.path.exists(f"{root}/var/lib/sctune")


def test_two_operations_on_one_place_are_refused(root: str) -> None:
    twice = (
        WriteValue(setting="a", path="/sys/block/sda/queue/read_ahead_kb", value="256", before="128"),
        WriteValue(setting="b", path="/sys/devices/pci0/block/sda/queue/read_ahead_kb", value="512", before="128"),
    )
    with pytest.raises(Refused, match="b and a both write"):
        run(root, *twice)


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (replace(SWAPPINESS, path="/etc/hostname"), "no value of the kernel's"),
        (replace(SWAPPINESS, path="/proc/sys/../../etc/sysctl.d/50-old.conf"), "no value of the kernel's"),
        (replace(SWAPPINESS, path="/sys/out"), "no value of the kernel's"),
        (replace(SWAPPINESS, path="proc/sys/vm/swappiness"), "no absolute path"),
        (new_file("/sys/new", b""), "no file to replace"),
        (new_file("/etc/masked.conf", b""), "leads to /dev/null"),
        (new_file("/etc/round", b""), "too many levels"),
        (new_file("/etc/sysctl.d", b""), "no regular file"),
    ],
)
def test_places_that_are_neither_value_nor_file(root: str, operation: Operation, says: str) -> None:
    os.symlink("/etc/sysctl.d/50-old.conf", f"{root}/sys/out")
    os.symlink("/dev/null", f"{root}/etc/masked.conf")
    os.symlink("round", f"{root}/etc/round")
    with pytest.raises(Refused, match=says):
        run(root, operation)


def test_what_others_may_write_is_refused(root: str) -> None:
    before = snapshot(root)
    os.chmod(f"{root}/etc/sysctl.d", 0o777)
    failed = run(root, SWAPPINESS, new_file("/etc/sysctl.d/90-sctune.conf", b"x"))
    assert (failed.ending, failed.reason) == (Ending.UNDONE, "others may write in /etc/sysctl.d")
    os.chmod(f"{root}/etc/sysctl.d", 0o755)
    assert snapshot(root) == before
    os.chmod(f"{root}/etc/sysctl.d/50-old.conf", 0o666)
    old = state(root, "/etc/sysctl.d/50-old.conf")
    failed = run(root, WriteFile(setting="old", path="/etc/sysctl.d/50-old.conf", before=old, after=None))
    assert failed.reason == "anybody may write /etc/sysctl.d/50-old.conf"


def test_others_may_write_a_folder_on_the_way(root: str) -> None:
    os.chmod(f"{root}/etc", 0o757)
    assert run(root, new_file("/etc/sysctl.d/90-sctune.conf", b"x")).reason == "others may write in /etc"


def test_links_lead_to_the_file_that_is_replaced(root: str) -> None:
    os.symlink("../sysctl.conf", f"{root}/etc/sysctl.d/99-sysctl.conf")
    before = snapshot(root)
    assert run(root, new_file("/etc/sysctl.d/99-sysctl.conf", b"x")).ending is Ending.APPLIED
    assert read(root, "/etc/sysctl.conf") == "x"
    assert os.readlink(f"{root}/etc/sysctl.d/99-sysctl.conf") == "../sysctl.conf"
    back(root)
    assert snapshot(root) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="labels are root's to set")
def test_the_label_is_kept(root: str) -> None:
    file = f"{root}/etc/sysctl.d/50-old.conf"
    label = b"system_u:object_r:system_conf_t:s0\0"
    try:
        os.setxattr(file, "security.selinux", label)
        os.setxattr(file, "user.note", b"mine")
    except OSError as error:
        pytest.skip(f"no such attributes here: {error}")
    old = state(root, "/etc/sysctl.d/50-old.conf")
    assert old is not None
    assert old.label == label[:-1].decode()
    plain = FileState(content=b"new", mode=0o640, uid=old.uid, gid=old.gid)
    run(root, WriteFile(setting="x", path="/etc/sysctl.d/50-old.conf", before=replace(old, label=""), after=plain))
    assert state(root, "/etc/sysctl.d/50-old.conf") == replace(plain, label=old.label)
    assert os.getxattr(file, "user.note") == b"mine"
    back(root)
    assert state(root, "/etc/sysctl.d/50-old.conf") == old


def test_one_at_a_time(root: str) -> None:
    _, _, lock = parts(root)
    with locked(lock):
        with pytest.raises(Refused, match=rf"another sctune \(pid {os.getpid()}\) is changing this machine"):
            run(root, SWAPPINESS)
        assert read(root, "/proc/sys/vm/swappiness") == "60\n"
    run(root, SWAPPINESS)
    with locked(lock), pytest.raises(Refused, match="another sctune"):
        back(root)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_undoes_and_goes_on(root: str, number: signal.Signals) -> None:
    """However often it comes."""

    class Interrupted(LiveWriter):
        def write_value(self, path: str, value: str) -> None:
            if (path, value) in (("/sys/block/sda/queue/read_ahead_kb", "777"), ("/proc/sys/vm/swappiness", "60")):
                os.kill(os.getpid(), number)
            super().write_value(path, value)

    before = snapshot(root)
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    _, journal, lock = parts(root)
    writer = Interrupted(root=root, calls=Kernel(root))
    with pytest.raises(KeyboardInterrupt):
        apply(everything(root), writer=writer, journal=journal, request=REQUEST, lock=lock)
    assert snapshot(root) == before
    assert read_transaction(journal, 1).status is Status.FAILED
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers


def test_no_permission_to_write_the_journal(root: str) -> None:
    calls = Faulty(root, at=1, number=errno.EACCES)
    writer, journal, lock = parts(root, calls)
    with pytest.raises(Refused, match="nothing was changed: the journal cannot be written: permission denied"):
        apply((SWAPPINESS,), writer=writer, journal=journal, request=REQUEST, lock=lock)
    assert read(root, "/proc/sys/vm/swappiness") == "60\n"


def test_a_value_that_another_resets_is_written_though_it_is_right(root: str) -> None:
    queue = "/sys/block/sda/queue"
    scheduler = WriteValue(setting="scheduler", path=f"{queue}/scheduler", value="mq-deadline", before="none")
    requests = WriteValue(setting="requests", path=f"{queue}/nr_requests", value="64", before="64", reset_by=f"{queue}/scheduler")
    assert run(root, requests).ending is Ending.NOTHING
    before = snapshot(root)
    assert run(root, scheduler, requests).settings == ("scheduler", "requests")
    assert read(root, f"{queue}/nr_requests") == "64\n"
    assert back(root).exit_code == 0
    assert snapshot(root) == before
