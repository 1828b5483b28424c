"""The doctor in the hands of somebody who is not root, and in surroundings that nobody thought of."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.conftest import Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.spawns]

UID = 65534
CHECKOUT = Path(__file__).parents[2]
TOOLS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OUTCOMES = (0, 1, 3)


def as_nobody(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, user=UID, group=UID, extra_groups=[], cwd="/", capture_output=True, text=True, check=False, timeout=60, **options
    )


def readable(path: str) -> bool:
    return as_nobody(["/usr/bin/test", "-r", path], env={}).returncode == 0


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@dataclass(frozen=True)
class Sctune:
    """sctune and an interpreter where an ordinary user can read them."""

    python: str
    path: str
    home: str

    def __call__(self, *arguments: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
        variables: dict[str, str | None] = {
            "PATH": TOOLS,
            "PYTHONPATH": self.path,
            "PYTHONHOME": self.home or None,
            "HOME": "/nonexistent",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        variables |= environment
        env = {name: value for name, value in variables.items() if value is not None}
        return as_nobody([self.python, "-m", "sctune", *arguments], env=env, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def sctune() -> Iterator[Sctune]:
    """Used where it is if everything is readable there; else from a copy (a checkout or interpreter in root's home)."""
    folder = tempfile.mkdtemp(prefix="sctune-nobody-")
    os.chmod(folder, 0o755)
    python, home = _interpreter(folder)
    packages = [str(CHECKOUT), sysconfig.get_path("purelib")]
    for number, source in enumerate(packages):
        if not readable(source):
            packages[number] = f"{folder}/packages{number}"
            wanted = None if number else shutil.ignore_patterns(".*", "tests", "build", "docs")
            shutil.copytree(source, packages[number], ignore=wanted, copy_function=link_or_copy)
    yield Sctune(python=python, path=":".join(packages), home=home)
    shutil.rmtree(folder)


def _interpreter(folder: str) -> tuple[str, str]:
    """Ours, the system's of the same version, or a copy of ours, with its PYTHONHOME."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (os.path.realpath(sys.executable), f"/usr/bin/{version}"):
        if os.path.exists(candidate) and readable(candidate):
            return candidate, ""
    os.makedirs(f"{folder}/home/bin")
    skip = shutil.ignore_patterns("site-packages", "test", "__pycache__", "config-*")
    shutil.copytree(f"{sys.base_prefix}/lib/{version}", f"{folder}/home/lib/{version}", ignore=skip, copy_function=link_or_copy)
    for library in Path(sys.base_prefix, "lib").glob("libpython*"):
        link_or_copy(str(library), f"{folder}/home/lib/{library.name}")
    link_or_copy(os.path.realpath(sys.executable), f"{folder}/home/bin/{version}")
    return f"{folder}/home/bin/{version}", f"{folder}/home"


def healthy(done: subprocess.CompletedProcess[str]) -> str:
    """What was printed, after seeing that it is a report and not an accident."""
    assert "Traceback" not in done.stderr + done.stdout
    assert "defect" not in done.stderr + done.stdout
    assert done.returncode in OUTCOMES, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_text_asks_for_root_exactly_once(sctune: Sctune) -> None:
    text = healthy(sctune("doctor"))
    # Not the root of a path (/root, pytest-of-root).
    assert len(re.findall(r"(?<![/-])root\b", text.lower())) == 1, text


def test_it_is_incomplete_and_says_so(sctune: Sctune) -> None:
    done = sctune("doctor", "--fail-on", "never", "--format", "json")
    report = json.loads(healthy(done))
    denied = [item for check in report["checks"] for item in check["unexamined"] if item["reason"] == "denied"]
    assert denied, "on this machine LVM at least is for root"
    assert done.returncode in (0, 3)
    unknown = [check["check"] for check in report["checks"] if check["status"] == "unknown"]
    assert report["summary"]["unknown"] == len(unknown)
    assert all(check["reason"] for check in report["checks"] if check["status"] in ("unknown", "not_applicable"))


def test_what_everybody_may_see_is_judged(sctune: Sctune, loops: Loops) -> None:
    """sysfs shows loop devices to everybody; their files, in a folder that is root's, it cannot look at."""
    loops.attach(loops.file("vol-00000D01"))
    report = json.loads(healthy(sctune("doctor", "--format", "json")))
    by_name = {check["check"]: check for check in report["checks"]}
    assert by_name["loop-limit"]["examined"] >= 1
    wrong = [
        finding for finding in report["findings"] if finding["severity"] != "info" and str(loops.folder) in json.dumps(finding)
    ]
    assert wrong == []


def test_a_tgtd_that_may_not_be_asked_is_not_down(sctune: Sctune, tgt: Tgt) -> None:
    report = json.loads(healthy(sctune("doctor", "--format", "json")))
    assert not {"TGT_DOWN", "TGT_UNRESPONSIVE"} & {finding["code"] for finding in report["findings"]}
    by_name = {check["check"]: check for check in report["checks"]}
    assert by_name["target-luns"]["status"] == "unknown"
    assert {item["reason"] for item in by_name["target-luns"]["unexamined"]} == {"denied"}


@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": None},
        {"TERM": "dumb"},
        {"TERM": ""},
        {"COLUMNS": "20"},
        {"COLUMNS": "0"},
        {"COLUMNS": "wide"},
        {"LANG": "C", "LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "no_SUCH.locale"},
        {"PYTHONWARNINGS": "error"},
        {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"},
        {"PATH": None},
        {"PATH": "/nonexistent"},
        {"PYTHONOPTIMIZE": "2"},
        {"TZ": "No/Such"},
        {"NO_COLOR": "1", "FORCE_COLOR": "1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("format_", ["text", "json"])
def test_odd_surroundings(sctune: Sctune, environment: dict[str, str | None], format_: str) -> None:
    text = healthy(sctune("doctor", "--format", format_, **environment))
    assert text.endswith("\n")
    assert "\x1b" not in text
    if format_ == "json":
        json.loads(text)


def test_a_narrow_terminal_is_kept_to_where_words_allow(sctune: Sctune) -> None:
    for line in healthy(sctune("doctor", COLUMNS="40")).splitlines():
        if len(line) > 40:
            assert max(map(len, line.split())) > 20, line


def test_plain_ascii_where_the_locale_has_nothing_else(sctune: Sctune) -> None:
    text = healthy(sctune("doctor", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"))
    assert text.isascii(), {unicodedata.name(character) for character in text if not character.isascii()}


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_closed_streams(sctune: Sctune, closed: str) -> None:
    command = f'exec "$0" -m sctune doctor --format json {closed}'
    done = as_nobody(["sh", "-c", command, sctune.python], env={"PATH": TOOLS, "PYTHONPATH": sctune.path})
    assert done.returncode in OUTCOMES
    assert "Traceback" not in done.stderr
    json.loads(done.stdout)


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["doctor", "--help"], ["checks"], ["explain", "LOOP_LIMIT_NEAR"]])
def test_other_commands(sctune: Sctune, arguments: list[str]) -> None:
    done = sctune(*arguments, HOME=None, TERM="dumb")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_no_files_are_left_anywhere(sctune: Sctune) -> None:
    with tempfile.TemporaryDirectory() as home:
        os.chown(home, UID, UID)
        healthy(sctune("doctor", HOME=home, XDG_CACHE_HOME=home, TMPDIR=home))
        assert os.listdir(home) == []
