"""Eucalyptus' DAS backend: one VG on a disk, an LV for each volume, no loop devices (DASManager.java).

A snapshot is a COW snapshot as large as its origin, copied to a file in the volumes folder. The eras differ in names alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import initiator, overlay, plain
from .overlay import Era
from .tgt import Export

if TYPE_CHECKING:
    from .overlay import Volume

DISK = "/dev/ram0"
NEW_VG = "euca-ebs-storage-vg-Tm9JxQ4bV2kAzg.."
OLD_VG = "vg-Tm9JxQ4bV2kAzg.."
"""The prefix and ten random bytes (Crypto.getRandom(10))."""


def volumes(era: Era) -> list[Volume]:
    """Three volumes: the first two attached, the second being snapshotted, the third at rest."""
    return [overlay.volume(number, era=era) for number in (1, 2, 3)]


def vg(era: Era) -> str:
    """The VG that the storage controller made on its disk."""
    return NEW_VG if era is Era.E33 else OLD_VG


def lv(volume: Volume) -> str:
    """The volume's LV, which has the same name as on an overlay host."""
    return f"/dev/{vg(volume.era)}/{volume.lv_name}"


def make(era: Era) -> list[str]:
    """VG, LVs, exports, sessions, and a snapshot with its copy running."""
    ours = volumes(era)
    attached = ours[:2]
    snapshot = overlay.snapshot(ours[1])
    snapshot_lv = f"/dev/{vg(era)}/{snapshot.lv_name}"
    return [
        *plain.disks(),
        "udevadm settle",
        "lvm >/dev/null <<END",
        f"pvcreate -q {DISK}",
        f"vgcreate -q {vg(era)} {DISK}",
        *(f"lvcreate -q --addtag {one.name} -n {one.lv_name} -L {one.gib << 10}M -Wn {vg(era)}" for one in ours),
        f"lvcreate -q -n {snapshot.lv_name} -s -L {ours[1].gib << 10}M {lv(ours[1])}",
        "END",
        "udevadm settle",
        f"lvchange -q -an {lv(ours[2])}",
        *(line for one in attached for line in Export(iqn=one.iqn, tid=one.number, backing=lv(one)).lines()),
        *initiator.login(),
        "echo +io > /sys/fs/cgroup/cgroup.subtree_control",
        f"mkdir -p {overlay.COPY_GROUP}",
        f'echo "$(lsblk -dnro MAJ:MIN {snapshot_lv}) rbps={overlay.COPY_BYTES_PER_SECOND}" > {overlay.COPY_GROUP}/io.max',
        f"(echo 0 > {overlay.COPY_GROUP}/cgroup.procs; exec dd if={snapshot_lv} of={snapshot.file} bs=1M) >/dev/null 2>&1 &",
    ]
