"""--verbose: every question is told with its outcome, the answers are the host's own, and no secret is in it."""

from __future__ import annotations

import time

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.base import Completed, DmQuery, LogQuery, TgtMode
from sctune.host.tracing import Asked, TracingHost
from sctune.report.trace import Trace
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.synthetic import storage_controller

SECRET = "S3cretS3cretS3"


def traced(host: FakeHost) -> tuple[TracingHost, list[Asked]]:
    asked: list[Asked] = []
    return TracingHost(host, asked.append), asked


def test_a_whole_look_is_the_same_and_all_of_it_is_told() -> None:
    plain = diagnose(storage_controller(3), Config(), strict=True)
    host, asked = traced(storage_controller(3))
    report = diagnose(host, Config(), strict=True)
    assert report.findings == plain.findings
    assert [check.status for check in report.checks] == [check.status for check in plain.checks]
    ways = {one.how for one in asked}
    assert {"read", "list", "stat in a child", "list in a child", "space in a child", "processes", "run", "tgtd"} <= ways
    assert all(one.seconds >= 0 and one.at >= 0 and one.what and one.outcome for one in asked)


QUERY = LogQuery(words=("abc",), pattern="abc", since=0.0)


@pytest.mark.parametrize(
    ("ask", "how", "what", "outcome"),
    [
        (lambda h: h.read("/a"), "read", "/a", "3 characters"),
        (lambda h: h.read("/none"), "read", "/none", "absent"),
        (lambda h: h.list("/"), "list", "/", "3 names"),
        (lambda h: h.readlink("/l"), "readlink", "/l", "a link"),
        (lambda h: h.stat("/none"), "stat", "/none", "absent"),
        (lambda h: h.lstat_mtime("/l"), "mtime", "/l", "a time"),
        (lambda h: h.list_files("/none"), "list in a child", "/none", "absent"),
        (lambda h: h.space("/none"), "space in a child", "/none", "absent"),
        (lambda h: h.processes(), "processes", "the process table", "0 processes"),
        (lambda h: h.run(("lvs", "-a"), timeout=1.0), "run", "lvs -a", "exit 5, 2 characters, 4 on stderr"),
        (lambda h: h.dm(DmQuery.STATUS), "device-mapper", "status", "2 lines"),
        (lambda h: h.log_lines("/x.log", QUERY), "log in a child", "/x.log", "1 messages in 31 bytes"),
        (lambda h: h.kernel_log(), "kernel log", "since boot", "absent"),
        (lambda h: h.tgt(TgtMode.TARGET, tid=3), "tgtd", "show target, control port 0, target 3", "1 lines"),
    ],
)
def test_each_question(ask: object, how: str, what: str, outcome: str) -> None:
    host, asked = traced(
        FakeHost(
            files={"/a": "abc", "/x.log": "2027-01-15 07:00:00 INFO | abc\n"},
            links={"/l": "x"},
            mtimes={"/l": 1.0},
            commands={("lvs", "-a"): Completed(argv=("lvs", "-a"), status=5, stdout="ab", stderr="cdef", seconds=0.1)},
            dm_answers={DmQuery.STATUS: "a\nb\n"},
            tgt_answers={(TgtMode.TARGET, 0, 3): "t\n"},
        )
    )
    ask(host)  # type: ignore[operator]
    (one,) = asked
    assert (one.how, one.what, one.outcome) == (how, what, outcome)


def test_the_time_is_that_of_the_answer() -> None:
    class Slow(FakeHost):
        def read(self, path: str) -> str:
            time.sleep(0.05)
            return ""

    host, asked = traced(Slow())
    host.read("/a")
    assert 0.05 <= asked[0].seconds < 1


def test_several_paths_are_told_one_by_one() -> None:
    host, asked = traced(FakeHost())
    host.stat_files(("/a", "/b"))
    assert [one.what for one in asked] == ["/a", "/b"]


def test_no_secret_is_told_nor_how_long_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    trace = Trace()
    words = ("iscsiadm", "-m", "node", "-n", "node.session.auth.password", "-v", SECRET)
    failed = Unavailable(reason=Reason.FAILED, what="x", detail=f"tgtadm --password {SECRET}: no such account")
    lengths = []
    for secret in (SECRET, SECRET * 3):
        password, conf = "/sys/class/iscsi_session/session1/password", "/etc/iscsi/iscsid.conf"
        fake = FakeHost(files={password: f"{secret}\n", conf: f"node.session.auth.password = {secret}\n"}, commands={words: failed})
        host = TracingHost(fake, trace.tell)
        assert secret in str(host.read(password)), "the caller gets the answer as it is"
        host.read(conf)
        host.run(words, timeout=1.0)
        said = capsys.readouterr().err
        assert SECRET not in said
        assert "session1/password" in said
        lengths.append([line.rpartition(" ")[0].rpartition(" ")[2] for line in said.splitlines()[:2]])
    assert lengths[0] == lengths[1]


def test_what_is_told_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    trace = Trace()
    host = TracingHost(FakeHost(files={"/a\x1b[2J\n": "x"}), trace.tell)
    host.read("/a\x1b[2J\n")
    said = capsys.readouterr().err
    assert said.endswith("/a\\x1b[2J\\n: 1 characters\n")
