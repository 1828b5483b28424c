"""LVM before 2.02.158 (2016), which has no `fullreport` and no JSON: RHEL 6, and RHEL 7 up to 7.2. It is asked three times instead.

Tried with 2.02.87 and 2.02.130, built from their sources: `fullreport` ends with status 2 (No such command). The VG's sequence
number is part of each answer, so that a change between them is seen.

**Filters.** `devices/global_filter` came with 2.02.98 (WHATS_NEW); before, `filter` is the only one, and a list put there takes
the place of the host's own. So there the list is imposed only when the host has none or a device has to be left out.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from sctune.probes.lvm_rows import LV_FIELDS, LV_FIELDS_2011, PV_FIELDS, SEPARATOR, VG_FIELDS
from sctune.records import dataclass, replace
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.lvm import PhysicalVolume
    from sctune.probes.lvm_json import Tables

VERSION = ("lvm", "version")
OPTIONS = ("--noheadings", "--separator", SEPARATOR, "--units", "b", "--nosuffix")
PVS = ("lvm", "pvs", *OPTIONS, "-o", ",".join(PV_FIELDS))
VGS = ("lvm", "vgs", *OPTIONS, "-o", ",".join(VG_FIELDS))
LVS = ("lvm", "lvs", "--all", "--segments", *OPTIONS, "-o", ",".join(LV_FIELDS))
LVS_2011 = ("lvm", "lvs", "--all", "--segments", *OPTIONS, "-o", ",".join(LV_FIELDS_2011))
"""For versions that call one of the fields of `LVS` unrecognised: before 2.02.89."""
SETTINGS = (
    "global{locking_type=0 metadata_read_only=1} activation{monitoring=0} backup{backup=0 archive=0} "
    'log{file="/dev/null" syslog=0 prefix="" command_names=0} report{aligned=0 prefixes=0 columns_as_rows=0 buffered=1}'
)
"""What is put over lvm.conf with --config, beside the filter: what lvm.py's question says, as far as these versions know it."""

_VERSION_DEADLINE = 3.0
_GLOBAL_FILTER_SINCE = (2, 2, 98)
_VERSION_LINE = re.compile(r"LVM version:\s*(\d+)\.(\d+)\.(\d+)")
_UNRECOGNISED = "Unrecognised field"
_USABLE = (0, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """`accept` are the patterns to impose, None for none; `own` the settings that the host's lvm.conf has; `must`: a device has to
    be left out, whatever the host's own say."""

    accept: tuple[str, ...] | None
    own: frozenset[str]
    must: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OldAnswer:
    """What the three commands said. `stderr` is all of theirs; `torn` whether a VG was changed between them."""

    tables: Tables
    stderr: str
    seconds: float
    torn: bool


def ask(host: Host, filters: Filters, *, device_mapper: bool, timeout: float) -> OldAnswer | Unavailable:
    """The answers of pvs, vgs and lvs, within `timeout` together."""
    from sctune.probes.lvm_messages import first_complaint
    from sctune.probes.lvm_rows import parse

    ends = time.monotonic() + timeout
    extra = ("--config", configuration(filters, version_of(host)), *(() if device_mapper else ("--driverloaded", "n")))
    texts: list[str] = []
    stderr = ""
    seconds = 0.0
    for argv in (PVS, VGS, LVS):
        completed = host.run((*argv, *extra), timeout=max(0.1, ends - time.monotonic()))
        if not isinstance(completed, Unavailable) and argv is LVS and _UNRECOGNISED in completed.stdout + completed.stderr:
            completed = host.run((*LVS_2011, *extra), timeout=max(0.1, ends - time.monotonic()))
        what = " ".join(argv[:2])
        if isinstance(completed, Unavailable):
            return replace(completed, what=what)
        if completed.status not in _USABLE or _UNRECOGNISED in completed.stdout + completed.stderr:
            detail = f"exit status {completed.status}: {first_complaint(completed.stderr)}"
            return Unavailable(reason=Reason.FAILED, what=what, detail=detail)
        texts.append(completed.stdout)
        stderr += completed.stderr
        seconds += completed.seconds
    try:
        tables, torn = parse(*texts)
    except ValueError as error:
        return Unavailable(reason=Reason.MALFORMED, what="pvs, vgs, lvs", detail=str(error)[:200])
    tables = replace(tables, physical_volumes=tuple(_with_device(host, pv) for pv in tables.physical_volumes))
    return OldAnswer(tables=tables, stderr=stderr, seconds=seconds, torn=torn)


def _with_device(host: Host, pv: PhysicalVolume) -> PhysicalVolume:
    """With the number of its device, which these versions do not tell: that of the node LVM names."""
    return pv if pv.missing else replace(pv, device=getattr(host.stat(pv.path), "rdevice", None))


def version_of(host: Host) -> tuple[int, int, int] | None:
    """LVM's version, as (2, 2, 87); None where it does not tell."""
    completed = host.run(VERSION, timeout=_VERSION_DEADLINE)
    match = None if isinstance(completed, Unavailable) else _VERSION_LINE.search(completed.stdout)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def configuration(filters: Filters, version: tuple[int, int, int] | None) -> str:
    """What is put over the host's lvm.conf. A device has to pass both filters, so the list goes into what the host does not use."""
    one_filter = version is None or version < _GLOBAL_FILTER_SINCE
    known = ("filter",) if one_filter else ("filter", "global_filter")
    imposed = [name for name in known if name not in filters.own]
    if filters.must and not imposed:
        imposed = list(known)
    devices = ["ignore_suspended_devices=1"]
    if filters.accept is not None:
        patterns = ",".join(f'"{pattern}"' for pattern in filters.accept)
        devices += [f"{name}=[{patterns}]" for name in imposed]
    return f"devices{{{' '.join(devices)}}} {SETTINGS}"
