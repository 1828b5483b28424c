"""Loop devices, as loop(4) and /sys/block/loopN/loop (Documentation/ABI/testing/sysfs-block-loop) describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.host.base import FileStat
    from sctune.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopDevice:
    """One attached loop device.

    `backing_file` is the normalised path without the kernel's " (deleted)" mark, which is `deleted`.
    It is "" where the kernel cannot show it (longer than a page). `backing` is stat(2) of that path now: where the file was
    deleted it is absent, or another file of the same name.
    `size` and `offset` are in bytes; `sizelimit` 0 means "to the end of the file".
    """

    name: str
    number: int
    backing_file: str
    deleted: bool
    backing: FileStat | Unavailable
    size: int
    offset: int
    sizelimit: int
    autoclear: bool
    direct_io: bool
    read_only: bool
    logical_block_size: int
    minor: int | None = None
    """Where the module's max_part makes it another number than `number`."""

    @property
    def device(self) -> tuple[int, int]:
        """(major, minor) of the block device; without the module's max_part the minor is the number."""
        return (7, self.number if self.minor is None else self.minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopState:
    """All loop devices and what bounds their number.

    `nodes` counts the kernel's loop devices, attached or idle. `max_loop` is the module's parameter (0: no bound), None
    where the kernel does not tell. With `control` (/dev/loop-control, Linux 3.1) devices are added on demand and
    `max_loop` bounds nothing; without it, it is a hard limit.
    """

    devices: tuple[LoopDevice, ...]
    nodes: int
    max_loop: int | None
    control: bool
