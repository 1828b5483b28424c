"""Composed records of a host that serves volumes, for tests of checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.choose import GENERIC
from sctune.backends.eucalyptus import ERA_33, EucalyptusDas, EucalyptusOverlay
from sctune.check import Look, Result
from sctune.config.model import Config
from sctune.findings import Subject, SubjectKind
from sctune.inventory import Inventory
from sctune.model.block import BlockDevice, BlockKind
from sctune.model.chain import Chain, Chains
from sctune.model.loop import LoopDevice, LoopState
from sctune.model.lvm import LogicalVolume
from sctune.model.process import Processes
from sctune.model.store import StoreFile
from sctune.model.target import TgtState
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.backends.base import Backend

OVERLAY = EucalyptusOverlay(era=ERA_33)
DAS = EucalyptusDas(era=ERA_33)
GIB = 1024**3
MIB = 1024**2
STORE = "/var/lib/eucalyptus/volumes"
NO_TGT = Unavailable(reason=Reason.ABSENT, what="tgtd")
DENIED = Unavailable(reason=Reason.DENIED, what="/var/run/tgtd/socket.0")
NO_PROCESSES = Processes(tgtd=(), iscsid=(), tuned=(), eucalyptus=(), copies=(), tgtadm=(), lvm=())
IDLE_TGT = TgtState(daemons=(), unanswered=(), stale=())


def file(name: str, apparent: int, *, inode: int = 0, allocated: int = 4096) -> StoreFile:
    return StoreFile(
        path=f"{STORE}/{name}",
        name=name,
        apparent=apparent,
        allocated=allocated,
        device=2049,
        inode=inode or hash(name) % 10**9,
        mtime=1.0,
    )


def lv(name: str, size: int, vg: str = "vg") -> LogicalVolume:
    return LogicalVolume(
        uuid=f"uuid-{name}",
        name=name,
        vg=vg,
        vg_uuid="vg-uuid",
        path=f"/dev/{vg}/{name}",
        dm_path=f"/dev/mapper/{vg}-{name}",
        attr="-wi-a-----",
        size=size,
        layout=("linear",),
        origin="",
        pool="",
        tags=(),
        active=True,
        suspended=False,
        open=False,
        device=(253, 0),
        snap_percent=None,
        data_percent=None,
        metadata_percent=None,
        snapshot_invalid=None,
        health="",
        segment_types=("linear",),
        pv_uuids=(),
        created=None,
    )


def loop(number: int, size: int, backing: str = f"{STORE}/vol-00000001") -> LoopDevice:
    return LoopDevice(
        name=f"loop{number}",
        number=number,
        backing_file=backing,
        deleted=False,
        backing=Unavailable(reason=Reason.ABSENT, what=backing),
        size=size,
        offset=0,
        sizelimit=0,
        autoclear=False,
        direct_io=False,
        read_only=False,
        logical_block_size=512,
    )


def chain(
    volume: str = "vol-00000001",
    size: int | None = 5 * GIB,
    *,
    backend: Backend = OVERLAY,
    ours: bool = True,
    **links: object,
) -> Chain:
    """A volume of a logical size, as its backend keeps it; links override."""
    overlay = backend.name == "eucalyptus-overlay"
    parts: dict[str, object] = {
        "file": file(volume, size + 4 * MIB) if overlay and size is not None else None,
        "loops": (),
        "pvs": (),
        "lv": lv(f"euca-{volume}", size) if not overlay and size is not None else None,
        "dm": None,
        "snapshots": (),
        "exports": (),
        "disks": (),
        "copies": (),
    }
    kind = SubjectKind.VOLUME if ours else SubjectKind.LV
    return Chain(id=volume, subject=Subject(kind=kind, id=volume), backend=backend, ours=ours, **{**parts, **links})  # type: ignore[arg-type]


def chains(
    *members: Chain, by_loop: Mapping[str, Chain] | None = None, by_export: Mapping[tuple[str, int], Chain] | None = None
) -> Chains:
    backends = tuple({member.backend.name: member.backend for member in members if member.ours}.values())
    return Chains(
        chains=members,
        backends=(*backends, GENERIC),
        by_loop=by_loop or {},
        by_lv={},
        by_export=by_export or {},
        snapshot_subjects={},
    )


def block(name: str, kind: BlockKind, scheduler: str | None = "none", **facts: object) -> BlockDevice:
    fields: dict[str, object] = {
        "device": (8, 0),
        "size": GIB,
        "read_only": False,
        "removable": False,
        "rotational": False,
        "schedulers": ("none", "mq-deadline", "kyber", "bfq"),
        "read_ahead": 131072,
        "nr_requests": 256,
        "write_cache": "write back",
        "logical_block_size": 512,
        "slaves": (),
        "holders": (),
    }
    return BlockDevice(name=name, kind=kind, scheduler=scheduler, **{**fields, **facts})  # type: ignore[arg-type]


def look(config: Config | None = None, host: FakeHost | None = None, **parts: object) -> Look:
    """A look at a host that serves one volume, unless `parts` of the inventory say otherwise."""
    chosen = config or Config()
    inventory = Inventory(host or FakeHost(), chosen, strict=True)
    defaults: dict[str, object] = {
        "chains": chains(chain()),
        "tgt": NO_TGT,
        "lio": (),
        "processes": NO_PROCESSES,
        "cloud": Unavailable(reason=Reason.ABSENT, what="/etc/eucalyptus/eucalyptus-version"),
        "stores": (),
        "loops": LoopState(devices=(), nodes=0, max_loop=0, control=True),
        "dm": (),
        "memory": Unavailable(reason=Reason.ABSENT, what="/proc/meminfo"),
    }
    inventory.parts.update({**defaults, **parts})
    return Look(inventory=inventory, config=chosen)


def look_at(parts: Mapping[str, object]) -> Look:
    """The same, with the parts in a mapping."""
    found = look()
    found.inventory.parts.update(parts)
    return found


def codes(result: Result) -> list[tuple[str, str, str]]:
    """(code, severity, subject id) of the findings, sorted."""
    return sorted((finding.code, str(finding.severity), finding.subject.id) for finding in result.findings)
