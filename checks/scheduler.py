"""The I/O scheduler of each device that volumes pass through, judged by what kind of device it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.device_subject import DeviceSubjects
from sctune.findings import Code, Finding, Risk, Severity, Subject, evidence
from sctune.model.block import BlockKind
from sctune.records import dataclass
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.storage_path import behind_controller, devices_in_use
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.model.block import BlockDevice

# The single-queue schedulers of kernels before 5.0, and what took their place.
_SUCCESSORS = {"noop": "none", "deadline": "mq-deadline", "cfq": "bfq"}
UNSUITABLE = Code(
    code="BLOCK_SCHEDULER_UNSUITABLE",
    severities=(Severity.INFO, Severity.WARNING),
    title="The I/O scheduler does not suit the device",
    meaning="A device that volumes pass through has a scheduler made for another kind of device.",
    why="A rotating disk needs its requests sorted and its reads protected from floods of writes; without that, several volumes "
    "on one disk starve each other. On a loop device, in front of another scheduler, or on a device that is faster than the "
    "scheduler's lock, sorting again only costs time. bfq shares a disk fairly between an interactive user's programs, and here "
    "all I/O is one program's (tgtd or the loop driver).",
    thresholds="Loop devices: none. NVMe: none or kyber. Rotating SATA and SAS disks: mq-deadline. SSDs: none, mq-deadline or "
    "kyber. Virtual disks, array and RAID LUNs, iSCSI disks, request-based multipath: none or mq-deadline. The old noop, "
    "deadline and cfq count as none, mq-deadline and bfq. Device-mapper and md without requests of their own have no scheduler "
    "and are not judged, nor are the paths under a multipath device, nor devices that carry no volume.",
    see=("grep . /sys/block/*/queue/scheduler /sys/block/*/queue/rotational", "lsblk -o NAME,ROTA,SCHED,TRAN,MODEL"),
    remedy="Set the scheduler (it acts at once, I/O in flight is not lost) and keep it by a udev rule.",
    risk=Risk.SAFE,
    source="Linux Documentation/block/switching-sched.rst and deadline-iosched.rst; drivers/block/loop.c "
    "(BLK_MQ_F_NO_SCHED_BY_DEFAULT); Red Hat Enterprise Linux, Monitoring and managing system status and performance: disk "
    "schedulers by use case",
    advice=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What suits a kind of device: `good` ones, the best first; why; and the udev match for the kind, "" where there is none."""

    good: tuple[str, ...]
    why: str
    udev: str


_LOOP = _Rule(good=("none",), why="a loop device: the disk under its file sorts already", udev='KERNEL=="loop[0-9]*"')
_NVME = _Rule(good=("none", "kyber"), why="an NVMe device: faster than sorting, with queues of its own", udev='KERNEL=="nvme*n*"')
_VIRTUAL = _Rule(good=("none", "mq-deadline"), why="a virtual disk: the host under it schedules too", udev='KERNEL=="vd*|xvd*"')
_REMOTE = _Rule(good=("none", "mq-deadline"), why="a LUN of an array or controller that schedules by itself", udev="")
_MULTIPATH = _Rule(good=("none", "mq-deadline"), why="a multipath device: its paths and their array schedule too", udev="")
_ROTATING = _Rule(
    good=("mq-deadline",),
    why="a rotating disk: unsorted requests make its head travel, and writes starve reads",
    udev='KERNEL=="sd*", ATTR{queue/rotational}=="1"',
)
_SOLID = _Rule(
    good=("none", "mq-deadline", "kyber"),
    why="a solid-state disk: sharing it fairly between programs costs more than it gives",
    udev='KERNEL=="sd*", ATTR{queue/rotational}=="0"',
)


