"""Several hosts for people: one table, then what is wrong with each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode
from sctune.model.fleet import Verdict
from sctune.report.fleet import code_of, row_of, summary, why, worst_first
from sctune.report.layout import Page
from sctune.report.sanitize import clean
from sctune.report.table import Column, table
from sctune.report.text import render as render_one
from sctune.report.text import render_quiet
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sctune.findings import Code
    from sctune.model.fleet import Fleet, HostLook
    from sctune.report.format import FailOn
    from sctune.report.layout import Style

_COLUMNS = (
    Column(title="HOST", cut=True),
    Column(title="VERDICT"),
    Column(title="CRITICAL", right=True),
    Column(title="WARNING", right=True),
    Column(title="UNKNOWN", right=True),
)


def render_fleet(
    fleet: Fleet, fail_on: FailOn, *, style: Style, width: int | None, codes: Mapping[str, Code], quiet: bool = False
) -> str:
    """The table (worst first, as wide as it is where `width` is None) and the findings. One host alone is told as this machine
    would be. `quiet`: only hosts that fail the run, nothing where none does."""
    if len(fleet.hosts) == 1:
        return _alone(fleet.hosts[0], fail_on, style=style, codes=codes, quiet=quiet)
    told = [look for look in worst_first(fleet) if not quiet or code_of(look, fail_on) is not ExitCode.OK]
    if not told:
        return ""
    parts = ["\n".join(_table(told, width)) + "\n"]
    for look in told:
        if not isinstance(look.outcome, Unavailable) and (text := render_quiet(look.outcome, fail_on, style=style, codes=codes)):
            parts.append(f"{style.paint(f'== {clean(look.address)} ==', '1')}\n{text}")
    if not quiet:
        page = Page(style=style)
        page.add(summary(fleet), lead="Verdict: ", hang=9, sgr="1")
        page.add(_next(told), lead="Next: ", hang=6, sgr="1")
        parts.append(page.text())
    return "\n".join(parts)


def _alone(look: HostLook, fail_on: FailOn, *, style: Style, codes: Mapping[str, Code], quiet: bool) -> str:
    if isinstance(look.outcome, Unavailable):
        return f"{clean(look.address)}: {why(look.outcome)}\n"
    if quiet:
        return render_quiet(look.outcome, fail_on, style=style, codes=codes)
    return render_one(look.outcome, style=style, codes=codes)


def _table(looks: Sequence[HostLook], width: int | None) -> Iterator[str]:
    """The last column is a sentence, which is never cut: it goes on in lines of its own where there is a width."""
    rows = [row_of(look) for look in looks]
    cells = [(row.address, row.verdict.value, *map(_count, (row.critical, row.warning, row.unknown))) for row in rows]
    head, *lines = table(_COLUMNS, cells, None if width is None else max(width // 2, 40))
    yield f"{head}  FIRST"
    for row, line in zip(rows, lines, strict=True):
        yield f"{line}  {row.first}".rstrip()


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)


def _next(looks: Sequence[HostLook]) -> str:
    first = row_of(looks[0])
    if first.verdict is Verdict.OK:
        return "nothing to do."
    if first.verdict is Verdict.UNREACHABLE:
        return f"find out why {first.address} cannot be looked at."
    return f"start with {first.address}; sctune doctor --host {first.address} says all of it."
