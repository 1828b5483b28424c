"""A process of its own: a command loads what it uses, since start-up is a feature, and survives what its streams are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.spawns

PROGRAM = """
import os, sys
before = set(sys.modules)
sys.argv = ["sctune", *sys.argv[1:]]
kept = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
from sctune.__main__ import main
code = main()
sys.stdout.flush()
os.write(kept, (f"{code}\\n" + "\\n".join(sorted(set(sys.modules) - before))).encode())
"""


def modules(*arguments: str) -> tuple[int, set[str]]:
    """The exit code of a command, and the modules it loaded."""
    done = subprocess.run([sys.executable, "-I", "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True, timeout=60)
    code, *names = done.stdout.splitlines()
    return int(code), set(names)


def top(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_version_loads_nothing() -> None:
    code, names = modules("--version")
    assert code == 0
    ours = {name for name in names if name.startswith("sctune")}
    assert ours == {"sctune", "sctune.__main__", "sctune.version"}
    assert not top(names) & {"typer", "click", "json", "enum", "dataclasses", "re"}


@pytest.mark.parametrize("arguments", [("--help",), ("doctor", "--help"), ("explain", "--help")])
def test_help_loads_no_library_but_typer(arguments: tuple[str, ...]) -> None:
    code, names = modules(*arguments)
    assert code == 0
    assert not top(names) & {
        "rich",
        "yaml",
        "jinja2",
        "psutil",
        "msgspec",
        "prometheus_client",
        "pydantic",
        "jsonschema",
        "hypothesis",
    }
    assert not {name for name in names if name.startswith(("sctune.checks", "sctune.probes", "sctune.host", "sctune.commands."))}


def test_explain_loads_no_host() -> None:
    code, names = modules("explain", "LOOP_LIMIT_NEAR")
    assert code == 0
    assert not top(names) & {"rich", "yaml", "jinja2", "psutil", "msgspec", "prometheus_client", "pydantic"}
    assert "sctune.host.live" not in names


FORMS = {"text": "text", "json": "json", "junit": "junit", "nagios": "nagios", "html": "html"}
OF_ONE_OPTION = {
    "sctune.report.earlier",
    "sctune.baseline",
    "sctune.host.tracing",
    "sctune.report.trace",
    "sctune.report.html.bench",
}


@pytest.mark.parametrize("form", FORMS)
def test_doctor_loads_no_library_of_other_commands(form: str) -> None:
    code, names = modules("doctor", "--format", form, "--fail-on", "never")
    assert code in (0, 3)
    assert not top(names) & {"rich", "prometheus_client", "pydantic", "jsonschema"}
    assert ("jinja2" in top(names)) is (form == "html")
    if not os.path.exists("/etc/sctune/sctune.yaml"):
        assert not top(names) & {"yaml", "msgspec"}
    for other in FORMS.values():
        # The XML says when in the words of the JSON.
        assert f"sctune.report.{other}" in names if other == form else f"sctune.report.{other}" not in names or form == "junit"
    assert ("sctune.measures" in names) == (form in ("nagios", "html"))
    assert not names & OF_ONE_OPTION


def test_help_is_quick() -> None:
    """Ten times a bare interpreter is the promise; the best of a few runs, since the machine may be busy."""

    def best(*arguments: str) -> float:
        import time

        took = []
        for _ in range(5):
            began = time.monotonic()
            subprocess.run([sys.executable, "-I", *arguments], stdout=subprocess.DEVNULL, check=True, timeout=60)
            took.append(time.monotonic() - began)
        return min(took)

    bare = best("-c", "pass")
    assert best("-m", "sctune", "--version") < 3 * bare
    assert best("-m", "sctune", "--help") < 10 * bare


def command(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """sctune in a process of its own, with nothing of the test's environment between it and its output."""
    argv = [sys.executable, "-I", "-m", "sctune", *arguments]
    return subprocess.run(argv, stderr=subprocess.PIPE, check=False, timeout=60, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("checks",)])
def test_a_reader_that_has_gone(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = command(*arguments, stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("checks",)])
def test_a_full_disk(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = command(*arguments, stdout=full)
    assert done.returncode == 2
    assert done.stderr == b"sctune: cannot write standard output: no space left on device\n"


def test_closed_standard_streams_are_no_files_of_ours(tmp_path: Path) -> None:
    """Without care the report's file would itself become standard output."""
    file = tmp_path / "report.json"
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-I", "-m", "sctune"]
    arguments = ["doctor", "--root", str(tmp_path), "--format", "json", "--output", str(file), "--check", "loop-limit"]
    (tmp_path / "etc").mkdir()
    done = subprocess.run([*shell, *arguments], check=False, timeout=60)
    assert done.returncode in (0, 3)
    assert json.loads(file.read_text())["host"]["source"] == "root"
    assert sorted(os.listdir(tmp_path)) == ["etc", "report.json"]
