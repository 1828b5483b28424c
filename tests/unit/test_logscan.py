"""Logs of any length, format and state are searched from their end back, in bounded memory."""

from __future__ import annotations

import gzip
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host import logscan
from sctune.host.base import LogQuery
from sctune.host.jobs import search_log
from sctune.host.logfiles import family, search
from sctune.host.logscan import PIECE, LogScan
from sctune.host.logtext import STAMP, message, seconds_of
from sctune.host.zone import LocalTime
from tests.unit.cloud_logs import FORMS, HOUR, NOW, THROWABLE, error, fault, info, iso, named

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.host.base import LogLines

UTC = LocalTime(None)
TEXT = "Could not create loopback device for //var/lib/eucalyptus/volumes/vol-391D44BE. Please check the max loop value"
SINCE = NOW - 24 * HOUR


def query(since: float = SINCE, *words: str) -> LogQuery:
    return LogQuery(words=words or ("loopback", "upload"), pattern="|".join(words or ("loopback", "upload")), since=since)


def scanned(text: str | bytes, asked: LogQuery | None = None, **options: int) -> LogLines:
    data = text.encode() if isinstance(text, str) else text
    scan = LogScan(asked or query(), UTC, **options)
    scan.backward(len(data), lambda offset, length: data[offset : offset + length])
    return scan.result(whole=True, now=NOW)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_format_is_read(form: object) -> None:
    line = form(NOW - 60, TEXT)  # type: ignore[operator]
    found = scanned(line + form(NOW - 30, "something else"))  # type: ignore[operator]
    assert [(one.text, one.first, one.last, one.count, one.continued) for one in found.lines] == [
        (TEXT, NOW - 60, NOW - 60, 1, False)
    ]
    assert found.begins == NOW - 60
    assert found.whole


def test_the_operators_own_line() -> None:
    """As the operator quoted it, with the time that the pattern puts before it."""
    said = "Transfer complete: snapset-ccc92f77-ab62-4554-9151-973e45fcc974.snap-C2DF3CF2"
    line = f"Mon Jan 30 15:48:50 2012  INFO WalrusManager.putObject(WalrusManager.java):1020 | {said}"
    assert message(line.encode()) == said
    found = STAMP.match(line.encode())
    assert found is not None
    assert seconds_of(found, UTC) == 1327938530.0


@pytest.mark.parametrize("by_c", [False, True])
def test_the_first_line_of_a_fault(by_c: bool) -> None:
    found = scanned(fault(NOW - 60, "2000", "tgtadm is unresponsive", by_c=by_c), query(SINCE, "ERR-"))
    assert [(one.text, one.last) for one in found.lines] == [("ERR-2000 tgtadm is unresponsive", NOW - 60)]


def test_lines_without_a_time_have_that_of_their_message() -> None:
    text = info(NOW - 90, "StoreSnapshotType\nfailed upload here") + info(NOW - 30, "other")
    trace = error(NOW - 80, "Failed to create snapshot snap-0a1b2c3d", throwable=THROWABLE)
    assert [(one.text, one.last, one.continued) for one in scanned(text).lines] == [("failed upload here", NOW - 90, True)]
    assert [(one.last, one.continued) for one in scanned(trace).lines] == [(NOW - 80, True)] * 2


def test_a_message_is_kept_once() -> None:
    found = scanned("".join(info(NOW - place, TEXT) for place in range(5000, 0, -1)))
    assert [(one.first, one.last, one.count) for one in found.lines] == [(NOW - 5000, NOW - 1, 5000)]


def test_only_what_is_newer_counts() -> None:
    text = info(SINCE - 7200, "a loopback") + info(SINCE - 1, "b loopback") + info(SINCE, "c loopback")
    found = scanned(text)
    assert [one.text for one in found.lines] == ["c loopback"]
    assert found.begins == SINCE


