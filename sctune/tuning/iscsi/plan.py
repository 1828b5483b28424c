"""The iSCSI part of a plan: for each setting what iscsid.conf, each node record and each live session have and are to get. Pure.

A setting goes from iscsid.conf into a record when that is made, from the record into the session at login, and under multipath
multipathd has the last word on the replacement timeout. So each place is changed by itself, or it is said what will change it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.initiator import REPLACEMENT, records_of
from sctune.records import dataclass
from sctune.tuning.iscsi import records, sessions
from sctune.tuning.iscsi.conf_edit import Edit, current, diff, edit, read
from sctune.tuning.iscsi.items import Decision, IscsiItem, Place
from sctune.tuning.iscsi.settings import number, same
from sctune.tuning.iscsi.survival import Survival, survivals
from sctune.tuning.iscsi.topology import PathCount, Refusal, refusals
from sctune.tuning.operations import FileState, WriteFile
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sctune.model.initiator import IscsiSession, NodeRecord
    from sctune.tuning.iscsi.settings import Wanted
    from sctune.tuning.iscsi.view import View
    from sctune.tuning.operations import Operation

NEW_MODE = 0o600
"""Of an iscsid.conf that was not there: it is where CHAP secrets are written."""
_NO_INITIATOR = "there is no iscsid.conf, no node record and no session: this host is no initiator"
_RECORDS_TO_COME = "for records made from now on"


@dataclass(frozen=True, slots=True, kw_only=True)
class FourWay:
    """One setting of one session, or of one record without a session, in all places; None where it does not stand there.
    `multipath` is what multipathd gives the session."""

    where: str
    key: str
    file: int | None
    record: int | None
    session: int | None
    multipath: int | None
    wanted: int

    @property
    def agree(self) -> bool:
        """Whether every place has what is wanted; multipathd's word is the session's own."""
        places = (self.file, self.record, self.session) if self.multipath is None else (self.file, self.record)
        given = self.multipath is None or self.session is None or same(self.key, self.session, self.multipath)
        return given and all(value is None or same(self.key, value, self.wanted) for value in places)


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiPlan:
    """What would be done. Where `refusals` are, nothing is."""

    profile: str
    items: tuple[IscsiItem, ...]
    rows: tuple[FourWay, ...]
    refusals: tuple[Refusal, ...]
    survivals: tuple[Survival, ...]
    notes: tuple[str, ...]
    file: WriteFile | None

    @property
    def pending(self) -> bool:
        """Whether anything would change."""
        return bool(operations(self))

    def difference(self) -> tuple[str, ...]:
        """How iscsid.conf would change, without secrets."""
        if self.file is None or self.file.after is None:
            return ()
        return diff(None if self.file.before is None else self.file.before.content, self.file.after.content, self.file.path)


def plan(
    view: View,
    wanted: Sequence[Wanted],
    *,
    profile: str,
    paths: PathCount = PathCount.ANY,
    live: bool = True,
    persist: bool = True,
) -> IscsiPlan:
    """What a profile's values mean on this host. `paths` is what they are meant for; ANY where that was told to be left aside.
    `live`: live sessions are changed; `persist`: iscsid.conf and the node records are."""
    items: list[IscsiItem] = []
    notes: tuple[str, ...] = ()
    file: WriteFile | None = None
    if view.absent:
        items.extend(_file_item(view, one, None, Decision.ABSENT, _NO_INITIATOR) for one in wanted)
    else:
        if persist:
            found, notes, file = _file(view, wanted, profile)
            items.extend(found)
            items.extend(_records(view, wanted))
        if live:
            items.extend(_sessions(view, wanted))
    return IscsiPlan(
        profile=profile,
        items=tuple(items),
        rows=tuple(four_way(view, wanted)),
        refusals=() if view.absent else refusals(view, profile, paths, wanted),
        survivals=survivals(view, wanted, items, persist=persist),
        notes=notes,
        file=file,
    )


def operations(plan: IscsiPlan) -> tuple[Operation, ...]:
    """What applying it does, in order: the file, the records, the sessions. Nothing where it is refused."""
    if plan.refusals:
        return ()
    own = tuple(item.operation for item in plan.items if item.operation is not None)
    return own if plan.file is None else (plan.file, *own)


def _file(view: View, wanted: Sequence[Wanted], profile: str) -> tuple[list[IscsiItem], tuple[str, ...], WriteFile | None]:
    before = view.configuration
    if isinstance(before, Unavailable):
        return [_file_item(view, one, None, Decision.UNKNOWN, str(before)) for one in wanted], (), None
    content = None if before is None else before.content
    header = f"Written by sctune apply-profile {profile}. There was no iscsid.conf before."
    made = edit(content, {one.name: one.value for one in wanted}, header=header)
    items = [_in_file(view, one, content, made) for one in wanted]
    if made.content == (content or b""):
        return items, made.notes, None
    after = FileState(content=made.content, mode=NEW_MODE, uid=0, gid=0) if before is None else _with(before, made.content)
    return items, made.notes, WriteFile(setting=view.path, path=view.path, after=after, before=before)


def _with(state: FileState, content: bytes) -> FileState:
    return FileState(content=content, mode=state.mode, uid=state.uid, gid=state.gid, label=state.label)


def _in_file(view: View, wanted: Wanted, content: bytes | None, made: Edit) -> IscsiItem:
    written = current(read(content or b""), wanted.name)
    value = wanted.setting.default if written is None else number(written)
    where = dict(made.lines)[wanted.name]
    # A default is written too: it says that it is meant, and does not change with another version.
    if written is not None and same(wanted.name, value, wanted.value):
        return _file_item(view, wanted, value, Decision.ALREADY, f"line {where}")
    said = "" if written is not None else f"not set there: open-iscsi's default, {wanted.setting.words(value)}, holds; "
    return _file_item(view, wanted, value, Decision.CHANGE, f"{said}line {where}, {_RECORDS_TO_COME}")


def _file_item(view: View, wanted: Wanted, value: int | None, decision: Decision, why: str) -> IscsiItem:
    return IscsiItem(
        place=Place.FILE,
        where=view.path,
        path=view.path,
        key=wanted.name,
        current=value,
        wanted=wanted.value,
        decision=decision,
        why=why,
    )


def _records(view: View, wanted: Sequence[Wanted]) -> Iterator[IscsiItem]:
    if isinstance(view.records, Unavailable):
        for one in wanted:
            yield _unknown(Place.RECORD, view.records, one)
        return
    for text in view.records:
        for one in wanted:
            yield records.item(text, one)


def _sessions(view: View, wanted: Sequence[Wanted]) -> Iterator[IscsiItem]:
    if isinstance(view.sessions, Unavailable):
        for one in wanted:
            yield _unknown(Place.SESSION, view.sessions, one)
        return
    for session in view.sessions:
        maps, given = view.maps(session), view.given(session)
        for one in wanted:
            yield sessions.item(session, one, maps, given)


def _unknown(place: Place, unavailable: Unavailable, wanted: Wanted) -> IscsiItem:
    return IscsiItem(
        place=place,
        where=unavailable.what,
        path=unavailable.what,
        key=wanted.name,
        current=None,
        wanted=wanted.value,
        decision=Decision.UNKNOWN,
        why=str(unavailable),
    )


def four_way(view: View, wanted: Sequence[Wanted]) -> Iterator[FourWay]:
    """Every session, and every record that no session is of."""
    content = None if view.configuration is None or isinstance(view.configuration, Unavailable) else view.configuration.content
    lines = read(content or b"")
    file = {
        one.name: None if isinstance(view.configuration, Unavailable) else _number(current(lines, one.name), one) for one in wanted
    }
    texts = () if isinstance(view.records, Unavailable) else view.records
    seen: set[str] = set()
    for session in () if isinstance(view.sessions, Unavailable) else view.sessions:
        found = next((text for text in texts if _is_of(text.record, session)), None)
        seen |= set() if found is None else {found.record.path}
        given = view.given(session)
        seconds = None if given is None or isinstance(given, Unavailable) else given.seconds
        for one in wanted:
            yield FourWay(
                where=session.identity,
                key=one.name,
                file=file[one.name],
                record=None if found is None or isinstance(found.values, Unavailable) else _number(found.value(one.name), one),
                session=sessions.shown(session, one.name),
                multipath=seconds if one.name == REPLACEMENT else None,
                wanted=one.value,
            )
    for text in texts:
        if text.record.path not in seen:
            for one in wanted:
                yield FourWay(
                    where=f"{text.record.target},{text.record.portal},{text.record.interface}",
                    key=one.name,
                    file=file[one.name],
                    record=None if isinstance(text.values, Unavailable) else _number(text.value(one.name), one),
                    session=None,
                    multipath=None,
                    wanted=one.value,
                )


def _number(text: str | None, wanted: Wanted) -> int:
    return wanted.setting.default if text is None else number(text)


def _is_of(record: NodeRecord, session: IscsiSession) -> bool:
    return bool(records_of(session, (record,)))
