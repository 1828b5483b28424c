"""Disposable children: what hangs or dies costs its own deadline and nothing else."""

from __future__ import annotations

import marshal
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sctune.host import jobs
from sctune.host.children import Nursery, is_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.spawns


def hang(before: int) -> Iterator[tuple[Any, ...]]:
    for number in range(before):
        yield (number,)
    time.sleep(60)


def crash() -> Iterator[tuple[Any, ...]]:
    yield (1,)
    raise ValueError("on purpose")


def die() -> Iterator[tuple[Any, ...]]:
    yield (1,)
    os._exit(7)


def whoami() -> Iterator[tuple[Any, ...]]:
    yield (os.getpid(),)
    time.sleep(60)


def descriptors() -> Iterator[tuple[Any, ...]]:
    for name in os.listdir("/proc/self/fd"):
        if os.path.lexists(f"/proc/self/fd/{name}"):
            yield (int(name), os.readlink(f"/proc/self/fd/{name}"))


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    for job in (hang, crash, die, whoami, descriptors):
        monkeypatch.setitem(jobs.JOBS, job.__name__, job)
    made = Nursery()
    yield made
    made.close()


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


def test_a_job_sends_all_it_has(nursery: Nursery, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)
    outcome = nursery.run("stat_files", (str(tmp_path / "a"), str(tmp_path / "b")), stall=2, deadline=soon())
    assert outcome.finished
    assert outcome.items[0][:2] == ("file", 10)
    assert outcome.items[1] == (2,)


def test_ten_thousand_paths_arrive(nursery: Nursery) -> None:
    outcome = nursery.run("stat_files", ("/nonexistent/" + "x" * 90,) * 10_000, stall=5, deadline=soon(30))
    assert outcome.finished
    assert len(outcome.items) == 10_000


def test_a_stalled_job_is_killed_and_what_it_sent_is_kept(nursery: Nursery) -> None:
    began = time.monotonic()
    outcome = nursery.run("hang", 3, stall=0.2, deadline=soon())
    assert outcome.items == ((0,), (1,), (2,))
    assert not outcome.finished
    assert outcome.error is None
    assert outcome.abandoned is None
    assert 0.2 <= outcome.seconds < 3
    assert time.monotonic() - began < 3


def test_the_deadline_ends_a_job_that_keeps_sending(nursery: Nursery) -> None:
    began = time.monotonic()
    outcome = nursery.run("hang", 0, stall=30, deadline=soon(0.2))
    assert not outcome.finished
    assert time.monotonic() - began < 3


def test_a_killed_worker_is_gone(nursery: Nursery) -> None:
    outcome = nursery.run("whoami", stall=0.2, deadline=soon())
    (pid,) = outcome.items[0]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("stays", [False, True])
def test_a_hung_worker_ends_with_a_nursery_that_was_killed(nursery: Nursery, stays: bool) -> None:
    """Nobody is left who could end it: it would be a process that nobody knows of, for as long as what it hangs on hangs."""
    receiver, sender = socket.socketpair()
    with receiver, sender:
        if stays:
            served = nursery.serve()
            assert served is not None
            pid, connection = served
            question = marshal.dumps(("hang", (0,)))
            connection.sendall(struct.pack("=I", len(question)) + question)
        else:
            pid = nursery._ask(b"R" + marshal.dumps(("hang", (0,))), sender.fileno())
        assert not is_gone(pid)
        os.kill(nursery._pid, signal.SIGKILL)
        until = soon()
        while not is_gone(pid) and time.monotonic() < until:
            time.sleep(0.01)
        ended = is_gone(pid)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        if stays:
            connection.close()
    assert ended


def test_an_exception_in_a_job_is_told(nursery: Nursery) -> None:
    outcome = nursery.run("crash", stall=2, deadline=soon())
    assert outcome.items == ((1,),)
    assert outcome.error == "ValueError: on purpose"


def test_a_worker_that_dies_did_not_finish(nursery: Nursery) -> None:
    outcome = nursery.run("die", stall=2, deadline=soon())
    assert outcome.items == ((1,),)
    assert not outcome.finished


def test_an_unknown_job_does_not_hang(nursery: Nursery) -> None:
    assert not nursery.run("nonesuch", stall=2, deadline=soon()).finished


def test_a_nursery_that_is_gone_does_not_hang(nursery: Nursery) -> None:
    nursery.close()
    outcome = nursery.run("space", "/", stall=2, deadline=soon())
    assert not outcome.finished
    assert outcome.error


def test_nothing_is_left_when_the_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, sys, time\n"
        "from sctune.host import jobs\n"
        "from sctune.host.children import Nursery, is_gone\n"
        "def whoami():\n"
        "    yield (os.getpid(),)\n"
        "    with open(sys.argv[1], 'w') as file:\n"
        "        print(os.getpid(), file=file)\n"
        "    os.rename(sys.argv[1], sys.argv[1] + '.done')\n"
        "    time.sleep(60)\n"
        "jobs.JOBS['whoami'] = whoami\n"
        "n = Nursery()\n"
        "print(n._pid, flush=True)\n"
        "n.run('whoami', stall=30, deadline=time.monotonic() + 30)\n"
    )
    told = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", script, str(told)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(parent.stdout.readline())]
    written = tmp_path / "pid.done"
    end = time.monotonic() + 10
    while not written.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    pids.append(int(written.read_text()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 5
    while time.monotonic() < end and any(map(alive, pids)):
        time.sleep(0.05)
    assert not any(map(alive, pids))


def test_a_worker_holds_nothing_of_ours(nursery: Nursery) -> None:
    """One that cannot be killed would keep our standard output open, and who reads it would wait for its end."""
    outcome = nursery.run("descriptors", stall=2, deadline=soon())
    held = dict(outcome.items)
    assert [held.pop(number) for number in (0, 1, 2)] == ["/dev/null"] * 3
    own = [target for target in held.values() if target.startswith("pipe:")]
    assert len(own) == 1  # its nursery's life
    ours = [
        os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{name}")
    ]
    assert own[0] not in ours
    assert all(target.startswith(("socket:", "pipe:", "/dev/null", "/proc/")) for target in held.values()), held


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_a_nursery_that_was_killed_is_noticed_and_kills_nothing(nursery: Nursery) -> None:
    found = [nursery.alive]
    os.kill(nursery._pid, 9)
    end = time.monotonic() + 5
    while found[-1] and time.monotonic() < end:
        time.sleep(0.01)
        found.append(nursery.alive)
    assert (found[0], found[-1]) == (True, False)
    assert nursery.kill(12345) == 0  # and not an error's number, which would be taken for a pid


def test_an_interpreter_of_its_own_has_loaded_nothing_of_ours_and_does_the_same_jobs(tmp_path: Path) -> None:
    (tmp_path / "a\udcff").write_bytes(b"x" * 10)
    made = Nursery(apart=True)
    try:
        outcome = made.run("stat_files", (str(tmp_path / "a\udcff"),), stall=5.0, deadline=soon(10.0))
        command = Path(f"/proc/{made._pid}/cmdline").read_bytes().split(b"\0")
        served = made.serve()
        assert served is not None
        served[1].close()
    finally:
        made.close()
    assert b"-S" in command
    assert outcome.finished
    assert len(outcome.items) == 1
    assert not made.alive


def test_one_that_has_no_interpreter_to_begin_anew_is_forked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "missing"))
    made = Nursery(apart=True)
    try:
        assert made.run("stat_files", (str(tmp_path),), stall=5.0, deadline=soon(10.0)).finished
    finally:
        made.close()
