"""Results as a benchmark has them, made of a few numbers."""

from __future__ import annotations

from sctune.bench.model import Facts, Job, JobResult, Layer, LayerResult, Measured, Options, Percentiles, Run, Tool

MIB = 1 << 20
OPTIONS = Options(size=1024 * MIB, runtime=60, ramp=5, runs=3, direct_io=False)
STREAMS = (Job.SEQUENTIAL_WRITE, Job.BUFFERED_WRITE, Job.SEQUENTIAL_READ)


def result(job: Job, *speeds: float, dirty: int = 0, latency: bool = True) -> JobResult:
    """Runs of these speeds: operations a second, of a stream MiB/s."""
    block = MIB if job in STREAMS else 4096

    def run(speed: float) -> Run:
        quantiles = Percentiles(p50=1 / speed, p95=2 / speed, p99=4 / speed, p999=9 / speed) if latency else None
        measured = Measured(
            bytes_per_second=speed * block,
            operations_per_second=speed,
            seconds=60.0,
            latency=quantiles,
            sync=quantiles if job is Job.SYNC_WRITE else None,
        )
        return Run(measured=measured, dirty_before=4 * MIB, dirty_after=4 * MIB + dirty)

    return JobResult(job=job, runs=tuple(map(run, speeds)))


def layer(kind: Layer, *jobs: JobResult, facts: Facts = (), tool: Tool = Tool.FIO) -> LayerResult:
    return LayerResult(layer=kind, address=f"/dev/{kind.value}", tool=tool, facts=facts, jobs=jobs)


FILE = layer(
    Layer.FILE,
    result(Job.SYNC_WRITE, 8300, 8450, 8600),
    result(Job.MIXED, 61000, 62000, 63000, dirty=MIB),
    result(Job.SEQUENTIAL_WRITE, 242, 245, 247),
    result(Job.BUFFERED_WRITE, 200, 205, 210),
    result(Job.RANDOM_READ, 55000, 55300, 56000),
    facts=(("filesystem", "ext4"), ("disk", "vda"), ("write_cache", "write back"), ("scheduler", "mq-deadline")),
)
LOOP = layer(
    Layer.LOOP,
    result(Job.SYNC_WRITE, 5000, 5100, 5200),
    result(Job.MIXED, 117000, 118000, 119000, dirty=1024 * MIB),
    result(Job.SEQUENTIAL_WRITE, 240, 242, 250),
    result(Job.BUFFERED_WRITE, 190, 200, 210),
    result(Job.RANDOM_READ, 150000, 154530, 156000),
    facts=(("direct_io", False), ("write_cache", "write back"), ("scheduler", "none")),
)
DIRECT_LOOP = layer(
    Layer.LOOP,
    result(Job.SYNC_WRITE, 6500, 6600, 6700),
    result(Job.MIXED, 38000, 38100, 38200, dirty=6 * MIB),
    result(Job.SEQUENTIAL_WRITE, 230, 235, 240),
    result(Job.RANDOM_READ, 40000, 41000, 42000),
    facts=(("direct_io", True), ("write_cache", "write back"), ("scheduler", "none")),
)
NO_LV = LayerResult(layer=Layer.LV, why="no device-mapper in this kernel")
_READS_ONLY = "iscsi-perf only reads, and fio has no libiscsi engine here"
TARGET = layer(
    Layer.TARGET,
    *(JobResult(job=job, runs=(), why=_READS_ONLY) for job in (Job.SYNC_WRITE, Job.MIXED, Job.SEQUENTIAL_WRITE)),
    result(Job.RANDOM_READ, 31000, 31076, 31100, latency=False),
    facts=(("backing_type", "rdwr"), ("control_port", 0)),
    tool=Tool.ISCSI_PERF,
)
