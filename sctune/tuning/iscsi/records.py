"""What existing node records need. Pure.

iscsid.conf is copied into a record when that is made, and never again; so records that exist are changed by
`iscsiadm -m node -o update`, one setting a call, and never by hand: iscsiadm holds a lock while it writes one. A session keeps
what it has until its next login.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.tuning.iscsi.items import Decision, IscsiItem, Place
from sctune.tuning.iscsi.settings import number, same
from sctune.tuning.operations import RunTool
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from sctune.model.initiator import NodeRecord
    from sctune.tuning.iscsi.settings import Wanted
    from sctune.tuning.iscsi.view import RecordText

_IN_FORCE = "in force at the next login"


def argv(record: NodeRecord, name: str, value: str) -> tuple[str, ...]:
    """The call that gives one record a value. The interface is always named: without it, iscsiadm changes the records of all
    interfaces."""
    node = ("iscsiadm", "-m", "node", "-T", record.target, "-p", record.portal, "-I", record.interface)
    return (*node, "-o", "update", "-n", name, "-v", value)


def line(name: str, value: str) -> str:
    """How a record's file says it (usr/idbm.c, idbm_print)."""
    return f"{name} = {value}"


def item(text: RecordText, wanted: Wanted) -> IscsiItem:
    """What one record has and needs of a setting."""
    setting, record = wanted.setting, text.record
    where = f"{record.target},{record.portal},{record.interface}"
    if isinstance(text.values, Unavailable):
        return IscsiItem(
            place=Place.RECORD, where=where, path=record.path, key=wanted.name, current=None, wanted=wanted.value,
            decision=Decision.UNKNOWN, why=str(text.values),
        )  # fmt: skip
    written = text.value(wanted.name)
    value = setting.default if written is None else number(written)
    right = same(wanted.name, value, wanted.value)
    said = "" if written is not None else f"the record does not say it: open-iscsi's default, {setting.words(value)}, holds"
    return IscsiItem(
        place=Place.RECORD,
        where=where,
        path=record.path,
        key=wanted.name,
        current=value,
        wanted=wanted.value,
        decision=Decision.ALREADY if right else Decision.CHANGE,
        why="; ".join(filter(None, (said, "" if right else _IN_FORCE))),
        operation=None if right else _operation(text, wanted, written),
    )


def _operation(text: RecordText, wanted: Wanted, written: str | None) -> RunTool:
    # iscsiadm cannot take a line out of a record; the default is what its absence meant.
    before = str(wanted.setting.default) if written is None else written
    return RunTool(
        setting=f"{text.record.target},{text.record.portal},{text.record.interface}/{wanted.name}",
        argv=argv(text.record, wanted.name, str(wanted.value)),
        undo=(argv(text.record, wanted.name, before),),
        check={text.record.path: line(wanted.name, str(wanted.value))},
    )
