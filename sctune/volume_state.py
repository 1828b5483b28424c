"""The state of a volume in one word, from its chain and from what the checks found about any part of it. Pure.

What a finding means for a volume is said at its code (`Code.volume`); here is only what no finding says: copying, attached,
ready, and that nobody could look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.choose import CINDER, GENERIC
from sctune.chain_state import Unexported, unexported
from sctune.disk_state import disk_subject
from sctune.findings import HOST, Severity, Subject, SubjectKind
from sctune.initiator import session_subject
from sctune.model.volume import VolumeState
from sctune.records import dataclass
from sctune.remote import remote_volumes
from sctune.store_view import filesystems
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sctune.findings import Code, Finding
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain, LocalDisk
    from sctune.remote import RemoteVolume

_ORDER = {state: rank for rank, state in enumerate(VolumeState)}
UNTOLD = Unavailable(reason=Reason.NOT_COLLECTED, what="when the volume was attached", detail="nothing tells it")
"""Why a volume is unknown of which all was read: it is being made, or one of several tgtds may have exported it."""
_BAD = frozenset({VolumeState.BROKEN, VolumeState.ORPHANED, VolumeState.LEAKED, VolumeState.DEGRADED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A volume's state, the codes that make it so, and what of it could not be looked at: where nothing seen is worse,
    it is unknown for that."""

    state: VolumeState
    why: tuple[str, ...] = ()
    unseen: tuple[Unavailable, ...] = ()


class VolumeStates:
    """Judges the volumes of one look, by what the checks found on it."""

    def __init__(self, inventory: Inventory, findings: Iterable[Finding], codes: Mapping[str, Code]) -> None:
        self._inventory = inventory
        self._found: dict[Subject, list[tuple[VolumeState, str]]] = {}
        for finding in findings:
            code = codes.get(finding.code)
            # Advice and remarks change no state, but a copy that runs is told by a remark.
            if code is None or code.volume is None or (finding.severity is Severity.INFO and code.volume in _BAD):
                continue
            self._found.setdefault(finding.subject, []).append((code.volume, finding.code))
        self._stores = store_subjects(inventory)
        self._blind = tuple(blind_parts(inventory))

    def of(self, chain: Chain) -> Judged:
        """The state of one chain."""
        inventory = self._inventory
        # Of a healthy host, or of most of its volumes, there is nothing to find: subjects are made for nobody then.
        about = subjects_of(chain, inventory, self._stores) if self._found else ()
        said = [item for subject in about for item in self._found.get(subject, ())]
        export = unexported(chain, inventory.tgt, inventory.processes)
        if export is Unexported.UNSERVED:
            said += self._found.get(HOST, ())
        unseen = self._unseen(chain, export)
        if not unseen and chain.ours and chain.lv is None and chain.file is None:
            said = [(_left_behind(state, chain), code) for state, code in said]
            said.append((VolumeState.BROKEN if chain.exports else VolumeState.ORPHANED, ""))
        states = {state for state, _ in said}
        if unseen:
            states.add(VolumeState.UNKNOWN)
        if chain.copies:
            states.add(VolumeState.COPYING)
        if any(item.nexuses for item in chain.exports):
            states.add(VolumeState.ATTACHED)
        states.add(VolumeState.READY)
        state = min(states, key=lambda one: _ORDER[one])
        why = tuple(dict.fromkeys(code for one, code in said if one is state and code)) if state in _BAD else ()
        return Judged(state=state, why=why, unseen=unseen)

    def of_remote(self, volume: RemoteVolume) -> Judged:
        """The state of a volume that another host serves, as far as this host can tell."""
        said = [item for subject in subjects_of_remote(volume, self._inventory) for item in self._found.get(subject, ())]
        if volume.multipath is not None and any(_carries(local) for local in volume.disks):
            # That is what several paths are for.
            said = [(VolumeState.DEGRADED if state is VolumeState.BROKEN else state, code) for state, code in said]
        unseen = () if volume.guests else unseen_guests(self._inventory)
        states = {state for state, _ in said} | {VolumeState.READY}
        if unseen:
            states.add(VolumeState.UNKNOWN)
        if volume.guests or _held(volume, self._inventory):
            states.add(VolumeState.ATTACHED)
        state = min(states, key=lambda one: _ORDER[one])
        why = tuple(dict.fromkeys(code for one, code in said if one is state)) if state in _BAD else ()
        return Judged(state=state, why=why, unseen=unseen)

    def _unseen(self, chain: Chain, export: Unexported) -> tuple[Unavailable, ...]:
        """What hides whether the chain is whole."""
        found = list(self._blind)
        report = known(self._inventory.lvm)
        if report is not None and chain.ours and chain.lv is None and _hidden(chain, report.excluded):
            found.append(_kept_away(report.excluded))
        lio = self._inventory.lio_state
        # Where LIO could be read, the chain has its exports.
        if isinstance(lio, Unavailable) and not chain.exports and _active(chain) and _may_serve(self._inventory.lio, chain):
            found.append(lio)
        if export is Unexported.UNKNOWN and not found:
            found.append(self._why_unknown())
        return tuple(found)

    def _why_unknown(self) -> Unavailable:
        tgt, processes = self._inventory.tgt, self._inventory.processes
        if not isinstance(tgt, Unavailable) and tgt.unanswered:
            return tgt.unanswered[0]
        if isinstance(processes, Unavailable):
            return processes
        return UNTOLD


