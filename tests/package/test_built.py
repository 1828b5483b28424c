"""The Debian package as a file: what lintian says of it, and that what is in it runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sctune.version import VERSION

HOST = Path(__file__).parents[1] / "scenarios/storage-controller-faults/host.tar.gz"


@pytest.fixture(scope="module")
def tree(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its files and its scripts, unpacked."""
    folder = tmp_path_factory.mktemp("unpacked") / "tree"
    subprocess.run(("dpkg-deb", "-R", deb, folder), check=True)
    return folder


def test_lintian_has_no_errors_and_every_override_is_used(deb: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed")
    argv = ("lintian", "--allow-root", "--fail-on", "error,warning", str(deb))
    judged = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")


def test_nothing_in_it_tells_where_it_was_built(tree: Path) -> None:
    found = subprocess.run(("grep", "-rlE", r"/tmp/tmp\.", str(tree)), capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_it_runs_by_the_python_of_debian_and_finds_what_the_checkout_finds(tree: Path) -> None:
    python = (str(tree / "usr/lib/sctune/bin/python"), "-I", "-B", "-m", "sctune")
    assert subprocess.run((*python, "--version"), capture_output=True, text=True, check=True).stdout == f"sctune {VERSION}\n"
    looked = subprocess.run((*python, "doctor", "--from", str(HOST)), capture_output=True, text=True, check=False)
    assert (looked.returncode, looked.stderr) == (1, "")
    assert "LOOP_BACKING_DELETED" in looked.stdout


def test_only_the_configuration_is_the_administrators(tree: Path) -> None:
    assert (tree / "DEBIAN/conffiles").read_text() == "/etc/sctune/sctune.yaml\n"
    assert [path.name for path in tree.glob("etc/**/*") if path.is_file()] == ["sctune.yaml"]
    writable = subprocess.run(("find", tree, "-perm", "/022", "!", "-type", "l"), capture_output=True, text=True, check=True)
    assert writable.stdout == ""
