"""What multipathd makes of multipath.conf for a path and a map: the replacement timeout it gives an iSCSI session, and how long I/O
waits without a path. Pure.

Where a setting is taken from (libmultipath/propsel.c): of a path overrides/protocol (since 0.9), overrides (since 0.6), the device
blocks that match it, the last one first, multipath-tools' own table, defaults; of a map first its own block in multipaths.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, TypeVar

from sctune.model.multipath import MultipathSection
from sctune.records import dataclass
from sctune.unavailable import CannotLook, Reason, Unavailable, need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sctune.model.multipath import Multipath, MultipathConfiguration, ScsiIdentity

T = TypeVar("T")

FAST_IO_FAIL = "fast_io_fail_tmo"
NO_PATH_RETRY = "no_path_retry"
DEFAULT_FAST_IO_FAIL = 5
DEFAULT_INTERVAL = 5
"""Compiled into multipath-tools (libmultipath/defaults.h), 0.5.0 to 0.14."""
FOR_EVER = float("inf")
OWN = "multipath-tools' default"
_LARGEST = 2**31 - 1
_LONGEST = 20
_PATTERNS = ("vendor", "product", "revision")
_INTEGER = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+[ \t\n\v\f\r]*")
_UNSIGNED = re.compile(r"[ \t\n\v\f\r]*\+?([0-9]+)")
_NOT_PYTHONS = ("[[:", "[[.", "[[=")
"""In POSIX' regular expressions, and something else in Python's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen(Generic[T]):
    """A value and the place it is from."""

    value: T
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """The replacement timeouts that multipathd may give a session, in seconds: one, or a few where versions differ. None among
    them: it leaves the session alone. `place` is where the first of them is set."""

    values: tuple[int | None, ...]
    place: str

    @property
    def seconds(self) -> int | None:
        """The first that is a number."""
        return next((value for value in self.values if value is not None), None)


def override(multipath: Multipath, disk: str, wwid: str) -> Override | Unavailable:
    """What multipathd gives the session of this disk (libmultipath/discovery.c, sysfs_set_scsi_tmo, sysfs_set_session_tmo)."""
    values: dict[int | None, None] = {}
    places: list[str] = []
    try:
        for reading in multipath.readings:
            chosen = _of_path(multipath, reading, disk, FAST_IO_FAIL, _seconds)
            loss = _of_path(multipath, reading, disk, "dev_loss_tmo", _loss)
            fast = DEFAULT_FAST_IO_FAIL if chosen is None else chosen.value
            places.append(OWN if chosen is None else chosen.place)
            waits = _wait(multipath, reading, disk, wwid).value if fast else 0.0
            values.update(dict.fromkeys(_given(fast, None if loss is None else loss.value, waits)))
    except CannotLook as error:
        return error.unavailable
    return Override(values=tuple(values), place=places[0])


def _given(fast: int, loss: float | None, waits: float) -> tuple[int | None, ...]:
    """fast_io_fail_tmo has to be smaller than dev_loss_tmo, which is at least as long as I/O waits: else it is switched off. iSCSI
    cannot be told off or 0."""
    if not fast:
        return (None,)
    if loss:
        return (fast if fast < max(loss, waits) else None,)
    # Without dev_loss_tmo the wait alone counts too up to 0.8.4, and again since 0.11.
    return (fast, None) if waits and fast >= waits else (fast,)


def wait(multipath: Multipath, disk: str, wwid: str) -> Chosen[float] | Unavailable:
    """How long I/O waits on a map whose last path is gone, in seconds: no_path_retry checks (libmultipath/structs_vec.c), the least
    where files differ by version. 0 where nothing is set: multipathd then leaves the map as it is."""
    try:
        return min((_wait(multipath, reading, disk, wwid) for reading in multipath.readings), key=lambda chosen: chosen.value)
    except CannotLook as error:
        return error.unavailable


def _wait(multipath: Multipath, reading: MultipathConfiguration, disk: str, wwid: str) -> Chosen[float]:
    own = [section for section in reading.of("multipaths/multipath") if _is(section, "wwid", wwid)]
    order = (
        *reversed(own),
        *reversed(reading.of("overrides")),
        *_hardware(multipath, reading, disk),
        *reversed(reading.of("defaults")),
    )
    retries = _first(order, NO_PATH_RETRY, _checks)
    if retries is not None:
        return Chosen(value=retries.value * _interval(reading), place=retries.place)
    # What no_path_retry queue was before it had a name of its own.
    features = _first(order, "features", str)
    queues = features is not None and "queue_if_no_path" in features.value
    return Chosen(value=FOR_EVER, place=features.place) if features is not None and queues else Chosen(value=0.0, place=OWN)


