"""multipath.conf, its folder, and multipath-tools' own table of devices, on hosts that have a multipath map.

Without multipath.conf multipath-tools runs with its defaults. Its own table differs from version to version, so it is asked for
(`multipath -t`, which reads files and no device) where a disk may be in it: tgt's (vendor IET) are in none of 0.4.9 to 0.14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.multipath import Multipath, MultipathConfiguration, ScsiIdentity
from sctune.probes.multipath_conf import parse
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import Host
    from sctune.model.block import BlockDevice
    from sctune.model.dm import DmDevice
    from sctune.model.multipath import MultipathSection

MAIN = "/etc/multipath.conf"
FOLDER = "/etc/multipath/conf.d"
ARGV = ("multipath", "-t")
DEADLINE = 5.0
_NOT_IN_ANY_TABLE = frozenset({"IET"})
_EMPTY = MultipathConfiguration(files=(), sections=())


def probe(
    host: Host, *, dm: tuple[DmDevice, ...] | Unavailable, block: tuple[BlockDevice, ...] | Unavailable
) -> Multipath | Unavailable:
    """The configuration. Absent where there is no map; where one of its files cannot be read or understood, as a whole what
    that file is: a setting in it may win over all others."""
    if isinstance(dm, Unavailable):
        return dm
    if isinstance(block, Unavailable):
        return block
    maps = frozenset(device.kernel_name for device in dm if device.uuid.startswith("mpath-"))
    if not maps:
        return Unavailable(reason=Reason.ABSENT, what="multipath", detail="no disk is under multipath")
    readings = _readings(host)
    if isinstance(readings, Unavailable):
        return readings
    identities = tuple(
        _identity(host, device.name)
        for device in block
        if device.session is not None and any(holder in maps for holder in device.holders)
    )
    asked = any(identity.vendor not in _NOT_IN_ANY_TABLE for identity in identities)
    return Multipath(readings=readings, builtin=_builtin(host) if asked else _EMPTY, identities=identities)


def _readings(host: Host) -> tuple[MultipathConfiguration, ...] | Unavailable:
    main = _file(host, MAIN)
    if isinstance(main, Unavailable):
        return main
    files = () if main is None else (MAIN,)
    named = [setting for section in main or () if section.kind == "defaults" if (setting := section.last("config_dir"))]
    folders = [FOLDER]
    if named and named[-1].value.rstrip("/") != FOLDER:
        # Up to 0.8: none where it is no absolute path.
        folders.insert(0, named[-1].value if named[-1].value.startswith("/") else "")
    readings = []
    for folder in folders:
        more = _folder(host, folder) if folder else MultipathConfiguration(files=(), sections=())
        if isinstance(more, Unavailable):
            return more
        readings.append(MultipathConfiguration(files=(*files, *more.files), sections=(*(main or ()), *more.sections)))
    return tuple(dict.fromkeys(readings))


def _folder(host: Host, folder: str) -> MultipathConfiguration | Unavailable:
    """Files named *.conf, by name."""
    names = host.list(folder)
    if isinstance(names, Unavailable):
        return _EMPTY if names.reason is Reason.ABSENT else names
    files: list[str] = []
    sections: list[MultipathSection] = []
    for name in sorted(names):
        if not name.endswith(".conf"):
            continue
        path = f"{folder.rstrip('/')}/{name}"
        found = _file(host, path)
        if isinstance(found, Unavailable):
            return found
        if found is not None:
            files.append(path)
            sections.extend(found)
    return MultipathConfiguration(files=tuple(files), sections=tuple(sections))


def _file(host: Host, path: str) -> Sequence[MultipathSection] | Unavailable | None:
    """The blocks of a file, None where it is not there."""
    text = host.read(path)
    if isinstance(text, Unavailable):
        return None if text.reason is Reason.ABSENT else text
    try:
        return parse(text, path)
    except ValueError as error:
        return Unavailable(reason=Reason.MALFORMED, what=path, detail=str(error))


def _identity(host: Host, disk: str) -> ScsiIdentity:
    vendor, product, revision = (_inquiry(host, disk, name) for name in ("vendor", "model", "rev"))
    return ScsiIdentity(disk=disk, vendor=vendor, product=product, revision=revision)


def _inquiry(host: Host, disk: str, name: str) -> str:
    text = host.read(f"/sys/block/{disk}/device/{name}")
    return "" if isinstance(text, Unavailable) else text.rstrip()


def _builtin(host: Host) -> MultipathConfiguration | Unavailable:
    """All device blocks in force, files and table in one."""
    completed = host.run(ARGV, timeout=DEADLINE)
    if isinstance(completed, Unavailable):
        return completed
    what = " ".join(ARGV)
    try:
        sections = parse(completed.stdout, what)
    except ValueError as error:
        return Unavailable(reason=Reason.MALFORMED, what=what, detail=str(error))
    devices = tuple(section for section in sections if section.kind == "devices/device")
    if not devices:
        complaint = completed.stderr.strip().partition("\n")[0][:200] or f"exit status {completed.status}"
        return Unavailable(reason=Reason.FAILED, what=what, detail=complaint)
    return MultipathConfiguration(files=(), sections=devices)