def _may_serve(targets: tuple[str, ...] | Unavailable, chain: Chain) -> bool:
    """Whether one of these targets, of which the names alone are known, or not even these, may export it: Cinder's are named for
    their volumes. What a host has not, or was recorded before it was asked, serves nothing."""
    if isinstance(targets, Unavailable):
        return targets.reason not in (Reason.ABSENT, Reason.NOT_COLLECTED)
    if chain.ours and chain.backend.name == CINDER.name:
        return any(CINDER.target_volume(name) == chain.id for name in targets)
    return bool(targets)


def _hidden(chain: Chain, excluded: Iterable[str]) -> bool:
    """Whether the LV of a volume may lie on a device that LVM was kept away from: on its own loop devices; for a volume without
    any, on whatever disk."""
    if chain.loops:
        return any(loop.name in excluded for loop in chain.loops)
    return bool(chain.exports) and any(not name.startswith("loop") for name in excluded)


def _active(chain: Chain) -> bool:
    return bool(chain.loops) or chain.dm is not None or (chain.lv is not None and chain.lv.active)


def _left_behind(state: VolumeState, chain: Chain) -> VolumeState:
    """What broke a volume that has neither file nor LV any more, and that nobody is served, broke nothing but remains."""
    return VolumeState.ORPHANED if state in (VolumeState.BROKEN, VolumeState.LEAKED) and not chain.exports else state


def _carries(local: LocalDisk) -> bool:
    """Whether I/O goes through this disk."""
    return local.session.state == "LOGGED_IN" and local.disk.device_state in (None, "running")


def _held(volume: RemoteVolume, inventory: Inventory) -> bool:
    """Whether another device stands on it: on its disk, or on the map over its disks, which is none itself."""
    over = volume.multipath
    if over is None:
        return any(local.disk.holders for local in volume.disks)
    return any(block.holders for block in known(inventory.block) or () if block.name == over.kernel_name)


def unseen_guests(inventory: Inventory) -> tuple[Unavailable, ...]:
    """Why it is not known which guests have a disk."""
    guests = inventory.guests
    if isinstance(guests, Unavailable):
        return () if guests.reason is Reason.ABSENT else (guests,)
    return guests.unread


def subjects_of_remote(volume: RemoteVolume, inventory: Inventory) -> Iterator[Subject]:
    """What findings about a volume of another host, or about its way here, may be about."""
    yield volume.subject
    for local in volume.disks:
        yield session_subject(local.session)
        yield disk_subject(inventory, local.disk.name)
    if volume.multipath is not None:
        yield Subject(kind=SubjectKind.DISK, id=volume.multipath.wwid)


def store_subjects(inventory: Inventory) -> Mapping[str, Subject]:
    """The file system that findings about a folder of backing files are about, by folder."""
    return {path: group.subject for group in filesystems(known(inventory.stores) or ()) for path in group.paths}


def subjects_of(chain: Chain, inventory: Inventory, stores: Mapping[str, Subject] | None = None) -> Iterator[Subject]:
    """What findings about the volume or a part of it may be about. `stores` where the caller has `store_subjects` already."""
    yield chain.subject
    for snapshot in chain.snapshots:
        yield snapshot.subject
    for export in chain.exports:
        yield Subject(kind=SubjectKind.LUN, id=f"{export.target.iqn}/{export.lun.number}")
        yield Subject(kind=SubjectKind.TARGET, id=export.target.iqn)
    for local in chain.disks:
        yield session_subject(local.session)
        yield disk_subject(inventory, local.disk.name)
    if chain.lv is not None:
        yield Subject(kind=SubjectKind.LV, id=chain.lv.full_name)
        yield Subject(kind=SubjectKind.VG, id=chain.lv.vg)
        if chain.lv.pool:
            yield Subject(kind=SubjectKind.LV, id=f"{chain.lv.vg}/{chain.lv.pool}")
    for loop in chain.loops:
        yield Subject(kind=SubjectKind.LOOP, id=loop.backing_file)
    if chain.file is not None:
        known_stores = store_subjects(inventory) if stores is None else stores
        if (store := known_stores.get(chain.file.path.rpartition("/")[0])) is not None:
            yield store


def hidden_disks(inventory: Inventory) -> Iterator[Unavailable]:
    """That LVM was kept away from disks on which LVs of this host may lie, which nobody has seen then. Not told of a disk that is
    known to be something else: a guest's or a cloud's volume that came through a session, or what a session back to this very host
    has left. What stands on such a disk is told with it."""
    report = known(inventory.lvm)
    if report is None or not report.excluded:
        return
    blocks = {block.name: block for block in known(inventory.block) or ()}
    stacked = {name for name in report.excluded if name in blocks and blocks[name].slaves}
    lost = [name for name in report.excluded if name not in stacked]
    others = {
        local.disk.name
        for volume in remote_volumes(inventory)
        for local in volume.disks
        if local.session.local or volume.guests or volume.backend is not GENERIC
    }
    chains = known(inventory.chains)
    others |= {local.disk.name for chain in (chains.chains if chains else ()) for local in chain.disks}
    names = [name for name in lost if name not in others]
    if names:
        yield _kept_away(names)


def _kept_away(names: Iterable[str]) -> Unavailable:
    detail = f"LVM was kept away from devices that may hang: {', '.join(names)}"
    return Unavailable(reason=Reason.TIMEOUT, what="logical volumes", detail=detail)


def blind_parts(inventory: Inventory) -> Iterator[Unavailable]:
    """The layers that are on this host and could not be looked at, each once."""
    for part in (inventory.loops, inventory.stores, inventory.lvm, inventory.dm, inventory.tgt):
        if isinstance(part, Unavailable) and part.reason is not Reason.ABSENT:
            yield part
    for store in known(inventory.stores) or ():
        if isinstance(store.files, Unavailable) and store.files.reason is not Reason.ABSENT:
            yield store.files
