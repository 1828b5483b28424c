"""`sctune verify-profile`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.commands.planned import differences, planner
from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain

if TYPE_CHECKING:
    from sctune.commands.planned import Seen
    from sctune.report.layout import Style
    from sctune.tuning.journal import Journal
    from sctune.tuning.machine import Machine
    from sctune.tuning.via import Via


SCHEMA = 1


def run_verify_profile(
    name: str,
    *,
    given: tuple[str, ...],
    from_path: str | None,
    root: str | None,
    format: Plain,
    output: str | None,
    config_path: str | None,
    via: Via | None = None,
    machine: Machine | None = None,
) -> int:
    """Says whether a host is as a profile has it: its plan has to be empty. Where it was applied to this machine and no --set is
    given, with the options it was applied with. Returns 1 where it is not, 3 where that cannot be told."""
    from sctune.tuning.machine import machine as this_machine

    destination = Output(output)
    live = persist = True
    how, applied = "", False
    if from_path is None and root is None and not given and via is None:
        given, live, persist, via, how, applied = _as_applied(name, (machine or this_machine()).journal)
    seen = planner(
        name,
        given=given,
        live=live,
        persist=persist,
        via=via,
        from_path=from_path,
        root=root,
        config_path=config_path,
        applied=applied,
    )()
    refusal = (seen.plan.refusal,) if seen.plan.refusal else ()
    left = seen.left.differences if seen.left is not None else ()
    wrong = (*refusal, *differences(seen.plan), *seen.plan.conflicts, *left)
    unread = (*seen.plan.unread, *(seen.left.unread if seen.left is not None else ()))
    if format is Plain.JSON:
        from sctune.report.document import written

        destination.write(written(_document(seen, wrong, unread)).encode())
    else:
        destination.write_text(_text(seen, wrong, unread, how, destination.style))
    if wrong:
        return ExitCode.FAILED
    return ExitCode.INCOMPLETE if unread else ExitCode.OK


def _as_applied(name: str, journal: Journal) -> tuple[tuple[str, ...], bool, bool, Via | None, str, bool]:
    """(--set, live, persist, --via, in words, whether there was one) of the last time that it was applied and not rolled back."""
    from sctune.tuning.journal import JournalError
    from sctune.tuning.transaction import Status, open_transactions
    from sctune.tuning.via import Via

    try:
        for found in open_transactions(journal):
            if found.begin is not None and found.begin.profile == name and found.status is Status.APPLIED:
                options = found.begin.options
                keys = {key for key, _ in options}
                given = tuple(value for key, value in options if key == "set")
                via = Via.TUNED if ("via", Via.TUNED.value) in options else None
                told = (*given, *((f"--via {via}",) if via is not None else ()))
                words = f"as transaction {found.number} applied it" + (f" ({', '.join(told)})" if told else "")
                return given, "persist-only" not in keys, "live-only" not in keys, via, words, True
    except JournalError as error:
        return (), True, True, None, f"as it is by itself: with which options it was applied is not known ({error.message})", False
    return (), True, True, None, "which is not applied by sctune here", False


def _text(seen: Seen, wrong: tuple[str, ...], unread: tuple[str, ...], how: str, style: Style) -> str:
    from sctune.report.layout import Page
    from sctune.report.sanitize import clean
    from sctune.report.words import count_words

    page = Page(style=style)
    verdict = f"{count_words(len(wrong), 'difference')}" if wrong else "nothing that could be looked at differs"
    if not wrong and not unread:
        verdict = "conforms"
    page.add(f": {verdict}{', ' if how else ''}{clean(how)}", lead=seen.plan.profile.name, sgr="1", hang=2)
    for sentence in wrong:
        page.add(f"- {clean(sentence)}", indent=2, hang=4)
    for sentence in unread:
        page.add(f"- could not be looked at: {clean(sentence)}", indent=2, hang=4)
    if seen.left is not None:
        for name in seen.left.gone:
            page.add(f"- {clean(name)}: what it was set on is not here any more", indent=2, hang=4)
    left = seen.left.differences if seen.left is not None else ()
    if len(wrong) > len(left):  # what only the record tells is in no plan
        page.add("To see what would be changed:")
        via = f" --via {seen.plan.options.via}" if seen.plan.options.via is not None else ""
        page.command(f"sctune apply-profile {seen.plan.profile.name}{via} --dry-run", indent=2)
    return page.text()


def _document(seen: Seen, wrong: tuple[str, ...], unread: tuple[str, ...]) -> dict[str, object]:
    from sctune.report.document import head
    from sctune.report.sanitize import clean

    return {
        **head(SCHEMA, seen.identity, seen.source),
        "profile": seen.plan.profile.name,
        "set": list(seen.plan.options.given),
        "live": seen.plan.options.live,
        "persist": seen.plan.options.persist,
        "via": seen.plan.options.via,
        "conforms": None if not wrong and unread else not wrong,
        "differences": [clean(text) for text in wrong],
        "gone": [clean(text) for text in seen.left.gone] if seen.left is not None else [],
        "unread": [clean(text) for text in unread],
    }
