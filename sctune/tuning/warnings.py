"""What a plan says beside its changes: what it would lead to, and what it does not cover. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.units import size_words
from sctune.tuning.model import Decision
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sctune.tuning.facts import Facts
    from sctune.tuning.model import Item

_MADE = (Decision.CHANGE, Decision.ALREADY)


def warn(facts: Facts, items: tuple[Item, ...]) -> tuple[str, ...]:
    """Sentences, the gravest first."""
    return (*_dirty(facts, items), *_container(facts), *_rights(facts, items))


def _dirty(facts: Facts, items: Iterable[Item]) -> Iterator[str]:
    """More unwritten data than the disk can write while an initiator waits for one command."""
    for item in items:
        if item.setting.name not in ("vm.dirty_ratio", "vm.dirty_bytes") or item.decision not in _MADE or item.wanted is None:
            continue
        if item.setting.name == "vm.dirty_bytes":
            limit, how = float(item.wanted), f"vm.dirty_bytes = {item.wanted}"
        elif facts.amounts.memory is not None:
            limit = facts.amounts.memory * int(item.wanted) / 100
            how = f"{item.wanted} % of {size_words(facts.amounts.memory)}, as much as {size_words(limit)},"
        else:
            continue
        timeout, speed = facts.scsi_timeout, facts.amounts.flush_speed
        if speed is not None and limit > speed * timeout:
            yield (
                f"{how} of unwritten data takes {limit / speed:.0f} s to write at the declared {size_words(speed)}/s, and "
                f"initiators give up a command after {timeout:g} s: a guest's flush that waits for it fails"
            )
        elif speed is None and limit > facts.excessive:
            yield (
                f"{how} of unwritten data must be written at {size_words(limit / timeout)}/s, or initiators give up a "
                f"command after {timeout:g} s. Declare how fast this host writes (flush_speed in the configuration, or "
                "--set flush_speed=SPEED)"
            )


def _container(facts: Facts) -> Iterator[str]:
    state = known(facts.sysctl)
    if state is not None and not state.applied:
        yield "this is a container: its kernel is the host's, and nothing applies its files when it starts"


def _rights(facts: Facts, items: Iterable[Item]) -> Iterator[str]:
    if not facts.privileged and any(item.operations for item in items):
        yield "applying it takes root"
