"""The process table as sos asks ps(1) for it, twice: one report has the times, the other the names and threads.

    ps axo flags,state,uid,pid,ppid,pgid,sid,cls,pri,addr,sz,wchan:20,lstart,tty,time,cmd
    ps axo pid,ppid,user,group,lwp,nlwp,start_time,comm,cgroup

ps joins the arguments with blanks: one that holds blanks itself comes apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.host.base import Process
from sctune.host.redact import redact_argv
from sctune.host.sos.times import parse_ctime

if TYPE_CHECKING:
    from sctune.host.base import Clock

_START = re.compile(
    r"(?<= )([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}) +(\S+) +(?:(\d{1,6})-)?(\d{1,6}):(\d\d):(\d\d) (.*)",
    re.ASCII,
)
_HEAD = ("STARTED", "TT", "TIME", "CMD")
_NAME_LENGTH = 15


def parse(timed: str, named: str, clock: Clock, offset: float) -> tuple[Process, ...]:
    """All processes but those of sos' own question. `offset` is the host's time zone, in seconds east of UTC.

    Raises ValueError where a line is not what was asked for: half a table would make daemons of it that do not run.
    """
    names = _names(named)
    lines = timed.rstrip("\n").split("\n")
    titles = lines[0].split()
    if titles[-4:] != list(_HEAD) or not {"PID", "PPID", "UID", "S"} <= {*titles}:
        raise ValueError("not a whole table of ps")
    places = {title: place for place, title in enumerate(titles)}
    found: list[Process] = []
    for line in lines[1:]:
        match = _START.search(line)
        words = line[: match.start()].split() if match else []
        if match is None or len(words) < places["STARTED"]:
            raise ValueError(f"not a line of ps: {line[:60]!r}")
        pid, ppid, uid = (int(words[places[title]]) for title in ("PID", "PPID", "UID"))
        began = parse_ctime(match[1])
        if began is None:
            raise ValueError(f"not a time: {match[1]!r}")
        name, threads = names.get(pid, ("", 1))
        argv = () if match[7].startswith("[") else tuple(match[7].split())
        found.append(
            Process(
                pid=pid,
                ppid=ppid,
                name=name or _guess(match[7]),
                state=words[places["S"]][:1],
                argv=redact_argv(argv),
                started=max(0.0, began - offset - (clock.now - clock.boot)),
                cpu_seconds=float(((int(match[3] or 0) * 24 + int(match[4])) * 60 + int(match[5])) * 60 + int(match[6])),
                uid=uid,
                threads=threads,
            )
        )
    return tuple(found)


def _names(text: str) -> dict[int, tuple[str, int]]:
    """Name and number of threads by pid; {} where it is not that report."""
    lines = text.split("\n")
    if lines[0].split() != ["PID", "PPID", "USER", "GROUP", "LWP", "NLWP", "START", "COMMAND", "CGROUP"]:
        return {}
    found: dict[int, tuple[str, int]] = {}
    start, end = lines[0].index("COMMAND"), lines[0].index("CGROUP")
    for line in lines[1:]:
        words = line.split()
        if len(words) < 8 or not words[0].isdecimal() or not words[5].isdecimal():
            continue
        # A wide user or group name moves the rest of its line; then the name is the word after the start.
        column = line[start:end].strip() if line[start - 1 : start] == " " and line[end - 1 : end] == " " else words[7]
        found[int(words[0])] = (column, int(words[5]))
    return found


def _guess(command: str) -> str:
    """The name by the command line: the program's, or what a kernel thread has in brackets."""
    if command.startswith("["):
        return command[1:].partition("]")[0]
    return (command.split() or [""])[0].rpartition("/")[2][:_NAME_LENGTH]
