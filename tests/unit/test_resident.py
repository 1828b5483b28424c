"""Children that stay: the same answers as from disposable ones, without a new process each time."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from sctune.host import jobs
from sctune.host.base import DmQuery, FileStat, LogQuery
from sctune.host.children import Nursery
from sctune.host.live import LiveHost
from sctune.host.redact import redact_argv
from sctune.host.resident import Residents
from sctune.host.scraped import ScrapedHost
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.spawns


def whoami(path: str) -> Iterator[tuple[Any, ...]]:
    """In place of `space`."""
    if path == "/die":
        os._exit(3)
    if path == "/break":
        raise ValueError("on purpose")
    if path == "/hang in the kernel":
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # as one in uninterruptible sleep, it does not end with its nursery
    if path.startswith("/hang"):
        time.sleep(60)
    yield (os.getpid(),)


def slow_stat(paths: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for path in paths:
        if path.startswith("/dead/"):
            time.sleep(60)
        yield (2,)


@pytest.fixture
def residents(monkeypatch: pytest.MonkeyPatch) -> Iterator[Residents]:
    monkeypatch.setitem(jobs.JOBS, "space", whoami)
    monkeypatch.setitem(jobs.JOBS, "stat_files", slow_stat)
    nursery = Nursery()
    yield Residents(nursery)
    nursery.close()


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


def ask(residents: Residents, path: str, stall: float = 2.0) -> Any:
    return residents.run("space", path, stall=stall, deadline=soon())


def test_a_command_line_is_made_harmless_once_and_its_secret_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_redacted_before", {})
    argv = ("mysql", "--password=geheim", "one")
    first = jobs._redacted(argv)
    assert first == redact_argv(argv)
    assert "geheim" not in repr(first)
    assert jobs._redacted((*argv[:2], "two")) == redact_argv((*argv[:2], "two"))
    assert jobs._redacted(argv) is first
    assert "geheim" not in repr(jobs._redacted_before)
    monkeypatch.setattr(jobs, "_MOST_REDACTED", 2)
    assert jobs._redacted(("--password=other",)) == redact_argv(("--password=other",))
    assert len(jobs._redacted_before) == 1


def test_one_worker_does_job_after_job(residents: Residents) -> None:
    found = {ask(residents, "/a").items for _ in range(20)}
    assert len(found) == 1


def test_a_job_that_breaks_is_told_and_its_worker_stays(residents: Residents) -> None:
    before = ask(residents, "/a").items
    broken = ask(residents, "/break")
    assert (broken.finished, broken.error) == (False, "ValueError: on purpose")
    assert ask(residents, "/a").items == before


def test_a_worker_that_died_is_replaced(residents: Residents) -> None:
    (before,) = ask(residents, "/a").items
    os.kill(before[0], 9)
    (after,) = ask(residents, "/a").items
    assert after != before
    assert ask(residents, "/die").error == "a child died"
    assert ask(residents, "/a").finished


def test_what_hung_is_left_alone_and_nothing_else(residents: Residents) -> None:
    (before,) = ask(residents, "/a").items
    hung = ask(residents, "/hang", stall=0.2)
    assert not hung.finished
    assert hung.stalled
    began = time.monotonic()
    again = ask(residents, "/hang", stall=2.0)
    assert not again.finished
    assert time.monotonic() - began < 0.1
    (after,) = ask(residents, "/a").items
    assert after != before  # the one that hung was killed
    assert not os.path.exists(f"/proc/{before[0]}")
    assert ask(residents, "/a").items == (after,)


def test_paths_before_the_one_that_hangs_are_answered(residents: Residents) -> None:
    paths = ("/a/1", "/a/2", "/dead/1", "/dead/2", "/b/1")
    first = residents.run("stat_files", paths, stall=0.2, deadline=soon())
    assert (len(first.items), first.finished, first.stalled) == (2, False, True)
    began = time.monotonic()
    again = residents.run("stat_files", paths, stall=2.0, deadline=soon())
    assert (len(again.items), again.finished) == (2, False)
    assert residents.run("stat_files", ("/b/1",), stall=2.0, deadline=soon()).finished
    assert time.monotonic() - began < 0.5


def test_a_live_host_says_the_same_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 5000)
    paths = (str(tmp_path / "a"), str(tmp_path / "none"), "/proc/self/nothing")
    with LiveHost() as host:
        assert isinstance(host.children, Nursery)
        scraped = ScrapedHost(children=Residents(host.children), budget=4.0)
        assert scraped.stat_files(paths) == host.stat_files(paths)
        assert scraped.list_files(str(tmp_path)) == host.list_files(str(tmp_path))
        assert scraped.read_files(paths) == host.read_files(paths)
        assert getattr(scraped.space(str(tmp_path)), "total", 0) == getattr(host.space(str(tmp_path)), "total", 1)
        assert type(scraped.dm(DmQuery.STATUS)) is type(host.dm(DmQuery.STATUS))
        one, other = scraped.processes(), host.processes()
        assert not isinstance(one, Unavailable)
        assert not isinstance(other, Unavailable)
        assert os.getpid() in {process.pid for process in one} & {process.pid for process in other}
        scraped.close()
        assert isinstance(host.stat_files(paths)[0], FileStat)


def test_logs_are_searched_by_one_that_stays_and_does_not_get_nicer_each_time(tmp_path: Path) -> None:
    log = tmp_path / "cloud-output.log"
    log.write_text("2026-01-01 00:00:00  INFO | Uploaded snap-00000001 to object storage gateway\n")
    query = LogQuery(words=("Uploaded ",), pattern="Uploaded ", since=0.0)
    with LiveHost() as host:
        assert isinstance(host.children, Nursery)
        children = Residents(host.children)
        workers = set()
        for _ in range(3):
            found = ScrapedHost(children=children, budget=4.0).log_lines(str(log), query)
            assert not isinstance(found, Unavailable)
            assert len(found.lines) == 1
            made = children._workers["logs"]._made
            assert made is not None
            workers.add((made[0], os.getpriority(os.PRIO_PROCESS, made[0])))
        assert len(workers) == 1
        assert workers.pop()[1] == max(5, os.getpriority(os.PRIO_PROCESS, 0))


def test_a_scrape_starts_no_tool() -> None:
    with LiveHost() as host:
        assert isinstance(host.children, Nursery)
        scraped = ScrapedHost(children=Residents(host.children), budget=4.0)
        for argv in (("lvm", "fullreport"), ("systemctl", "show"), ("true",)):
            found = scraped.run(argv, timeout=1.0)
            assert isinstance(found, Unavailable)
            assert found.reason is Reason.NOT_COLLECTED


def test_what_hung_is_left_alone_where_who_would_kill_its_worker_has_ended(residents: Residents) -> None:
    (worker,) = ask(residents, "/a").items
    killer = threading.Timer(0.2, os.kill, (residents._nursery._pid, signal.SIGKILL))
    killer.start()
    hung = ask(residents, "/hang in the kernel", stall=0.6)
    killer.join()
    try:
        assert hung.stalled
        assert hung.abandoned is None
        assert residents._hangs("/hang in the kernel") is not None
        assert not residents.alive
    finally:
        os.kill(worker[0], 9)
