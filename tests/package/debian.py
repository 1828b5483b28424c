"""A small Debian in a folder: made by debootstrap once, copied for each use, and run in namespaces of its own.

The cache is ``$XDG_CACHE_HOME/sctune-deb`` (``~/.cache/sctune-deb``), about 350 MB. A folder appears under its final name only when
it is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

RELEASE = "bookworm"
PYTHON = "3.11"
# systemd: the units are enabled, and the group is made. The shells: their completion is tried.
PACKAGES = ("python3", "man-db", "systemd", "zsh", "fish")
MIRROR = "http://deb.debian.org/debian"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# All that is mounted is gone with the command: nothing to clean up, whatever happens. The host's devices are not in it.
_INSIDE = 'mount -t proc proc "$0/proc" && mount -t sysfs -o ro sysfs "$0/sys" && exec chroot "$0" /bin/bash -c "$1"'


class SystemUnavailable(RuntimeError):
    """It cannot be made here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended."""

    status: int
    output: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One such Debian."""

    root: Path

    def run(self, command: str, *, timeout: float = 120.0, **environment: str) -> Done:
        """Runs a line of bash as its root, where no process of the computer can be seen."""
        argv = (*inside(self.root), command)
        env = {"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **environment}
        ended = subprocess.run(
            argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
        return Done(status=ended.returncode, output=ended.stdout, error=ended.stderr)

    def check(self, command: str, **environment: str) -> str:
        """The same for one that has to succeed: its output."""
        done = self.run(command, timeout=120.0, **environment)
        assert done.status == 0, f"{command}: {done.status}\n{done.output}\n{done.error}"
        return done.output

    def files(self) -> dict[str, str]:
        """Path -> checksum of a file, target of a link, "" of a folder."""
        found = {}
        for folder, names, files in os.walk(self.root):
            for name in (*names, *files):
                path = Path(folder, name)
                if path.is_symlink():
                    said = str(path.readlink())
                else:
                    said = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
                found[str(path.relative_to(self.root))] = said
        return found


def inside(root: Path) -> tuple[str, ...]:
    """What runs a line of bash, its last argument, in the Debian of a folder."""
    return ("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", _INSIDE, str(root))


def base() -> Path:
    """The one that is copied, from the cache or from Debian."""
    if os.geteuid() != 0:
        raise SystemUnavailable("only root can make a Debian in a folder")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sctune-deb"
    folder = cache / "-".join((RELEASE, *PACKAGES))
    if folder.is_dir():
        return folder
    program = shutil.which("debootstrap", path=PATH)
    if program is None:
        raise SystemUnavailable("debootstrap is not installed: install debootstrap")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".new-") as temporary:
        new = Path(temporary, "root")
        argv = (program, "--variant=minbase", f"--include={','.join(PACKAGES)}", RELEASE, str(new), MIRROR)
        made = subprocess.run(
            argv, capture_output=True, text=True, timeout=600, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
        if made.returncode:
            raise SystemUnavailable(f"debootstrap: {(made.stdout + made.stderr).strip().splitlines()[-1]}")
        shutil.rmtree(new / "var/cache/apt/archives", ignore_errors=True)
        try:
            new.rename(folder)
        except OSError:
            if not folder.is_dir():  # another run was first: its copy is as good
                raise
    return folder


def copy(folder: Path) -> System:
    """A Debian to be changed, at a folder that is not there yet."""
    subprocess.run(("cp", "-a", "--reflink=auto", str(base()), str(folder)), check=True)
    return System(root=folder)
