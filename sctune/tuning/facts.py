"""What a plan is made of: the host's answers to what one profile asks, and no more than that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.block import BlockKind
from sctune.model.report import Role
from sctune.probes.attribute import unsigned
from sctune.probes.memory import CMDLINE, boot_argument, read_huge_pages
from sctune.records import dataclass
from sctune.sysctl import knob_of
from sctune.tuning.operations import FileState
from sctune.tuning.paths import FOLDERS, OURS, paths_of
from sctune.tuning.schema import Attribute, Section
from sctune.tuning.select import Attachment, Traits
from sctune.tuning.tuned_view import look, ours
from sctune.tuning.value import Amounts
from sctune.tuning.via import Via
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sctune.host.base import Host
    from sctune.inventory import Inventory
    from sctune.model.block import BlockDevice
    from sctune.model.loop import LoopState
    from sctune.model.store import Mount
    from sctune.model.sysctl import SysctlState
    from sctune.model.system import Tuned
    from sctune.model.target import TgtState
    from sctune.model.tgt_tuning import TargetParameters, TgtVersion
    from sctune.model.tuned import TunedProfile
    from sctune.tuning.iscsi.view import View
    from sctune.tuning.model import Options
    from sctune.tuning.schema import Profile
    from sctune.tuning.tuned_view import TunedView

CPUS = "/sys/devices/system/cpu"
NOT_ASKED = Unavailable(reason=Reason.NOT_COLLECTED, what="no setting of this profile asks for it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A knob that offers words, of which one is in force. `offered` () where the kernel does not list them."""

    path: str
    current: str
    offered: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The largest request of a device in KiB, as it is set and as its hardware takes it; None where it was not read."""

    now: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Answers for one profile. What no setting asks for was not read. `attachments` and `transfers` are by device name,
    `modules` by MODULE.PARAMETER, `files` by path (None: there is none). `others` are files of other profiles of sctune's.
    `tgtds`: by control port, a file of the tgtd that has it, and what that reads as long as this tgtd lives.
    `at_boot` is what the kernel's command line says of huge pages. `tuned_files` are profiles of sctune's that tuned has; `via` is
    how things stand with tuned, None where nothing is to be done through it."""

    traits: Traits
    amounts: Amounts
    privileged: bool
    sysctl: SysctlState | Unavailable
    devices: tuple[BlockDevice, ...] | Unavailable
    attachments: Mapping[str, Attachment]
    transfers: Mapping[str, Transfer]
    huge_pages: Choice | Unavailable
    at_boot: str | None
    governors: tuple[Choice, ...] | Unavailable
    loops: LoopState | Unavailable
    tgt: TgtState | Unavailable
    targets: tuple[TargetParameters, ...] | Unavailable
    tgt_version: TgtVersion | Unavailable
    tgtds: Mapping[int, tuple[str, str]]
    iscsi: View | None
    modules: Mapping[str, str | Unavailable]
    tuned: Tuned | Unavailable
    tuned_profile: TunedProfile | Unavailable
    tuned_files: tuple[str, ...]
    via: TunedView | None
    mounts: tuple[Mount, ...] | Unavailable
    files: Mapping[str, FileState | Unavailable | None]
    others: tuple[str, ...]
    scsi_timeout: float
    excessive: int


def gather(inventory: Inventory, profile: Profile, options: Options) -> Facts:
    """Asks the host what this profile's settings depend on."""
    host, sections = inventory.host, {setting.section for setting in profile.settings}
    block = profile.of(Section.BLOCK)
    devices = inventory.queues if block else NOT_ASKED
    names = [device.name for device in known(devices) or () if device.kind is not BlockKind.OTHER]
    identity = inventory.identity
    memory = known(inventory.memory)
    thresholds = inventory.config.thresholds
    tgt = Section.TGT in sections
    via = look(inventory, profile.name) if options.via is Via.TUNED else None
    paths = (*paths_of(profile.name), *(() if via is None else (via.path,)))
    return Facts(
        traits=Traits(
            roles=_roles(inventory) if any(setting.when.roles for setting in profile.settings) else (Role.GENERIC,),
            memory=memory.total if memory is not None else None,
            kernel=identity.kernel,
        ),
        amounts=Amounts(
            memory=memory.total if memory is not None else None,
            flush_speed=inventory.config.flush_speed if options.flush_speed is None else options.flush_speed,
        ),
        privileged=identity.privileged,
        sysctl=_sysctl(host, profile) if Section.SYSCTL in sections else NOT_ASKED,
        devices=devices,
        attachments=_attachments(
            host,
            names,
            paths=any(setting.when.transports for setting in block),
            drivers=any(setting.when.drivers for setting in block),
        ),
        transfers=_transfers(host, names) if any(item.attribute is Attribute.MAX_SECTORS_KB for item in block) else {},
        huge_pages=_huge_pages(host) if Section.SYSTEM in sections else NOT_ASKED,
        at_boot=boot_argument(known(host.read(CMDLINE)) or "", "transparent_hugepage") if Section.SYSTEM in sections else None,
        governors=_governors(host) if Section.SYSTEM in sections else NOT_ASKED,
        loops=inventory.loops if Section.LOOP in sections else NOT_ASKED,
        tgt=inventory.tgt if tgt else NOT_ASKED,
        targets=inventory.tgt_parameters if tgt else NOT_ASKED,
        tgt_version=inventory.tgt_version if tgt else NOT_ASKED,
        tgtds=_tgtds(inventory) if tgt else {},
        iscsi=_iscsi(inventory, profile) if Section.ISCSI in sections else None,
        modules={setting.name: _parameter(host, setting.name) for setting in profile.of(Section.MODULE)},
        tuned=inventory.tuned,
        tuned_profile=inventory.tuned_profile,
        tuned_files=ours(host),
        via=via,
        mounts=inventory.mounts,
        files={path: _file(host, path) for path in paths},
        others=_others(host, profile.name),
        scsi_timeout=thresholds.scsi_command_timeout_seconds,
        excessive=thresholds.dirty_limit_excessive_bytes,
    )


