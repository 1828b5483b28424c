"""iscsid.conf and the node records of open-iscsi. Passwords are never kept.

Both are read here as open-iscsi reads them (usr/idbm.c, idbm_recinfo_config and idbm_rec_update_param; seen with iscsiadm 2.1.8):

- the name ends at white space or "=". What follows it must be white space and then "=": a line `name=value` is skipped with a
  warning in the log, and so is a last line without a newline;
- a line whose first character is "#" is a comment; a "#" after a value belongs to the value;
- numbers go through strtoul(3): "120 # two minutes" is 120, "off" is 0, "-1" is -1; of two lines with one name the last one counts.

What a record does not set has the compiled default (usr/idbm.c, __idbm_rec_read starts from idbm_node_setup_defaults).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.initiator import InitiatorConfiguration, InitiatorTimeouts, NodeRecord
from sctune.records import dataclass, field
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

CONFIGURATION = "/etc/iscsi/iscsid.conf"
DATABASES = ("/etc/iscsi/nodes", "/var/lib/iscsi/nodes")
"""Debian's place up to 12, and Red Hat's and open-iscsi's own (meson_options.txt, dbroot) since 2023."""

REPLACEMENT_TIMEOUT = "node.session.timeo.replacement_timeout"
NOOP_INTERVAL = "node.conn[0].timeo.noop_out_interval"
NOOP_TIMEOUT = "node.conn[0].timeo.noop_out_timeout"

_OTHERS_READ = 0o004
_OTHERS_SEARCH = 0o001
_LINE_LIMIT = 2046  # idbm_recinfo_config reads into 2048 bytes
_TOO_LARGE = 2**64 - 1
_BLANKS = " \t\r\v\f\n"
_UNSET = "= <empty>"
"""What iscsiadm prints where a record has nothing (usr/idbm.c, idbm_print); a file that was made of its output holds it."""
_PLAIN = re.compile(r"[\w.\[\]-]{1,128}", re.ASCII)
_STRTOUL = re.compile(r"\s*([+-]?)(\d+)", re.ASCII)
_KEPT = frozenset(
    (
        REPLACEMENT_TIMEOUT,
        NOOP_INTERVAL,
        NOOP_TIMEOUT,
        "node.conn[0].timeo.login_timeout",
        "node.startup",
        "node.session.auth.authmethod",
        "node.name",
        "node.conn[0].address",
        "node.conn[0].port",
        "iface.iscsi_ifacename",
        "iface.transport_name",
    )
)


@dataclass(slots=True, kw_only=True)
class Settings:
    """What a file says: the settings we use, the names on lines that open-iscsi skips, and whether a CHAP secret is in it."""

    values: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    secret: bool = False


def probe_configuration(host: Host) -> InitiatorConfiguration | Unavailable:
    """iscsid.conf."""
    text = host.read(CONFIGURATION)
    if isinstance(text, Unavailable):
        return text
    settings = parse(text)
    return InitiatorConfiguration(
        path=CONFIGURATION,
        timeouts=timeouts_of(settings),
        ignored=tuple(settings.ignored),
        secret=settings.secret,
        exposed=_exposed(host, CONFIGURATION) if settings.secret else None,
    )


def probe_records(host: Host) -> tuple[NodeRecord, ...] | Unavailable:
    """All node records of both places. Absent where there is no node database at all.

    A record that is there and cannot be read makes all of them unavailable: half a database would be judged as a whole one.
    """
    records: list[NodeRecord] = []
    seen: set[tuple[int, int]] = set()
    present = False
    for root in DATABASES:
        targets = host.list(root)
        if isinstance(targets, Unavailable):
            if targets.reason is not Reason.ABSENT:
                return targets
            continue
        present = True
        folder = host.stat(root)
        if not isinstance(folder, Unavailable):
            # One place is a link to the other on some distributions.
            if (folder.device, folder.inode) in seen:
                continue
            seen.add((folder.device, folder.inode))
        for target in targets:
            found = _records_of(host, root, target)
            if isinstance(found, Unavailable):
                return found
            records.extend(found)
    if not present:
        return Unavailable(reason=Reason.ABSENT, what=DATABASES[0], detail="no node database")
    return tuple(records)


