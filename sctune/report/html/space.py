"""Space, COW use and quotas as bars, each with its thresholds and the same in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.capacity import GroupKind, Role, Verdict
from sctune.model.dm import SnapshotState
from sctune.report.html.model import Bar, Part, SafeRow, Segment, SpaceTold
from sctune.report.html.words import said, unavailable_words
from sctune.report.sanitize import clean_command
from sctune.report.words import count_words, ratio_words, size_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sctune.account_quota import Against
    from sctune.model.capacity import Allowance, GroupCapacity, LoopCapacity, NextSnapshot, SafeLimits, Share, StoreCapacity
    from sctune.model.measure import Measure
    from sctune.quota import Limit
    from sctune.report.html.scene import Scene, Snapshot

_ROLES = {
    Role.VOLUMES: ("volumes", "volumes"),
    Role.SNAPSHOTS: ("snapshots", "snapshots"),
    Role.COW_STORES: ("cow", "COW stores"),
    Role.OTHER_FILES: ("other", "other files"),
    Role.ELSEWHERE: ("other", "elsewhere on it"),
    Role.OTHER_LVS: ("other", "other LVs"),
    Role.OVERHEAD: ("other", "LVM's own"),
}
_LIMITS = {"total": "All volumes of the zone", "volume": "Each volume", "snapshots": "All snapshots"}
_LEVELS = {"fine": "", "warning": "at the warning level", "critical": "at the critical level", "over": "over the limit"}
_SHOWN = 12
"""COW snapshots that are shown without being asked for."""


def space(scene: Scene) -> SpaceTold | None:
    """All bars; None where there is nothing to fill and nothing hides it."""
    capacity = scene.capacity
    measured = {(one.name, one.of): one for one in scene.measures}
    places = [_store(one, measured) for one in capacity.stores]
    places += [_group(one, measured) for one in capacity.groups]
    places += [_inodes(one) for one in scene.measures if one.name == "store_inodes"]
    if capacity.loops is not None:
        places.append(_loops(capacity.loops, measured.get(("loops", ""))))
    snapshots = [_snapshot(one, measured.get(("snapshot_used", ""))) for one in sorted(scene.snapshots, key=_fullest)]
    quotas = tuple(_quotas(scene, measured))
    told = SpaceTold(
        places=tuple(places),
        snapshots=tuple(snapshots[:_SHOWN]),
        more_snapshots=tuple(snapshots[_SHOWN:]),
        quotas=quotas,
        safe=tuple(_safe(capacity.limits)) if capacity.limits is not None else (),
        notes=tuple(map(said, capacity.notes)),
        unknown=tuple(map(unavailable_words, capacity.unknown)),
    )
    return told if places or snapshots or quotas or told.unknown else None


def _percent(part: float, of: float) -> float:
    return round(min(100.0, max(0.0, 100 * part / of)), 2) if of > 0 else 0.0


def _level(measure: Measure | None, value: float) -> str:
    """As the doctor's thresholds have it."""
    if measure is None:
        return "fine"
    if measure.critical is not None and value >= measure.critical:
        return "critical"
    return "warning" if measure.warning is not None and value >= measure.warning else "fine"


def _ticks(measure: Measure | None, of: float) -> tuple[float, ...]:
    found = (measure.warning, measure.critical) if measure is not None else ()
    return tuple(_percent(at, of) for at in found if at is not None and 0 < at < of)


def _bar(
    *,
    name: str,
    what: str,
    used: float,
    total: float,
    value: str,
    level: str,
    ticks: Iterable[float] = (),
    shares: Iterable[tuple[str, float]] = (),
    parts: Iterable[Part] = (),
    notes: Iterable[str] = (),
    words: str | None = None,
) -> Bar:
    """One bar: `shares` are the kinds and sizes of its segments, else all that is used is one; `words` say the level where it is
    none of a threshold."""
    segments: list[Segment] = []
    at = 0.0
    for kind, size in shares or (("lost" if level == "over" else "used", used),):
        width = min(_percent(size, total), 100 - at)
        if width > 0:
            segments.append(Segment(start=round(at, 2), width=round(width, 2), kind=kind))
            at += width
    words = _LEVELS[level] if words is None else words
    return Bar(
        name=name,
        what=what,
        value=value,
        text=f"{name}: {value}" + (f", {words}" if words else ""),
        level="critical" if level == "over" else level,
        level_words=words,
        segments=tuple(segments),
        ticks=tuple(ticks),
        parts=tuple(parts),
        notes=tuple(note for note in notes if note),
    )


