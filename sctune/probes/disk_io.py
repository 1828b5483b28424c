"""I/O counters of whole block devices: /sys/block/NAME/stat (Documentation/block/stat.rst, admin-guide/iostats.rst).

One line of 11 numbers; since Linux 4.18 four more of discards, since 5.5 two more of flushes. Sectors are of 512 bytes whatever
the device's own are, times in milliseconds. Later kernels may append more. A host may have thousands of devices and most who
ask want a few, so names are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.block import BlockKind
from sctune.model.io import IoCounters, IoTally, ScsiCounters
from sctune.model.units import SECTOR
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.host.base import Host
    from sctune.model.block import BlockDevice

_FIELDS, _WITH_DISCARDS, _WITH_FLUSHES = 11, 15, 17


def probe(host: Host, devices: tuple[BlockDevice, ...] | Unavailable) -> tuple[IoCounters | Unavailable, ...] | Unavailable:
    """The counters of every device that has a size: attached loop devices, device-mapper, disks. One that has vanished since is not
    there."""
    if isinstance(devices, Unavailable):
        return devices
    answers = read_io(host, (device.name for device in devices if device.size))
    return tuple(answer for answer in answers if isinstance(answer, IoCounters) or answer.reason is not Reason.ABSENT)


def read_io(host: Host, names: Iterable[str]) -> tuple[IoCounters | Unavailable, ...]:
    """The counters of these devices (names in /sys/block) now, an answer each, in their order. Absent: there is no such device."""
    return tuple(_read(host, name) for name in names)


def _read(host: Host, name: str) -> IoCounters | Unavailable:
    path = f"/sys/block/{name}/stat"
    text = host.read(path)
    return text if isinstance(text, Unavailable) else parse_stat(text, name)


def parse_stat(text: str, name: str) -> IoCounters | Unavailable:
    """One device's line."""
    words = text.split()
    if len(words) < _FIELDS or not (text.isascii() and all(map(str.isdigit, words)) and max(map(len, words)) <= 20):
        return Unavailable(reason=Reason.MALFORMED, what=f"/sys/block/{name}/stat", detail=f"{text[:80]!r} are no counters")
    n = [int(word) for word in words]
    return IoCounters(
        name=name,
        reads=_tally(n, 0),
        writes=_tally(n, 4),
        discards=_tally(n, 11) if len(n) >= _WITH_DISCARDS else None,
        flushes=IoTally(completed=n[15], merged=0, bytes=0, waited=n[16] / 1000) if len(n) >= _WITH_FLUSHES else None,
        in_flight=n[8],
        busy=n[9] / 1000,
        queued=n[10] / 1000,
    )


def _tally(numbers: list[int], at: int) -> IoTally:
    completed, merged, sectors, milliseconds = numbers[at : at + 4]
    return IoTally(completed=completed, merged=merged, bytes=sectors * SECTOR, waited=milliseconds / 1000)


def probe_scsi(host: Host, devices: tuple[BlockDevice, ...] | Unavailable) -> tuple[ScsiCounters | Unavailable, ...] | Unavailable:
    """What SCSI counts of every disk that came through an iSCSI session; () where there is none."""
    if isinstance(devices, Unavailable):
        return devices
    names = (device.name for device in devices if device.kind is BlockKind.DISK and device.session is not None)
    answers = read_scsi(host, names)
    return tuple(answer for answer in answers if isinstance(answer, ScsiCounters) or answer.reason is not Reason.ABSENT)


def read_scsi(host: Host, names: Iterable[str]) -> tuple[ScsiCounters | Unavailable, ...]:
    """SCSI's counters of these disks now, an answer each, in their order. Absent: no such disk, or not one of SCSI's."""
    return tuple(_read_scsi(host, name) for name in names)


def _read_scsi(host: Host, name: str) -> ScsiCounters | Unavailable:
    folder = f"/sys/block/{name}/device"
    counts: list[int] = []
    for attribute in ("iorequest_cnt", "iodone_cnt", "ioerr_cnt"):
        text = host.read(f"{folder}/{attribute}")
        if isinstance(text, Unavailable):
            return text
        count = parse_count(text)
        if count is None:
            detail = f"{text[:80]!r} is no count"
            return Unavailable(reason=Reason.MALFORMED, what=f"{folder}/{attribute}", detail=detail)
        counts.append(count)
    timeouts = host.read(f"{folder}/iotmo_cnt")
    sent, completed, errors = counts
    return ScsiCounters(
        name=name,
        sent=sent,
        completed=completed,
        errors=errors,
        timeouts=None if isinstance(timeouts, Unavailable) else parse_count(timeouts),
    )


def parse_count(text: str) -> int | None:
    """A counter as SCSI prints it: hexadecimal with 0x (drivers/scsi/scsi_sysfs.c)."""
    word = text.strip()
    digits = word.removeprefix("0x")
    if digits == word or not digits or len(digits) > 16 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return None
    return int(digits, 16)
