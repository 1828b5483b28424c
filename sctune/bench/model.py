"""What is measured, and what came of it. Speeds in bytes or operations a second, times in seconds, sizes in bytes."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.model.target import Portal

Facts: TypeAlias = "tuple[tuple[str, str | int | float | bool], ...]"


class Layer(StrEnum):
    """What of a chain is measured, from the bottom up."""

    FILE = "file"  # on the store's file system
    LOOP = "loop"
    LV = "lv"
    TARGET = "target"  # by an initiator of our own, in user space, on this host
    DISK = "disk"  # a session of this host's kernel that is there already


class Job(StrEnum):
    """What is done to a layer."""

    SYNC_WRITE = "sync-write"  # 4 KiB random writes, each followed by fdatasync(2): a commit's latency
    MIXED = "mixed"  # 70 % reads, 30 % writes, 4 KiB random, 32 at once
    SEQUENTIAL_WRITE = "sequential-write"  # 1 MiB, 8 at once, a flush in the end
    BUFFERED_WRITE = "buffered-write"  # through the page cache, once over all of it, a flush in the end
    RANDOM_READ = "random-read"  # 4 KiB, 32 at once
    READ_LATENCY = "read-latency"  # 4 KiB random, one at a time
    SEQUENTIAL_READ = "sequential-read"  # 1 MiB, 8 at once


class Tool(StrEnum):
    """Who measures."""

    FIO = "fio"
    FIO_LIBISCSI = "fio-libiscsi"
    ISCSI_PERF = "iscsi-perf"


WRITING = (Job.SYNC_WRITE, Job.MIXED, Job.SEQUENTIAL_WRITE, Job.BUFFERED_WRITE, Job.RANDOM_READ)
READING = (Job.READ_LATENCY, Job.RANDOM_READ, Job.SEQUENTIAL_READ)
OF_ISCSI_PERF = (Job.READ_LATENCY, Job.RANDOM_READ, Job.SEQUENTIAL_READ)
"""It only reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for. `layers` () are all there are; `direct_io` None: as the host's own loop devices have it. `rate` bounds
    what a reader takes of a device in use (bytes a second, 0: nothing does). `keep_cache`: what is cached of it
    stays, since guests live on that; else fio drops it before each run."""

    size: int
    runtime: int
    ramp: int
    runs: int
    layers: tuple[Layer, ...] = ()
    read_only: bool = False
    direct_io: bool | None = None
    rate: int = 0
    keep_cache: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Of how long one operation took, in seconds."""

    p50: float
    p95: float
    p99: float
    p999: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a tool said of one run. `sync` is of the flushes alone, None where there were none; `lowest` and `highest` bytes a
    second of any half second, None where the run was too short or the tool does not tell."""

    bytes_per_second: float
    operations_per_second: float
    seconds: float
    latency: Percentiles | None = None
    sync: Percentiles | None = None
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, and what waited to be written on the whole host before it and when it ended (Dirty of /proc/meminfo), None where
    the kernel did not tell."""

    measured: Measured
    dirty_before: int | None
    dirty_after: int | None
    cached_after: int | None = None
    """Bytes of the scratch file in the page cache when it ended (fincore(1)): nobody else's, unlike Dirty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """All runs of one job on one layer; `why` it could not be done, "" where it was."""

    job: Job
    runs: tuple[Run, ...]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A layer, and where it is opened: a path, or an iSCSI URL. `device` is its name in /sys/block, "" where it has none.
    `size` bytes of it are used."""

    layer: Layer
    address: str
    size: int
    tool: Tool = Tool.FIO
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerResult:
    """A layer as it was found and measured; one that was left out has a reason `why` and no jobs."""

    layer: Layer
    address: str = ""
    tool: Tool = Tool.FIO
    facts: Facts = ()
    jobs: tuple[JobResult, ...] = ()
    why: str = ""


class Word(StrEnum):
    """What is to be thought of a layer."""

    BASE = "base"  # the lowest that was measured: nothing to compare it with
    CLEAR = "clear"  # what it says comes from the layer below
    CACHE = "cache"  # a cache answers and not the layer below
    UNSTEADY = "unsteady"  # it looks faster than the layer below, and the runs lie too far apart to say so
    CAPPED = "capped"  # it gave all that was asked for: how much more it could is not known
    UNMEASURED = "unmeasured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How much of the layer below a layer gives in one job (operations or bytes a second: the same)."""

    job: Job
    ratio: float
    beyond_noise: bool
    """Whether every run of one is above every run of the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`below` is the layer it is compared with, None for the lowest. `reasons` are sentences."""

    word: Word
    below: Layer | None = None
    ratios: tuple[Ratio, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One benchmark. `subject` is the volume, or the folder of a scratch one; `notes` what else a reader must know."""

    subject: str
    scratch: bool
    options: Options
    fio: str
    started: float
    seconds: float
    layers: tuple[tuple[LayerResult, Verdict], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A tgtd that can take a scratch target: its control port, and its portal that this host reaches from 127.0.0.1."""

    control_port: int
    portal: Portal
    tids: frozenset[int]
