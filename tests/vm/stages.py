"""States of a storage host, brought about for real, and how each is undone so that the next test finds a sound machine.

Every state is a context manager that takes the storage; tests and recordings go through the same ones (`STATES`, `Stage`).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .storage import OTHER, SNAPSHOT, STORE, VOLUME, dm_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from .storage import Storage

# The COW store of a snapshot that is to overflow: 16 MiB of a PV that has the size Eucalyptus gives it.
SMALL_COW = "-l 4"
OVERFLOW_MIB = 24
SESSION_STATES = "/sys/class/iscsi_session/*/state"
SESSION_SECONDS = 60.0
MISSING_VG = "lab-missing"
THIN_VG = "lab-thin"
THIN_POOL = f"{THIN_VG}/pool0"
THIN_LV = f"/dev/{THIN_VG}/thin1"
THIN_MIB = 32
# How long a full thin pool lets writers wait: 60 s as shipped, longer here, so that the state stays while it is looked at.
NO_SPACE_TIMEOUT = "/sys/module/dm_thin_pool/parameters/no_space_timeout"
NO_SPACE_SECONDS = 600


@contextmanager
def healthy(storage: Storage) -> Iterator[None]:
    """A snapshot of the volume, with its copy running."""
    storage.snapshot(SNAPSHOT)
    storage.start_copy(SNAPSHOT)
    try:
        yield
    finally:
        storage.stop_copy(SNAPSHOT)
        storage.remove_snapshot(SNAPSHOT)


@contextmanager
def backing_deleted(storage: Storage) -> Iterator[None]:
    """The volume's file is deleted while its loop device is attached; afterwards the volume is made anew."""
    storage.machine.check(f"rm {VOLUME.file}")
    try:
        yield
    finally:
        storage.detach(VOLUME)
        storage.attach(VOLUME)


@contextmanager
def snapshot_invalid(storage: Storage) -> Iterator[None]:
    """A COW store overflows by writes to the origin; afterwards snapshot and COW file are removed."""
    storage.snapshot(SNAPSHOT, extents=SMALL_COW)
    try:
        storage.machine.check(f"dd if=/dev/urandom of={VOLUME.lv} bs=1M count={OVERFLOW_MIB} seek=8 oflag=direct status=none")
        yield
    finally:
        storage.remove_snapshot(SNAPSHOT)


@contextmanager
def tgtd_killed(storage: Storage) -> Iterator[None]:
    """tgtd dies by SIGKILL under two open sessions; afterwards it is started, the exports are made again, the sessions recover."""
    storage.machine.check("kill -KILL $(pgrep -ox tgtd)")
    try:
        storage.wait_until(f"! grep -qv FAILED {SESSION_STATES}", SESSION_SECONDS)
        yield
    finally:
        storage.start_tgtd()
        for volume in (VOLUME, OTHER):
            storage.export(volume)
        storage.wait_until(f"! grep -qv LOGGED_IN {SESSION_STATES}", SESSION_SECONDS)


@contextmanager
def lv_suspended(storage: Storage) -> Iterator[None]:
    """The volume's LV is left suspended, as by an LVM command that died half-way."""
    storage.machine.check(f"dmsetup suspend {dm_name(VOLUME.lv)}")
    try:
        yield
    finally:
        storage.machine.check(f"dmsetup resume {dm_name(VOLUME.lv)}")


@contextmanager
def duplicate_pv(storage: Storage) -> Iterator[None]:
    """The volume's file is attached to a second loop device, which makes its PV appear twice."""
    loop = storage.machine.check(f"losetup -f --show {VOLUME.file} && udevadm settle").strip()
    try:
        yield
    finally:
        storage.machine.check(f"losetup -d {loop}; udevadm settle")


@contextmanager
def missing_pv(storage: Storage) -> Iterator[None]:
    """A volume group of two loop devices, of which the second, with an LV that is not active, has been detached."""
    files = [f"{STORE}/{MISSING_VG}-{n}" for n in (1, 2)]
    loops = [storage.attach_file(file, "64M") for file in files]
    first, second = loops
    try:
        storage.machine.check(
            f"set -e; vgcreate -q {MISSING_VG} {first} {second}; lvcreate -q -n whole -L 32M {MISSING_VG} {first}; "
            f"lvcreate -q -an -Zn -Wn -n lost -L 32M {MISSING_VG} {second}; losetup -d {second}; udevadm settle"
        )
        yield
    finally:
        storage.machine.run(f"vgchange -q -an {MISSING_VG}; losetup -d {first}; losetup -d {second}")
        storage.machine.check(f"rm -f {' '.join(files)}; udevadm settle")


