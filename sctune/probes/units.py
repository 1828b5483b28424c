"""systemd's view of the storage services, from one `systemctl show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.system import Unit
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

UNITS = (
    "tgt.service",
    "tgtd.service",
    "target.service",
    "rtslib-fb-targetctl.service",
    "iscsid.service",
    "open-iscsi.service",
    "iscsi.service",
    "lvm2-monitor.service",
    "tuned.service",
    "eucalyptus-cloud.service",
    "eucalyptus-nc.service",
    "multipathd.service",
)
_BOOTED = "/run/systemd/system"
_ARGV = ("systemctl", "show", "--property=Id,LoadState,ActiveState,SubState,UnitFileState,MainPID", *UNITS)
_TIMEOUT = 8.0


def probe(host: Host) -> tuple[Unit, ...] | Unavailable:
    """The units, in the order above, those that do not exist with load "not-found".

    Absent where systemd is not the init system: /run/systemd/system does not exist then (sd_booted(3)).
    """
    booted = host.stat(_BOOTED)
    if isinstance(booted, Unavailable):
        if booted.reason is Reason.ABSENT:
            return Unavailable(reason=Reason.ABSENT, what="systemd", detail="not the init system here")
        return booted
    completed = host.run(_ARGV, timeout=_TIMEOUT)
    if isinstance(completed, Unavailable):
        return completed
    if completed.status != 0:
        line = next(iter(completed.stderr.strip().splitlines()), f"exit status {completed.status}")
        return Unavailable(reason=Reason.FAILED, what="systemctl show", detail=line)
    return parse(completed.stdout)


def parse(text: str) -> tuple[Unit, ...] | Unavailable:
    """Blocks of NAME=VALUE with an empty line between units. An alias comes back under the unit's own name, and counts once."""
    units: dict[str, Unit] = {}
    for block in text.replace("\r", "").split("\n\n"):
        values = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
        name = values.get("Id", "")
        if not name:
            continue
        pid = values.get("MainPID", "0")
        units.setdefault(
            name,
            Unit(
                name=name,
                load=values.get("LoadState", ""),
                active=values.get("ActiveState", ""),
                sub=values.get("SubState", ""),
                enabled=values.get("UnitFileState", ""),
                main_pid=int(pid) if pid.isascii() and pid.isdecimal() and len(pid) <= 10 else 0,
            ),
        )
    if not units:
        return Unavailable(reason=Reason.MALFORMED, what="systemctl show", detail="no unit in its output")
    return tuple(units.values())
