"""The multipath map over a disk."""

from __future__ import annotations

import dataclasses

from sctune.model.block import BlockDevice, BlockKind
from sctune.model.dm import DmDevice, DmTarget, MultipathPath, MultipathStatus
from sctune.multipath_map import multipath_maps
from sctune.probes.block import kind_of
from sctune.unavailable import Reason, Unavailable

WWID = "3600508b400105e210000900000490000"


def block(name: str, device: tuple[int, int], slaves: tuple[str, ...] = (), **more: object) -> BlockDevice:
    plain = BlockDevice(
        name=name,
        kind=kind_of(name),
        device=device,
        size=1 << 30,
        read_only=False,
        removable=False,
        rotational=None,
        scheduler=None,
        schedulers=(),
        read_ahead=None,
        nr_requests=None,
        write_cache=None,
        logical_block_size=None,
        slaves=slaves,
        holders=(),
    )
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]


SDB = block("sdb", (8, 16), session=1, device_state="running")
SDC = block("sdc", (8, 32), session=2, device_state="transport-offline")
SDD = block("sdd", (8, 48))
MAP = block("dm-0", (253, 0), ("sdb", "sdc"))
LV = block("dm-1", (253, 1), ("sdd",))
STATUS = MultipathStatus(
    paths=(
        MultipathPath(device=(8, 16), active=True, failures=0),
        MultipathPath(device=(8, 32), active=False, failures=3),
        MultipathPath(device=(65, 0), active=False, failures=1),
    ),
    queues=True,
)
DM = DmDevice(
    name="mpatha",
    kernel_name="dm-0",
    uuid=f"mpath-{WWID}",
    device=(253, 0),
    size=1 << 30,
    suspended=False,
    targets=(DmTarget(start=0, length=1 << 30, kind="multipath", status=STATUS),),
)
LINEAR = dataclasses.replace(DM, name="vg-lv", kernel_name="dm-1", uuid="LVM-x", device=(253, 1), targets=())
BLOCKS = (SDB, SDC, SDD, MAP, LV)


def test_every_path_with_its_state() -> None:
    found = multipath_maps(BLOCKS, (LINEAR, DM)).get(SDC.device)
    assert found is not None
    assert (found.name, found.kernel_name, found.device, found.wwid, found.queues) == ("mpatha", "dm-0", (253, 0), WWID, True)
    assert [(p.name, p.active, p.failures, p.device_state, p.session) for p in found.paths] == [
        ("sdb", True, 0, "running", 1),
        ("sdc", False, 3, "transport-offline", 2),
        ("", False, 1, None, None),
    ]


def test_without_roots_rights_the_paths_are_known_and_their_use_is_not() -> None:
    denied = dataclasses.replace(DM, targets=Unavailable(reason=Reason.DENIED, what="device-mapper"))
    found = multipath_maps(BLOCKS, (LINEAR, denied)).get(SDB.device)
    assert found is not None
    assert [(p.name, p.active, p.failures, p.session) for p in found.paths] == [("sdb", None, None, 1), ("sdc", None, None, 2)]
    assert found.queues is None


def test_a_disk_under_no_map() -> None:
    assert multipath_maps(BLOCKS, (LINEAR, DM)).get(SDD.device) is None
    assert multipath_maps(BLOCKS, (LINEAR,)).get(SDB.device) is None
    assert SDB.kind is BlockKind.DISK
