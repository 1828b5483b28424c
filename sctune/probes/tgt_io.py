"""tgtd's own counters of what it did for its initiators: `tgtadm --op stat --mode sys`.

A row of titles, then a row for each session and LUN, the controller (LUN 0) too (usr/target.c: tgt_stat_header, tgt_stat_line;
since tgt 1.0.30, 2012):

    tgt lun sid rd_subm(bytes,cmds) rd_done(bytes,cmds) wr_subm(bytes,cmds) wr_done(bytes,cmds) errs
      1   1   1    105127968  25667    105123872  25666            0      0            0      0    1

Numbers are set apart by blanks alone and may be longer than their column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.base import TgtMode
from sctune.model.io import LunIo
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.target import TgtState

_TITLES = "tgt lun sid rd_subm(bytes,cmds) rd_done(bytes,cmds) wr_subm(bytes,cmds) wr_done(bytes,cmds) errs"
_COLUMNS = 12


def probe(host: Host, *, tgt: TgtState | Unavailable) -> tuple[LunIo | Unavailable, ...] | Unavailable:
    """The counters of all daemons that answered: a record a session and LUN, and why a daemon's are not known."""
    if isinstance(tgt, Unavailable):
        return tgt
    found: list[LunIo | Unavailable] = []
    for daemon in tgt.daemons:
        answer = read_luns(host, daemon.control_port)
        found.extend((answer,) if isinstance(answer, Unavailable) else answer)
    return tuple(found)


def read_luns(host: Host, control_port: int) -> tuple[LunIo, ...] | Unavailable:
    """One daemon's counters now."""
    text = host.tgt(TgtMode.STATISTICS, control_port=control_port)
    return text if isinstance(text, Unavailable) else parse(text, control_port)


def parse(text: str, control_port: int) -> tuple[LunIo, ...] | Unavailable:
    """The rows. Malformed where it does not begin with the titles, or a row has other numbers than they say."""
    titles, *rows = text.split("\n")
    if " ".join(titles.split()) != _TITLES:
        return _malformed(f"it begins with {titles[:80]!r}")
    found: list[LunIo] = []
    for row in rows:
        words = row.split()
        if not words:
            continue
        if len(words) != _COLUMNS or not all(word.isascii() and word.isdigit() and len(word) <= 20 for word in words):
            return _malformed(f"a row is {row[:80]!r}")
        found.append(_row([int(word) for word in words], control_port))
    return tuple(found)


def _row(n: list[int], control_port: int) -> LunIo:
    return LunIo(
        control_port=control_port,
        tid=n[0],
        lun=n[1],
        sid=n[2],
        read_bytes_submitted=n[3],
        reads_submitted=n[4],
        read_bytes=n[5],
        reads=n[6],
        write_bytes_submitted=n[7],
        writes_submitted=n[8],
        write_bytes=n[9],
        writes=n[10],
        errors=n[11],
    )


def _malformed(detail: str) -> Unavailable:
    return Unavailable(reason=Reason.MALFORMED, what="tgtadm --op stat --mode sys", detail=detail)
