"""How long an outage of the storage network is survived: before a plan, right after it, and after the next login. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.initiator import INTERVAL, REPLACEMENT, TIMEOUT, Outage, effective, live, records_of
from sctune.outage import of_maps
from sctune.records import dataclass, replace
from sctune.tuning.iscsi.items import Decision, IscsiItem, Place
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sctune.initiator import MapOver
    from sctune.model.initiator import InitiatorTimeouts, IscsiSession
    from sctune.tuning.iscsi.settings import Wanted
    from sctune.tuning.iscsi.view import View

_FOR_EVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """How long I/O to a disk waits before it fails, in seconds from when the network falls silent; infinite: for ever.

    `what` is the session's identity, or the map's name where the disk is under multipath; `disks` are kernel names. `before` is
    what holds today, `now` when the plan is done, `after_login` when the session has logged in anew. Each is a lower bound where
    `unnoticed` says so: without NOP-Outs the loss is noticed by TCP or by the SCSI command timer alone."""

    what: str
    disks: tuple[str, ...]
    before: float | Unavailable
    now: float | Unavailable
    after_login: float | Unavailable
    unnoticed: tuple[bool, bool, bool] = (False, False, False)

    @property
    def words(self) -> str:
        """The three in words."""
        times = (self.before, self.now, self.after_login)
        told = [_words(seconds, late) for seconds, late in zip(times, self.unnoticed, strict=True)]
        subject = f"{self.what} ({', '.join(self.disks)})"
        return f"{subject} survives an outage of {told[0]}; when this is applied {told[1]}; after its next login {told[2]}"


def _words(seconds: float | Unavailable, unnoticed: bool) -> str:
    if isinstance(seconds, Unavailable):
        return f"an unknown time ({seconds})"
    if seconds == _FOR_EVER:
        return "any length"
    return f"{'at least ' if unnoticed else ''}{seconds:.0f} s"


def survivals(view: View, wanted: Sequence[Wanted], items: Sequence[IscsiItem], *, persist: bool) -> tuple[Survival, ...]:
    """One a session of a single path, one a multipath map. Sessions that show no timeouts or have no disk are left out.
    `persist`: whether records are changed as well, and not live sessions alone."""
    if isinstance(view.sessions, Unavailable):
        return ()
    single: list[Survival] = []
    under: list[tuple[IscsiSession, tuple[Outage, Outage, Outage], tuple[MapOver, ...]]] = []
    for session in view.sessions:
        runs = live(session)
        if runs is None or not session.disks:
            continue
        three = (runs, _now(session, runs, items), _after(view, session, runs, wanted if persist else (), items))
        maps = view.maps(session)
        if isinstance(maps, Unavailable):
            unknown = Unavailable(reason=maps.reason, what=f"paths to {session.target}", detail=str(maps))
            single.append(Survival(what=session.identity, disks=session.disks, before=unknown, now=unknown, after_login=unknown))
        elif maps:
            under.append((session, three, maps))
        else:
            before, now, after = (one.survived for one in three)
            single.append(
                Survival(
                    what=session.identity,
                    disks=session.disks,
                    before=before,
                    now=now,
                    after_login=after,
                    unnoticed=_unnoticed(three),
                )
            )
    return (*single, *_of_maps(view, under))


def _unnoticed(three: tuple[Outage, Outage, Outage]) -> tuple[bool, bool, bool]:
    first, second, third = (one.noop_interval == 0 for one in three)
    return first, second, third


def _of_maps(
    view: View, under: Sequence[tuple[IscsiSession, tuple[Outage, Outage, Outage], tuple[MapOver, ...]]]
) -> tuple[Survival, ...]:
    def at(moment: int) -> tuple[tuple[float | Unavailable, bool], ...]:
        lost = of_maps([(session, three[moment], maps) for session, three, maps in under], view.multipath)
        return tuple((one.survived, any(outage.noop_interval == 0 for _, outage in one.sessions)) for one in lost)

    maps = of_maps([(session, three[0], maps) for session, three, maps in under], view.multipath)
    return tuple(
        Survival(
            what=one.over.name,
            disks=tuple(disk for session, _ in one.sessions for disk in session.disks),
            before=first[0],
            now=second[0],
            after_login=third[0],
            unnoticed=(first[1], second[1], third[1]),
        )
        for one, first, second, third in zip(maps, at(0), at(1), at(2), strict=True)
    )


def _changes(session: IscsiSession, items: Sequence[IscsiItem]) -> IscsiItem | None:
    return next(
        (
            item
            for item in items
            if item.place is Place.SESSION
            and item.where == session.identity
            and item.key == REPLACEMENT
            and item.decision is Decision.CHANGE
        ),
        None,
    )


def _now(session: IscsiSession, runs: Outage, items: Sequence[IscsiItem]) -> Outage:
    changed = _changes(session, items)
    return runs if changed is None else replace(runs, replacement=changed.wanted)


def _after(view: View, session: IscsiSession, runs: Outage, wanted: Sequence[Wanted], items: Sequence[IscsiItem]) -> Outage:
    """What a new session gets from its record, and from multipathd. A session without a record keeps what it has: boot firmware or
    whoever made it makes it again."""
    records = () if isinstance(view.records, Unavailable) else tuple(text.record for text in view.records)
    found = records_of(session, records)
    after = effective(with_wanted(found[0].timeouts, wanted)) if found else _now(session, runs, items)
    given = view.given(session)
    if given is not None and not isinstance(given, Unavailable) and given.seconds is not None:
        return replace(after, replacement=given.seconds)
    return after


def with_wanted(timeouts: InitiatorTimeouts, wanted: Sequence[Wanted]) -> InitiatorTimeouts:
    """The timeouts with what a profile wants."""
    values = {one.name: one.value for one in wanted}

    def number(name: str, now: int | None) -> int | None:
        return values.get(name, now)

    return replace(
        timeouts,
        replacement_timeout=number(REPLACEMENT, timeouts.replacement_timeout),
        noop_interval=number(INTERVAL, timeouts.noop_interval),
        noop_timeout=number(TIMEOUT, timeouts.noop_timeout),
    )


def shortest(survivals: Sequence[Survival], moment: Callable[[Survival], float | Unavailable]) -> float | Unavailable:
    """The host's own: that of the disk which fails first. Unknown where one is."""
    times = [moment(one) for one in survivals]
    if not times:
        return Unavailable(reason=Reason.ABSENT, what="iSCSI sessions with disks")
    for time in times:
        if isinstance(time, Unavailable):
            return time
    return min(time for time in times if not isinstance(time, Unavailable))
