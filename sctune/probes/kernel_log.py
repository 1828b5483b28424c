"""The kernel's log since boot: /dev/kmsg, and the journal's copy where the kernel has forgotten the beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.probes.kernel_log_text import parse, reaches_boot
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.kernel_log import KernelLog

KMSG = "/dev/kmsg"
JOURNAL = (
    "journalctl",
    "--dmesg",
    "--boot",
    "--lines=20000",
    "--output=short-monotonic",
    "--no-hostname",
    "--no-pager",
    "--quiet",
)
"""The kernel's messages of this boot, times as the kernel gave them (journalctl(1)); the number of lines bounds the time."""
_JOURNALS = ("/run/log/journal", "/var/log/journal")
_JOURNAL_SECONDS = 3.0


def probe(host: Host) -> KernelLog | Unavailable:
    """What the log says of storage. The journal is asked only where it can tell more: of a log that has wrapped, or that may
    not be read."""
    text = host.kernel_log()
    if isinstance(text, str) and reaches_boot(text):
        return parse(text, KMSG)
    if isinstance(text, Unavailable) and text.reason in (Reason.ABSENT, Reason.NOT_COLLECTED):
        return text  # a container has no kernel of its own
    kept = _journal(host)
    if kept and (isinstance(text, Unavailable) or len(kept) > len(text) or reaches_boot(kept)):
        return parse(kept, " ".join(JOURNAL[:3]))
    return text if isinstance(text, Unavailable) else parse(text, KMSG)


def _journal(host: Host) -> str:
    """The journal's copy, "" where there is none or it does not say."""
    if all(isinstance(host.list(folder), Unavailable) for folder in _JOURNALS):
        return ""
    done = host.run(JOURNAL, timeout=_JOURNAL_SECONDS)
    return "" if isinstance(done, Unavailable) or done.status != 0 else done.stdout
