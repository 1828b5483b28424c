from __future__ import annotations

import dataclasses

import pytest

from sctune.checks import scheduler as topic
from sctune.config.model import Config
from sctune.model.block import BlockDevice, BlockKind
from sctune.model.dm import DmDevice
from sctune.model.loop import LoopState
from sctune.model.lvm import PhysicalVolume
from sctune.model.store import Mount, StoreOrigin, VolumeStore
from sctune.probes.disk_ids import probe as disk_ids
from sctune.storage_path import whole_disk
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.serving_hosts import STORE, block, chain, chains, codes, look, loop

UNKNOWN = Unavailable(reason=Reason.NOT_COLLECTED, what=STORE)


def store(source: str, device: tuple[int, int], filesystem: str = "ext4") -> VolumeStore:
    mount = Mount(point="/", device=device, filesystem=filesystem, source=source, options=("rw",))
    return VolumeStore(path=STORE, origin=StoreOrigin.BACKEND, mount=mount, space=UNKNOWN, files=UNKNOWN)


def disk(scheduler: str | None, kind: BlockKind = BlockKind.DISK, name: str = "sda", **facts: object) -> BlockDevice:
    return block(name, kind, scheduler, **facts)


def judged(device: BlockDevice, config: Config | None = None) -> list[tuple[str, str, str]]:
    """The findings where this device carries the store."""
    result = topic.run(look(config, block=(device,), stores=(store(f"/dev/{device.name}", device.device),)))
    return codes(result)


BAD = [("BLOCK_SCHEDULER_UNSUITABLE", "info", "sda")]


@pytest.mark.parametrize(
    ("scheduler", "facts", "suits"),
    [
        ("mq-deadline", {"rotational": True}, True),
        ("none", {"rotational": True}, False),
        ("bfq", {"rotational": True}, False),
        ("kyber", {"rotational": True}, False),
        ("none", {"rotational": False}, True),
        ("mq-deadline", {"rotational": False}, True),
        ("kyber", {"rotational": False}, True),
        ("bfq", {"rotational": False}, False),
        ("none", {"rotational": True, "model": "PERC H730 Mini"}, True),
        ("none", {"rotational": True, "model": "QEMU HARDDISK"}, True),
        ("bfq", {"rotational": True, "model": "VIRTUAL-DISK"}, False),
        ("none", {"rotational": True, "session": 1}, True),
        ("deadline", {"rotational": True, "schedulers": ("noop", "deadline", "cfq")}, True),
        ("noop", {"rotational": False, "schedulers": ("noop", "deadline", "cfq")}, True),
        ("cfq", {"rotational": True, "schedulers": ("noop", "deadline", "cfq")}, False),
    ],
)
def test_scsi_and_ata_disks(scheduler: str, facts: dict[str, object], suits: bool) -> None:
    assert judged(block("sda", BlockKind.DISK, scheduler, **facts)) == ([] if suits else BAD)


@pytest.mark.parametrize(
    ("kind", "scheduler", "suits"),
    [
        (BlockKind.NVME, "none", True),
        (BlockKind.NVME, "kyber", True),
        (BlockKind.NVME, "mq-deadline", False),
        (BlockKind.NVME, "bfq", False),
        (BlockKind.VIRTIO, "none", True),
        (BlockKind.VIRTIO, "mq-deadline", True),
        (BlockKind.VIRTIO, "bfq", False),
        (BlockKind.OTHER, "bfq", True),
    ],
)
def test_other_disks(kind: BlockKind, scheduler: str, suits: bool) -> None:
    assert judged(disk(scheduler, kind)) == ([] if suits else BAD)


def test_old_names_in_the_remedy() -> None:
    device = disk("cfq", rotational=True, schedulers=("noop", "deadline", "cfq"))
    result = topic.run(look(block=(device,), stores=(store("/dev/sda1", (8, 1)),)))
    assert result.findings[0].remedy.commands[0] == "echo deadline > /sys/block/sda/queue/scheduler"


def test_a_scheduler_that_is_not_loaded() -> None:
    device = disk("none", rotational=True, schedulers=("none", "bfq"))
    result = topic.run(look(block=(device,), stores=(store("/dev/sda1", (8, 1)),)))
    assert result.findings[0].remedy.commands[:2] == ("modprobe mq-deadline", "echo mq-deadline > /sys/block/sda/queue/scheduler")
    assert "ATTR{queue/rotational}" in result.findings[0].remedy.commands[2]


def test_wanted_is_a_warning() -> None:
    config = Config(wanted=frozenset({"BLOCK_SCHEDULER_UNSUITABLE"}))
    assert judged(disk("none", rotational=True), config) == [("BLOCK_SCHEDULER_UNSUITABLE", "warning", "sda")]


def test_bio_based_device_mapper_is_not_judged_and_its_disks_are() -> None:
    mapped = block("dm-0", BlockKind.DM, None, device=(253, 0), schedulers=(), slaves=("sda",))
    none_only = dataclasses.replace(mapped, scheduler="none", schedulers=("none",))
    for device in (mapped, none_only):
        result = topic.run(look(block=(device, disk("none", rotational=True)), stores=(store("/dev/mapper/vg-root", (253, 0)),)))
        assert (result.examined, codes(result)) == (1, BAD)


