"""This host's own IP addresses, from /proc/net (of the network namespace that sctune runs in)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.probes.iscsi_sessions import parse_fib_trie, parse_if_inet6
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host


def probe(host: Host) -> tuple[str, ...] | Unavailable:
    """All addresses, without prefix lengths, sorted. A kernel without IPv6 has no /proc/net/if_inet6."""
    four = host.read("/proc/net/fib_trie")
    if isinstance(four, Unavailable):
        # Kernels built without CONFIG_IP_FIB_TRIE (2.6.32) have addresses all the same.
        return replace(four, reason=Reason.FAILED) if four.reason is Reason.ABSENT else four
    six = host.read("/proc/net/if_inet6")
    if isinstance(six, Unavailable) and six.reason is not Reason.ABSENT:
        return six  # half of them would make the others look like another host's
    found = {*parse_fib_trie(four), *(parse_if_inet6(six) if isinstance(six, str) else ())}
    return tuple(sorted(found))
