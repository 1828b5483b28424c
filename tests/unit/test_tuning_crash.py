"""SIGKILL, a full disk, a dying one and a read-only one at every step of apply and of rollback: afterwards rollback restores all.

A step is a call by which something is changed (tests.unit.tuning_hosts.CHANGING), journal and temporary files included; a write is
cut in half. Dying is played in this process, where nothing after it works any more, and done for real by children that kill
themselves.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sctune.tuning.execute import Ending, apply
from sctune.tuning.journal import JournalError
from sctune.tuning.rollback import rollback
from sctune.tuning.transaction import OPEN, read_transaction
from sctune.tuning.writer import Refused
from tests.unit.tuning_hosts import REQUEST, Faulty, Kernel, Killed, everything, machine, new_file, parts, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Bench:
    """A machine, and copies of it to spoil. In memory where the system has such a place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        fresh = folder / "fresh"
        fresh.mkdir()
        self.before = snapshot(machine(fresh))
        calls = Faulty(self.copy("applied"))
        self.do(calls, "apply")
        self.applied_calls = calls.count
        self.applied = snapshot(calls.root)
        calls = Faulty(self.copy("back", of="applied"))
        self.do(calls, "rollback")
        self.rollback_calls = calls.count
        assert snapshot(calls.root) == self.before

    def copy(self, name: str, *, of: str = "fresh") -> str:
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder / of, target, symlinks=True)
        if os.geteuid() == 0:
            for path, (_, _, uid, gid) in snapshot(str(self.folder / of)).items():
                os.chown(f"{target}{path}", uid, gid, follow_symlinks=False)  # type: ignore[arg-type]
        for file in ("etc/iscsi.real/iscsid.conf",):
            os.chmod(target / file, 0o600)
        return str(target)

    def do(self, calls: Kernel, what: str) -> object:
        writer, journal, lock = parts(calls.root, calls)
        if what == "apply":
            return apply(self.operations(calls.root), writer=writer, journal=journal, request=REQUEST, lock=lock)
        return rollback(None, writer=writer, journal=journal, lock=lock)

    def operations(self, root: str):  # type: ignore[no-untyped-def]
        """As planned before anything was changed."""
        return everything(str(self.folder / "fresh"))

    def restored(self, root: str) -> None:
        """Rolls back, twice, and compares every byte."""
        done = rollback(None, writer=parts(root)[0], journal=parts(root)[1], lock=parts(root)[2])
        assert done.exit_code == 0
        assert snapshot(root) == self.before
        journal = parts(root)[1]
        assert not [n for n in journal.numbers() if read_transaction(journal, n).status in OPEN]
        again = Faulty(root)
        self.do(again, "rollback")
        assert again.count == 0


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    from pathlib import Path

    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place, prefix="sctune-test-") as folder:
        yield Bench(Path(folder))


def test_there_are_many_steps(bench: Bench) -> None:
    assert bench.applied_calls > 60
    assert bench.rollback_calls > 45


def test_killed_at_every_step_of_apply(bench: Bench) -> None:
    for at in range(1, bench.applied_calls + 1):
        root = bench.copy("host")
        with pytest.raises(Killed):
            bench.do(Faulty(root, at=at), "apply")
        bench.restored(root)


def test_killed_at_every_step_of_rollback(bench: Bench) -> None:
    for at in range(1, bench.rollback_calls + 1):
        root = bench.copy("host", of="applied")
        with pytest.raises(Killed):
            bench.do(Faulty(root, at=at), "rollback")
        bench.restored(root)


def test_killed_in_apply_and_again_in_its_rollback(bench: Bench) -> None:
    for first in range(5, bench.applied_calls, 17):
        at = 1
        while True:
            root = bench.copy("host")
            with pytest.raises(Killed):
                bench.do(Faulty(root, at=first), "apply")
            try:
                bench.do(Faulty(root, at=at), "rollback")
            except Killed:
                bench.restored(root)
            else:
                break
            at += 5
        bench.restored(root)


def in_child(body: Callable[[], object]) -> int:
    """Runs it in a child. Returns the signal that ended the child, 0 where it ended by itself."""
    child = os.fork()
    if not child:
        try:
            body()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.spawns
@pytest.mark.parametrize("what", ["apply", "rollback"])
def test_a_real_kill(bench: Bench, what: str) -> None:
    steps = bench.applied_calls if what == "apply" else bench.rollback_calls
    for at in range(1, steps + 1, 2):
        root = bench.copy("host", of="fresh" if what == "apply" else "applied")
        assert in_child(lambda at=at, root=root: bench.do(Faulty(root, at=at, really=True), what)) == -signal.SIGKILL  # type: ignore[misc]
        bench.restored(root)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_one_error_at_every_step_of_apply(bench: Bench, number: int) -> None:
    """The apply itself puts everything back and exits with 1, or had not begun, or never needed what failed."""
    for at in range(1, bench.applied_calls + 1):
        root = bench.copy("host")
        calls = Faulty(root, at=at, number=number)
        try:
            applied = bench.do(calls, "apply")
        except Refused as error:
            assert "nothing was changed" in error.message
        else:
            assert applied.ending is Ending.UNDONE, at  # type: ignore[attr-defined]
            assert applied.exit_code == 1  # type: ignore[attr-defined]
            assert applied.failed and applied.reason  # type: ignore[attr-defined]
        assert snapshot(root) == bench.before
        bench.restored(root)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_stays_broken_from_a_step_of_apply_on(bench: Bench, number: int) -> None:
    """What could not be undone on such a disk is undone by a rollback when the disk works again."""
    for at in range(1, bench.applied_calls + 1):
        root = bench.copy("host")
        try:
            applied = bench.do(Faulty(root, at=at, number=number, lasting=True), "apply")
        except Refused:
            assert snapshot(root) == bench.before
        else:
            assert applied.exit_code == 1  # type: ignore[attr-defined]
            if applied.ending is Ending.UNDONE:  # type: ignore[attr-defined]
                assert snapshot(root) == bench.before
        bench.restored(root)


