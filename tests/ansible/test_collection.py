"""The collection as a whole: Ansible's own sanity tests, building and installing it, and what has to be the same in two places."""

from __future__ import annotations

import shutil
import sys
import sysconfig
import tarfile
from typing import TYPE_CHECKING

import pytest
import yaml

from sctune.version import VERSION

from .running import COLLECTION, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.spawns
# pylint and the others' linters: ruff and shellcheck do that here.
PYTHON = "{}.{}".format(*sys.version_info)
LEFT = ("pylint", "pslint", "shellcheck")
# ansible-test wants each test's packages in an environment of its own, and a pip to put them there: both are lent.
PIP = f"""
import os, sysconfig
folder = sysconfig.get_path("purelib")
os.makedirs(f"{{folder}}/pip", exist_ok=True)
for name in ("__init__", "__main__"):
    open(f"{{folder}}/pip/{{name}}.py", "w").close()
with open(f"{{folder}}/lent.pth", "w") as file:
    file.write({sysconfig.get_path("purelib")!r} + "\\n")
"""


def test_sanity(tmp_path: Path) -> None:
    where = tmp_path / "ansible_collections/sctune/storage"
    shutil.copytree(COLLECTION, where, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    cache = tmp_path / ".ansible/test/cache"
    cache.mkdir(parents=True)
    (cache / "get_pip_24_2.py").write_text(PIP)
    skipped = [word for name in LEFT for word in ("--skip-test", name)]
    done = run(tmp_path, "ansible-test", "sanity", "--color", "no", "--python", PYTHON, *skipped, where=where)
    assert done.returncode == 0, done.stdout
    for name in ("validate-modules", "ansible-doc", "import", "compile", "yamllint", "runtime-metadata"):
        assert f'Running sanity test "{name}"' in done.stdout


def test_built_and_installed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    built = run(home, "ansible-galaxy", "collection", "build", str(COLLECTION), "--output-path", str(home))
    assert built.returncode == 0, built.stdout
    (archive,) = home.glob("sctune-storage-*.tar.gz")
    assert archive.name == f"sctune-storage-{VERSION}.tar.gz"
    with tarfile.open(archive) as found:
        names = {one.name for one in found if one.isfile()}
    ours = {path.relative_to(COLLECTION).as_posix() for path in COLLECTION.rglob("*") if path.is_file()}
    left = {"galaxy.yml"}
    assert {name for name in ours if "__pycache__" not in name} - left <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(".")]
    into = tmp_path / "into"
    options = ("--offline", "--force", "--collections-path", str(into))
    done = run(home, "ansible-galaxy", "collection", "install", str(archive), *options)
    assert done.returncode == 0, done.stdout
    assert (into / "ansible_collections/sctune/storage/plugins/modules/profile.py").exists()


def test_one_version() -> None:
    assert yaml.safe_load((COLLECTION / "galaxy.yml").read_text())["version"] == VERSION


def test_every_variable_of_the_role_is_documented() -> None:
    role = COLLECTION / "roles/storage_host"
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert list(defaults) == list(options)
    for name, option in options.items():
        if "default" in option:
            assert option["default"] == defaults[name]
