"""tgtd's and LIO's logical units: what each serves, and what went through it."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.accumulated import Accumulated, Reading
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Kind, Metric
from sctune.exporters.prometheus.served import answered, born_at, tgt_of, volume_of, wanted_targets
from sctune.exporters.prometheus.served_lio import lio_of, wanted_groups
from sctune.model.io import LunIo
from sctune.model.lio import LioLunIo
from sctune.unavailable import Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.model.target import TgtState

_SHOW = "tgtd's management socket, as tgtadm --op show --mode target"
_STAT = "tgtd's management socket, as tgtadm --op stat --mode sys"
_SHOWN = f"{_SHOW}; /sys/kernel/config/target"
_COUNTED = "/sys/kernel/config/target/iscsi/*/tpgt_*/lun/lun_*/statistics/scsi_tgt_port"
_LUN = ("target", "lun")

INFO = Metric(
    name="sctune_lun_info",
    about="Always 1; the volume that the LUN serves (empty: none that is known), what lies under it, and how that is used (tgtd's "
    "backing store type, LIO's plugin).",
    source=_SHOWN,
    labels=(*_LUN, "volume", "backing_path", "backing_store"),
    detail=True,
)
ONLINE = Metric(
    name="sctune_lun_online",
    about="Whether the LUN is online (1). tgtd does not take a LUN offline when what is behind it fails; in LIO it is so as long "
    "as it has a backstore.",
    source=_SHOWN,
    labels=_LUN,
    detail=True,
)
READ_ONLY = Metric(name="sctune_lun_read_only", about="Whether it refuses writes (1).", source=_SHOWN, labels=_LUN, detail=True)


_MIB = " LIO counts whole MiB, since it made the LUN."


def _counter(name: str, about: str, lio: str = "") -> Metric:
    caveat = (
        "Added up over all sessions since the exporter began to look: tgtd forgets a session's counters when it ends, so what it "
        "did after the last scrape before that is lost. In a single answer (sctune metrics): of the sessions there are."
    )
    return Metric(
        name=name,
        about=f"{about} {caveat}{lio}",
        source=f"{_STAT}; {_COUNTED}" if lio else _STAT,
        labels=_LUN,
        kind=Kind.COUNTER,
        detail=True,
    )


READ_BYTES = _counter("sctune_lun_read_bytes_total", "Bytes that initiators read.", _MIB)
WRITTEN_BYTES = _counter("sctune_lun_written_bytes_total", "Bytes that initiators wrote.", _MIB)
READS = _counter("sctune_lun_reads_completed_total", "Reads that are done.")
WRITES = _counter("sctune_lun_writes_completed_total", "Writes that are done.")
ERRORS = _counter(
    "sctune_lun_errors_total",
    "Commands answered with an error; the first one of every session is (it is told that the target was powered on).",
)
READS_IN_FLIGHT = Metric(
    name="sctune_lun_reads_in_flight",
    about="Reads that tgtd has taken and not answered yet.",
    source=_STAT,
    labels=_LUN,
    detail=True,
)
WRITES_IN_FLIGHT = Metric(
    name="sctune_lun_writes_in_flight",
    about="Writes that tgtd has taken and not answered yet.",
    source=_STAT,
    labels=_LUN,
    detail=True,
)
COMMANDS = Metric(
    name="sctune_lun_commands_total",
    about="Commands of any kind that initiators sent to a LUN of LIO, since it was made: LIO does not tell reads from writes.",
    source=_COUNTED,
    labels=_LUN,
    kind=Kind.COUNTER,
    detail=True,
)
COUNTERS = (READ_BYTES, WRITTEN_BYTES, READS, WRITES, ERRORS)
METRICS = (INFO, ONLINE, READ_ONLY, *COUNTERS, COMMANDS, READS_IN_FLIGHT, WRITES_IN_FLIGHT)

_COMMANDS = 2**32
"""Where tgtd's counters of commands and errors begin anew; those of bytes have 64 bits."""
_WRAPS = (0, 0, _COMMANDS, _COMMANDS, _COMMANDS)


class LunTotals(Accumulated):
    """What was counted for each (target, LUN)."""


def collect(look: Look, samples: Samples) -> None:
    """Fills in LIO's LUNs, then those of all daemons of tgt that answer. Without detail there is nothing to say, and none is
    asked."""
    if not samples.detail:
        return
    failure = _lio(look, samples)
    state = tgt_of(look, samples)
    if state is not None:
        _tgt(look, state, samples)
    if failure is not None:
        raise CannotCollect(str(failure))


