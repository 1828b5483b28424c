"""What the tests of iSCSI plans share: a host with a file, a record and a session, and its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sctune.initiator import INTERVAL, REPLACEMENT, TIMEOUT
from sctune.probes.iscsid_conf import parse, timeouts_of
from sctune.tuning.iscsi.plan import IscsiPlan, plan
from sctune.tuning.iscsi.settings import Wanted, wanted
from sctune.tuning.iscsi.view import View, record_text
from sctune.tuning.operations import FileState
from sctune.unavailable import Reason
from tests.unit.iscsi_hosts import IQN, VM, disk, record, session, unavailable, under

if TYPE_CHECKING:
    from sctune.tuning.iscsi.items import Decision, IscsiItem, Place

SYSFS = "/sys/class/iscsi_session/session1/recovery_tmo"
RECORD = f"/etc/iscsi/nodes/{IQN}/10.0.0.5,3260,1/default"
DEBIAN = (VM / "healthy" / "iscsid.conf.txt").read_bytes()


def state(content: bytes = DEBIAN) -> FileState:
    return FileState(content=content, mode=0o640, uid=0, gid=7, label="system_u:object_r:etc_t:s0")


def want(**values: int) -> tuple[Wanted, ...]:
    names = {"replacement": REPLACEMENT, "interval": INTERVAL, "timeout": TIMEOUT}
    return tuple(wanted(names.get(name, name), value, why="a test", source="a test") for name, value in values.items())


ROOT = want(replacement=7200, interval=0, timeout=0)
MULTI = want(replacement=15, interval=5, timeout=10)


def text_of(replacement: int | None = 120, interval: int | None = 5, timeout: int | None = 5) -> str:
    values = {REPLACEMENT: replacement, INTERVAL: interval, TIMEOUT: timeout}
    return "".join(f"{name} = {value}\n" for name, value in values.items() if value is not None)


def view(**parts: Any) -> View:
    """A host with Debian's file, a record and a session of a single path, all at 120/5/5."""
    text = parts.pop("text", text_of())
    given: dict[str, Any] = {
        "configuration": state(),
        "records": (record_text(record(timeouts_of(parse(text))), text, (REPLACEMENT, INTERVAL, TIMEOUT)),),
        "sessions": (session(),),
        "block": (disk(),),
        "dm": (),
        "multipath": unavailable(Reason.ABSENT),
    }
    return View(**(given | parts))


def made(host: View, values: tuple[Wanted, ...] = ROOT, **options: Any) -> IscsiPlan:
    return plan(host, values, profile="test", **options)


def decisions(items: tuple[IscsiItem, ...], place: Place) -> dict[str, Decision]:
    return {item.key: item.decision for item in items if item.place is place}


def only(items: tuple[IscsiItem, ...], place: Place, key: str = REPLACEMENT) -> IscsiItem:
    (item,) = (item for item in items if item.place is place and item.key == key)
    return item


def multipath(text: str = "", **changes: Any) -> View:
    return view(**under(2, text), **changes)
