"""The part of a plan that is about open-iscsi: its own plan, for the settings that are for this host. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import replace
from sctune.tuning.schema import Section
from sctune.tuning.select import refuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.tuning.facts import Facts
    from sctune.tuning.iscsi.plan import IscsiPlan
    from sctune.tuning.model import Options
    from sctune.tuning.operations import Operation
    from sctune.tuning.schema import Profile


def decide(facts: Facts, profile: Profile, options: Options, read_only: Callable[[str], str]) -> IscsiPlan | None:
    """The plan; None where the profile has nothing about open-iscsi for this host. `read_only` tells the mount point that a path
    lies under where it takes no writes. Raises UserError for a value that open-iscsi would not take."""
    settings = [setting for setting in profile.of(Section.ISCSI) if not refuses(setting, facts)]
    if facts.iscsi is None or not settings:
        return None
    # Few profiles have any.
    from sctune.tuning.iscsi.plan import plan
    from sctune.tuning.iscsi.settings import wanted_of
    from sctune.tuning.iscsi.topology import PathCount

    made = plan(
        facts.iscsi,
        wanted_of(settings),
        profile=profile.name,
        paths=PathCount(profile.paths or PathCount.ANY),
        live=options.live,
        persist=options.persist,
    )
    return _writable(made, read_only)


def _writable(made: IscsiPlan, read_only: Callable[[str], str]) -> IscsiPlan:
    """Without what lies on a file system that takes no writes."""
    from sctune.tuning.iscsi.items import Decision

    items = []
    for item in made.items:
        point = read_only(item.path) if item.decision is Decision.CHANGE else ""
        why = f"{point} is mounted read-only"
        items.append(replace(item, decision=Decision.READ_ONLY, why=why, operation=None) if point else item)
    file = None if made.file is not None and read_only(made.file.path) else made.file
    return replace(made, items=tuple(items), file=file)


def operations(made: IscsiPlan) -> tuple[Operation, ...]:
    """What is to be done."""
    from sctune.tuning.iscsi.plan import operations as of_plan

    return of_plan(made)


def unwritable(made: IscsiPlan) -> tuple[str, ...]:
    """Files and records that would have to be changed and cannot be, each once: without them a session alone would be changed."""
    from sctune.tuning.iscsi.items import Decision, Place

    return tuple(
        dict.fromkeys(
            f"{item.path} cannot be written: {item.why}. --live-only leaves it out"
            for item in made.items
            if item.decision is Decision.READ_ONLY and item.place is not Place.SESSION
        )
    )


def unread(made: IscsiPlan | None) -> tuple[str, ...]:
    """What could not be looked at, each once."""
    if made is None:
        return ()
    from sctune.tuning.iscsi.items import Decision

    return tuple(dict.fromkeys(item.why for item in made.items if item.decision is Decision.UNKNOWN))