def test_a_local_time_is_that_of_the_host(tmp_path: Path) -> None:
    import zoneinfo

    berlin = open(f"{zoneinfo.TZPATH[0]}/Europe/Berlin", "rb").read()  # noqa: SIM115
    zone = LocalTime(berlin)
    assert zone.seconds((2015, 6, 1), (10, 11, 12)) == 1433146272.0
    assert zone.seconds((2015, 1, 1), (10, 11, 12)) == 1420103472.0
    assert zone.seconds((2015, 10, 25), (2, 30, 0)) == 1445733000.0  # the first of two
    assert zone.seconds((2015, 6, 31), (1, 1, 1)) is None
    assert zone.name(1433146272.0) == "CEST +0200"
    assert LocalTime(b"no such file").name(0.0) == "UTC +0000"
    assert LocalTime.fixed(-19800.0).seconds((2015, 6, 1), (0, 0, 0)) == 1433136600.0


class Endless:
    """A log of 1 GB, made where it is read: a line every second, 100 bytes each; counts what is asked for."""

    SIZE = 10**9
    WIDTH = 100

    def __init__(self, *, wanted: int) -> None:
        self.asked = 0
        self.largest = 0
        self.wanted = wanted

    def line(self, number: int) -> bytes:
        when = NOW - (self.SIZE // self.WIDTH - number)
        text = TEXT if number % self.wanted == 0 else "Processing DescribeStorageVolumes request for volume nobody"
        return f"{iso(when)}  INFO | {text}"[:99].ljust(99).encode() + b"\n"

    def read(self, offset: int, length: int) -> bytes:
        self.asked += length
        self.largest = max(self.largest, length)
        first, last = offset // self.WIDTH, (offset + length - 1) // self.WIDTH
        data = b"".join(map(self.line, range(first, last + 1)))
        start = offset - first * self.WIDTH
        return data[start : start + length]


def test_of_a_gigabyte_only_what_is_wanted_is_read() -> None:
    log = Endless(wanted=1000)
    scan = LogScan(query(NOW - 6 * HOUR), UTC)
    scan.backward(log.SIZE, log.read)
    found = scan.result(whole=True, now=NOW)
    # A line a second: six hours, the slack for summer time, and what is left of a piece.
    assert log.asked <= (7 * HOUR + 100) * log.WIDTH + 2 * PIECE
    assert log.largest <= PIECE
    assert sum(one.count for one in found.lines) == 21
    assert (found.begins, found.whole) == (NOW - 6 * HOUR, False)


def test_no_more_is_read_than_may_be() -> None:
    log = Endless(wanted=1000)
    scan = LogScan(query(0.0), UTC, most_bytes=4 * PIECE)
    scan.backward(log.SIZE, log.read)
    found = scan.result(whole=True, now=NOW)
    assert log.asked == 4 * PIECE
    assert found.begins == pytest.approx(NOW - 4 * PIECE / log.WIDTH, abs=2)
    assert not found.whole


def test_no_more_is_kept_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logscan, "MOST_LINES", 10)
    text = "".join(info(NOW - place, f"{TEXT} {place}") for place in range(100, 0, -1))
    found = scanned(text)
    assert [one.text.rpartition(" ")[2] for one in found.lines] == [str(place) for place in range(1, 11)]
    # What is older than the eleventh was not looked at.
    assert (found.begins, found.whole) == (NOW - 11, False)


def test_a_line_without_end_is_cut() -> None:
    found = scanned(info(NOW - 60, TEXT + "x" * 3_000_000))
    assert [len(one.text) for one in found.lines] == [500]


def test_what_has_no_time_is_not_understood() -> None:
    found = scanned("Mi Nov 25 10:11:12 2015 ERROR loopback\n" * 10)
    assert (found.lines, found.begins, found.size > 0) == ((), None, True)
    assert scanned("").size == 0


LOG = "".join(
    (
        info(NOW - 500, "SC Reload found 3 volumes in the DB"),
        error(NOW - 400, "Failed to create snapshot snap-0a1b2c3d upload", throwable=THROWABLE),
        info(NOW - 300, "a\nmulti upload\nline"),
        info(NOW - 200, TEXT),
        info(NOW - 100, f"{TEXT} again"),
    )
).encode()


