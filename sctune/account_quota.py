"""Quotas of single accounts: what the volumes and snapshots that the configuration gives to an account come to. Pure.

Nothing on a storage host tells whose a volume is, and `euca-describe-volumes verbose` prints no account either: the
configuration has to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.units import size_words
from sctune.quota import logical_size, snapshot_files
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.config.model import AccountLimits
    from sctune.model.chain import Chains
    from sctune.model.store import VolumeStore
    from sctune.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One number of an account against its limit: bytes where `is_size`, else a count of `what`."""

    key: str
    what: str
    used: int
    limit: int
    is_size: bool

    @property
    def exceeded(self) -> bool:
        """More than the limit; exactly the limit is allowed."""
        return self.used > self.limit

    def near(self, share: float) -> bool:
        """At or above `share` of it, and not above all of it."""
        return not self.exceeded and self.used > 0 and self.used >= share * self.limit

    @property
    def words(self) -> str:
        """ "12 GiB of 10 GiB", "3 of 2 volumes"."""
        if self.is_size:
            return f"{size_words(self.used)} of {size_words(self.limit)}"
        return f"{self.used} of {self.limit} {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUse:
    """What one account uses here: `volumes` and `snapshots` each against the limits it has, `absent` the ids it owns that are not
    on this host (deleted, or in another zone)."""

    name: str
    volumes: tuple[Against, ...]
    snapshots: tuple[Against, ...]
    absent: tuple[str, ...]


def account_use(name: str, account: AccountLimits, chains: Chains, stores: tuple[VolumeStore, ...] | Unavailable) -> AccountUse:
    """One account's. Ids are compared without regard to case: Eucalyptus wrote them in capitals before 4.0."""
    owned = {one.lower(): one for one in account.owns}
    volumes = [chain for chain in chains.chains if chain.ours and chain.id.lower() in owned]
    snapshots = {id.lower() for id, _ in snapshot_files(chains, stores) if id.lower() in owned}
    here = {chain.id.lower() for chain in volumes} | snapshots
    path = f"quotas.accounts.{name}"
    size = sum(logical_size(chain) or 0 for chain in volumes)
    return AccountUse(
        name=name,
        volumes=tuple(
            _against(
                (f"{path}.total", "", size, account.total, True),
                (f"{path}.volumes", "volumes", len(volumes), account.volumes, False),
            )
        ),
        snapshots=tuple(_against((f"{path}.snapshots", "snapshots", len(snapshots), account.snapshots, False))),
        absent=tuple(written for id, written in owned.items() if id not in here),
    )


def _against(*rows: tuple[str, str, int, int | None, bool]) -> Iterable[Against]:
    for key, what, used, limit, is_size in rows:
        if limit is not None:
            yield Against(key=key, what=what, used=used, limit=limit, is_size=is_size)
