"""Pressure stall information: how much of the time work stood still for want of disks or memory.

Source: Documentation/accounting/psi.rst. Linux 4.20; Red Hat's kernels have it switched off unless psi=1 is on the command line.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sctune.model.system import Pressure, Stall
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

FOLDER = "/proc/pressure"
_OFF = os.strerror(errno.EOPNOTSUPP)
_AVERAGES = ("avg10", "avg60", "avg300")


def probe(host: Host) -> Pressure | Unavailable:
    """The averages the kernel keeps. Absent where it keeps none."""
    found: list[tuple[Stall, Stall]] = []
    for name in ("io", "memory"):
        path = f"{FOLDER}/{name}"
        text = host.read(path)
        if isinstance(text, Unavailable):
            # Where PSI is switched off, some kernels have the files and refuse to open them.
            off = text.reason is Reason.FAILED and text.detail == _OFF
            return Unavailable(reason=Reason.ABSENT, what=path, detail="switched off (psi=1)") if off else text
        stalls = parse(text)
        if stalls is None:
            return Unavailable(reason=Reason.MALFORMED, what=path, detail="no lines some and full with avg10, avg60 and avg300")
        found.append(stalls)
    (io_some, io_full), (memory_some, memory_full) = found
    return Pressure(io_some=io_some, io_full=io_full, memory_some=memory_some, memory_full=memory_full)


def parse(text: str) -> tuple[Stall, Stall] | None:
    """The lines `some` and `full` of one file; None where either is missing or not as documented."""
    stalls: dict[str, Stall] = {}
    for line in text.splitlines():
        kind, *fields = line.split() or [""]
        shares = dict(field.partition("=")[::2] for field in fields)
        values = [_share(shares.get(name, "")) for name in _AVERAGES]
        avg10, avg60, avg300 = values
        if kind in ("some", "full") and avg10 is not None and avg60 is not None and avg300 is not None:
            stalls[kind] = Stall(avg10=avg10, avg60=avg60, avg300=avg300)
    return (stalls["some"], stalls["full"]) if stalls.keys() >= {"some", "full"} else None


def _share(text: str) -> float | None:
    """A number of per cent with two decimals, as a ratio."""
    whole, _, part = text.partition(".")
    if not (whole.isascii() and whole.isdecimal() and len(whole) <= 3 and (not part or (part.isascii() and part.isdecimal()))):
        return None
    share = round(float(f"{whole}.{part[:2] or 0}") / 100, 4)
    return share if share <= 1 else None
