"""The only door to a machine.

Everything sctune knows of a host it asked through a `Host`. Live machine, capture and file tree answer the same
questions, so nothing above this layer can tell them apart, and a capture of one look replays that look.

Two kinds of path are told apart. *System files* (/proc, /sys, /etc, /run) are read in our own process: they do not block.
*Store files* (backing files, the folders that hold them, whatever a target's backing path names) may lie on a dead
network mount or disk, where a mere stat() hangs for ever: they are touched in disposable children only.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.unavailable import Unavailable


class Source(enum.StrEnum):
    """Where a host's answers come from."""

    LIVE = "live"
    CAPTURE = "capture"
    SSH = "ssh"
    SOS = "sos"
    ROOT = "root"


class FileKind(enum.StrEnum):
    """The type of a file, as stat(2) tells it after following links."""

    FILE = "file"
    DIRECTORY = "directory"
    BLOCK = "block"
    OTHER = "other"


class DmQuery(enum.StrEnum):
    """What may be asked of device-mapper: the two read-only reports of dmsetup(8)."""

    STATUS = "status"
    TABLE = "table"


class TgtMode(enum.StrEnum):
    """What may be asked of tgtd: `tgtadm --op show` in these modes (tgtadm(8)), its counters, and nothing that changes anything."""

    TARGET = "target"
    CONNECTION = "conn"
    PORTAL = "portal"
    SYSTEM = "sys"
    ACCOUNT = "account"
    STATISTICS = "stats"
    """`tgtadm --op stat --mode sys`, of all targets at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStat:
    """What stat(2) says of a path, links followed. Sizes in bytes; `allocated` is st_blocks * 512; mtime in seconds
    since the epoch. (`device`, `inode`) is the file's identity; `rdevice` is (major, minor) where it is a block device."""

    kind: FileKind
    size: int
    allocated: int
    device: int
    inode: int
    mtime: float
    mode: int = 0o644
    uid: int = 0
    rdevice: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One name in a folder of the volume store, with its stat, or why that could not be had."""

    name: str
    stat: FileStat | Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesystemSpace:
    """statvfs(3) in bytes and inodes. `available` is what an ordinary process may still use, `free` what root may."""

    total: int
    free: int
    available: int
    inodes: int
    inodes_free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A command that ran to its end. stdout and stderr are apart; `status` is the exit status (negative: signal).
    `seconds` is wall time."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process. `started` is in seconds on the host's boot clock (field 22 of proc(5)'s stat), `state` the letter of
    proc(5), `argv` with secrets already replaced. `cpu_seconds` is user and system time."""

    pid: int
    ppid: int
    name: str
    state: str
    argv: tuple[str, ...]
    started: float
    cpu_seconds: float
    uid: int
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The host's clocks when it was looked at: `now` in seconds since the epoch, `boot` on CLOCK_BOOTTIME."""

    now: float
    boot: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which lines of a log are wanted: those that hold one of `words` and match `pattern`, an extended regular expression that
    Python's re and awk read alike, logged at `since` (seconds since the epoch) or later."""

    words: tuple[str, ...]
    pattern: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A message, and how often it was logged from `first` to `last` (seconds since the epoch). `continued`: a line without a time
    of its own, of a longer message or a Java stack trace; it has that of the line before."""

    first: float
    last: float
    count: int
    text: str
    continued: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLines:
    """What was found in a log and the older files it was rolled into, newest first, each message once.

    All that was logged from `begins` on was looked at; None where no line has a time that is understood. `whole`: from the very
    first line on, none has been rolled away. `size` is how many bytes were looked at. `zone` names the zone in which the log's
    times, which are local ones, were taken."""

    lines: tuple[LogLine, ...]
    begins: float | None
    whole: bool
    size: int
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostIdentity:
    """uname(2)'s node name and release, and whether the look had root's rights."""

    name: str
    kernel: str
    privileged: bool


class Host(Protocol):
    """What can be asked of a machine. Every answer that cannot be had is an `Unavailable`; nothing here raises.

    Text is UTF-8 with surrogate escapes, so that a path which is not UTF-8 can be asked for again.
    """

    @property
    def source(self) -> Source:
        """Where the answers come from."""
        ...

    def identity(self) -> HostIdentity:
        """Name, kernel release and our rights."""
        ...

    def clock(self) -> Clock:
        """The clocks, at the start of the look."""
        ...

    def read(self, path: str) -> str | Unavailable:
        """The text of a system file (at most 4 MiB)."""
        ...

    def list(self, path: str) -> tuple[str, ...] | Unavailable:
        """The sorted names in a system folder."""
        ...

    def readlink(self, path: str) -> str | Unavailable:
        """What a symbolic link among the system files holds, not resolved further."""
        ...

    def stat(self, path: str) -> FileStat | Unavailable:
        """stat(2) of a system file or device node."""
        ...

    def lstat_mtime(self, path: str) -> float | Unavailable:
        """When a link or file among the system files was made: its own mtime, seconds since the epoch."""
        ...

    def stat_files(self, paths: Sequence[str]) -> tuple[FileStat | Unavailable, ...]:
        """stat(2) of store files, one answer a path, in a disposable child."""
        ...

    def read_files(self, paths: Sequence[str]) -> tuple[str | Unavailable, ...]:
        """The texts of store files of at most 1 MiB each, one answer a path, in a disposable child."""
        ...

    def list_files(self, path: str) -> tuple[FileEntry, ...] | Unavailable:
        """A folder of the volume store with the stat of each entry (not recursive), in a disposable child."""
        ...

    def space(self, path: str) -> FilesystemSpace | Unavailable:
        """statvfs(3) of the file system that holds a store path, in a disposable child."""
        ...

    def processes(self) -> tuple[Process, ...] | Unavailable:
        """The process table, in a disposable child (/proc/PID/cmdline blocks on a process whose memory map is locked)."""
        ...

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """A command: fixed environment, no input, at the deadline its whole process group is killed."""
        ...

    def dm(self, query: DmQuery) -> str | Unavailable:
        """Device-mapper's answer in the form `dmsetup status` or `dmsetup table` prints for all devices."""
        ...

    def tgt(self, mode: TgtMode, *, control_port: int = 0, tid: int | None = None) -> str | Unavailable:
        """tgtd's answer in the form `tgtadm --lld iscsi --op show --mode MODE` prints (of STATISTICS: `--op stat --mode sys`)."""
        ...

    def kernel_log(self) -> str | Unavailable:
        """What the kernel has said since boot, as far back as it still knows, oldest first: `[  123.456789] text` lines as
        dmesg(1) prints them, in seconds on the kernel's own clock, which stands still while the machine sleeps. The last 4 MiB."""
        ...

    def log_lines(self, path: str, query: LogQuery) -> LogLines | Unavailable:
        """The lines of a log and of what it was rolled into (PATH.1, PATH.2.gz …), read from its end back in a disposable child, so
        many bytes and seconds at most. Messages are without time, level, class and thread, cut after 500 characters, and may hold
        secrets."""
        ...

    def close(self) -> None:
        """Ends whatever it started. Nothing may be asked afterwards."""
        ...
