"""What must survive a crash of the machine."""

from __future__ import annotations

import os
from contextlib import suppress


def sync_folder(folder: str) -> None:
    """fsync(2) of a folder, after a name in it was made. What it names is whole already; a file system that cannot sync a
    folder is no reason to say otherwise."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
