"""Eucalyptus' overlay backend: a sparse file, a loop device, a VG and an LV for each volume (OverlayManager.java).

The three eras differ in names and in what is attached at rest: up to 3.1 every volume stays looped and exported, from 3.2 on only
while it is attached or copied; up to 3.2 VG and LV have random names, from 3.3 on they carry the volume's id.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from . import initiator, tgt

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = "/var/lib/eucalyptus"
STORE = f"{ROOT}/volumes"
GIB = 1 << 30
# OverlayManager.java LVM_HEADER_LENGTH: room for the PV's label and metadata, so that the LV is N GiB exactly.
LVM_HEADER_BYTES = 4 << 20
COPY_BYTES_PER_SECOND = 1 << 20
COPY_GROUP = "/sys/fs/cgroup/copy"
_RANDOM = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"


class Era(StrEnum):
    """A rule set of Eucalyptus, by the version that a host of it says it has."""

    E31 = "3.1.2"
    E32 = "3.2.2"
    E33 = "4.4.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume as the cloud names it. *number* is that of its target (tid and the N of storeN), *gib* its logical size in GiB,
    *snapshot* the id of a snapshot of it."""

    name: str
    number: int
    gib: int = 1
    era: Era = Era.E33
    snapshot: str = ""

    @property
    def file(self) -> str:
        """The backing file."""
        return f"{STORE}/{self.name}"

    @property
    def file_bytes(self) -> int:
        """Apparent size of the backing file."""
        return self.gib * GIB + LVM_HEADER_BYTES

    @property
    def vg(self) -> str:
        """Its volume group; before 3.3 a name of random characters (Crypto.getRandom(4), UrlBase64)."""
        return f"euca-ebs-storage-vg-{self.name}" if self.era is Era.E33 else f"vg-{_random(self.number)}.."

    @property
    def lv_name(self) -> str:
        """The name of its logical volume."""
        return f"euca-{self.name}" if self.era is Era.E33 else f"lv-{_random(self.number + 1000)}.."

    @property
    def lv(self) -> str:
        """Path of its logical volume."""
        return f"/dev/{self.vg}/{self.lv_name}"

    @property
    def iqn(self) -> str:
        """Its target's name."""
        return f"iqn.2009-06.com.eucalyptus.lab:store{self.number}"

    @property
    def loop(self) -> str:
        """A shell word that becomes the path of its loop device; also where the file is deleted, which losetup -j does not find."""
        return f"$(losetup -nO NAME,BACK-FILE | awk '$2 == \"{self.file}\" {{ print $1; exit }}')"

    def export(self) -> tgt.Export:
        """As Eucalyptus exports it."""
        return tgt.Export(iqn=self.iqn, tid=self.number, backing=self.lv)

    def rest(self) -> list[str]:
        """What leaves it as a volume that nothing is attached to: its file alone, from 3.2 on."""
        return [f"loop={self.loop}", f"vgchange -q -an {self.vg} >/dev/null", "losetup -d $loop"]