def run(look: Look) -> Result:
    """Judges each device under served volumes."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    blocks = need(look.inventory.block)
    stores = look.inventory.stores
    unexamined = [Unexamined.of(stores)] if isinstance(stores, Unavailable) and stores.reason is not Reason.ABSENT else []
    chains = need(look.inventory.chains)
    devices, unknown = devices_in_use(blocks, chains.chains, known(stores) or ())
    unexamined += [Unexamined.of(item) for item in unknown]
    # A request-based map hands requests to its paths past their schedulers.
    paths = {slave for device in devices if device.kind is BlockKind.DM and _has_requests(device) for slave in device.slaves}
    examined = 0
    unsuited: list[tuple[BlockDevice, _Rule]] = []
    for device in devices:
        if device.scheduler is None or not _has_requests(device) or device.name in paths:
            continue
        rule = _rule(device)
        if rule is None:
            if device.kind is BlockKind.DISK:
                unexamined.append(Unexamined(what=f"/sys/block/{device.name}/queue/rotational", reason=Reason.NOT_COLLECTED))
            continue
        examined += 1
        if _SUCCESSORS.get(device.scheduler, device.scheduler) not in rule.good:
            unsuited.append((device, rule))
    subjects = DeviceSubjects(look.inventory) if unsuited else None
    findings = tuple(_finding(look, device, rule, subjects.of(device)) for device, rule in unsuited if subjects is not None)
    return Result(examined=examined, findings=findings, unexamined=tuple(unexamined))


def _has_requests(device: BlockDevice) -> bool:
    """Whether there is a choice at all: bio-based device-mapper and md have no requests of their own."""
    return not set(device.schedulers) <= {"none"}


def _rule(device: BlockDevice) -> _Rule | None:
    match device.kind:
        case BlockKind.LOOP:
            return _LOOP
        case BlockKind.NVME if not device.rotational:
            return _NVME
        case BlockKind.VIRTIO:
            return _VIRTUAL
        case BlockKind.DM:
            return _MULTIPATH
        case BlockKind.DISK | BlockKind.NVME:
            return _disk_rule(device)
        case _:
            return None


def _disk_rule(device: BlockDevice) -> _Rule | None:
    if behind_controller(device):
        return _REMOTE
    if device.rotational is None:
        return None
    return _ROTATING if device.rotational else _SOLID


def _finding(look: Look, device: BlockDevice, rule: _Rule, subject: Subject) -> Finding:
    best = _available(device, rule.good)
    commands: list[str] = []
    if best not in device.schedulers:
        commands.append(f"modprobe {best}")
    commands.append(f"echo {best} > /sys/block/{device.name}/queue/scheduler")
    if rule.udev:
        line = f'ACTION=="add|change", SUBSYSTEM=="block", ENV{{DEVTYPE}}=="disk", {rule.udev}, ATTR{{queue/scheduler}}="{best}"'
        file = f"/etc/udev/rules.d/61-scheduler-{device.kind}-{'rotating' if rule is _ROTATING else 'default'}.rules"
        commands.append(f"printf '%s\\n' '{line}' > {file}")
    return UNSUITABLE.found(
        subject,
        f"{device.name} has {device.scheduler}, {best} suits it: it is {rule.why}",
        evidence(
            device=device.name,
            scheduler=device.scheduler,
            suitable=rule.good,
            available=device.schedulers,
            rotational=device.rotational,
            model=device.model,
            source=f"/sys/block/{device.name}/queue/scheduler",
        ),
        severity=Severity.WARNING if UNSUITABLE.code in look.config.wanted else Severity.INFO,
        commands=tuple(commands),
    )


def _available(device: BlockDevice, good: tuple[str, ...]) -> str:
    """The best scheduler in the names this kernel has."""
    old = {new: name for name, new in _SUCCESSORS.items()}
    for name in good:
        if name in device.schedulers:
            return name
        if old.get(name) in device.schedulers:
            return old[name]
    return good[0]


CHECKS = (
    Check(
        name="block-scheduler",
        title="I/O schedulers of the devices under volumes",
        codes=(UNSUITABLE,),
        needs=("block", "chains", "stores", "tgt", "lio", "processes", "loops", "dm", "disk_ids"),
        run=run,
    ),
)
