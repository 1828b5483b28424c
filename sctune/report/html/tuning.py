"""What sctune applied to the host, and what of it is different now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.report.html.model import DriftRow, TuningTold
from sctune.report.html.words import said, unavailable_words
from sctune.report.verdict import moment
from sctune.report.words import count_words
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.model.applied import Applied, Transaction


def tuning(applied: Applied | Unavailable) -> TuningTold | None:
    """None where nothing was ever applied."""
    if isinstance(applied, Unavailable):
        if applied.reason is Reason.ABSENT:
            return None
        words = "What was applied here could not be read."
        return TuningTold(words=words, applied=(), drifted=(), gone=(), unread=(unavailable_words(applied),))
    if not applied.transactions:
        return None
    parts = [f"{count_words(len(applied.conforming), 'setting')} in force as set"]
    parts += [f"{len(applied.drifted)} changed since"] if applied.drifted else []
    parts += [f"{len(applied.gone)} set on what is not here any more"] if applied.gone else []
    parts += [f"{len(applied.unread)} could not be looked at"] if applied.unread else []
    return TuningTold(
        words=f"{', '.join(parts)}.",
        applied=tuple(map(_transaction, applied.transactions)),
        drifted=tuple(
            DriftRow(
                setting=said(one.setting),
                path=said(one.path),
                wanted=said(one.wanted),
                now=said(one.now),
                by=f"{said(one.by.profile)} (transaction {one.by.number})",
            )
            for one in applied.drifted
        ),
        gone=tuple(f"{said(one.setting)} ({said(one.path)})" for one in applied.gone),
        unread=tuple(f"{said(one.setting)}: {unavailable_words(why)}" for one, why in applied.unread),
    )


def _transaction(one: Transaction) -> str:
    options = "".join(f", --{said(name)} {said(value)}".rstrip() for name, value in one.options)
    state = "" if one.whole else f", {said(one.state)}: not whole"
    when = moment(one.time)
    return f"{said(one.profile)}, transaction {one.number}{f' of {when}' if when else ''}{options}{state}"