def _parts(shares: Iterable[Share]) -> Iterator[Part]:
    for share in shares:
        if share.count == 0 and not share.allocated:
            continue
        kind, name = _ROLES[share.role]
        note = f"in {share.count}" if share.count is not None else ""
        if share.count is not None and share.length is not None and share.length > share.allocated:
            note += f", which may grow to {size_words(share.length)}"
        yield Part(kind=kind, name=name, size=size_words(share.allocated), note=note)


def _used_of(used: float, total: float) -> str:
    ratio = ratio_words(used / total) if total > 0 else "all"
    return f"{size_words(used)} of {size_words(total)} used ({ratio})"


def _store(store: StoreCapacity, measured: dict[tuple[str, str], Measure]) -> Bar:
    measure = measured.get(("store_used", store.name))
    made = ", ".join(said(part) for part in (store.filesystem, store.mounted_from) if part)
    left = store.left_at_worst
    full = f"{size_words(abs(left))} {'left' if left >= 0 else 'missing'} once every sparse file is full"
    return _bar(
        name=f"File system {said(store.name)}",
        what=f"{made}{' ' if made else ''}with {', '.join(map(said, store.folders))}",
        used=store.used,
        total=store.usable,
        value=_used_of(store.used, store.usable),
        level=_level(measure, store.used),
        ticks=_ticks(measure, store.usable),
        shares=tuple((_ROLES[share.role][0], share.allocated) for share in store.shares),
        parts=_parts(store.shares),
        notes=(
            f"{size_words(store.promised)} are promised to volumes; {full}." if store.promised else "",
            _next_snapshot(store.snapshot),
            _room(store.room.full, store.room.size) if store.room is not None else "",
        ),
    )


def _next_snapshot(need: NextSnapshot | None) -> str:
    if need is None:
        return ""
    fits = f"{size_words(need.left)} are left then" if need.fits else f"{size_words(-need.left)} are missing for it"
    return f"A snapshot of the largest volume, {said(need.volume)}, takes up to {size_words(need.copy + need.cow)}: {fits}."


def _room(number: int, size: int) -> str:
    return f"{count_words(number, 'more volume')} of {size_words(size)} {'fits' if number == 1 else 'fit'} in full."


def _group(group: GroupCapacity, measured: dict[tuple[str, str], Measure]) -> Bar:
    pool = group.kind is GroupKind.THIN_POOL
    name = f"{'Thin pool' if pool else 'VG'} {said(group.name)}"
    measure = measured.get(("thin_data", group.name)) if pool else None
    used = group.used
    left = group.left_at_worst
    notes = [f"Metadata: {ratio_words(group.metadata_used)} in use."] if group.metadata_used is not None else []
    if pool:
        full = f"{size_words(abs(left))} {'left' if left >= 0 else 'missing'} once all of them are full"
        notes.append(f"{size_words(group.promised)} are promised to its LVs; {full}.")
    notes.append(_next_snapshot(group.snapshot))
    notes.append(_room(group.room.full, group.room.size) if group.room is not None else "")
    return _bar(
        name=name,
        what="",
        used=used or 0,
        total=group.size,
        value=f"{size_words(group.size)}, and nobody tells how much of it is used" if used is None else _used_of(used, group.size),
        level=_level(measure, used / group.size) if used is not None and group.size else "fine",
        ticks=tuple(_percent(at, 1) for at in (measure.warning, measure.critical) if at is not None) if measure else (),
        shares=() if pool or used is None else tuple((_ROLES[share.role][0], share.allocated) for share in group.shares),
        parts=_parts(group.shares),
        notes=notes,
    )


def _inodes(measure: Measure) -> Bar:
    total = measure.maximum or 0
    ratio = f" ({ratio_words(measure.value / total)})" if total else ""
    return _bar(
        name=f"Inodes of {said(measure.of)}",
        what="",
        used=measure.value,
        total=total,
        value=f"{measure.value:,.0f} of {total:,.0f} used{ratio}",
        level=_level(measure, measure.value),
        ticks=_ticks(measure, total),
    )


