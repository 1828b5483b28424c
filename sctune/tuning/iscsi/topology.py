"""Whether values fit the paths that a host's disks have. Pure.

Where a session is the only way to a disk, the timeouts have to outlast an outage: nothing else waits. Where multipath lies above
it, they have to be short: another path is there, and multipath waits by itself when none is left (open-iscsi README, section 8).
Either set of values does harm in the place of the other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.initiator import INTERVAL, TIMEOUT, effective, half_off
from sctune.model.initiator import InitiatorTimeouts
from sctune.records import dataclass
from sctune.tuning.iscsi.survival import with_wanted
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sctune.model.initiator import IscsiSession
    from sctune.tuning.iscsi.settings import Wanted
    from sctune.tuning.iscsi.view import View

TOLD = "--set paths=any"
_SHOWN = 4


class PathCount(StrEnum):
    """For which disks values are meant."""

    ONE = "one"  # the session is the only way to the disk
    SEVERAL = "several"  # multipath lies above it
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why nothing is done, and what to do instead."""

    text: str
    hint: str

    def __str__(self) -> str:
        return f"{self.text}. {self.hint}"


def refusals(view: View, profile: str, meant: PathCount, wanted: Sequence[Wanted]) -> tuple[Refusal, ...]:
    """What contradicts this host."""
    return (*_half_off(view, profile, wanted), *_paths(view, profile, meant, wanted))


def _paths(view: View, profile: str, meant: PathCount, wanted: Sequence[Wanted]) -> Iterator[Refusal]:
    if meant is PathCount.ANY:
        return
    if isinstance(view.sessions, Unavailable):
        yield Refusal(
            text=f"{profile} is for disks {_MEANT[meant]}, and which sessions there are cannot be told ({view.sessions})",
            hint=_nevertheless(),
        )
        return
    single: list[str] = []
    under: list[str] = []
    for session in view.sessions:
        if not session.disks:
            continue
        maps = view.maps(session)
        if isinstance(maps, Unavailable):
            yield Refusal(
                text=f"{profile} is for disks {_MEANT[meant]}, and whether {', '.join(session.disks)} lies under multipath cannot "
                f"be told ({maps})",
                hint=_nevertheless(),
            )
            return
        if maps:
            under.append(f"{_disks(session)} under {', '.join(one.name for one in maps)}")
        else:
            single.append(_disks(session))
    if meant is PathCount.ONE and under:
        yield Refusal(
            text=f"{profile} is for disks {_MEANT[meant]}, and multipath lies above {_some(under)}: a dead path would be given up "
            f"{_survived(wanted)} after it is lost, and I/O would wait so long though another path works",
            hint=f"iscsi-multipath has values for such a host; {_nevertheless()}",
        )
    if meant is PathCount.SEVERAL and single:
        yield Refusal(
            text=f"{profile} is for disks {_MEANT[meant]}, and nothing lies above {_some(single)}: I/O to what has no other path "
            f"would fail {_survived(wanted)} after the path is lost",
            hint=f"iscsi-root and iscsi-default have values for such a host; {_nevertheless()}",
        )


_MEANT = {PathCount.ONE: "with a single path", PathCount.SEVERAL: "under multipath", PathCount.ANY: "of any kind"}


def _nevertheless() -> str:
    return f"{TOLD} applies it nevertheless"


def _disks(session: IscsiSession) -> str:
    return f"{', '.join(session.disks)} ({session.target} at {session.portal})"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _survived(wanted: Sequence[Wanted]) -> str:
    outage = effective(with_wanted(_NOTHING, wanted))
    return "never" if outage.replacement < 0 else f"{outage.survived:.0f} s"


_NOTHING = InitiatorTimeouts(
    replacement_timeout=None, noop_interval=None, noop_timeout=None, login_timeout=None, startup=None, chap=False
)


def _half_off(view: View, profile: str, wanted: Sequence[Wanted]) -> Iterator[Refusal]:
    """A profile that gives one of the pair alone may leave it half off."""
    values = {one.name: one.value for one in wanted}
    if INTERVAL in values and TIMEOUT in values:
        if half_off(values[INTERVAL], values[TIMEOUT]):
            yield _half(profile, values[INTERVAL], values[TIMEOUT], "")
        return
    if INTERVAL not in values and TIMEOUT not in values:
        return
    places: list[tuple[str, InitiatorTimeouts]] = [(view.path, view.timeouts)]
    if not isinstance(view.records, Unavailable):
        places.extend((text.record.path, text.record.timeouts) for text in view.records)
    for place, timeouts in places:
        after = with_wanted(timeouts, wanted)
        interval, timeout = (5 if value is None else value for value in (after.noop_interval, after.noop_timeout))
        if half_off(interval, timeout):
            yield _half(profile, interval, timeout, f" in {place}")
            return


def _half(profile: str, interval: int, timeout: int, place: str) -> Refusal:
    return Refusal(
        text=f"{profile} would leave noop_out_interval {interval} and noop_out_timeout {timeout}{place}: open-iscsi takes a single "
        "0 for a mistake and sends NOP-Outs with 5 s",
        hint="Set both to 0, or neither",
    )
