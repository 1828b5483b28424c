"""What LVM says on stderr, in words, while the report on stdout says nothing of it. Pure.

The words are those of lib/cache/lvmcache.c and lib/metadata/metadata.c, LVM 2.02.1xx to 2.03.
"""

from __future__ import annotations

import re

from sctune.model.lvm import DuplicatePv
from sctune.records import dataclass

_NOT_USING = re.compile(r"Not using device (\S.*?) for PV ([\w-]+)\.?$")
_PREFERS = re.compile(r"PV ([\w-]+) prefers device (\S.*?)(?: because .*)?$")
_ALREADY_FOUND = re.compile(r"PV ([\w-]+) on (\S.*?) was already found on (\S.*?)\.?$")
_FOUND_DUPLICATE = re.compile(r"Found duplicate PV ([\w-]+): using (\S+) not (\S+)$")
_LAST_WRITTEN = re.compile(r"is missing PV ([\w-]+) \(last written to (.+)\)\.?$")

_NOISE = (
    "File descriptor ",
    "WARNING: Activation disabled. No device-mapper interaction",
    "/dev/mapper/control: open failed",
    "Failure to communicate with kernel device-mapper driver",
    "Check that device-mapper is available in the kernel",
    "Incompatible libdevmapper ",
    "WARNING: Locking disabled. Be careful!",
    "WARNING: locking_type (0) is deprecated",
    "WARNING: Not using lvmetad because",
)
"""The consequences of how we ask, and of a kernel without device-mapper."""
_NOISE_PARTS = ("Configuration setting ", "is ignored with the devices file", "is ignored when using the devices file")

_TORN = (
    "inconsistent",
    "seqno",
    "mismatch",
    "checksum error",
    "couldn't read volume group metadata",
    "failed to read metadata",
    "missing device",
    "changed during",
)
"""What LVM says when two copies of a VG's metadata, or two reads of one, do not agree."""

_PREFIXES = (6, 4, 4, 4, 4, 4, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """`warnings` are the lines that matter, in order and once each; `last_paths` maps a missing PV's uuid to the device that
    the VG's metadata last had it on; `torn` is whether LVM saw metadata that do not agree."""

    warnings: tuple[str, ...]
    duplicates: tuple[DuplicatePv, ...]
    last_paths: dict[str, str]
    torn: bool


def parse(stderr: str) -> Messages:
    """Reads LVM's stderr. Never fails: a line it does not know is a warning and nothing else."""
    lines = tuple(dict.fromkeys(line for raw in stderr.split("\n") if (line := raw.strip()) and not _is_noise(line)))
    last_paths: dict[str, str] = {}
    for line in lines:
        match = _LAST_WRITTEN.search(line)
        if match is not None and not match[2].startswith("["):
            last_paths[hyphenated(match[1])] = match[2]
    words = "\n".join(lines).lower()
    return Messages(
        warnings=lines,
        duplicates=_duplicates(lines),
        last_paths=last_paths,
        torn=any(word in words for word in _TORN),
    )


def _duplicates(lines: tuple[str, ...]) -> tuple[DuplicatePv, ...]:
    paths: dict[str, dict[str, None]] = {}
    preferred: dict[str, str] = {}
    for line in lines:
        if (match := _PREFERS.search(line)) is not None:
            preferred[hyphenated(match[1])] = match[2]
            paths.setdefault(hyphenated(match[1]), {})[match[2]] = None
        elif (match := _NOT_USING.search(line)) is not None:
            paths.setdefault(hyphenated(match[2]), {})[match[1]] = None
        elif (match := _ALREADY_FOUND.search(line)) is not None:
            paths.setdefault(hyphenated(match[1]), {}).update({match[3]: None, match[2]: None})
        elif (match := _FOUND_DUPLICATE.search(line)) is not None:
            preferred[hyphenated(match[1])] = match[2]
            paths.setdefault(hyphenated(match[1]), {}).update({match[2]: None, match[3]: None})
    found = []
    for uuid, devices in sorted(paths.items()):
        found.append(DuplicatePv(uuid=uuid, paths=tuple(sorted(devices)), preferred=preferred.get(uuid, "")))
    return tuple(found)


def hyphenated(uuid: str) -> str:
    """LVM's uuid as its reports write it. Messages of 2.02 have it without hyphens."""
    if len(uuid) != sum(_PREFIXES) or "-" in uuid:
        return uuid
    parts = []
    start = 0
    for length in _PREFIXES:
        parts.append(uuid[start : start + length])
        start += length
    return "-".join(parts)


def first_complaint(stderr: str) -> str:
    """The first line that says something, for the detail of an `Unavailable`."""
    lines = [line for raw in stderr.split("\n") if (line := raw.strip()) and not _is_noise(line)]
    return lines[0][:200] if lines else ""


def _is_noise(line: str) -> bool:
    return line.startswith(_NOISE) or any(part in line for part in _NOISE_PARTS)
