"""What lies at the backing paths of tgtd's LUNs: asked in disposable children, since a path may lead to a dead mount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.base import FileKind
from sctune.model.target import Backing
from sctune.tgt_process import daemon_of
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sctune.host.base import FileStat, Host
    from sctune.model.process import Processes
    from sctune.model.target import Lun, TgtDaemon, TgtState

_NO_FILE = frozenset({"null", "sheepdog", "rbd", "glfs"})
"""Backing store types whose "path" is no path: nothing at all, an object's or an image's name (usr/bs_*.c)."""
_SECTOR = 512


def probe(
    host: Host,
    *,
    tgt: TgtState | Unavailable,
    processes: Callable[[], Processes | Unavailable],
    sizes: Mapping[tuple[int, int], int] | None = None,
) -> tuple[Backing, ...] | Unavailable:
    """A record for each path that some LUN names, each path once. A tgtd in another mount namespace (a container, a unit with
    PrivateTmp) sees other files than we do: what we do not see is looked for through its root as well. `processes` is asked
    for only then: the process table takes longer than the paths. `sizes` are those of block devices that this look knows
    already, in bytes, by (major, minor)."""
    if isinstance(tgt, Unavailable):
        return tgt
    daemons: dict[str, TgtDaemon] = {}
    for daemon in tgt.daemons:
        for target in daemon.targets:
            for lun in target.luns:
                if is_file(lun):
                    daemons.setdefault(lun.backing_path, daemon)
    paths = tuple(daemons)
    stats = dict(zip(paths, host.stat_files(paths), strict=True)) if paths else {}
    missing = tuple(path for path, stat in stats.items() if _missing(stat))
    if missing:
        table = processes()
        roots = {daemon.control_port: _other_root(host, daemon, table) for daemon in tgt.daemons}
        again = {path: root + path for path in missing if (root := roots[daemons[path].control_port])}
        through = host.stat_files(tuple(again.values())) if again else ()
        stats.update((path, stat) for path, stat in zip(again, through, strict=True) if not _missing(stat))
    return tuple(Backing(path=path, stat=stat, device_size=_device_size(host, stat, sizes or {})) for path, stat in stats.items())


def is_file(lun: Lun) -> bool:
    """Whether a LUN's backing path is the path of a file or device."""
    return lun.backing_path.startswith("/") and lun.backing_type not in _NO_FILE and lun.kind != "passthrough"


def _missing(stat: FileStat | Unavailable) -> bool:
    return isinstance(stat, Unavailable) and stat.reason is Reason.ABSENT


def _other_root(host: Host, daemon: TgtDaemon, processes: Processes | Unavailable) -> str:
    """/proc/PID/root of a daemon that lives in another mount namespace than we do; "" for all others."""
    process = daemon_of(daemon.control_port, known(processes))
    if process is None:
        return ""
    ours, theirs = host.readlink("/proc/self/ns/mnt"), host.readlink(f"/proc/{process.pid}/ns/mnt")
    if isinstance(ours, Unavailable) or isinstance(theirs, Unavailable) or ours == theirs:
        return ""
    return f"/proc/{process.pid}/root"


def _device_size(host: Host, stat: FileStat | Unavailable, sizes: Mapping[tuple[int, int], int]) -> int | Unavailable | None:
    if isinstance(stat, Unavailable) or stat.kind is not FileKind.BLOCK or stat.rdevice is None:
        return None
    if (size := sizes.get(stat.rdevice)) is not None:
        return size
    path = f"/sys/dev/block/{stat.rdevice[0]}:{stat.rdevice[1]}/size"
    text = host.read(path)
    if isinstance(text, Unavailable):
        return text
    sectors = text.strip()
    if not (sectors.isascii() and sectors.isdecimal()):
        return Unavailable(reason=Reason.MALFORMED, what=path, detail="not a number")
    return int(sectors) * _SECTOR