@contextmanager
def thin_pool(storage: Storage) -> Iterator[None]:
    """A thin pool of 32 MiB with one thin LV of 128 MiB, a quarter of the pool written."""
    file = f"{STORE}/{THIN_VG}"
    loop = storage.attach_file(file, "64M")
    try:
        storage.machine.check(
            f"set -e; echo {NO_SPACE_SECONDS} > {NO_SPACE_TIMEOUT}; vgcreate -q {THIN_VG} {loop}; "
            f"lvcreate -q --type thin-pool -L {THIN_MIB}M -n pool0 {THIN_VG}; lvcreate -q -V 128M -T {THIN_POOL} -n thin1; "
            f"dd if=/dev/urandom of={THIN_LV} bs=1M count={THIN_MIB // 4} oflag=direct status=none; udevadm settle"
        )
        yield
    finally:
        # A writer without space sleeps uninterruptibly until the pool refuses it: --errorwhenfull makes it refuse at once.
        storage.machine.run(f"lvchange -q --errorwhenfull y {THIN_POOL}; udevadm settle; vgchange -q -an {THIN_VG}")
        storage.machine.check(f"losetup -d {loop}; rm -f {file}; echo 60 > {NO_SPACE_TIMEOUT}; udevadm settle")
        storage.machine.check(f"! dmsetup ls | grep {dm_name(THIN_LV).removesuffix('-thin1')}")


@contextmanager
def thin_full(storage: Storage) -> Iterator[None]:
    """The pool at exactly 100 %, which no flag of LVM or device-mapper tells. Undone with the pool."""
    storage.machine.check(f"dd if=/dev/zero of={THIN_LV} bs=1M count={THIN_MIB} oflag=direct status=none")
    yield


@contextmanager
def thin_out_of_space(storage: Storage) -> Iterator[None]:
    """The full pool after one write more, which sleeps until the pool gives up. Undone with the pool."""
    storage.machine.check(f"dd if=/dev/zero of={THIN_LV} bs=1M count=1 seek={THIN_MIB} oflag=direct >/dev/null 2>&1 &")
    storage.wait_until("dmsetup status --target thin-pool | grep -q out_of_data_space", 30.0)
    yield


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a state is brought about, and the name of the state it starts from (None: two sound volumes)."""

    make: Callable[[Storage], AbstractContextManager[None]]
    base: str | None = None


# In the order that undoes least: the dearest to undo comes last.
STATES = {
    "healthy": State(make=healthy),
    "snapshot-invalid": State(make=snapshot_invalid),
    "lv-suspended": State(make=lv_suspended),
    "duplicate-pv": State(make=duplicate_pv),
    "missing-pv": State(make=missing_pv),
    "thin-pool": State(make=thin_pool),
    "thin-full": State(make=thin_full, base="thin-pool"),
    "thin-out-of-space": State(make=thin_out_of_space, base="thin-full"),
    "backing-deleted": State(make=backing_deleted),
    "tgtd-killed": State(make=tgtd_killed),
}


class Stage:
    """Brings a storage host from one state to the next: undoes only what the next one does not start from."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._made: list[tuple[str, AbstractContextManager[None]]] = []

    def enter(self, name: str) -> None:
        """Bring about the state *name*."""
        path: list[str] = []
        step: str | None = name
        while step is not None:
            path.insert(0, step)
            step = STATES[step].base
        while [made for made, _ in self._made] != path[: len(self._made)]:
            self._undo()
        for step in path[len(self._made) :]:
            made = STATES[step].make(self._storage)
            made.__enter__()
            self._made.append((step, made))

    def clear(self) -> None:
        """Undo everything: two sound volumes are left."""
        while self._made:
            self._undo()

    def _undo(self) -> None:
        _, made = self._made.pop()
        made.__exit__(None, None, None)
