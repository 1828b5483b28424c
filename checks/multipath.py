"""dm-multipath: every path of a map carries I/O."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Cause, Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.initiator import count, session_subject
from sctune.model.dm import MultipathStatus
from sctune.model.volume import VolumeState
from sctune.unavailable import Unavailable, known, need

if TYPE_CHECKING:
    from sctune.check import Look
    from sctune.findings import Finding
    from sctune.model.block import BlockDevice
    from sctune.model.dm import DmDevice, MultipathPath
    from sctune.model.initiator import IscsiSession

PATH_FAILED = Code(
    code="MULTIPATH_PATH_FAILED",
    severities=(Severity.WARNING,),
    title="A path to a disk under multipath has failed",
    meaning="The kernel has given up at least one path of a multipath map (state F of device-mapper) and sends I/O over the "
    "others, if there are any.",
    why="What multipath was set up for is gone: the next fault of a cable, switch or portal takes the disk away. Where no path is "
    "left, I/O fails, or waits without end.",
    thresholds="Any path in state F, seen twice.",
    see=("dmsetup status --target multipath", "multipath -ll", "grep . /sys/block/sd*/device/state"),
    remedy="Find out what the failed paths have in common (portal, network interface, switch) and mend that. multipathd takes a "
    "path back by itself when it answers again; where it does not run, start it.",
    risk=Risk.SAFE,
    source="Linux drivers/md/dm-mpath.c (multipath_status); multipath(8), multipathd(8)",
    confirm=True,
    volume=VolumeState.DEGRADED,
)


def paths(look: Look) -> Result:
    """Every path of every map."""
    inventory = look.inventory
    maps = [device for device in need(inventory.dm) if device.uuid.startswith("mpath-")]
    if not maps:
        return not_applicable("no disk is under multipath")
    disks = {device.device: device for device in known(inventory.block) or ()}
    sessions = {session.number: session for session in known(inventory.sessions) or ()}
    findings: list[Finding] = []
    unexamined: list[Unexamined] = []
    examined = 0
    for device in maps:
        if isinstance(device.targets, Unavailable):
            unexamined.append(Unexamined.of(device.targets))
            continue
        every = [path for target in device.targets if isinstance(target.status, MultipathStatus) for path in target.status.paths]
        examined += len(every)
        queues = any(isinstance(target.status, MultipathStatus) and target.status.queues for target in device.targets)
        if any(not path.active for path in every):
            findings.append(_failed(device, every, disks, sessions, queues=queues))
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _failed(
    device: DmDevice,
    every: list[MultipathPath],
    disks: dict[tuple[int, int], BlockDevice],
    sessions: dict[int, IscsiSession],
    *,
    queues: bool,
) -> Finding:
    failed = [path for path in every if not path.active]
    left = len(every) - len(failed)
    below = {path.device: disks.get(path.device) for path in failed}
    lost = [_session(disk, sessions) for disk in below.values()]
    effect = count(left, "path") + (" is left" if left == 1 else " are left")
    if not left:
        effect = "no path is left, and I/O " + ("waits" if queues else "fails")
    return PATH_FAILED.found(
        Subject(kind=SubjectKind.DISK, id=device.uuid.removeprefix("mpath-")),
        f"{device.name}: {len(failed)} of {count(len(every), 'path')} failed; {effect}",
        evidence(
            map=device.name,
            failed=tuple(_words(number, disk) for number, disk in below.items()),
            portals=tuple(dict.fromkeys(session.portal for session in lost if session is not None)),
            paths=len(every),
            paths_left=left,
            queues_without_path=queues,
            source=f"device-mapper status of {device.name}",
        ),
        commands=(f"multipath -ll {quote(device.name)}",),
        caused_by=_cause(lost),
    )


def _words(number: tuple[int, int], disk: BlockDevice | None) -> str:
    if disk is None:
        return f"{number[0]}:{number[1]}, which is gone"
    return f"{disk.name} {disk.device_state or ''}".strip()


def _session(disk: BlockDevice | None, sessions: dict[int, IscsiSession]) -> IscsiSession | None:
    return None if disk is None or disk.session is None else sessions.get(disk.session)


def _cause(lost: list[IscsiSession | None]) -> Cause | None:
    """The lost session, where each failed path came through one that is lost."""
    if any(session is None or session.state == "LOGGED_IN" for session in lost):
        return None
    first = next(session for session in lost if session is not None)
    return Cause(code="ISCSI_SESSION_FAILED", subject=session_subject(first))


CHECKS: tuple[Check, ...] = (
    Check(
        name="multipath-paths",
        title="Every path of a multipath map works",
        codes=(PATH_FAILED,),
        needs=("dm", "block", "sessions"),
        run=paths,
    ),
)
