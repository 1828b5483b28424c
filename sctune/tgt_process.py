"""Which tgtd is which: processes, sockets and the names that findings call them by. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import Subject, SubjectKind

if TYPE_CHECKING:
    from sctune.host.base import Process
    from sctune.model.process import Processes


def daemon_subject(control_port: int) -> Subject:
    """The subject of findings about one tgtd."""
    return Subject(kind=SubjectKind.PROCESS, id=f"tgtd:{control_port}" if control_port else "tgtd")


def tgtadm(control_port: int) -> str:
    """The beginning of a tgtadm command for this daemon."""
    return f"tgtadm -C {control_port} --lld iscsi" if control_port else "tgtadm --lld iscsi"


def control_port_of(process: Process) -> int:
    """The control port in a tgtd's arguments (-C N, -CN, --control-port N); 0 where there is none (tgtd(8))."""
    arguments = process.argv[1:]
    for index, argument in enumerate(arguments):
        value = ""
        if argument in ("-C", "--control-port"):
            value = arguments[index + 1] if index + 1 < len(arguments) else ""
        elif argument.startswith("--control-port="):
            value = argument.partition("=")[2]
        elif argument.startswith("-C"):
            value = argument[2:]
        if is_port(value):
            return int(value)
    return 0


def port_of_socket(path: str) -> int:
    """The control port at the end of a management socket's path; 0 for anything else."""
    number = path.rpartition("socket.")[2]
    return int(number) if is_port(number) else 0


def is_port(text: str) -> bool:
    """Whether this is a control port's number (tgtd keeps it in 16 bits)."""
    return text.isascii() and text.isdecimal() and len(text) <= 5


def daemon_of(control_port: int, processes: Processes | None) -> Process | None:
    """The process of the tgtd with this control port."""
    found = processes.tgtd if processes is not None else ()
    return next((process for process in found if control_port_of(process) == control_port), None)


def wanted_portals(process: Process) -> tuple[tuple[str, int], ...]:
    """Where a tgtd listens as it was started: (address, port) of each `portal=` of --iscsi; without one, port 3260 of all
    addresses (tgtd(8); usr/iscsi/iscsi_tcp.c)."""
    found: list[tuple[str, int]] = []
    arguments = process.argv[1:]
    for index, argument in enumerate(arguments):
        if argument == "--iscsi":
            options = arguments[index + 1] if index + 1 < len(arguments) else ""
        elif argument.startswith("--iscsi="):
            options = argument.partition("=")[2]
        else:
            continue
        for option in options.split(","):
            name, _, value = option.partition("=")
            if name == "portal" and value:
                found.append(_portal(value))
    return tuple(found) or (("0.0.0.0", _ISCSI_PORT), ("::", _ISCSI_PORT))  # noqa: S104 - compared with, not bound


def _portal(text: str) -> tuple[str, int]:
    """ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT."""
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        address, _, port = text.partition(":")
    return address, int(port) if is_port(port) else _ISCSI_PORT


_ISCSI_PORT = 3260
