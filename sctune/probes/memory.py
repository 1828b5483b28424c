"""Memory and transparent huge pages.

Sources: proc(5) on /proc/meminfo; Documentation/admin-guide/mm/transhuge.rst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.system import HugePages, Memory
from sctune.probes.writeback import MEMINFO, parse_meminfo
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.host.base import Host

# Red Hat's 2.6.32 has a folder of its own.
HUGE_PAGE_FOLDERS = ("/sys/kernel/mm/transparent_hugepage", "/sys/kernel/mm/redhat_transparent_hugepage")

CMDLINE = "/proc/cmdline"


def probe_memory(host: Host) -> Memory | Unavailable:
    """/proc/meminfo in bytes."""
    text = host.read(MEMINFO)
    return text if isinstance(text, Unavailable) else parse_memory(text)


def parse_memory(text: str) -> Memory | Unavailable:
    """The fields of /proc/meminfo that matter. MemAvailable exists since Linux 3.14; the others always did."""
    fields = parse_meminfo(text)
    missing = [name for name in ("MemTotal", "MemFree", "Dirty", "Writeback") if name not in fields]
    if missing:
        return Unavailable(reason=Reason.MALFORMED, what=MEMINFO, detail=f"no {missing[0]}")
    return Memory(
        total=fields["MemTotal"],
        available=fields.get("MemAvailable"),
        free=fields["MemFree"],
        dirty=fields["Dirty"],
        writeback=fields["Writeback"],
        swap_total=fields.get("SwapTotal", 0),
        swap_free=fields.get("SwapFree", 0),
    )


def probe_huge_pages(host: Host) -> HugePages | Unavailable:
    """The mode of transparent huge pages; absent where the kernel was built without them."""
    found = read_huge_pages(host)
    if isinstance(found, Unavailable):
        return found
    folder, enabled, _ = found
    return HugePages(
        enabled=enabled,
        defrag=bracketed(known(host.read(f"{folder}/defrag")) or ""),
        at_boot=boot_argument(known(host.read(CMDLINE)) or "", "transparent_hugepage"),
    )


def read_huge_pages(host: Host) -> tuple[str, str, tuple[str, ...]] | Unavailable:
    """(folder, mode, modes that are offered), from the first of the folders that is there."""
    for folder in HUGE_PAGE_FOLDERS:
        path = f"{folder}/enabled"
        text = host.read(path)
        if isinstance(text, Unavailable):
            if text.reason is Reason.ABSENT:
                continue
            return text
        enabled = bracketed(text)
        if enabled is None:
            return Unavailable(reason=Reason.MALFORMED, what=path, detail="no word in brackets")
        return folder, enabled, tuple(word.strip("[]") for word in text.split())
    return Unavailable(reason=Reason.ABSENT, what=HUGE_PAGE_FOLDERS[0])


def boot_argument(cmdline: str, name: str) -> str | None:
    """The value of an argument on the kernel's command line, the last one where it stands there twice; None without it."""
    values = [word.partition("=")[2] for word in cmdline.split() if word.startswith(f"{name}=")]
    return values[-1] if values else None


def bracketed(text: str) -> str | None:
    """The chosen word of a list like `always [madvise] never`, or None."""
    for word in text.split():
        if word.startswith("[") and word.endswith("]") and len(word) > 2:
            return word[1:-1]
    return None
