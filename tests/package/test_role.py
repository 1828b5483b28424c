"""The role of the Ansible collection installs the Debian package: in a Debian of its own, with that Debian's Python."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sctune.version import VERSION
from tests.ansible.running import play, program

from .debian import PATH, inside
from .test_lifecycle import next_version

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ansible.running import Played

    from .debian import System

pytestmark = pytest.mark.thorough
INSTALL, CONFIGURE = "Install the package", "Write the configuration"


def test_installed_configured_upgraded_and_left_alone(system: System, deb: Path, tmp_path: Path) -> None:
    line = " ".join(f"'{word}'" for word in inside(system.root))
    enter = program(tmp_path / "enter", f'exec env -i PATH={PATH} HOME=/root LC_ALL=C.UTF-8 {line} "$1"')
    host = {"ansible_connection": "inside", "inside_enter": enter, "ansible_python_interpreter": "/usr/bin/python3"}
    groups = {"storage_controllers": {"hosts": {"sc1": host}}}

    def run(package: Path, *options: str) -> Played:
        variables = {
            "storage_host_package": os.fspath(package),
            "storage_host_profile": "",
            "storage_host_config": {"loop_limit": 64},
        }
        done = play(tmp_path, "sctune.storage.cloud", {"children": groups, "vars": variables}, "--tags", "setup", *options)
        assert done.status == 0, done.output
        return done

    fresh = run(deb, "--check")
    assert "/usr/sbin/sctune is not there yet" in fresh.output
    assert not (system.root / "usr/sbin/sctune").exists()

    first = run(deb)
    assert {INSTALL, CONFIGURE} <= set(first.changed)
    assert system.check("sctune --version") == f"sctune {VERSION}\n"
    assert "loop_limit: 64" in (system.root / "etc/sctune/sctune.yaml").read_text()
    assert run(deb).changed == []

    upgraded = run(renamed(next_version(deb, tmp_path)))
    assert INSTALL in upgraded.changed
    assert CONFIGURE not in upgraded.changed, "the package has put its configuration over the role's"
    assert system.check("dpkg-query -W -f '${Version}' sctune") == f"{VERSION}-2"


def renamed(package: Path) -> Path:
    """The package under the name that `make deb` would give it."""
    return package.rename(package.with_name(f"sctune_{VERSION}-2_amd64.deb"))
