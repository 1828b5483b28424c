"""Lines of the kernel's log that tell of storage faults, each by its pattern. Pure; loaded where a log has any such line.

The texts are those of Linux 2.6.32 to 6.x: block/blk-core.c, fs/buffer.c, fs/ext4/super.c, fs/jbd2, fs/xfs, drivers/block/loop.c,
drivers/md/{dm-snap,dm-thin,raid1,raid10,raid5}.c, drivers/scsi/{sd,scsi_error,scsi_transport_iscsi}.c, drivers/nvme/host/pci.c.
"""

from __future__ import annotations

import re

from sctune.disk_names import whole
from sctune.model.kernel_log import FaultKind, KernelFault
from sctune.records import dataclass

_MOST_FAULTS = 4096
_EXAMPLE = 200
_DEVICE = r"([\w.!+-]{1,64})"

LINE = re.compile(
    r"(?:<\d{1,3}>)?(?:[a-z]{1,8} *:[a-z]{1,8} *: )?(?:\[ *(\d{1,12}\.\d{1,9})\](?:\[ *[TC]\d{1,10}\])? ?)?"
    r"(?:(?:\S{1,255} )?kernel: )?(.*)"
)
_ARRIVED = re.compile(
    r"(?:sd (?P<address>\d+:\d+:\d+:\d+): )?\[(?P<disk>sd[a-z]+)\] Attached SCSI |"
    r"(?P<other>(?:loop|md|dm-)\w+): detected capacity change from 0 to [1-9]"
)
_REQUEST = re.compile(
    r"(I/O|critical medium|recoverable transport|timeout|protection|device resource|zone resource) error, dev "
    + _DEVICE
    + r", sector (\d+)(?: op 0x[0-9a-f]+:\((\w+)\))?"
)
_BUFFER = re.compile(rf"Buffer I/O error on dev(?:ice)? {_DEVICE}, logical block (\d+)(, lost)?")
_LOST = re.compile(rf"lost page write due to I/O error on {_DEVICE}")
_SENSE = re.compile(r"\[(sd[a-z]+)\].* Sense Key : (?:Medium|Hardware) Error")
_OFFLINED = re.compile(r"sd (\d+:\d+:\d+:\d+): .*Device offlined")
_NVME = re.compile(r"nvme (nvme\d+): (?:controller is down; will reset|.*after (?:probe|reset) failure)")
_SNAPSHOT = re.compile(r"device-mapper: snapshots: (?:Invalidating snapshot|Snapshot overflowed|Snapshot is marked invalid)")
_THIN = re.compile(
    r"device-mapper: thin: (\d{1,10}:\d{1,10}): (?:switching pool to (?:out-of-data-space|read-only|failure)"
    r"|no free (?:data |metadata )?space|metadata operation '[^']*' failed|unable to (?:set|commit))"
)
_SESSION = re.compile(r"session(\d{1,10}): session recovery timed out")
_RAID = re.compile(rf"(?:md/raid\w*:(\w+): |raid\w*: )Disk failure on {_DEVICE}, disabling")
_JOURNAL = re.compile(r"(?:Aborting journal on device|JBD2?: .*rror.* (?:on|for)) " + _DEVICE)
_FILESYSTEMS = (
    re.compile(rf"EXT[234]-fs error \(device {_DEVICE}\)"),
    re.compile(rf"EXT[234]-fs warning \(device {_DEVICE}\): .*I/O error"),
    re.compile(
        rf"EXT[234]-fs \({_DEVICE}\): "
        r"(?:Remounting filesystem read-only|Delayed block allocation failed|error count since last fsck|.*I/O error)"
    ),
    re.compile(
        rf"XFS \({_DEVICE}\): (?!User initiated).*(?:I/O error|[Cc]orruption|Internal error|CRC error|hut ?down|hutting down)"
    ),
    re.compile(
        rf"BTRFS(?: error| critical)? ?\(device {_DEVICE}[^)]*\):? .*"
        r"(?:IO failure|errs: |csum|checksum|corrupt|bad tree block|transid verify failed)"
    ),
)
_FREED = frozenset({"DISCARD", "WRITE_ZEROES", "WRITE_SAME", "SECURE_ERASE"})


