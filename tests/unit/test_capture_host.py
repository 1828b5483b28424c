"""What was recorded replays the same; what was never asked is not collected."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sctune.host.live
from sctune.commands.capture import PATIENCE, look, run_capture, summary, unexamined
from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.errors import UserError
from sctune.host.answers import Answers
from sctune.host.base import (
    Clock,
    Completed,
    DmQuery,
    FileEntry,
    FileKind,
    FileStat,
    FilesystemSpace,
    Host,
    HostIdentity,
    LogQuery,
    Process,
    Source,
    TgtMode,
)
from sctune.host.bundle import encode, read_bundle, write_bundle
from sctune.host.bundle_decode import decode
from sctune.host.capture import CaptureHost
from sctune.host.choose import open_host
from sctune.host.recording import RecordingHost
from sctune.host.redact import redact_argv, redact_file, redact_text, redact_unavailable
from sctune.host.root import RootHost
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost, absent
from tests.synthetic import storage_controller

if TYPE_CHECKING:
    from pathlib import Path

# Any bytes at all, as Host gives them: UTF-8 with surrogate escapes.
texts = st.one_of(
    st.binary(max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape")),
    st.text(string.printable, max_size=40),
)
names = texts.filter(lambda text: text != "" and "\0" not in text)
paths = st.one_of(
    st.lists(st.sampled_from(["proc", "sys", "a", "b", "..", ".", "x y", "%41", "é", "\n", "\udcff"]), min_size=1, max_size=4).map(
        lambda parts: "/" + "/".join(parts)
    ),
    names,
)
numbers = st.integers(min_value=0, max_value=2**64)
reals = st.floats(allow_nan=False, allow_infinity=False)
unavailables = st.builds(
    Unavailable,
    reason=st.sampled_from(Reason),
    what=texts,
    detail=texts,
    pids=st.lists(st.integers(1, 2**22), max_size=3).map(tuple),
).map(redact_unavailable)
stats = st.builds(
    FileStat,
    kind=st.sampled_from(FileKind),
    size=numbers,
    allocated=numbers,
    device=numbers,
    inode=numbers,
    mtime=reals,
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32),
    rdevice=st.none() | st.tuples(st.integers(0, 4095), st.integers(0, 2**20)),
)
spaces = st.builds(FilesystemSpace, total=numbers, free=numbers, available=numbers, inodes=numbers, inodes_free=numbers)
processes = st.builds(
    Process,
    pid=st.integers(0, 2**22),
    ppid=st.integers(0, 2**22),
    name=texts,
    state=st.sampled_from("RSDZT?"),
    argv=st.lists(texts, max_size=4).map(redact_argv),
    started=reals,
    cpu_seconds=reals,
    uid=st.integers(0, 2**32),
    threads=st.integers(0, 10000),
)
argvs = st.lists(texts, min_size=1, max_size=4).map(redact_argv)


@st.composite
def recorded(draw: st.DrawFn) -> Answers:
    """Any answers at all, as a recording host keeps them."""
    files = draw(st.dictionaries(paths, texts | unavailables, max_size=5))
    commands = {}
    for argv in draw(st.lists(argvs, max_size=3)):
        done = st.builds(
            Completed,
            argv=st.just(argv),
            status=st.integers(-64, 255),
            stdout=texts.map(redact_text),
            stderr=texts.map(redact_text),
            seconds=reals,
        )
        commands[argv] = draw(done | unavailables)
    questions = st.tuples(st.sampled_from(TgtMode), st.integers(0, 65535), st.none() | st.integers(0, 10000))
    return Answers(
        identity=HostIdentity(name=draw(texts), kernel=draw(texts), privileged=draw(st.booleans())),
        clock=Clock(now=draw(reals), boot=draw(reals)),
        source=draw(st.sampled_from(Source)),
        version="1.2.3",
        files={path: text if isinstance(text, Unavailable) else redact_file(path, text) for path, text in files.items()},
        lists=draw(st.dictionaries(paths, st.lists(names, max_size=4).map(tuple) | unavailables, max_size=3)),
        links=draw(st.dictionaries(paths, texts | unavailables, max_size=3)),
        stats=draw(st.dictionaries(paths, stats | unavailables, max_size=3)),
        mtimes=draw(st.dictionaries(paths, reals | unavailables, max_size=3)),
        store_stats=draw(st.dictionaries(paths, stats | unavailables, max_size=3)),
        folders=draw(
            st.dictionaries(
                paths,
                st.lists(st.builds(FileEntry, name=names, stat=stats | unavailables), max_size=3).map(tuple) | unavailables,
                max_size=3,
            )
        ),
        spaces=draw(st.dictionaries(paths, spaces | unavailables, max_size=2)),
        processes=draw(st.none() | st.lists(processes, max_size=3).map(tuple) | unavailables),
        commands=commands,
        dm=draw(st.dictionaries(st.sampled_from(DmQuery), texts | unavailables)),
        tgt=draw(st.dictionaries(questions, texts | unavailables, max_size=3)),
    )


@given(recorded())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], max_examples=80)
def test_whatever_was_recorded_replays_equal(answers: Answers) -> None:
    assert decode(dict(encode(answers)), "x") == answers


@given(recorded(), st.sampled_from(["c.tar", "c.tar.gz", "c.tgz", "c.tar.xz", "folder/"]))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], max_examples=20, deadline=None)
def test_it_replays_equal_through_every_form(tmp_path_factory: pytest.TempPathFactory, answers: Answers, name: str) -> None:
    place = f"{tmp_path_factory.mktemp('capture')}/{name}"
    write_bundle(answers, place)
    assert read_bundle(place) == answers


def _empty() -> Answers:
    return Answers(
        identity=HostIdentity(name="sc1", kernel="6.1", privileged=True), clock=Clock(now=5.0, boot=2.0), source=Source.LIVE
    )


@pytest.mark.parametrize("broken", [False, True])
def test_the_replay_has_the_findings_of_the_look(tmp_path: Path, broken: bool) -> None:
    fake = storage_controller(3)
    if broken:
        fake.files = {path: text for path, text in fake.files.items() if not path.startswith("/sys/block/loop1/loop/")}
        fake.tgt_answers = {question: absent("tgtd") for question in fake.tgt_answers}
        fake.spaces = {path: Unavailable(reason=Reason.TIMEOUT, what=path) for path in fake.spaces}
    host = RecordingHost(fake)
    seen = look(host, Config())
    write_bundle(host.answers(), f"{tmp_path}/c.tgz")
    again = diagnose(CaptureHost(read_bundle(f"{tmp_path}/c.tgz")), Config())
    assert again.findings == seen.findings
    assert [replace(check, seconds=0.0) for check in again.checks] == [replace(check, seconds=0.0) for check in seen.checks]
    assert (again.roles, again.backends, again.started) == (seen.roles, seen.backends, seen.started)
    if broken:
        assert seen.findings
        assert unexamined(seen)


def test_what_was_never_asked_is_not_collected() -> None:
    host: Host = CaptureHost(_empty())
    answers = [
        host.read("/proc/mounts"),
        host.list("/sys/block"),
        host.readlink("/sys/block/sda"),
        host.stat("/dev/sda"),
        host.lstat_mtime("/dev/sda"),
        *host.stat_files(["/a", "/b"]),
        host.list_files("/a"),
        host.space("/a"),
        host.processes(),
        host.run(["lvm", "fullreport"], timeout=1),
        host.dm(DmQuery.STATUS),
        host.tgt(TgtMode.TARGET),
        host.kernel_log(),
        host.log_lines("/var/log/x.log", LogQuery(words=("x",), pattern="x", since=0.0)),
    ]
    assert len(answers) == 15
    for answer in answers:
        assert isinstance(answer, Unavailable)
        assert answer.reason is Reason.NOT_COLLECTED
        assert answer.what
    assert host.source is Source.CAPTURE
    assert host.identity().name == "sc1"
    assert host.clock() == Clock(now=5.0, boot=2.0)


def test_a_command_with_a_secret_is_found_by_its_masked_name() -> None:
    answers = _empty()
    masked = ("tgtadm", "--password", "********")
    done = Completed(argv=masked, status=0, stdout="", stderr="", seconds=0.1)
    answers.commands[masked] = done
    assert CaptureHost(answers).run(["tgtadm", "--password", "x"], timeout=1) == done


def test_open_host_finds_the_kind_of_host(tmp_path: Path) -> None:
    write_bundle(_empty(), f"{tmp_path}/c.tar.gz")
    write_bundle(_empty(), f"{tmp_path}/folder/")
    assert isinstance(open_host(f"{tmp_path}/c.tar.gz", None), CaptureHost)
    assert isinstance(open_host(f"{tmp_path}/folder", None), CaptureHost)
    (tmp_path / "tree" / "etc").mkdir(parents=True)
    assert isinstance(open_host(None, f"{tmp_path}/tree"), RootHost)


def test_open_host_says_what_to_do_instead(tmp_path: Path) -> None:
    write_bundle(_empty(), f"{tmp_path}/folder/")
    (tmp_path / "empty").mkdir()
    (tmp_path / "sos" / "sos_commands").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    for from_path, root, said in (
        ("a", "b", "two different hosts"),
        (f"{tmp_path}/none", None, "No such file"),
        (f"{tmp_path}/empty", None, "no capture.json"),
        (f"{tmp_path}/sos", None, "nothing in sos_commands"),
        (f"{tmp_path}/file", None, "no capture"),
        ("/dev/null", None, "neither a file nor a folder"),
        ("", None, "No such file"),
        ("a\0b", None, "cannot read"),
        (None, f"{tmp_path}/none", "does not exist"),
        (None, f"{tmp_path}/file", "is not a folder"),
        (None, f"{tmp_path}/folder", "is a capture"),
        (None, f"{tmp_path}/sos", "sos archive"),
        (None, f"{tmp_path}/empty", "does not look like the root"),
    ):
        with pytest.raises(UserError) as caught:
            open_host(from_path, root)
        assert said in caught.value.message
        assert caught.value.hint


def test_summary_names_what_is_missing() -> None:
    from sctune.check import Unexamined
    from sctune.model.report import CheckResult, Report, Role, Status

    items = tuple(Unexamined(what=f"/proc/{n}\x1b", reason=Reason.DENIED) for n in range(30))
    check = CheckResult(
        check="x", title="x", status=Status.UNKNOWN, examined=0, unexamined=(*items, items[0]), reason="denied", seconds=0.0
    )
    report = Report(
        version="1",
        identity=HostIdentity(name="sc1", kernel="6", privileged=False),
        source=Source.LIVE,
        roles=(Role.GENERIC,),
        backends=("generic",),
        started=0.0,
        seconds=0.0,
        checks=(check,),
        findings=(),
        abandoned=(77,),
    )
    text = summary("/tmp/c.tgz", report)
    assert "Wrote /tmp/c.tgz" in text
    assert "(30)" in text
    assert "and 10 more" in text
    assert "Run it as root" in text
    assert "pid 77" in text
    assert "\x1b" not in text


def test_a_capture_has_more_patience_than_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a slow host was not asked in time is missing in the capture for ever."""
    budgets: list[float] = []

    class Host(FakeHost):
        def __init__(self, *, budget: float) -> None:
            super().__init__()
            budgets.append(budget)

        def __enter__(self) -> FakeHost:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(sctune.host.live, "LiveHost", Host)
    assert run_capture(str(tmp_path / "c.tar.gz"), None) in (0, 3)
    assert budgets == [PATIENCE]
    assert PATIENCE > 2 * sctune.host.live._LOOK_BUDGET
