"""What the journal is told of pairs of runs, and that a journal that fails fails nothing."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.findings import Severity
from sctune.model.report import Status
from sctune.registry import load
from sctune.report.events import Kind, Told, after, events
from sctune.report.telling import read, tell
from tests.unit import reports
from tests.unit.collecting import recorded
from tests.unit.test_journald import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.findings import Finding
    from sctune.model.report import Report

CATALOG = Path(__file__).resolve().parents[2] / "packaging" / "systemd" / "sctune.catalog"
OK = (reports.check("composed"), reports.check("iscsid"))
BLIND = (reports.denied("composed", "lvm fullreport"), reports.check("iscsid"))


def run(*findings: Finding, blind: bool = False, name: str = "sc1.example.org") -> Report:
    return reports.report(*findings, checks=BLIND if blind else OK, name=name)


class History:
    """Runs one after another, and what each tells."""

    def __init__(self) -> None:
        self.told: Told | None = None

    def __call__(self, report: Report, *, reached: int | None = None) -> list[tuple[Kind, str]]:
        due = events(report, self.told, reports.FINDS)
        self.told = after(report, self.told, due[:reached])
        return [(event.kind, event.identity[2] if event.identity else "") for event in due]


def test_new_and_gone_once_each() -> None:
    runs, one, two = History(), reports.leaked(1), reports.deleted(2)
    assert runs(run(one)) == [(Kind.NEW, one.subject.id)]
    assert runs(run(one)) == []
    assert runs(run(one, two)) == [(Kind.NEW, two.subject.id)]
    assert runs(run(two)) == [(Kind.GONE, one.subject.id)]
    assert runs(run(two)) == []


def test_a_severity_that_changes() -> None:
    runs, one = History(), reports.leaked(1)
    runs(run(one))
    worse = replace(one, severity=Severity.CRITICAL)
    (event,) = events(run(worse), runs.told, reports.FINDS)
    fields = dict(event.fields)
    assert (event.kind, fields["PRIORITY"]) == (Kind.SEVERITY, "2")
    assert (fields["SCTUNE_SEVERITY"], fields["SCTUNE_SEVERITY_BEFORE"]) == ("critical", one.severity.value)
    runs(run(worse))
    assert runs(run(worse)) == []


def test_what_could_not_be_looked_for_is_not_gone_and_not_new_again() -> None:
    runs, one = History(), reports.leaked(1)
    runs(run(one))
    assert runs(run(blind=True)) == [(Kind.INCOMPLETE, "")]
    assert runs(run(blind=True)) == []
    assert runs(run(one)) == [(Kind.COMPLETE, "")]
    runs(run(blind=True))
    assert runs(run()) == [(Kind.COMPLETE, ""), (Kind.GONE, one.subject.id)]


def test_a_check_that_does_not_apply_mends_nothing() -> None:
    runs = History()
    runs(run(reports.leaked(1)))
    absent = reports.check("composed", Status.NOT_APPLICABLE, 0, reason="no tgtd")
    assert runs(reports.report(checks=(absent,))) == []


def test_muted_findings() -> None:
    runs, one = History(), reports.leaked(1)
    assert runs(run(reports.muted(one))) == []
    assert runs(run(one)) == [(Kind.NEW, one.subject.id)], "its mute has ended"
    assert runs(run(reports.muted(replace(one, severity=Severity.CRITICAL)))) == []
    assert runs(run(one)) == [(Kind.NEW, one.subject.id)]
    runs(run(reports.muted(one)))
    assert runs(run()) == [(Kind.GONE, one.subject.id)], "it was told before"
    runs(run(reports.muted(one)))
    assert runs(run()) == [], "it was never told"


def test_what_did_not_reach_the_journal_comes_with_the_next_run() -> None:
    runs, two = History(), (reports.leaked(1), reports.leaked(2))
    first = runs(run(*two), reached=1)
    assert runs(run(*two), reached=0) == first[1:]
    assert runs(run(*two)) == first[1:]
    assert runs(run(*two)) == []


def test_a_cloned_machine_begins_anew() -> None:
    runs, one = History(), reports.leaked(1)
    runs(run(one))
    assert runs(run(one, name="sc2.example.org")) == [(Kind.NEW, one.subject.id)]


def test_a_hostile_name_is_harmless() -> None:
    for event in events(reports.hostile(), None, reports.FINDS):
        assert all(value.isprintable() for _, value in event.fields)


def test_recorded_hosts() -> None:
    """A host with faults, mended, and with them again."""
    registry = load()
    finds = {code.code: check.name for check, code in registry.codes()}
    faulty = diagnose(recorded("storage-controller-faults"), Config(), registry.checks)
    sound = replace(faulty, findings=(), checks=tuple(replace(check, unexamined=(), status=Status.OK) for check in faulty.checks))
    due = events(faulty, None, finds)
    news = [event for event in due if event.kind is Kind.NEW]
    assert len(news) == len(faulty.findings) > 3
    for event in news:
        assert dict(event.fields)["SCTUNE_RUNBOOK"].startswith("docs/codes/")
    told = after(faulty, None, due)
    assert events(faulty, told, finds) == ()
    gone = events(sound, told, finds)
    assert {event.identity for event in gone if event.kind is Kind.GONE} == {event.identity for event in news}


def test_nothing_but_names_of_the_catalogue_and_an_entry_for_each_kind() -> None:
    text = CATALOG.read_text()
    assert sorted(re.findall(r"^-- (\S+)$", text, re.MULTILINE)) == sorted(kind.value for kind in Kind)
    runs, one = History(), reports.leaked(1)
    names: dict[Kind, set[str]] = {}
    for report in (run(one), run(replace(one, severity=Severity.CRITICAL), blind=True), run()):
        for event in events(report, runs.told, reports.FINDS):
            names[event.kind] = {name for name, _ in event.fields}
        runs(report)
    assert set(names) == set(Kind)
    for entry in text.split("\n-- ")[1:]:
        assert set(re.findall(r"@(\w+)@", entry)) <= names[Kind(entry[:32])]


@pytest.mark.spawns
@pytest.mark.skipif(shutil.which("journalctl") is None, reason="journalctl is missing")
def test_journalctl_reads_the_catalogue(tmp_path: Path) -> None:
    for folder in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(CATALOG, tmp_path / "usr/lib/systemd/catalog")
    root = f"--root={tmp_path}"
    done = subprocess.run(["journalctl", root, "--update-catalog"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    listed = subprocess.run(["journalctl", root, "--list-catalog"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert sorted(line.split()[0] for line in listed.splitlines()) == sorted(kind.value for kind in Kind)
    assert all("sctune: " in line for line in listed.splitlines())


@contextmanager
def taking(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taker:
        taker.bind(path)
        taker.setblocking(False)
        yield taker


def received(taker: socket.socket) -> list[dict[str, str]]:
    found = []
    try:
        while True:
            found.append({name: value.decode() for name, value in decode(taker.recv(1 << 20))})
    except BlockingIOError:
        return found


def test_over_a_real_socket(tmp_path: Path) -> None:
    path, kept, one = str(tmp_path / "socket"), str(tmp_path / "told.json"), reports.leaked(1)
    assert tell(run(one), reports.FINDS, path=kept, socket=path) == ""
    assert read(kept) == (None, ""), "where there is no journal nothing was told"
    with taking(path) as taker:
        assert tell(run(one), reports.FINDS, path=kept, socket=path) == ""
        (entry,) = received(taker)
        assert entry["MESSAGE_ID"] == Kind.NEW.value
        assert (entry["SCTUNE_CODE"], entry["SCTUNE_SUBJECT"]) == (one.code, one.subject.id)
        assert (entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]) == ("4", "sctune")
        assert Path(kept).stat().st_mode & 0o777 == 0o640
        assert tell(run(), reports.FINDS, path=kept, socket=path) == ""
        assert [entry["MESSAGE_ID"] for entry in received(taker)] == [Kind.GONE.value]
    assert "connection refused" in tell(run(one), reports.FINDS, path=kept, socket=path)


def test_a_full_journal_is_one_line_and_the_rest_comes_later(tmp_path: Path) -> None:
    path, kept = str(tmp_path / "socket"), str(tmp_path / "told.json")
    many = run(*map(reports.leaked, range(2000)))
    with taking(path) as taker:
        wrong = tell(many, reports.FINDS, path=kept, socket=path, seconds=0.1)
        assert re.fullmatch(
            r"the journal was told \d+ of 2000 changes, the rest comes with the next run: connection timed out", wrong
        )
        subjects = [entry["SCTUNE_SUBJECT"] for entry in received(taker)]
        while tell(many, reports.FINDS, path=kept, socket=path, seconds=0.01):
            subjects += [entry["SCTUNE_SUBJECT"] for entry in received(taker)]
        subjects += [entry["SCTUNE_SUBJECT"] for entry in received(taker)]
    assert sorted(subjects) == sorted(finding.subject.id for finding in many.findings), "each once"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema":2,"host":"a","incomplete":false,"findings":[]}', "\xff"])
def test_what_is_no_record_of_what_was_told(tmp_path: Path, text: str) -> None:
    path, kept = str(tmp_path / "socket"), tmp_path / "told.json"
    kept.write_bytes(text.encode("latin-1"))
    with taking(path) as taker:
        assert "all findings are new" in tell(run(reports.leaked(1)), reports.FINDS, path=str(kept), socket=path)
        assert len(received(taker)) == 1
        assert tell(run(reports.leaked(1)), reports.FINDS, path=str(kept), socket=path) == ""
        assert received(taker) == []
