"""Hosts that are namespaces: a network of their own with its settings, a name, and the folders that sctune and a role write to.

All else is this computer's. What is mounted there is gone with the last process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .running import program

if TYPE_CHECKING:
    from collections.abc import Iterator

# Nothing of these is needed there but what tools look up by them.
ETC = ("passwd", "group", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "os-release")
OWN = ("/etc", "/run", "/opt", "/usr/local/sbin", "/var/lib")
_BEGIN = """
set -e
hostname "$1"
shift
for folder; do mount --bind "$ROOT$folder" "$folder"; done
echo ready
exec sleep infinity
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """One such host. `root` has its folders, at their own paths; `enter` runs a line of shell in it."""

    name: str
    root: Path
    enter: str

    def check(self, command: str) -> str:
        """The output of a line of shell, which has to succeed."""
        done = subprocess.run(
            (self.enter, command), capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def variables(self, python: str, **more: object) -> dict[str, object]:
        """Its entry in an inventory."""
        return {
            "ansible_connection": "inside",
            "inside_enter": self.enter,
            "ansible_python_interpreter": python,
            "ansible_remote_tmp": "/run/ansible",
            **more,
        }


@contextmanager
def namespace(folder: Path, name: str) -> Iterator[Namespace]:
    """A host of that name, with its folders below `folder`."""
    if os.geteuid() != 0 or shutil.which("nsenter") is None:
        pytest.skip("namespaces take root")
    root = folder / name
    for own in OWN:
        (root / own[1:]).mkdir(parents=True)
    for one in ETC:
        source, copy = Path("/etc", one), root / "etc" / one
        if source.is_dir():
            shutil.copytree(source, copy, symlinks=True)
        elif source.exists():
            shutil.copy(source, copy)
    kinds = ("--mount", "--net", "--uts")
    argv = ("unshare", *kinds, "sh", "-c", _BEGIN, "sh", name, *OWN)
    process = subprocess.Popen(argv, env={**os.environ, "ROOT": str(root)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            pytest.skip("namespaces cannot be made here")
        line = f'exec nsenter --target {process.pid} {" ".join(kinds)} sh -c "$1"'
        yield Namespace(name=name, root=root, enter=program(folder / f"enter-{name}", line))
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
