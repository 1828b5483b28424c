"""The text that tgtd prints: `tgtadm --op show` in modes target, portal, sys and account.

Indented by four spaces a level since 1.0.0; lines came with the versions (usr/target.c): backing store flags with 1.0.7, thin
provisioning with 1.0.27, software write protection with 1.0.38. What a version does not print has its neutral value. Names
and paths are printed raw, to the end of their line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.target import Connection, Lun, Nexus, Portal, Target
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_WHAT = "tgtadm --op show --mode target"
_OUTGOING = " (outgoing)"
_NEXUSES, _LUNS, _ACCOUNTS, _ACLS = (f"\n    {name} information:" for name in ("I_T nexus", "LUN", "Account", "ACL"))
_LUN = "\n        LUN: "
_FACT = "\n            "


def parse_targets(text: str, control_port: int) -> tuple[Target, ...] | Unavailable:
    """The targets. Malformed: it does not begin with a target, or it is cut short: a target whose last section is missing may
    have LUNs that are not shown.

    It cuts at the headings, and looks at no line it does not need: there are 17 a LUN, and LUNs by the thousand.
    """
    before, *blocks = ("\n" + text).split("\nTarget ")
    if before.strip():
        return _malformed("it does not begin with a target")
    targets: list[Target] = []
    for block in blocks:
        title, _, body = block.partition("\n")
        tid, colon, iqn = title.partition(": ")
        if not colon or _number(tid) is None:
            return _malformed("a target without a number")
        target = _target(int(tid), iqn, f"\n{body}", control_port)
        if target is None:
            return _malformed(f"target {tid.strip()} is cut short")
        targets.append(target)
    return tuple(targets)


def _target(tid: int, iqn: str, body: str, control_port: int) -> Target | None:
    """One target's block, None where it is not whole. Its sections are in a fixed order; not every driver has accounts."""
    rest, whole, acls = body.rpartition(_ACLS)
    if not whole:
        return None
    rest, accounts = _cut(rest, _ACCOUNTS)
    rest, luns = _cut(rest, _LUNS)
    rest, nexuses = _cut(rest, _NEXUSES)
    users = _items(accounts)
    return Target(
        tid=tid,
        iqn=iqn,
        driver=_fact(rest, "\n        Driver: ") or "",
        state=_fact(rest, "\n        State: ") or "",
        control_port=control_port,
        nexuses=tuple(_nexuses(nexuses.split("\n"))) if len(nexuses) > 1 else (),
        luns=tuple(lun for one in luns.split(_LUN)[1:] if (lun := _lun(one)) is not None),
        accounts=tuple(name for name in users if not name.endswith(_OUTGOING)),
        outgoing_accounts=tuple(name.removesuffix(_OUTGOING) for name in users if name.endswith(_OUTGOING)),
        acls=_items(acls),
    )


def _cut(text: str, heading: str) -> tuple[str, str]:
    """What is before a section, and the section; all and nothing where there is no such section."""
    before, found, section = text.rpartition(heading)
    return (before, section) if found else (text, "")


def _fact(text: str, key: str) -> str | None:
    """The rest of the line that begins with `key`, None where there is none."""
    start = text.find(key)
    if start < 0:
        return None
    start += len(key)
    end = text.find("\n", start)
    return text[start:] if end < 0 else text[start:end]


def _lun(text: str) -> Lun | None:
    number = _number(text.partition("\n")[0])
    if number is None:
        return None
    size, _, block_size = (_fact(text, _FACT + "Size: ") or "").partition(", Block size: ")
    path = _fact(text, _FACT + "Backing store path: ")
    return Lun(
        number=number,
        kind=_fact(text, _FACT + "Type: ") or "",
        size_text=size,
        block_size=_number(block_size),
        # Absent only where the line is not printed at all: nothing says then that it is offline.
        online=_fact(text, _FACT + "Online: ") in ("Yes", None),
        read_only=_fact(text, _FACT + "Readonly: ") == "Yes",
        thin_provisioning=_fact(text, _FACT + "Thin-provisioning: ") == "Yes",
        backing_type=_fact(text, _FACT + "Backing store type: ") or "",
        backing_path="" if path is None or path == "None" else path,
        backing_flags=(_fact(text, _FACT + "Backing store flags: ") or "").strip(),
        removable=_fact(text, _FACT + "Removable media: ") == "Yes",
    )


def _nexuses(lines: list[str]) -> Iterator[Nexus]:
    """`I_T nexus: N`, under it `Initiator: NAME alias: ALIAS`, `Connection: N` and under that `IP Address: …` (iSER:
    `RDMA IP Address: …`)."""
    current: tuple[int, str, str, list[Connection]] | None = None
    cid: int | None = None
    for line in lines:
        key, _, value = line.strip(" ").partition(": ")
        if key == "I_T nexus":
            if current is not None:
                yield _nexus(*current)
            sid = _number(value)
            current, cid = (None if sid is None else (sid, "", "", [])), None
        elif current is None:
            continue
        elif key == "Initiator":
            name, _, alias = value.partition(" alias: ")
            current = (current[0], name, "" if alias == "none" else alias, current[3])
        elif key == "Connection":
            cid = _number(value)
        elif key.endswith("IP Address") and cid is not None:
            current[3].append(Connection(cid=cid, address=value))
    if current is not None:
        yield _nexus(*current)


def _nexus(sid: int, initiator: str, alias: str, connections: list[Connection]) -> Nexus:
    return Nexus(sid=sid, initiator=initiator, alias=alias, connections=tuple(connections))


def parse_portals(text: str) -> tuple[Portal, ...]:
    """`Portal: 10.0.0.1:3260,1`, `Portal: [::]:3260,1`. A line that is none is passed over."""
    found: list[Portal] = []
    for line in text.split("\n"):
        address, colon, rest = line.removeprefix("Portal: ").rpartition(":")
        port, _, tpgt = rest.partition(",")
        numbers = _number(port), _number(tpgt)
        if line.startswith("Portal: ") and colon and numbers[0] is not None:
            found.append(Portal(address=address.removeprefix("[").removesuffix("]"), port=numbers[0], tpgt=numbers[1] or 0))
    return tuple(found)


def parse_system(text: str) -> tuple[str, tuple[str, ...]]:
    """The daemon's state ("ready", "offline") and its backing store types."""
    state = section = ""
    types: list[str] = []
    for line in text.split("\n"):
        if not line.startswith(" "):
            section = line
        elif section == "System:" and line.startswith("    State: "):
            state = line[len("    State: ") :]
        elif section == "Backing stores:" and line.strip():
            types.append(line.split()[0])
    return state, tuple(types)


def parse_accounts(text: str) -> tuple[str, ...]:
    """CHAP user names."""
    return tuple(line[4:] for line in text.split("\n") if line.startswith("    ") and line[4:])


def _items(section: str) -> tuple[str, ...]:
    return tuple(line[8:] for line in section.split("\n") if line.startswith("        ") and line[8:]) if len(section) > 1 else ()


def _number(text: str) -> int | None:
    """A decimal number as C prints it, at most what 64 bits hold."""
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 20 else None


def _malformed(detail: str) -> Unavailable:
    return Unavailable(reason=Reason.MALFORMED, what=_WHAT, detail=detail)
