"""What fits, for programs: the structure in capacity.schema.json. Bytes, seconds, ratios 0..1; null: not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.redact import redact_text
from sctune.report.document import head, written
from sctune.report.json import Json, rfc3339
from sctune.report.sanitize import clean, clean_command
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Clock, HostIdentity, Source
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
    from sctune.quota import Limit

SCHEMA = 1
"""Grows when a reader of the old structure would misread the new; a new key alone does not."""


def render(capacity: Capacity, *, identity: HostIdentity, clock: Clock, source: Source) -> str:
    """One JSON document with a line break at its end."""
    value = document(capacity, identity=identity, clock=clock, source=source)
    return written(value)


def document(capacity: Capacity, *, identity: HostIdentity, clock: Clock, source: Source) -> dict[str, Json]:
    """The answer as JSON values."""
    return {
        **head(SCHEMA, identity, source),
        "started": rfc3339(clock.now),
        "volume_size_bytes": capacity.volume_size,
        "stores": [_store(store) for store in capacity.stores],
        "groups": [_group(group) for group in capacity.groups],
        "loops": None if capacity.loops is None else _loops(capacity.loops),
        "allowance": None if capacity.allowance is None else _allowance(capacity.allowance),
        "snapshot_allowance": None if capacity.snapshot_allowance is None else _snapshot_allowance(capacity.snapshot_allowance),
        "limits": None if capacity.limits is None else _limits(capacity.limits),
        "quota": None if capacity.quota is None else _quota(capacity.quota),
        "notes": [clean(note) for note in capacity.notes],
        "unknown": [
            {
                "what": clean(redact_text(item.what)),
                "reason": item.reason.value,
                "detail": clean(redact_text(item.detail)),
                "pids": list(item.pids),
            }
            for item in capacity.unknown
        ],
    }


def _store(store: StoreCapacity) -> Json:
    forecast = None if isinstance(store.forecast, Unavailable) else store.forecast
    return {
        "name": clean(store.name),
        "folders": [clean(folder) for folder in store.folders],
        "filesystem": clean(store.filesystem),
        "mounted_from": clean(store.mounted_from),
        "size_bytes": store.total,
        "used_bytes": store.used,
        "free_bytes": store.free,
        "available_bytes": store.available,
        "nearly_full_ratio": store.nearly_full,
        "shares": [_share(share) for share in store.shares],
        "promised_bytes": store.promised,
        "logical_bytes": store.logical,
        "growth_bytes": store.growth,
        "left_at_worst_bytes": store.left_at_worst,
        "next_snapshot": _snapshot(store.snapshot),
        "room": None if store.room is None else _room(store.room),
        "forecast": None if forecast is None else _forecast(forecast),
    }


def _group(group: GroupCapacity) -> Json:
    return {
        "kind": group.kind.value,
        "name": clean(group.name),
        "size_bytes": group.size,
        "used_bytes": group.used,
        "free_bytes": group.free,
        "nearly_full_ratio": group.nearly_full,
        "metadata_used_ratio": None if group.metadata_used is None else round(group.metadata_used, 6),
        "shares": [_share(share) for share in group.shares],
        "promised_bytes": group.promised,
        "left_at_worst_bytes": group.left_at_worst,
        "next_snapshot": _snapshot(group.snapshot),
        "room": None if group.room is None else _room(group.room),
    }


def _share(share: Share) -> Json:
    return {"role": share.role.value, "count": share.count, "length_bytes": share.length, "allocated_bytes": share.allocated}


def _snapshot(need: NextSnapshot | None) -> Json:
    if need is None:
        return None
    return {
        "volume": clean(need.volume),
        "volume_bytes": need.size,
        "copy_bytes": need.copy,
        "cow_store_bytes": need.cow,
        "left_bytes": need.left,
        "fits": need.fits,
    }


def _room(room: Room) -> Json:
    return {
        "volume_bytes": room.size,
        "each_bytes": room.each,
        "written_in_full": room.full,
        "with_snapshot": room.with_snapshot,
    }


def _forecast(forecast: Forecast) -> Json:
    def seconds(value: float | None) -> float | None:
        return None if value is None else round(value, 3)

    return {
        "points": forecast.points,
        "since": rfc3339(forecast.since),
        "until": rfc3339(forecast.until),
        "growing": forecast.growing,
        "bytes_per_second": round(forecast.slope, 6),
        "bytes_per_second_low": round(forecast.slope_low, 6),
        "bytes_per_second_high": round(forecast.slope_high, 6),
        "nearly_full_seconds": seconds(forecast.nearly_full_seconds),
        "full_seconds": seconds(forecast.full_seconds),
    }


def _loops(loops: LoopCapacity) -> Json:
    return {
        "attached": loops.attached,
        "limit": loops.limit,
        "left": loops.left,
        "source": clean(loops.source),
        "at_rest": loops.at_rest,
    }


def _allowance(allowed: Allowance) -> Json:
    return {
        "limit": _in_force(allowed.limit),
        "used_bytes": allowed.used,
        "volumes": allowed.volumes,
        "too_large": None if allowed.too_large is None else _in_force(allowed.too_large),
    }


def _snapshot_allowance(allowed: SnapshotAllowance) -> Json:
    return {
        "limit": _in_force(allowed.limit),
        "used_bytes": allowed.used,
        "volume_bytes": allowed.size,
        "snapshots": allowed.snapshots,
    }


def _in_force(limit: Limit) -> Json:
    return {"size_bytes": limit.size, "key": clean(limit.key), "source": clean(limit.source)}


def _limits(limits: SafeLimits) -> Json:
    return {
        "backend": limits.backend,
        "version": clean(limits.version),
        "partition": None if limits.partition is None else clean(limits.partition),
        "snapshots_per_volume": limits.snapshots_per_volume,
        "total": _limit(limits.total),
        "volume": _limit(limits.volume),
        "snapshots": _limit(limits.snapshots),
    }


def _limit(limit: SafeLimit) -> Json:
    now = limit.current
    return {
        "key": clean(limit.key),
        "gib": limit.gib,
        "current": None if now is None else _in_force(now),
        "verdict": limit.verdict.value,
        "steps": [{"text": clean(step.text), "size_bytes": step.size, "result": step.result} for step in limit.steps],
        "commands": [clean_command(command) for command in limit.commands],
    }


def _quota(quota: AccountQuota) -> Json:
    import json

    policy: Json = json.loads(quota.document)
    return {
        "accounts": quota.accounts,
        "volumes": quota.volumes,
        "gib": quota.gib,
        "snapshots": quota.snapshots,
        "policy": policy,
        "commands": list(quota.commands),
    }
