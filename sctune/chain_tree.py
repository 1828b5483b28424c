"""A chain as a tree of links, each with what was read of it, from where, and what is wrong with it. Pure.

The trunk is what carries the volume, bottom up: backing file, loop device, PV, VG, LV; on it stand its snapshots, the copies that
run, and the targets that serve it. A layer that should be there and is not stands in its place, marked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.chain_links import Links, session_name
from sctune.chain_state import Unexported, unexported
from sctune.disk_state import disk_subject
from sctune.findings import Subject, SubjectKind
from sctune.initiator import session_subject
from sctune.model.tree import Layer, Link, Mark
from sctune.records import replace
from sctune.tree_findings import attach
from sctune.unavailable import Reason, Unavailable, known
from sctune.volume_state import subjects_of, subjects_of_remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sctune.findings import Code, Finding
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain
    from sctune.remote import RemoteVolume

_ON_LOOPS = "eucalyptus-overlay"


def tree(
    chain: Chain, inventory: Inventory, findings: Iterable[Finding], codes: Mapping[str, Code], *, links: Links | None = None
) -> tuple[Link, ...]:
    """The links at the bottom, each with what stands on it; normally one. `findings` may be all of a host: those about a part of
    the chain are put where they belong, the others left out. `links` of this look, where many trees are made of it."""
    links = links or Links(inventory)
    top = _upper(chain, inventory, links)
    trunk = [layer for layer in _trunk(chain, inventory, links) if layer]
    for layer in reversed(trunk):
        # Of several links in one layer (a VG on two PVs) all carry what is above, which is shown on the last.
        top = (*layer[:-1], replace(layer[-1], above=top))
    return attach(
        top,
        findings,
        codes,
        about=frozenset(subjects_of(chain, inventory)),
        links_of=_links_of(chain),
        unserved=not chain.exports and bool(chain.loops),
    )


def remote_tree(
    volume: RemoteVolume,
    inventory: Inventory,
    findings: Iterable[Finding],
    codes: Mapping[str, Code],
    *,
    links: Links | None = None,
) -> tuple[Link, ...]:
    """The same of a volume that another host serves: from its target to the guest. Where several paths lead to it, what is on the
    map over them is shown on the last."""
    links = links or Links(inventory)
    over = volume.multipath
    top = (links.multipath(over, volume.guests),) if over is not None else ()
    bottoms = tuple(
        links.remote_target(local, top if number == len(volume.disks) else (), volume.guests if over is None else ())
        for number, local in enumerate(volume.disks, 1)
    )
    return attach(
        bottoms,
        findings,
        codes,
        about=frozenset(subjects_of_remote(volume, inventory)),
        links_of=_links_of_remote(volume, inventory),
    )


def _links_of(chain: Chain) -> dict[Subject, str]:
    """The names of the links that are one of several in their layer, by the subject of findings about them."""
    sessions = {session_subject(local.session): session_name(local.session) for local in chain.disks}
    targets = {Subject(kind=SubjectKind.TARGET, id=export.target.iqn): export.target.iqn for export in chain.exports}
    loops = {Subject(kind=SubjectKind.LOOP, id=loop.backing_file): f"/dev/{loop.name}" for loop in reversed(chain.loops)}
    lvs: dict[Subject, str] = {}
    if (lv := chain.lv) is not None:
        # What is wrong with a thin pool stands at the LV in it.
        subjects = [
            Subject(kind=SubjectKind.LV, id=name) for name in (lv.full_name, f"{lv.vg}/{lv.pool}" if lv.pool else "") if name
        ]
        if chain.subject.kind is SubjectKind.LV:
            subjects.append(chain.subject)
        lvs = dict.fromkeys(subjects, lv.full_name)
    return sessions | targets | loops | lvs | {snapshot.subject: snapshot.subject.id for snapshot in chain.snapshots}


def _links_of_remote(volume: RemoteVolume, inventory: Inventory) -> dict[Subject, str]:
    """The same of a volume of another host, whose paths have a disk each."""
    names = {session_subject(local.session): session_name(local.session) for local in volume.disks}
    names |= {disk_subject(inventory, local.disk.name): f"/dev/{local.disk.name}" for local in volume.disks}
    if (over := volume.multipath) is not None:
        # All its paths may have the id of the map: then it is about the map.
        names[Subject(kind=SubjectKind.DISK, id=over.wwid)] = f"/dev/mapper/{over.name}"
    return names


def _trunk(chain: Chain, inventory: Inventory, links: Links) -> tuple[tuple[Link, ...], ...]:
    """The layers under the targets, bottom up."""
    attached = bool(chain.loops or chain.exports or chain.dm is not None or (chain.lv is not None and chain.lv.active))
    on_loops = chain.backend.name == _ON_LOOPS
    paths = [export.lun.backing_path for export in chain.exports]
    # A target may serve the loop device or the file as it is: nothing else is meant to lie between then.
    wants_lv = attached and (any(map(_is_lv, paths)) if paths else on_loops)
    file: tuple[Link, ...] = (links.file(chain.file),) if chain.file else ()
    loops_own = on_loops or (not chain.backend.shared_group and any(loop.backing_file for loop in chain.loops))
    if not file and loops_own and (chain.ours or chain.loops):
        gone = next((loop.backing_file for loop in chain.loops), "")
        file = (_lacking(Layer.FILE, gone or "backing file", inventory.stores, "nothing has that name any more"),)
    loops = tuple(links.loop(loop) for loop in chain.loops)
    if not loops and on_loops and attached:
        loops = (_lacking(Layer.LOOP, "loop device", inventory.loops, "its file is attached to none"),)
    lv = chain.lv
    if lv is None:
        lacking = _lacking(Layer.LV, _lv_name(chain), inventory.lvm, "there is no such LV")
        return file, loops, (lacking,) if wants_lv else ()
    pvs = tuple(links.pv(pv) for pv in chain.pvs)
    if not pvs:
        pvs = (_lacking(Layer.PV, f"PV of {lv.vg}", inventory.lvm, "LVM sees none of its PVs"),)
    return file, loops, pvs, (links.vg(lv),), (links.lv(lv, chain.dm),)


def _lv_name(chain: Chain) -> str:
    return next((export.lun.backing_path for export in chain.exports if _is_lv(export.lun.backing_path)), "logical volume")


def _is_lv(path: str) -> bool:
    """Whether a backing path is of the kind /dev/VG/LV or /dev/mapper/NAME."""
    return path.startswith("/dev/") and path.count("/") == 3


def _lacking(layer: Layer, name: str, part: object, otherwise: str) -> Link:
    """A link that is not there; unknown where nobody could look."""
    if isinstance(part, Unavailable) and part.reason is not Reason.ABSENT:
        return Link(layer=layer, name=name, mark=Mark.UNKNOWN, note=str(part))
    return Link(layer=layer, name=name, mark=Mark.MISSING, note=otherwise)


def _upper(chain: Chain, inventory: Inventory, links: Links) -> tuple[Link, ...]:
    """What stands on the volume: snapshots, copies, targets; and the target that should be there and is not."""
    snapshots = tuple(links.snapshot(snapshot) for snapshot in chain.snapshots)
    copies = tuple(links.copy(copy) for copy in chain.copies)
    exports = tuple(links.target(export, chain.disks) for export in chain.exports)
    return snapshots + copies + (exports or _unserved(chain, inventory))


def _unserved(chain: Chain, inventory: Inventory) -> tuple[Link, ...]:
    state = unexported(chain, inventory.tgt, inventory.processes)
    show = ("tgtadm --lld iscsi --mode target --op show",)
    if state in (Unexported.LOST, Unexported.UNSERVED) and chain.ours:
        why = "tgtd is younger than the volume's LV" if state is Unexported.LOST else "no tgtd runs"
        return (Link(layer=Layer.TARGET, name="", mark=Mark.MISSING, note=f"none serves the volume: {why}", see=show),)
    if state is Unexported.UNKNOWN and chain.ours:
        tgt = inventory.tgt
        seen = known(tgt)
        unanswered = seen.unanswered if seen else ()
        note = str(tgt) if isinstance(tgt, Unavailable) else str(unanswered[0]) if unanswered else "who served it is not known"
        return (Link(layer=Layer.TARGET, name="", mark=Mark.UNKNOWN, note=note, see=show),)
    return ()


def walk(links: Iterable[Link]) -> Iterable[Link]:
    """Every link, bottom up, each before what stands on it."""
    for link in links:
        yield link
        yield from walk(link.above)


def by_hand(links: Iterable[Link]) -> tuple[str, ...]:
    """The commands that show the tree by hand, each once, bottom up."""
    return tuple(dict.fromkeys(command for link in walk(links) for command in link.see))
