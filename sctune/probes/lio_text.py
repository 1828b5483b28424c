"""What LIO writes into its files of configfs for people to read. Pure; every reader has an answer for any text."""

from __future__ import annotations

import re

from sctune.model.target import Connection, Nexus

_DEVICE = re.compile(r"\bMajor: (\d{1,9}) {1,4}Minor: (\d{1,9})\b", re.ASCII)
_FILE = re.compile(r"\bFile: (.+?) {1,8}Size: (\d{1,20})\b", re.ASCII)
_MODE = re.compile(r"\bMode: (\S{1,40})", re.ASCII)
_NODE = re.compile(r"\bUDEV PATH: (\S.*?) {1,8}readonly:", re.ASCII)
_READ_ONLY = re.compile(r"\breadonly: ([01])\b", re.ASCII)
_SESSION = re.compile(r"^LIO Session ID: (\d{1,10})\b", re.ASCII | re.MULTILINE)
_NAME = re.compile(r"^InitiatorName: (\S+)", re.MULTILINE)
_ALIAS = re.compile(r"^InitiatorAlias: (.*)$", re.MULTILINE)
_STATE = re.compile(r"^Session State: (\S+)", re.MULTILINE)
_CONNECTION = re.compile(r"^CID: (\d{1,5})\b.*\n\s{0,8}Address (\S+) ", re.ASCII | re.MULTILINE)
_LOGGED_IN = "TARG_SESS_STATE_LOGGED_IN"
_NONE = "<NONE>"


def parse_flag(text: str) -> bool | None:
    """`1` or `0`; None for anything else."""
    return {"1": True, "0": False}.get(text.strip())


def parse_number(text: str) -> int | None:
    """A whole number of at most 64 bits that is not negative; None for anything else."""
    bare = text.strip()
    return int(bare) if bare.isascii() and bare.isdecimal() and len(bare) <= 20 else None


def parse_status(info: str) -> bool | None:
    """Whether a backstore's `info` says that it is switched on; None where it says nothing of it."""
    first = info.lstrip().partition("\n")[0]
    if not first.startswith("Status: "):
        return None
    return first.removeprefix("Status: ").split(" ", 1)[0] == "ACTIVATED"


def parse_device(info: str) -> tuple[int, int] | None:
    """The block device that an iblock backstore holds open, 0:0 for none (iblock_show_configfs_dev_params)."""
    found = _DEVICE.search(info)
    device = (int(found[1]), int(found[2])) if found else (0, 0)
    return device if any(device) else None


def parse_node(info: str) -> str:
    """The path that an iblock backstore was made with, "" where it tells none."""
    found = _NODE.search(info)
    return found[1] if found else ""


def parse_read_only(info: str) -> bool | None:
    """Whether an iblock backstore was opened for reading alone."""
    found = _READ_ONLY.search(info)
    return None if found is None else found[1] == "1"


def parse_file(info: str) -> tuple[str, int] | None:
    """The path and bytes of a fileio backstore (target_core_file.c, fd_show_configfs_dev_params)."""
    found = _FILE.search(info)
    return (found[1], int(found[2])) if found else None


def parse_buffered(info: str) -> bool | None:
    """Whether a fileio backstore leaves writes in the page cache: mode Buffered-WCE, otherwise O_DSYNC."""
    found = _MODE.search(info)
    return None if found is None else found[1].startswith("Buffered")


def parse_serial(text: str) -> str:
    """The serial number of `wwn/vpd_unit_serial`: `T10 VPD Unit Serial Number: …`."""
    return text.partition(":")[2].strip() if text.startswith("T10 VPD") else ""


def parse_session(info: str) -> Nexus | None:
    """The session of an ACL's `info` (iscsi_target_configfs.c, lio_target_nacl_info_show), None where none is logged in.

    One that has failed and waits to be reinstated is none: its initiator is not served.
    """
    state, number = _STATE.search(info), _SESSION.search(info)
    if state is None or state[1] != _LOGGED_IN or number is None:
        return None
    name, alias = _NAME.search(info), _ALIAS.search(info)
    told = alias[1].strip() if alias else ""
    return Nexus(
        sid=int(number[1]),
        initiator=name[1] if name else "",
        alias="" if told == _NONE else told,
        connections=tuple(
            Connection(cid=int(found[1]), address=found[2].removeprefix("[").removesuffix("]"))
            for found in _CONNECTION.finditer(info)
        ),
    )


def parse_guests(text: str) -> tuple[str, ...]:
    """The initiators of `dynamic_sessions`: a name a line, each ended by a zero byte (lio_target_tpg_dynamic_sessions_show)."""
    return tuple(name for line in text.replace("\0", "\n").split("\n") if (name := line.strip()))
