"""What the links of a chain count of the I/O that goes through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.model.io import IoCounters, IoRates, LunIo, LunRates
    from sctune.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeIo:
    """Counters since each device was made, by its name in /sys/block, or, over an interval of `seconds`, what it did in that time
    (None where it was made anew meanwhile). LUNs by (control port, target id, LUN)."""

    seconds: float | None = None
    devices: Mapping[str, IoCounters | IoRates | Unavailable | None] = field(default_factory=dict)
    luns: Mapping[tuple[int, int, int], tuple[LunIo, ...] | LunRates | Unavailable | None] = field(default_factory=dict)