def _loops(loops: LoopCapacity, measure: Measure | None) -> Bar:
    what = "A volume keeps one for ever." if loops.at_rest else "A volume takes one while it is attached or copied."
    if loops.limit is None:
        value = f"{loops.attached} attached, and nothing bounds them"
    else:
        value = f"{loops.attached} attached of {loops.limit}, {loops.left} left"
    return _bar(
        name="Loop devices",
        what=said(loops.source),
        used=loops.attached,
        total=loops.limit or 0,
        value=value,
        level=_level(measure, loops.attached),
        ticks=_ticks(measure, loops.limit or 0),
        notes=(what,),
    )


def _fullest(one: Snapshot) -> tuple[bool, float, str]:
    """Those that are lost first, then the fullest."""
    state = one.view.state
    return (state in (None, SnapshotState.ACTIVE), -(one.view.fill.ratio if one.view.fill is not None else 0.0), one.name)


def _snapshot(one: Snapshot, measure: Measure | None) -> Bar:
    view = one.view
    lost = view.state not in (None, SnapshotState.ACTIVE)
    fill = view.fill
    if lost and view.state is not None:
        value = f"{view.state.value}: what it kept is lost"
    elif fill is None:
        value = "being merged into its origin" if view.merging else "not known: it is not active"
    elif fill.used is not None and fill.total:
        value = _used_of(fill.used, fill.total)
    else:
        value = f"{ratio_words(fill.ratio)} of {size_words(view.lv.size)} used"
    level = "critical" if lost else _level(measure, fill.ratio) if fill is not None else "fine"
    return _bar(
        name=f"Snapshot {said(one.name)}",
        what=f"COW store of {said(view.lv.vg)}/{said(view.lv.origin)}",
        used=1.0 if lost else fill.ratio if fill is not None else 0.0,
        total=1.0,
        value=value,
        level=level,
        words="lost" if lost else None,
        ticks=() if lost or fill is None else _ticks(measure, 1.0),
        shares=(("lost" if lost else "cow", 1.0 if lost else fill.ratio if fill is not None else 0.0),),
    )


def _quotas(scene: Scene, measured: dict[tuple[str, str], Measure]) -> Iterator[Bar]:
    capacity = scene.capacity
    if capacity.allowance is not None:
        allowed = capacity.allowance
        note = _may_be_made(allowed, capacity.volume_size)
        yield _limited("All volumes of the zone", allowed.limit, allowed.used, measured.get(("quota_volumes", "")), note)
    if capacity.snapshot_allowance is not None:
        kept = capacity.snapshot_allowance
        note = f"At most {count_words(kept.snapshots, 'more snapshot')} of the largest volume ({size_words(kept.size)})."
        yield _limited("All snapshots", kept.limit, kept.used, measured.get(("quota_snapshots", "")), note)
    for account in scene.accounts:
        for against in (*account.volumes, *account.snapshots):
            yield _account(account.name, against)


def _may_be_made(allowed: Allowance, size: int) -> str:
    if allowed.too_large is not None:
        return f"No volume of {size_words(size)}: each may have {size_words(allowed.too_large.size)}."
    return f"{count_words(allowed.volumes, 'more volume')} of {size_words(size)} may be made."


def _limited(name: str, limit: Limit, used: int, measure: Measure | None, note: str) -> Bar:
    return _bar(
        name=name,
        what=f"{said(limit.key)} in {said(limit.source)}",
        used=used,
        total=limit.size,
        value=_used_of(used, limit.size),
        level="over" if used > limit.size else _level(measure, used),
        ticks=_ticks(measure, limit.size),
        notes=(note,),
    )


def _account(name: str, against: Against) -> Bar:
    what = "size of volumes" if against.is_size else against.what
    return _bar(
        name=f"Account {said(name)}: {what}",
        what=said(against.key),
        used=against.used,
        total=against.limit,
        value=against.words,
        level="over" if against.exceeded else "fine",
    )


def _safe(limits: SafeLimits) -> Iterator[SafeRow]:
    for limit in limits.all:
        lower = limit.verdict is Verdict.LOWER
        words = {
            Verdict.LOWER: "promises more than fits",
            Verdict.KEEP: "can be honoured",
            Verdict.UNKNOWN: "the limit in force is not known",
        }[limit.verdict]
        yield SafeRow(
            name=_LIMITS[limit.limit],
            key=said(limit.key),
            safe=f"{limit.gib} GiB",
            current=size_words(limit.current.size) if limit.current is not None else "not known",
            words=words,
            level="warning" if lower else "fine",
            commands=tuple(map(clean_command, limit.commands)),
        )
