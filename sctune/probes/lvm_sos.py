"""LVM as sos asks it: four commands for people instead of one report for programs.

`pvs -a -v`, `vgs -v` and `lvs -a` round their sizes, and tell no uuid of an LV; `vgdisplay -vv` has both, in extents. Hidden LVs
are in lvs alone: their uuids are device-mapper's, where they are active. The four are asked one after the other: where they do not
tell of the same VGs and LVs, LVM was changed meanwhile, or part of an answer is missing, and nothing is told at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.probes import lvm_display, lvm_messages, lvm_rows
from sctune.probes.lvm_table import parse as parse_table
from sctune.probes.lvm_table import size
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import Completed, Host
    from sctune.model.lvm import LvmReport, PhysicalVolume
    from sctune.probes.lvm_display import Group

    Row = dict[str, str]

PVS, VGS, LVS, DISPLAY, DM = ("pvs", "-a", "-v"), ("vgs", "-v"), ("lvs", "-a"), ("vgdisplay", "-vv"), ("dmsetup", "info", "-c")
_PV_ATTR = re.compile(r"[adu-][xe-][m-]?")
_VG_ATTR = re.compile(r"[wr][z-][x-][p-][a-z-][cs-]")
_LV_ATTR = re.compile(r"[a-zA-Z-]{6,10}")
_SEGMENTS = {"t": "thin-pool", "V": "thin", "C": "cache", "r": "raid", "R": "raid", "m": "mirror", "M": "mirror", "d": "vdo-pool"}
_DM_UUID = re.compile(r"(\S+) .* LVM-(\w{32})(\w{32})\S*\s*", re.ASCII)
_NUMBER = re.compile(r"(\d{1,7}):(\d{1,7})\n", re.ASCII)
_USABLE = (0, 5)
_NO_LIMIT = 1e9  # nothing runs: it is looked up
_WHAT = "pvs, vgs, lvs, vgdisplay"


def probe(host: Host) -> LvmReport | Unavailable:
    """The report. Failed where the answers do not belong together."""
    answers: list[Completed] = []
    for argv in (PVS, VGS, LVS, DISPLAY):
        completed = host.run(argv, timeout=_NO_LIMIT)
        if isinstance(completed, Unavailable):
            return completed
        if completed.status not in _USABLE:
            detail = f"exit status {completed.status}: {lvm_messages.first_complaint(completed.stdout)}"
            return Unavailable(reason=Reason.FAILED, what=" ".join(argv), detail=detail[:200])
        answers.append(completed)
    dm = host.run(DM, timeout=_NO_LIMIT)
    try:
        report = parse(*(answer.stdout for answer in answers), dm="" if isinstance(dm, Unavailable) else dm.stdout)
    except ValueError as error:
        return Unavailable(reason=Reason.MALFORMED, what=_WHAT, detail=str(error)[:200])
    if isinstance(report, Unavailable):
        return report
    return replace(
        report,
        physical_volumes=tuple(_with_device(host, pv) for pv in report.physical_volumes),
        # Without a manifest nobody tells.
        seconds=max(answer.seconds for answer in answers) or None,
    )


def parse(pvs: str, vgs: str, lvs: str, display: str, *, dm: str = "") -> LvmReport | Unavailable:
    """The report of the four answers. `ValueError` where one of them is not what it is documented to be."""
    from sctune.model.lvm import LvmReport

    pv_table, pv_said = parse_table(pvs, "PV", _PV_ATTR)
    vg_table, vg_said = parse_table(vgs, "VG", _VG_ATTR)
    lv_table, lv_said = parse_table(lvs, "LV", _LV_ATTR)
    groups = lvm_display.parse(display)
    seen = {row["VG"] for row in vg_table}
    if (
        seen != {*groups}
        or not {row["VG"] for row in (*pv_table, *lv_table) if row["VG"]} <= seen
        or any({*group.volumes} != _visible(lv_table, name) for name, group in groups.items())
        or any({*group.devices} != {row["PV UUID"] for row in pv_table if row["VG"] == name} for name, group in groups.items())
    ):
        return Unavailable(reason=Reason.FAILED, what=_WHAT, detail="their answers are not of the same VGs, LVs and PVs")
    uuids = _dm_uuids(dm)
    pv_rows = [_pv(row, groups) for row in pv_table if row.get("PV UUID")]
    vg_rows = [_vg(row, groups[row["VG"]]) for row in vg_table]
    lv_rows = [_lv(row, groups[row["VG"]], uuids) for row in lv_table]
    tables, _ = lvm_rows.join(pv_rows, vg_rows, lv_rows)
    messages = lvm_messages.parse("\n".join((*lv_said, *(line for line in (*vg_said, *pv_said) if line.startswith("WARNING")))))
    return LvmReport(
        physical_volumes=tuple(
            replace(pv, last_path=messages.last_paths.get(pv.uuid, "")) if pv.missing else pv for pv in tables.physical_volumes
        ),
        volume_groups=tables.volume_groups,
        logical_volumes=tables.logical_volumes,
        internal=tables.internal,
        duplicates=messages.duplicates,
        warnings=tuple(line for line in messages.warnings if line != "Reloading config files"),
        seconds=None,
    )


def _visible(lv_table: Sequence[Row], vg: str) -> set[str]:
    return {row["LV"] for row in lv_table if row["VG"] == vg and not row["LV"].startswith("[")}


def _dm_uuids(text: str) -> dict[str, str]:
    """The uuids of LVs by device-mapper's names, with hyphens."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if match := _DM_UUID.fullmatch(line):
            found[match[1]] = lvm_messages.hyphenated(match[3])
    return found


