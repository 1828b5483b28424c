"""What sctune applied to this host, by its own record, and what of it is not in force any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.applied import Applied, Drift, Kind, Setting, Transaction
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sctune.host.base import Host
    from sctune.model.tgt_tuning import TargetParameters

PATH = "/var/lib/sctune/applied.json"


def probe(host: Host, *, targets: Callable[[], tuple[TargetParameters, ...] | Unavailable]) -> Applied | Unavailable:
    """Reads the record and looks at each setting in it. Absent where nothing was ever applied. `targets` is asked only where
    something was set on a target."""
    text = host.read(PATH)
    if isinstance(text, Unavailable):
        return text
    transactions = parse(text)
    if isinstance(transactions, Unavailable):
        return transactions
    return compare(transactions, host, targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """The record as it is read."""

    format: int
    transactions: tuple[Transaction, ...]


def parse(text: str) -> tuple[Transaction, ...] | Unavailable:
    """The transactions of the record."""
    import msgspec

    from sctune.tuning.record import FORMAT

    try:
        record = msgspec.json.decode(text, type=_Record)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        return Unavailable(reason=Reason.MALFORMED, what=PATH, detail=str(error).splitlines()[0])
    if record.format > FORMAT:
        return Unavailable(reason=Reason.MALFORMED, what=PATH, detail="written by a newer sctune")
    return record.transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was found where a setting was left; `wanted` None: as it was left."""

    wanted: str | None = None
    now: str = ""


_AS_LEFT = _Seen()


def compare(
    transactions: Iterable[Transaction], host: Host, targets: Callable[[], tuple[TargetParameters, ...] | Unavailable]
) -> Applied:
    """Looks at what whole transactions, the oldest first, left in force: of several that set one thing the last counts."""
    every = tuple(transactions)
    in_force: dict[tuple[str, ...], tuple[Setting, Transaction]] = {}
    for transaction in every:
        # Nobody can say how one that was broken off left a setting: what an earlier one wanted is no measure either.
        for setting in transaction.settings:
            in_force.pop(_place(setting), None)
            if transaction.whole:
                in_force[_place(setting)] = (setting, transaction)
    conforming: list[Setting] = []
    drifted: list[Drift] = []
    gone: list[Setting] = []
    unread: list[tuple[Setting, Unavailable]] = []
    for setting, transaction in in_force.values():
        seen = _look(setting, host, targets)
        if isinstance(seen, Unavailable):
            # A value goes with its device or session; that of a file is told as a difference.
            if seen.reason is Reason.ABSENT:
                gone.append(setting)
            else:
                unread.append((setting, seen))
        elif seen.wanted is None:
            conforming.append(setting)
        else:
            drifted.append(Drift(setting=setting.setting, path=setting.path, wanted=seen.wanted, now=seen.now, by=transaction))
    return Applied(transactions=every, conforming=tuple(conforming), drifted=tuple(drifted), gone=tuple(gone), unread=tuple(unread))


def _place(setting: Setting) -> tuple[str, ...]:
    if setting.kind is Kind.TARGET:
        return (setting.setting,)
    return (setting.path, "" if setting.kind is Kind.WHOLE else setting.line.partition("=")[0].strip())


def _look(setting: Setting, host: Host, targets: Callable[[], tuple[TargetParameters, ...] | Unavailable]) -> _Seen | Unavailable:
    if setting.kind is Kind.VALUE:
        return _of_value(setting, host)
    if setting.kind is Kind.TARGET:
        return _of_target(setting, targets())
    text = host.read(setting.path)
    if isinstance(text, Unavailable) and text.reason is not Reason.ABSENT:
        return text
    if setting.kind is Kind.REMOVED:
        return _AS_LEFT if isinstance(text, Unavailable) else _Seen(wanted="removed", now="there again")
    if isinstance(text, Unavailable):
        return text if setting.kind is Kind.KEPT else _Seen(wanted="a file", now="removed")
    if setting.kind is Kind.WHOLE:
        now = text.strip()
        return _AS_LEFT if now == setting.line else _Seen(wanted=setting.line, now=now or "empty")
    return _of_file(setting, text, host) if setting.kind is Kind.FILE else _of_line(setting.line, text)


def _of_value(setting: Setting, host: Host) -> _Seen | Unavailable:
    from sctune.tuning.steps import reading

    text = host.read(setting.path)
    if isinstance(text, Unavailable):
        return text
    now = reading(text)
    if now in {reading(setting.wanted), *setting.accepts}:
        return _AS_LEFT
    return _Seen(wanted=setting.wanted, now=now or "empty")


def _of_target(setting: Setting, targets: tuple[TargetParameters, ...] | Unavailable) -> _Seen | Unavailable:
    """NOP-Ins of one target: its name is before the last stroke of the setting's."""
    if isinstance(targets, Unavailable):
        return targets
    iqn, _, parameter = setting.setting.rpartition("/")
    target = next((one for one in targets if one.iqn == iqn), None)
    now = None if target is None else {"nop_interval": target.nop_interval, "nop_count": target.nop_count}.get(parameter)
    if now is None:
        return Unavailable(reason=Reason.ABSENT, what=setting.setting)
    wanted = _words(setting.line)[1]
    return _AS_LEFT if str(now) == wanted else _Seen(wanted=wanted, now=str(now))


def _of_file(setting: Setting, text: str, host: Host) -> _Seen | Unavailable:
    import hashlib

    if hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest() != setting.wanted:
        return _Seen(wanted="as written", now="other contents")
    found = host.stat(setting.path)
    if isinstance(found, Unavailable):
        return found
    wanted, now = (f"mode {mode:04o}, owner {uid}" for mode, uid in ((setting.mode or 0, setting.uid), (found.mode, found.uid)))
    return _AS_LEFT if wanted == now else _Seen(wanted=wanted, now=now)


def _of_line(line: str, text: str) -> _Seen:
    from sctune.tuning.steps import last_of_key

    now = last_of_key(text, line)
    return _AS_LEFT if now is not None and _words(now) == _words(line) else _Seen(wanted=line, now=now or "no such line")


def _words(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    return key.strip(), value.strip()
