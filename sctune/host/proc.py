"""What /proc/PID/stat, status and cmdline say (proc(5)), for the live machine and for what the script wrote. Pure."""

from __future__ import annotations

from sctune.records import dataclass

_COMM_LENGTH = 15
"""The kernel's TASK_COMM_LEN without its NUL: longer names are cut."""
_STAT_FIELDS = 20
_MARKS = (
    *("pas", "secret", "credential", "key", "token", "ldap_integration", "tgtadm", "iscsiadm"),
    *("incominguser", "outgoinguser", "://", "root=iscsi:", "dhhc-1:", "crypt", "_hash:", "journal_"),
    *('"', "'", "\\"),
)
"""Without one of these, in small letters, `redact` takes nothing out of ASCII; quotes may hide a word from us and not from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStat:
    """/proc/PID/stat. `cpu` (user and system time) and `started` (since boot) in clock ticks, sysconf(_SC_CLK_TCK)."""

    name: str
    state: str
    ppid: int
    cpu: int
    threads: int
    started: int


def parse_stat(text: str) -> ProcessStat | None:
    """None for what is no such line. A name may hold blanks and brackets, so the last bracket counts."""
    head, _, rest = text.rpartition(")")
    fields = rest.split()
    if "(" not in head or len(fields) < _STAT_FIELDS:
        return None
    try:
        ppid, user, system, threads, started = (int(fields[at]) for at in (1, 11, 12, 17, 19))
    except ValueError:
        return None
    return ProcessStat(name=head.partition("(")[2], state=fields[0], ppid=ppid, cpu=user + system, threads=threads, started=started)


def parse_uid(text: str) -> int | None:
    """The effective user of /proc/PID/status, None where it is not told."""
    for line in text.split("\n"):
        if line.startswith("Uid:"):
            words = line.split()
            return int(words[2]) if len(words) > 2 and words[2].isdecimal() else None
    return None


def parse_cmdline(text: str) -> tuple[str, ...]:
    """The arguments. A process that wrote a title over them has one text with blanks, which is taken apart at these."""
    if not text:
        return ()
    words = text.removesuffix("\0").split("\0")
    return title_words(words)


def title_words(words: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Arguments as they are, or the words of a title that a process wrote over them."""
    if len(words) == 1 and " " in words[0]:
        return tuple(words[0].split(" "))
    return tuple(words)


def whole_name(name: str, argv: tuple[str, ...]) -> str:
    """The name of a process, with what the kernel cut off where the first argument tells it."""
    if len(name) >= _COMM_LENGTH and argv:
        file = argv[0].rpartition("/")[2]
        if file.startswith(name):
            return file
    return name


def harmless(argv: tuple[str, ...]) -> bool:
    """Whether arguments certainly hold no secret that `redact.redact_argv` knows. False proves nothing."""
    text = "\n".join(argv)
    if not text.isascii():
        return False
    small = text.lower()
    return not any(mark in small for mark in _MARKS)
