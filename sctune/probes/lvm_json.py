"""`lvm fullreport --reportformat json` into records (lvmreport(7)). Pure.

The report has one entry a VG with the tables vg, pv, lv, pvseg and seg, and a last one with the PVs that are in no VG. All
values are strings: numbers because of `--units b --nosuffix`, states in the attribute strings of vgs(8), pvs(8), lvs(8).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.lvm import LogicalVolume, PhysicalVolume, VolumeGroup
from sctune.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ACTIVE = frozenset("asISmMcCdi")
_SUSPENDED = frozenset("sSMC")
_ORDINARY_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ([+-]\d{4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """One report's records; `internal` are the LVs whose names LVM shows in brackets."""

    physical_volumes: tuple[PhysicalVolume, ...]
    volume_groups: tuple[VolumeGroup, ...]
    logical_volumes: tuple[LogicalVolume, ...]
    internal: tuple[LogicalVolume, ...]

    @property
    def seqnos(self) -> dict[str, int]:
        """The sequence number of every VG's metadata, by the VG's uuid."""
        return {vg.uuid: vg.seqno for vg in self.volume_groups}


@dataclass(slots=True, kw_only=True)
class _Collected:
    pvs: list[PhysicalVolume] = field(default_factory=list)
    vgs: list[VolumeGroup] = field(default_factory=list)
    lvs: list[LogicalVolume] = field(default_factory=list)
    internal: list[LogicalVolume] = field(default_factory=list)


def parse(text: str) -> Tables:
    """The records of one report. `ValueError` where it is not one; its text says what was wrong."""
    import json

    start = text.find("{")
    if start < 0:
        raise ValueError("no report in it")
    try:
        document: object = json.JSONDecoder(strict=False).raw_decode(text, start)[0]
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    reports = document.get("report") if isinstance(document, dict) else None
    if not isinstance(reports, list):
        raise ValueError('no list "report" in it')
    return from_reports(reports)


def from_reports(reports: Iterable[object]) -> Tables:
    """The records of the entries of one report. `ValueError` as for `parse`."""
    collected = _Collected()
    for report in reports:
        if not isinstance(report, dict):
            raise ValueError("an entry of the report is no object")
        _read_report(report, collected)
    return Tables(
        physical_volumes=tuple(collected.pvs),
        volume_groups=tuple(collected.vgs),
        logical_volumes=tuple(collected.lvs),
        internal=tuple(collected.internal),
    )


def _read_report(report: Mapping[str, object], collected: _Collected) -> None:
    vg_rows = _rows(report, "vg")
    if len(vg_rows) > 1:
        raise ValueError("two VGs in one entry of the report")
    vg_row = vg_rows[0] if vg_rows else None
    vg_name = vg_row.get("vg_name", "") if vg_row else ""
    # A device that is no PV has a row without a uuid where all devices are asked for.
    pvs = [_pv(row, vg_name) for row in _rows(report, "pv") if row.get("pv_uuid")]
    collected.pvs.extend(pvs)
    if vg_row is None:
        return
    lv_rows = _rows(report, "lv")
    under = _PvsUnder(lv_rows, _rows(report, "pvseg"))
    kinds: dict[str, dict[str, None]] = {}
    for row in _rows(report, "seg"):
        kinds.setdefault(row.get("lv_uuid", ""), {})[row.get("segtype", "")] = None
    visible = 0
    snapshots = 0
    seen: set[str] = set()
    for row in lv_rows:
        uuid = row.get("lv_uuid", "")
        if not uuid or uuid in seen:
            continue
        seen.add(uuid)
        hidden = row.get("lv_name", "").startswith("[")
        lv = _lv(row, vg_name, vg_row.get("vg_uuid", ""), under.of(row), tuple(kinds.get(uuid, ())), hidden=hidden)
        (collected.internal if hidden else collected.lvs).append(lv)
        visible += not hidden
        snapshots += lv.is_snapshot
    collected.vgs.append(_vg(vg_row, pvs, lv_count=visible, snapshot_count=snapshots))


