"""What sos asked on the host: its manifest (sos_reports/manifest.json, sos 4.0 and later), or the names of what is there (before).

The manifest names each command as it was run and the file its output went to; file names are never taken apart where it is there.
sos 3.x wrote none. There the name of a file is the command line without a leading /bin/, /sbin/, /usr/bin/ or /usr/sbin/, every
run of characters other than letters, digits, "_", "-", "." and "/" made one "_", "/" made ".", and " ._-" taken off both ends, cut
where the file system wants it (`_mangle_command` in sos/report/plugins/__init__.py): what was asked is compared by what it would
be called.

**Truncation.** sos keeps the end of an output that is longer than --log-size. Since 4.2 the manifest says so (`truncated`) and the
file is a link to sos_strings/PLUGIN/NAME.tailed; 4.0 and 4.1 say nothing, so that an output as large as the limit counts as cut.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

from sctune.host.sos.archive import Missing
from sctune.records import dataclass, field
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sctune.host.sos.archive import Archive

MANIFEST = "sos_reports/manifest.json"
COMMANDS = "sos_commands"
_PATHS = re.compile(r"^/(?:usr/)?s?bin/")
_OTHERS = re.compile(r"[^\w\-./]+")
_LONGEST_NAME = 255
_LOG_SIZE = re.compile(r"--log-size[ =](\d{1,6})\b")
_DEFAULT_LOG_SIZE = 25
_SLACK = 4096
"""sos 4.0 counts an output in pieces of 2048 bytes."""
_TIMED_OUT = 124
_NOT_FOUND = (126, 127)
_MOST_COMMANDS = 200_000
# Options by which sos keeps LVM from locking and from mending metadata: they differ between its versions.
_LVM = frozenset({"pvs", "vgs", "lvs", "vgdisplay", "pvscan", "vgscan"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that sos ran. `file` is None where it had no output file, `status` None where that is not told."""

    words: tuple[str, ...]
    file: str | None
    status: int | None
    truncated: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a command said, stdout and stderr in one, and its exit status (0 where sos does not tell)."""

    text: str
    status: int
    seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class Asked:
    """What sos asked, and what of it is in the archive. `specifications` are the patterns of the files it copied; `manifest`
    whether there is one; `limit` from which size on an output is taken for cut, in bytes."""

    archive: Archive
    commands: dict[tuple[str, ...], Command] = field(default_factory=dict)
    specifications: set[str] = field(default_factory=set)
    manifest: bool = False
    limit: int = _DEFAULT_LOG_SIZE << 20

    def output(self, *words: str) -> Output | Unavailable:
        """What a command said. The options by which sos keeps LVM harmless, and the columns it adds, do not count."""
        what = " ".join(words)
        command = self.commands.get(canonical(words)) if self.manifest else _by_name(self.archive, words)
        if command is None:
            return _no(Reason.NOT_COLLECTED, what, "sos did not run it")
        if command.file is None:
            if command.status in _NOT_FOUND:
                return _no(Reason.ABSENT, what, "the host has no such command")
            return _no(Reason.NOT_COLLECTED, what, "sos kept no output of it")
        if command.status == _TIMED_OUT:
            return _no(Reason.TIMEOUT, what, "it did not end in sos' time")
        found = self.archive.text_of(command.file)
        if command.truncated or found is Missing.TAILED:
            return _no(Reason.MALFORMED, what, "sos kept the end of it only")
        if isinstance(found, Missing):
            return _no(Reason.NOT_COLLECTED, what, f"{command.file[:120]} is {found.value}")
        if len(found.encode("utf-8", "surrogateescape")) >= self.limit - _SLACK:
            return _no(Reason.MALFORMED, what, "it is as long as what sos keeps of an output, so that its beginning is missing")
        return Output(text=found, status=command.status or 0, seconds=command.seconds)

    def with_prefix(self, *words: str) -> Iterator[tuple[str, ...]]:
        """The commands that begin with these words."""
        if self.manifest:
            yield from (one for one in self.commands if one[: len(words)] == words)
            return
        start = mangle(" ".join(words)) + "_"
        for folder in _names(self.archive, COMMANDS):
            for name in _names(self.archive, f"{COMMANDS}/{folder}"):
                if name.startswith(start):
                    yield *words, *name[len(start) :].replace(".dev.", "/dev/", 1).split("_")


def _no(reason: Reason, what: str, detail: str) -> Unavailable:
    return Unavailable(reason=reason, what=what, detail=detail)


def canonical(words: Sequence[str]) -> tuple[str, ...]:
    """A command line by what it asks: no path before the program, of LVM's commands neither added columns nor what keeps them
    from locking."""
    if not words:
        return ()
    program = _PATHS.sub("", words[0])
    if program not in _LVM:
        return (program, *words[1:])
    kept: list[str] = []
    skip = False
    for word in words[1:]:
        if skip:
            skip = False
        elif word in ("-o", "--config"):
            skip = True
        elif not word.startswith(("--config", "--nolocking", "--foreign", "--readonly")):
            kept.append(word)
    return (program, *kept)


def mangle(command: str) -> str:
    """What sos calls the file of a command's output."""
    name = _OTHERS.sub("_", _PATHS.sub("", command))
    return name.replace("/", ".").strip(" ._-")[:_LONGEST_NAME]


