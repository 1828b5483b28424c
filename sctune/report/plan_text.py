"""A plan as a difference for people: what is and what would be, why, and what is left alone."""

from __future__ import annotations

import difflib
import shlex
from typing import TYPE_CHECKING

from sctune.report.layout import Page
from sctune.report.sanitize import clean
from sctune.tuning.model import Decision
from sctune.tuning.operations import FileState, RunTool, WriteValue
from sctune.tuning.schema import Risk, Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sctune.host.base import HostIdentity
    from sctune.report.layout import Style
    from sctune.tuning.iscsi.plan import IscsiPlan
    from sctune.tuning.model import Activation, Item, Plan, PlannedFile

_SHOWN = 6
_WAYS = {
    Decision.NEXT_LOAD: "from the next load on",
    Decision.ABSENT: "not on this kernel",
    Decision.NO_ELEVATOR: "no elevator",
    Decision.HARDWARE: "limited by hardware",
    Decision.PINNED: "held by another",
    Decision.BEYOND: "beyond it already",
    Decision.UNSAFE: "unsafe here",
    Decision.READ_ONLY: "read-only",
    Decision.NOT_SELECTED: "not selected",
    Decision.UNKNOWN: "unknown",
}


def render(plan: Plan, *, identity: HostIdentity, style: Style) -> str:
    """The whole plan."""
    page = Page(style=style)
    changes = [item for item in plan.items if item.decision is Decision.CHANGE] if plan.options.live else []
    files = [file for file in plan.files if file.decision is Decision.CHANGE] if plan.options.persist else []
    page.add(f": {clean(plan.profile.summary)}", lead=plan.profile.name, sgr="1", hang=2)
    page.add(f"{clean(identity.name)}, Linux {clean(identity.kernel)}: {_sum(changes, files, plan.iscsi)}", hang=2)
    for heading, sentences, sgr in (
        ("Conflicts", plan.conflicts, "1;31"),
        ("Warnings", plan.warnings, "1;33"),
        ("Could not be looked at", plan.unread, "1;33"),
    ):
        if sentences:
            page.blank()
            page.add("", lead=heading, sgr=sgr)
            for sentence in sentences:
                page.add(f"- {clean(sentence)}", indent=2, hang=4)
    for group in _groups(changes):
        _change(page, group)
    for file in files:
        _file(page, file)
    if plan.activation is not None:
        _activation(page, plan.activation)
    if plan.iscsi is not None:
        from sctune.report.plan_iscsi import add

        add(page, plan.iscsi, plan.profile)
    _rest(page, plan)
    return page.text()


def _sum(changes: list[Item], files: list[PlannedFile], iscsi: IscsiPlan | None) -> str:
    places = [item.operation for item in iscsi.items if item.operation is not None] if iscsi is not None else []
    values = len(changes) + sum(isinstance(one, WriteValue) for one in places)
    kept = len(files) + (iscsi is not None and iscsi.file is not None)
    records = len({one.argv[:9] for one in places if isinstance(one, RunTool)})
    parts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((values, "value"), (kept, "file"), (records, "node record"))
        if count
    ]
    told = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)
    return f"{told} would change" if parts else "nothing would change"


def _groups(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items that say the same of several things."""
    groups: dict[tuple[object, ...], list[Item]] = {}
    for item in items:
        key = (item.setting.key, item.decision, item.current, item.wanted, item.reason)
        groups.setdefault(key, []).append(item)
    return iter(groups.values())


def _title(items: list[Item]) -> str:
    """Which things: all of a few, a few of many."""
    first = items[0]
    if first.setting.section is Section.SYSCTL or first.subject in ("", first.setting.name, first.setting.key):
        return ""
    names = ", ".join(clean(item.subject) for item in items[:_SHOWN])
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    what = f" ({first.setting.attribute})" if first.setting.attribute is not None else ""
    return f": {names}{more}{what}"


def _change(page: Page, items: list[Item]) -> None:
    first = items[0]
    page.blank()
    page.add(_title(items), lead=first.setting.key, sgr="1", hang=2)
    if first.current is not None:
        _line(page, "-", first.current, "31")
    _line(page, "+", first.wanted or "", "32")
    if first.reason:
        page.add(clean(f"({first.reason})"), indent=2)
    page.add(clean(first.setting.why), indent=2)
    page.add(f"Source: {clean(first.setting.source)}", indent=2, hang=4)
    if first.setting.risk is Risk.DISRUPTIVE:
        page.add("It disturbs service.", indent=2)
    page.add(f"Kept by {first.kept_by}." if first.kept_by else "Nothing keeps it over a restart.", indent=2, hang=4)


def _line(page: Page, mark: str, text: str, sgr: str) -> None:
    page.lines.append(page.style.paint(f"{mark} {clean(text)}", sgr))


def _file(page: Page, file: PlannedFile) -> None:
    """The file's difference, as diff -u has it without its head."""
    before = file.before.content.decode("utf-8", "replace") if isinstance(file.before, FileState) else ""
    after = file.after.decode() if file.after is not None else ""
    what = "new file" if not isinstance(file.before, FileState) else "removed" if file.after is None else "changed"
    page.blank()
    page.add(f" ({what})", lead=file.path, sgr="1", hang=2)
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm=""))[2:]
    for line in lines:
        if line.startswith("@@"):
            if what == "changed":
                page.lines.append(page.style.paint(clean(line), "36"))
            continue
        _line(page, line[0], line[1:], {"+": "32", "-": "31"}.get(line[0], ""))


def _activation(page: Page, one: Activation) -> None:
    page.blank()
    page.add(": its active profile", lead="tuned", sgr="1", hang=2)
    if one.before == one.name:
        page.add(f"It reads {clean(one.name)} anew.", indent=2)
    else:
        _line(page, "-", one.before or "none", "31")
        _line(page, "+", one.name, "32")
    page.command(shlex.join(one.operation.argv), indent=2)


def _rest(page: Page, plan: Plan) -> None:
    """What is so already, and what is left alone."""
    already = [item for item in plan.items if item.decision is Decision.ALREADY]
    if already:
        page.blank()
        page.add("", lead="Already so", sgr="1")
        for group in _groups(already):
            page.add(f"{group[0].setting.key}{_title(group)} = {clean(group[0].current or '')}", indent=2, hang=4)
    left = [item for item in plan.items if item.decision not in (Decision.CHANGE, Decision.ALREADY)]
    if left:
        page.blank()
        page.add("", lead="Left alone", sgr="1")
        for group in _groups(left):
            item = group[0]
            now = f", it is {clean(item.current)}" if item.current is not None else ""
            why = f": {clean(item.reason)}" if item.reason else ""
            page.add(f"{item.setting.key}{_title(group)} - {_WAYS[item.decision]}{now}{why}", indent=2, hang=4)
