"""LVM's report, kept from one scrape to the next: LVM is asked again in the background, when something has changed or the report
is ten minutes old.

What has changed is told by what a scrape reads anyway: device-mapper's devices with their tables and states, the block devices that
are attached, the sessions they came through, LVM's configuration, and the folder in which LVM keeps a copy of each VG's metadata,
which changes with every change of them. A PV that is in no VG shows in none of this, and the copies can be switched off: hence the
age. Until the new report of a change is there (a scrape waits a moment for it), what of the old one has lost its device is left
out, so that no deleted volume lives on in it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sctune.model.dm import SnapshotStatus, ThinPoolStatus, ThinStatus
from sctune.records import dataclass, replace
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from sctune.inventory import Inventory
    from sctune.model.dm import DmTarget
    from sctune.model.lvm import LvmReport

BACKUPS = "/etc/lvm/backup"
CONFIGURATION = ("/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf", "/etc/lvm/devices/system.devices")
"""Files by which LVM decides what it sees."""
_OLDEST = 600.0
"""Seconds after which LVM is asked again though nothing seems to have changed; nobody waits for that."""
_FIRST_WAIT = 4.0
"""Seconds to wait for the very first report: without it there is nothing to tell."""
_WAIT = 2.0
"""Seconds from the beginning of a later one for which it is waited for."""
_AGAIN = 30.0
"""Seconds until LVM is asked again after it failed to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A report, when it was asked for (seconds since the epoch), and whether something has changed since."""

    report: LvmReport | Unavailable
    read_at: float
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a report was made of. `devices` maps the (major, minor) of each block device to what tells it from another of that
    number, `dm` are device-mapper's uuids (None: not known), `rest` is what else may not change."""

    devices: Mapping[tuple[int, int], Hashable]
    dm: frozenset[str] | None
    rest: Hashable


def state_of(inventory: Inventory) -> State:
    """The state of the host as this look sees it."""
    loops = known(inventory.loops)
    backing = {
        one.name: (one.backing_file, one.offset, getattr(one.backing, "inode", 0)) for one in (loops.devices if loops else ())
    }
    blocks = known(inventory.devices) or ()
    devices: dict[tuple[int, int], Hashable] = {
        block.device: (block.name, block.size, backing.get(block.name)) for block in blocks if block.size
    }
    dm = known(inventory.dm)
    tables = frozenset(
        (one.uuid, one.name, one.size, tuple(_target(target) for target in known(one.targets) or ())) for one in dm or ()
    )
    sessions = frozenset((one.number, one.target, one.state) for one in known(inventory.sessions) or ())
    folder = inventory.host.stat(BACKUPS)
    written = None if isinstance(folder, Unavailable) else folder.mtime
    configuration = tuple(_version(inventory, path) for path in CONFIGURATION)
    return State(
        devices=devices,
        dm=None if dm is None else frozenset(one.uuid for one in dm),
        rest=(tables, sessions, written, configuration),
    )


def _version(inventory: Inventory, path: str) -> Hashable:
    """What tells a file from what it was before it was written again; None where there is none."""
    stat = inventory.host.stat(path)
    return None if isinstance(stat, Unavailable) else (stat.device, stat.inode, stat.size, stat.mtime)


def _target(target: DmTarget) -> Hashable:
    """A line of a table, and the word of its status: what is used changes all the time."""
    status = target.status
    word: Hashable = None
    if isinstance(status, SnapshotStatus):
        word = status.state
    elif isinstance(status, ThinPoolStatus):
        word = (status.mode, status.needs_check)
    elif isinstance(status, ThinStatus):
        word = status.failed
    return (target.kind, target.start, target.length, target.underlying, word)


