"""Applying and rolling back on the machine in a folder of tuning_hosts, in one word each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.tuning.execute import Applied, apply
from sctune.tuning.machine import Machine
from sctune.tuning.rollback import RolledBack, rollback
from tests.unit.tuning_hosts import REQUEST, parts

if TYPE_CHECKING:
    from sctune.tuning.calls import Calls
    from sctune.tuning.operations import Operation


def here(root: str, calls: Calls | None = None) -> Machine:
    """What applying and rolling back need there."""
    writer, journal, lock = parts(root, calls)
    return Machine(writer=writer, journal=journal, lock=lock)


def run(root: str, *operations: Operation, calls: Calls | None = None) -> Applied:
    """Applies."""
    writer, journal, lock = parts(root, calls)
    return apply(operations, writer=writer, journal=journal, request=REQUEST, lock=lock)


def back(root: str, number: int | None = None, *, force: bool = False) -> RolledBack:
    """Rolls back."""
    writer, journal, lock = parts(root)
    return rollback(number, writer=writer, journal=journal, lock=lock, user="root", force=force)


def read(root: str, path: str) -> str:
    """A file of the machine."""
    with open(root + path) as file:
        return file.read()


def put(root: str, path: str, text: str) -> None:
    """Somebody writes it."""
    with open(root + path, "w") as file:
        file.write(text)
