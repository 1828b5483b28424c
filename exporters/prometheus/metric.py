"""What a metric is called, what it means and where it is from: declared once, by the collector that gives its samples.

Source: https://prometheus.io/docs/practices/naming/ and .../docs/instrumenting/writing_exporters/
"""

from __future__ import annotations

import enum

from sctune.records import dataclass


class Kind(enum.StrEnum):
    """The two kinds in use; what tells a description, or which of some states holds, is a gauge of 0 and 1."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. `name` as it stands in the answer: base unit last, a counter ends in `_total`. `about` says what it is, with the
    caveat where there is one, `source` where it is read: both become HELP. `labels` are the names of its labels, in order.
    `detail`: one series for each object, left out where detail is off."""

    name: str
    about: str
    source: str
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.GAUGE
    detail: bool = False

    # Declared once, and looked up with each sample: it is itself, and not whatever has the same texts.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def help(self) -> str:
        """The HELP line."""
        return f"{self.about} Source: {self.source}."