def test_multipath_is_judged_by_its_map_and_not_by_its_paths() -> None:
    paths = tuple(disk("none", name=name, device=(8, minor), rotational=True) for minor, name in ((0, "sda"), (16, "sdb")))
    mapped = block("dm-0", BlockKind.DM, "bfq", device=(253, 0), slaves=("sda", "sdb"))
    dm = DmDevice(name="mpatha", kernel_name="dm-0", uuid="mpath-3600", device=(253, 0), size=1, suspended=False, targets=())
    carried = (store("/dev/mapper/mpatha", (253, 0)),)
    result = topic.run(look(block=(*paths, mapped), stores=carried, dm=(dm,)))
    assert (result.examined, codes(result)) == (1, [("BLOCK_SCHEDULER_UNSUITABLE", "info", "mpatha")])
    good = dataclasses.replace(mapped, scheduler="mq-deadline")
    assert codes(topic.run(look(block=(*paths, good), stores=carried, dm=(dm,)))) == []


def test_loops_of_volumes_are_judged_and_idle_ones_are_not() -> None:
    used, snap = loop(0, 5), loop(1, 5, "/var/lib/snapd/core.snap")
    volume = chain(loops=(used,))
    devices = tuple(block(f"loop{number}", BlockKind.LOOP, "bfq", device=(7, number)) for number in range(3))
    state = LoopState(devices=(used, snap), nodes=3, max_loop=0, control=True)
    result = topic.run(look(block=devices, chains=chains(volume, by_loop={"loop0": volume}), loops=state))
    assert (result.examined, codes(result)) == (1, [("BLOCK_SCHEDULER_UNSUITABLE", "info", "vol-00000001")])
    assert result.findings[0].remedy.commands[0] == "echo none > /sys/block/loop0/queue/scheduler"


def test_disks_that_carry_nothing_are_not_judged() -> None:
    other = disk("none", name="sdb", device=(8, 16), rotational=True)
    result = topic.run(look(block=(disk("mq-deadline", rotational=True), other), stores=(store("/dev/sda1", (8, 1)),)))
    assert (result.examined, codes(result)) == (1, [])


def test_a_disk_that_is_a_pv_of_a_das_volume() -> None:
    pv = PhysicalVolume(uuid="u", path="/dev/sda3", device=(8, 3), vg="vg", size=1, free=0, missing=False, duplicate=False)
    result = topic.run(look(block=(disk("none", rotational=True),), chains=chains(chain(pvs=(pv,)))))
    assert codes(result) == BAD


def test_a_network_store_has_no_disk() -> None:
    result = topic.run(look(block=(disk("none", rotational=True),), stores=(store("server:/export", (0, 50), "nfs4"),)))
    assert (result.examined, codes(result), result.unexamined) == (0, [], ())


def test_by_id_names() -> None:
    host = FakeHost(
        links={
            "/dev/disk/by-id/wwn-0x5000": "../../sda",
            "/dev/disk/by-id/ata-WDC_WD40_SERIAL": "../../sda",
            "/dev/disk/by-id/ata-WDC_WD40_SERIAL-part1": "../../sda1",
            "/dev/disk/by-id/nvme-eui.0025": "../../nvme0n1",
            "/dev/disk/by-id/nvme-Samsung_SSD": "../../nvme0n1",
            "/dev/disk/by-id/dm-name-vg-root": "../../dm-0",
        }
    )
    assert disk_ids(host) == {"sda": "ata-WDC_WD40_SERIAL", "nvme0n1": "nvme-Samsung_SSD"}
    device = disk("none", rotational=True)
    result = topic.run(look(host=host, block=(device,), stores=(store("/dev/sda1", (8, 1)),)))
    assert codes(result) == [("BLOCK_SCHEDULER_UNSUITABLE", "info", "ata-WDC_WD40_SERIAL")]


@pytest.mark.parametrize(
    ("node", "device", "disk_name"),
    [
        ("/dev/sda1", (8, 1), "sda"),
        ("/dev/sda", (8, 0), "sda"),
        ("/dev/nvme0n1p2", (259, 2), "nvme0n1"),
        ("/dev/nvme0n1", (259, 0), "nvme0n1"),
        ("/dev/root", (8, 17), "sdb"),
        ("/dev/sdc1", (8, 33), None),
        ("/dev/mapper/gone", (253, 9), None),
    ],
)
def test_whole_disks(node: str, device: tuple[int, int], disk_name: str | None) -> None:
    devices = (
        disk("none"),
        disk("none", name="sdb", device=(8, 16)),
        disk("none", BlockKind.NVME, "nvme0n1", device=(259, 0)),
    )
    found = whole_disk(node, device, {item.name: item for item in devices})
    assert (found.name if found else None) == disk_name


def test_what_could_not_be_told() -> None:
    device = disk("none", rotational=None)
    unknown = Unavailable(reason=Reason.DENIED, what="stores")
    result = topic.run(look(block=(device,), stores=unknown))
    assert [item.what for item in result.unexamined] == ["stores"]
    result = topic.run(look(block=(device,), stores=(store("/dev/sda1", (8, 1)), store("/dev/sdz1", (65, 145)))))
    assert [item.what for item in result.unexamined] == [f"the disk under {STORE}", "/sys/block/sda/queue/rotational"]
    assert result.examined == 0
    with pytest.raises(CannotLook):
        topic.run(look(block=unknown))


def test_a_laptop_gets_no_advice() -> None:
    result = topic.run(look(block=(disk("bfq", rotational=True),), chains=chains(chain("vg/root", ours=False))))
    assert result.not_applicable
