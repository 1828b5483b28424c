"""`sctune apply-profile`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sctune.commands.planned import differences, planner
from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.commands.planned import Seen
    from sctune.tuning.execute import Applied
    from sctune.tuning.machine import Machine
    from sctune.tuning.model import Plan
    from sctune.tuning.via import Via


def run_apply_profile(
    name: str,
    *,
    dry_run: bool,
    given: tuple[str, ...],
    live: bool,
    persist: bool,
    yes: bool,
    via: Via | None = None,
    from_path: str | None,
    root: str | None,
    format: Plain,
    output: str | None,
    config_path: str | None,
    machine: Machine | None = None,
) -> int:
    """Plans; shows the plan, or does it. A dry run returns 4 where anything would change; both return 1 where something could not
    be looked at, and applying where it was refused or undone."""
    from sctune.commands.measuring import to_measure
    from sctune.commands.refusing import refused
    from sctune.tuning.plan import operations
    from sctune.tuning.writer import Refused

    if not dry_run and (from_path is not None or root is not None):
        raise UserError("only the machine that sctune runs on can be changed", "add --dry-run to see the plan for another")
    if not dry_run and format is Plain.JSON and not yes:
        raise UserError("--format json asks nobody", "add --yes, or --dry-run to see the plan alone")
    if not dry_run and output is not None and not yes:
        raise UserError("with --output nobody sees the plan that is asked about", "add --yes, or --dry-run to see the plan alone")
    destination = Output(output)
    if any(map(to_measure, given)):
        given = _with_speed(name, given, live=from_path is None and root is None, config_path=config_path)
    look = planner(name, given=given, live=live, persist=persist, via=via, from_path=from_path, root=root, config_path=config_path)
    seen = look()
    if seen.plan.refusal:
        return refused(Refused(f"nothing was changed: {seen.plan.refusal}", f"Without --via {via} sctune does it itself."))
    if from_path is None and root is None:
        seen = _with_tools(seen, machine)
    if dry_run:
        _show(seen, None, (), format=format, destination=destination)
        if operations(seen.plan):
            return ExitCode.PENDING
        return ExitCode.FAILED if seen.plan.unread else ExitCode.OK
    return _apply(seen, look, format=format, destination=destination, yes=yes, machine=machine)


def _with_speed(name: str, given: tuple[str, ...], *, live: bool, config_path: str | None) -> tuple[str, ...]:
    """The options with a flush speed that was asked to be measured, measured when all the rest of them is right."""
    import sys

    from sctune.commands.measuring import measured, to_measure
    from sctune.report.sanitize import clean

    rest = tuple(one for one in given if not to_measure(one))
    planner(name, given=rest, live=True, persist=True, from_path=None, root=None, config_path=config_path)
    said: list[str] = []
    found = measured(given, live=live, tell=said.append)
    sys.stderr.writelines(f"sctune: {clean(text)}\n" for text in said)
    return found


def _with_tools(seen: Seen, machine: Machine | None) -> Seen:
    """The plan, with a conflict for each tool that it needs and this machine does not have."""
    from sctune.records import replace
    from sctune.tuning.machine import machine as this_machine
    from sctune.tuning.plan import operations
    from sctune.tuning.tools import missing

    lacks = missing(operations(seen.plan), (machine or this_machine()).writer.finds)
    return replace(seen, plan=replace(seen.plan, conflicts=(*seen.plan.conflicts, *lacks))) if lacks else seen


def _apply(
    seen: Seen, look: Callable[[], Seen], *, format: Plain, destination: Output, yes: bool, machine: Machine | None
) -> ExitCode:
    from sctune.commands.refusing import agreed, may_ask, refused
    from sctune.tuning.doing import reason
    from sctune.tuning.execute import Applied, Ending, Request, apply
    from sctune.tuning.machine import machine as this_machine
    from sctune.tuning.machine import user
    from sctune.tuning.owned import owned
    from sctune.tuning.plan import operations
    from sctune.tuning.writer import Refused

    made = seen.plan
    here = machine or this_machine()
    todo = operations(made)
    shown = False
    try:
        if made.conflicts:
            _show(seen, None, (), format=format, destination=destination)
            raise Refused("nothing was changed: the plan has conflicts", "Settle them first; they are named above.")
        done = Applied(ending=Ending.NOTHING)
        if todo:
            if os.geteuid() != 0 and machine is None:
                raise Refused("nothing was changed: applying takes root", "Run it as root, or see the plan with --dry-run.")
            if not yes:
                shown = True
                _show(seen, None, (), format=format, destination=destination)
                if not may_ask():
                    raise Refused("nothing was changed: there is no terminal to ask on", "--yes applies without asking.")
                if not agreed("Apply?"):
                    raise Refused("nothing was changed")
            request = Request(profile=made.profile.name, user=user(), options=_options(made))
            try:
                wanted = owned(todo, here.writer)
            except OSError as error:
                raise Refused(f"nothing was changed: {reason(error)}") from None
            done = apply(wanted, writer=here.writer, journal=here.journal, request=request, lock=here.lock)
    except Refused as error:
        return refused(error)
    remaining = differences(look().plan) if done.ending is Ending.APPLIED else ()
    _show(seen, done, remaining, format=format, destination=destination, shown=shown)
    return ExitCode.FAILED if done.exit_code or remaining or made.unread else ExitCode.OK


def _options(made: Plan) -> tuple[tuple[str, str], ...]:
    """What the journal says of the command line. A profile sets no secrets, and so does --set not."""
    found = [("set", one) for one in made.options.given]
    if not made.options.persist:
        found.append(("live-only", "yes"))
    if not made.options.live:
        found.append(("persist-only", "yes"))
    if made.options.via is not None:
        found.append(("via", made.options.via.value))
    return tuple(found)


def _show(
    seen: Seen,
    done: Applied | None,
    remaining: tuple[str, ...],
    *,
    format: Plain,
    destination: Output,
    shown: bool = False,
) -> None:
    """The plan, or what was done of it; with that what has to be told of the plan, unless it was `shown` before."""
    made, identity = seen.plan, seen.identity
    if format is Plain.JSON:
        from sctune.report.plan_json import render as render_json

        destination.write(render_json(made, identity=identity, source=seen.source, done=done, remaining=remaining).encode())
        return
    style = destination.style
    if done is None:
        from sctune.report.plan_text import render

        parts = [render(made, identity=identity, style=style)]
    else:
        from sctune.report.applied_text import render as render_applied

        parts = [*([] if shown else _warnings(made)), render_applied(done, remaining, style=style)]
    destination.write_text("\n".join(parts))


def _warnings(made: Plan) -> list[str]:
    """What has to be told though nobody was asked."""
    from sctune.report.sanitize import clean

    told = (*made.warnings, *(f"could not be looked at: {one}" for one in made.unread))
    return ["\n".join(f"Warning: {clean(one)}" for one in told) + "\n"] if told else []
