"""What fits, for people: a table a store, the limits with their reasoning, what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.base import Source
from sctune.host.redact import redact_text
from sctune.model.capacity import GroupKind, Role, Step, Verdict
from sctune.model.units import GIB, KIB, MIB
from sctune.report.json import rfc3339
from sctune.report.layout import Page, Style
from sctune.report.sanitize import clean, clean_command
from sctune.report.words import count_words, reason_words, time_words
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Clock, HostIdentity
    from sctune.model.capacity import (
        AccountQuota,
        Allowance,
        Capacity,
        Forecast,
        GroupCapacity,
        LoopCapacity,
        NextSnapshot,
        Room,
        SafeLimit,
        SafeLimits,
        Share,
        SnapshotAllowance,
        StoreCapacity,
    )

_SOURCES = {
    Source.LIVE: "looked at live",
    Source.CAPTURE: "from a capture",
    Source.SSH: "looked at over ssh",
    Source.SOS: "from a sos archive",
    Source.ROOT: "from a file tree",
}
_ROLES = {
    Role.VOLUMES: "volumes",
    Role.SNAPSHOTS: "snapshots",
    Role.COW_STORES: "COW stores",
    Role.OTHER_FILES: "other files",
    Role.ELSEWHERE: "elsewhere",
    Role.OTHER_LVS: "other LVs",
    Role.OVERHEAD: "LVM's own",
}
_LIMITS = {"total": "All volumes of the zone", "volume": "Each volume", "snapshots": "All snapshots"}
_LABEL = 14
_FIGURE = 10
_STEP = 12
_FAR = 10 * 365 * 86400.0
"""Beyond ten years nobody's forecast holds."""


def render(capacity: Capacity, *, identity: HostIdentity, clock: Clock, source: Source, style: Style) -> str:
    """The whole page."""
    page = Page(style=style)
    when = f", {rfc3339(clock.now)}" if clock.now > 0 else ""
    page.add(f"{clean(identity.name)}, Linux {clean(identity.kernel)}, {_SOURCES[source]}{when}", lead="Host: ", hang=6, sgr="1")
    for store in capacity.stores:
        _store(page, store)
    for group in capacity.groups:
        _group(page, group)
    if capacity.loops is not None:
        _loops(page, capacity.loops)
    if capacity.allowance is not None:
        _allowance(page, capacity.allowance, capacity.volume_size)
    if capacity.snapshot_allowance is not None:
        _snapshot_allowance(page, capacity.snapshot_allowance)
    if capacity.limits is not None:
        _safe(page, capacity.limits)
    if capacity.quota is not None:
        _quota(page, capacity.quota)
    if capacity.notes:
        page.blank()
        page.add("", lead="To know besides", sgr="1")
        for note in capacity.notes:
            page.add(f"- {clean(note)}", indent=2, hang=4)
    if capacity.unknown:
        page.blank()
        page.add("", lead="Not known", sgr="1")
        for item in capacity.unknown:
            detail = f" ({clean(redact_text(item.detail))})" if item.detail else ""
            page.add(f"- {clean(redact_text(item.what))}: {reason_words(item.reason)}{detail}", indent=2, hang=4)
        pids = ", ".join(str(pid) for pid in dict.fromkeys(pid for item in capacity.unknown for pid in item.pids))
        if pids:
            page.add(f"Left behind in uninterruptible sleep, ends by itself when the kernel lets go: pid {pids}.", indent=2, hang=2)
    return page.text()


