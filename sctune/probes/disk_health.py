"""Asks disks for their health: smartctl(8), or nvme(1) where only that is there. A sleeping disk is not woken.

Disks are asked side by side, those in use first, since one that fails may take seconds to answer.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sctune.disk_state import is_physical
from sctune.probes.smart_json import ASLEEP, parse_nvme, parse_smartctl
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.block import BlockDevice
    from sctune.model.disk_health import DiskHealth
    from sctune.model.store import Mount

SMARTCTL = ("smartctl", "--json=c", f"--nocheck=standby,{ASLEEP}", "--info", "--health", "--attributes")
NVME = ("nvme", "smart-log", "--output-format=json")
_AT_ONCE = 8
_SECONDS = 4.0
_ALL_SECONDS = 6.0


def probe(
    host: Host, blocks: tuple[BlockDevice, ...] | Unavailable, mounts: tuple[Mount, ...] | Unavailable
) -> tuple[DiskHealth | Unavailable, ...] | Unavailable:
    """An answer for each physical disk; absent where neither tool is installed, () where there is no such disk."""
    if isinstance(blocks, Unavailable):
        return blocks
    sources = () if isinstance(mounts, Unavailable) else tuple(mount.source.rpartition("/")[2] for mount in mounts)
    used = {device.name for device in blocks if device.holders or any(source.startswith(device.name) for source in sources)}
    names = sorted((device.name for device in blocks if is_physical(device)), key=lambda name: (name not in used, name))
    if not names:
        return ()
    # The first alone: where the tool is missing, it is missing for all.
    first = _ask(host, names[0])
    if isinstance(first, Unavailable) and first.reason is Reason.ABSENT and not any(name.startswith("nvme") for name in names):
        return first
    answers = {names[0]: first} | _ask_all(host, names[1:])
    if all(isinstance(answer, Unavailable) and answer.reason is Reason.ABSENT for answer in answers.values()):
        return Unavailable(reason=Reason.ABSENT, what="smartctl", detail="neither smartctl nor nvme is installed")
    return tuple(answers[name] for name in names)


def _ask_all(host: Host, names: list[str]) -> dict[str, DiskHealth | Unavailable]:
    answers: dict[str, DiskHealth | Unavailable] = {}
    pending = names[::-1]
    until = time.monotonic() + _ALL_SECONDS

    def work() -> None:
        while True:
            try:
                name = pending.pop()
            except IndexError:
                return
            if time.monotonic() > until:
                answers[name] = Unavailable(reason=Reason.NOT_COLLECTED, what=f"smartctl /dev/{name}", detail="the time was up")
            else:
                answers[name] = _ask(host, name)

    threads = [threading.Thread(target=work, daemon=True) for _ in names[:_AT_ONCE]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _ask(host: Host, name: str) -> DiskHealth | Unavailable:
    done = host.run((*SMARTCTL, f"/dev/{name}"), timeout=_SECONDS)
    if isinstance(done, Unavailable):
        absent = done.reason is Reason.ABSENT and name.startswith("nvme")
        return _ask_nvme(host, name) if absent else done
    what = f"smartctl /dev/{name}"
    try:
        return parse_smartctl(done.stdout, done.status, name)
    except ValueError:
        # Before 7.0 it has no --json, and says so.
        first = (done.stdout + done.stderr).strip().partition("\n")[0][:200]
        return Unavailable(reason=Reason.MALFORMED, what=what, detail=first or f"exit status {done.status}")


def _ask_nvme(host: Host, name: str) -> DiskHealth | Unavailable:
    done = host.run((*NVME, f"/dev/{name}"), timeout=_SECONDS)
    if isinstance(done, Unavailable):
        return done
    try:
        return parse_nvme(done.stdout, name)
    except ValueError:
        first = (done.stderr or done.stdout).strip().partition("\n")[0][:200]
        reason = Reason.DENIED if "ermission denied" in first else Reason.FAILED
        return Unavailable(reason=reason, what=f"nvme smart-log /dev/{name}", detail=first)
