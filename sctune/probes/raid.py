"""md arrays: /sys/block/mdN/md. No command, and not /proc/mdstat, which says the same in a form for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.block import BlockKind
from sctune.model.raid import MdArray, MdMember
from sctune.probes.attribute import unsigned
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.block import BlockDevice


def probe(host: Host, devices: tuple[BlockDevice, ...] | Unavailable) -> tuple[MdArray, ...] | Unavailable:
    """Every md array; () where there is none."""
    if isinstance(devices, Unavailable):
        return devices
    arrays = (_array(host, device.name) for device in devices if device.kind is BlockKind.MD)
    return tuple(array for array in arrays if array is not None)


def parse_progress(text: str) -> float | None:
    """The share done, from sync_completed (`1234 / 5678` sectors, or `none`)."""
    done, slash, whole = text.partition("/")
    part, total = unsigned(done), unsigned(whole)
    return min(1.0, part / total) if slash and part is not None and total else None


def _array(host: Host, name: str) -> MdArray | None:
    folder = f"/sys/block/{name}/md"
    names = host.list(folder)
    state = _word(host.read(f"{folder}/array_state"))
    if isinstance(names, Unavailable) or state is None:
        return None  # it was stopped while we looked
    action = _word(host.read(f"{folder}/sync_action"))
    busy = action not in (None, "idle", "frozen")
    completed = host.read(f"{folder}/sync_completed") if busy else ""
    return MdArray(
        name=name,
        level=_word(host.read(f"{folder}/level")) or "",
        state=state,
        disks=unsigned(host.read(f"{folder}/raid_disks")),
        degraded=unsigned(host.read(f"{folder}/degraded")),
        action=action,
        progress=None if isinstance(completed, Unavailable) else parse_progress(completed),
        external=(_word(host.read(f"{folder}/metadata_version")) or "").startswith("external:"),
        members=tuple(_member(host, folder, entry[4:]) for entry in names if entry.startswith("dev-")),
    )


def _member(host: Host, folder: str, device: str) -> MdMember:
    text = _word(host.read(f"{folder}/dev-{device}/state")) or ""
    return MdMember(device=device, states=tuple(state for state in text.split(",") if state))


def _word(text: str | Unavailable) -> str | None:
    return None if isinstance(text, Unavailable) else text.strip() or None
