"""Lines of Eucalyptus' logs, composed by the patterns of its sources (log4j.xml, EucaLayout.java, Fault.java, util/log.c,
util/fault.c, util/misc.c of 3.1) and put into the files of a host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.fakes import FakeHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.unavailable import Unavailable

LOGS = "/var/log/eucalyptus"
NOW = FakeHost().now
HOUR = 3600.0
STARS = "*" * 72


def iso(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(when))


def named(when: float, day: str = "%d") -> str:
    """`%d{EEE MMM d HH:mm:ss yyyy}`; ctime(3) pads the day with a blank instead."""
    parts = time.gmtime(when)
    number = str(parts.tm_mday) if day == "%d" else f"{parts.tm_mday:2d}"
    return time.strftime(f"%a %b {number} %H:%M:%S %Y", parts)


def info(when: float, text: str, level: str = "INFO") -> str:
    """cloud-output.log, 3.2 to 4.4: `%d{yyyy-MM-dd HH:mm:ss} %5.5p | %m%n`, and its continuation lines."""
    first, *rest = text.split("\n")
    head = f"{iso(when)} {level:>5.5} | "
    return "".join((f"{head}{first}\n", *(f"{' ' * (len(head) - 2)}| {line}\n" for line in rest)))


def debug(when: float, text: str, level: str = "INFO") -> str:
    """The same at DEBUG: `… %5.5p %9.9i %-24.24c{1} | %m%n`."""
    return f"{iso(when)} {level:>5.5} 000000042 {'OverlayManager':<24.24} | {text}\n"


def extreme(when: float, text: str, level: str = "INFO") -> str:
    """The same at EXTREME: `… %5.9p %9.9i %-24.24c{1} %-33.33f | %m%n`."""
    return f"{iso(when)} {level:>5.9} 000000042 {'OverlayManager':<24.24} {'OverlayManager.java:655':<33.33} | {text}\n"


def old(when: float, text: str, level: str = "INFO") -> str:
    """3.1: `%d{EEE MMM d HH:mm:ss yyyy} %5p %-23.23c{1} | %m%n`."""
    return f"{named(when)} {level:>5} {'OverlayManager':<23.23} | {text}\n"


def old_extreme(when: float, text: str, level: str = "INFO") -> str:
    """3.1 at EXTREME: `… %5p %C{1}.%M(%F):%L | %m%n`."""
    return f"{named(when)} {level:>5} WalrusManager.putObject(WalrusManager.java):1020 | {text}\n"


def error(when: float, text: str, level: str = "ERROR", throwable: str = "") -> str:
    """cloud-error.log: `%d{…} %5p [%c{1}:%t] [%C.%M(%F):%L] %m%n`, then the stack trace."""
    place = "com.eucalyptus.blockstorage.OverlayManager.createLoopback(OverlayManager.java:374)"
    return f"{named(when)} {level:>5} [OverlayManager:Storage-pool-1-thread-3] [{place}] {text}\n{throwable}"


def debug_file(when: float, text: str, level: str = "INFO") -> str:
    """cloud-debug.log of 4.x: `%d{…} %5p [%c{1}:%t] %m%n`."""
    return f"{named(when)} {level:>5} [OverlayManager:New I/O worker #3] {text}\n"


def node(when: float, text: str, level: str = "INFO") -> str:
    """nc.log of 4.x at INFO: `%T %L |`."""
    return f"{iso(when)} {level:>5} | {text}\n"


def node_debug(when: float, text: str, level: str = "DEBUG") -> str:
    """nc.log of 4.x at DEBUG: `%T %L %t9 %m-24 |`."""
    return f"{iso(when)} {level:>5} {'000004242':>9.9} {'doDescribeInstances':<24.24} | {text}\n"


def node_old(when: float, text: str, level: str = "EUCADEBUG") -> str:
    """nc.log of 3.1: `[ctime][pid][LEVEL]`."""
    return f"[{named(when, '%e')}][004242][{level:<10}] {text}\n"


def fault(when: float, number: str, message: str, *, by_c: bool = False) -> str:
    """A block of a fault log: Fault.java, or util/fault.c, which puts a Z behind the local time."""
    fields = (("Condition", "it happened"), ("Cause", "a cause"), ("Initiator", "Storage Controller"), ("Location", "somewhere"))
    body = "".join(f"  {name:>10}: {text}\n" for name, text in (*fields, ("Resolution", "\n\t1) Run 'ps -ef | grep tgtd'.\n")))
    end = "\n" if by_c else ""
    return f"{STARS}\n  ERR-{number} {iso(when)}{'Z' if by_c else ''} {message}\n\n{body}{STARS}\n{end}"


FORMS: tuple[Callable[[float, str], str], ...] = (
    info,
    debug,
    extreme,
    old,
    old_extreme,
    error,
    debug_file,
    node,
    node_debug,
    node_old,
)

THROWABLE = """com.eucalyptus.util.EucalyptusCloudException: Failed to upload snap-0a1b2c3d to object storage gateway
\tat com.eucalyptus.blockstorage.async.SnapshotCreator.run(SnapshotCreator.java:309)
\tat java.lang.Thread.run(Thread.java:745)
Caused by: com.eucalyptus.blockstorage.exceptions.SnapshotTransferException: Failed to upload snap-0a1b2c3d due to:
\t... 3 more
"""


def cloud_host(version: str = "4.4.2", **logs: str | Unavailable) -> FakeHost:
    """A host of Eucalyptus with these logs: `output`, `error`, `debug`, `nc`, `sc_fault` …; `output_1` is a rolled file."""
    files: dict[str, str | Unavailable] = {"/etc/eucalyptus/eucalyptus-version": f"{version}\n"}
    for name, text in logs.items():
        base, _, rolled = name.removesuffix("_fault").partition("_")
        stem = f"{base}-fault.log" if name.endswith("_fault") else "nc.log" if base == "nc" else f"cloud-{base}.log"
        files[f"{LOGS}/{stem}" + (f".{rolled}" if rolled else "")] = text
    return FakeHost(files=files)
