"""docs/codes: a page a finding code and an index, written from what the checks declare. `make docs` runs it.

`python -m tests.codepages` writes what is missing or out of date and removes pages of codes that are no more;
tests/unit/test_codepages.py refuses a checkout in which that was forgotten. Nothing in docs/codes is written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sctune.findings import Risk
from sctune.registry import assemble, built_in

if TYPE_CHECKING:
    from sctune.check import Check
    from sctune.findings import Code
    from sctune.registry import Registry

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "codes"
INDEX = "README.md"
_MADE = "<!-- Made from the checks by `make docs`; not written by hand. -->"
_SPECIAL = re.compile(r"([\\`*\[\]<>|]|(?<!\w)_|_(?!\w))")
_CODE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")


def registry() -> Registry:
    """The built-in checks alone: a site's own are documented by the site."""
    return assemble(built_in())


def pages(found: Registry) -> dict[str, str]:
    """File name -> text, the index included."""
    names = frozenset(code.code for _, code in found.codes())
    made = {f"{code.code}.md": page(check, code, names) for check, code in found.codes()}
    return {INDEX: index(found), **dict(sorted(made.items()))}


def page(check: Check, code: Code, names: frozenset[str]) -> str:
    """All that `sctune explain` says of a code. Other codes (`names`) that its texts speak of are links to their pages."""

    def shown(text: str) -> str:
        return _CODE.sub(lambda word: f"[{word[0]}]({word[0]}.md)" if word[0] in names - {code.code} else word[0], escaped(text))

    advice = "\nTuning advice: info until the configuration lists it under `wanted`, then a warning.\n" if code.advice else ""
    disturbs = "disturbs service" if code.risk is Risk.DISRUPTIVE else "does not disturb service"
    parts = [
        f"# {code.code}",
        _MADE,
        f"**{escaped(code.title)}**",
        f"Severity: {severities(code)}. Found by the check `{check.name}` ({escaped(check.title)}).{advice}",
        f"## What it means\n\n{shown(code.meaning)}",
        f"## Why it matters\n\n{shown(code.why)}",
        f"## Thresholds\n\n{shown(code.thresholds)}{_behaviour(code)}",
        "## How to see it by hand\n\n```\n" + "\n".join(code.see) + "\n```" if code.see else "",
        f"## Remedy\n\nFollowing it {disturbs}. The finding itself has the exact commands.\n\n{shown(code.remedy)}",
        f"## Source\n\n{escaped(code.source)}",
        f"In a shell: `sctune explain {code.code}`. [All codes]({INDEX})",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _behaviour(code: Code) -> str:
    told = ""
    if code.confirm:
        told += "\n\nSaid only where a second look, a moment later, sees it still."
    if code.last_resort:
        told += "\n\nSaid of a subject only where no more telling finding is."
    return told


def index(found: Registry) -> str:
    """All codes by name."""
    rows = [
        f"| [{code.code}]({code.code}.md) | {severities(code)} | {escaped(code.title)} | `{check.name}` |"
        for check, code in sorted(found.codes(), key=lambda pair: pair[1].code)
    ]
    head = [
        "# Finding codes",
        "",
        _MADE,
        "",
        f"{len(rows)} codes. A code is never used for anything else. `sctune explain CODE` says the same in a shell.",
        "",
        "| code | severity | what | check |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def severities(code: Code) -> str:
    """ "warning or critical", "advice"."""
    return "advice" if code.advice else " or ".join(severity.value for severity in code.severities)


def catalogue_mark(code: Code) -> str:
    """How the list in CHANGELOG.md marks it: [w/c], [advice]."""
    return "[advice]" if code.advice else "[" + "/".join(severity.value[0] for severity in code.severities) + "]"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: what is between backquotes is left to be code."""
    parts = text.replace("\n", "\n\n").split("`")
    if len(parts) % 2 == 0:
        return _SPECIAL.sub(r"\\\1", text)
    return "`".join(part if number % 2 else _SPECIAL.sub(r"\\\1", part) for number, part in enumerate(parts))


def write(folder: Path = FOLDER) -> list[str]:
    """Writes the folder and says what it changed."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages(registry())
    changed = []
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    for path in folder.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
            changed.append(f"{path.name} (removed)")
    return changed


def changelog_gaps(changelog: str) -> list[str]:
    """What the list of codes in CHANGELOG.md lacks, has too much, or marks wrongly."""
    said = dict(re.findall(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+) (\[[a-z/]+\])", changelog))
    declared = {code.code: catalogue_mark(code) for _, code in registry().codes()}
    gaps = [f"lacks {code} {mark}" for code, mark in declared.items() if code not in said]
    gaps += [f"has {code}, which no check declares" for code in said if code not in declared]
    gaps += [f"says {code} {said[code]}, and it is {mark}" for code, mark in declared.items() if said.get(code, mark) != mark]
    count = re.search(r"^(\d+) codes\.", changelog, re.MULTILINE)
    if count is None or int(count[1]) != len(declared):
        gaps.append(f"does not say that there are {len(declared)} codes")
    return gaps


if __name__ == "__main__":
    for line in write():
        print(f"docs/codes/{line}")
    for line in changelog_gaps((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")):
        print(f"CHANGELOG.md {line}")
