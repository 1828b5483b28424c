"""What a check is: a pure function of one look at a host.

A check module in checks/ (or /etc/sctune/checks.d) defines `CHECKS`, a tuple of `Check`. `run` gets a `Look` and returns a
`Result`. To use a part of the inventory it writes `need(look.inventory.loops)`: where the part is absent from the host, the
check is "not applicable"; where it could not be read, "unknown" with the reason. It raises nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.config.model import Config
    from sctune.findings import Code, Finding
    from sctune.inventory import Inventory
    from sctune.unavailable import Reason, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a check may see."""

    inventory: Inventory
    config: Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexamined:
    """One thing a check applies to but could not look at."""

    what: str
    reason: Reason
    detail: str = ""

    @classmethod
    def of(cls, unavailable: Unavailable) -> Unexamined:
        """The same, from a probe's answer."""
        return cls(what=unavailable.what, reason=unavailable.reason, detail=unavailable.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a check saw: `examined` counts the things it judged. `not_applicable` says why there was nothing to judge."""

    examined: int
    findings: tuple[Finding, ...] = ()
    unexamined: tuple[Unexamined, ...] = ()
    not_applicable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: a lower-case name with hyphens, a title for people, the codes it may find, the parts of the inventory it
    reads (so that they can be fetched at the same time), and the function. `patience` tells how many seconds a state must last
    before its codes marked `confirm` are said, where that is more than a moment."""

    name: str
    title: str
    codes: tuple[Code, ...]
    needs: tuple[str, ...]
    run: Callable[[Look], Result]
    patience: Callable[[Config], float] | None = None


def not_applicable(why: str) -> Result:
    """Nothing on this host for the check to judge."""
    return Result(examined=0, not_applicable=why)
