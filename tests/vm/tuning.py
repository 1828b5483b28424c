"""Runs in the machine: tunes its real kernel, its files and its node records, dies in between, and says whether all came back.

``python -m tests.vm.tuning prepare | every | work | back | state``
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from sctune.tuning.execute import Request, apply
from sctune.tuning.machine import machine
from sctune.tuning.operations import FileState, Operation, RunTool, WriteFile, WriteValue
from sctune.tuning.rollback import rollback
from sctune.tuning.steps import last_of_key, reading
from sctune.tuning.writer import LiveWriter
from tests.unit.tuning_hosts import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.tuning.calls import Calls

TARGET = "iqn.2012-01.com.example:v1"
PORTAL = "127.0.0.1:3260"
RECORD = f"/etc/iscsi/nodes/{TARGET}/127.0.0.1,3260,1/default"
KEY = "node.session.timeo.replacement_timeout"
QUEUE = "/sys/block/vda/queue"
VALUES = (
    ("vm.swappiness", "/proc/sys/vm/swappiness", "10"),
    ("net.ipv4.tcp_rmem", "/proc/sys/net/ipv4/tcp_rmem", "4096 131072 16777216"),
    ("thp", "/sys/kernel/mm/transparent_hugepage/enabled", "madvise"),
    ("vda/scheduler", f"{QUEUE}/scheduler", "mq-deadline"),
    ("vda/nr_requests", f"{QUEUE}/nr_requests", "64"),
    ("vda/read_ahead_kb", f"{QUEUE}/read_ahead_kb", "777"),
)
FILES = ("/etc/iscsi/iscsid.conf", "/etc/sysctl.d/90-sctune.conf", "/etc/sctune-new/deep/file", RECORD)
BYTES, RATIO = "/proc/sys/vm/dirty_bytes", "/proc/sys/vm/dirty_ratio"
DOING = Request(profile="trial", user="root")


class Dying(Faults):
    """The real calls, at one of which the process kills itself."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        self.really = True


def prepare() -> None:
    """A node record, and another scheduler than the wanted one."""
    writer = LiveWriter()
    done = writer.run(("iscsiadm", "-m", "node", "-T", TARGET, "-p", f"{PORTAL},1", "-o", "new"), 30.0)
    assert os.path.exists(RECORD), done
    # By the tool itself once more: what another version of it wrote it would write anew.
    writer.run((*_update(), last_of_key(_text(RECORD), f"{KEY} = ").partition("= ")[2]), 30.0)  # type: ignore[union-attr]
    if "mq-deadline" not in writer.read_value(f"{QUEUE}/scheduler"):
        raise SystemExit("no mq-deadline here")
    writer.write_value(f"{QUEUE}/scheduler", "none")


def _text(path: str) -> str:
    with open(path) as file:
        return file.read()


def _update() -> tuple[str, ...]:
    return ("iscsiadm", "-m", "node", "-T", TARGET, "-p", PORTAL, "-o", "update", "-n", KEY, "-v")


def operations() -> tuple[Operation, ...]:
    """What changes all of it, by how it is now."""
    writer = LiveWriter()
    values = [
        WriteValue(setting=name, path=path, value=value, before=reading(writer.read_value(path)), accepts=("776",))
        for name, path, value in VALUES
    ]
    dirty = WriteValue(
        setting="vm.dirty_bytes",
        path=BYTES,
        value="134217728",
        before=reading(writer.read_value(BYTES)),
        restore=((RATIO, reading(writer.read_value(RATIO))),),
    )
    conf = writer.read_file(FILES[0])
    assert conf is not None
    edited = FileState(content=conf.content + b"\n# sctune\n", mode=conf.mode, uid=conf.uid, gid=conf.gid)
    new = FileState(content=b"vm.swappiness = 10\n", mode=0o644, uid=0, gid=0)
    before = (last_of_key(_text(RECORD), f"{KEY} = ") or "").partition("= ")[2]
    return (
        WriteFile(setting="sysctl", path=FILES[1], before=None, after=new),
        dirty,
        *values,
        WriteFile(setting="iscsid.conf", path=FILES[0], before=conf, after=edited),
        WriteFile(setting="new", path=FILES[2], before=None, after=new),
        RunTool(setting="record", argv=(*_update(), "7200"), undo=((*_update(), before),), check={RECORD: f"{KEY} = 7200"}),
    )


def state() -> str:
    """All that is to be as before: values, and files to the byte."""
    writer = LiveWriter()
    values = [f"{path} {reading(writer.read_value(path))}" for path in (BYTES, RATIO, *(one[1] for one in VALUES))]
    files = [f"{path} {writer.read_file(path)!r}" for path in FILES]
    left = sorted(name for folder in ("/etc/sysctl.d", "/etc/iscsi") for name in os.listdir(folder))
    return "\n".join([*values, *files, repr(left), repr(os.path.exists("/etc/sctune-new"))])


def do(calls: Calls | None = None) -> None:
    """Applies."""
    here = machine(calls=calls)
    done = apply(operations(), writer=here.writer, journal=here.journal, request=DOING, lock=here.lock)
    assert done.exit_code == 0, done


def back(calls: Calls | None = None) -> int:
    """Rolls back."""
    here = machine(calls=calls)
    done = rollback(None, writer=here.writer, journal=here.journal, lock=here.lock)
    if done.exit_code:
        print(done)
    return done.exit_code


def killed(body: Callable[[], object]) -> bool:
    """Whether a child that does it was killed."""
    child = os.fork()
    if not child:
        try:
            body()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def every() -> None:
    """Dies at each step of apply, then at each step of a rollback, and compares after the rollback that follows."""
    before = state()
    applied = 1
    while killed(partial(do, Dying(applied))):
        assert back() == 0
        assert state() == before, f"apply, step {applied}:\n{before}\n---\n{state()}"
        applied += 1
    assert state() != before
    back()
    assert state() == before, f"{before}\n---\n{state()}"
    undone = 1
    while True:
        do()
        if not killed(partial(back, Dying(undone))):
            break
        assert back() == 0
        assert state() == before, f"rollback, step {undone}:\n{before}\n---\n{state()}"
        undone += 1
    assert state() == before
    print(applied - 1, undone - 1)


def work() -> None:
    """Applies and rolls back until the power goes."""
    while True:
        do()
        back()


if __name__ == "__main__":
    what = sys.argv[1]
    if what == "state":
        print(state())
    elif what == "back":
        raise SystemExit(back())
    else:
        {"prepare": prepare, "every": every, "work": work}[what]()
