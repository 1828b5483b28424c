"""A number of the host that monitoring keeps a history of, whether or not anything is wrong with it."""

from __future__ import annotations

from enum import StrEnum

from sctune.records import dataclass


class MeasureUnit(StrEnum):
    """What a measure counts. A ratio is 0..1."""

    COUNT = "count"
    BYTES = "bytes"
    SECONDS = "seconds"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number and what bounds it. From `warning` and `critical` on (not only above them) the doctor says so; None: it never
    does. `maximum` is where it ends, None where nothing ends it. `of` names the thing where a host may have several."""

    name: str
    value: float
    unit: MeasureUnit
    of: str = ""
    warning: float | None = None
    critical: float | None = None
    maximum: float | None = None
