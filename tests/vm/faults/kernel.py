"""What the kernel has said or knows: an LV that lost a write, a disk with unreadable sectors, an array that lost a member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vm.hosts.overlay import dm_name

from .base import Expected, HostFault, VolumeFault
from .stores import without_snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume


def _lost_write(volume: Volume) -> list[str]:
    """For a moment the LV is an error target; a page written meanwhile is lost. Then it is what it was, and only the log tells."""
    name = dm_name(volume.lv)
    return [
        f"table=$(dmsetup table {name})",
        f"sectors=$(blockdev --getsz {volume.lv})",
        f"dmsetup suspend {name}",
        f'dmsetup load {name} --table "0 $sectors error"',
        f"dmsetup resume {name}",
        f"dd if=/dev/zero of={volume.lv} bs=4096 count=1 seek=4096 conv=fsync,notrunc status=none 2>/dev/null || true",
        f"dmsetup suspend {name}",
        f'dmsetup load {name} --table "$table"',
        f"dmsetup resume {name}",
    ]


def _unreadable(_volumes: Sequence[Volume]) -> list[str]:
    """A disk of the kernel's own making, whose sectors from 0x1234 on cannot be read (scsi_debug, opts=2)."""
    return [
        "modprobe scsi_debug dev_size_mb=16 opts=2",
        "until grep -qs scsi_debug /sys/block/sd*/device/model; do sleep 0.2; done",
        "udevadm settle",
        "disk=$(dirname $(dirname $(grep -l scsi_debug /sys/block/sd*/device/model)))",
        "dd if=/dev/${disk##*/} of=/dev/null bs=64K status=none 2>/dev/null && exit 1",
        # A mirror of two loop devices; one fails.
        "modprobe raid1",
        "truncate -s 16M /run/member-a /run/member-b",
        "a=$(losetup -f --show /run/member-a) b=$(losetup -f --show /run/member-b)",
        "mdadm --create /dev/md7 --quiet --run --level=1 --raid-devices=2 --bitmap=none $a $b </dev/null",
        "mdadm --quiet --wait /dev/md7 || true",
        "mdadm --quiet /dev/md7 --fail $b",
        "udevadm settle",
    ]


FAULTS = (
    VolumeFault(
        name="write-lost",
        breaks=_lost_write,
        expects=lambda volume: (Expected(code="KERNEL_STORAGE_ERRORS", severity="warning", subject=volume.name),),
        facts=lambda volume: [
            f'dmesg | grep -q "error on dev $(basename $(readlink -f {volume.lv})), .*lost"',
            f"dmsetup table {dm_name(volume.lv)} | grep -q linear",
        ],
    ),
)

HOST_FAULTS = (
    HostFault(
        name="disk-and-raid-failing",
        volumes=1,
        build=without_snapshot,
        breaks=_unreadable,
        expects=lambda _volumes: (
            Expected(code="DISK_FAILING", severity="critical", subject="wwn-0x3333333000000fa0"),
            Expected(code="RAID_DEGRADED", severity="critical", subject="md7"),
        ),
        facts=lambda _volumes: [
            "dmesg | grep -q 'Sense Key : Medium Error'",
            "grep -q '\\[2/1\\] \\[U_\\]' /proc/mdstat",
        ],
    ),
)