def _pv(row: Row, groups: dict[str, Group]) -> Row:
    vg = groups.get(row["VG"])
    total, free = size(row["PSize"]), size(row["PFree"])
    if vg is not None:
        extents, _, unused = vg.devices[row["PV UUID"]]["Total PE / Free PE"].partition(" / ")
        total, free = lvm_display.number(extents, "Total PE") * vg.extent, lvm_display.number(unused, "Free PE") * vg.extent
    return {
        "pv_uuid": row["PV UUID"],
        "pv_name": row["PV"],
        "vg_name": row["VG"],
        "vg_uuid": vg.facts["VG UUID"] if vg is not None else "",
        "vg_seqno": vg.facts.get("Metadata Sequence No", "") if vg is not None else "",
        "pv_size": str(total),
        "pv_free": str(free),
        "pv_attr": row["Attr"],
    }


def _vg(row: Row, group: Group) -> Row:
    return {
        "vg_name": row["VG"],
        "vg_uuid": group.facts["VG UUID"],
        "vg_seqno": str(group.number("Metadata Sequence No")),
        "vg_attr": row["Attr"],
        "vg_size": str(group.number("Total PE") * group.extent),
        "vg_free": str(group.free * group.extent),
        "vg_extent_size": str(group.extent),
        "vg_mda_free": str(size(row.get("VMdaFree", ""))),
        "vg_mda_size": str(size(row.get("VMdaSize", ""))),
        "vg_tags": row.get("VG Tags", ""),
    }


def _lv(row: Row, group: Group, uuids: dict[str, str]) -> Row:
    name, vg = row["LV"].strip("[]"), row["VG"]
    exact = group.volumes.get(name, {})
    mapper = f"{vg.replace('-', '--')}-{name.replace('-', '--')}"
    # What lvs gives as a snapshot's size is that of its COW store.
    extents = exact.get("COW-table LE") or exact.get("Current LE")
    major, _, minor = exact.get("Block device", "").partition(":")
    attr = row["Attr"]
    striped = row.get("#Str", "").isdecimal() and int(row["#Str"]) > 1 and attr[:1] not in _SEGMENTS
    return {
        # A hidden LV that is not active has no uuid that is told: its name stands for it among the others of its VG.
        "lv_uuid": exact.get("LV UUID") or uuids.get(mapper) or f"{vg}/{name}",
        "lv_name": row["LV"],
        "vg_uuid": group.facts["VG UUID"],
        "vg_seqno": group.facts["Metadata Sequence No"],
        "lv_attr": attr,
        "lv_size": str(lvm_display.number(extents, "Current LE") * group.extent if extents else size(row["LSize"])),
        "lv_kernel_major": major,
        "lv_kernel_minor": minor,
        "snap_percent": row.get("Data%") or row.get("Snap%", ""),
        "data_percent": row.get("Data%", ""),
        "metadata_percent": row.get("Meta%", ""),
        "segtype": "striped" if striped else _SEGMENTS.get(attr[:1], "linear"),
        "origin": row.get("Origin", ""),
        "pool_lv": row.get("Pool", ""),
        "lv_tags": row.get("LV Tags", ""),
        "devices": row.get("Devices", ""),
        "lv_time": exact.get("LV Creation host, time", "").rpartition(", ")[2],
    }


def _with_device(host: Host, pv: PhysicalVolume) -> PhysicalVolume:
    """With the number of its device, which the tables do not tell: that of the node LVM names, or of the device of that name."""
    if pv.missing:
        return pv
    device = getattr(host.stat(pv.path), "rdevice", None)
    number = host.read(f"/sys/block/{pv.path.removeprefix('/dev/')}/dev") if device is None else ""
    if isinstance(number, str) and (match := _NUMBER.fullmatch(number)):
        device = int(match[1]), int(match[2])
    return replace(pv, device=device)