@dataclass(slots=True, kw_only=True)
class _Tally:
    count: int
    first: float | None
    last: float | None
    text: str


class Found:
    """What was found so far."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[FaultKind, str, int | None], _Tally] = {}
        self._disks: dict[str, str] = {}

    def line(self, text: str, time: float | None) -> None:
        arrived = _ARRIVED.search(text)
        if arrived is not None:
            self._arrive(arrived["disk"] or arrived["other"], arrived["address"])
            return
        fault = self._fault(text)
        if fault is None:
            return
        tally = self._tallies.get(fault)
        if tally is not None:
            tally.count += 1
            tally.last = time
        elif len(self._tallies) < _MOST_FAULTS:
            self._tallies[fault] = _Tally(count=1, first=time, last=time, text=text[:_EXAMPLE])

    def faults(self) -> list[KernelFault]:
        return [
            KernelFault(
                kind=kind, device=device, session=session, count=tally.count, first=tally.first, last=tally.last, text=tally.text
            )
            for (kind, device, session), tally in self._tallies.items()
        ]

    def _arrive(self, device: str, address: str | None) -> None:
        """A device of that name is new: what was said of the name before was said of another."""
        for key in [key for key in self._tallies if whole(key[1]) == device]:
            del self._tallies[key]
        if address:
            self._disks[address] = device

    def _fault(self, text: str) -> tuple[FaultKind, str, int | None] | None:
        device = _of_device(text)
        if device is not None:
            return (*device, None)
        if _SNAPSHOT.search(text):
            return FaultKind.SNAPSHOT_LOST, "", None
        if "loop: Write error at byte offset" in text:
            return FaultKind.LOOP_WRITE, "", None
        if (found := _SESSION.search(text)) is not None:
            return FaultKind.SESSION_EXPIRED, "", int(found[1])
        if (found := _OFFLINED.search(text)) is not None and found[1] in self._disks:
            return FaultKind.OFFLINED, self._disks[found[1]], None
        return None


def _of_device(text: str) -> tuple[FaultKind, str] | None:
    """What a line says of the device it names."""
    if (found := _REQUEST.search(text)) is not None:
        return _request(found)
    if (found := _BUFFER.search(text)) is not None:
        if found[3]:
            return FaultKind.LOST_WRITE, found[1]
        # Who still looked at a loop device while it was detached could not read its first block: said on sound hosts.
        return None if found[1].startswith("loop") and found[2] == "0" else (FaultKind.IO_ERROR, found[1])
    for pattern, kind in ((_LOST, FaultKind.LOST_WRITE), (_SENSE, FaultKind.MEDIUM), (_THIN, FaultKind.THIN_POOL)):
        if (found := pattern.search(text)) is not None:
            return kind, found[1]
    if (found := _NVME.search(text)) is not None:
        return FaultKind.IO_ERROR, f"{found[1]}n1"
    if (found := _RAID.search(text)) is not None:
        # Under LVM the array itself has no name but mdX.
        return FaultKind.RAID_MEMBER, found[2] if found[1] in (None, "mdX") else found[1]
    if (found := _JOURNAL.search(text)) is not None:
        # The journal of dm-3 is called dm-3-8, after the inode it lies in.
        return FaultKind.FILESYSTEM, re.sub(r"-\d+$", "", found[1].rstrip("."))
    for pattern in _FILESYSTEMS:
        if (found := pattern.search(text)) is not None:
            return FaultKind.FILESYSTEM, found[1]
    return None


def _request(found: re.Match[str]) -> tuple[FaultKind, str] | None:
    what, device, sector, operation = found.groups()
    if operation in _FREED:
        return None  # the disk does not know the command, and the kernel stops using it
    if device.startswith("loop") and sector == "0" and operation in (None, "READ"):
        return None
    return FaultKind.MEDIUM if what == "critical medium" else FaultKind.IO_ERROR, device
