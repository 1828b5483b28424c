"""The package, built once, and systems to install it in. Where they cannot be had, the tests are skipped and say why; with
``SCTUNE_REQUIRE_VM=1`` they fail instead."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from . import debian

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILD = Path(__file__).resolve().parents[2] / "packaging/deb/build"


def pytest_itemcollected(item: pytest.Item) -> None:
    """One after another, and in one process: what they share takes half a minute to make."""
    item.add_marker(pytest.mark.spawns)
    item.add_marker(pytest.mark.xdist_group("package"))


def _unavailable(why: str) -> None:
    if os.environ.get("SCTUNE_REQUIRE_VM") == "1":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, as `make deb` builds it."""
    if shutil.which("dpkg-shlibdeps") is None:
        _unavailable("this is no Debian with dpkg-dev")
    found = subprocess.run(("/usr/bin/python3", "--version"), capture_output=True, text=True, check=False).stdout.split()
    if not found or not found[1].startswith(f"{debian.PYTHON}."):
        _unavailable(f"the package would be for another Python than that of Debian {debian.RELEASE}")
    folder = tmp_path_factory.mktemp("deb")
    built = subprocess.run((BUILD, folder), capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (package,) = folder.glob("*.deb")
    return package


@pytest.fixture
def system(tmp_path: Path) -> Iterator[debian.System]:
    """A Debian without sctune."""
    yield from _system(tmp_path / "system")


@pytest.fixture(scope="session")
def installed(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[debian.System]:
    """One with it, for tests that leave it as it is."""
    for made in _system(tmp_path_factory.mktemp("installed") / "system"):
        shutil.copy(deb, made.root / "sctune.deb")
        made.check("dpkg -i /sctune.deb")
        yield made


def _system(folder: Path) -> Iterator[debian.System]:
    try:
        made = debian.copy(folder)
    except debian.SystemUnavailable as error:
        _unavailable(str(error))
        raise
    yield made
    shutil.rmtree(folder)