@given(cut=st.integers(0, len(LOG)), end=st.integers(0, len(LOG)))
def test_a_log_may_be_cut_anywhere(cut: int, end: int) -> None:
    """What is left tells nothing that the whole does not, but for the one line that is cut."""
    whole = {(one.text, one.last) for one in scanned(LOG).lines}
    part = LOG[min(cut, end) : max(cut, end)]
    extra = [one for one in scanned(part).lines if (one.text, one.last) not in whole]
    assert len(extra) <= 4  # lines of a stack trace whose head was cut off, and the cut line itself
    assert all(one.text in LOG.decode() for one in extra)


@given(piece=st.integers(64, 4000))
def test_where_pieces_end_makes_no_difference(piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logscan, "PIECE", piece)
        patch.setattr(logscan, "_MOST_CARRIED", 100_000)
        assert scanned(LOG).lines == EXPECTED.lines


EXPECTED = scanned(LOG)


@given(data=st.binary(max_size=400))
def test_any_bytes_are_searched(data: bytes) -> None:
    scanned(data, query(0.0, "\n", " "))


@given(st.data())
def test_pieces_of_a_compressed_file_make_no_difference(data: st.DataObject) -> None:
    size = data.draw(st.integers(16, 800))
    scan = LogScan(query(), UTC)
    scan.forward(LOG[start : start + size] for start in range(0, len(LOG), size))
    found = scan.result(whole=True, now=NOW)
    assert sorted((one.text, one.last) for one in found.lines) == sorted((one.text, one.last) for one in EXPECTED.lines)
    assert found.begins == EXPECTED.begins


def test_a_family_is_sorted_newest_first() -> None:
    names = (
        "nc.log.10",
        "nc.log",
        "nc.log.2.gz",
        "nc.log.0",
        "nc.logs",
        "nc.log.1",
        "cc.log",
        "nc.log-20150601.gz",
        "nc.log-20150701",
    )
    assert family("nc.log", names) == (
        "nc.log",
        "nc.log-20150701",
        "nc.log-20150601.gz",
        "nc.log.0",
        "nc.log.1",
        "nc.log.2.gz",
        "nc.log.10",
    )


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path)


def searched(*paths: str, since: float = SINCE, **options: float) -> LogLines:
    flags = os.O_RDONLY | os.O_CLOEXEC
    return search(paths, lambda path: os.open(path, flags), query(since), UTC, now=NOW, seconds=options.get("seconds", 60.0))


def test_rolled_files_are_one_log(tmp_path: Path) -> None:
    paths = [
        written(tmp_path, "x.log", info(NOW - 100, "one loopback")),
        written(tmp_path, "x.log.1", info(NOW - 300, "three loopback") + info(NOW - 200, "two loopback")),
        written(tmp_path, "x.log.2.gz", info(NOW - 500, "five loopback") + info(NOW - 400, "four loopback")),
    ]
    found = searched(*paths)
    assert [one.text.split()[0] for one in found.lines] == ["one", "two", "three", "four", "five"]
    assert (found.begins, found.whole) == (NOW - 500, True)


def test_a_file_older_than_wanted_is_not_opened(tmp_path: Path) -> None:
    newest = written(tmp_path, "x.log", info(SINCE - 5 * HOUR, "old loopback") + info(NOW - 100, "one loopback"))
    found = searched(newest, "/nonexistent/and/never/opened")
    assert (len(found.lines), found.begins, found.whole) == (1, SINCE, False)


def test_a_rolled_file_may_be_gone_or_renamed_meanwhile(tmp_path: Path) -> None:
    newest = written(tmp_path, "x.log.1", info(NOW - 100, "one loopback"))
    older = written(tmp_path, "x.log.2", info(NOW - 200, "two loopback"))
    # x.log was rolled to x.log.1 after it was opened: the same file by another name.
    os.link(newest, f"{tmp_path}/x.log")
    found = searched(f"{tmp_path}/x.log", newest, f"{tmp_path}/x.log.gone", older)
    assert [one.text for one in found.lines] == ["one loopback", "two loopback"]
    assert found.whole


