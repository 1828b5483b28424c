"""The doctor's last result: how it is kept, and how the exporter reads it, whatever lies there."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.__main__ import main
from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.errors import UserError
from sctune.exporters.prometheus.collector import Memory
from sctune.exporters.prometheus.collectors.doctor import COLLECTOR, STATUSES
from sctune.exporters.prometheus.doctor_file import NotAReport, parse_last_run
from sctune.exporters.prometheus.options import Options
from sctune.host.base import FileKind, FileStat
from sctune.registry import load
from sctune.report.record import PATH, record
from tests.fakes import FakeHost
from tests.unit.collecting import SCENARIOS, Run, collect, recorded

if TYPE_CHECKING:
    from pathlib import Path


def of(host: str = "fake", **changes: Any) -> str:
    """A report that was really written, as if on this host just now."""
    document: dict[str, Any] = json.loads((SCENARIOS / "storage-controller-faults/doctor.json").read_text())
    document["host"] |= {"name": host, "source": "live"}
    document |= {"started": "2026-11-25T18:24:00Z", "duration_seconds": 1.5} | changes
    return json.dumps(document)


def run(text: str, **facts: Any) -> Run:
    return collect(COLLECTOR, FakeHost(files={PATH: text}), **facts)


def test_never_run_is_nothing() -> None:
    assert (collect(COLLECTOR).series, collect(COLLECTOR).why) == ({}, "")


def test_a_real_report() -> None:
    found = run(of())
    document = json.loads(of())
    assert found.why == ""
    assert found.of("sctune_doctor_last_run_timestamp_seconds") == {(): 1795631040}
    assert found.of("sctune_doctor_last_run_duration_seconds") == {(): 1.5}
    assert found.of("sctune_checks") == {(status,): document["summary"][status] for status in STATUSES}
    statuses = found.of("sctune_check_status")
    assert len(statuses) == len(document["checks"]) * len(STATUSES)
    assert all(statuses[(check["check"], check["status"])] == 1 for check in document["checks"])
    assert sum(statuses.values()) == len(document["checks"])
    assert len(found.of("sctune_finding")) == len(document["findings"])


def test_muted_findings_are_told_as_muted() -> None:
    document = json.loads(of())
    document["findings"][0]["muted"] = {"reason": "known", "until": "2027-01-01"}
    muted = {key: value for key, value in run(json.dumps(document)).of("sctune_finding").items() if key[3] == "true"}
    first = document["findings"][0]
    assert list(muted) == [(first["code"], first["severity"], f"{first['subject']['kind']}/{first['subject']['id']}", "true")]


def test_nothing_of_a_finding_but_its_identity() -> None:
    document = json.loads(of())
    document["findings"][0] |= {"summary": "S3CRET", "evidence": {"x": "S3CRET"}}
    assert "S3CRET" not in str(run(json.dumps(document)).series)


def test_worst_first_under_a_cap() -> None:
    found = run(of(), options=Options(limits={"doctor": 1}))
    ((_, severity, _, _),) = found.of("sctune_finding")
    assert severity == json.loads(of())["findings"][0]["severity"]
    assert found.skipped["limit"] == len(json.loads(of())["findings"]) - 1
    assert run(of(), detail=False).of("sctune_finding") == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        of()[:-100],
        of(schema=2),
        of(started="yesterday"),
        of(started="2026-13-45T99:00:00Z"),
        of(findings=[{"code": 1}]),
        of(checks=[{"check": "a", "status": "fine"}]),
        of(host="other"),
        json.dumps(json.loads(of()) | {"host": {"name": "fake", "source": "capture"}}),
        "\udcff",
        "[" * 100_000,
    ],
    ids=range(14),
)
def test_what_is_no_report_fails_this_collector(text: str) -> None:
    found = run(text)
    assert found.series == {}
    assert found.why.startswith(PATH) and "\n" not in found.why and len(found.why) < 300


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(NotAReport):
        parse_last_run(data.decode("utf-8", "surrogateescape"), "fake")


def test_read_again_only_when_it_is_another_file() -> None:
    def host(text: str, inode: int) -> FakeHost:
        found = FileStat(kind=FileKind.FILE, size=len(text), allocated=4096, device=1, inode=inode, mtime=5.0)
        return FakeHost(files={PATH: text}, stats={PATH: found})

    memory = Memory()
    collect(COLLECTOR, host(of(), 1), memory=memory)
    assert collect(COLLECTOR, host("{", 1), memory=memory).why != ""  # another size
    assert collect(COLLECTOR, host("x" * len(of()), 1), memory=memory).why == ""
    assert collect(COLLECTOR, host("x" * len(of()), 2), memory=memory).why != ""


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another group")
def test_kept_whole_and_not_for_everybody(tmp_path: Path) -> None:
    host = recorded("storage-controller-faults")
    report = diagnose(host, Config(), load().checks)
    path = tmp_path / "new" / "doctor.json"
    old = os.umask(0o022)
    try:
        record(report, str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        os.chown(path, -1, 1)
        record(report, str(path))
        found = path.stat()
        assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (1, 0o640)  # the group that the site has chosen
    finally:
        os.umask(old)
    assert [entry.name for entry in path.parent.iterdir()] == ["doctor.json"]
    assert json.loads(path.read_text())["findings"]


def test_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    report = diagnose(recorded("debian-plain"), Config(), load().checks)
    with pytest.raises(UserError, match=r"cannot keep the result in .*: not a directory"):
        record(report, str(tmp_path / "file" / "sub" / "doctor.json"))


@pytest.mark.parametrize("arguments", [("--from", "x.tar.gz"), ("--root", "/"), ("--check", "quotas")])
def test_only_a_whole_look_at_this_machine_is_kept(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--record", *arguments]) == 2
    assert "--record keeps a whole look at this machine" in capsys.readouterr().err
