from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from sctune.checks import read_ahead as topic
from sctune.checks import write_cache
from sctune.config.model import Config, Thresholds
from sctune.model.block import BlockDevice, BlockKind
from sctune.model.dm import DmDevice
from sctune.model.loop import LoopState
from sctune.model.store import Mount, StoreOrigin, VolumeStore
from sctune.model.target import Lun
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit.serving_hosts import STORE, block, chain, chains, codes, look, look_at, loop, lv
from tests.unit.test_chain_state import an_export

if TYPE_CHECKING:
    from sctune.model.chain import Chain

KIB = 1024
GIB = 1 << 30
UNKNOWN = Unavailable(reason=Reason.NOT_COLLECTED, what=STORE)


def store(source: str = "/dev/sda1", device: tuple[int, int] = (8, 1), filesystem: str = "ext4") -> VolumeStore:
    mount = Mount(point="/", device=device, filesystem=filesystem, source=source, options=("rw",))
    return VolumeStore(path=STORE, origin=StoreOrigin.BACKEND, mount=mount, space=UNKNOWN, files=UNKNOWN)


def disk(size: int | None, name: str = "sda", kind: BlockKind = BlockKind.DISK, **facts: object) -> BlockDevice:
    return block(name, kind, **{"read_ahead": size, "rotational": True, **facts})  # type: ignore[arg-type]


def buffered(*, direct: bool = False) -> Chain:
    return chain(loops=(dataclasses.replace(loop(0, GIB), direct_io=direct),))


def exported(backing: str, **links: object) -> Chain:
    export = an_export()
    assert isinstance(export.lun, Lun)
    served = dataclasses.replace(export, lun=dataclasses.replace(export.lun, backing_type=backing))
    return chain(exports=(served,), **links)  # type: ignore[arg-type]


def judged(device: BlockDevice, config: Config | None = None, *, direct: bool = False) -> list[tuple[str, str, str]]:
    volume = buffered(direct=direct)
    return codes(topic.run(look(config, block=(device,), stores=(store(),), chains=chains(volume), disk_ids={})))


LOW = [("BLOCK_READ_AHEAD_LOW", "info", "sda")]


@pytest.mark.parametrize(
    ("device", "low"),
    [
        (disk(128 * KIB), True),
        (disk(1020 * KIB), True),
        (disk(1024 * KIB), False),
        (disk(4096 * KIB), False),
        (disk(2560 * KIB), False),  # the default of Linux 6.17 for disks that turn
        (disk(128 * KIB, rotational=False), False),
        (disk(124 * KIB, rotational=False), True),
        (disk(0, rotational=False), True),
        (disk(128 * KIB, rotational=None), False),
        (disk(128 * KIB, model="PERC H730 Mini"), False),
        (disk(128 * KIB, session=1), False),
        (disk(64 * KIB, session=1), True),
        (disk(None), False),
    ],
)
def test_the_disk_under_the_store(device: BlockDevice, low: bool) -> None:
    assert judged(device) == (LOW if low else [])


@pytest.mark.parametrize("kind", [BlockKind.VIRTIO, BlockKind.NVME])
def test_what_turns_below_a_hypervisor_is_not_ours(kind: BlockKind) -> None:
    assert judged(disk(128 * KIB, kind=kind)) == []
    assert judged(disk(64 * KIB, kind=kind)) == LOW


def test_direct_io_reads_nothing_ahead() -> None:
    result = topic.run(look(block=(disk(0),), stores=(store(),), chains=chains(buffered(direct=True))))
    assert result.not_applicable


def test_thresholds_and_wishes() -> None:
    config = Config(thresholds=Thresholds(read_ahead_rotating_bytes=128 * KIB))
    assert judged(disk(128 * KIB), config) == []
    assert judged(disk(128 * KIB), Config(wanted=frozenset({"BLOCK_READ_AHEAD_LOW"}))) == [
        ("BLOCK_READ_AHEAD_LOW", "warning", "sda")
    ]


def test_the_remedy_of_a_disk() -> None:
    host = look(block=(disk(128 * KIB),), stores=(store(),), chains=chains(buffered()), disk_ids={})
    (finding,) = topic.run(host).findings
    assert finding.summary == (
        "sda reads 128 KiB ahead, 4 MiB suits it: it is a rotating disk; "
        "volumes' files lie on it, and their loop devices are buffered"
    )
    assert finding.remedy.commands[0] == "echo 4096 > /sys/block/sda/queue/read_ahead_kb"
    assert 'ATTR{queue/rotational}=="1", ATTR{queue/read_ahead_kb}="4096"' in finding.remedy.commands[1]


def test_the_file_systems_own_device_reads_ahead_and_not_the_disks_below_it() -> None:
    root = block("dm-0", BlockKind.DM, None, device=(253, 0), read_ahead=128 * KIB, slaves=("sda",))
    mapped = DmDevice(name="vg-root", kernel_name="dm-0", uuid="LVM-x", device=(253, 0), size=1, suspended=False, targets=())
    facts = {"stores": (store("/dev/mapper/vg-root", (253, 0)),), "chains": chains(buffered()), "dm": (mapped,), "disk_ids": {}}
    result = topic.run(look_at({"block": (root, disk(0)), **facts}))
    assert (result.examined, codes(result)) == (1, [("BLOCK_READ_AHEAD_LOW", "info", "vg-root")])
    assert "it is a dm device with rotating disks below it (sda)" in result.findings[0].summary
    fast = dataclasses.replace(root, read_ahead=4096 * KIB)
    assert codes(topic.run(look_at({"block": (fast, disk(0)), **facts}))) == []


