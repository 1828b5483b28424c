"""Volumes: how each is, how large, and whether the layers of its chain are there."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.chosen import chosen
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.judged import listed
from sctune.exporters.prometheus.look_inventory import lvm_age
from sctune.exporters.prometheus.metric import Metric
from sctune.exporters.prometheus.served import silent
from sctune.model.volume import VolumeState
from sctune.unavailable import Reason, Unavailable, known
from sctune.volume_state import UNTOLD
from sctune.volumes import is_volume, unread_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain
    from sctune.model.volume import VolumeRow

_CHAIN = "the volume's chain, as `sctune volumes` and `sctune chain` show it"
_MISSING = "Absent while a part other than tgtd and LIO by which volumes are found cannot be looked at."
_VOLUME = ("volume",)
STATES = tuple(VolumeState)
LAYERS = ("file", "loop", "lvm", "target")

VOLUMES = Metric(
    name="sctune_volumes",
    about="Volumes by state; the worst that is true of a volume counts. Units, the kernel's log and the cloud's logs are not read "
    "for it: what they alone tell is the doctor's. While tgtd does not answer or LIO cannot be read, who is served is "
    "unknown, and an exported LV that no cloud made is not counted. " + _MISSING,
    source=_CHAIN,
    labels=("state",),
)
ALL_SIZE = Metric(name="sctune_volumes_size_bytes", about="What all volumes of this host hold together. " + _MISSING, source=_CHAIN)
ALL_ALLOCATED = Metric(
    name="sctune_volumes_allocated_bytes",
    about="What of them is written: of sparse files and thin LVs less than they hold. " + _MISSING,
    source=_CHAIN,
)
INFO = Metric(
    name="sctune_volume_info",
    about="Always 1; what a volume is made of, the first of each where there are several, empty where there is none. Numbers and "
    "paths do not last. Absent while a layer cannot be looked at, as exports while tgtd does not answer: with other labels it "
    "would be another series.",
    source=_CHAIN,
    labels=("volume", "backend", "backing_file", "loop", "dm", "vg", "lv", "target", "lun"),
    detail=True,
)
STATE = Metric(
    name="sctune_volume_state",
    about="Which state the volume is in (1), the worst that is true of it.",
    source=_CHAIN,
    labels=("volume", "state"),
    detail=True,
)
SIZE = Metric(
    name="sctune_volume_size_bytes",
    about="What the volume holds: its LV, or its file without what LVM takes of it.",
    source="LVM's report, stat(2) of the file",
    labels=_VOLUME,
    detail=True,
)
ALLOCATED = Metric(
    name="sctune_volume_allocated_bytes",
    about="What of it is written: of its sparse file, or of its thin LV; of any other LV all.",
    source="st_blocks of stat(2), device-mapper's status",
    labels=_VOLUME,
    detail=True,
)
CREATED = Metric(
    name="sctune_volume_created_timestamp_seconds",
    about="When its LV was made. Absent where it has none: no file system keeps when a file was made.",
    source="LVM's report (lv_time)",
    labels=_VOLUME,
    detail=True,
)
READY = Metric(
    name="sctune_volume_layer_ready",
    about="Whether a layer that the volume has now is there and works (1): its file, its loop devices, its LV, its exports. What "
    "is taken down while a volume is at rest is no layer of it then; while tgtd does not answer, its exports are absent.",
    source=_CHAIN,
    labels=("volume", "layer"),
    detail=True,
)
SESSIONS = Metric(
    name="sctune_volume_sessions",
    about="Sessions of initiators with the targets that export it, and disks of this host that are it. Absent while tgtd does not "
    "answer.",
    source="tgtd's targets; sessions of this host's initiator",
    labels=_VOLUME,
    detail=True,
)
COPIES = Metric(
    name="sctune_volume_copies",
    about="Running copies (dd, gunzip, tar) that read or write it.",
    source="the process table",
    labels=_VOLUME,
    detail=True,
)

METRICS = (VOLUMES, ALL_SIZE, ALL_ALLOCATED, INFO, STATE, SIZE, ALLOCATED, CREATED, READY, SESSIONS, COPIES)


def collect(look: Look, samples: Samples) -> None:
    """Fills in the volumes of one look. A tgtd that does not answer hides what it exports, and nothing else of them, as does a LIO
    that cannot be read: that it is silent is for the collector of targets to say."""
    inventory = look.inventory
    found = listed(inventory)
    chains = known(inventory.chains)
    for source in sources(inventory):
        samples.used(source)
    age = lvm_age(inventory)
    if age is not None and age.stale:
        samples.read(age.read_at)
    hidden = silent(inventory)
    whole = all(one in hidden for one in unread_parts(inventory))
    if chains is not None and whole:
        _total(found.rows, samples)
    if samples.detail:
        options = look.options
        by_subject = {chain.subject: chain for chain in chains.chains if is_volume(chain)} if chains is not None else {}
        wanted = chosen(found.rows, lambda one: one.id, options.volumes, options.limit_of("volumes"), samples)
        _tell([(row, by_subject.get(row.subject)) for row in wanted], samples, hidden=bool(hidden), whole=whole)
    unread = [one for one in found.unread if one not in hidden and one != UNTOLD]
    if unread:
        raise CannotCollect("; ".join(str(one) for one in unread[:3]))


def _total(rows: Iterable[VolumeRow], samples: Samples) -> None:
    """All volumes together: to be told only where none can be missing."""
    rows = tuple(rows)
    samples.counts(VOLUMES, STATES, (row.state for row in rows))
    here = [row for row in rows if not (row.disks and not row.file and not row.lv)]
    samples.add(ALL_SIZE, float(sum(row.size or 0 for row in here)))
    samples.add(ALL_ALLOCATED, float(sum(row.allocated or 0 for row in here)))


def sources(inventory: Inventory) -> Iterator[str]:
    """What the look at the chains was made of."""
    yield "sysfs"
    if known(inventory.dm):
        yield "dm_ioctl"
    if known(inventory.lvm) is not None:
        yield "lvm_fullreport"
    if known(inventory.tgt) is not None:
        yield "tgt_socket"


def _tell(rows: Sequence[tuple[VolumeRow, Chain | None]], samples: Samples, *, hidden: bool, whole: bool) -> None:
    """`hidden`: whether it is not known who is served by a volume of which no export is seen; `whole`: whether all else that one is
    made of could be looked at. A description of which a part is not known would be a series of other labels, and the old one
    would end."""
    about, states, ready, created = [], [], [], []
    for row, chain in rows:
        name = row.id
        dm = chain.dm.kernel_name if chain is not None and chain.dm is not None else ""
        loop = row.loops[0] if row.loops else ""
        target, lun = (row.exports[0].target, str(row.exports[0].lun)) if row.exports else ("", "")
        if whole and (row.exports or not hidden):
            about.append((name, row.backend, row.file, loop, dm, row.vg, row.lv, target, lun))
        states += [(name, state) for state in STATES]
        if chain is not None:
            ready += [((name, layer), float(works)) for layer, works in layers(chain)]
            if chain.lv is not None and chain.lv.created is not None:
                created.append(((name,), chain.lv.created))
    samples.fill(INFO, about, repeat(1.0))
    samples.fill(STATE, states, [float(state == row.state) for row, _ in rows for state in STATES])
    samples.pairs(SIZE, [((row.id,), float(row.size)) for row, _ in rows if row.size is not None])
    samples.pairs(ALLOCATED, [((row.id,), float(row.allocated)) for row, _ in rows if row.allocated is not None])
    samples.pairs(CREATED, created)
    samples.pairs(READY, ready)
    served = [row for row, _ in rows if row.exports or not hidden]
    samples.fill(SESSIONS, [(row.id,) for row in served], [float(len(row.attachments) + len(row.disks)) for row in served])
    samples.fill(COPIES, [(row.id,) for row, _ in rows], [float(row.copies) for row, _ in rows])


def layers(chain: Chain) -> Iterator[tuple[str, bool]]:
    """The layers that a volume has now, each with whether it works."""
    backings = [loop.backing for loop in chain.loops]
    unseen = any(isinstance(one, Unavailable) and one.reason is not Reason.ABSENT for one in backings)
    if (chain.file is not None or chain.loops) and not unseen:
        yield "file", not any(loop.deleted or isinstance(loop.backing, Unavailable) for loop in chain.loops)
    if chain.loops:
        yield "loop", all(loop.size > 0 for loop in chain.loops)
    lv = chain.lv
    if lv is not None and (lv.active or chain.exports):
        suspended = chain.dm.suspended if chain.dm is not None else lv.suspended
        yield "lvm", lv.active and not suspended and not lv.health
    if chain.exports:
        yield "target", all(export.lun.online and export.target.state == "ready" for export in chain.exports)


COLLECTOR = Collector(
    name="volumes", about="The state and size of every volume, and of the layers it is made of.", metrics=METRICS, collect=collect
)
