from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.model.block import BlockDevice, BlockKind
from sctune.probes.block import by_name, kind_of, outline, parse_iscsi_address, parse_scheduler, probe, whole_disk, with_queues
from sctune.unavailable import Reason, Unavailable, need
from tests.fakes import FakeHost
from tests.unit.storage_hosts import recorded


def devices(host: FakeHost) -> dict[str, BlockDevice]:
    found = probe(host)
    assert isinstance(found, tuple)
    return dict(by_name(found))


def test_healthy_host_of_the_test_machine() -> None:
    found = devices(recorded("healthy"))
    origin, real, snapshot = found["dm-0"], found["dm-2"], found["dm-4"]
    assert (origin.kind, origin.device, origin.slaves) == (BlockKind.DM, (253, 0), ("dm-2",))
    assert (real.slaves, real.holders) == (("loop0",), ("dm-0", "dm-4"))
    assert snapshot.slaves == ("dm-2", "dm-3")
    assert found["loop0"].holders == ("dm-2",)
    assert (origin.scheduler, origin.schedulers) == (None, ())
    assert (found["loop0"].scheduler, found["loop0"].schedulers) == ("none", ("none", "mq-deadline"))
    assert (origin.read_ahead, origin.rotational) == (131072, True)
    assert (found["loop0"].read_ahead, found["loop0"].rotational) == (131072, True)
    assert (found["vda"].kind, found["vda"].device) == (BlockKind.VIRTIO, (254, 0))


def test_a_disk_of_an_iscsi_session() -> None:
    disk = devices(recorded("healthy"))["sda"]
    assert (disk.kind, disk.session, disk.target_lun, disk.device_state) == (BlockKind.DISK, 1, 1, "running")
    assert disk.model == "VIRTUAL-DISK"


def test_idle_loop_devices_are_there_and_cost_one_read() -> None:
    host = recorded("healthy")
    asked: list[str] = []

    class Counting(FakeHost):
        def read(self, path: str) -> str | Unavailable:
            asked.append(path)
            return host.read(path)

    found = devices(Counting(files=host.files, links=host.links))
    assert (found["loop5"].size, found["loop5"].device, found["loop5"].scheduler) == (0, (7, 5), None)
    assert [path for path in asked if path.startswith("/sys/block/loop5/")] == ["/sys/block/loop5/size"]


def test_holders_of_a_partition_count_for_its_disk() -> None:
    host = FakeHost(
        files={
            "/sys/block/nvme0n1/size": "1000\n",
            "/sys/block/nvme0n1/dev": "259:0\n",
            "/sys/block/dm-0/size": "100\n",
            "/sys/block/dm-0/dev": "253:0\n",
        },
        links={"/sys/block/dm-0/slaves/nvme0n1p3": ""},
    )
    found = devices(host)
    assert found["nvme0n1"].holders == ("dm-0",)
    assert found["dm-0"].slaves == ("nvme0n1",)


def test_a_device_that_disappears_is_no_error() -> None:
    host = FakeHost(files={"/sys/block/sda/size": "1\n", "/sys/block/sdb/ro": "0\n"})
    assert devices(host) == {}


def test_loop_minors_follow_max_part() -> None:
    host = FakeHost(files={"/sys/block/loop1/size": "8\n", "/sys/module/loop/parameters/max_part": "7\n"})
    assert devices(host)["loop1"].device == (7, 8)


def test_without_sysfs() -> None:
    found = probe(FakeHost())
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.ABSENT


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sda", BlockKind.DISK),
        ("sdaa", BlockKind.DISK),
        ("nvme0n1", BlockKind.NVME),
        ("vda", BlockKind.VIRTIO),
        ("xvdb", BlockKind.VIRTIO),
        ("loop12", BlockKind.LOOP),
        ("dm-3", BlockKind.DM),
        ("md127", BlockKind.MD),
        ("md_d0", BlockKind.MD),
        ("sr0", BlockKind.OTHER),
        ("zram0", BlockKind.OTHER),
        ("nbd0", BlockKind.OTHER),
        ("mmcblk0", BlockKind.OTHER),
        ("ram0", BlockKind.OTHER),
    ],
)
def test_kinds_by_name(name: str, kind: BlockKind) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize(
    ("partition", "disk"),
    [("sda2", "sda"), ("nvme0n1p2", "nvme0n1"), ("loop3p1", "loop3"), ("md127p1", "md127"), ("md127", "md127"), ("gone1", "gone1")],
)
def test_partitions_belong_to_their_disks(partition: str, disk: str) -> None:
    assert whole_disk(partition, frozenset({"sda", "nvme0n1", "loop3", "md127"})) == disk


@pytest.mark.parametrize(
    ("text", "chosen", "offered"),
    [
        ("[mq-deadline] none\n", "mq-deadline", ("mq-deadline", "none")),
        ("[none] mq-deadline kyber bfq \n", "none", ("none", "mq-deadline", "kyber", "bfq")),
        ("noop deadline [cfq] \n", "cfq", ("noop", "deadline", "cfq")),
        ("none\n", None, ()),
        ("", None, ()),
    ],
)
def test_schedulers(text: str, chosen: str | None, offered: tuple[str, ...]) -> None:
    assert parse_scheduler(text) == (chosen, offered)


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("../devices/platform/host0/session1/target0:0:0/0:0:0:1/block/sda", (1, 1)),
        ("../devices/pci0000:00/host7/session12/target7:0:0/7:0:0:255/block/sdz", (12, 255)),
        ("../devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda", (None, None)),
        ("../devices/virtual/block/loop0", (None, None)),
        ("session1", (None, None)),
        ("", (None, None)),
    ],
)
def test_address_of_an_iscsi_disk(link: str, address: tuple[int | None, int | None]) -> None:
    assert parse_iscsi_address(link) == address


@given(st.text(), st.text(), st.text())
def test_no_attribute_raises(size: str, dev: str, scheduler: str) -> None:
    host = FakeHost(
        files={"/sys/block/sda/size": size, "/sys/block/sda/dev": dev, "/sys/block/sda/queue/scheduler": scheduler},
        links={"/sys/block/sda": scheduler},
    )
    assert isinstance(probe(host), tuple)


def test_without_loops_only_their_scheduler_is_read() -> None:
    host = recorded("healthy")
    light = by_name(need(with_queues(host, outline(host))))
    assert (light["loop0"].scheduler, light["loop0"].read_ahead) == ("none", None)
    assert light["vda"].read_ahead is not None
