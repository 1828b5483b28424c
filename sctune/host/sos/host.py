"""A host as a sos archive tells of it.

Files that sos copied are read as they are. What it asked by commands answers our own questions where it means the same (see
`facts`). Everything else is NOT_COLLECTED: from a file that is not in the archive nothing follows, unless sos copied the folder it
would be in. Nobody's mode or owner is told, since sos writes some files anew to take secrets out.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sctune.host.base import Completed, FileStat, Source
from sctune.host.redact import redact_argv, redact_file, redact_text
from sctune.host.sos.archive import Missing, read_archive
from sctune.host.sos.facts import gather
from sctune.host.sos.manifest import read
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import (
        Clock,
        DmQuery,
        FileEntry,
        FilesystemSpace,
        HostIdentity,
        LogLines,
        LogQuery,
        Process,
        TgtMode,
    )
    from sctune.host.sos.manifest import Asked

_MOST_LINKS = 40
_OCTAL = re.compile(r"\\([0-7]{3})")
_KERNEL = ("sys", "proc")
"""There sos leaves out what it cannot read: a file that is missing in a folder that it copied may be there on the host."""


def open_archive(path: str) -> SosHost:
    """The host of an archive or of the folder it was unpacked to. Raises UserError."""
    return SosHost(read(read_archive(path)))


def _not_collected(what: str, detail: str = "sos does not collect it") -> Unavailable:
    return Unavailable(reason=Reason.NOT_COLLECTED, what=what, detail=detail)


class SosHost:
    """Answers from a sos archive."""

    source = Source.SOS

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._archive = asked.archive
        self._facts = gather(asked)
        self._patterns: dict[str, list[list[str]]] = {}
        for pattern in asked.specifications:
            first, *rest = pattern.strip("/").split("/")
            self._patterns.setdefault(first, []).append(rest)

    def close(self) -> None:
        """Nothing was started."""

    def identity(self) -> HostIdentity:
        """By hostname and uname; sos runs as root."""
        return self._facts.identity

    def clock(self) -> Clock:
        """By date and /proc/stat."""
        return self._facts.clock

    def read(self, path: str) -> str | Unavailable:
        """A file that sos copied, or what a command that it ran says in its place."""
        found = self._archive.text_of(path)
        if isinstance(found, str):
            return redact_file(path, found)
        said = self._facts.files.get(path)
        if said is not None:
            return said
        if found is Missing.TAILED:
            return Unavailable(reason=Reason.MALFORMED, what=path, detail=found.value)
        if found is Missing.LARGE:
            return Unavailable(reason=Reason.FAILED, what=path, detail=found.value)
        if found is Missing.ABSENT and self._must_be_there(path):
            return Unavailable(reason=Reason.ABSENT, what=path, detail="not in the folder that sos copied")
        return _not_collected(path)

    def list(self, path: str) -> tuple[str, ...] | Unavailable:
        """The names in a folder that sos listed or copied as a whole."""
        path = path.rstrip("/") or "/"
        said = self._facts.lists.get(path)
        if said is None:
            said = self._facts.nodes.names.get(path)
        if said is not None:
            return said
        failed = self._facts.files.get(path)
        if isinstance(failed, Unavailable):
            return failed
        if self._copied(path):
            found = self._archive.names_in(path)
            if isinstance(found, tuple):
                return found
            if found is Missing.ABSENT and self._must_be_there(path):
                return Unavailable(reason=Reason.ABSENT, what=path, detail="not in the folder that sos copied")
        return _not_collected(path)

    def readlink(self, path: str) -> str | Unavailable:
        """A link below /dev or /sys/block, as ls showed it. Elsewhere sos writes links anew."""
        target = self._facts.nodes.links.get(path)
        return _not_collected(path) if target is None else target

    def stat(self, path: str) -> FileStat | Unavailable:
        """A node below /dev, as ls showed it: what it is and its number."""
        place = self._resolved(path)
        found = self._facts.nodes.stats.get(place)
        if found is not None:
            return found
        folder, _, name = place.rpartition("/")
        names = self._facts.nodes.names.get(folder)
        if names is not None and name not in names and folder.startswith("/dev"):
            return Unavailable(reason=Reason.ABSENT, what=path, detail="not in the folder that sos listed")
        return _not_collected(path)

    def lstat_mtime(self, path: str) -> float | Unavailable:
        """Not collected."""
        return _not_collected(path)

    def stat_files(self, paths: Sequence[str]) -> tuple[FileStat | Unavailable, ...]:
        """Devices alone: sos does not look at the volume store."""
        return tuple(self.stat(path) for path in paths)

    def read_files(self, paths: Sequence[str]) -> tuple[str | Unavailable, ...]:
        """Files that sos copied."""
        return tuple(self.read(path) for path in paths)

    def list_files(self, path: str) -> tuple[FileEntry, ...] | Unavailable:
        """Not collected: sos does not look at the volume store."""
        return _not_collected(path)

    def space(self, path: str) -> FilesystemSpace | Unavailable:
        """By df, which was asked for local file systems: of the mount that holds the path by the mount table, or not at all."""
        spaces = self._facts.spaces
        if isinstance(spaces, Unavailable):
            return spaces
        point = self._mount_of(path)
        found = None if point is None else spaces.get(point)
        return _not_collected(path, "sos does not tell the space of its file system") if found is None else found

    def processes(self) -> tuple[Process, ...] | Unavailable:
        """By ps."""
        return self._facts.processes

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """What sos ran itself. Its stderr is among its stdout."""
        said = self._asked.output(*argv)
        if isinstance(said, Unavailable):
            return said
        return Completed(
            argv=redact_argv(argv), status=said.status, stdout=redact_text(said.text), stderr="", seconds=min(said.seconds, timeout)
        )

    def dm(self, query: DmQuery) -> str | Unavailable:
        """`dmsetup status` and `dmsetup table`."""
        return self._text("dmsetup", query.value)

    def tgt(self, mode: TgtMode, *, control_port: int = 0, tid: int | None = None) -> str | Unavailable:
        """Not collected: where sos asks tgtd at all it asks for the targets alone, not for portals and accounts."""
        return _not_collected(f"tgtadm --op show --mode {mode} (control port {control_port})")

    def kernel_log(self) -> str | Unavailable:
        """`dmesg`."""
        return self._text("dmesg")

    def log_lines(self, path: str, query: LogQuery) -> LogLines | Unavailable:
        """Not collected."""
        return _not_collected(path)

    def _text(self, *words: str) -> str | Unavailable:
        said = self._asked.output(*words)
        if isinstance(said, Unavailable):
            return said
        if said.status != 0:
            line = redact_text(next((one.strip() for one in said.text.split("\n") if one.strip()), f"exit status {said.status}"))
            return Unavailable(reason=Reason.FAILED, what=" ".join(words), detail=line[:200])
        return redact_text(said.text)

    def _copied(self, path: str) -> bool:
        """Whether sos copied all that is at or below a path: a pattern that it copied by stands for it or for a folder above."""
        first, *parts = path.strip("/").split("/")
        return any(
            len(wanted) <= len(parts) and all(fnmatchcase(part, one) for part, one in zip(parts, wanted, strict=False))
            for wanted in self._patterns.get(first, ())
        )

    def _must_be_there(self, path: str) -> bool:
        """Whether a file that is not in the archive is not on the host either. Below /proc and /sys a missing folder says so, in
        one that was copied a missing file may have been one that cannot be read."""
        if not self._copied(path):
            return False
        folder = path.rpartition("/")[0].lstrip("/")
        in_folder = self._archive.is_folder(self._archive.place(folder))  # type: ignore[arg-type]
        return in_folder != (path.lstrip("/").partition("/")[0] in _KERNEL)

    def _resolved(self, path: str) -> str:
        """A path below /dev with its links followed."""
        for _ in range(_MOST_LINKS):
            target = self._facts.nodes.links.get(path)
            if target is None:
                return path
            parts = target.split("/") if target.startswith("/") else [*path.split("/")[:-1], *target.split("/")]
            done: list[str] = []
            for part in parts:
                if part == "..":
                    del done[-1:]
                elif part not in ("", "."):
                    done.append(part)
            path = "/" + "/".join(done)
        return path

    def _mount_of(self, path: str) -> str | None:
        text = self._archive.text_of("proc/self/mountinfo")
        if isinstance(text, Missing):
            return None
        best: str | None = None
        for line in text.split("\n"):
            fields = line.split(" ")
            point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]) if len(fields) > 4 else ""
            holds = point in ("/", path) or (point and path.startswith(point + "/"))
            if holds and (best is None or len(point) >= len(best)):
                best = point
        return best
