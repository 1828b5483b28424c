"""What LIO counts of logins to each target: `fabric_statistics/iscsi_login_stats` (Linux drivers/target/iscsi/iscsi_target_stat.c;
the meanings are those of RFC 4544, iscsiTgtLoginStats). The counters have 32 bits and belong to the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.lio import LioLogins
from sctune.probes.lio_io import read_numbers
from sctune.probes.lio_state import FABRIC
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

_FILES = ("accepts", "authenticate_fails", "authorize_fails", "negotiate_fails", "other_fails")


def probe(host: Host, *, lio: tuple[str, ...] | Unavailable) -> tuple[LioLogins | Unavailable, ...] | Unavailable:
    """A record a target, or why its counters are not known. What went meanwhile is left out."""
    if isinstance(lio, Unavailable):
        return lio
    found = (_read(host, iqn) for iqn in lio)
    return tuple(one for one in found if not (isinstance(one, Unavailable) and one.reason is Reason.ABSENT))


def _read(host: Host, iqn: str) -> LioLogins | Unavailable:
    numbers = read_numbers(host, f"{FABRIC}/{iqn}/fabric_statistics/iscsi_login_stats", _FILES)
    if isinstance(numbers, Unavailable):
        return numbers
    accepted, authenticate, authorize, negotiate, other = numbers
    return LioLogins(iqn=iqn, accepted=accepted, authenticate=authenticate, authorize=authorize, negotiate=negotiate, other=other)