def _records_of(host: Host, root: str, target: str) -> list[NodeRecord] | Unavailable:
    portals = host.list(f"{root}/{target}")
    if isinstance(portals, Unavailable):
        return [] if portals.reason is Reason.ABSENT else portals
    records: list[NodeRecord] = []
    for portal in portals:
        if "," not in portal:
            continue
        for path in _record_files(host, f"{root}/{target}/{portal}"):
            text = host.read(path)
            if isinstance(text, Unavailable):
                if text.reason is Reason.ABSENT:
                    continue
                return text
            records.append(_record(host, path, target, portal, text))
    return records


def _record_files(host: Host, portal: str) -> tuple[str, ...]:
    """`ADDRESS,PORT,TPGT` is a folder with a file for each interface; the older `ADDRESS,PORT` is the file itself."""
    if portal.rsplit("/", 1)[1].count(",") < 2:
        return (portal,)
    names = host.list(portal)
    return (portal,) if isinstance(names, Unavailable) else tuple(f"{portal}/{name}" for name in names)


def _record(host: Host, path: str, target: str, portal: str, text: str) -> NodeRecord:
    settings = parse(text)
    address, port = (*portal.split(","), "")[:2]
    inside = path.rsplit("/", 1)[1]
    return NodeRecord(
        path=path,
        target=settings.values.get("node.name", target),
        address=settings.values.get("node.conn[0].address", address),
        port=c_integer(settings.values.get("node.conn[0].port", port)),
        interface=settings.values.get("iface.iscsi_ifacename", "default" if inside == portal else inside),
        timeouts=timeouts_of(settings),
        secret=settings.secret,
        exposed=_exposed(host, path) if settings.secret else None,
        transport=settings.values.get("iface.transport_name", "tcp"),
    )


def _exposed(host: Host, path: str) -> bool | None:
    """Whether others may read it: the file's own bits, and the folders on the way there."""
    found = host.stat(path)
    if isinstance(found, Unavailable):
        return None
    if not found.mode & _OTHERS_READ:
        return False
    folder = path.rsplit("/", 1)[0]
    while folder.count("/") > 1:  # /etc and /var are everybody's
        above = host.stat(folder)
        if not isinstance(above, Unavailable) and not above.mode & _OTHERS_SEARCH:
            return False
        folder = folder.rsplit("/", 1)[0]
    return True


def parse(text: str) -> Settings:
    """Reads iscsid.conf or a node record, as open-iscsi does."""
    settings = Settings()
    *lines, rest = text.split("\n")
    for line in lines:
        _take(settings, line, skipped=len(line) > _LINE_LIMIT)
    _take(settings, rest, skipped=True)
    return settings


def _take(settings: Settings, raw: str, *, skipped: bool) -> None:
    line = raw.strip(_BLANKS)
    if not line or line[0] == "#" or "=" not in line:
        return
    end = next(i for i, character in enumerate(line) if character == "=" or character in _BLANKS)
    name = line[:end]
    if not name:
        return
    rest = line[end:]
    after = rest[1:].lstrip(_BLANKS)
    if after == _UNSET:
        return
    if name.endswith((".password", ".password_in")):
        # Also on a line that open-iscsi skips: it lies there for everybody who may read the file.
        settings.secret = True
    if skipped or not after.startswith("="):
        if rest.lstrip(_BLANKS).startswith("=") and _PLAIN.fullmatch(name):
            settings.ignored.append(name)
    elif name in _KEPT and (value := after[1:].lstrip(_BLANKS)):
        settings.values[name] = value


def timeouts_of(settings: Settings) -> InitiatorTimeouts:
    """The settings of an outage; None where the file does not set them."""
    values = settings.values

    def number(name: str) -> int | None:
        return c_integer(values[name]) if name in values else None

    return InitiatorTimeouts(
        replacement_timeout=number(REPLACEMENT_TIMEOUT),
        noop_interval=number(NOOP_INTERVAL),
        noop_timeout=number(NOOP_TIMEOUT),
        login_timeout=number("node.conn[0].timeo.login_timeout"),
        startup=values.get("node.startup"),
        chap=values.get("node.session.auth.authmethod", "").upper() == "CHAP",
    )


def c_integer(text: str) -> int:
    """strtoul(3) stored in an int, which is what open-iscsi makes of a number: 0 where none begins."""
    match = _STRTOUL.match(text)
    if match is None:
        return 0
    digits = match[2].lstrip("0")
    value = _TOO_LARGE if len(digits) > 20 or int(digits or "0") > _TOO_LARGE else int(digits or "0")
    if match[1] == "-" and value != _TOO_LARGE:
        value = -value
    value &= 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value
