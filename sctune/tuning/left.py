"""What applying a profile left on a host, by sctune's own record, where its plan alone does not tell how that is now. Pure.

A plan says what a profile would change today. It is silent about what was set on a device that has gone, about what no setting of
the profile is for any more, and about whose a file is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass
from sctune.tuning.model import Decision
from sctune.tuning.operations import RunTool
from sctune.tuning.plan import operations
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.model.applied import Applied, Drift
    from sctune.tuning.model import Plan

_AS_THE_PROFILE_HAS_IT = (Decision.ALREADY, Decision.BEYOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is not as it was left and no change of the plan, a sentence each; the names of settings on what is not here any more;
    what could not be looked at."""

    differences: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def left(applied: Applied | Unavailable, plan: Plan) -> Left:
    """Looks at what the plan's profile left in force."""
    if isinstance(applied, Unavailable):
        return Left(unread=(str(applied),))
    name = plan.profile.name
    ours = {one for transaction in applied.transactions if transaction.profile == name for one in transaction.settings}
    told = {*_changes(plan), *_conforming(plan)}
    if plan.activation is not None:
        told.update(plan.activation.operation.check)
        told.update(plan.activation.operation.whole)
    return Left(
        differences=tuple(
            f"{one.setting}: {one.now}, where transaction {one.by.number} left {one.wanted}"
            for one in applied.drifted
            if one.by.profile == name and _place(one) not in told
        ),
        gone=tuple(one.setting for one in applied.gone if one in ours),
        unread=tuple(str(answer) for one, answer in applied.unread if one in ours),
    )


def _place(drift: Drift) -> str:
    """A value's or a file's path; of a line in a file that is not ours with its name; of what tgtd alone tells its own name. Mode
    and owner of a file are a place of their own, which no plan looks at."""
    if not drift.path.startswith("/"):
        return drift.setting
    key, equals, _ = drift.wanted.partition(" = ")
    if equals:
        return f"{drift.path} {key}"
    return f"{drift.path} mode" if drift.wanted.startswith("mode ") else drift.path


def _changes(plan: Plan) -> Iterator[str]:
    """Where the plan would change something: that is told already."""
    for one in operations(plan):
        if isinstance(one, RunTool):
            yield one.setting
            for path, line in one.check.items():
                yield from (path, f"{path} {line.partition(' = ')[0]}")
        else:
            yield one.path
    if plan.iscsi is not None:
        for item in plan.iscsi.items:
            if item.decision == Decision.CHANGE.value:
                yield f"{item.path} {item.key}"


def _conforming(plan: Plan) -> Iterator[str]:
    """Where the profile has it as it is now, whatever was left there once."""
    for item in plan.items:
        if item.decision in _AS_THE_PROFILE_HAS_IT:
            yield item.path or f"{item.subject}/{item.setting.name}"
    for file in plan.files:
        if file.decision is Decision.ALREADY:
            yield file.path
    if plan.iscsi is not None:
        from sctune.tuning.iscsi.items import Decision as OfIscsi

        for one in plan.iscsi.items:
            if one.decision is OfIscsi.ALREADY:
                yield from (one.path, f"{one.path} {one.key}")
