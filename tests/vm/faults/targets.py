"""Faults of one volume's export and of its session."""

from __future__ import annotations

from dataclasses import replace

from .base import Expected, VolumeFault

FAULTS = (
    VolumeFault(
        name="open-access",
        attached=False,
        breaks=lambda volume: replace(volume.export(), chap=False).lines(),
        expects=lambda volume: (Expected(code="TARGET_OPEN_ACCESS", severity="warning", subject=volume.name),),
        facts=lambda volume: [f"tgtadm --lld iscsi --mode target --op show | grep -q {volume.iqn}$"],
    ),
)
