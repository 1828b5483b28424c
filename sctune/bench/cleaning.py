"""Removing what a benchmark made: from the top of the chain down, whatever of it is there, and the note of it last.

Everything is found by names that hold the benchmark's own random number, and never by a device's number or a target's id, which may
be another's by now.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sctune.bench import notes
from sctune.tuning.writer import Refused
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sctune.bench.scratch import Scratch
    from sctune.bench.tools import Tools
    from sctune.inventory import Inventory
    from sctune.tuning.calls import Calls
    from sctune.tuning.writer import Writer

_PATIENCE = 10.0
"""Seconds for a device that something (udev, a reader that is just ending) still has open."""
_PAUSE = 0.2
_COPIES = ("/etc/lvm/backup", "/etc/lvm/archive")
"""Where LVM keeps them, unless it is told otherwise (lvm.conf(5), backup_dir and archive_dir)."""


def clean(scratch: Scratch, *, tools: Tools, calls: Calls, writer: Writer, look: Callable[[], Inventory]) -> tuple[str, ...]:
    """Removes all of it. A sentence for each thing that could not be: then its note stays, and the next run tries again."""
    problems = list(_without(scratch, tools, calls, look))
    if not problems:
        try:
            notes.remove(scratch, writer)
        except (OSError, Refused) as error:
            problems.append(f"{notes.path_of(scratch.id)}: {_words(error)}")
    return tuple(problems)


def _without(scratch: Scratch, tools: Tools, calls: Calls, look: Callable[[], Inventory]) -> Iterator[str]:
    for remove in (_target, _lv, _loops):
        try:
            yield from remove(scratch, tools, look)
        except Refused as error:
            yield error.message
    yield from _metadata(scratch, calls, look)
    (store,) = look().host.stat_files([scratch.store])
    if isinstance(store, Unavailable) and store.reason is not Reason.ABSENT:
        yield f"{scratch.folder}: {store}"  # a dead file system would hang us
        return
    try:
        _file(scratch, calls)
    except (OSError, Refused) as error:
        yield f"{scratch.folder}: {_words(error)}"


def _target(scratch: Scratch, tools: Tools, look: Callable[[], Inventory]) -> Iterator[str]:
    if scratch.control_port is None:
        return
    state = look().tgt
    if isinstance(state, Unavailable):
        if state.reason is not Reason.ABSENT:  # without a tgtd there is no target of one
            yield f"the target {scratch.iqn}: {state}"
        return
    for silent in state.unanswered:
        if silent.what.endswith(f".{scratch.control_port}"):
            yield f"the target {scratch.iqn}: {silent}"
    for target in state.targets:
        if target.iqn == scratch.iqn:
            admin = ("tgtadm", "-C", str(target.control_port), "--lld", "iscsi")
            tools.do(*admin, "--op", "delete", "--mode", "target", "--tid", str(target.tid), "--force")


def _lv(scratch: Scratch, tools: Tools, look: Callable[[], Inventory]) -> Iterator[str]:
    def there() -> bool:
        return any(device.name == scratch.dm_name for device in known(look().dm) or ())

    found = look().dm
    if isinstance(found, Unavailable):
        if found.reason is not Reason.ABSENT:
            yield f"the LV {scratch.dm_name}: {found}"
        return
    if there():
        tools.do("dmsetup", "remove", "--retry", scratch.dm_name)
        if there():
            yield f"the LV {scratch.dm_name} is still active"


def _loops(scratch: Scratch, tools: Tools, look: Callable[[], Inventory]) -> Iterator[str]:
    def names() -> tuple[str, ...]:
        state = known(look().loops)
        return tuple(one.name for one in state.devices if one.backing_file == scratch.file) if state is not None else ()

    state = look().loops
    if isinstance(state, Unavailable):
        if state.reason is not Reason.ABSENT:
            yield f"the loop device on {scratch.file}: {state}"
        return
    for name in names():
        tools.do("losetup", "--detach", f"/dev/{name}")
    until = time.monotonic() + _PATIENCE
    while remaining := names():
        if time.monotonic() >= until:
            yield f"/dev/{', /dev/'.join(remaining)}: something has it open; it goes when that ends"
            return
        time.sleep(_PAUSE)


def _metadata(scratch: Scratch, calls: Calls, look: Callable[[], Inventory]) -> Iterator[str]:
    """Copies of the VG's metadata. Our own commands make none; others on the host may, as the one by which udev activates LVs."""
    host = look().host
    for folder in _COPIES:
        names = host.list(folder)
        if isinstance(names, Unavailable):
            if names.reason is not Reason.ABSENT:
                yield f"copies of the metadata of {scratch.vg}: {names}"
            continue
        for name in names:
            if scratch.is_metadata(name):
                try:
                    calls.unlink(f"{folder}/{name}")
                except FileNotFoundError:
                    continue
                except OSError as error:
                    yield f"{folder}/{name}: {_words(error)}"


def _file(scratch: Scratch, calls: Calls) -> None:
    """The folder is ours alone, or it is not the one that we made."""
    try:
        found = os.lstat(scratch.folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Refused("it is not the folder that sctune made")
    with suppress(FileNotFoundError):
        calls.unlink(scratch.file)
    calls.remove_folder(scratch.folder)
    calls.sync_folder(scratch.store)


def _words(error: OSError | Refused) -> str:
    return error.message if isinstance(error, Refused) else (error.strerror or str(error)).lower()
