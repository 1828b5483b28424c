"""Lines of logs as log4j and the C components of a cloud write them: the time at the beginning, the message at the end. Pure.

Known are (eucalyptus/eucalyptus: log4j.xml, EucaLayout.java, Fault.java, util/log.c, util/fault.c, 3.1's util/misc.c)

    2015-06-01 10:11:12  INFO | MESSAGE                      also with a thread's number, class and place before the bar
    Tue Jun 2 10:11:12 2015  INFO OverlayManager          | MESSAGE
    Tue Jun 2 10:11:12 2015 ERROR [Class:thread] [class.method(File.java):12] MESSAGE
    [Tue Jun  2 10:11:12 2015][004242][EUCAERROR ] MESSAGE
      ERR-2000 2015-06-01 10:11:12 MESSAGE                   in C with a Z after the time, which is local all the same

and lines without a time, which go on with the message above: blanks, a bar and text, or a Java stack trace.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sctune.host.zone import LocalTime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLOCK = rb"([0-9]{2}):([0-9]{2}):([0-9]{2})"
STAMP = re.compile(
    rb"(?<![^\n\x00])(?:"
    rb"(?:  (ERR-[0-9]{4,6}) )?([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]" + _CLOCK + rb"Z?"
    rb"|\[?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (" + "|".join(_MONTHS).encode() + rb") {1,2}([0-9]{1,2}) " + _CLOCK + rb" ([0-9]{4})\]?"
    rb")"
)
"""The time at the beginning of a line. After a crash a run of NULs may stand where the line before it was not written."""

_BAR = re.compile(r" *[A-Z]{4,9} [^|]{0,300}\| ?")
_BRACKETS = re.compile(r" *[A-Z]{4,5} \[[^\]]{0,300}\](?: \[[^\]]{0,500}\])? ")
_OLD_C = re.compile(r"\[[0-9]+\]\[[A-Z0-9]+ *\] ?")
_CONTINUATION = re.compile(r"[ \t]+\| ?")


def seconds_of(found: re.Match[bytes], zone: LocalTime) -> float | None:
    """When that was, None for a time that is none (the 31st of June)."""
    if found[2] is not None:
        year, month, day = int(found[2]), int(found[3]), int(found[4])
        clock = found[5], found[6], found[7]
    else:
        year, month, day = int(found[13]), _MONTHS.index(found[8].decode()) + 1, int(found[9])
        clock = found[10], found[11], found[12]
    return zone.seconds((year, month, day), (int(clock[0]), int(clock[1]), int(clock[2])))


def message(line: bytes) -> str:
    """What a line says, without time, level, class and thread; the id of a fault stays."""
    found = STAMP.match(line)
    rest = line[found.end() :] if found else line
    text = rest.decode("utf-8", "surrogateescape").rstrip()
    if found is None:
        bar = _CONTINUATION.match(text)
        return text[bar.end() :] if bar else text.strip()
    for form in (_OLD_C, _BRACKETS, _BAR):
        head = form.match(text)
        if head is not None:
            return text[head.end() :]
    return f"{found[1].decode()} {text.strip()}" if found[1] else text.strip()
