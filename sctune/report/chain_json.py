"""Chains for programs: the structure in chain.schema.json. Sizes in bytes, times in seconds, ratios 0..1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.redact import redact_text
from sctune.model.io import IoCounters, LunIo
from sctune.report.document import head, written
from sctune.report.json import rfc3339
from sctune.report.sanitize import clean, clean_command
from sctune.report.volumes_json import row as volume
from sctune.report.volumes_json import unavailable
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.findings import Value
    from sctune.host.base import Clock, HostIdentity, Source
    from sctune.model.io import IoRates, IoTally, LunRates, TallyRates
    from sctune.model.tree import Link
    from sctune.model.tree_io import TreeIo
    from sctune.model.volume import VolumeRow
    from sctune.report.json import Json

SCHEMA = 1


def render(
    chains: Sequence[tuple[VolumeRow, Sequence[Link]]], io: TreeIo, *, identity: HostIdentity, source: Source, clock: Clock
) -> str:
    """One JSON document with a line break at its end."""
    value: dict[str, Json] = {
        **head(SCHEMA, identity, source),
        "looked_at": rfc3339(clock.now),
        "interval_seconds": io.seconds,
        "chains": [{"volume": volume(row), "links": [_link(link, io) for link in links]} for row, links in chains],
    }
    return written(value)


def _link(link: Link, io: TreeIo) -> Json:
    return {
        "layer": link.layer.value,
        "name": clean(link.name),
        "mark": link.mark.value,
        "note": clean(redact_text(link.note)),
        "facts": {clean(key): _value(value) for key, value in link.facts},
        "source": clean(link.source),
        "io": _io(link, io),
        "findings": [
            {"code": found.code, "severity": found.severity.value, "summary": clean(redact_text(found.summary))}
            for found in link.findings
        ],
        "see": [clean_command(command) for command in link.see],
        "above": [_link(above, io) for above in link.above],
    }


def _value(value: Value) -> Json:
    if isinstance(value, str):
        return clean(redact_text(value))
    if isinstance(value, tuple):
        return [clean(redact_text(item)) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def _io(link: Link, io: TreeIo) -> Json:
    if link.device and link.device in io.devices:
        return _device(io.devices[link.device])
    if link.lun is not None and link.lun in io.luns:
        return _lun(io.luns[link.lun])
    return None


def _device(counted: IoCounters | IoRates | Unavailable | None) -> Json:
    if counted is None:
        return None
    if isinstance(counted, Unavailable):
        return {"unavailable": unavailable(counted)}
    if isinstance(counted, IoCounters):
        return {
            "reads": _tally(counted.reads),
            "writes": _tally(counted.writes),
            "discards": _tally(counted.discards),
            "flushes": _tally(counted.flushes),
            "in_flight": counted.in_flight,
            "busy_seconds": counted.busy,
        }
    return {
        "reads": _rate(counted.reads),
        "writes": _rate(counted.writes),
        "discards": _rate(counted.discards),
        "flushes": _rate(counted.flushes),
        "in_flight": counted.in_flight,
        "busy_ratio": round(counted.busy_ratio, 6),
    }


def _tally(tally: IoTally | None) -> Json:
    if tally is None:
        return None
    return {"completed": tally.completed, "bytes": tally.bytes, "waited_seconds": round(tally.waited, 6)}


def _rate(rate: TallyRates | None) -> Json:
    if rate is None:
        return None
    return {
        "per_second": round(rate.ios, 6),
        "bytes_per_second": round(rate.bytes, 6),
        "latency_seconds": None if rate.latency is None else round(rate.latency, 9),
    }


def _lun(counted: tuple[LunIo, ...] | LunRates | Unavailable | None) -> Json:
    if counted is None:
        return None
    if isinstance(counted, Unavailable):
        return {"unavailable": unavailable(counted)}
    if isinstance(counted, tuple):
        return {
            "reads": {"completed": sum(one.reads for one in counted), "bytes": sum(one.read_bytes for one in counted)},
            "writes": {"completed": sum(one.writes for one in counted), "bytes": sum(one.write_bytes for one in counted)},
            "errors": sum(one.errors for one in counted),
            "in_flight": sum(one.in_flight for one in counted),
        }
    return {
        "reads": {"per_second": round(counted.reads, 6), "bytes_per_second": round(counted.read_bytes, 6)},
        "writes": {"per_second": round(counted.writes, 6), "bytes_per_second": round(counted.write_bytes, 6)},
        "errors": counted.errors,
        "in_flight": counted.in_flight,
    }