@pytest.mark.parametrize("lasting", [False, True])
def test_an_error_at_every_step_of_rollback(bench: Bench, lasting: bool) -> None:
    for at in range(1, bench.rollback_calls + 1):
        root = bench.copy("host", of="applied")
        with suppress(Refused):
            bench.do(Faulty(root, at=at, number=errno.EIO, lasting=lasting), "rollback")
        bench.restored(root)


def test_a_journal_that_is_cut_at_every_byte(bench: Bench) -> None:
    """Up to the last intent nothing had been done yet; after it all can be undone. Nothing is ever taken for what it is not."""
    root = bench.copy("host", of="applied")
    path = f"{root}/var/lib/sctune/journal/000001.journal"
    with open(path, "rb") as file:
        data = file.read()
    intents = data.index(b'"record":"done"')
    intents = data.rindex(b"\n", 0, intents) + 1
    for size in range(len(data)):
        with open(path, "wb") as file:
            file.write(data[:size])
        journal = parts(root)[1]
        status = read_transaction(journal, 1).status
        assert (status in OPEN) == (size >= intents), size
    for size in range(intents, len(data), 37):
        root = bench.copy("host", of="applied")
        with open(f"{root}/var/lib/sctune/journal/000001.journal", "wb") as file:
            file.write(data[:size])
        bench.restored(root)


def test_a_journal_that_never_began_is_cleared_away(bench: Bench) -> None:
    root = bench.copy("host")
    with pytest.raises(Killed):
        bench.do(Faulty(root, at=7), "apply")
    (name,) = os.listdir(f"{root}/var/lib/sctune/journal")
    bench.restored(root)
    bench.do(Kernel(root), "apply")
    assert os.listdir(f"{root}/var/lib/sctune/journal") == [name]
    bench.restored(root)


def test_an_interrupted_apply_has_to_be_rolled_back_first(bench: Bench) -> None:
    root = bench.copy("host")
    with pytest.raises(Killed):
        bench.do(Faulty(root, at=bench.applied_calls - 2), "apply")
    writer, journal, lock = parts(root)
    with pytest.raises(Refused, match="transaction 1 is interrupted"):
        apply((new_file("/etc/after", b""),), writer=writer, journal=journal, request=REQUEST, lock=lock)
    bench.restored(root)


def test_damaged_and_newer_journals_are_refused(bench: Bench) -> None:
    root = bench.copy("host", of="applied")
    path = f"{root}/var/lib/sctune/journal/000001.journal"
    with open(path, "rb") as file:
        data = file.read()
    changed = snapshot(root)
    at = data.index(b"\n", 200) + 30
    for spoiled, says in (
        (data[:at] + b"X" + data[at + 1 :], "is damaged at line 2"),
        (data.split(b"\n", 1)[1], "is damaged at line 1"),
        (_begun_with(b'{"record":"begin","format":2}'), r"newer sctune \(format 2, this one reads up to 1\)"),
        (_begun_with(b'{"record":"begin","format":1}'), "a record that this version does not know"),
    ):
        with open(path, "wb") as file:
            file.write(spoiled)
        for what in ("rollback", "read"):
            with pytest.raises(JournalError, match=says):
                bench.do(Kernel(root), "rollback") if what == "rollback" else read_transaction(parts(root)[1], 1)
        assert snapshot(root) == changed


def _begun_with(body: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(body).hexdigest()[:16].encode() + b" " + body + b"\n"


def test_a_journal_that_others_may_write_is_refused(bench: Bench) -> None:
    root = bench.copy("host", of="applied")
    os.chmod(f"{root}/var/lib/sctune/journal/000001.journal", 0o622)
    with pytest.raises(JournalError, match="others may have written"):
        bench.do(Kernel(root), "rollback")


@pytest.mark.spawns
def test_two_at_once(bench: Bench) -> None:
    """Of several that start at the same time each either does all or is refused."""
    root = bench.copy("host")
    children = []
    for _ in range(6):
        child = os.fork()
        if not child:
            code = 9
            try:
                applied = bench.do(Kernel(root), "apply")
                code = {Ending.APPLIED: 0, Ending.NOTHING: 1}.get(applied.ending, 8)  # type: ignore[attr-defined]
            except Refused:
                code = 2
            finally:
                os._exit(code)
        children.append(child)
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert codes.count(0) == 1
    assert set(codes) <= {0, 1, 2}
    assert snapshot(root) == bench.applied
    bench.restored(root)
