"""What a Markdown file of the project links to, and which anchors it has: enough of the syntax for the files that are here."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(r"^( *)(```+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[(?:[^\]`]|`[^`]*`)*\]\(([^)\s]+)\)")
_TARGET = re.compile(r"^\[[^\]]+\]: +(\S+)", re.MULTILINE)
_CODE_WITH_LINK = re.compile(r"`[^`\n]*\]\([^`\n]*`")


@cache
def hook() -> Any:
    """packaging/mkdocs_hook.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("mkdocs_hook", ROOT / "packaging/mkdocs_hook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def documents() -> list[Path]:
    """README.md, CHANGELOG.md, and every page of docs/."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def prose(text: str) -> str:
    """The text without its blocks of code."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    """What it links to."""
    text = _CODE_WITH_LINK.sub("", prose(text))
    return _LINK.findall(text) + _TARGET.findall(text)


def anchors(text: str) -> set[str]:
    """The anchors of its headings; of several that are alike the later ones are numbered."""
    return set(_anchors(text))


def _anchors(text: str) -> Iterator[str]:
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +#+)? *$", prose(text), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("\\", "")
        slug = hook().slug(shown)
        number = seen.get(slug, 0)
        seen[slug] = number + 1
        yield f"{slug}-{number}" if number else slug


def broken(text: str, path: Path) -> list[str]:
    """Links of a file that lead nowhere. Addresses elsewhere are not asked for."""
    wrong = []
    for link in links(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if target != ROOT and ROOT not in target.parents:
            wrong.append(f"{link}: outside the project")
        elif not target.exists():
            wrong.append(f"{link}: there is no such file")
        elif anchor:
            read = text if target == path else target.read_text(encoding="utf-8")
            if anchor not in anchors(read):
                wrong.append(f"{link}: there is no such heading")
    return wrong
