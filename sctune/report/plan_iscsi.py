"""The iSCSI part of a plan for people: each setting in each place, outages before and after, iscsid.conf's difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.report.sanitize import clean
from sctune.tuning.iscsi.items import Decision, Place
from sctune.tuning.iscsi.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.report.layout import Page
    from sctune.tuning.iscsi.items import IscsiItem
    from sctune.tuning.iscsi.plan import IscsiPlan
    from sctune.tuning.schema import Profile

_PLACES = {Place.FILE: "iscsid.conf", Place.RECORD: "node record", Place.SESSION: "live session"}
_COLOURS = {"+": "32", "-": "31", "@": "36"}


def add(page: Page, plan: IscsiPlan, profile: Profile) -> None:
    """Adds it to a page."""
    texts = {setting.name: setting for setting in profile.settings}
    for key in dict.fromkeys(item.key for item in plan.items):
        page.blank()
        page.add("", lead=f"iscsi.{key}", sgr="1", hang=2)
        for item in _of(plan.items, key):
            _item(page, item)
        if key in texts:
            page.add(clean(texts[key].why), indent=2)
            page.add(f"Source: {clean(texts[key].source)}", indent=2, hang=4)
    difference = plan.difference()
    if difference and plan.file is not None:
        page.blank()
        page.add("" if plan.file.before is not None else " (new file)", lead=plan.file.path, sgr="1", hang=2)
        page.lines += [page.style.paint(clean(line), _COLOURS.get(line[:1], "")) for line in difference]
    for heading, sentences in (("Outages", [one.words for one in plan.survivals]), ("To know besides", plan.notes)):
        if sentences:
            page.blank()
            page.add("", lead=heading, sgr="1")
            for sentence in sentences:
                page.add(f"- {clean(sentence)}", indent=2, hang=4)


def _of(items: Iterable[IscsiItem], key: str) -> list[IscsiItem]:
    return [item for item in items if item.key == key]


def _item(page: Page, item: IscsiItem) -> None:
    setting = SETTINGS[item.key]
    now = "unknown" if item.current is None else setting.words(item.current)
    where = "" if item.place is Place.FILE else f" {clean(item.where)}"
    how = f"{now} -> {setting.words(item.wanted)}" if item.decision is Decision.CHANGE else f"{now}, {item.decision}"
    why = f" ({clean(item.why)})" if item.why else ""
    page.add(f"{_PLACES[item.place]}{where}: {how}{why}", indent=2, hang=4)
