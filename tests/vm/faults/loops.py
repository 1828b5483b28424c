"""Faults of loop devices and their backing files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vm.hosts.overlay import dm_name

from .base import Expected, VolumeFault

if TYPE_CHECKING:
    from tests.vm.hosts.overlay import Volume

# An LV that became active later than that may still be on the way to its target, so the doctor waits; 60 s in the documentation.
_BEING_ATTACHED_SECONDS = 62


def _leaked(volume: Volume) -> tuple[Expected, ...]:
    return (Expected(code="LOOP_LEAKED", severity="warning", subject=volume.name),)


def _resized(volume: Volume) -> tuple[Expected, ...]:
    return (Expected(code="LOOP_SIZE_MISMATCH", severity="warning", subject=volume.name),)


def _until_old(volume: Volume) -> list[str]:
    since = f"$(sed -n 's/^I:\\(.*\\)......$/\\1/p' /run/udev/data/b$(lsblk -dnro MAJ:MIN {volume.lv}))"
    return [
        f"since={since}",
        f"until test $(cut -d. -f1 /proc/uptime) -gt $((since + {_BEING_ATTACHED_SECONDS})); do sleep 1; done",
    ]


def _not_exported(volume: Volume) -> str:
    return f"! tgtadm --lld iscsi --mode target --op show | grep -q {volume.lv}$"


def _sizes(volume: Volume, comparison: str) -> str:
    return f"test $(stat -c %s {volume.file}) {comparison} $(blockdev --getsize64 {volume.loop})"


FAULTS = (
    VolumeFault(
        name="backing-deleted",
        breaks=lambda volume: [f"rm {volume.file}"],
        expects=lambda volume: (Expected(code="LOOP_BACKING_DELETED", severity="critical", subject=volume.name),),
        facts=lambda volume: [f"grep -qx '{volume.file} (deleted)' /sys/block/loop*/loop/backing_file"],
    ),
    VolumeFault(
        name="backing-replaced",
        # As by `mv NEW FILE` or a restored backup: the name is there again, and nothing written goes to it.
        breaks=lambda volume: [f"rm {volume.file}", f"truncate -s {volume.file_bytes} {volume.file}"],
        expects=lambda volume: (Expected(code="LOOP_BACKING_DELETED", severity="critical", subject=volume.name),),
        facts=lambda volume: [f"grep -qx '{volume.file} (deleted)' /sys/block/loop*/loop/backing_file", f"test -f {volume.file}"],
    ),
    VolumeFault(
        name="two-loops",
        breaks=lambda volume: [f"losetup -f {volume.file}"],
        expects=lambda volume: (Expected(code="LOOP_DUPLICATE_BACKING", severity="critical", subject=volume.name),),
        facts=lambda volume: [f"test $(losetup -nO NAME -j {volume.file} | wc -l) = 2"],
    ),
    VolumeFault(
        name="leaked-active",
        attached=False,
        breaks=_until_old,
        expects=_leaked,
        facts=lambda volume: [_not_exported(volume), f"test -b {volume.lv}"],
        # By then it is old enough, where others were broken meanwhile.
        late=True,
    ),
    VolumeFault(
        name="leaked-inactive",
        attached=False,
        breaks=lambda volume: [f"vgchange -q -an {volume.vg} >/dev/null"],
        expects=_leaked,
        facts=lambda volume: [_not_exported(volume), f"! test -b {volume.lv}", f"test -b {volume.loop}"],
    ),
    VolumeFault(
        name="file-grown",
        breaks=lambda volume: [f"truncate -s +1G {volume.file}"],
        expects=_resized,
        facts=lambda volume: [_sizes(volume, "-gt")],
    ),
    VolumeFault(
        name="file-cut",
        # By a whole GiB, so that the length that is left is one that a volume may have.
        gib=2,
        breaks=lambda volume: [f"truncate -s -1G {volume.file}"],
        expects=_resized,
        facts=lambda volume: [_sizes(volume, "-lt")],
    ),
    VolumeFault(
        name="loop-gone",
        breaks=lambda volume: [f"loop={volume.loop}", f"dmsetup wipe_table {dm_name(volume.lv)}", "losetup -d $loop"],
        expects=lambda volume: (Expected(code="VOLUME_CHAIN_BROKEN", severity="critical", subject=volume.name),),
        facts=lambda volume: [
            f"test -z {volume.loop}",
            f"dmsetup table {dm_name(volume.lv)} | grep -q error",
            f"tgtadm --lld iscsi --mode target --op show | grep -q {volume.lv}$",
        ],
    ),
    VolumeFault(
        name="lazy-detach",
        breaks=lambda volume: [f"losetup -d {volume.loop}"],
        expects=lambda volume: (Expected(code="LOOP_DETACH_PENDING", severity="info", subject=volume.name),),
        facts=lambda volume: [f"test $(cat /sys/block/$(basename {volume.loop})/loop/autoclear) = 1"],
    ),
)
