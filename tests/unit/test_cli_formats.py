"""The doctor's command line: a plug-in's exit codes and usage errors, --baseline, --quiet, --verbose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import sctune.doctor
from sctune.errors import UserError
from tests.unit import reports
from tests.unit.test_cli import Doctor, install, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sctune.check import Check
    from sctune.config.model import Config
    from sctune.host.base import Host
    from sctune.model.report import Report


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Doctor:
    return install(monkeypatch)


@pytest.mark.parametrize(
    ("report", "arguments", "code", "word"),
    [
        (reports.healthy(), [], 0, "OK"),
        (reports.one_fault(), [], 2, "CRITICAL"),
        (reports.one_fault(), ["--fail-on", "never"], 0, "OK"),
        (reports.two_hundred(), [], 1, "WARNING"),
        (reports.two_hundred(), ["--fail-on=critical"], 0, "OK"),
        (reports.ordinary_user(), [], 3, "UNKNOWN"),
        (reports.causes(), ["--fail-on", "never"], 3, "UNKNOWN"),
    ],
)
def test_a_plug_ins_exit_codes(
    doctor: Doctor, capfd: pytest.CaptureFixture[str], report: Report, arguments: list[str], code: int, word: str
) -> None:
    doctor.report = report
    status, out, err = run(capfd, "doctor", "--format", "nagios", *arguments)
    assert (status, err) == (code, "")
    assert out.startswith(f"SCTUNE {word} - ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "nagios", "--frob"], "no such option: --frob"),
        (["--frob", "--format=nagios"], "no such option: --frob"),
        (["--format", "nagios", "--fail-on", "error"], "'error'"),
        (["--format", "nagios", "--check", "nonsense"], "there is no check 'nonsense'"),
        (["--format", "nagios", "--output", "/"], "cannot write /: it is a folder"),
        (["--format", "nagios", "--baseline", "/no|file"], "/no\\x7cfile: cannot read the baseline"),
        (["--format", "nagios", "--quiet"], "--quiet is for text"),
        (["--format", "text", "--format", "nagios", "stray"], "unexpected extra argument"),
    ],
)
def test_usage_errors_of_a_plug_in_are_unknown_on_standard_output(
    doctor: Doctor, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    code, out, err = run(capfd, "doctor", *arguments)
    assert (code, err) == (3, "")
    assert out.startswith("SCTUNE UNKNOWN - ")
    assert says in out.splitlines()[0]
    assert "|" not in out
    assert doctor.hosts == []


@pytest.mark.parametrize("error", [RuntimeError("odd"), KeyboardInterrupt(), UserError("x.yaml:3: no such key", "Remove it.")])
def test_whatever_stops_a_plug_in_is_unknown(doctor: Doctor, capfd: pytest.CaptureFixture[str], error: BaseException) -> None:
    doctor.error = error
    code, out, err = run(capfd, "doctor", "--format", "nagios")
    assert (code, err) == (3, "")
    assert out.startswith("SCTUNE UNKNOWN - ")


def test_other_commands_are_no_plug_ins(doctor: Doctor, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "explain", "--format", "nagios")[0] == 2
    assert run(capfd, "doctor", "--format", "json", "--output", "nagios/", "--frob")[0] == 2


def test_a_baseline_decides_the_exit_code(doctor: Doctor, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = str(tmp_path / "last.json")
    assert run(capfd, "doctor", "--format", "json", "--output", file)[0] == 1
    for form, code in (("text", 0), ("json", 0), ("junit", 0), ("nagios", 0), ("html", 0)):
        status, out, err = run(capfd, "doctor", "--baseline", file, "--format", form)
        assert (status, err) == (code, ""), form
        assert "baseline" in out
    doctor.report = reports.report(reports.deleted(0), reports.deleted(1), checks=reports.HEALTHY_CHECKS)
    # The file may be the baseline and the place of the new one: it is read first.
    assert run(capfd, "doctor", "--baseline", file, "--format", "json", "--output", file)[0] == 1
    with open(file) as written:
        assert len(json.load(written)["baseline"]["new"]) == 1
    assert run(capfd, "doctor", "--baseline", file)[0] == 0


def test_quiet(doctor: Doctor, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capfd, "doctor", "--quiet")
    assert (code, err) == (1, "")
    assert "LOOP_BACKING_DELETED" in out
    assert "Host:" not in out
    doctor.report = reports.healthy()
    assert run(capfd, "doctor", "-q") == (0, "", "")
    stale = tmp_path / "report.txt"
    stale.write_text("an old report")
    assert run(capfd, "doctor", "-q", "--output", str(stale)) == (0, "", "")
    assert stale.read_text() == "", "an old report would be taken for a new one"


def test_verbose_says_what_is_read_on_standard_error_alone(
    doctor: Doctor, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:

    def diagnose(host: Host, _config: Config, checks: Sequence[Check], *, inventory: object = None) -> Report:
        host.read("/proc/none\x1b[2J")
        return doctor.report

    monkeypatch.setattr(sctune.doctor, "diagnose", diagnose)
    code, out, err = run(capfd, "doctor", "--verbose", "--format", "json", "--from", "host.tar.gz")
    assert code == 1
    assert json.loads(out)["schema"] == 1
    lines = err.splitlines()
    assert lines[0] == "configuration: defaults, there is no file"
    assert lines[1].startswith("questions to host.tar.gz: ")
    assert lines[2].endswith("  read             /proc/none\\x1b[2J: absent")
    assert lines[3].startswith("1 question in 0.")
    assert doctor.closed == 1
