"""A recorded list of Cinder's volumes: `openstack volume list --all-projects -f json` (python-openstackclient).

A list of objects with "ID" and "Status"; further columns (Name, Size, Attached to, --long's) are passed over.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sctune.model.cinder import ApiVolume, ApiVolumes
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host


def probe(host: Host, path: str | None) -> ApiVolumes | Unavailable:
    """The list, read through the host so that a capture carries it. Without a source where none is configured."""
    if path is None:
        return ApiVolumes(source="", recorded=0.0, volumes=())
    text = host.read(path)
    if isinstance(text, Unavailable):
        if text.reason is Reason.ABSENT:  # the configuration names it, so its absence is a fault and no property of the host
            return Unavailable(reason=Reason.FAILED, what=path, detail="the file named by `openstack_volumes:` does not exist")
        return text
    stat = host.stat(path)
    if isinstance(stat, Unavailable):
        return stat
    volumes = parse(text)
    if volumes is None:
        detail = "not what `openstack volume list -f json` prints"
        return Unavailable(reason=Reason.MALFORMED, what=path, detail=detail)
    return ApiVolumes(source=path, recorded=stat.mtime, volumes=volumes)


def parse(text: str) -> tuple[ApiVolume, ...] | None:
    """The volumes in order, None where it is no such list."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list):
        return None
    found = []
    for row in rows:
        name = row.get("ID") if isinstance(row, dict) else None
        status = row.get("Status") if isinstance(row, dict) else None
        if not isinstance(name, str) or not isinstance(status, str):
            return None
        found.append(ApiVolume(id=name.lower(), status=status.lower()))
    return tuple(found)
