"""Which objects a collector gives samples of: those whose name is wanted, and not more than so many."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sctune.exporters.prometheus.options import Selection
    from sctune.exporters.prometheus.samples import Samples

T = TypeVar("T")


def chosen(items: Iterable[T], name: Callable[[T], str], selection: Selection, limit: int, samples: Samples) -> tuple[T, ...]:
    """The objects whose name `selection` takes, in the order of their names, `limit` at most: the same ones in every scrape. The
    others are counted in `samples` as skipped, by `filter` and `limit`."""
    named = [(name(item), item) for item in items]
    wanted = named if selection.takes_all else [one for one in named if selection.takes(one[0])]
    if len(wanted) < len(named):
        samples.skip("filter", len(named) - len(wanted))
    if len(wanted) > limit:
        samples.skip("limit", len(wanted) - limit)
    return tuple(item for _, item in sorted(wanted, key=itemgetter(0))[:limit])
