"""This machine, to be changed: the writer, the journal and the lock that belong together."""

from __future__ import annotations

import os

from sctune.records import dataclass
from sctune.tuning import journal, lock
from sctune.tuning.calls import Calls
from sctune.tuning.journal import Journal
from sctune.tuning.writer import LiveWriter, Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """All that applying and rolling back need."""

    writer: Writer
    journal: Journal
    lock: str


def machine(*, root: str = "", calls: Calls | None = None) -> Machine:
    """The live machine, or a file tree at `root` in its place."""
    calls = calls or Calls()
    return Machine(writer=LiveWriter(root=root, calls=calls), journal=Journal(root + journal.FOLDER, calls), lock=root + lock.PATH)


def user() -> str:
    """Who asks: the one who called sudo, else the user that runs us."""
    return os.environ.get("SUDO_USER") or _name(os.getuid())


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
