"""The list of volumes for programs: the structure in volumes.schema.json. Sizes in bytes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sctune.host.redact import redact_text
from sctune.model.volume import VolumeState
from sctune.report.document import head, written
from sctune.report.json import rfc3339
from sctune.report.sanitize import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import Clock, HostIdentity, Source
    from sctune.model.volume import ServedAs, VolumeRow
    from sctune.report.json import Json
    from sctune.unavailable import Unavailable

SCHEMA = 1


def render(
    rows: Sequence[VolumeRow], *, others: int, unread: Sequence[Unavailable], identity: HostIdentity, source: Source, clock: Clock
) -> str:
    """One JSON document with a line break at its end."""
    states = Counter(one.state for one in rows)
    value: dict[str, Json] = {
        **head(SCHEMA, identity, source),
        "looked_at": rfc3339(clock.now),
        "summary": {state.value: states[state] for state in VolumeState},
        "volumes": [row(one) for one in rows],
        "others": others,
        "unread": [unavailable(item) for item in unread],
    }
    return written(value)


def row(one: VolumeRow) -> Json:
    """One volume."""
    return {
        "id": clean(one.id),
        "kind": one.subject.kind.value,
        "backend": one.backend,
        "state": one.state.value,
        "why": list(one.why),
        "size_bytes": one.size,
        "file": _text(one.file),
        "file_size_bytes": one.file_size,
        "allocated_bytes": one.allocated,
        "loops": [f"/dev/{name}" for name in one.loops],
        "vg": _text(one.vg),
        "lv": _text(one.lv),
        "exports": [_export(export) for export in one.exports],
        "snapshots": [clean(name) for name in one.snapshots],
        "copies": one.copies,
        "disks": [
            {
                "name": f"/dev/{disk.name}",
                "target": clean(disk.target),
                "lun": disk.lun,
                "portal": clean(disk.portal),
                "session_state": clean(disk.state),
            }
            for disk in one.disks
        ],
        "multipath": _text(one.multipath),
        "guests": [clean(guest) for guest in one.guests],
        "unseen": [unavailable(item) for item in one.unseen],
    }


def _export(export: ServedAs) -> Json:
    return {
        "target": clean(export.target),
        "tid": export.tid,
        "lun": export.lun,
        "control_port": export.control_port,
        "sessions": [
            {"initiator": clean(nexus.initiator), "addresses": [clean(address) for address in nexus.addresses]}
            for nexus in export.attachments
        ],
    }


def unavailable(item: Unavailable) -> Json:
    """What could not be looked at, and why, without what might be a secret in it."""
    return {"what": clean(redact_text(item.what)), "reason": item.reason.value, "detail": clean(redact_text(item.detail))}


def _text(text: str) -> str | None:
    return clean(text) or None
