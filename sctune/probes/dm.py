"""Device-mapper devices: sysfs for everybody (Documentation/ABI/testing/sysfs-block-dm), tables and status for root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.base import DmQuery
from sctune.model.dm import DmDevice, DmTarget
from sctune.model.units import SECTOR
from sctune.probes.dm_multipath import parse as parse_multipath
from sctune.probes.dm_text import parse_report, parse_status, underlying, unmangle
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.probes.dm_text import ReportLine


def probe(host: Host) -> tuple[DmDevice, ...] | Unavailable:
    """All device-mapper devices, in the order of their minor numbers. Absent where the kernel has no device-mapper.

    /dev/mapper/control proves nothing: dmsetup makes the node where the kernel has no driver behind it. A device that is
    removed between the listing and its reading is not there; one that is renamed or made meanwhile has no targets to tell.
    """
    names = host.list("/sys/block")
    if isinstance(names, Unavailable):
        return names
    numbers = sorted(int(name[3:]) for name in names if name.startswith("dm-") and name[3:].isdecimal())
    if not numbers:
        if isinstance(host.read("/sys/class/misc/device-mapper/dev"), Unavailable):
            return Unavailable(reason=Reason.ABSENT, what="device-mapper", detail="the kernel has no device-mapper loaded")
        return ()
    table, status = _report(host, DmQuery.TABLE), _report(host, DmQuery.STATUS)
    suspend_free = never_slept(host)
    major = next((found for number in numbers if (found := _major(host, number)) is not None), None)
    devices = []
    for number in numbers:
        device = _read_device(host, number, major, table, status, udev_clock=suspend_free)
        if device is not None:
            devices.append(device)
    return tuple(devices)


def _report(host: Host, query: DmQuery) -> dict[str, tuple[ReportLine, ...]] | Unavailable:
    text = host.dm(query)
    return text if isinstance(text, Unavailable) else parse_report(text)


def never_slept(host: Host) -> bool:
    """Whether the host never slept since it was booted. udev counts CLOCK_MONOTONIC, which stands still in sleep, and
    processes are counted on the boot clock, which does not: after a sleep the two cannot be compared."""
    text = host.read("/sys/power/suspend_stats/success")
    return isinstance(text, Unavailable) or text.strip() == "0"


def _major(host: Host, number: int) -> int | None:
    text = host.read(f"/sys/block/dm-{number}/dev")
    word = "" if isinstance(text, Unavailable) else text.partition(":")[0]
    return int(word) if word.isdecimal() else None


def _read_device(
    host: Host,
    number: int,
    major: int | None,
    table: dict[str, tuple[ReportLine, ...]] | Unavailable,
    status: dict[str, tuple[ReportLine, ...]] | Unavailable,
    *,
    udev_clock: bool,
) -> DmDevice | None:
    folder = f"/sys/block/dm-{number}"
    name, uuid = host.read(f"{folder}/dm/name"), host.read(f"{folder}/dm/uuid")
    suspended, size = host.read(f"{folder}/dm/suspended"), host.read(f"{folder}/size")
    if isinstance(name, Unavailable) or isinstance(suspended, Unavailable) or isinstance(size, Unavailable) or major is None:
        return None
    if not name.strip() or not size.strip().isdecimal() or len(size) > 21:
        return None  # on its way out
    kernel_name = name.rstrip("\n")
    return DmDevice(
        name=kernel_name,
        kernel_name=f"dm-{number}",
        uuid="" if isinstance(uuid, Unavailable) else uuid.rstrip("\n"),
        # The kernel names the device after its minor number (drivers/md/dm.c), and all have one major.
        device=(major, number),
        size=int(size) * SECTOR,
        suspended=suspended.strip() == "1",
        targets=join_targets(kernel_name, table, status),
        activated=_activated(host, major, number, kernel_name) if udev_clock else None,
    )


def _activated(host: Host, major: int, number: int, name: str) -> float | None:
    """When the device was made. Where udev has no record of it in /run (RHEL 6: udev 147) it is the time of the link that udev made
    for it, which that udev never touches again (udev-node.c; later ones do, and have the record). That is by the wall clock, which
    may have been set since: what it puts before the boot or after now is not told."""
    record = host.read(f"/run/udev/data/b{major}:{number}")
    if not isinstance(record, Unavailable):
        return parse_initialized(record)
    link = f"/dev/mapper/{name}"
    if isinstance(host.readlink(link), Unavailable):
        return None  # a node: its time is that of the last write to the device
    made, clock = host.lstat_mtime(link), host.clock()
    if isinstance(made, Unavailable):
        return None
    seconds = made - (clock.now - clock.boot)
    return seconds if 0 <= seconds <= clock.boot else None


def parse_initialized(record: str | Unavailable) -> float | None:
    """Seconds on the boot clock at which udev first saw the device: the line `I:<microseconds>` of its record.

    udev writes it when it handles the device's first event and keeps it over all later ones (systemd, src/libsystemd/
    sd-device: device_ensure_usec_initialized).
    """
    if isinstance(record, Unavailable):
        return None
    for line in record.split("\n"):
        if line.startswith("I:"):
            return int(line[2:]) / 1e6 if line[2:].isdecimal() and len(line) <= 22 else None
    return None


def join_targets(
    kernel_name: str,
    table: dict[str, tuple[ReportLine, ...]] | Unavailable,
    status: dict[str, tuple[ReportLine, ...]] | Unavailable,
) -> tuple[DmTarget, ...] | Unavailable:
    """The targets of one device from the two reports. Both have to tell of the same segments: where they do not, the device
    was reloaded in between."""
    if isinstance(table, Unavailable):
        return table
    if isinstance(status, Unavailable):
        return status
    rows, states = _of(table, kernel_name), _of(status, kernel_name)
    if rows is None or states is None or [row.key for row in rows] != [state.key for state in states]:
        return Unavailable(reason=Reason.FAILED, what=f"device-mapper: {kernel_name}", detail="it changed while it was looked at")
    targets = []
    for row, state in zip(rows, states, strict=True):
        try:
            parsed = parse_multipath(state.text, row.text) if row.kind == "multipath" else parse_status(state.kind, state.text)
        except ValueError as error:
            return Unavailable(reason=Reason.MALFORMED, what=f"dmsetup status {kernel_name}", detail=str(error))
        targets.append(
            DmTarget(
                start=row.start * SECTOR,
                length=row.length * SECTOR,
                kind=row.kind,
                status=parsed,
                underlying=underlying(row.text),
            )
        )
    return tuple(targets)


def _of(report: dict[str, tuple[ReportLine, ...]], kernel_name: str) -> tuple[ReportLine, ...] | None:
    # The ioctl and sysfs give the name as the kernel has it; dmsetup prints it with its \xNN undone.
    rows = report.get(kernel_name)
    return report.get(unmangle(kernel_name)) if rows is None else rows
