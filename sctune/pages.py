"""Where a finding code's page is: docs/codes/CODE.md, in a checkout and in the package alike (`sctune/docs` leads to docs/)."""

from __future__ import annotations

import os
from functools import cache

_FOLDER = "docs/codes"
_HERE = os.path.dirname(os.path.abspath(__file__))


@cache
def _names() -> frozenset[str]:
    try:
        return frozenset(os.listdir(f"{_HERE}/{_FOLDER}"))
    except OSError:
        return frozenset()  # a packager left the documentation out


def reference(code: str) -> str:
    """What leads to more about a code: the path of its page below the package or a checkout, which is also the end of its address
    wherever the pages are served; for a code without a page (a site's own check) the command that prints its entry."""
    return f"{_FOLDER}/{code}.md" if f"{code}.md" in _names() else f"sctune explain {code}"


def file_of(code: str) -> str | None:
    """The page's file on this machine, None where it has none."""
    return f"{_HERE}/{_FOLDER}/{code}.md" if f"{code}.md" in _names() else None
