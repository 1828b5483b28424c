"""Faults of one volume's export."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.vm.hosts.overlay import dm_name

from .base import Expected, VolumeFault

if TYPE_CHECKING:
    from tests.vm.hosts.overlay import Volume

SHOW = "tgtadm --lld iscsi --mode target --op show"


def address(own: str) -> list[str]:
    """Gives the host an address that others can reach; without one, open access is open to nobody."""
    return [
        "modprobe dummy numdummies=0",
        "ip link add san0 type dummy",
        f"ip addr add {own}/24 dev san0",
        "ip link set san0 up",
    ]


def rest(volume: Volume) -> list[str]:
    """Detaches the volume as its controller does in the end; without LVM, which would wait for disks of dead sessions."""
    return [f"loop={volume.loop}", f"dmsetup remove --retry {dm_name(volume.lv)}", "losetup -d $loop"]


def _target(volume: Volume) -> str:
    """What tgt says of the volume's target alone, for grep."""
    return f"{SHOW} | sed -n '/: {volume.iqn}$/,/^Target/p'"


def _only_controller(volume: Volume) -> tuple[Expected, ...]:
    # A target without a disk no longer tells which volume it was for.
    return (Expected(code="TARGET_LUN_MISSING", severity="critical", subject=volume.iqn),)


def _lun_gone(volume: Volume) -> tuple[Expected, ...]:
    return (Expected(code="TARGET_BACKING_MISSING", severity="critical", subject=f"{volume.iqn}/1"),)


def _image(volume: Volume) -> str:
    return f"/srv/{volume.name}.img"


def _file_deleted(volume: Volume) -> list[str]:
    """A plain file as LUN, deleted while tgtd has it open."""
    made = replace(volume.export(), backing=_image(volume)).lines()
    return [*rest(volume), f"truncate -s 16M {_image(volume)}", *made, f"rm {_image(volume)}"]


def _disk_gone(volume: Volume) -> list[str]:
    """A SCSI disk as LUN, taken out while tgtd has it open."""
    return [
        *rest(volume),
        "modprobe scsi_debug dev_size_mb=16",
        "udevadm settle",
        "disk=$(basename /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/*)",
        *replace(volume.export(), backing="/dev/$disk").lines(),
        "echo 1 > /sys/block/$disk/device/delete",
    ]


FAULTS = (
    VolumeFault(
        name="open-access",
        attached=False,
        breaks=lambda volume: [*address("10.20.0.1"), *replace(volume.export(), chap=False).lines()],
        expects=lambda volume: (Expected(code="TARGET_OPEN_ACCESS", severity="warning", subject=volume.name),),
        facts=lambda volume: [f"{_target(volume)} | grep -qx ' *ALL'", f"! {_target(volume)} | grep -q eucalyptus$"],
    ),
    VolumeFault(
        name="chap-account-unbound",
        attached=False,
        breaks=lambda volume: replace(volume.export(), acl="127.0.0.1", chap=False).lines(),
        expects=lambda volume: (Expected(code="TARGET_CHAP_MISSING", severity="warning", subject=volume.name),),
        facts=lambda volume: [f"{_target(volume)} | grep -qx ' *127.0.0.1'", f"! {_target(volume)} | grep -q eucalyptus$"],
    ),
    VolumeFault(
        name="lun-never-made",
        attached=False,
        breaks=lambda volume: [*rest(volume), *replace(volume.export(), lun=None).lines()],
        expects=_only_controller,
        facts=lambda volume: [f"test $({_target(volume)} | grep -c LUN:) = 1"],
    ),
    VolumeFault(
        name="lun-removed-under-session",
        breaks=lambda volume: [f"tgtadm --lld iscsi --op delete --mode logicalunit --tid {volume.number} --lun 1", *rest(volume)],
        expects=_only_controller,
        facts=lambda volume: [f"test $({_target(volume)} | grep -c LUN:) = 1", f"iscsiadm -m session | grep -q '{volume.iqn} '"],
    ),
    VolumeFault(
        name="lun-offline",
        breaks=lambda volume: [
            f"tgtadm --lld iscsi --op update --mode logicalunit --tid {volume.number} --lun 1 --params online=0"
        ],
        expects=lambda volume: (Expected(code="TARGET_LUN_OFFLINE", severity="critical", subject=volume.name),),
        facts=lambda volume: [f"{_target(volume)} | grep -q 'Online: No'"],
    ),
    VolumeFault(
        name="lun-file-deleted",
        attached=False,
        breaks=_file_deleted,
        expects=_lun_gone,
        facts=lambda volume: [f"{_target(volume)} | grep -q {_image(volume)}", f"! test -e {_image(volume)}"],
    ),
    VolumeFault(
        name="lun-disk-gone",
        attached=False,
        breaks=_disk_gone,
        expects=_lun_gone,
        facts=lambda volume: [f"! test -e $({_target(volume)} | sed -n 's|.*path: /dev/sd|/dev/sd|p')"],
    ),
    VolumeFault(
        name="lun-lv-forced",
        # dmsetup cannot remove what tgtd holds open: it puts a table of errors into it and then gives up.
        breaks=lambda volume: [f"! dmsetup remove --force {dm_name(volume.lv)} 2>/dev/null"],
        expects=lambda volume: (Expected(code="VOLUME_CHAIN_BROKEN", severity="critical", subject=volume.name),),
        facts=lambda volume: [
            f"test -b {volume.loop}",
            f"dmsetup table {dm_name(volume.lv)} | grep -q ' error'",
            f"{_target(volume)} | grep -q {volume.lv}$",
        ],
    ),
    VolumeFault(
        name="aio-over-buffered-loop",
        attached=False,
        breaks=lambda volume: replace(volume.export(), bstype="aio").lines(),
        expects=lambda volume: (Expected(code="TGT_AIO_UNSAFE_FLUSH", severity="critical", subject=volume.name),),
        facts=lambda volume: [
            f"{_target(volume)} | grep -q 'Backing store type: aio'",
            f"test $(cat /sys/block/$(basename {volume.loop})/loop/dio) = 0",
        ],
    ),
)
