"""The wheel: all that the package reads at run time is in it, and it runs by itself, outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.wheels import built

ROOT = Path(__file__).parents[2]
HOST = ROOT / "tests/scenarios/storage-controller-faults/host.tar.gz"
LINKED = ("checks", "exporters", "profiles")
"""Folders of the checkout that are packages below sctune by links."""

pytestmark = pytest.mark.spawns


def run(*argv: str, where: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(where), "LC_ALL": "C.UTF-8", **environment}
    return subprocess.run(argv, cwd=where, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is built of the checkout."""
    return built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """A folder with nothing but the wheel in it; what it depends on is the interpreter's."""
    target = wheel.parent / "installed"
    pip = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-index", "--no-deps")
    done = run(*pip, "--target", str(target), str(wheel), where=wheel.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def sctune(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(str(installed / "bin/sctune"), *arguments, where=installed.parent, PYTHONPATH=str(installed))


def test_every_file_of_the_package_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sctune").rglob("*") if path.is_file()}
    for folder in LINKED:
        wanted |= {f"sctune/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / folder).rglob("*") if path.is_file()}
    wanted |= {f"sctune/docs/codes/{path.name}" for path in (ROOT / "docs/codes").iterdir()} | {"sctune/docs/alerts.md"}
    units = {path.name for path in (ROOT / "packaging/systemd").iterdir()}
    assert {name for name in wanted if "/__pycache__/" not in name} <= names
    assert {name.rpartition("/")[2] for name in names if "/share/sctune/systemd/" in name} == units
    assert not [name for name in names if name.startswith(("tests/", "bench/", "checks/"))]


def test_it_is_the_installed_one_that_runs(installed: Path) -> None:
    where = "import sctune, sctune.checks as c, sctune.exporters as e; print(sctune.__file__, c.__path__, e.__path__)"
    done = run(sys.executable, "-P", "-c", where, where=installed.parent, PYTHONPATH=str(installed))
    assert done.stdout.count(str(installed)) == 3, done.stdout + done.stderr
    assert str(ROOT) not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain", "TGT_DOWN"), "TGT_DOWN"),
        (("profiles",), "enterprise-storage"),
        (("checks",), "SNAPSHOT_NOT_UPLOADED"),
        (("capture", "--script"), "#!/bin/sh"),
        (("apply-profile", "enterprise-storage", "--dry-run", "--from", str(HOST)), "vm.dirty"),
        (("metrics", "--from", str(HOST)), 'sctune_volume_state{state="'),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_commands_that_read_its_files(installed: Path, arguments: tuple[str, ...], said: str) -> None:
    done = sctune(installed, *arguments)
    assert done.returncode in (0, 4)  # 4: a plan that would change something
    assert done.stderr == ""
    assert said in done.stdout
    assert str(ROOT) not in done.stdout.replace(str(HOST), "")


def test_a_finding_leads_to_a_page_that_is_installed(installed: Path) -> None:
    done = sctune(installed, "doctor", "--from", str(HOST), "--format", "json")
    assert done.returncode == 1, done.stderr
    assert '"docs/codes/' in done.stdout
