"""Paths as they are compared."""

from __future__ import annotations

import os


def normalise(path: str) -> str:
    """One spelling of a path (Eucalyptus 3.x writes //var/lib/…). The kernel shows no symbolic link and no "..", and
    POSIX' meaning of exactly two leading slashes does not exist on Linux."""
    normal = os.path.normpath(path)
    return normal[1:] if normal.startswith("//") else normal
