"""Reads what `sctune bench --format json` wrote, and nothing else: the structure of bench.schema.json, strictly.

The file may come from anywhere: it is bounded in size, a field too many or too few refuses it, every number has to be possible and
every text is made harmless. What is told of the runs together (medians, percentiles) is made of the runs again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from sctune.bench.model import (
    Job,
    JobResult,
    Layer,
    LayerResult,
    Measured,
    Options,
    Percentiles,
    Ratio,
    Report,
    Run,
    Tool,
    Verdict,
    Word,
)
from sctune.records import dataclass
from sctune.report.bench_json import SCHEMA
from sctune.report.given import Given, read_given, short
from sctune.report.sanitize import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES = 16 * 1024 * 1024
"""Five layers of seven jobs with a thousand runs each."""
_GIVEN = Given(
    name="the benchmark",
    kind="benchmark of sctune bench",
    hint="Name a file that 'sctune bench --format json --output FILE' wrote.",
)
_Speed = Annotated[float, msgspec.Meta(ge=0, le=1e18)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
_Bytes = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
_Fact = str | Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)] | float | bool
_Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z\Z")]


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Schema(msgspec.Struct):
    schema: int


class _Host(_Strict):
    name: str
    kernel: str
    source: Literal["live"]


class _Options(_Strict):
    size_bytes: _Bytes
    runtime_seconds: _Bytes
    ramp_seconds: _Bytes
    runs: _Bytes
    read_only: bool
    rate_bytes_per_second: _Bytes | None


class _Percentiles(_Strict):
    p50: _Seconds
    p95: _Seconds
    p99: _Seconds
    p999: _Seconds = msgspec.field(name="p99.9")


class _Run(_Strict):
    bytes_per_second: _Speed
    operations_per_second: _Speed
    seconds: _Seconds
    latency_seconds: _Percentiles | None
    sync_seconds: _Percentiles | None
    lowest_bytes_per_second: _Speed | None
    highest_bytes_per_second: _Speed | None
    dirty_before_bytes: _Bytes | None
    dirty_after_bytes: _Bytes | None
    cached_after_bytes: _Bytes | None


class _Job(_Strict):
    job: Job
    why: str | None
    bytes_per_second: _Speed | None
    operations_per_second: _Speed | None
    spread: _Speed | None
    latency_seconds: _Percentiles | None
    sync_seconds: _Percentiles | None
    runs: list[_Run]


class _Ratio(_Strict):
    job: Job
    ratio: _Speed
    beyond_noise: bool


class _Layer(_Strict):
    layer: Layer
    address: str | None
    tool: Tool | None
    facts: dict[str, _Fact]
    jobs: list[_Job]
    verdict: Word
    below: Layer | None
    ratios: list[_Ratio]
    reasons: list[str]


class _Document(_Strict):
    schema: int
    version: str
    host: _Host
    started: _Moment
    duration_seconds: _Seconds
    subject: str
    scratch: bool
    fio: str
    options: _Options
    layers: list[_Layer]
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A benchmark, and which host and which sctune it is of."""

    host: str
    kernel: str
    version: str
    report: Report


def read_bench(path: str) -> Recorded:
    """The benchmark in a file. Raises UserError, one line that names the file, for whatever is not one."""
    data = read_given(path, _GIVEN, most=MAX_BYTES)
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema != SCHEMA:
            raise _GIVEN.refused(path, f"it is of schema {schema}, and this sctune reads {SCHEMA}")
        found = msgspec.json.decode(data, type=_Document)
        started = datetime.strptime(found.started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise _GIVEN.refused(path, short(error)) from None
    if _twice(one.layer for one in found.layers) or any(_twice(job.job for job in one.jobs) for one in found.layers):
        raise _GIVEN.refused(path, "a layer, or a job of one, is in it twice")
    return Recorded(
        host=clean(found.host.name),
        kernel=clean(found.host.kernel),
        version=clean(found.version),
        report=Report(
            subject=clean(found.subject),
            scratch=found.scratch,
            options=_options(found.options),
            fio=clean(found.fio),
            started=started,
            seconds=found.duration_seconds,
            layers=tuple((_layer(one), _verdict(one)) for one in found.layers),
            notes=tuple(map(clean, found.notes)),
        ),
    )


def _twice(names: Iterable[str]) -> bool:
    told = list(names)
    return len(set(told)) < len(told)


def _options(told: _Options) -> Options:
    return Options(
        size=told.size_bytes,
        runtime=told.runtime_seconds,
        ramp=told.ramp_seconds,
        runs=told.runs,
        read_only=told.read_only,
        rate=told.rate_bytes_per_second or 0,
    )


def _layer(told: _Layer) -> LayerResult:
    return LayerResult(
        layer=told.layer,
        address=clean(told.address or ""),
        tool=told.tool or Tool.FIO,
        facts=tuple((clean(key), clean(value) if isinstance(value, str) else value) for key, value in told.facts.items()),
        jobs=tuple(JobResult(job=one.job, runs=tuple(map(_run, one.runs)), why=clean(one.why or "")) for one in told.jobs),
    )


def _verdict(told: _Layer) -> Verdict:
    return Verdict(
        word=told.verdict,
        below=told.below,
        ratios=tuple(Ratio(job=one.job, ratio=one.ratio, beyond_noise=one.beyond_noise) for one in told.ratios),
        reasons=tuple(map(clean, told.reasons)),
    )


def _run(told: _Run) -> Run:
    return Run(
        measured=Measured(
            bytes_per_second=told.bytes_per_second,
            operations_per_second=told.operations_per_second,
            seconds=told.seconds,
            latency=_percentiles(told.latency_seconds),
            sync=_percentiles(told.sync_seconds),
            lowest=told.lowest_bytes_per_second,
            highest=told.highest_bytes_per_second,
        ),
        dirty_before=told.dirty_before_bytes,
        dirty_after=told.dirty_after_bytes,
        cached_after=told.cached_after_bytes,
    )


def _percentiles(told: _Percentiles | None) -> Percentiles | None:
    return None if told is None else Percentiles(p50=told.p50, p95=told.p95, p99=told.p99, p999=told.p999)
