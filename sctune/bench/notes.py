"""The notes of what a benchmark is about to make: on stable storage before it is made, and gone only after it is.

/var/lib/sctune/bench/NUMBER.json, written through the same door as what the tuner writes. A note that is there without a benchmark
that runs (it held the lock) is of one that was killed: all that it names is looked for and removed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sctune.bench.scratch import NotOurs, decode, encode, is_id
from sctune.records import dataclass
from sctune.tuning.operations import FileState
from sctune.tuning.writer import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.bench.scratch import Scratch
    from sctune.host.base import Host
    from sctune.tuning.writer import Writer

FOLDER = "/var/lib/sctune/bench"
_SUFFIX = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Those that can be used, and a sentence for each that cannot."""

    scratches: tuple[Scratch, ...]
    unread: tuple[str, ...] = ()


def path_of(id: str) -> str:
    """Where the note of a benchmark is."""
    return f"{FOLDER}/{id}{_SUFFIX}"


def write(scratch: Scratch, writer: Writer) -> None:
    """Writes it down. Raises OSError and Refused, and then nothing may be made."""
    path = path_of(scratch.id)
    for folder in writer.missing_folders(path):
        writer.make_folder(folder)
    state = FileState(content=encode(scratch), mode=0o600, uid=0, gid=0, label="")
    writer.write_file(path, state, temporary=f".{scratch.id}.tmp")


def remove(scratch: Scratch, writer: Writer) -> None:
    """When all is gone; with the folders where nothing else is in them. Raises OSError and Refused."""
    with suppress(FileNotFoundError):  # it never came to be
        writer.write_file(path_of(scratch.id), None, temporary=f".{scratch.id}.tmp")
    folder = FOLDER
    for _ in range(2):  # bench, and sctune where nothing was ever tuned
        with suppress(OSError, Refused):
            writer.remove_folder(folder)
        folder = folder.rpartition("/")[0]


def read(names: Iterable[str], writer: Writer) -> Notes:
    """The notes of these names in the folder."""
    found: list[Scratch] = []
    unread: list[str] = []
    for name in names:
        id, suffix = name[: -len(_SUFFIX)], name[-len(_SUFFIX) :]
        if suffix != _SUFFIX or not is_id(id):
            continue
        path = path_of(id)
        try:
            state = writer.read_file(path)
            if state is None:
                continue
            if state.mode & 0o022 or state.uid != 0:
                raise NotOurs("others may have written it")
            found.append(decode(state.content, id=id))
        except NotOurs as error:
            unread.append(f"{path}: {error}")
        except Refused as error:
            unread.append(f"{path}: {error.message}")
        except OSError as error:
            unread.append(f"{path}: {error.strerror or error}")
    return Notes(scratches=tuple(found), unread=tuple(unread))


def left(host: Host, writer: Writer, *, root: str = "") -> Notes:
    """What is noted on this machine, or below `root` in its place."""
    from sctune.unavailable import Reason, Unavailable

    names = host.list(root + FOLDER)
    if isinstance(names, Unavailable):
        return Notes(scratches=(), unread=() if names.reason is Reason.ABSENT else (str(names),))
    return read(names, writer)
