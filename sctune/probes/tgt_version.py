"""Which tgt is installed, by the package manager where its database is a file, else by a command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.tgt_tuning import TgtVersion
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

_DEADLINE = 3.0
_STATUS = "/var/lib/dpkg/status"
_VERSION = re.compile(r"\s*(\d+(?:\.\d+)+\S*)\s*\Z")
_UPSTREAM = re.compile(r"(?:\d+:)?(\d+(?:\.\d+)*)")
_DPKG = ("dpkg-query", "--show", "--showformat", "${Version}", "tgt")
_RPM = ("rpm", "--query", "--queryformat", "%{VERSION}-%{RELEASE}", "scsi-target-utils")


def probe(host: Host) -> TgtVersion | Unavailable:
    """Absent without tgt. A tgt that no package manager knows was built here, and tgtadm tells its version."""
    package = _package(host)
    if package:
        return TgtVersion(version=upstream(package), package=package)
    completed = host.run(("tgtadm", "--version"), timeout=_DEADLINE)
    if isinstance(completed, Unavailable):
        return completed
    version = parse_version(completed.stdout)
    if completed.status or not version:
        return Unavailable(reason=Reason.MALFORMED, what="tgtadm --version", detail=completed.stdout.strip()[:60])
    return TgtVersion(version=version, package="")


def parse_version(text: str) -> str:
    """`1.0.85`; "" for anything that is no version."""
    match = _VERSION.match(text)
    return match[1] if match else ""


def upstream(package: str) -> str:
    """`1.0.85` of `1:1.0.85-1+deb12u1`."""
    match = _UPSTREAM.match(package)
    return match[1] if match else ""


def parse_status(text: str) -> str:
    """The version of the installed package tgt in dpkg's database, "" where it is not installed (deb-control(5))."""
    start = 0 if text.startswith("Package: tgt\n") else text.find("\nPackage: tgt\n") + 1
    if start == 0 and not text.startswith("Package: tgt\n"):
        return ""
    end = text.find("\n\n", start)
    fields = dict(line.split(": ", 1) for line in text[start : None if end < 0 else end].split("\n") if ": " in line)
    return upstream(fields.get("Version", "")) and fields["Version"] if fields.get("Status", "").endswith(" installed") else ""


def _package(host: Host) -> str:
    text = host.read(_STATUS)
    if isinstance(text, str):
        version = parse_status(text)
        if version:
            return version
        commands: tuple[tuple[str, ...], ...] = (_RPM,)
    else:
        # Larger than what is read of a file: dpkg has to be asked.
        commands = (_RPM,) if text.reason is Reason.ABSENT else (_DPKG, _RPM)
    for argv in commands:
        completed = host.run(argv, timeout=_DEADLINE)
        if not isinstance(completed, Unavailable) and completed.status == 0 and upstream(completed.stdout.strip()):
            return completed.stdout.strip()
    return ""