def figure(size: float) -> str:
    """Bytes with one decimal: GiB, and below a tenth of one MiB or KiB."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if abs(size) >= unit / 10 or unit == KIB:
            return f"{size / unit:.1f} {name}" if size else "0"
    return "0"


def _row(page: Page, label: str, value: str, note: str = "") -> None:
    lead = f"{label:<{_LABEL}}{value:>{_FIGURE}}"
    # Spaces of the table are kept: a line is broken in its note only.
    page.add(lead.replace(" ", "\x00") + (f" \x00{note}" if note else ""), indent=2, hang=_LABEL + _FIGURE + 4)


def _store(page: Page, store: StoreCapacity) -> None:
    page.blank()
    made = ", ".join(part for part in (clean(store.filesystem), clean(store.mounted_from)) if part)
    folders = ", ".join(clean(folder) for folder in store.folders)
    page.add(f" {f'({made}) ' if made else ''}with {folders}", lead=clean(store.name), hang=2, sgr="1")
    _row(page, "size", figure(store.total))
    _row(
        page,
        "free",
        figure(store.available),
        f"for others than root, {figure(store.free)} for it; {_percent(store.used, store.usable)} used",
    )
    for share in store.shares:
        _share(page, share)
    if store.promised:
        _row(page, "promised", figure(store.promised), f"the files of all volumes, of {figure(store.logical)} to their users")
    left = store.left_at_worst
    if left >= 0:
        _row(page, "all full", figure(left), f"left once every sparse file is full ({figure(store.growth)} more)")
    else:
        _row(page, "all full", figure(-left), f"MISSING once every sparse file is full ({figure(store.growth)} more)")
    if store.snapshot is not None:
        _snapshot(page, store.snapshot, "for the copy", "for its COW store")
    if store.room is not None:
        _room(page, store.room, f"in full, below {store.nearly_full:.0%}")
    if store.forecast is not None and not isinstance(store.forecast, Unavailable):
        _forecast(page, store.forecast, store)


def _share(page: Page, share: Share) -> None:
    if share.count == 0 and not share.allocated:
        return
    note = ""
    if share.count is not None:
        note = f"in {share.count}"
        if share.length is not None and share.length > share.allocated:
            note += f", of {figure(share.length)}"
    _row(page, _ROLES[share.role], figure(share.allocated), note)


def _snapshot(page: Page, need: NextSnapshot, copy: str, cow: str) -> None:
    """`copy` and `cow` say what the two parts are in this place."""
    parts = [f"{figure(need.copy)} {copy}"] if need.copy else []
    parts += [f"up to {figure(need.cow)} {cow}"] if need.cow else []
    fits = f"{figure(need.left)} left then" if need.fits else f"{figure(-need.left)} MISSING"
    what = f"of {clean(need.volume)} ({figure(need.size)}): {' and '.join(parts)}; {fits}"
    _row(page, "next snapshot", figure(need.copy + need.cow), what)


def _room(page: Page, room: Room, how: str) -> None:
    note = f"of {figure(room.size)}, {how}"
    if room.with_snapshot is not None:
        note += f"; {room.with_snapshot} with room for a snapshot at a time"
    _row(page, "more volumes", str(room.full), note)


def _forecast(page: Page, forecast: Forecast, store: StoreCapacity) -> None:
    span = f"{forecast.points} points from {rfc3339(forecast.since)} to {rfc3339(forecast.until)}"
    if not forecast.growing:
        _row(page, "full in", "never", f"not growing ({_speed(forecast.slope)}; {span})")
        return
    seconds = forecast.full_seconds or 0.0
    value = "> 10 years" if seconds > _FAR else _days(seconds)
    nearly = forecast.nearly_full_seconds or 0.0
    before = f", {store.nearly_full:.0%} used in {_days(nearly)}" if nearly <= _FAR else ""
    speeds = f"{_speed(forecast.slope)}, quartiles {_speed(forecast.slope_low)} and {_speed(forecast.slope_high)}"
    _row(page, "full in", value, f"if it goes on growing{before}: {speeds}; {span}")


def _days(seconds: float) -> str:
    return f"{seconds / 86400:.1f} days" if seconds >= 86400 else time_words(seconds)


def _speed(slope: float) -> str:
    return f"{figure(slope * 86400)} a day"


def _group(page: Page, group: GroupCapacity) -> None:
    page.blank()
    kind = "VG" if group.kind is GroupKind.VG else "thin pool"
    page.add("", lead=f"{kind} {clean(group.name)}", hang=2, sgr="1")
    _row(page, "size", figure(group.size))
    free = group.free
    _row(
        page,
        "free",
        "unknown" if free is None else figure(free),
        _used(group),
    )
    for share in group.shares:
        _share(page, share)
    if group.metadata_used is not None:
        _row(page, "metadata", f"{group.metadata_used:.1%}", "in use")
    if group.kind is GroupKind.THIN_POOL:
        left = group.left_at_worst
        _row(page, "promised", figure(group.promised), "all its LVs, snapshots too")
        words = "left once all of them are full" if left >= 0 else "MISSING once all of them are full"
        _row(page, "all full", figure(abs(left)), words)
    if group.snapshot is not None:
        _snapshot(page, group.snapshot, "in extents", "as its blocks are overwritten")
    if group.room is not None:
        _room(page, group.room, "in free extents" if group.nearly_full is None else f"in full, below {group.nearly_full:.0%}")


def _loops(page: Page, loops: LoopCapacity) -> None:
    page.blank()
    if loops.limit is None:
        page.add(f"{loops.attached} attached; {loops.source}, so that they bound nothing", lead="Loop devices: ", hang=2, sgr="1")
        return
    what = "a volume keeps one for ever" if loops.at_rest else "a volume takes one while it is attached or copied"
    page.add(
        f"{loops.attached} attached of {loops.limit} ({clean(loops.source)}), {loops.left} left: {what}",
        lead="Loop devices: ",
        hang=2,
        sgr="1",
    )


def _allowance(page: Page, allowed: Allowance, size: int) -> None:
    page.blank()
    limit = allowed.limit
    what = f"{figure(allowed.used)} of {figure(limit.size)} used ({clean(limit.key)} in {clean(limit.source)}): "
    if allowed.too_large is not None:
        what += f"no volume of {figure(size)}, since each may have {figure(allowed.too_large.size)}"
    else:
        what += f"{allowed.volumes} more of {figure(size)}"
    page.add(what, lead="Limit of volumes: ", hang=2, sgr="1")


def _snapshot_allowance(page: Page, allowed: SnapshotAllowance) -> None:
    page.blank()
    limit = allowed.limit
    page.add(
        f"{figure(allowed.used)} of {figure(limit.size)} used by those here ({clean(limit.key)} in {clean(limit.source)}): at most "
        f"{allowed.snapshots} more of the largest volume ({figure(allowed.size)})",
        lead="Limit of snapshots: ",
        hang=2,
        sgr="1",
    )


def _safe(page: Page, limits: SafeLimits) -> None:
    page.blank()
    version = f" {clean(limits.version)}" if limits.version else ""
    page.add(
        f" ({limits.backend}{version}; snapshots kept of each volume: {limits.snapshots_per_volume:g}, see --snapshots-per-volume)",
        lead="Limits that can be honoured",
        hang=2,
        sgr="1",
    )
    told: tuple[Step, ...] = ()
    for limit in limits.all:
        _limit(page, limit, told)
        told = told or limit.steps


def _limit(page: Page, limit: SafeLimit, told: tuple[Step, ...]) -> None:
    page.blank()
    page.add(f": {limit.gib} GiB{_compared(limit)}", indent=2, hang=4, lead=_LIMITS[limit.limit], sgr="1")
    for step in _not_told(limit.steps, told):
        sign = "=" if step.result else "-" if step.size < 0 else " "
        lead = f"{sign}{figure(abs(step.size)):>{_STEP}}  "
        page.add(lead.replace(" ", "\x00") + clean(step.text), indent=4, hang=4 + len(lead))
    for command in limit.commands:
        page.command(clean_command(command), indent=6)


def _not_told(steps: tuple[Step, ...], told: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps without those that the limit before began with; their sum stands for them."""
    same = next((place for place, (one, two) in enumerate(zip(steps, told, strict=False)) if one != two), len(told))
    last = max((place for place in range(min(same, len(steps))) if steps[place].result), default=None)
    if last is None:
        return steps
    sum_of = steps[last]
    return (Step(text=f"{sum_of.text} (as above)", size=sum_of.size, result=True), *steps[last + 1 :])


def _compared(limit: SafeLimit) -> str:
    if limit.current is None:
        return "; the limit in force is not known"
    now = f"{figure(limit.current.size)} in force ({clean(limit.current.key)} in {clean(limit.current.source)})"
    if limit.verdict is Verdict.LOWER:
        return f"; {now} is MORE than that"
    return f"; {now} can be honoured"


def _quota(page: Page, quota: AccountQuota) -> None:
    page.blank()
    whose = f"of each of {quota.accounts} accounts" if quota.accounts and quota.accounts > 1 else "of an account"
    numbers = f"{quota.gib} GiB in at most {count_words(quota.volumes, 'volume')}, {count_words(quota.snapshots, 'snapshot')}"
    page.add(f" {whose}: {numbers}", lead="Quotas", hang=2, sgr="1")
    page.lines.extend(f"    {line}" for line in quota.document.rstrip("\n").split("\n"))
    for command in quota.commands:
        page.command(command, indent=6)


def _used(group: GroupCapacity) -> str:
    return "" if group.used is None else f"{_percent(group.used, group.size)} used"


def _percent(used: int, of: int) -> str:
    return f"{used / of:.0%}" if of > 0 else "all"
