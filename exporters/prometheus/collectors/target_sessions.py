"""Who is logged in to tgtd's targets, initiator by initiator. Off by default: it names everybody who uses a volume."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.accumulated import Accumulated, Reading
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Kind, Metric
from sctune.exporters.prometheus.served import answered, born_at, tgt_of, wanted_targets
from sctune.model.io import LunIo
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.model.target import Nexus, Target, TgtState

_SHOW = "tgtd's management socket, as tgtadm --op show --mode target"
_STAT = "tgtd's management socket, as tgtadm --op stat --mode sys"
_WHO = ("target", "initiator")

INFO = Metric(
    name="sctune_target_session_info",
    about="Always 1; a session's number in tgtd, which a new login changes, and the address that its first connection comes from.",
    source=_SHOW,
    labels=(*_WHO, "session", "address"),
    detail=True,
)
SESSIONS = Metric(
    name="sctune_target_initiator_sessions",
    about="Sessions of one initiator with one target: several are paths of multipath, or one that was not logged out.",
    source=_SHOW,
    labels=_WHO,
    detail=True,
)
CONNECTIONS = Metric(
    name="sctune_target_initiator_connections", about="TCP connections of these.", source=_SHOW, labels=_WHO, detail=True
)


def _counter(name: str, about: str) -> Metric:
    caveat = (
        "All LUNs of the target together, added up over sessions since the exporter began to look, while any session is there. In "
        "a single answer (sctune metrics): of the sessions there are."
    )
    return Metric(name=name, about=f"{about} {caveat}", source=_STAT, labels=_WHO, kind=Kind.COUNTER, detail=True)


READ = _counter("sctune_target_initiator_read_bytes_total", "Bytes that the initiator read.")
WRITTEN = _counter("sctune_target_initiator_written_bytes_total", "Bytes that the initiator wrote.")
METRICS = (INFO, SESSIONS, CONNECTIONS, READ, WRITTEN)

_WRAPS = (0, 0)


class InitiatorTotals(Accumulated):
    """What was counted for each (target, initiator)."""


def collect(look: Look, samples: Samples) -> None:
    """Fills in the sessions of all daemons that answer. Without detail there is nothing to say, and tgtd is not asked."""
    if not samples.detail:
        return
    state = tgt_of(look, samples)
    if state is None:
        return
    targets = wanted_targets(look, state, "target_sessions", samples)
    for target in targets:
        for nexus in target.nexuses:
            samples.add(INFO, 1.0, target.iqn, nexus.initiator, str(nexus.sid), _address(nexus))
        sessions = Counter(nexus.initiator for nexus in target.nexuses)
        connections: Counter[str] = Counter()
        for nexus in target.nexuses:
            connections[nexus.initiator] += len(nexus.connections)
        for initiator, count in sorted(sessions.items()):
            samples.add(SESSIONS, float(count), target.iqn, initiator)
            samples.add(CONNECTIONS, float(connections[initiator]), target.iqn, initiator)
    rows = look.inventory.tgt_io
    if isinstance(rows, Unavailable):
        raise CannotCollect(str(rows))
    failed = [row for row in rows if isinstance(row, Unavailable)]
    if not failed and not state.unanswered:
        _count(look, state, targets, [row for row in rows if isinstance(row, LunIo)], samples)
    answered(state)
    if failed:
        raise CannotCollect(str(failed[0]))


def _count(look: Look, state: TgtState, targets: tuple[Target, ...], rows: list[LunIo], samples: Samples) -> None:
    owners = {
        (target.control_port, target.tid, nexus.sid): (target.iqn, nexus.initiator)
        for target in state.targets
        for nexus in target.nexuses
    }
    born = {daemon.control_port: born_at(look, daemon.control_port) for daemon in state.daemons}
    totals = look.memory.of(InitiatorTotals)
    readings = []
    for row in rows:
        owner = owners.get((row.control_port, row.tid, row.sid))
        if owner is not None:  # else it came or went between the two questions
            source = (owner, row.control_port, born[row.control_port], row.tid, row.lun, row.sid)
            readings.append(Reading(source=source, owner=owner, values=(row.read_bytes, row.write_bytes)))
    totals.add(readings, _WRAPS, past=look.options.once)
    totals.keep(set(owners.values()), len(_WRAPS))
    for target in targets:
        for initiator in sorted({nexus.initiator for nexus in target.nexuses}):
            for metric, value in zip((READ, WRITTEN), totals.total((target.iqn, initiator)) or (), strict=False):
                samples.add(metric, float(value), target.iqn, initiator)


def _address(nexus: Nexus) -> str:
    return nexus.connections[0].address if nexus.connections else ""


COLLECTOR = Collector(
    name="target_sessions",
    about="Sessions of tgtd's targets by initiator, with addresses.",
    metrics=METRICS,
    collect=collect,
    default=False,
)
