"""targets.conf(5) and what it includes: the targets that tgt-admin makes when the service starts.

tgt-admin reads it with Perl's Config::General (options UseApacheInclude, IncludeDirectories, IncludeGlob, MergeDuplicateBlocks);
this reads the parts of that language that such files use. Secrets are dropped in the line they stand in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.target import PersistedTarget, TgtConfiguration
from sctune.records import dataclass, field
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.host.base import Host

ROOTS = ("/etc/tgt/targets.conf", "/etc/tgt/tgtd.conf")
"""What services hand to tgt-admin: upstream and Debian the first, Red Hat's packages the second, which includes the first."""
_MOST_FILES = 10_000
_WILD = frozenset("*?[")


def probe(host: Host) -> TgtConfiguration | Unavailable:
    """The configuration. Absent where there is none, denied where its first file may not be read."""
    reader = _Reader(host)
    failures: list[Unavailable] = []
    for root in ROOTS:
        answer = reader.read(root)
        if answer is not None:
            failures.append(answer)
    if not reader.files:
        return next((failure for failure in failures if failure.reason is not Reason.ABSENT), failures[0])
    # A second root that is not there is no gap; one that may not be read is.
    reader.unread.extend(failure.what for failure in failures if failure.reason is not Reason.ABSENT)
    merged = {iqn: block.record(iqn) for iqn, block in reader.blocks.items()}
    return TgtConfiguration(files=tuple(reader.files), unread=tuple(dict.fromkeys(reader.unread)), targets=tuple(merged.values()))


@dataclass(slots=True, kw_only=True)
class Block:
    """A <target> block while it is read; blocks of one name are one target. Direct stores get their LUNs after backing stores."""

    file: str
    backing: list[str] = field(default_factory=list)
    direct: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    chap: bool = False
    backing_type: str = ""
    cache_off: bool = False
    scsi_ids: list[str] = field(default_factory=list)

    def add(self, key: str, value: str) -> None:
        """One directive. Only that there is a user is kept of incominguser, not who, and no secret."""
        if key == "backing-store":
            self.backing.append(value)
        elif key == "direct-store":
            self.direct.append(value)
        elif key == "initiator-address":
            self.addresses.append(value)
        elif key == "initiator-name":
            self.names.append(value)
        elif key == "incominguser":
            self.chap = True
        elif key == "bs-type":
            self.backing_type = self.backing_type or value
        elif key == "scsi_id":
            self.scsi_ids.append(value)

    def record(self, iqn: str) -> PersistedTarget:
        """The finished record."""
        return PersistedTarget(
            iqn=iqn,
            file=self.file,
            backing_paths=(*self.backing, *self.direct),
            initiator_addresses=tuple(self.addresses),
            initiator_names=tuple(self.names),
            chap=self.chap,
            backing_type=self.backing_type,
            write_cache_off=self.cache_off,
            scsi_ids=tuple(self.scsi_ids),
        )


def parse(text: str, file: str, blocks: dict[str, Block]) -> tuple[str, ...]:
    """Adds the file's targets to `blocks` and returns the patterns it includes. Raises nothing: a line that is not
    understood is passed over (tgt-admin would refuse the whole file)."""
    includes: list[str] = []
    stack: list[str] = []
    target: Block | None = None
    for line in logical_lines(text):
        if line.startswith("</"):
            if stack and stack.pop() == "target" and "target" not in stack:
                target = None
        elif line.startswith("<<include") and line.endswith(">>"):
            includes.append(_unquoted(line[len("<<include") : -2].strip()))
        elif line.startswith("<") and line.endswith(">"):
            key, value = _split(line[1:-1].removesuffix("/"))
            if key == "target":
                target = blocks.setdefault(value, Block(file=file))
            elif target is not None:
                target.add(key, value)
            if not line.endswith("/>"):
                stack.append(key)
        else:
            key, value = _split(line)
            if key.lower() in ("include", "includeoptional") and value:
                includes.append(value)
            elif target is not None and value:
                if key == "write-cache" and stack[-1:] == ["target"]:
                    target.cache_off = value.lower() == "off"
                target.add(key, value)
    return tuple(includes)


def logical_lines(text: str) -> Iterator[str]:
    """Lines without comments and surrounding space, continued lines joined, `/* … */` blocks left out."""
    pending = ""
    in_comment = False
    for raw in text.replace("\r", "").split("\n"):
        line = raw.strip()
        if in_comment:
            in_comment = "*/" not in line
            continue
        if line.startswith("/*"):
            in_comment = "*/" not in line
            continue
        line = _uncommented(pending + line)
        pending = ""
        if line.endswith("\\"):
            pending = line[:-1]
        elif line:
            yield line
    if pending.strip():
        yield pending.strip()


def _uncommented(line: str) -> str:
    """Config::General: `#` begins a comment anywhere, unless escaped."""
    start = line.find("#")
    while start > 0 and line[start - 1] == "\\":
        start = line.find("#", start + 1)
    return (line if start < 0 else line[:start]).replace("\\#", "#").rstrip()


def _split(line: str) -> tuple[str, str]:
    """Name and value, between them `=` or space (SplitPolicy guess)."""
    for position, character in enumerate(line):
        if character == "=" or character.isspace():
            value = line[position:].strip()
            return line[:position], _unquoted(value[1:].strip() if value.startswith("=") else value)
    return line, ""


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


class _Reader:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.files: list[str] = []
        self.unread: list[str] = []
        self.blocks: dict[str, Block] = {}

    def read(self, path: str) -> Unavailable | None:
        """Reads a file and what it includes, each file once (an include loop ends there)."""
        if path in self.files:
            return None
        text = self.host.read(path)
        if isinstance(text, Unavailable):
            return text
        self.files.append(path)
        for pattern in parse(text, path, self.blocks):
            for included in self.expand(pattern, path):
                if len(self.files) >= _MOST_FILES:
                    self.unread.append(pattern)
                    return None
                if self.read_included(included) is not None:
                    self.unread.append(included)
        return None

    def read_included(self, path: str) -> Unavailable | None:
        """A file, or all files of a folder."""
        answer = self.read(path)
        if answer is None or answer.reason is Reason.DENIED:
            return answer
        names = self.host.list(path)
        if isinstance(names, Unavailable):
            return answer
        for name in names:
            if not name.startswith(".") and self.read(f"{path}/{name}") is not None:
                self.unread.append(f"{path}/{name}")
        return None

    def expand(self, pattern: str, included_from: str) -> list[str]:
        """The paths a pattern stands for. One without wildcards stands for itself, whether it is there or not."""
        if not pattern.startswith("/"):
            # tgt-admin takes it from the folder it was started in; a service is started in /.
            pattern = f"/{pattern}"
        if not _WILD & set(pattern):
            return [pattern]
        import fnmatch

        found = [""]
        for part in pattern.split("/")[1:]:
            if not _WILD & set(part):
                found = [f"{path}/{part}" for path in found]
                continue
            matched: list[str] = []
            for path in found:
                names = self.host.list(path or "/")
                if isinstance(names, Unavailable):
                    if names.reason is not Reason.ABSENT:
                        self.unread.append(f"{path or '/'} (included by {included_from})")
                    continue
                matched += [f"{path}/{name}" for name in names if not name.startswith(".") and fnmatch.fnmatchcase(name, part)]
            found = matched
        return found
