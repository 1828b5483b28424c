"""Whether tgt is older than mends that matter."""

from __future__ import annotations

import re

from sctune.check import Check, Look, Result, not_applicable
from sctune.findings import Code, Risk, Severity, evidence
from sctune.tgt_process import daemon_subject
from sctune.unavailable import need

_MENDS = (
    ((1, 0, 67), "NOP-Ins leak memory and can close a connection twice"),
    ((1, 0, 70), "a forced delete of a target uses freed memory"),
    ((1, 0, 89), "the send loop can spin at 100 % of a processor"),
    ((1, 0, 90), "UNMAP on a block device fails"),
    ((1, 0, 93), "CHAP challenges repeat, so that a login can be replayed (CVE-2024-45751)"),
)
"""Upstream's version, and what is wrong before it."""
_CURRENT = _MENDS[-1][0]
_MENDED = (re.compile(r"(?:\d+:)?1\.0\.85-1\+deb12u[1-9]"),)
"""Packages of older versions that carry the fix for CVE-2024-45751 (its changelog)."""

TGT_VERSION_OLD = Code(
    code="TGT_VERSION_OLD",
    severities=(Severity.INFO,),
    title="tgt is older than mends that matter",
    meaning="The tgt that is installed is older than upstream's 1.0.93, and the package is not known to carry the mends of later "
    "versions. Distributors mend faults without raising the version: it may be patched.",
    why="What is wrong in the versions before is in the evidence. The worst: before 1.0.93 who overheard CHAP can replay it.",
    thresholds="Upstream's version below 1.0.93, except packages known to carry the fix for CVE-2024-45751: Debian 12's "
    "1.0.85-1+deb12u1.",
    see=("tgtadm --version", "dpkg-query -W tgt", "rpm -q --changelog scsi-target-utils | head -20"),
    remedy="Read the package's changelog. Where it lacks a mend that matters, upgrade, and restart tgtd when its exports can "
    "be made again: what was made by bare tgtadm is lost by a restart.",
    risk=Risk.DISRUPTIVE,
    source="fujita/tgt, commits 01461ee, 97a7995, 077a99d, faa3bcb, 4fcb60f, fa97d3d, abd8e0d; Debian's changelog of tgt",
)


def version(look: Look) -> Result:
    """The version that is installed."""
    tgt = need(look.inventory.tgt)
    if not tgt.daemons and not tgt.unanswered:
        return not_applicable("no tgtd runs")
    installed = need(look.inventory.tgt_version)
    numbers = tuple(int(part) for part in re.findall(r"\d{1,9}", installed.version)[:4])
    if not numbers or numbers >= _CURRENT or any(known.match(installed.package) for known in _MENDED):
        return Result(examined=1)
    wrong = tuple(f"before {'.'.join(map(str, since))}: {what}" for since, what in _MENDS if numbers < since)
    finding = TGT_VERSION_OLD.found(
        daemon_subject(0),
        f"tgt {installed.version} is older than mends that matter; it may be patched by the distributor",
        evidence(
            version=installed.version,
            package=installed.package or "none that the package manager knows",
            mended_since=wrong,
            source="dpkg, rpm or tgtadm --version",
        ),
    )
    return Result(examined=1, findings=(finding,))


CHECKS: tuple[Check, ...] = (
    Check(name="tgt-version", title="tgt has the mends that matter", codes=(TGT_VERSION_OLD,), needs=("tgt",), run=version),
)
