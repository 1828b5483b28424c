"""Faults of LVM and device-mapper below one volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vm.hosts.overlay import STORE, dm_name, snapshot

from .base import Expected, VolumeFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume


def attach_files(vg: str, sizes: Sequence[str]) -> list[str]:
    """Shell lines that attach a file each to a loop device: ``$loop0``, ``$loop1``, …"""
    lines = []
    for number, size in enumerate(sizes):
        file = f"{STORE}/{vg}-{number}"
        lines += [f"truncate -s {size} {file}", f"loop{number}=$(losetup -f --show {file})"]
    return lines


def seeing(*devices: str) -> str:
    """The option that lets an LVM command see these devices alone: a scan of all of a crowd's takes seconds."""
    accept = "".join(f'\\"a|^{device}$|\\",' for device in devices)
    return f'--config "devices{{global_filter=[{accept}\\"r|.*|\\"]}}"'


def _missing_vg(volume: Volume) -> str:
    return f"lab-missing-{volume.number}"


def _lose_pv(volume: Volume) -> list[str]:
    vg = _missing_vg(volume)
    both = seeing("$loop0", "$loop1")
    return [
        *attach_files(vg, ("64M", "64M")),
        f"vgcreate -q {both} {vg} $loop0 $loop1 >/dev/null",
        f"lvcreate -q {both} -Wn -n whole -L 32M {vg} $loop0 >/dev/null",
        f"lvcreate -q {both} -an -Zn -Wn -n lost -L 32M {vg} $loop1 >/dev/null",
        "losetup -d $loop1",
    ]


def _lose_own_pv(volume: Volume) -> list[str]:
    return [
        *snapshot(volume).create(),
        f"loop={volume.loop}",
        f"vgchange -q -an {volume.vg} >/dev/null",
        "losetup -d $loop",
    ]


def _copy(volume: Volume) -> list[str]:
    return [f"cp --sparse=always {volume.file} {volume.file}.copy", f"losetup -f {volume.file}.copy"]


def _pv_uuid(file: str) -> str:
    return f"blkid -p -s UUID -o value {file}"


def _guest(volume: Volume) -> str:
    return f"guest-{volume.number}"


def _guest_vg(volume: Volume) -> list[str]:
    """The volume's user makes a VG in it, and its LV is activated on this host."""
    device = f"/dev/mapper/{dm_name(volume.lv)}"
    alone = f'--config "devices{{scan_lvs=1 global_filter=[\\"a|^{device}$|\\",\\"r|.*|\\"]}}"'
    return [
        f"vgcreate -q {alone} {_guest(volume)} {device} >/dev/null",
        f"lvcreate -q {alone} -Wn -n root -L 32M {_guest(volume)} >/dev/null",
    ]


def _many_tags(volume: Volume) -> list[str]:
    """A VG whose description nearly fills the half of a small area that it may take."""
    vg = f"lab-tags-{volume.number}"
    alone = seeing("$loop0")
    tags = " ".join(f"--addtag t{number}{'x' * 1000}" for number in range(25))
    return [
        *attach_files(vg, ("64M",)),
        f"pvcreate -q {alone} --metadatasize 60k --dataalignment 64k $loop0 >/dev/null",
        f"vgcreate -q {alone} {vg} $loop0 >/dev/null",
        f"vgchange -q {alone} {tags} {vg} >/dev/null",
    ]


_ARCHIVE = "/etc/lvm/archive"


def _fill_archive(_volume: Volume) -> list[str]:
    """What is left of volumes that were deleted by removing their files."""
    name = "euca-ebs-storage-vg-vol-4F00${n}"
    return [
        f"mkdir -p {_ARCHIVE}",
        f"for n in $(seq 1000 3100); do : > {_ARCHIVE}/{name}_00000-123456789.vg; done",
        f"touch -d '40 days ago' {_ARCHIVE}/euca-ebs-storage-vg-vol-4F00*.vg",
    ]


FAULTS = (
    VolumeFault(
        name="guest-pv",
        breaks=_guest_vg,
        expects=lambda volume: (Expected(code="LVM_SCANS_VOLUMES", severity="warning", subject=volume.name),),
        facts=lambda volume: [
            f"pvs --noheadings -o vg_name | grep -qw {_guest(volume)}",
            f"test -b /dev/mapper/{dm_name(f'/dev/{_guest(volume)}/root')}",
        ],
    ),
    VolumeFault(
        name="metadata-low",
        attached=False,
        breaks=lambda volume: [*volume.rest(), *_many_tags(volume)],
        expects=lambda volume: (Expected(code="LVM_METADATA_LOW", severity="warning", subject=f"lab-tags-{volume.number}"),),
        facts=lambda volume: [
            f"vgs --noheadings --units b --nosuffix -o vg_mda_free,vg_mda_size lab-tags-{volume.number} | "
            "awk '{ exit !($1 * 10 < $2) }'"
        ],
    ),
    VolumeFault(
        name="archive-large",
        attached=False,
        breaks=lambda volume: [*volume.rest(), *_fill_archive(volume)],
        expects=lambda _volume: (Expected(code="LVM_ARCHIVE_LARGE", severity="warning", subject="backup/archive_dir"),),
        facts=lambda _volume: [f"test $(ls {_ARCHIVE} | wc -l) -gt 2048"],
    ),
    VolumeFault(
        name="lv-suspended",
        breaks=lambda volume: [f"dmsetup suspend {dm_name(volume.lv)}"],
        expects=lambda volume: (Expected(code="LVM_LV_SUSPENDED", severity="critical", subject=volume.name),),
        facts=lambda volume: [f"dmsetup info -c --noheadings -o suspended {dm_name(volume.lv)} | grep -qx Suspended"],
        late=True,
    ),
    VolumeFault(
        name="missing-pv",
        breaks=_lose_pv,
        expects=lambda volume: (Expected(code="LVM_PV_MISSING", severity="critical", subject=_missing_vg(volume)),),
        facts=lambda volume: [f"vgs --noheadings -o vg_missing_pv_count {_missing_vg(volume)} | grep -qx ' *1'"],
    ),
    VolumeFault(
        name="missing-own-pv",
        # The volume was detached while a snapshot's COW file kept its own loop device.
        attached=False,
        breaks=_lose_own_pv,
        expects=lambda volume: (Expected(code="LVM_PV_MISSING", severity="critical", subject=volume.name),),
        facts=lambda volume: [
            f"vgs --noheadings -o vg_missing_pv_count {volume.vg} | grep -qx ' *1'",
            f"test -z {volume.loop}",
        ],
    ),
    VolumeFault(
        name="duplicate-pv",
        breaks=_copy,
        expects=lambda volume: (Expected(code="LVM_DUPLICATE_PV", severity="critical", subject=volume.name),),
        facts=lambda volume: [
            f"test $(stat -c %i {volume.file}) != $(stat -c %i {volume.file}.copy)",
            f"test $({_pv_uuid(volume.file)}) = $({_pv_uuid(volume.file)}.copy)",
        ],
    ),
    VolumeFault(
        name="dm-leftover",
        # The volume is at rest, and its LV's device was left behind without a table that leads anywhere.
        attached=False,
        breaks=lambda volume: [f"loop={volume.loop}", f"dmsetup wipe_table {dm_name(volume.lv)}", "losetup -d $loop"],
        expects=lambda volume: (Expected(code="DM_LEFTOVER", severity="warning", subject=volume.name),),
        facts=lambda volume: [f"dmsetup table {dm_name(volume.lv)} | grep -q error", f"test -z {volume.loop}"],
    ),
)
