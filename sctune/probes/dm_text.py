"""The words of `dmsetup status` and `dmsetup table` (dmsetup(8); drivers/md/dm-snap.c, dm-thin.c), parsed."""

from __future__ import annotations

from sctune.model.dm import PoolMode, SnapshotState, SnapshotStatus, ThinPoolStatus, ThinStatus
from sctune.model.units import SECTOR
from sctune.records import dataclass

_HEX = "0123456789abcdefABCDEF"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """One target of one device: start and length in sectors, the target type, and what it says of itself."""

    start: int
    length: int
    kind: str
    text: str

    @property
    def key(self) -> tuple[int, int, str]:
        """What is the same in status and table."""
        return (self.start, self.length, self.kind)


def parse_report(text: str) -> dict[str, tuple[ReportLine, ...]]:
    """`NAME: START LENGTH TYPE …` lines, gathered by name. A device without a table has a bare name and no targets.

    What is no such line ("No devices found", a warning) is passed over: a device that is then missing is told so.
    """
    found: dict[str, list[ReportLine]] = {}
    for line in text.split("\n"):
        name, row = _split(line)
        if name is None:
            continue
        rows = found.setdefault(name, [])
        if row is not None:
            rows.append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def _split(line: str) -> tuple[str | None, ReportLine | None]:
    # A name may hold ": " itself: the first one that two numbers and a type follow ends it.
    position = line.find(": ")
    while position >= 0:
        fields = line[position + 2 :].split(" ", 3)
        if len(fields) >= 3 and _is_number(fields[0]) and _is_number(fields[1]) and fields[2]:
            rest = fields[3] if len(fields) > 3 else ""
            return line[:position], ReportLine(start=int(fields[0]), length=int(fields[1]), kind=fields[2], text=rest.strip())
        position = line.find(": ", position + 1)
    bare = line.rstrip()
    return (bare[:-1], None) if bare.endswith(":") else (None, None)


def unmangle(name: str) -> str:
    r"""A device name without libdevmapper's \xNN for characters that udev does not allow (dmsetup(8), --manglename)."""
    if "\\x" not in name:
        return name
    first, *rest = name.split("\\x")
    raw = bytearray(first.encode("utf-8", "surrogateescape"))
    for part in rest:
        if len(part) >= 2 and part[0] in _HEX and part[1] in _HEX:
            raw.append(int(part[:2], 16))
            raw += part[2:].encode("utf-8", "surrogateescape")
        else:
            raw += ("\\x" + part).encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape")


def lvm_name(name: str) -> tuple[str, str, str] | None:
    """(VG, LV, layer) of a device-mapper name that LVM built, e.g. ("euca-ebs", "euca-vol", "real"); layer is "" mostly.

    LVM joins the parts with a hyphen and doubles the hyphens inside them (lib/misc/lvm-string.c). None: not such a name.
    """
    parts = name.replace("--", "\0").split("-")
    if len(parts) not in (2, 3) or not all(parts):
        return None
    vg, lv, layer = (*(part.replace("\0", "-") for part in parts), "")[:3]
    return vg, lv, layer


def underlying(table: str) -> tuple[tuple[int, int], ...]:
    """The (major, minor) of the devices a table line names: every word that is two numbers and a colon, in order."""
    found = []
    for word in table.split():
        major, colon, minor = word.partition(":")
        if colon and _is_number(major) and _is_number(minor):
            found.append((int(major), int(minor)))
    return tuple(found)


def parse_status(kind: str, text: str) -> SnapshotStatus | ThinPoolStatus | ThinStatus | None:
    """The status of one target; None for a type that has none worth keeping. Raises ValueError where a known type says
    what it is not documented to say."""
    if kind in ("snapshot", "snapshot-merge"):
        return _snapshot(text)
    if kind == "thin-pool":
        return _thin_pool(text)
    if kind == "thin":
        return _thin(text)
    return None


_SNAPSHOT_WORDS = {
    "Invalid": SnapshotState.INVALID,
    "Overflow": SnapshotState.OVERFLOW,
    "Merge failed": SnapshotState.MERGE_FAILED,
}


def _snapshot(text: str) -> SnapshotStatus | None:
    """`USED/TOTAL METADATA` in sectors, or a word. "Unknown" is an exception store that keeps no count; before Linux 2.6.31
    there was no METADATA."""
    state = _SNAPSHOT_WORDS.get(text)
    if state is not None:
        return SnapshotStatus(state=state, used=None, total=None, metadata=None)
    if text == "Unknown":
        return None
    fields = text.split()
    if len(fields) not in (1, 2):
        raise ValueError(f"snapshot status {text[:60]!r}")
    used, total = _fraction(fields[0])
    metadata = _integer(fields[1]) * SECTOR if len(fields) == 2 else None
    return SnapshotStatus(state=SnapshotState.ACTIVE, used=used * SECTOR, total=total * SECTOR, metadata=metadata)


def _thin_pool(text: str) -> ThinPoolStatus:
    """`TRANSACTION META_USED/META_TOTAL DATA_USED/DATA_TOTAL HELD_ROOT MODE DISCARD ON_FULL NEEDS_CHECK [LOW_WATER]`."""
    fields = text.split()
    if fields in (["Fail"], ["Error"]):
        return ThinPoolStatus(
            mode=PoolMode.FAILED,
            data_used=None,
            data_total=None,
            metadata_used=None,
            metadata_total=None,
            needs_check=False,
            queue_if_no_space=False,
        )
    if len(fields) < 5:
        raise ValueError(f"thin-pool status {text[:60]!r}")
    metadata_used, metadata_total = _fraction(fields[1])
    data_used, data_total = _fraction(fields[2])
    return ThinPoolStatus(
        mode=PoolMode(fields[4]),
        data_used=data_used,
        data_total=data_total,
        metadata_used=metadata_used,
        metadata_total=metadata_total,
        needs_check="needs_check" in fields[5:],
        queue_if_no_space="queue_if_no_space" in fields[5:],
    )


def _thin(text: str) -> ThinStatus | None:
    """`MAPPED_SECTORS HIGHEST`, "Fail", "Error", or "-" for a device whose metadata is not open."""
    if text in ("Fail", "Error"):
        return ThinStatus(mapped=None, failed=True)
    if text == "-":
        return None
    fields = text.split()
    if len(fields) != 2:
        raise ValueError(f"thin status {text[:60]!r}")
    return ThinStatus(mapped=_integer(fields[0]) * SECTOR, failed=False)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 20


def _integer(word: str) -> int:
    if not _is_number(word):
        raise ValueError(f"{word[:60]!r} is not a number")
    return int(word)


def _fraction(word: str) -> tuple[int, int]:
    part, _, whole = word.partition("/")
    return _integer(part), _integer(whole)