def _of_path(
    multipath: Multipath, reading: MultipathConfiguration, disk: str, name: str, convert: Callable[[str], T | None]
) -> Chosen[T] | None:
    protocols = [section for section in reading.of("overrides/protocol") if _is(section, "type", "scsi:iscsi")]
    general = (*reversed(protocols), *reversed(reading.of("overrides")))
    order = (*general, *_hardware(multipath, reading, disk), *reversed(reading.of("defaults")))
    return _first(order, name, convert)


def _first(sections: Iterable[MultipathSection | Unavailable], name: str, convert: Callable[[str], T | None]) -> Chosen[T] | None:
    """The first that is set and valid. Raises CannotLook where one that comes before it is not known."""
    for section in sections:
        for setting in reversed(need(section).settings):
            if setting.name == name and (value := convert(setting.value)) is not None:
                return Chosen(value=value, place=setting.place)
    return None


def _is(section: MultipathSection, name: str, value: str) -> bool:
    setting = section.last(name)
    return setting is not None and setting.value == value


def _interval(reading: MultipathConfiguration) -> int:
    """Seconds between two checks of a path that is down (libmultipath/config.c, _init_config)."""
    defaults = tuple(reversed(reading.of("defaults")))
    every, most = _first(defaults, "polling_interval", _unsigned), _first(defaults, "max_polling_interval", _unsigned)
    if most is None or not most.value:
        return DEFAULT_INTERVAL if every is None else every.value
    return max(most.value // 4, 1) if every is None else min(every.value, most.value)


def _hardware(multipath: Multipath, reading: MultipathConfiguration, disk: str) -> Iterator[MultipathSection | Unavailable]:
    """The device blocks that match a disk, those that count more first: the files', then multipath-tools' own."""
    identity = multipath.identity(disk)
    if identity is None:
        yield Unavailable(reason=Reason.FAILED, what=f"/sys/block/{disk}/device", detail="vendor and product were not read")
        return
    for sections in (_merged(reading.of("devices/device")), multipath.builtin):
        if isinstance(sections, Unavailable):
            yield sections
            return
        blocks = sections if isinstance(sections, tuple) else sections.of("devices/device")
        for block in reversed(blocks):
            matches = _matches(block, identity)
            if isinstance(matches, Unavailable) or matches:
                yield matches if isinstance(matches, Unavailable) else block


def _merged(blocks: Sequence[MultipathSection]) -> tuple[MultipathSection, ...]:
    """Blocks with the same patterns are one, in the place of the last; those without vendor or product are dropped
    (libmultipath/config.c, factorize_hwtable)."""
    merged: dict[tuple[str | None, ...], MultipathSection] = {}
    for block in blocks:
        key = tuple(None if (setting := block.last(name)) is None else setting.value for name in _PATTERNS)
        if None not in key[:2]:
            earlier = merged.pop(key, None)
            settings = block.settings if earlier is None else (*earlier.settings, *block.settings)
            merged[key] = MultipathSection(kind=block.kind, file=block.file, settings=settings)
    return tuple(merged.values())


def _matches(block: MultipathSection, identity: ScsiIdentity) -> bool | Unavailable:
    """Whether all its patterns, POSIX' extended ones, are found in what the disk says. One that is no pattern matches nothing."""
    for name, text in zip(_PATTERNS, (identity.vendor, identity.product, identity.revision), strict=True):
        setting = block.last(name)
        if setting is None:
            continue
        if any(sign in setting.value for sign in _NOT_PYTHONS):
            return Unavailable(
                reason=Reason.MALFORMED, what=setting.place, detail="a pattern with a character class, not understood"
            )
        try:
            if re.search(setting.value, text) is None:
                return False
        except (re.error, RecursionError, OverflowError):
            return False
    return True


def _integer(text: str) -> int | None:
    """strtol(3) with nothing but blanks after it."""
    return int(text) if _INTEGER.fullmatch(text) and len(text) <= _LONGEST else None


def _unsigned(text: str) -> int | None:
    number = _integer(text)
    return number if number is not None and 0 <= number < 2**32 and "-" not in text else None


def _seconds(text: str) -> int | None:
    """fast_io_fail_tmo; 0 for off and 0."""
    if text in ("off", "0"):
        return 0
    number = _integer(text)
    return None if number is None else min(max(number, 1), _LARGEST)


def _loss(text: str) -> float | None:
    """dev_loss_tmo, which sscanf(3) reads: what follows the number is ignored."""
    if text == "infinity":
        return FOR_EVER
    match = _UNSIGNED.match(text)
    return float(match[1]) if match and len(match[1]) <= _LONGEST else None


def _checks(text: str) -> float | None:
    """no_path_retry: how many checks."""
    if text in ("fail", "0"):
        return 0.0
    if text == "queue":
        return FOR_EVER
    number = _integer(text)
    return None if number is None else float(min(max(number, 1), _LARGEST))