class _PvsUnder:
    """The PVs under an LV: its own segments, those of its hidden parts (lv_parent), and those of the pool it is in."""

    def __init__(self, lv_rows: list[dict[str, str]], pvseg_rows: list[dict[str, str]]) -> None:
        self.own: dict[str, dict[str, None]] = {}
        for row in pvseg_rows:
            if row.get("lv_uuid") and row.get("pv_uuid"):
                self.own.setdefault(row["lv_uuid"], {})[row["pv_uuid"]] = None
        self.by_name = {_bare(row.get("lv_name", "")): row for row in lv_rows}
        self.parts: dict[str, list[dict[str, str]]] = {}
        for row in lv_rows:
            if row.get("lv_parent"):
                self.parts.setdefault(_bare(row["lv_parent"]), []).append(row)

    def of(self, row: dict[str, str]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        done: set[str] = set()
        pending = [row]
        while pending:
            current = pending.pop(0)
            uuid, name = current.get("lv_uuid", ""), _bare(current.get("lv_name", ""))
            if uuid in done:
                continue
            done.add(uuid)
            found.update(self.own.get(uuid, {}))
            pending.extend(self.parts.get(name, ()))
            pool = self.by_name.get(_bare(current.get("pool_lv", "")))
            if pool is not None:
                pending.append(pool)
        return tuple(found)


def _pv(row: dict[str, str], vg: str) -> PhysicalVolume:
    path, attr = row.get("pv_name", ""), row.get("pv_attr", "")
    missing = attr[2:3] == "m" or path.startswith(("[unknown", "unknown device"))
    return PhysicalVolume(
        uuid=row["pv_uuid"],
        path=path,
        device=None if missing else _device(row, "pv_major", "pv_minor"),
        vg=vg,
        size=_size(row, "pv_size"),
        free=_size(row, "pv_free"),
        missing=missing,
        duplicate=attr[:1] == "d",
    )


def _vg(row: dict[str, str], pvs: list[PhysicalVolume], *, lv_count: int, snapshot_count: int) -> VolumeGroup:
    attr = row.get("vg_attr", "")
    return VolumeGroup(
        uuid=row.get("vg_uuid", ""),
        name=row.get("vg_name", ""),
        seqno=_size(row, "vg_seqno"),
        size=_size(row, "vg_size"),
        free=_size(row, "vg_free"),
        extent_size=_size(row, "vg_extent_size"),
        pv_count=len(pvs),
        missing_pv_count=sum(pv.missing for pv in pvs),
        lv_count=lv_count,
        snapshot_count=snapshot_count,
        metadata_free=_size(row, "vg_mda_free"),
        metadata_size=_size(row, "vg_mda_size"),
        tags=_list(row, "vg_tags"),
        exported=attr[2:3] == "x",
        partial=attr[3:4] == "p",
    )


def _lv(
    row: dict[str, str], vg: str, vg_uuid: str, pv_uuids: tuple[str, ...], segment_types: tuple[str, ...], *, hidden: bool
) -> LogicalVolume:
    name, attr = _bare(row.get("lv_name", "")), row.get("lv_attr", "")
    state = attr[4:5]
    active = state in _ACTIVE and bool(state)
    cow_snapshot = attr[:1] in ("s", "S") and bool(row.get("origin"))
    data = _percent(row, "data_percent")
    return LogicalVolume(
        uuid=row.get("lv_uuid", ""),
        name=name,
        vg=vg,
        vg_uuid=vg_uuid,
        path="" if hidden else f"/dev/{vg}/{name}",
        dm_path=f"/dev/mapper/{vg.replace('-', '--')}-{name.replace('-', '--')}",
        attr=attr,
        size=_size(row, "lv_size"),
        layout=_list(row, "lv_layout"),
        origin=_bare(row.get("origin", "")),
        pool=_bare(row.get("pool_lv", "")),
        tags=_list(row, "lv_tags"),
        active=active,
        suspended=state in _SUSPENDED and bool(state),
        open=attr[5:6] == "o",
        device=_device(row, "lv_kernel_major", "lv_kernel_minor"),
        # For a COW snapshot the two percentages are the same number (lvs(8), Snap% and Data%).
        snap_percent=data if cow_snapshot else None,
        data_percent=data,
        metadata_percent=_percent(row, "metadata_percent"),
        snapshot_invalid=(state in ("I", "S")) if cow_snapshot and active else None,
        health=row.get("lv_health_status", ""),
        segment_types=segment_types,
        pv_uuids=pv_uuids,
        created=parse_time(row.get("lv_time", "")),
    )


def parse_time(text: str) -> float | None:
    """lv_time in seconds since the epoch: a number (report/time_format="%s"), or LVM's default `2026-11-22 05:35:15 +0000`."""
    if text.isascii() and text.isdecimal() and len(text) < 16:
        return float(text)
    match = _ORDINARY_TIME.fullmatch(text)
    if match is None:
        return None
    from datetime import datetime

    try:
        return datetime.fromisoformat(match[1] + match[2]).timestamp()
    except (ValueError, OverflowError):
        return None


def _rows(report: Mapping[str, object], table: str) -> list[dict[str, str]]:
    rows = report.get(table, [])
    if not isinstance(rows, list):
        raise ValueError(f'"{table}" is no list')
    try:
        for row in rows:
            "".join(row.values())  # which takes nothing but strings, ten times faster than a look at each
    except (TypeError, AttributeError):
        raise ValueError(f'a row of "{table}" holds something else than strings') from None
    return rows


def _size(row: dict[str, str], key: str) -> int:
    text = row.get(key, "")
    if text.isdecimal() and len(text) < 20 and text.isascii():
        return int(text)
    text = text.strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 24):
        raise ValueError(f"{key} is {text[:40]!r}, not a number of bytes")
    return int(text)


def _percent(row: dict[str, str], key: str) -> float | None:
    whole, _, fraction = row.get(key, "").strip().replace(",", ".").partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdecimal() and whole and len(digits) < 12):
        return None
    return float(f"{whole}.{fraction}e-2")


def _device(row: dict[str, str], major: str, minor: str) -> tuple[int, int] | None:
    numbers = (row.get(major, ""), row.get(minor, ""))
    if not all(text.isascii() and text.isdecimal() and len(text) < 12 for text in numbers):
        return None
    return (int(numbers[0]), int(numbers[1]))


def _list(row: dict[str, str], key: str) -> tuple[str, ...]:
    text = row.get(key, "")
    return tuple(text.split(",")) if text else ()


def _bare(name: str) -> str:
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name
