"""How much unwritten data the kernel lets pile up in memory: vm.dirty_* and the limit they come to.

Sources: Documentation/admin-guide/sysctl/vm.rst; mm/page-writeback.c (domain_dirty_limits); proc(5) on /proc/vmstat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.system import Writeback
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.host.base import Host

FOLDER = "/proc/sys/vm"
VMSTAT = "/proc/vmstat"
MEMINFO = "/proc/meminfo"

# Counters that both files show, in kB and in pages: what one page is follows from any of them. Several are compared, since
# a single one may lie: a container's meminfo is often made up, and a memory balloon changes MemFree alone.
_SAME_COUNTERS = (
    ("AnonPages", "nr_anon_pages"),
    ("Mapped", "nr_mapped"),
    ("PageTables", "nr_page_table_pages"),
    ("Shmem", "nr_shmem"),
    ("MemFree", "nr_free_pages"),
)
_PAGE_SIZES = tuple(1 << shift for shift in range(12, 17))  # 4 KiB to 64 KiB: every architecture Linux serves volumes on
_ENOUGH_PAGES = 16  # below it rounding decides
_TOLERANCE = 0.25  # the two files are read one after the other


def probe(host: Host) -> Writeback | Unavailable:
    """vm.dirty_* and the limits in force. The limits are None where the kernel does not tell them (before 2.6.37)."""
    numbers: dict[str, int] = {}
    for name in ("dirty_ratio", "dirty_bytes", "dirty_background_ratio", "dirty_background_bytes"):
        path = f"{FOLDER}/{name}"
        text = host.read(path)
        if isinstance(text, Unavailable):
            return text
        number = parse_number(text)
        if number is None:
            return Unavailable(reason=Reason.MALFORMED, what=path, detail="not a number")
        numbers[name] = number
    vmstat = parse_vmstat(known(host.read(VMSTAT)) or "")
    page = page_size(parse_meminfo(known(host.read(MEMINFO)) or ""), vmstat)
    limit = _limit(numbers["dirty_bytes"], vmstat.get("nr_dirty_threshold"), page)
    background = _limit(numbers["dirty_background_bytes"], vmstat.get("nr_dirty_background_threshold"), page)
    if limit is not None and background is not None and background >= limit:
        background = limit // 2  # what the kernel does with such a pair
    return Writeback(
        dirty_ratio=numbers["dirty_ratio"] / 100,
        dirty_bytes=numbers["dirty_bytes"],
        background_ratio=numbers["dirty_background_ratio"] / 100,
        background_bytes=numbers["dirty_background_bytes"],
        limit=limit,
        background_limit=background,
        expire=_centiseconds(host, "dirty_expire_centisecs"),
        interval=_centiseconds(host, "dirty_writeback_centisecs"),
    )


def parse_number(text: str) -> int | None:
    """The one non-negative decimal number in a sysctl file, or None."""
    word = text.strip()
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= 20 else None


def parse_vmstat(text: str) -> dict[str, int]:
    """/proc/vmstat: counter -> pages (or events). Lines that are no "name number" are left out."""
    counters: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        number = parse_number(value)
        if number is not None:
            counters[name] = number
    return counters


def parse_meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo: field -> bytes (fields without a unit: their count). Lines of another form are left out."""
    fields: dict[str, int] = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        words = rest.split()
        number = parse_number(words[0]) if colon and words else None
        if number is not None:
            fields[name] = number * 1024 if words[1:] == ["kB"] else number
    return fields


def page_size(meminfo: Mapping[str, int], vmstat: Mapping[str, int]) -> int | None:
    """The host's page size in bytes: the power of two that most counters shown both in bytes and in pages agree on.

    None where they do not agree. Our own machine's page size says nothing of a captured host.
    """
    votes: dict[int, int] = {}
    for field, counter in _SAME_COUNTERS:
        size, pages = meminfo.get(field), vmstat.get(counter)
        if size is None or pages is None or pages < _ENOUGH_PAGES:
            continue
        for candidate in _PAGE_SIZES:
            if abs(size / pages - candidate) <= _TOLERANCE * candidate:
                votes[candidate] = votes.get(candidate, 0) + 1
    ranked = sorted(votes.items(), key=lambda vote: -vote[1])
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def _limit(setting: int, threshold: int | None, page: int | None) -> int | None:
    if setting != 0:
        return setting
    return None if threshold is None or page is None else threshold * page


def _centiseconds(host: Host, name: str) -> float | None:
    text = known(host.read(f"{FOLDER}/{name}"))
    number = None if text is None else parse_number(text)
    return None if number is None else number / 100
