"""What apply-profile and verify-profile share: one look at a host, and the plan of a profile for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.host.base import HostIdentity, Source
    from sctune.tuning.left import Left
    from sctune.tuning.model import Plan
    from sctune.tuning.via import Via


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A plan, and the host that it is for. `left`: what else is to be told of what the profile left there, where that was asked."""

    plan: Plan
    identity: HostIdentity
    source: Source
    left: Left | None = None


def planner(
    name: str,
    *,
    given: tuple[str, ...],
    live: bool,
    persist: bool,
    from_path: str | None,
    root: str | None,
    config_path: str | None,
    via: Via | None = None,
    applied: bool = False,
) -> Callable[[], Seen]:
    """Makes the plan anew each time it is called; with `applied` it looks also at what the profile left. Raises UserError, at once,
    for a wrong profile, --set or configuration."""
    from sctune.config.load import load as load_config
    from sctune.host.choose import open_host
    from sctune.inventory import Inventory
    from sctune.progress import progress
    from sctune.tuning.left import left
    from sctune.tuning.load import catalogue_of, joined, override
    from sctune.tuning.model import Options
    from sctune.tuning.plan import plan

    found = override(joined(name, catalogue_of(name)), given)
    config = load_config(config_path)

    def look() -> Seen:
        host = open_host(from_path, root)
        try:
            inventory = Inventory(host, config)
            inventory.start(("processes",))  # of another process, and every plan asks whether tuned runs
            with progress(inventory):
                options = Options(live=live, persist=persist, flush_speed=found.flush_speed, given=given, via=via)
                made = plan(inventory, found.profile, options)
                found_left = left(inventory.applied, made) if applied else None
            return Seen(plan=made, identity=inventory.identity, source=host.source, left=found_left)
        finally:
            host.close()

    return look


def differences(made: Plan) -> tuple[str, ...]:
    """What a host has otherwise than the plan wants it, in words without a file's contents."""
    from sctune.tuning import plan_iscsi
    from sctune.tuning.model import Decision

    found: list[str] = []
    if made.options.live:
        found += [
            f"{item.setting.key}: it is {item.current}, to be {item.wanted}"
            if item.subject in ("", item.setting.name)
            else f"{item.setting.key}: {item.subject} has {item.current}, to be {item.wanted}"
            for item in made.items
            if item.operations
        ]
    if made.options.persist:
        found += [
            f"{file.path}: {'is missing' if file.before is None else 'is not as the profile has it'}"
            for file in made.files
            if file.decision is Decision.CHANGE
        ]
    if made.activation is not None and made.activation.before != made.activation.name:
        found.append(f"tuned has the profile {made.activation.before or 'none'}, to be {made.activation.name}")
    if made.iscsi is not None:
        found += [f"{one.setting}: is not as the profile has it" for one in plan_iscsi.operations(made.iscsi)]
    return tuple(found)