def test_a_torn_compressed_file_ends_the_search(tmp_path: Path) -> None:
    newest = written(tmp_path, "x.log", info(NOW - 100, "one loopback"))
    torn = written(tmp_path, "x.log.1.gz", info(NOW - 300, "three loopback") + info(NOW - 200, "two loopback"))
    data = open(torn, "rb").read()  # noqa: SIM115
    open(torn, "wb").write(data[: len(data) // 2])  # noqa: SIM115
    older = written(tmp_path, "x.log.2", info(NOW - 400, "four loopback"))
    found = searched(newest, torn, older)
    assert "four loopback" not in [one.text for one in found.lines]
    assert (found.begins, found.whole) == (NOW - 100, False)


def test_a_log_that_is_not_there_or_denied() -> None:
    with pytest.raises(FileNotFoundError):
        searched("/nonexistent/x.log")

    def denied(path: str) -> int:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(PermissionError):
        search(("/x.log",), denied, query(), UTC, now=NOW, seconds=1.0)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_file_is_not_taken_for_no_log(tmp_path: Path, kind: str) -> None:
    path = f"{tmp_path}/x.log"

    def opener(one: str) -> int:
        return os.open(one, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        os.symlink("/dev/null", path)
    else:
        os.mkdir(path)
    older = written(tmp_path, "x.log.1", info(NOW - 300, "one loopback"))
    for paths in ((path,), (path, older)):
        with pytest.raises(OSError, match=r"\[Errno (21|22)\]"):
            search(paths, opener, query(), UTC, now=NOW, seconds=60.0)
    # In the place of one that was rolled it is where the search ends.
    found = search(
        (written(tmp_path, "y.log", info(NOW - 100, "two loopback")), path, older), opener, query(), UTC, now=NOW, seconds=60.0
    )
    assert [one.text for one in found.lines] == ["two loopback"]
    assert (found.begins, found.whole) == (NOW - 100, False)


def test_with_as_many_files_as_are_kept_something_may_be_lost(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"x.log.{place}", info(NOW - 100 * place, "loopback")) for place in range(11)]
    assert not searched(*paths).whole
    assert searched(*paths[:10]).whole


def test_time_that_is_up_ends_the_search(tmp_path: Path) -> None:
    path = written(tmp_path, "x.log", info(NOW - 100, "one loopback"))
    found = searched(path, seconds=-1.0)
    assert (found.lines, found.begins, found.whole) == ((), None, False)


def test_the_day_without_its_blank() -> None:
    found = STAMP.match(f"{named(1433146272.0)} x".encode())
    assert found is not None
    assert seconds_of(found, UTC) == 1433146272.0


def test_lines_of_a_clock_that_was_not_set_do_not_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A boot before the time was known, right at the beginning of a piece."""
    unset = info(20.0, "boot")
    text = info(NOW - 600, TEXT) + unset * 20 + info(NOW - 60, "x" * 300)
    monkeypatch.setattr(logscan, "PIECE", len(text) - len(info(NOW - 600, TEXT)) - 2 * len(unset) + 3)
    found = scanned(text)
    assert [(one.text, one.last) for one in found.lines] == [(TEXT, NOW - 600)]
    assert found.begins == NOW - 600


@pytest.mark.parametrize("torn", ["", "2027-01-15 07:5"])
def test_zeros_that_a_crash_left_do_not_hide_a_time(torn: str) -> None:
    text = info(NOW - 600, "x") + torn + "\0" * 5000 + info(NOW - 60, TEXT)
    assert [(one.text, one.last, one.continued) for one in scanned(text).lines] == [(TEXT, NOW - 60, False)]


def test_a_time_zone_that_is_a_fifo_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo, log = tmp_path / "localtime", tmp_path / "x.log"
    os.mkfifo(fifo)
    log.write_text("2015-06-01 10:11:12 x\n")
    monkeypatch.setattr("sctune.host.zone.LOCALTIME", str(fifo))
    monkeypatch.setattr(os, "nice", lambda _by: 0)
    signal.alarm(5)  # ends this test where it waits
    try:
        first, *_ = search_log(str(log), (("x",), "x", 0.0), 2e9, 3.0)
    finally:
        signal.alarm(0)
    assert len(first) == 4
