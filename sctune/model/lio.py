"""LIO, the kernel's own iSCSI target."""

from __future__ import annotations

from sctune.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LioPortal:
    """An address that LIO listens on: `address` without brackets, `iqn` one of the targets that are behind it."""

    iqn: str
    address: str
    port: int
