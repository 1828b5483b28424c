"""How far running copies are: what each has written, by the kernel's account of the process (proc(5), /proc/PID/io)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.host.base import Host
    from sctune.model.process import Processes


def probe(host: Host, *, processes: Processes | Unavailable) -> Mapping[int, int | Unavailable] | Unavailable:
    """Bytes by the pid of each copy that still runs. The kernel tells them to the copy's own user, and to root with
    CAP_SYS_PTRACE."""
    if isinstance(processes, Unavailable):
        return processes
    found: dict[int, int | Unavailable] = {}
    for copy in processes.copies:
        path = f"/proc/{copy.process.pid}/io"
        text = host.read(path)
        if isinstance(text, Unavailable):
            if text.reason is not Reason.ABSENT:
                found[copy.process.pid] = text
            continue
        written = parse_written(text)
        found[copy.process.pid] = (
            Unavailable(reason=Reason.MALFORMED, what=path, detail="no line wchar") if written is None else written
        )
    return found


def parse_written(text: str) -> int | None:
    """The line `wchar: 4096`: bytes handed to write(2) and its like, to a terminal or a pipe too."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        number = value.strip()
        if key == "wchar" and number.isascii() and number.isdecimal() and len(number) <= 20:
            return int(number)
    return None
