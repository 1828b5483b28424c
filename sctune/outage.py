"""How long an outage of all paths is survived by a disk under multipath. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.multipath import FOR_EVER, OWN, Chosen, wait
from sctune.records import dataclass
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.initiator import MapOver, Outage
    from sctune.model.initiator import IscsiSession
    from sctune.model.multipath import Multipath

KERNEL = "device-mapper's table"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOutage:
    """A map, its sessions that this host knows, and what happens when all of them are lost at once: after `given_up` seconds the
    last path is given up, then I/O waits `waits` more (infinite: for ever; Unavailable: not known)."""

    over: MapOver
    sessions: tuple[tuple[IscsiSession, Outage], ...]
    waits: Chosen[float] | Unavailable

    @property
    def given_up(self) -> float:
        """The last path is that of the session with the longest timeouts."""
        return max(outage.survived for _, outage in self.sessions)

    @property
    def survived(self) -> float | Unavailable:
        """Seconds until I/O fails."""
        return self.waits if isinstance(self.waits, Unavailable) else self.given_up + self.waits.value


def of_maps(
    pairs: Sequence[tuple[IscsiSession, Outage, tuple[MapOver, ...]]], multipath: Multipath | Unavailable
) -> tuple[MapOutage, ...]:
    """Every map over a disk of these sessions."""
    maps: dict[str, MapOver] = {}
    sessions: dict[str, list[tuple[IscsiSession, Outage]]] = {}
    for session, outage, over in pairs:
        for one in over:
            maps.setdefault(one.kernel_name, one)
            sessions.setdefault(one.kernel_name, []).append((session, outage))
    return tuple(MapOutage(over=one, sessions=tuple(sessions[name]), waits=waits(one, multipath)) for name, one in maps.items())


def waits(over: MapOver, multipath: Multipath | Unavailable) -> Chosen[float] | Unavailable:
    """How long I/O waits on a map without a path. While a path works, the kernel's word is the first: multipathd tells it to let
    I/O wait, if it shall, before the last path is lost. It does not say how long: that is multipathd's, which takes the word
    back."""
    if over.queues is False and over.active:
        return Chosen(value=0.0, place=KERNEL)
    configured = multipath if isinstance(multipath, Unavailable) else wait(multipath, over.disk, over.wwid)
    if isinstance(configured, Unavailable):
        return configured
    if over.queues and not configured.value:
        # Not multipathd's doing, so it will not take it back.
        return Chosen(value=FOR_EVER, place=KERNEL)
    return configured


def words(waits: Chosen[float]) -> str:
    """What follows once the last path is given up, in words."""
    if not waits.value:
        return "I/O then fails at once"
    how = "for ever" if waits.value == FOR_EVER else f"{waits.value:.0f} s"
    return f"I/O then waits {how}" + (f" ({waits.place})" if waits.place != OWN else "")
