"""How many loop devices may be attached. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sctune.model.chain import Chains
    from sctune.model.loop import LoopState


def loop_limits(loops: LoopState, chains: Chains | None, configured: int | None) -> tuple[tuple[int, str], ...]:
    """Each limit that binds, with who set it; the smallest is the effective one. () where nothing bounds them."""
    found: list[tuple[int, str]] = []
    for backend in chains.backends if chains else ():
        if backend.loop_policy_limit is not None:
            found.append((backend.loop_policy_limit, f"policy of {backend.name}"))
    if configured is not None:
        found.append((configured, "loop_limit in the configuration"))
    if not loops.control and loops.max_loop is not None and loops.max_loop > 0:
        found.append((loops.max_loop, "the loop module's max_loop (hard: no loop-control)"))
    return tuple(found)
