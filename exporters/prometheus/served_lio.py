"""What this host serves by LIO, as the collectors of targets and of LUNs look at it. Several portal groups of a target are one
here: that is what a target's name tells apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exporters.prometheus.chosen import chosen
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.model.lio import LioState, LioTarget

SOURCE = "configfs"


def lio_of(look: Look, samples: Samples) -> LioState | Unavailable | None:
    """What LIO serves, why that is not known, or None where it is not there (or the host was recorded before it was asked)."""
    state = look.inventory.lio_state
    if isinstance(state, Unavailable):
        return None if state.reason in (Reason.ABSENT, Reason.NOT_COLLECTED) else state
    samples.used(SOURCE)
    return state


def wanted_groups(look: Look, state: LioState, collector: str, samples: Samples) -> dict[str, tuple[LioTarget, ...]]:
    """The targets of which samples are wanted, with their portal groups: by the volume that one serves, or by its IQN where it
    serves none or several."""
    chains = known(look.inventory.chains)
    groups: dict[str, list[LioTarget]] = {}
    for target in state.targets:
        groups.setdefault(target.iqn, []).append(target)

    def name(iqn: str) -> str:
        return iqn if chains is None else chains.subject_of_target(groups[iqn][0]).id

    wanted = chosen(groups, name, look.options.volumes, look.options.limit_of(collector), samples)
    return {iqn: tuple(groups[iqn]) for iqn in wanted}
