"""The states whose tools' output is recorded in tests/data/vm, by their names there: what is made beside two sound volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .crowd import script
from .faults.initiators import FAILED
from .hosts.overlay import STORE, Snapshot, Volume, attach, create, dm_name, start

if TYPE_CHECKING:
    from .machine import Machine

VOLUME = Volume(name="vol-391D44BE", number=1)
OTHER = Volume(name="vol-A110E8ED", number=2, gib=2)
SNAPSHOT = Snapshot(name="snap-57C3C3E8", origin=VOLUME)
MISSING_VG = "lab-missing"
THIN_VG = "lab-thin"
THIN_LV = f"/dev/{THIN_VG}/thin1"
THIN_MIB = 32
# How long a full thin pool lets writers wait: 60 s as shipped, longer here, so that the state stays while it is looked at.
NO_SPACE_TIMEOUT = "/sys/module/dm_thin_pool/parameters/no_space_timeout"

_MISSING_PV = (
    *(f"truncate -s 64M {STORE}/{MISSING_VG}-{n}; loop{n}=$(losetup -f --show {STORE}/{MISSING_VG}-{n})" for n in (1, 2)),
    f"vgcreate -q {MISSING_VG} $loop1 $loop2; lvcreate -q -n whole -L 32M {MISSING_VG} $loop1",
    f"lvcreate -q -an -Zn -Wn -n lost -L 32M {MISSING_VG} $loop2; losetup -d $loop2; udevadm settle",
)
_THIN_POOL = (
    f"truncate -s 64M {STORE}/{THIN_VG}; loop=$(losetup -f --show {STORE}/{THIN_VG})",
    f"echo 600 > {NO_SPACE_TIMEOUT}; vgcreate -q {THIN_VG} $loop",
    f"lvcreate -q --type thin-pool -L {THIN_MIB}M -n pool0 {THIN_VG}; lvcreate -q -V 128M -T {THIN_VG}/pool0 -n thin1",
    f"dd if=/dev/urandom of={THIN_LV} bs=1M count={THIN_MIB // 4} oflag=direct status=none; udevadm settle",
)
_THIN_FULL = (*_THIN_POOL, f"dd if=/dev/zero of={THIN_LV} bs=1M count={THIN_MIB} oflag=direct status=none")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The shell lines that bring it about, and a condition to wait for."""

    lines: tuple[str, ...]
    until: str = "true"


STATES = {
    "healthy": State(lines=(*SNAPSHOT.create(), *SNAPSHOT.copy())),
    "snapshot-invalid": State(
        lines=(
            *SNAPSHOT.create(extents="-l 4"),
            f"dd if=/dev/urandom of={VOLUME.lv} bs=1M count=24 seek=8 oflag=direct status=none",
        )
    ),
    "lv-suspended": State(lines=(f"dmsetup suspend {dm_name(VOLUME.lv)}",)),
    "duplicate-pv": State(lines=(f"losetup -f {VOLUME.file}; udevadm settle",)),
    "missing-pv": State(lines=_MISSING_PV),
    "thin-pool": State(lines=_THIN_POOL),
    "thin-full": State(lines=_THIN_FULL),
    "thin-out-of-space": State(
        lines=(*_THIN_FULL, f"dd if=/dev/zero of={THIN_LV} bs=1M count=1 seek={THIN_MIB} oflag=direct >/dev/null 2>&1 &"),
        until="dmsetup status --target thin-pool | grep -q out_of_data_space",
    ),
    "backing-deleted": State(lines=(f"rm {VOLUME.file}",)),
    "tgtd-killed": State(lines=("kill -KILL $(pgrep -ox tgtd)",), until=FAILED),
}


def make(machine: Machine, name: str) -> None:
    """Brings a new machine into a state: two attached volumes, and the state on the first."""
    script(machine, [*start(), *create([VOLUME, OTHER]), *attach([VOLUME, OTHER])])
    script(machine, STATES[name].lines)
    machine.check(f"until {STATES[name].until}; do sleep 0.25; done", timeout=90.0)
