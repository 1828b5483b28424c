"""Who asks what: all parts of an inventory fetched from the sample host, and how they depend on its answers.

From a host that lacks one thing more only those parts are fetched anew that asked for it or used one that did: the others would
ask again what they asked before. There are hundreds of such hosts, and `sctune doctor --host` waits for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from sctune.config.model import Config
from sctune.inventory import Inventory
from sctune.records import dataclass
from sctune.script.sample import SampleHost

if TYPE_CHECKING:
    from collections.abc import Mapping

Question: TypeAlias = "tuple[str, object]"
_PARTS = Inventory.all_parts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was asked in it, in order, and of all parts (those kept from an earlier run too) what they are, which questions each
    asked itself and which parts each used."""

    asked: tuple[Question, ...]
    parts: Mapping[str, object]
    questions: Mapping[str, frozenset[Question]]
    uses: Mapping[str, frozenset[str]]

    def touched_by(self, question: Question) -> frozenset[str]:
        """The parts that may be others where it has another answer."""
        touched = {name for name, questions in self.questions.items() if question in questions}
        while more := {name for name, used in self.uses.items() if name not in touched and not touched.isdisjoint(used)}:
            touched |= more
        return frozenset(touched)


def fetched(missing: frozenset[Question], *, before: Run | None = None, lacks: Question | None = None) -> Run:
    """All parts from a host without what is `missing`. `before` is a run on one that lacks all of it but `lacks`."""
    again = frozenset(_PARTS) if before is None or lacks is None else before.touched_by(lacks)
    host = _Listening(missing)
    inventory = _Watched(host, Config())
    if before is not None:
        inventory.parts.update((name, part) for name, part in before.parts.items() if name not in again)
    for name in _PARTS:
        if name in again:
            getattr(inventory, name)
    old_questions, old_uses = (before.questions, before.uses) if before is not None else ({}, {})
    return Run(
        asked=tuple(host.asked),
        parts=dict(inventory.parts),
        questions={**old_questions, **{name: frozenset(host.questions.get(name, ())) for name in again}},
        uses={**old_uses, **{name: frozenset(inventory.uses.get(name, ())) for name in again}},
    )


class _Listening(SampleHost):
    """Notes for which part it is asked."""

    def __init__(self, missing: frozenset[Question]) -> None:
        super().__init__(missing)
        self.fetching: list[str] = []
        self.questions: dict[str, set[Question]] = {}

    def _lacks(self, kind: str, what: object) -> bool:
        if self.fetching:
            self.questions.setdefault(self.fetching[-1], set()).add((kind, what))
        return super()._lacks(kind, what)


class _Watched(Inventory):
    """Notes which part uses which."""

    def __init__(self, host: _Listening, config: Config) -> None:
        super().__init__(host, config)
        self.fetching_now = host.fetching
        self.uses: dict[str, set[str]] = {}

    def __getattribute__(self, name: str) -> Any:
        if name not in _PARTS:
            return super().__getattribute__(name)
        now = self.fetching_now
        if now:
            self.uses.setdefault(now[-1], set()).add(name)
        now.append(name)
        try:
            return super().__getattribute__(name)
        finally:
            now.pop()