def read(archive: Archive) -> Asked:
    """What sos asked, by its manifest where it left a readable one."""
    text = archive.text_of(MANIFEST)
    asked = Asked(archive=archive)
    if isinstance(text, Missing):
        return asked
    try:
        document: Any = json.loads(text)
        plugins = document["components"]["report"]["plugins"]
        commands = [one for plugin in plugins.values() for one in _commands(plugin)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return asked
    asked.manifest = True
    for command in commands[:_MOST_COMMANDS]:
        key = canonical(command.words)
        # The same command of two plugins: one that has an output is the better one.
        if key not in asked.commands or asked.commands[key].file is None:
            asked.commands[key] = command
    asked.specifications = {one for plugin in plugins.values() for one in _specifications(plugin)}
    cmdline = document.get("cmdline")
    match = _LOG_SIZE.search(cmdline) if isinstance(cmdline, str) else None
    if match is not None:
        asked.limit = int(match[1]) << 20 or 1 << 62  # 0: no limit
    return asked


def _commands(plugin: Mapping[str, Any]) -> Iterator[Command]:
    for one in _list(plugin, "commands"):
        line = one.get("exec")
        if not isinstance(line, str) or not line.strip():
            continue
        file, status, seconds = one.get("filepath"), one.get("return_code"), one.get("run_time")
        yield Command(
            words=_words(line),
            file=file if isinstance(file, str) else None,
            status=status if isinstance(status, int) and not isinstance(status, bool) else None,
            truncated=one.get("truncated") is True,
            seconds=seconds if isinstance(seconds, float) and 0 <= seconds < 1e9 else 0.0,
        )


def _words(line: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(line))
    except ValueError:  # a quote without an end
        return tuple(line.split())


def _specifications(plugin: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(plugin, dict) and plugin.get("timeout_hit") is True:
        return  # what it did not come to is not absent
    for one in _list(plugin, "files"):
        pattern = one.get("specification")
        if isinstance(pattern, str) and pattern.startswith("/"):
            yield pattern


def _list(plugin: Mapping[str, Any], key: str) -> Iterable[Mapping[str, Any]]:
    found = plugin.get(key) if isinstance(plugin, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _names(archive: Archive, folder: str) -> tuple[str, ...]:
    found = archive.names_in(folder)
    return () if isinstance(found, Missing) else found


def _by_name(archive: Archive, words: Sequence[str]) -> Command | None:
    """A command of an archive without a manifest, by the name its file has."""
    wanted = mangle(" ".join(words))
    # Columns and options follow in the name, which no other command shares: `lvs -a -o …`, but not `lvs -a` alone.
    starts = tuple(f"{wanted}_{more}" for more in ("-o", "--config", "--nolocking", "--foreign"))
    lvm = bool(words) and _PATHS.sub("", words[0]) in _LVM
    for folder in _names(archive, COMMANDS):
        for name in _names(archive, f"{COMMANDS}/{folder}"):
            if name == wanted or (lvm and name.startswith(starts)):
                return Command(words=tuple(words), file=f"{COMMANDS}/{folder}/{name}", status=None)
    return None