class KeptLvm:
    """Keeps the report. `ask` makes a look that may run LVM, `first_wait` is how many seconds the first report is waited for."""

    def __init__(self, ask: Callable[[], Inventory], *, first_wait: float | None = None) -> None:
        self._ask = ask
        self._first_wait = _FIRST_WAIT if first_wait is None else first_wait
        self._changed = threading.Condition()
        self._kept: tuple[State, LvmReport | Unavailable, float] | None = None
        self._asking: float | None = None
        self._failed = 0.0
        self._began = 0.0

    def report(self, inventory: Inventory) -> Kept:
        """The report for this look."""
        state = state_of(inventory)
        with self._changed:
            if self._matches(state):
                if time.monotonic() - self._began >= _OLDEST:
                    self._begin()
                return self._answer(state)
            self._begin()
            while not self._matches(state) and self._asking is not None:
                wait = (self._first_wait if self._kept is None else _WAIT) - (time.monotonic() - self._asking)
                if wait <= 0 or not self._changed.wait(wait):
                    break
            return self._answer(state)

    def _matches(self, state: State) -> bool:
        """Whether what is kept is all that can be had: a host without LVM has not got it a moment later."""
        if self._kept is None or self._kept[0] != state:
            return False
        report = self._kept[1]
        return not isinstance(report, Unavailable) or report.reason in (Reason.ABSENT, Reason.DENIED)

    def _answer(self, state: State) -> Kept:
        if self._kept is None:
            waiting = Unavailable(reason=Reason.TIMEOUT, what="lvm fullreport", detail="its first answer is not there yet")
            return Kept(report=waiting, read_at=0.0, stale=True)
        made_of, report, read_at = self._kept
        if made_of == state or isinstance(report, Unavailable):
            return Kept(report=report, read_at=read_at, stale=False)
        return Kept(report=without_lost(report, made_of, state), read_at=read_at, stale=True)

    def _begin(self) -> None:
        """Asks LVM in the background, unless that goes on already or failed a moment ago. Called with the lock held."""
        if self._asking is not None or (self._failed and time.monotonic() - self._failed < _AGAIN):
            return
        self._asking = self._began = time.monotonic()
        try:
            threading.Thread(target=self._refresh, name="lvm-report", daemon=True).start()
        except RuntimeError:  # no more tasks (TasksMax of the unit, RLIMIT_NPROC) or no memory for its stack
            self._asking, self._failed = None, time.monotonic()

    def _refresh(self) -> None:
        state, now = State(devices={}, dm=None, rest=()), 0.0
        report: LvmReport | Unavailable
        try:
            inventory = self._ask()
            state = state_of(inventory)  # before LVM is asked: what changes meanwhile is a change
            report, now = inventory.lvm, inventory.clock.now
        except Exception as error:
            detail = f"defect in sctune, please report: {type(error).__name__}"
            report = Unavailable(reason=Reason.FAILED, what="lvm fullreport", detail=detail)
        with self._changed:
            self._kept = (state, report, now)
            self._failed = time.monotonic() if isinstance(report, Unavailable) else 0.0
            self._asking = None
            self._changed.notify_all()


def without_lost(report: LvmReport, then: State, now: State) -> LvmReport:
    """What of a report still has its devices: the PVs that lie on the same devices, the VGs of which any PV is left, and of their
    LVs those that were not active or still are."""
    pvs = tuple(
        pv
        for pv in report.physical_volumes
        if pv.device is None or (pv.device in now.devices and now.devices[pv.device] == then.devices.get(pv.device))
    )
    left, had = {pv.vg for pv in pvs}, {pv.vg for pv in report.physical_volumes}
    gone = had - left
    volumes = tuple(
        lv for lv in report.logical_volumes if lv.vg not in gone and (not lv.active or now.dm is None or lv.dm_uuid in now.dm)
    )
    return replace(
        report,
        physical_volumes=pvs,
        volume_groups=tuple(vg for vg in report.volume_groups if vg.name not in gone),
        logical_volumes=volumes,
        internal=tuple(lv for lv in report.internal if lv.vg not in gone),
    )