def _lio(look: Look, samples: Samples) -> Unavailable | None:
    """LIO's LUNs; why they, or some of their counters, could not be read."""
    state = lio_of(look, samples)
    if state is None or isinstance(state, Unavailable):
        return state
    chains = known(look.inventory.chains)
    disks: set[tuple[str, str]] = set()
    for iqn, groups in wanted_groups(look, state, "luns", samples).items():
        for lun in {lun.number: lun for group in reversed(groups) for lun in group.luns}.values():
            at = (iqn, str(lun.number))
            disks.add(at)
            samples.add(INFO, 1.0, *at, volume_of(chains, groups[0], lun), lun.backing_path, lun.backing_type)
            samples.add(ONLINE, float(lun.online), *at)
            samples.add(READ_ONLY, float(lun.read_only), *at)
    rows = look.inventory.lio_io
    if isinstance(rows, Unavailable):
        return rows
    totals: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        if isinstance(row, LioLunIo) and (at := (row.iqn, str(row.lun))) in disks:
            counted = totals.setdefault(at, [0, 0, 0])
            for index, value in enumerate((row.commands, row.read_bytes, row.write_bytes)):
                counted[index] += value
    for at, values in totals.items():
        for metric, value in zip((COMMANDS, READ_BYTES, WRITTEN_BYTES), values, strict=True):
            samples.add(metric, float(value), *at)
    return next((row for row in rows if isinstance(row, Unavailable)), None)


def _tgt(look: Look, state: TgtState, samples: Samples) -> None:
    """tgtd's LUNs. Raises CannotCollect where a daemon has not told all, when what the others said is filled in."""
    chains = known(look.inventory.chains)
    targets = wanted_targets(look, state, "luns", samples)
    disks = [(target, lun, (target.iqn, str(lun.number))) for target in targets for lun in target.disks]
    places = [at for _, _, at in disks]
    about = [(*at, volume_of(chains, target, lun), lun.backing_path, lun.backing_type) for target, lun, at in disks]
    samples.fill(INFO, about, repeat(1.0))
    samples.fill(ONLINE, places, [float(lun.online) for _, lun, _ in disks])
    samples.fill(READ_ONLY, places, [float(lun.read_only) for _, lun, _ in disks])
    rows = look.inventory.tgt_io
    if isinstance(rows, Unavailable):
        raise CannotCollect(str(rows))
    failed = [row for row in rows if isinstance(row, Unavailable)]
    if not failed and not state.unanswered:
        _count(look, state, places, [row for row in rows if isinstance(row, LunIo)], samples)
    answered(state)
    if failed:
        raise CannotCollect(str(failed[0]))


def _count(look: Look, state: TgtState, places: Sequence[tuple[str, str]], rows: list[LunIo], samples: Samples) -> None:
    """Adds up all LUNs, and tells of those that are wanted: what is not read in one scrape is not forgotten for the next."""
    iqns = {(target.control_port, target.tid): target.iqn for target in state.targets}
    disks = {(target.iqn, str(lun.number)) for target in state.targets for lun in target.disks}
    born = {daemon.control_port: born_at(look, daemon.control_port) for daemon in state.daemons}
    totals = look.memory.of(LunTotals)
    readings: list[Reading] = []
    in_flight: dict[tuple[str, ...], tuple[int, int]] = {}
    for row in rows:
        owner = (iqns.get((row.control_port, row.tid), ""), str(row.lun))
        if owner not in disks:
            continue  # tgtd's controller, or a target that came or went between the two questions
        source = (row.control_port, born[row.control_port], row.tid, row.lun, row.sid)
        values = (row.read_bytes, row.write_bytes, row.reads, row.writes, row.errors)
        readings.append(Reading(source=(owner, *source), owner=owner, values=values))
        reads, writes = in_flight.get(owner, (0, 0))
        in_flight[owner] = (
            reads + (row.reads_submitted - row.reads) % _COMMANDS,
            writes + (row.writes_submitted - row.writes) % _COMMANDS,
        )
    totals.add(readings, _WRAPS, past=look.options.once)
    totals.keep(disks, len(COUNTERS))
    counted = [(at, total) for at in places if (total := totals.total(at)) is not None]
    owners = [at for at, _ in counted]
    for metric, column in zip(COUNTERS, zip(*(total for _, total in counted), strict=True), strict=False):
        samples.fill(metric, owners, map(float, column))
    under_way = [in_flight.get(at, (0, 0)) for at in places]
    samples.fill(READS_IN_FLIGHT, places, [float(reads) for reads, _ in under_way])
    samples.fill(WRITES_IN_FLIGHT, places, [float(writes) for _, writes in under_way])


COLLECTOR = Collector(
    name="luns", about="tgtd's and LIO's logical units and what went through them.", metrics=METRICS, collect=collect
)
