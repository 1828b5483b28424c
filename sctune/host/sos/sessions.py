"""`iscsiadm -m session -P 3` as the files of /sys/class/iscsi_session and iscsi_connection that it was printed from.

open-iscsi reads these very files (usr/iscsi_sysfs.c, usr/session_info.c), so each line says what one of them holds. What it does
not print (the intervals of NOP-Out, the session's creator) has no file here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.host.sos.devices import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_TARGET = re.compile(r"Target: (\S+)")
_LINE = re.compile(r"\s+([A-Za-z][A-Za-z ]+): (.*)")
_PORTAL = re.compile(r"(?:\[(.+)\]|([^\s:]+)):(\d{1,5}),(-?\d{1,10})", re.ASCII)
_NO_SESSIONS = "No active sessions"
_SESSION = {
    "Iface Name": "ifacename",
    "Iface Initiatorname": "initiatorname",
    "iSCSI Session State": "state",
    "Recovery Timeout": "recovery_tmo",
    "Abort Timeout": "abort_tmo",
    "LUN Reset Timeout": "lu_reset_tmo",
}
_CONNECTION_STATES = {"LOGGED IN": "up", "TRANSPORT WAIT": "failed"}
"""Of iscsid's words (usr/iscsi_sysfs.c) those that are plainly one of the kernel's."""


def parse(text: str) -> Tree:
    """The files. Raises ValueError where it is not that report, or ends before a session is told whole."""
    tree = Tree()
    sessions: list[str] = []
    connections: list[str] = []
    for target, facts in _sessions(text):
        number = facts.get("SID", "")
        current, persistent = (_PORTAL.fullmatch(facts.get(f"{kind} Portal", "")) for kind in ("Current", "Persistent"))
        if (
            not (number.isascii() and number.isdecimal() and len(number) < 10)
            or persistent is None
            or "iSCSI Session State" not in facts
        ):
            raise ValueError(f"the session of {target[:80]} is not told whole")
        session, connection = f"/sys/class/iscsi_session/session{number}", f"/sys/class/iscsi_connection/connection{number}:0"
        sessions.append(f"session{number}")
        connections.append(f"connection{number}:0")
        tree.files[f"{session}/targetname"] = target + "\n"
        tree.files[f"{session}/tpgt"] = persistent[4] + "\n"
        for title, name in _SESSION.items():
            if facts.get(title):
                tree.files[f"{session}/{name}"] = facts[title] + "\n"
        tree.files[f"{connection}/persistent_address"] = (persistent[1] or persistent[2]) + "\n"
        tree.files[f"{connection}/persistent_port"] = persistent[3] + "\n"
        if current is not None:
            tree.files[f"{connection}/address"] = (current[1] or current[2]) + "\n"
            tree.files[f"{connection}/port"] = current[3] + "\n"
        state = _CONNECTION_STATES.get(facts.get("iSCSI Connection State", ""))
        if state is not None:
            tree.files[f"{connection}/state"] = state + "\n"
    if not sessions and _NO_SESSIONS not in text:
        raise ValueError(f"not a report of sessions: {text.strip()[:60]!r}")
    tree.lists["/sys/class/iscsi_session"] = tuple(sorted(sessions))
    tree.lists["/sys/class/iscsi_connection"] = tuple(sorted(connections))
    return tree


def _sessions(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The facts of each session, with its target. A target has several portals, a portal several sessions: `SID:` is told once
    a session, after the portals that it belongs to."""
    target = ""
    portals: dict[str, str] = {}
    facts: dict[str, str] = {}
    for line in text.split("\n"):
        if match := _TARGET.match(line):
            if facts:
                yield target, facts
            target, portals, facts = match[1], {}, {}
        elif target and (match := _LINE.match(line)):
            title, value = match[1], match[2].strip()
            if title == "Current Portal" or (title == "Iface Name" and "SID" in facts):
                if "SID" in facts:
                    yield target, facts
                facts = dict(portals) if title == "Iface Name" else {}
            facts[title] = value
            if title.endswith(" Portal"):
                portals[title] = value
    if facts:
        yield target, facts
