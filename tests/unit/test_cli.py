"""The command line: what is typed, what is said when it is wrong, and the exit code."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import sctune.commands.doctor
import sctune.config.load
import sctune.doctor
import sctune.headstart
import sctune.host.ahead
import sctune.host.choose
from sctune.__main__ import main
from sctune.config.model import Config
from sctune.errors import UserError
from sctune.inventory import Inventory
from sctune.registry import Registry, load
from sctune.version import VERSION
from tests.fakes import FakeHost
from tests.unit import reports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sctune.check import Check
    from sctune.host.base import Host
    from sctune.model.report import Report


@dataclass
class ClosingHost(FakeHost):
    """Tells when it is closed."""

    doctor: Doctor | None = None

    def close(self) -> None:
        assert self.doctor is not None
        self.doctor.closed += 1


class Doctor:
    """What the doctor command was asked to look at, and the report it was given to print."""

    def __init__(self) -> None:
        self.report: Report = reports.one_fault()
        self.hosts: list[tuple[str | None, str | None]] = []
        self.configs: list[str | None] = []
        self.checks: list[str] = []
        self.closed = 0
        self.error: BaseException | None = None

    def open_host(self, from_path: str | None, root: str | None) -> Host:
        self.hosts.append((from_path, root))
        return ClosingHost(doctor=self)

    def load(self, path: str | None) -> Config:
        self.configs.append(path)
        return Config()

    def diagnose(self, _host: Host, _config: Config, checks: Sequence[Check], *, inventory: object = None) -> Report:
        self.checks = [check.name for check in checks]
        if self.error is not None:
            raise self.error
        return self.report


def install(monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """A doctor that is asked in the place of the real one."""
    fake = Doctor()
    monkeypatch.setattr(sctune.doctor, "diagnose", fake.diagnose)
    monkeypatch.setattr(sctune.headstart, "begin", Inventory)
    monkeypatch.setattr(sctune.headstart, "start", lambda _ahead: None)
    monkeypatch.setattr(sctune.host.ahead, "begin", lambda: None)
    monkeypatch.setattr(sctune.host.choose, "open_host", fake.open_host)
    monkeypatch.setattr(sctune.config.load, "load", fake.load)
    monkeypatch.delenv("COLUMNS", raising=False)
    return fake


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Doctor:
    return install(monkeypatch)


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capfd.readouterr()
    return int(code), out, err


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "--version") == (0, f"sctune {VERSION}\n", "")
    assert run(capfd, "--version", "doctor")[:2] == (0, f"sctune {VERSION}\n")


def test_help_names_every_command_and_option(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "--help")
    assert code == 0
    assert all(command in out for command in ("doctor", "explain", "checks", "capture"))
    assert "..." not in out.replace("[ARGS]...", ""), "a help text is cut off"
    code, out, _ = run(capfd, "doctor", "-h")
    assert code == 0
    for option in (
        "--from",
        "--root",
        "--check",
        "--format",
        "--output",
        "--fail-on",
        "--config",
        "--baseline",
        "--bench",
        "--quiet",
        "--verbose",
    ):
        assert option in out
    assert "completion" not in out


def test_no_command_is_a_usage_error_with_help(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd)
    assert (code, out) == (2, "")
    assert "Commands:" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["frob"], "no such command"),
        (["doctor", "--frob"], "no such option: --frob"),
        (["doctor", "--format", "xml"], "'xml'"),
        (["doctor", "--fail-on", "error"], "'error'"),
        (["doctor", "--from"], "--from"),
        (["doctor", "extra"], "unexpected extra argument"),
        (["explain"], "CODE"),
        (["explain", "LOOP_LIMIT_NAER"], "there is no finding code 'LOOP_LIMIT_NAER'"),
        (["capture"], "--output"),
        (["doctor", "--check", "nonsense"], "there is no check 'nonsense'"),
        (["doctor", "--output", "/"], "cannot write /: it is a folder"),
        (["doctor", "--baseline", "/no/such/file"], "/no/such/file: cannot read the baseline: no such file or directory"),
        (["doctor", "--baseline", "/"], "/: no report of sctune doctor: not a regular file"),
        (
            ["doctor", "--format", "html", "--bench", "/no/such/file"],
            "/no/such/file: cannot read the benchmark: no such file or directory",
        ),
        (["doctor", "--format", "html", "--bench", "/"], "/: no benchmark of sctune bench: not a regular file"),
        (["doctor", "--bench", "/no/such/file"], "--bench is drawn in HTML"),
        (["doctor", "--quiet", "--format", "json"], "--quiet is for text"),
        (["doctor", "--output", "/no/such/folder/x"], "there is no folder /no/such/folder"),
        (["doctor", "--check", "\x1b[31m"], r"\x1b[31m"),
    ],
)
def test_usage_errors_are_one_line_and_a_hint(
    doctor: Doctor, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    code, out, err = run(capfd, *arguments)
    assert (code, out) == (2, "")
    assert says in err.splitlines()[0]
    assert err.startswith("sctune")
    assert len(err.splitlines()) <= 2
    assert "Traceback" not in err
    assert doctor.hosts == [], "the host was looked at for nothing"


def test_doctor_prints_text_and_fails(doctor: Doctor, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "doctor")
    assert (code, err) == (1, "")
    assert "LOOP_BACKING_DELETED" in out
    assert out.splitlines()[-1].startswith(("Next: ", "      "))
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert doctor.hosts == [(None, None)]
    assert doctor.closed == 1


def test_json_is_alone_on_standard_output(doctor: Doctor, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "doctor", "--format", "json")
    assert (code, err) == (1, "")
    assert json.loads(out)["findings"][0]["code"] == "LOOP_BACKING_DELETED"


def test_columns(doctor: Doctor, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    _, out, _ = run(capfd, "doctor")
    assert max(len(line) for line in out.splitlines() if not line.endswith("\\")) <= 50


@pytest.mark.parametrize(
    ("report", "arguments", "code"),
    [
        (reports.healthy(), [], 0),
        (reports.one_fault(), [], 1),
        (reports.one_fault(), ["--fail-on", "never"], 0),
        (reports.two_hundred(), ["--fail-on", "critical"], 0),
        (reports.two_hundred(), ["--fail-on", "warning"], 1),
        (reports.only_notes(), [], 0),
        (reports.only_notes(), ["--fail-on", "info"], 1),
        (reports.ordinary_user(), [], 3),
        (reports.causes(), ["--fail-on", "never"], 3),
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "junit", "html"])
def test_exit_codes(
    doctor: Doctor, capfd: pytest.CaptureFixture[str], report: Report, arguments: list[str], code: int, form: str
) -> None:
    doctor.report = report
    assert run(capfd, "doctor", "--format", form, *arguments)[0] == code


def test_options_arrive(doctor: Doctor, capfd: pytest.CaptureFixture[str]) -> None:
    run(capfd, "doctor", "--from", "host.tar.gz", "--config", "my.yaml")
    assert (doctor.hosts, doctor.configs) == ([("host.tar.gz", None)], ["my.yaml"])
    run(capfd, "doctor", "--root", "/mnt")
    assert doctor.hosts[1] == (None, "/mnt")
    assert doctor.checks == [check.name for check in load().checks]
    names = [check.name for check in load().checks][:2]
    run(capfd, "doctor", "--check", names[1], "--check", names[0], "--check", names[1])
    assert doctor.checks == names


def test_a_code_instead_of_a_check_is_pointed_to_its_check(doctor: Doctor, capfd: pytest.CaptureFixture[str]) -> None:
    check, code = next(load().codes())
    _, _, err = run(capfd, "doctor", "--check", code.code)
    assert f"--check {check.name}" in err


def test_output_is_written_and_nothing_is_printed(doctor: Doctor, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    code, out, err = run(capfd, "doctor", "--format", "json", "--output", str(file))
    assert (code, out, err) == (1, "", "")
    assert json.loads(file.read_text())["schema"] == 1
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_full_disk_is_one_line(doctor: Doctor, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "doctor", "--output", "/dev/full")
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "sctune: cannot write /dev/full: no space left on device"


def test_a_user_error_is_one_line_and_its_hint(doctor: Doctor, capfd: pytest.CaptureFixture[str]) -> None:
    doctor.error = UserError("x.yaml:3: no such key", "Remove it.\x1b[2J")
    assert run(capfd, "doctor") == (2, "", "sctune: x.yaml:3: no such key\nRemove it.\\x1b[2J\n")
    assert doctor.closed == 1, "the host's children outlive the command"


def test_a_defect_is_one_line_and_3(doctor: Doctor, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    doctor.error = RuntimeError("odd\x1b[2J")
    code, out, err = run(capfd, "doctor")
    assert (code, out) == (3, "")
    assert err.splitlines()[0] == r"sctune: defect in sctune, please report: RuntimeError: odd\x1b[2J"
    assert "Traceback" not in err
    monkeypatch.setenv("SCTUNE_DEBUG", "1")
    assert "Traceback" in run(capfd, "doctor")[2]


def test_ctrl_c(doctor: Doctor, capfd: pytest.CaptureFixture[str]) -> None:
    doctor.error = KeyboardInterrupt()
    assert run(capfd, "doctor") == (130, "", "sctune: interrupted\n")
    assert doctor.closed == 1


def test_a_reader_that_has_gone_is_no_error_message(
    doctor: Doctor, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As it is outside of tests: pytest's own stands for another descriptor, which must not become the null device.
    monkeypatch.setattr(sys, "stdout", os.fdopen(1, "w", closefd=False))
    reader, writer = os.pipe()
    os.close(reader)
    kept = os.dup(1)
    try:
        os.dup2(writer, 1)
        code = main(["doctor"])
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(writer)
    assert code == 141
    assert capfd.readouterr().err == ""


def test_explain_prints_the_whole_entry(capfd: pytest.CaptureFixture[str]) -> None:
    for check, code in load().codes():
        status, out, err = run(capfd, "explain", code.code.lower())
        assert (status, err) == (0, "")
        said = " ".join(out.split())
        assert out.startswith(code.code)
        for text in (code.title, code.meaning, code.why, code.thresholds, code.remedy, code.source, check.name):
            assert "".join(text.split()) in "".join(said.split()), code.code
        for command in code.see:
            wanted = re.sub(r"\s", "", command.split(" # ")[0])
            assert wanted in re.sub(r"\\\n|\s", "", out), (code.code, command)


def test_explain_of_a_check_names_its_codes(capfd: pytest.CaptureFixture[str]) -> None:
    check, code = next(load().codes())
    status, _, err = run(capfd, "explain", check.name)
    assert status == 2
    assert code.code in err


def test_checks_lists_all(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, _ = run(capfd, "checks")
    assert status == 0
    for check, code in load().codes():
        assert check.name in out
        assert code.code in out


def test_checks_shows_what_cannot_be_used(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from sctune import registry

    bad = registry.Module(origin="/etc/sctune/checks.d/bad.py", broken="SyntaxError: invalid syntax (line 1)")
    broken = registry.assemble([bad])
    monkeypatch.setattr(registry, "load", lambda: broken)
    _, out, _ = run(capfd, "checks")
    assert "/etc/sctune/checks.d/bad.py: SyntaxError" in " ".join(out.split())


def test_capture_is_wired(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    import sctune.commands.capture

    asked: list[Any] = []

    def run_capture(output: str, config_path: str | None) -> int:
        asked.append((output, config_path))
        return 3

    monkeypatch.setattr(sctune.commands.capture, "run_capture", run_capture)
    assert run(capfd, "capture", "-o", "x.tar.gz", "--config", "c.yaml")[0] == 3
    assert asked == [("x.tar.gz", "c.yaml")]


def test_latin_1_terminals(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    from sctune.report.format import Format

    class Stdout:
        encoding = "iso-8859-1"

    finding = replace(reports.deleted(), summary="größe – 体积")
    monkeypatch.setattr("sys.stdout", Stdout())
    data = sctune.commands.doctor.rendered(reports.report(finding), Format.TEXT, Registry(checks=()), is_terminal=False)
    assert "größe - \\u4f53\\u79ef".encode("iso-8859-1") in data
    data = sctune.commands.doctor.rendered(reports.report(finding), Format.JSON, Registry(checks=()), is_terminal=False)
    assert "größe – 体积" in data.decode("utf-8")


def test_a_broken_standard_output_is_one_line(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        encoding = "utf-8"

        def write(self, _: str) -> NoReturn:
            raise OSError(28, "No space left on device")

        def isatty(self) -> bool:
            return False

        def fileno(self) -> NoReturn:
            raise OSError

    monkeypatch.setattr("sys.stdout", Full())
    assert main(["--version"]) == 2
    assert capfd.readouterr().err == "sctune: cannot write standard output: no space left on device\n"


def test_since_says_how_far_back_logs_are_read() -> None:
    from sctune.commands.doctor import reading_back
    from sctune.config.model import Config
    from sctune.errors import UserError

    assert reading_back(Config(), None) == Config()
    for text, seconds in (("90m", 5400.0), ("24h", 86400.0), ("7d", 604800.0), ("2 w", 1209600.0), ("30", 30.0), ("0", 0.0)):
        assert reading_back(Config(), text).thresholds.log_seconds == seconds
    for wrong in ("", "yesterday", "-1h", "1y", "1.5h", "1h30"):
        with pytest.raises(UserError, match="--since"):
            reading_back(Config(), wrong)


COMMANDS = [
    "doctor",
    "volumes",
    "chain",
    "explain",
    "checks",
    "capacity",
    "metrics",
    "profiles",
    "apply-profile",
    "verify-profile",
    "rollback",
    "history",
    "exporter",
    "collector",
    "capture",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_made_alone_says_what_it_says_among_the_others(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sctune import cli

    assert len(cli._with([command]).registered_commands) == 1
    said = []
    for among in (False, True):
        if among:
            monkeypatch.setattr(cli, "_with", lambda _: cli.app)
        for arguments in ([command, "--help"], [command, "--no-such-option"]):
            said.append((main(arguments), capsys.readouterr()))
    assert said[:2] == said[2:]


def test_all_commands_are_made_where_none_is_named_or_a_shell_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    from sctune import cli

    for arguments in ([], ["--help"], ["config", "check"], ["aply-profile"]):
        assert cli._with(arguments) is cli.app
    monkeypatch.setenv("_SCTUNE_COMPLETE", "source_bash")
    assert cli._with(["doctor"]) is cli.app
