"""What mkdocs has to know to make of docs/ what a forge makes of it: the same anchors, and no link to what is no page."""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"\[([^\]\n]*)\]\((\.\./[^)\s]*)\)")


def slug(heading: str, separator: str = "-") -> str:
    """A heading's anchor, as GitHub makes it: letters, digits, _ and - stay, each blank is a separator."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)


def on_config(config: Any) -> Any:
    """Sets the anchors."""
    config["mdx_configs"].setdefault("toc", {})["slugify"] = slug
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to files of the project outside docs/ become their names: a site does not have them."""
    return without_outside(markdown, page.file.src_uri)


def without_outside(markdown: str, page: str) -> str:
    """The text of a page of docs/ without links that leave docs/."""
    folder = posixpath.dirname(page)

    def shown(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, found[2].partition("#")[0]))
        return f"{found[1]} (`{target.removeprefix('../')}` of the project)" if target.startswith("../") else found[0]

    return _LINK.sub(shown, markdown)
