"""What the JSON answers about a host begin with, and how each is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.report.sanitize import clean
from sctune.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.host.base import HostIdentity, Source
    from sctune.report.json import Json


def head(schema: int, identity: HostIdentity, source: Source) -> dict[str, Json]:
    """The structure's number (each answer has its own), who wrote it, and which host it is about."""
    return {
        "schema": schema,
        "version": VERSION,
        "host": {"name": clean(identity.name), "kernel": clean(identity.kernel), "source": source.value},
    }


def written(value: Mapping[str, object]) -> str:
    """One JSON document with a line break at its end."""
    import json

    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
