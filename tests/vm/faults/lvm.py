"""Faults of LVM and device-mapper below one volume."""

from __future__ import annotations

from tests.vm.hosts.overlay import dm_name

from .base import Expected, VolumeFault

FAULTS = (
    VolumeFault(
        name="lv-suspended",
        breaks=lambda volume: [f"dmsetup suspend {dm_name(volume.lv)}"],
        expects=lambda volume: (Expected(code="LVM_LV_SUSPENDED", severity="critical", subject=volume.name),),
        facts=lambda volume: [f"dmsetup info -c --noheadings -o suspended {dm_name(volume.lv)} | grep -qx Suspended"],
        late=True,
    ),
)
