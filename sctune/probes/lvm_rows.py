"""What `pvs`, `vgs` and `lvs` print, into the records of lvm_json: for LVM before 2.02.158, which knows no JSON. Pure.

One row a line, its fields in the order asked for, apart by `SEPARATOR`; LVM puts two spaces before each row and prints nothing for
a field that is empty. The fields are those of lib/report/columns.h at v2_02_87 (2011); what later versions added is left out, and
what can only be told by it is told as not known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.probes.lvm_json import Tables, from_reports

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Row = dict[str, str]

SEPARATOR = "|"
PV_FIELDS = ("pv_uuid", "vg_uuid", "vg_seqno", "pv_size", "pv_free", "pv_attr", "vg_name", "pv_name")
_VG_SIZES = ("vg_size", "vg_free", "vg_extent_size", "vg_mda_free", "vg_mda_size")
VG_FIELDS = ("vg_uuid", "vg_seqno", "vg_attr", *_VG_SIZES, "vg_name", "vg_tags")
_LV_NUMBERS = ("lv_size", "lv_kernel_major", "lv_kernel_minor", "snap_percent")
_LV_COMMON = ("lv_uuid", "vg_uuid", "vg_seqno", "lv_attr", *_LV_NUMBERS, "segtype", "origin")
LV_FIELDS = (*_LV_COMMON, "data_percent", "metadata_percent", "pool_lv", "lv_name", "lv_tags", "devices")
"""A row a segment. Thin LVs, and with them the three fields that 2.02.87 has not, came with 2.02.89 (2012)."""
LV_FIELDS_2011 = (*_LV_COMMON, "lv_name", "lv_tags", "devices")

_HEALTH = {"F": "failed", "D": "out_of_data", "M": "metadata_read_only", "p": "partial", "r": "refresh needed"}
"""The ninth letter of lv_attr (lvs(8)), in the words of lv_health_status."""
_EXTENT = re.compile(r"\(\d+\)$")


def parse(pvs: str, vgs: str, lvs: str) -> tuple[Tables, bool]:
    """The records, and whether a VG was changed between the three commands. `ValueError` where a row is not what was asked for."""
    pv_rows, vg_rows = _rows(pvs, PV_FIELDS, "pvs"), _rows(vgs, VG_FIELDS, "vgs")
    return join(pv_rows, vg_rows, _rows(lvs, LV_FIELDS, "lvs"))


def join(pv_rows: Sequence[Row], vg_rows: Sequence[Row], lv_rows: Sequence[Row]) -> tuple[Tables, bool]:
    """The same of rows that were read already."""
    seqnos = {row["vg_uuid"]: row["vg_seqno"] for row in vg_rows}
    grouped = (row for row in (*pv_rows, *lv_rows) if "lv_uuid" in row or row["vg_name"])
    torn = any(seqnos.get(row["vg_uuid"]) != row["vg_seqno"] for row in grouped)
    reports: list[object] = []
    for vg in vg_rows:
        own = [row for row in pv_rows if row["vg_uuid"] == vg["vg_uuid"] and row["vg_name"]]
        segments = [row for row in lv_rows if row["vg_uuid"] == vg["vg_uuid"]]
        reports.append(_report(vg, own, segments))
    reports.append({"pv": [row for row in pv_rows if not row["vg_name"]]})
    return from_reports(reports), torn


def _rows(text: str, fields: tuple[str, ...], command: str) -> list[dict[str, str]]:
    """The last field may hold the separator itself: a device may have any name."""
    rows = []
    for raw in text.split("\n"):
        line = raw.strip()
        if not line:
            continue
        names = LV_FIELDS_2011 if fields is LV_FIELDS and line.count(SEPARATOR) < len(LV_FIELDS) - 1 else fields
        values = line.split(SEPARATOR, len(names) - 1)
        if len(values) != len(names):
            raise ValueError(f"a row of {command} has {len(values)} fields, not {len(names)}: {line[:60]!r}")
        rows.append(dict(zip(names, (value.strip() for value in values), strict=True)))
    return rows


def _report(vg: dict[str, str], pvs: list[dict[str, str]], segments: list[dict[str, str]]) -> dict[str, object]:
    """One VG's rows in the tables of a full report."""
    # Missing PVs all have one name: of several, it is not told which one is meant.
    names = [row["pv_name"] for row in pvs]
    uuid_of = {row["pv_name"]: row["pv_uuid"] for row in pvs if names.count(row["pv_name"]) == 1}
    lvs: dict[str, dict[str, str]] = {}
    pvseg: list[dict[str, str]] = []
    seg: list[dict[str, str]] = []
    parents: dict[str, str] = {}
    for row in segments:
        lv = lvs.setdefault(row["lv_uuid"], _lv(row))
        seg.append({"lv_uuid": row["lv_uuid"], "segtype": row["segtype"]})
        for under in _devices(row["devices"]):
            if under in uuid_of:
                pvseg.append({"lv_uuid": row["lv_uuid"], "pv_uuid": uuid_of[under]})
            elif not under.startswith("/"):
                parents[under.strip("[]")] = lv["lv_name"].strip("[]")
    for lv in lvs.values():
        lv["lv_parent"] = parents.get(lv["lv_name"].strip("[]"), "")
    return {"vg": [vg], "pv": pvs, "lv": list(lvs.values()), "pvseg": pvseg, "seg": seg}


def _lv(row: dict[str, str]) -> dict[str, str]:
    attr = row["lv_attr"]
    snapshot = attr[:1] in ("s", "S")
    return {
        **row,
        "data_percent": row.get("data_percent") or (row["snap_percent"] if snapshot else ""),
        "lv_layout": row["segtype"].replace("-", ","),
        "lv_health_status": _HEALTH.get(attr[8:9], ""),
    }


def _devices(text: str) -> Iterable[str]:
    """`/dev/loop0(0),/dev/loop1(25)`: devices or parts of the LV, each with its first extent."""
    return (_EXTENT.sub("", word) for word in text.split(",") if word)
