"""Loop devices: how many, what each stands on, and what went through it."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.chosen import chosen
from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.diskstats import PATH, parse_diskstats
from sctune.exporters.prometheus.metric import Kind, Metric
from sctune.loop_limit import loop_limits
from sctune.loop_use import all_could_be_seen, expected_size, users
from sctune.unavailable import Reason, Unavailable, known
from sctune.volumes import is_volume

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.inventory import Inventory
    from sctune.model.chain import Chains
    from sctune.model.io import IoCounters
    from sctune.model.loop import LoopDevice

_SYSFS = "/sys/block/loopN"
_DISKSTATS = "/proc/diskstats; node_exporter leaves loop devices out by default"
_DEVICE = ("device",)
_MAJOR = 7

DEVICES = Metric(name="sctune_loop_devices", about="Attached loop devices.", source=_SYSFS)
LIMIT = Metric(
    name="sctune_loop_devices_limit",
    about="How many may be attached: the smallest of the cloud's own limit, the configured one and the kernel's; absent where "
    "nothing bounds them.",
    source="the backend's policy, loop_limit of the configuration, /sys/module/loop/parameters/max_loop without /dev/loop-control",
)
INFO = Metric(
    name="sctune_loop_info",
    about="Always 1; the file under an attached loop device, and the volume that lies on it (empty: none). Numbers do not last.",
    source=f"{_SYSFS}/loop/backing_file",
    labels=("device", "backing_file", "volume"),
    detail=True,
)
SIZE = Metric(name="sctune_loop_size_bytes", about="Size of the device.", source=f"{_SYSFS}/size", labels=_DEVICE, detail=True)
BACKING_SIZE = Metric(
    name="sctune_loop_backing_size_bytes",
    about="What of the file under it belongs to the device now; another number than the device's size: the file was grown or "
    "cut, and `losetup --set-capacity` has not been run. Absent where the file is gone.",
    source="stat(2) of the file, less the device's offset, up to its limit, in whole sectors",
    labels=_DEVICE,
    detail=True,
)
DELETED = Metric(
    name="sctune_loop_backing_deleted",
    about="Whether the file under it has been deleted (1): its data is lost when the device is detached.",
    source=f"{_SYSFS}/loop/backing_file",
    labels=_DEVICE,
    detail=True,
)
ORPHANED = Metric(
    name="sctune_loop_orphaned",
    about="Whether it is attached for nobody (1): it is no volume's, nothing is mounted from it and no device stands on it. A "
    "process that has it open is not seen. Absent where somebody may use it who cannot be seen, as while tgtd does not answer.",
    source=f"{_SYSFS}, its holders, mounts, and the volumes' chains",
    labels=_DEVICE,
    detail=True,
)
READ_ONLY = Metric(
    name="sctune_loop_read_only",
    about="Whether it refuses writes (1).",
    source="/sys/block/loopN/ro",
    labels=_DEVICE,
    detail=True,
)
DIRECT_IO = Metric(
    name="sctune_loop_direct_io",
    about="Whether it goes past the page cache of the file system under it (1).",
    source=f"{_SYSFS}/loop/dio",
    labels=_DEVICE,
    detail=True,
)


def _counter(name: str, about: str) -> Metric:
    return Metric(name=name, about=about, source=_DISKSTATS, labels=_DEVICE, kind=Kind.COUNTER, detail=True)


_SINCE = "since the device was made, over whatever was attached to it."
READ_BYTES = _counter("sctune_loop_read_bytes_total", f"Bytes read {_SINCE}")
WRITTEN_BYTES = _counter("sctune_loop_written_bytes_total", f"Bytes written {_SINCE}")
READS = _counter("sctune_loop_reads_completed_total", f"Reads completed {_SINCE}")
WRITES = _counter("sctune_loop_writes_completed_total", f"Writes completed {_SINCE}")
BUSY = _counter("sctune_loop_io_time_seconds_total", f"For how long any I/O was under way (an estimate since Linux 5.0) {_SINCE}")

METRICS = (
    DEVICES,
    LIMIT,
    INFO,
    SIZE,
    BACKING_SIZE,
    DELETED,
    ORPHANED,
    DIRECT_IO,
    READ_ONLY,
    READ_BYTES,
    WRITTEN_BYTES,
    READS,
    WRITES,
    BUSY,
)


def collect(look: Look, samples: Samples) -> None:
    """Fills in the loop devices of one look."""
    inventory = look.inventory
    state = inventory.loops
    samples.used("sysfs")
    if isinstance(state, Unavailable):
        if state.reason is Reason.ABSENT:
            samples.add(DEVICES, 0.0)
            return
        raise CannotCollect(str(state))
    chains = known(inventory.chains)
    samples.add(DEVICES, float(len(state.devices)))
    limits = loop_limits(state, chains, inventory.config.loop_limit)
    if limits:
        samples.add(LIMIT, float(min(limit for limit, _ in limits)))
    if not samples.detail:
        return
    options = look.options
    devices = chosen(state.devices, lambda one: one.name, options.devices, options.limit_of("loop"), samples)
    _describe(devices, inventory, chains, samples)
    text = inventory.host.read(PATH)
    if isinstance(text, Unavailable):
        if text.reason is Reason.NOT_COLLECTED:
            return  # a recorded host: counters of a moment say nothing
        raise CannotCollect(str(text))
    samples.used("diskstats")
    counters, broken = parse_diskstats(text, {device.name for device in devices})
    if broken:
        samples.skip("parse", broken)
    _count(counters, samples)


def _describe(devices: Sequence[LoopDevice], inventory: Inventory, chains: Chains | None, samples: Samples) -> None:
    blocks = {block.name: (block,) for block in known(inventory.block) or ()}
    # One by one through all mounts and devices of a host with a thousand takes longer than all the rest.
    mounts = tuple(mount for mount in known(inventory.mounts) or () if mount.device[0] == _MAJOR or "/loop" in mount.source)
    seen = all_could_be_seen(inventory)
    names = [(device.name,) for device in devices]
    on = [_volume_on(device, chains) for device in devices]
    samples.fill(
        INFO, [(device.name, device.backing_file, volume) for device, volume in zip(devices, on, strict=True)], repeat(1.0)
    )
    samples.fill(SIZE, names, [float(device.size) for device in devices])
    files = [
        ((device.name,), float(expected_size(device.backing.size, device.offset, device.sizelimit)))
        for device in devices
        if not isinstance(device.backing, Unavailable) and not device.deleted
    ]
    samples.pairs(BACKING_SIZE, files)
    samples.fill(DELETED, names, [float(device.deleted) for device in devices])
    for device, volume in zip(devices, on, strict=True):
        used = bool(volume) or bool(users(device, block=blocks.get(device.name, ()), mounts=mounts, chains=chains))
        if used or seen:
            samples.add(ORPHANED, float(not used), device.name)
    samples.fill(DIRECT_IO, names, [float(device.direct_io) for device in devices])
    samples.fill(READ_ONLY, names, [float(device.read_only) for device in devices])


def _volume_on(device: LoopDevice, chains: Chains | None) -> str:
    chain = chains.by_loop.get(device.name) if chains is not None else None
    return chain.subject.id if chain is not None and is_volume(chain) else ""


def _count(counters: Mapping[str, IoCounters], samples: Samples) -> None:
    names = [(name,) for name in counters]
    every = counters.values()
    samples.fill(READ_BYTES, names, [float(one.reads.bytes) for one in every])
    samples.fill(WRITTEN_BYTES, names, [float(one.writes.bytes) for one in every])
    samples.fill(READS, names, [float(one.reads.completed) for one in every])
    samples.fill(WRITES, names, [float(one.writes.completed) for one in every])
    samples.fill(BUSY, names, [one.busy for one in every])


COLLECTOR = Collector(name="loop", about="Loop devices, their files, and what went through them.", metrics=METRICS, collect=collect)
