"""Which tgt is installed, by tgtadm and by the package manager."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.tgt_tuning import TgtVersion
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

_DEADLINE = 3.0
_VERSION = re.compile(r"\s*(\d+(?:\.\d+)+\S*)\s*\Z")
_PACKAGES = (
    ("dpkg-query", "--show", "--showformat", "${Version}", "tgt"),
    ("rpm", "--query", "--queryformat", "%{VERSION}-%{RELEASE}", "scsi-target-utils"),
)


def probe(host: Host) -> TgtVersion | Unavailable:
    """Absent without tgtadm. A tgt that no package manager knows was built here."""
    completed = host.run(("tgtadm", "--version"), timeout=_DEADLINE)
    if isinstance(completed, Unavailable):
        return completed
    version = parse_version(completed.stdout)
    if completed.status or not version:
        return Unavailable(reason=Reason.MALFORMED, what="tgtadm --version", detail=completed.stdout.strip()[:60])
    return TgtVersion(version=version, package=_package(host))


def parse_version(text: str) -> str:
    """`1.0.85`; "" for anything that is no version."""
    match = _VERSION.match(text)
    return match[1] if match else ""


def _package(host: Host) -> str:
    for argv in _PACKAGES:
        completed = host.run(argv, timeout=_DEADLINE)
        if not isinstance(completed, Unavailable) and completed.status == 0 and completed.stdout.strip():
            return completed.stdout.strip()
    return ""
