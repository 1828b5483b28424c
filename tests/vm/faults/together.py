"""Several faults of a whole host at once: none hides another, and one machine does for all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume

    from .base import Expected, HostFault


def together(name: str, faults: Sequence[HostFault]) -> HostFault:
    """A host with all of these, built as for the first."""

    def breaks(volumes: Sequence[Volume]) -> list[str]:
        return [line for fault in faults for line in fault.breaks(volumes)]

    def expects(volumes: Sequence[Volume]) -> tuple[Expected, ...]:
        return tuple(one for fault in faults for one in fault.expects(volumes))

    def facts(volumes: Sequence[Volume]) -> list[str]:
        return [fact for fault in faults for fact in fault.facts(volumes)]

    return replace(
        faults[0],
        name=name,
        before=tuple(line for fault in faults for line in fault.before),
        breaks=breaks,
        expects=expects,
        facts=facts,
        options=" ".join(dict.fromkeys(fault.options for fault in faults if fault.options)),
        rare=False,
    )
