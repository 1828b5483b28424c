"""A benchmark for programs: the structure in bench.schema.json. Bytes, seconds, ratios; null: not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.bench.figures import job, middle, speeds, spread
from sctune.report.document import head, written
from sctune.report.json import rfc3339
from sctune.report.sanitize import clean

if TYPE_CHECKING:
    from sctune.bench.model import JobResult, LayerResult, Percentiles, Report, Run, Verdict
    from sctune.host.base import HostIdentity, Source
    from sctune.report.json import Json

SCHEMA = 1


def render(report: Report, *, identity: HostIdentity, source: Source) -> str:
    """One JSON document with a line break at its end."""
    options = report.options
    value: dict[str, Json] = {
        **head(SCHEMA, identity, source),
        "started": rfc3339(report.started),
        "duration_seconds": round(report.seconds, 3),
        "subject": clean(report.subject),
        "scratch": report.scratch,
        "fio": clean(report.fio),
        "options": {
            "size_bytes": options.size,
            "runtime_seconds": options.runtime,
            "ramp_seconds": options.ramp,
            "runs": options.runs,
            "read_only": options.read_only,
            "rate_bytes_per_second": options.rate or None,
        },
        "layers": [_layer(layer, verdict) for layer, verdict in report.layers],
        "notes": [clean(note) for note in report.notes],
    }
    return written(value)


def _layer(layer: LayerResult, verdict: Verdict) -> Json:
    return {
        "layer": layer.layer.value,
        "address": clean(layer.address) or None,
        "tool": layer.tool.value if layer.jobs else None,
        "facts": {key: clean(value) if isinstance(value, str) else value for key, value in layer.facts},
        "jobs": [_job(one) for one in layer.jobs],
        "verdict": verdict.word.value,
        "below": None if verdict.below is None else verdict.below.value,
        "ratios": [
            {"job": one.job.value, "ratio": round(one.ratio, 4), "beyond_noise": one.beyond_noise}
            for one in verdict.ratios
            if job(layer, one.job) is not None
        ],
        "reasons": [clean(reason) for reason in verdict.reasons],
    }


def _job(one: JobResult) -> Json:
    return {
        "job": one.job.value,
        "why": clean(one.why) or None,
        "bytes_per_second": _middle([run.measured.bytes_per_second for run in one.runs]),
        "operations_per_second": _middle([run.measured.operations_per_second for run in one.runs]),
        "spread": round(spread(speeds(one)), 4) if one.runs else None,
        "latency_seconds": _percentiles([run.measured.latency for run in one.runs]),
        "sync_seconds": _percentiles([run.measured.sync for run in one.runs]),
        "runs": [_run(run) for run in one.runs],
    }


def _run(run: Run) -> Json:
    measured = run.measured
    return {
        "bytes_per_second": round(measured.bytes_per_second, 1),
        "operations_per_second": round(measured.operations_per_second, 2),
        "seconds": round(measured.seconds, 3),
        "latency_seconds": _percentiles([measured.latency]),
        "sync_seconds": _percentiles([measured.sync]),
        "lowest_bytes_per_second": measured.lowest,
        "highest_bytes_per_second": measured.highest,
        "dirty_before_bytes": run.dirty_before,
        "dirty_after_bytes": run.dirty_after,
        "cached_after_bytes": run.cached_after,
    }


def _middle(values: list[float]) -> float | None:
    return round(middle(values), 2) if values else None


def _percentiles(found: list[Percentiles | None]) -> Json:
    """Medians over the runs."""
    told = [one for one in found if one is not None]
    if not told:
        return None
    return {
        "p50": round(middle(one.p50 for one in told), 9),
        "p95": round(middle(one.p95 for one in told), 9),
        "p99": round(middle(one.p99 for one in told), 9),
        "p99.9": round(middle(one.p999 for one in told), 9),
    }