def _roles(inventory: Inventory) -> tuple[Role, ...]:
    from sctune.doctor import roles

    return roles(inventory)


def _sysctl(host: Host, profile: Profile) -> SysctlState | Unavailable:
    from sctune.probes.sysctl import probe

    return probe(host, tuple(dict.fromkeys(key for setting in profile.of(Section.SYSCTL) for key in knob_of(setting.name))))


def _iscsi(inventory: Inventory, profile: Profile) -> View:
    from sctune.probes.iscsid_conf import CONFIGURATION
    from sctune.tuning.iscsi.view import look

    return look(inventory, _file(inventory.host, CONFIGURATION), [setting.name for setting in profile.of(Section.ISCSI)])


def _tgtds(inventory: Inventory) -> dict[int, tuple[str, str]]:
    """A target's number and what is set on it go with their tgtd: another process is another daemon."""
    from sctune.tgt_process import control_port_of

    processes = known(inventory.processes)
    return {
        control_port_of(process): (f"/proc/{process.pid}/comm", "tgtd")
        for process in (processes.tgtd if processes is not None else ())
    }


def _attachments(host: Host, names: Sequence[str], *, paths: bool, drivers: bool) -> dict[str, Attachment]:
    """Where devices hang. Each costs a readlink, and a driver one for each thing that it hangs on."""
    if not (paths or drivers):
        return {}
    found: dict[str, Attachment] = {}
    known_drivers: dict[str, str] = {}
    for name in names:
        link = host.readlink(f"/sys/block/{name}")
        if isinstance(link, Unavailable):
            continue
        path = "/" + re.sub(r"^(?:\.\./)+", "", link)
        mine = frozenset(_drivers(host, path, known_drivers)) if drivers else frozenset()
        found[name] = Attachment(path=path, drivers=mine)
    return found


def _drivers(host: Host, path: str, seen: dict[str, str]) -> list[str]:
    """The drivers of a device and of its parents, as udev's DRIVERS looks for them."""
    parts = path.strip("/").split("/")
    found = []
    for depth in range(len(parts), 2, -1):
        folder = "/sys/" + "/".join(parts[:depth])
        if folder not in seen:
            link = host.readlink(f"{folder}/driver")
            seen[folder] = "" if isinstance(link, Unavailable) else link.rpartition("/")[2]
        if seen[folder]:
            found.append(seen[folder])
    return found


def _transfers(host: Host, names: Sequence[str]) -> dict[str, Transfer]:
    return {
        name: Transfer(
            now=unsigned(host.read(f"/sys/block/{name}/queue/max_sectors_kb")),
            most=unsigned(host.read(f"/sys/block/{name}/queue/max_hw_sectors_kb")),
        )
        for name in names
    }


def _huge_pages(host: Host) -> Choice | Unavailable:
    found = read_huge_pages(host)
    if isinstance(found, Unavailable):
        return found
    folder, current, offered = found
    return Choice(path=f"{folder}/enabled", current=current, offered=offered)


def _governors(host: Host) -> tuple[Choice, ...] | Unavailable:
    """The policies that processors share, or the processors where kernels before 4.3 have no policies."""
    from sctune.probes.governor import policies

    names = host.list(CPUS)
    if isinstance(names, Unavailable):
        return names
    found = []
    for folder in policies(host, tuple(name for name in names if name.startswith("cpu") and name[3:].isdecimal())):
        path = f"{folder}/scaling_governor"
        text = host.read(path)
        if isinstance(text, Unavailable):
            if text.reason is Reason.ABSENT:  # an offline CPU has a folder and no policy
                continue
            return text
        offered = known(host.read(f"{folder}/scaling_available_governors")) or ""
        found.append(Choice(path=path, current=text.strip(), offered=tuple(offered.split())))
    return tuple(found)


def _parameter(host: Host, name: str) -> str | Unavailable:
    module, _, parameter = name.partition(".")
    text = host.read(f"/sys/module/{module.replace('-', '_')}/parameters/{parameter}")
    return text if isinstance(text, Unavailable) else text.strip()


def _file(host: Host, path: str) -> FileState | Unavailable | None:
    text = host.read(path)
    if isinstance(text, Unavailable):
        return None if text.reason is Reason.ABSENT else text
    status = known(host.stat(path))
    return FileState(
        content=text.encode("utf-8", "surrogateescape"),
        mode=status.mode & 0o7777 if status is not None else 0o644,
        uid=status.uid if status is not None else 0,
        gid=0,
    )


def _others(host: Host, name: str) -> tuple[str, ...]:
    """Files of other profiles: two at once undo each other."""
    mine = paths_of(name)
    found = []
    for folder in FOLDERS:
        names = host.list(folder)
        if not isinstance(names, Unavailable):
            found += [f"{folder}/{one}" for one in names if OURS.match(one) and f"{folder}/{one}" not in mine]
    return tuple(found)