def lv_device(size: int, slaves: tuple[str, ...] = ("loop0",)) -> tuple[BlockDevice, DmDevice]:
    device = block("dm-0", BlockKind.DM, None, device=(253, 0), read_ahead=size, slaves=slaves)
    mapped = DmDevice(name="vg-lv", kernel_name="dm-0", uuid="LVM-x", device=(253, 0), size=1, suspended=False, targets=())
    return device, mapped


@pytest.mark.parametrize(("backing", "low"), [("rdwr", True), ("aio", False), ("sg", False)])
def test_an_lv_that_tgt_exports(backing: str, low: bool) -> None:
    device, mapped = lv_device(128 * KIB)
    loop0 = block("loop0", BlockKind.LOOP, device=(7, 0), read_ahead=None)
    direct = dataclasses.replace(loop(0, GIB), direct_io=True)
    volume = exported(backing, dm=mapped, lv=lv("euca vol", GIB), loops=(direct,))
    host = look(block=(device, loop0, disk(4096 * KIB)), stores=(store(),), chains=chains(volume), disk_ids={})
    result = topic.run(host)
    assert codes(result) == ([("BLOCK_READ_AHEAD_LOW", "info", "vol-00000001")] if low else [])
    if low:
        assert result.findings[0].remedy.commands == (
            "echo 4096 > /sys/block/dm-0/queue/read_ahead_kb",
            "lvchange --readahead 8192 'vg/euca vol'",
        )


def test_an_lv_on_flash_is_fine_with_the_default() -> None:
    device, mapped = lv_device(128 * KIB, slaves=("nvme0n1",))
    nvme = block("nvme0n1", BlockKind.NVME, device=(259, 0), read_ahead=0)
    result = topic.run(look(block=(device, nvme), chains=chains(exported("rdwr", dm=mapped)), disk_ids={}))
    assert (result.examined, codes(result)) == (1, [])


def test_a_loop_device_that_is_exported_as_it_is() -> None:
    loop0 = block("loop0", BlockKind.LOOP, device=(7, 0), read_ahead=64 * KIB)
    volume = exported("rdwr", loops=(dataclasses.replace(loop(0, GIB), direct_io=True),))
    state = LoopState(devices=(), nodes=1, max_loop=0, control=True)
    result = topic.run(look(queues=(loop0,), chains=chains(volume), loops=state, disk_ids={}))
    assert codes(result) == [("BLOCK_READ_AHEAD_LOW", "info", "vol-00000001")]


def test_what_could_not_be_read() -> None:
    result = topic.run(look(block=(disk(0),), stores=UNKNOWN, chains=chains(buffered())))
    assert [item.what for item in result.unexamined] == [STORE]
    with pytest.raises(CannotLook):
        topic.run(look(block=UNKNOWN, chains=chains(buffered())))
    assert topic.run(look(block=(disk(0),), chains=chains(chain("vg/root", ours=False)))).not_applicable


CACHED = [("DISK_WRITE_CACHE_VOLATILE", "info", "sda")]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"write_cache": "write back"}, CACHED),
        ({"write_cache": "write through"}, []),
        ({"write_cache": "write back", "kind": BlockKind.NVME}, CACHED),
        ({"write_cache": "write back", "kind": BlockKind.VIRTIO}, CACHED),
        ({"write_cache": "write back", "session": 1}, []),
        ({"write_cache": "write back", "kind": BlockKind.OTHER}, []),
    ],
)
def test_write_caches(facts: dict[str, object], found: list[tuple[str, str, str]]) -> None:
    device = disk(0, **facts)  # type: ignore[arg-type]
    assert codes(write_cache.run(look(block=(device,), stores=(store(),), disk_ids={}))) == found


def test_whose_cache_it_is() -> None:
    said = []
    for facts in ({}, {"kind": BlockKind.VIRTIO}, {"model": "PERC H730"}):
        device = disk(0, write_cache="write back", **facts)
        (finding,) = write_cache.run(look(block=(device,), stores=(store(),), disk_ids={"sda": "ata-X"})).findings
        assert finding.subject.id == "ata-X"
        said.append(finding.summary)
    assert "without power, what was not flushed is gone" in said[0]
    assert "virtual disk or LUN" in said[1]
    assert "virtual disk or LUN" in said[2]


def test_the_layers_between_have_no_cache() -> None:
    root = block("dm-0", BlockKind.DM, None, device=(253, 0), write_cache="write back", slaves=("sda",))
    facts = {"stores": (store("/dev/mapper/vg-root", (253, 0)),), "disk_ids": {}}
    assert codes(write_cache.run(look_at({"block": (root, disk(0, write_cache="write through")), **facts}))) == []


def test_no_disk_of_our_own() -> None:
    assert write_cache.run(look(block=(), stores=(store("server:/x", (0, 50), "nfs4"),), disk_ids={})).not_applicable


def test_kernels_that_do_not_tell() -> None:
    assert write_cache.run(look(block=(disk(0, write_cache=None),), stores=(store(),))).not_applicable
    result = write_cache.run(look(block=(disk(0),), stores=UNKNOWN))
    assert [item.what for item in result.unexamined] == [STORE]
    laptop = look(block=(disk(0, write_cache="write back"),), chains=chains(chain("vg/root", ours=False)))
    assert write_cache.run(laptop).not_applicable