def create(volumes: Sequence[Volume]) -> list[str]:
    """File, loop device, PV, VG and LV for each (createVolume, and what an attachment makes active again).

    One `lvm` makes all VGs and LVs, each told of its own device alone: LVM's start, and a scan of forty others for each step, would
    take minutes.
    """
    lines = []
    commands = []
    for number, volume in enumerate(volumes):
        loop = f"$loop{number}"
        lines += [f"truncate -s {volume.file_bytes} {volume.file}", f"loop{number}=$(losetup -f --show {volume.file})"]
        alone = f'--config \'devices{{global_filter=["a|^{loop}$|","r|.*|"]}}\''
        tag = f"--addtag {volume.name} " if volume.era is Era.E33 else ""
        commands += [
            f"vgcreate -q {alone} {volume.vg} {loop}",
            f"lvcreate -q {alone} {tag}-n {volume.lv_name} -l 100%FREE -Wn {volume.vg}",
        ]
    # Its shell goes on after an error: what it made is looked at.
    made = [f"test -b {volume.lv}" for volume in volumes]
    return [*lines, "lvm >/dev/null <<END", *commands, "END", "udevadm settle", *made]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot being made: a COW snapshot in the volume's VG whose store lies in a file of half the volume's size."""

    name: str
    origin: Volume
    suffix: str = "MsmGAIzx"

    @property
    def cow_file(self) -> str:
        """The file under the COW store: the volume's name and eight random characters (Crypto.getRandom(6))."""
        return f"{STORE}/{self.origin.name}{self.suffix}"

    @property
    def lv_name(self) -> str:
        """The name of the snapshot's logical volume."""
        era = self.origin.era
        return f"euca-{self.name}" if era is Era.E33 else f"lv-snap-{_random(self.origin.number + 2000)}.."

    @property
    def lv(self) -> str:
        """Path of the snapshot's logical volume."""
        return f"/dev/{self.origin.vg}/{self.lv_name}"

    @property
    def file(self) -> str:
        """The file it is copied to."""
        return f"{STORE}/{self.name}"

    def create(self, *, extents: str = "-l 100%FREE") -> list[str]:
        """COW file of half the volume's size, loop, PV, and the COW snapshot (createSnapshot).

        :param extents: how large lvcreate makes the COW store.
        """
        return [
            f"truncate -s {self.origin.gib * GIB // 2} {self.cow_file}",
            f"loop=$(losetup -f --show {self.cow_file})",
            f"vgextend -q {self.origin.vg} $loop >/dev/null",
            f"lvcreate -q -n {self.lv_name} -s {extents} {self.origin.lv} >/dev/null",
        ]

    def remove(self) -> list[str]:
        """The COW snapshot and its store are taken away again, as where it has been copied."""
        return [
            f"lvremove -q -f {self.origin.vg}/{self.lv_name} >/dev/null",
            f"cow=$(losetup -nO NAME,BACK-FILE | awk '$2 == \"{self.cow_file}\" {{ print $1 }}')",
            f"vgreduce -q {self.origin.vg} $cow >/dev/null; losetup -d $cow; rm {self.cow_file}",
        ]

    def copy(self) -> list[str]:
        """The copy to the snapshot's file, running, slowed to 1 MiB/s by the I/O controller."""
        # The block layer slows a running dd; stopping it by a signal would leave it in a state no real copy is in.
        return [
            "echo +io > /sys/fs/cgroup/cgroup.subtree_control",
            f"mkdir -p {COPY_GROUP}",
            f'echo "$(lsblk -dnro MAJ:MIN {self.lv}) rbps={COPY_BYTES_PER_SECOND}" > {COPY_GROUP}/io.max',
            f"(echo 0 > {COPY_GROUP}/cgroup.procs; exec dd if={self.lv} of={self.file} bs=1M) >/dev/null 2>&1 &",
        ]


def volume(number: int, *, gib: int = 1, era: Era = Era.E33) -> Volume:
    """The volume with this number; its id follows from it."""
    return Volume(name=f"vol-{0x391D0000 + number * 0x2F1:08X}", number=number, gib=gib, era=era)


def snapshot(origin: Volume) -> Snapshot:
    """A snapshot of a volume; where the volume names none, its id follows from the volume's number."""
    if origin.snapshot:
        return Snapshot(name=origin.snapshot, origin=origin)
    name = f"snap-{0x57C30000 + origin.number * 0x3B5:08X}"
    return Snapshot(name=name, origin=origin, suffix=f"Msm{_random(origin.number)[:5]}")


def start(era: Era = Era.E33) -> list[str]:
    """Kernel modules, udevd, tgtd and iscsid, and the files that say which Eucalyptus this is."""
    return [
        f"mkdir -p /etc/eucalyptus {STORE}",
        f"echo {era} > /etc/eucalyptus/eucalyptus-version",
        # What the host itself once backed up is no business of the machine.
        "rm -rf /etc/lvm/backup /etc/lvm/archive",
        "modprobe -a loop dm_mod dm_snapshot dm_thin_pool",
        *udev(),
        *initiator.start(),
        *tgt.start(),
    ]


def attach(volumes: Sequence[Volume]) -> list[str]:
    """Exports and sessions, on a machine that has no session yet."""
    exports = [line for volume in volumes for line in volume.export().lines()]
    return [*exports, *initiator.login()] if volumes else []


def login(volumes: Sequence[Volume]) -> list[str]:
    """Sessions to these volumes alone, beside those that exist."""
    return initiator.login([volume.iqn for volume in volumes])


def host(volumes: Sequence[Volume]) -> list[str]:
    """A sound host with these volumes, all attached, and a snapshot of the last one with its copy running."""
    era = volumes[0].era
    return [*start(era), *create(volumes), *attach(volumes), *snapshot(volumes[-1]).create(), *snapshot(volumes[-1]).copy()]


def udev() -> list[str]:
    """udevd, where it does not run yet."""
    return [
        "if ! pgrep -x 'systemd-udevd|udevd' >/dev/null; then /lib/systemd/systemd-udevd --daemon; fi",
        "udevadm trigger --action=add --subsystem-match=block",
        "udevadm settle",
    ]


def dm_name(lv: str) -> str:
    """The device-mapper name of ``/dev/VG/LV``: hyphens within either part are doubled (lvm(8))."""
    _, _, vg, name = lv.split("/")
    return f"{vg.replace('-', '--')}-{name.replace('-', '--')}"


def _random(seed: int) -> str:
    """Six characters that look random and are the same every time."""
    value = (seed * 2654435761 + 97) & 0xFFFFFFFFFF
    letters = []
    for _ in range(6):
        value, digit = divmod(value, len(_RANDOM))
        letters.append(_RANDOM[digit])
    return "".join(letters)
