"""Loop devices: /sys/block/loopN and its `loop` folder (Documentation/ABI/testing/sysfs-block-loop, drivers/block/loop.c).

No device node is opened: an open /dev/loopN turns somebody's `losetup -d` into a lazy one. sysfs gives what LOOP_GET_STATUS64
does, but for the backing file's inode, which stat(2) of its path gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.loop import LoopDevice, LoopState
from sctune.model.units import SECTOR
from sctune.paths import normalise
from sctune.probes.attribute import unsigned
from sctune.records import dataclass, replace
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import FileStat, Host

_DELETED = " (deleted)"
_MODULE = "/sys/module/loop/parameters"
_ATTEMPTS = 3
_LOSETUP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attached:
    """What sysfs says of one attached loop device, before its backing file was looked at."""

    number: int
    text: str | Unavailable  # unavailable: a path longer than a page, which the kernel refuses to show
    size: int
    offset: int
    sizelimit: int
    autoclear: bool
    direct_io: bool
    read_only: bool
    logical_block_size: int
    file: tuple[frozenset[int], int] | None = None  # the file's device (as it may be read) and inode, where losetup told


def probe(host: Host) -> LoopState | Unavailable:
    """All attached loop devices. Absent where the kernel has no loop driver at all: no device, no module, no control node.

    A loaded but idle driver, or one that /dev/loop-control would load, is a state without devices. A device that is
    detached between the listing and its reading is not there.
    """
    names = host.list("/sys/block")
    if isinstance(names, Unavailable):
        return names
    numbers = sorted(int(name[4:]) for name in names if name.startswith("loop") and name[4:].isdecimal())
    control = _has_control(host)
    if not numbers and not control and isinstance(host.list("/sys/module/loop"), Unavailable):
        return Unavailable(reason=Reason.ABSENT, what="loop devices", detail="the kernel has no loop driver loaded")
    found = [_steady(host, number) for number in numbers]
    attached = [item for item in found if isinstance(item, _Attached)]
    refused = next((item for item in found if isinstance(item, Unavailable)), None)
    if refused is not None:
        # A device that is there and cannot be read would make every count below it wrong.
        return refused
    if not attached and host.identity().kernel.startswith("2.6."):
        old = _old_kernel(host, numbers)
        if isinstance(old, Unavailable):
            return old
        attached = old
    max_part = unsigned(host.read(f"{_MODULE}/max_part"))
    return LoopState(
        devices=_with_backing(host, attached, part_shift=(max_part or 0).bit_length()),
        nodes=len(numbers),
        max_loop=unsigned(host.read(f"{_MODULE}/max_loop")),
        control=control,
    )


def _old_kernel(host: Host, numbers: Sequence[int]) -> list[_Attached] | Unavailable:
    """Attached devices of a kernel that says nothing of them in sysfs but their size (before 2.6.37): asked of losetup. It opens
    the devices, which is harmless there: detaching became lazy with Linux 3.7."""
    from sctune.probes.losetup_text import ARGV, parse

    sizes = {number: unsigned(host.read(f"/sys/block/loop{number}/size")) or 0 for number in numbers}
    if not any(sizes.values()):
        return []
    completed = host.run(ARGV, timeout=_LOSETUP_SECONDS)
    if isinstance(completed, Unavailable):
        return replace(completed, reason=Reason.FAILED) if completed.reason is Reason.ABSENT else completed
    try:
        devices = parse(completed.stdout)
    except ValueError as error:
        return Unavailable(reason=Reason.MALFORMED, what="losetup -a", detail=str(error))
    if {device.number for device in devices} != {number for number, size in sizes.items() if size}:
        return Unavailable(reason=Reason.FAILED, what="losetup -a", detail="it does not list the devices that the kernel has")
    cut = Unavailable(reason=Reason.FAILED, what="losetup -a", detail="the file's name is cut off")
    return [
        _Attached(
            number=device.number,
            text=cut if device.path is None else device.path,
            size=sizes[device.number] * SECTOR,
            offset=device.offset,
            sizelimit=device.sizelimit,
            autoclear=False,  # set by mount alone there, which keeps the device attached
            direct_io=False,
            read_only=unsigned(host.read(f"/sys/block/loop{device.number}/ro")) == 1,
            logical_block_size=SECTOR,
            file=(device.devices, device.inode),
        )
        for device in devices
    ]


def _has_control(host: Host) -> bool:
    # sysfs first: a container may lack the node while the kernel has the device; a static node stands for an unloaded module.
    if not isinstance(host.read("/sys/class/misc/loop-control/dev"), Unavailable):
        return True
    return not isinstance(host.stat("/dev/loop-control"), Unavailable)


def _steady(host: Host, number: int) -> _Attached | Unavailable | None:
    """One device, read again where what was read may be half of what it was and half of what it became: attributes that are
    missing, or a size of nothing, are what a device shows that is being detached or attached at this moment."""
    for _ in range(_ATTEMPTS):
        found = _read_device(host, number)
        if isinstance(found, _Attached):
            if found.size > 0 or host.read(f"/sys/block/loop{number}/loop/backing_file") == found.text:
                break
        elif found is None or found.reason is not Reason.MALFORMED:
            break
    return found


def _read_device(host: Host, number: int) -> _Attached | Unavailable | None:
    """One device; None where it is idle or became so. sysfs shows the `loop` folder of attached devices only."""
    folder = f"/sys/block/loop{number}"
    text = host.read(f"{folder}/loop/backing_file")
    if isinstance(text, Unavailable):
        if text.reason is Reason.ABSENT:
            return None
        if text.reason is not Reason.FAILED:
            return text
    elif not text:
        return None  # being detached: the kernel has let go of the file already
    offset = host.read(f"{folder}/loop/offset")
    if isinstance(offset, Unavailable) and offset.reason in (Reason.ABSENT, Reason.FAILED):
        return None  # gone since; an attribute of a device on its way out answers ENXIO or ENODEV
    values = (
        unsigned(offset),
        unsigned(host.read(f"{folder}/size")),
        unsigned(host.read(f"{folder}/loop/sizelimit")),
        unsigned(host.read(f"{folder}/loop/autoclear")),
        unsigned(host.read(f"{folder}/ro")),
    )
    start, size, sizelimit, autoclear, read_only = values
    if start is None or size is None or sizelimit is None or autoclear is None or read_only is None:
        if isinstance(host.read(f"{folder}/loop/offset"), Unavailable):
            return None  # it was detached while we read
        return Unavailable(reason=Reason.MALFORMED, what=f"{folder}/loop", detail="an attribute is missing or not a number")
    return _Attached(
        number=number,
        text=text,
        size=size * SECTOR,
        offset=start,
        sizelimit=sizelimit,
        autoclear=autoclear == 1,
        # Before Linux 4.4 there was neither direct I/O nor its attribute; before 4.14 no other block size than 512.
        direct_io=unsigned(host.read(f"{folder}/loop/dio")) == 1,
        read_only=read_only == 1,
        logical_block_size=unsigned(host.read(f"{folder}/queue/logical_block_size")) or SECTOR,
    )


def _with_backing(host: Host, attached: Sequence[_Attached], *, part_shift: int) -> tuple[LoopDevice, ...]:
    """Stats all backing files at once: one disposable child for all, and one deadline."""
    paths: list[str] = []
    for item in attached:
        if not isinstance(item.text, Unavailable):
            paths.extend(candidates(item.text))
    unique = list(dict.fromkeys(paths))
    answers = dict(zip(unique, host.stat_files(unique), strict=True)) if unique else {}
    return tuple(_device(item, answers, part_shift) for item in attached)


def candidates(text: str) -> tuple[str, ...]:
    """The paths that the text of `backing_file` can mean, normalised: as it is, and without the kernel's mark.

    The kernel escapes nothing (names with spaces, line ends or bytes that are no UTF-8 stand there as they are) and adds
    one line end.
    """
    text = text[:-1] if text.endswith("\n") else text
    path = normalise(text)
    return (path, normalise(text[: -len(_DELETED)])) if text.endswith(_DELETED) else (path,)


def _device(item: _Attached, answers: dict[str, FileStat | Unavailable], part_shift: int) -> LoopDevice:
    names = () if isinstance(item.text, Unavailable) else candidates(item.text)
    path = names[0] if names else ""
    backing = item.text if isinstance(item.text, Unavailable) else answers[path]
    deleted = False
    if len(names) == 2 and isinstance(backing, Unavailable):
        # No file of that very name is there: the end of the text is the kernel's mark.
        deleted = True
        path = names[1]
        backing = answers[names[1]]
    if item.file is not None and not isinstance(backing, Unavailable):
        deleted = backing.device not in item.file[0] or backing.inode != item.file[1]
    elif item.file is not None and path:
        deleted = backing.reason is Reason.ABSENT if isinstance(backing, Unavailable) else False
    return LoopDevice(
        name=f"loop{item.number}",
        number=item.number,
        backing_file=path,
        deleted=deleted,
        backing=backing,
        size=item.size,
        offset=item.offset,
        sizelimit=item.sizelimit,
        autoclear=item.autoclear,
        direct_io=item.direct_io,
        read_only=item.read_only,
        logical_block_size=item.logical_block_size,
        minor=item.number << part_shift,
    )
