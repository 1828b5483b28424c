"""multipath-tools for the test machine: Debian's packages, unpacked into a cache and never installed on the host, whose udev would
otherwise follow their rules."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .kernel import cache_folder, run_program

PACKAGES = ("multipath-tools", "liburcu8")


def obtain() -> Path:
    """The folder with both packages' files. It appears under this name only when it is complete.

    :raises MachineUnavailable: a package cannot be had.
    """
    folder = cache_folder() / "multipath-tools"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as temporary:
        work = Path(temporary)
        run_program(["apt-get", "download", *PACKAGES], package="apt", cwd=work)
        tree = work / "tree"
        for package in sorted(work.glob("*.deb")):
            run_program(["dpkg", "-x", str(package), str(tree)], package="dpkg")
        try:
            tree.rename(folder)
        except OSError:
            if not folder.is_dir():  # another run was first: its copy is as good
                raise
    return folder


def start(configuration: str) -> list[str]:
    """Shell lines that bring the programs into the machine and start multipathd with this multipath.conf; then there is a map over
    every iSCSI disk, one for the paths that lead to the same."""
    folder = obtain()
    return [
        f"cp -a {folder}/sbin/multipath {folder}/sbin/multipathd /usr/sbin/",
        f"cp -a {folder}/lib/lib*.so.0* {folder}/lib/multipath /usr/lib/",
        f"cp -a {folder}/usr/lib/*/liburcu* $(dirname $(ldconfig -p | sed -n 's/.*libc.so.6 .*=> //p' | head -1))/",
        "modprobe -a dm_multipath dm_service_time",
        f"mkdir -p /etc/multipath && printf '%b' '{configuration}' > /etc/multipath.conf",
        "multipathd",
        "until multipathd show daemon 2>/dev/null | grep -q idle; do sleep 0.2; done",
        "udevadm settle",
    ]
