"""A plan's operations on this machine: with what a plan for any host does not know of a file, its group and its SELinux label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import replace
from sctune.tuning.operations import FileState, WriteFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.tuning.operations import Operation
    from sctune.tuning.writer import Writer


def owned(operations: Sequence[Operation], writer: Writer) -> tuple[Operation, ...]:
    """The same operations. A file that is replaced keeps its group; one that is not as it was when the plan was made stays as it
    is here, so that applying refuses it. Raises OSError and Refused where a file cannot be looked at."""
    return tuple(_owned(one, writer) if isinstance(one, WriteFile) else one for one in operations)


def _owned(operation: WriteFile, writer: Writer) -> WriteFile:
    before, after = operation.before, operation.after
    if before is None:
        return operation
    now = writer.read_file(operation.path)
    if now is None or not _same(now, before):
        return operation
    # Ours are root's; what was there before us keeps whose it is.
    kept = after if after is None or after.uid != before.uid else replace(after, gid=now.gid)
    return replace(operation, before=now, after=kept)


def _same(now: FileState, before: FileState) -> bool:
    return (now.content, now.mode, now.uid) == (before.content, before.mode, before.uid)
