"""Which host a command looks at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sctune.errors import UserError

if TYPE_CHECKING:
    from sctune.host.base import Host


def open_host(from_path: str | None, root: str | None) -> Host:
    """The live machine, or the capture or sos archive (a file or a folder) or the file tree that was named.

    A live host has a child process: close it (`close`) when done. Raises UserError.
    """
    if from_path is not None and root is not None:
        raise UserError("--from and --root name two different hosts", "Give one of them.")
    if from_path is not None:
        from sctune.host.bundle import read_bundle
        from sctune.host.capture import CaptureHost
        from sctune.host.unpack import SosFound

        try:
            return CaptureHost(read_bundle(from_path))
        except SosFound:
            from sctune.host.sos.host import open_archive

            return open_archive(from_path)
    if root is not None:
        return _open_root(root)
    from sctune.host.live import LiveHost

    return LiveHost()


def _open_root(root: str) -> Host:
    from sctune.host.root import RootHost

    if not os.path.isdir(root):
        what = "is not a folder" if os.path.lexists(root) else "does not exist"
        raise UserError(
            f"--root {root} {what}", "Name the folder that a host's / is mounted or copied to; a capture is read with --from."
        )
    if os.path.isfile(os.path.join(root, "capture.json")):
        raise UserError(f"{root} is a capture, not a file tree", f"Read it with --from {root}.")
    try:
        names = set(os.listdir(root))
    except OSError as error:
        raise UserError(f"cannot read {root}: {os.strerror(error.errno or 0)}", "Run it as somebody who may.") from error
    if "sos_commands" in names:
        raise UserError(
            f"{root} is an unpacked sos archive, not a file tree",
            f"Read it with --from {root}.",
        )
    if not names & {"etc", "proc", "sys", "run", "var"}:
        raise UserError(
            f"{root} does not look like the root of a system: it has none of etc, proc, sys, run, var", "Name another folder."
        )
    return RootHost(root)
