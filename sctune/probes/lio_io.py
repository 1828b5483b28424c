"""What LIO counts of each LUN: `lun/lun_N/statistics/scsi_tgt_port` (Linux drivers/target/target_core_stat.c).

The counters belong to the LUN, not to its sessions, and begin with it. Bytes are told in whole MiB, rounded down, in 32 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.lio import LioLunIo
from sctune.probes.lio_state import FABRIC
from sctune.probes.lio_text import parse_number
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.lio import LioState

_MIB = 1 << 20
_FILES = ("in_cmds", "read_mbytes", "write_mbytes")


def probe(host: Host, *, lio: LioState | Unavailable) -> tuple[LioLunIo | Unavailable, ...] | Unavailable:
    """A record a LUN with something behind it, or why its counters are not known. What went meanwhile is left out."""
    if isinstance(lio, Unavailable):
        return lio
    found = (
        _read(host, target.iqn, target.tag, lun.number)
        for target in lio.targets
        for lun in target.luns
        if lun.backstore is not None
    )
    return tuple(one for one in found if not (isinstance(one, Unavailable) and one.reason is Reason.ABSENT))


def read_numbers(host: Host, folder: str, names: tuple[str, ...]) -> list[int] | Unavailable:
    """The numbers in these files of a folder, one a file, or why one of them is not known."""
    numbers: list[int] = []
    for name in names:
        text = host.read(f"{folder}/{name}")
        if isinstance(text, Unavailable):
            return text
        number = parse_number(text)
        if number is None:
            return Unavailable(reason=Reason.MALFORMED, what=f"{folder}/{name}", detail=f"no number: {text[:40]!r}")
        numbers.append(number)
    return numbers


def _read(host: Host, iqn: str, tag: int, lun: int) -> LioLunIo | Unavailable:
    numbers = read_numbers(host, f"{FABRIC}/{iqn}/tpgt_{tag}/lun/lun_{lun}/statistics/scsi_tgt_port", _FILES)
    if isinstance(numbers, Unavailable):
        # ENODEV: the backstore was taken away since we looked.
        gone = numbers.reason is Reason.FAILED
        return Unavailable(reason=Reason.ABSENT, what=numbers.what, detail=numbers.detail) if gone else numbers
    commands, read, written = numbers
    return LioLunIo(iqn=iqn, tag=tag, lun=lun, commands=commands, read_bytes=read * _MIB, write_bytes=written * _MIB)
