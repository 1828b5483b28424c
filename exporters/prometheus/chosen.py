"""Which objects a collector gives samples of: those whose name is wanted, and not more than so many."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sctune.exporters.prometheus.options import Selection
    from sctune.exporters.prometheus.samples import Samples

T = TypeVar("T")


def chosen(items: Iterable[T], name: Callable[[T], str], selection: Selection, limit: int, samples: Samples) -> tuple[T, ...]:
    """The objects whose name `selection` takes, in the order of their names, `limit` at most: the same ones in every scrape. The
    others are counted in `samples` as skipped, by `filter` and `limit`."""
    every = list(items)
    wanted = sorted((item for item in every if selection.takes(name(item))), key=name)
    if len(wanted) < len(every):
        samples.skip("filter", len(every) - len(wanted))
    if len(wanted) > limit:
        samples.skip("limit", len(wanted) - limit)
    return tuple(wanted[:limit])
