"""LVM's settings in force: `lvm lvmconfig --typeconfig full` (lvmconfig(8)), in the format of lvm.conf(5).

lvm.conf alone does not tell them: compiled-in defaults differ between versions and distributors, and lvmlocal.conf, profiles
and tags add to it. The command reads files only, no device and no lock.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.lvm import LvmSettings
from sctune.probes.lvm_messages import first_complaint
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

DEADLINE = 5.0
ARGV = ("lvm", "lvmconfig", "--typeconfig", "full", "devices", "activation", "global")
OLD_ARGV = ("lvm", "dumpconfig")
"""Before 2.02.158 (--typeconfig) and 2.02.119 (lvmconfig): what lvm.conf sets, without the compiled-in defaults."""
_NOT_KNOWN = (2, 3)
"""No such command; Error during parsing of command line."""
_WHAT = "lvm lvmconfig"
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SECTION = re.compile(r"([A-Za-z_][\w-]*)\s*\{$")


def probe(host: Host) -> LvmSettings | Unavailable:
    """The settings. An ordinary user may ask too."""
    completed = host.run(ARGV, timeout=DEADLINE)
    if not isinstance(completed, Unavailable) and completed.status in _NOT_KNOWN:
        completed = host.run(OLD_ARGV, timeout=DEADLINE)
    if isinstance(completed, Unavailable):
        return completed
    try:
        settings = parse(completed.stdout)
    except ValueError as error:
        return Unavailable(reason=Reason.MALFORMED, what=_WHAT, detail=str(error)[:200])
    if settings is None:
        complaint = first_complaint(completed.stderr) or f"exit status {completed.status}, nothing said"
        return Unavailable(reason=Reason.FAILED, what=_WHAT, detail=complaint)
    return settings


def parse(text: str) -> LvmSettings | None:
    """The settings of a full configuration; None where there is no setting in it. What this version does not have is None, and
    with `dumpconfig` what lvm.conf does not set.

    `ValueError` where a value is not of the kind that lvm.conf(5) says.
    """
    values = _values(text)
    if not values:
        return None
    return LvmSettings(
        scan_lvs=_flag(values, "devices/scan_lvs"),
        use_devicesfile=_flag(values, "devices/use_devicesfile"),
        filter=_strings(values, "devices/filter"),
        global_filter=_strings(values, "devices/global_filter"),
        snapshot_autoextend_threshold=_percent(values, "activation/snapshot_autoextend_threshold"),
        snapshot_autoextend_percent=_percent(values, "activation/snapshot_autoextend_percent"),
        thin_pool_autoextend_threshold=_percent(values, "activation/thin_pool_autoextend_threshold"),
        thin_pool_autoextend_percent=_percent(values, "activation/thin_pool_autoextend_percent"),
        monitoring=_flag(values, "activation/monitoring"),
        use_lvmetad=_flag(values, "global/use_lvmetad"),
    )


def _values(text: str) -> dict[str, str]:
    """section/key -> value as written. lvmconfig prints one thing a line: `section {`, `key=value`, `}`."""
    sections: list[str] = []
    values: dict[str, str] = {}
    for raw in text.split("\n"):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line == "}":
            if sections:
                sections.pop()
        elif (match := _SECTION.fullmatch(line)) is not None:
            sections.append(match[1])
        else:
            key, equals, value = line.partition("=")
            if equals:
                values["/".join((*sections, key.strip()))] = value.strip()
    return values


def _flag(values: dict[str, str], key: str) -> bool | None:
    number = _number(values, key)
    return None if number is None else number != 0


def _percent(values: dict[str, str], key: str) -> float | None:
    number = _number(values, key)
    return None if number is None else number / 100


def _number(values: dict[str, str], key: str) -> int | None:
    text = values.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise ValueError(f"{key} is {text[:40]!r}, not a number")
    return int(text)


def _strings(values: dict[str, str], key: str) -> tuple[str, ...]:
    return tuple(match[1].replace('\\"', '"').replace("\\\\", "\\") for match in _STRING.finditer(values.get(key, "")))
