"""Several documents as one: sctune.yaml and the files of conf.d beside it.

Mappings are joined key by key, lists add up, and of a single value the later file's counts. A key given twice in one file stays
twice, for the reader to refuse. Every node keeps its mark, so that an error and `config show --origin` name the file it is of.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable


def merge(documents: Iterable[yaml.Node | None]) -> yaml.Node | None:
    """One document from those of several files, the first of least weight. None where all are empty."""
    return reduce(_merged, documents, None)


def _merged(base: yaml.Node | None, over: yaml.Node | None) -> yaml.Node | None:
    if base is None or over is None:
        return over or base
    if isinstance(base, yaml.MappingNode) and isinstance(over, yaml.MappingNode):
        return _mapping(base, over)
    if isinstance(base, yaml.SequenceNode) and isinstance(over, yaml.SequenceNode):
        return yaml.SequenceNode(over.tag, [*base.value, *over.value], over.start_mark, over.end_mark)
    # A section that is left empty says nothing: its lines may all be comments.
    nothing = isinstance(over, yaml.ScalarNode) and over.tag.endswith(":null") and not isinstance(base, yaml.ScalarNode)
    return base if nothing else over


def _mapping(base: yaml.MappingNode, over: yaml.MappingNode) -> yaml.MappingNode:
    entries: list[tuple[yaml.Node, yaml.Node]] = list(base.value)
    places = {key.value: place for place, (key, _) in enumerate(entries) if isinstance(key, yaml.ScalarNode)}
    for key, value in over.value:
        place = places.get(key.value) if isinstance(key, yaml.ScalarNode) else None
        if place is None:
            entries.append((key, value))
            continue
        # Each key of the earlier files is replaced once: a second one of the same file is a repetition, and is refused as such.
        del places[key.value]
        joined = _merged(entries[place][1], value)
        entries[place] = (key, joined if joined is not None else value)
    return yaml.MappingNode(over.tag, entries, over.start_mark, over.end_mark)
