"""What `smartctl --json` (smartmontools 7.0) and `nvme smart-log --output-format=json` (nvme-cli) print. Pure."""

from __future__ import annotations

import json
from typing import Any

from sctune.model.disk_health import DiskHealth
from sctune.unavailable import Reason, Unavailable

ASLEEP = 3
"""The exit status that smartctl is told to have for a disk that sleeps: one that no mixture of its own bits makes."""
_REALLOCATED, _PENDING, _UNCORRECTABLE = 5, 197, 198
_ERRORS = 0b111  # bits of the exit status: command line, open, a command to the disk failed


def parse_smartctl(text: str, status: int, device: str) -> DiskHealth | Unavailable:
    """One disk. `status` is the exit status. Raises ValueError for what is no such document."""
    document = _object(text)
    what = f"smartctl /dev/{device}"
    if status == ASLEEP:
        return DiskHealth(device=device, tool="smartctl", asleep=True)
    verdict = _part(document, "smart_status")
    if not verdict:
        return _untold(document, status, device, what)
    nvme = _part(document, "nvme_smart_health_information_log")
    attributes = {
        row["id"]: row for row in _rows(_part(document, "ata_smart_attributes"), "table") if _whole(row.get("id")) is not None
    }
    passed = verdict.get("passed")
    used = _whole(nvme.get("percentage_used"))
    return DiskHealth(
        device=device,
        tool="smartctl",
        passed=passed if isinstance(passed, bool) else None,
        failing=tuple(_failing(attributes.values())),
        critical_warning=_whole(nvme.get("critical_warning")),
        media_errors=_whole(nvme.get("media_errors")),
        uncorrected=_uncorrected(_part(document, "scsi_error_counter_log")),
        pending=_raw(attributes.get(_PENDING)),
        uncorrectable=_raw(attributes.get(_UNCORRECTABLE)),
        reallocated=_raw(attributes.get(_REALLOCATED)),
        used_ratio=None if used is None else used / 100,
    )


def parse_nvme(text: str, device: str) -> DiskHealth:
    """One NVMe disk. Raises ValueError for what is no such document."""
    document = _object(text)
    warning = document.get("critical_warning")
    if isinstance(warning, dict):  # nvme-cli with --verbose
        warning = warning.get("value")
    if _whole(warning) is None:
        raise ValueError("no critical_warning")
    used = _whole(document.get("percent_used"))
    return DiskHealth(
        device=device,
        tool="nvme",
        critical_warning=_whole(warning),
        media_errors=_whole(document.get("media_errors")),
        used_ratio=None if used is None else used / 100,
    )


def _untold(document: dict[str, Any], status: int, device: str, what: str) -> DiskHealth | Unavailable:
    """Why there is no verdict: a disk that has none to give, or one that could not be asked."""
    messages = [row.get("string") for row in _rows(_part(document, "smartctl"), "messages")]
    detail = next((text for text in messages if isinstance(text, str)), "")
    if "Permission denied" in detail:
        return Unavailable(reason=Reason.DENIED, what=what, detail=detail[:200])
    able = _part(document, "smart_support").get("available")
    if able is False or "Unable to detect device type" in detail or not status & _ERRORS:
        return DiskHealth(device=device, tool="smartctl", supported=False)
    return Unavailable(reason=Reason.FAILED, what=what, detail=detail[:200] or f"exit status {status}")


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    return document


def _part(document: dict[str, Any], name: str) -> dict[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _rows(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = document.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _raw(row: dict[str, Any] | None) -> int | None:
    """An attribute's raw number as smartctl reads it: vendors pack several into the 48 bits, and the text begins with the one
    that counts."""
    raw = _part(row or {}, "raw")
    words = str(raw.get("string", "")).split()
    if words and words[0].isascii() and words[0].isdigit() and len(words[0]) < 16:
        return int(words[0])
    return _whole(raw.get("value"))


def _failing(rows: Any) -> list[str]:
    return [
        str(row.get("name", row["id"]))[:80]
        for row in rows
        if row.get("when_failed") == "now" and _part(row, "flags").get("prefailure") is True
    ]


def _uncorrected(log: dict[str, Any]) -> int | None:
    counts = [count for name in log if (count := _whole(_part(log, name).get("total_uncorrected_errors"))) is not None]
    return sum(counts) if counts else None
