"""fio(1): what it is told, and what it says. Pure.

Jobs run as threads: fio's processes make sessions of their own, and whoever ends the benchmark would not end them.
Sources: fio's HOWTO; recorded output of fio 3.33 in tests/data/bench.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sctune.bench.model import Job, Measured, Percentiles, Tool
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.bench.model import Options, Place

PACKAGE = "fio"
_NANO = 1e-9
_KIB = 1024
_PERCENTILES = ("50.000000", "95.000000", "99.000000", "99.900000")
_MANY = 32
"""Requests in flight of the random jobs."""
_STREAM = 8
"""Of the sequential ones."""

_SHAPES: dict[Job, tuple[str, ...]] = {
    Job.SYNC_WRITE: ("--rw=randwrite", "--bs=4k", "--ioengine=psync", "--fdatasync=1"),
    Job.MIXED: ("--rw=randrw", "--rwmixread=70", "--bs=4k", "--direct=1", f"--iodepth={_MANY}"),
    Job.SEQUENTIAL_WRITE: ("--rw=write", "--bs=1M", "--direct=1", f"--iodepth={_STREAM}", "--end_fsync=1"),
    Job.BUFFERED_WRITE: ("--rw=write", "--bs=1M", "--ioengine=psync", "--end_fsync=1"),
    Job.RANDOM_READ: ("--rw=randread", "--bs=4k", "--direct=1", f"--iodepth={_MANY}"),
    Job.READ_LATENCY: ("--rw=randread", "--bs=4k", "--direct=1", "--iodepth=1"),
    Job.SEQUENTIAL_READ: ("--rw=read", "--bs=1M", "--direct=1", f"--iodepth={_STREAM}"),
}
_MAPPED = 16 << 30
"""Bytes beyond which fio is not to remember where it has been."""
_OF_ENGINE = (Job.SYNC_WRITE, Job.BUFFERED_WRITE)
"""They have an engine of their own."""


def argv(job: Job, place: Place, options: Options, *, name: str, engine: str) -> tuple[str, ...]:
    """One run. A buffered write goes once over all of it: written over and over again, memory alone would be measured."""
    shape = _SHAPES[job]
    if place.tool is Tool.FIO_LIBISCSI:
        shape = (*(one for one in shape if not one.startswith(("--ioengine", "--direct"))), "--ioengine=libiscsi")
    elif job not in _OF_ENGINE:
        shape = (*shape, f"--ioengine={engine}")
    timed: tuple[str, ...] = (f"--runtime={options.runtime}",)
    if place.size > _MAPPED:
        timed = (*timed, "--norandommap")
    if job is not Job.BUFFERED_WRITE:
        timed = (*timed, "--time_based", *((f"--ramp_time={options.ramp}",) if options.ramp else ()))
    if options.rate:
        timed = (*timed, f"--rate={options.rate}")
    reading = ("--readonly",) if job in (Job.RANDOM_READ, Job.READ_LATENCY, Job.SEQUENTIAL_READ) else ()
    kept = ("--invalidate=0",) if options.keep_cache else ()
    return (
        "fio",
        *reading,
        "--allow_file_create=0",  # a device that is gone must not come back as a file in /dev
        *kept,
        "--thread",
        f"--name={name}",
        f"--filename={escaped(place.address)}",
        f"--size={place.size}",
        *shape,
        *timed,
        "--percentile_list=50:95:99:99.9",
        "--output-format=json",
    )


def prefill(path: str, size: int, *, name: str, engine: str) -> tuple[str, ...]:
    """Writes a new file whole, with data that does not compress: what was never written answers eight times faster."""
    return (
        *("fio", "--thread", f"--name={name}", f"--filename={escaped(path)}", f"--size={size}", "--rw=write", "--bs=1M"),
        *("--direct=1", f"--iodepth={_STREAM}", f"--ioengine={engine}", "--refill_buffers", "--fallocate=none"),
        *("--end_fsync=1", "--output-format=json"),
    )


def escaped(path: str) -> str:
    """A file name for fio, which cuts names at colons."""
    return path.replace("\\", "\\\\").replace(":", "\\:")


def parse(text: str) -> Measured | Unavailable:
    """What `--output-format=json` or json+ says of the only job. fio prints its notes and warnings on standard output before it."""
    job = _job(text)
    if isinstance(job, Unavailable):
        return job
    try:
        error = int(job["error"])
        if error:
            import os

            return Unavailable(reason=Reason.FAILED, what=PACKAGE, detail=os.strerror(error).lower())
        done = [part for part in (job["read"], job["write"]) if part["total_ios"]]
        if not done:
            return Unavailable(reason=Reason.FAILED, what=PACKAGE, detail="it did nothing")
        sync = job.get("sync") or {}
        return Measured(
            bytes_per_second=float(sum(part["bw_bytes"] for part in done)),
            operations_per_second=float(sum(part["iops"] for part in done)),
            seconds=max(part["runtime"] for part in done) / 1000,
            latency=_slowest([found for part in done if (found := _percentiles(_latency(part))) is not None]),
            sync=_percentiles(sync.get("lat_ns", {})),
            lowest=_sampled(done, "bw_min"),
            highest=_sampled(done, "bw_max"),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        return Unavailable(reason=Reason.MALFORMED, what=PACKAGE, detail=f"{type(error).__name__} in its JSON")


def version(text: str) -> str:
    """`fio-3.33` of `fio --version`."""
    return text.strip().removeprefix("fio-")


def engines(text: str) -> frozenset[str]:
    """The names that `fio --enghelp` lists."""
    return frozenset(line.strip() for line in text.splitlines() if line.startswith(("\t", " ")) and line.strip())


def _job(text: str) -> Any | Unavailable:
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if line == "{"), None)
    if start is None:
        first = next((line.strip() for line in lines if line.strip()), "no JSON")
        return Unavailable(reason=Reason.MALFORMED, what=PACKAGE, detail=first[:200])
    try:
        document, _ = json.JSONDecoder().raw_decode("\n".join(lines[start:]))
        (job,) = document["jobs"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Unavailable(reason=Reason.MALFORMED, what=PACKAGE, detail="JSON without exactly one job")
    return job


def _latency(part: Any) -> Any:
    """Of a completion; json+ has the same beside its bins."""
    return part["clat_ns"]


def _percentiles(latency: Any) -> Percentiles | None:
    found = latency.get("percentile")
    if not found:
        return None
    p50, p95, p99, p999 = (float(found[one]) * _NANO for one in _PERCENTILES)
    return Percentiles(p50=p50, p95=p95, p99=p99, p999=p999)


def _slowest(found: list[Percentiles]) -> Percentiles | None:
    """Of reads and writes the slower: both are what a guest waits for."""
    return max(found, key=lambda one: one.p99) if found else None


def _sampled(done: list[Any], key: str) -> float | None:
    """fio's samples of half a second, in KiB/s. Of two directions at once they do not add up."""
    if len(done) != 1 or done[0].get("bw_samples", 0) < 2:
        return None
    return float(done[0][key]) * _KIB
