from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import FileEntry, FileKind, FileStat
from sctune.model.cloud import Cloud
from sctune.model.loop import LoopState
from sctune.model.store import Mount, StoreOrigin, VolumeStore
from sctune.probes import loop as loop_probe
from sctune.probes import mounts as mounts_probe
from sctune.probes.store import parse_fstab, probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.serving_hosts import STORE
from tests.unit.storage_hosts import DATA, a_file, absent, denied, loop, loops, mount, recorded, space, timeout

NO_CLOUD = absent("eucalyptus")
CLOUD = Cloud(version="4.4.2", volumes_folder=STORE, properties=())
ROOT_DEVICE = 0xFE00


def folder(inode: int = 10, device: int = ROOT_DEVICE) -> FileStat:
    return FileStat(kind=FileKind.DIRECTORY, size=4096, allocated=4096, device=device, inode=inode, mtime=1.0)


def stores(
    host: FakeHost,
    *,
    configured: tuple[str, ...] = (),
    cloud: Cloud | Unavailable = NO_CLOUD,
    state: LoopState | Unavailable | None = None,
    mounts: tuple[Mount, ...] | Unavailable = (),
) -> tuple[VolumeStore, ...]:
    found = probe(host, configured=configured, cloud=cloud, loops=loops() if state is None else state, mounts=mounts)
    assert isinstance(found, tuple)
    return found


def test_healthy_host_of_the_test_machine() -> None:
    host = recorded("healthy")
    (found,) = stores(host, cloud=CLOUD, state=loop_state(host), mounts=mount_table(host))
    assert (found.path, found.origin) == (STORE, StoreOrigin.BACKEND)
    assert found.mount is not None
    assert found.mount.point == "/var/lib/eucalyptus"
    assert isinstance(found.files, tuple)
    sizes = {file.name: (file.apparent, file.allocated) for file in found.files}
    assert sizes["vol-391D44BE"][0] == 1024**3 + 4 * 1024**2
    assert sizes["vol-391D44BE"][1] < 40 * 1024**2  # sparse
    assert found.space == space()


def loop_state(host: FakeHost) -> LoopState:
    found = loop_probe.probe(host)
    assert isinstance(found, LoopState)
    return found


def mount_table(host: FakeHost) -> tuple[Mount, ...]:
    found = mounts_probe.probe(host)
    assert isinstance(found, tuple)
    return found


def test_folders_of_writable_loops_are_stores_and_of_read_only_ones_are_not() -> None:
    host = FakeHost(stats={"/data": folder()}, folders={"/data": ()}, spaces={"/data": space()})
    snap = loop(1, read_only=True, backing_file="/var/lib/snapd/snaps/core_1.snap")
    found = stores(host, state=loops(loop(0, backing_file="/data/a"), snap))
    assert [(s.path, s.origin) for s in found] == [("/data", StoreOrigin.LOOP)]
    assert stores(host, state=loops(snap)) == ()


def test_a_loop_over_a_disk_makes_no_store() -> None:
    disk = FileStat(kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=1, mtime=0.0, rdevice=(8, 0))
    assert stores(FakeHost(), state=loops(loop(0, backing_file="/dev/sda", backing=disk))) == ()


def test_the_same_folder_twice_is_one_store() -> None:
    host = FakeHost(stats={STORE: folder(), "/bind": folder(), "/other": folder(11)}, spaces={STORE: space(), "/other": space()})
    host.folders = {STORE: (), "/other": ()}
    found = stores(host, configured=(f"{STORE}/", STORE, "/bind", "/other"), cloud=CLOUD)
    assert [(s.path, s.origin) for s in found] == [(STORE, StoreOrigin.CONFIGURED), ("/other", StoreOrigin.CONFIGURED)]


def test_a_store_behind_a_symbolic_link_is_on_the_mount_of_its_device() -> None:
    table = (mount("/", device=(8, 1)), mount("/data", device=(254, 0)))
    host = FakeHost(stats={STORE: folder()}, folders={STORE: ()}, spaces={STORE: space()})
    (found,) = stores(host, cloud=CLOUD, mounts=table)
    assert found.mount is table[1]


def test_a_loop_device_tells_the_real_path_where_numbers_do_not() -> None:
    # btrfs: the subvolume's device number is in no mount.
    table = (mount("/", device=(0, 30), filesystem="btrfs"), mount("/data", device=(0, 40), filesystem="btrfs"))
    host = FakeHost(stats={STORE: folder(device=99), "/data/volumes": folder(device=99)}, spaces={STORE: space()})
    host.folders = {STORE: ()}
    (found,) = stores(host, cloud=CLOUD, state=loops(loop(0, backing_file="/data/volumes/a")), mounts=table)
    assert (found.path, found.mount) == (STORE, table[1])


def test_a_folder_that_hangs_is_a_store_that_is_asked_nothing_more() -> None:
    class Hanging(FakeHost):
        def list_files(self, path: str) -> tuple[FileEntry, ...] | Unavailable:
            raise AssertionError("asked again")

        space = list_files  # type: ignore[assignment]

    host = Hanging(stats={STORE: timeout(STORE)})
    (found,) = stores(host, cloud=CLOUD, mounts=(mount(),))
    assert (found.files, found.space) == (timeout(STORE), timeout(STORE))
    assert found.mount is not None


def test_a_folder_with_a_backing_file_that_hung_is_not_touched_again() -> None:
    class Hanging(FakeHost):
        def stat_files(self, paths: object) -> tuple[FileStat | Unavailable, ...]:
            assert paths == []
            return ()

    hung = loop(0, backing_file="/dead/a", backing=timeout("/dead/a"))
    (found,) = stores(Hanging(), state=loops(hung))
    assert found.files == timeout("/dead/a")


def test_a_listing_that_hangs_spares_us_statfs() -> None:
    host = FakeHost(stats={STORE: folder()}, folders={STORE: timeout(STORE)}, spaces={STORE: space()})
    (found,) = stores(host, cloud=CLOUD)
    assert found.space == timeout(STORE)


def test_an_ordinary_user_may_not_list_but_still_learns_the_space() -> None:
    host = FakeHost(stats={STORE: folder()}, folders={STORE: denied(STORE)}, spaces={STORE: space()})
    (found,) = stores(host, cloud=CLOUD)
    assert (found.files, found.space) == (denied(STORE), space())


def test_only_a_configured_folder_is_missed() -> None:
    assert stores(FakeHost(), cloud=CLOUD, state=loops(loop(0, backing_file="/gone/a"))) == ()
    (found,) = stores(FakeHost(), configured=("/gone",))
    assert isinstance(found.files, Unavailable)
    assert found.files.reason is Reason.ABSENT


def test_loop_devices_that_could_not_be_read() -> None:
    assert probe(FakeHost(), configured=(), cloud=NO_CLOUD, loops=denied("loops"), mounts=()) == denied("loops")
    assert probe(FakeHost(), configured=(), cloud=NO_CLOUD, loops=absent("loops"), mounts=()) == ()


def test_entries_that_are_no_files_or_cannot_be_looked_at() -> None:
    entries = (
        FileEntry(name="a", stat=a_file(10)),
        FileEntry(name="dir", stat=folder()),
        FileEntry(name="dead", stat=timeout("dead")),
        FileEntry(name="vanished", stat=absent("vanished")),
    )
    host = FakeHost(stats={"/": folder()}, folders={"/": entries}, spaces={"/": space()})
    (found,) = stores(host, configured=("/",))
    assert isinstance(found.files, tuple)
    assert [file.path for file in found.files] == ["/a"]
    assert found.unlooked == 1


def test_what_ext4_itself_says_of_its_options_and_errors() -> None:
    host = FakeHost(
        stats={STORE: folder()},
        folders={STORE: ()},
        spaces={STORE: space()},
        links={"/sys/dev/block/254:0": "../../devices/pci0000:00/0000:00:03.0/virtio2/block/vda"},
        files={
            "/proc/fs/ext4/vda/options": (DATA / "mounts" / "ext4-options-nobarrier.txt").read_text(),
            "/sys/fs/ext4/vda/errors_count": "3\n",
        },
    )
    (found,) = stores(host, cloud=CLOUD, mounts=(mount(),))
    assert "nobarrier" in found.driver_options
    assert found.errors == 3
    (other,) = stores(host, cloud=CLOUD, mounts=(replace(mount(), filesystem="xfs"),))
    assert (other.driver_options, other.errors) == ((), None)


def test_the_mount_that_fstab_declares() -> None:
    host = FakeHost(stats={STORE: folder()}, folders={STORE: ()}, spaces={STORE: space()})
    host.files["/etc/fstab"] = "/dev/sda1 / ext4 defaults 0 1\n/dev/vdb /var/lib/eucalyptus ext4 defaults 0 2\n"
    (found,) = stores(host, cloud=CLOUD)
    assert found.declared_mount == "/var/lib/eucalyptus"


@pytest.mark.parametrize(
    ("links", "mounted", "expected"),
    [
        ({"/var/lib/eucalyptus": "/data/euca"}, "/data/euca", "/data/euca"),
        ({"/var/lib/eucalyptus": "../../data/euca", "/data": "disk1"}, "/disk1/euca", "/disk1/euca"),
        ({"/var/lib/eucalyptus": "/data/euca"}, "/elsewhere", "/var/lib/eucalyptus"),
        ({"/var/lib/eucalyptus": "/var/lib/eucalyptus"}, "/elsewhere", "/var/lib/eucalyptus"),
    ],
)
def test_a_mount_point_in_fstab_may_be_a_symbolic_link(links: dict[str, str], mounted: str, expected: str) -> None:
    host = FakeHost(stats={STORE: folder()}, folders={STORE: ()}, spaces={STORE: space()}, links=links)
    host.files["/etc/fstab"] = "/dev/vdb /var/lib/eucalyptus ext4 defaults 0 2\n"
    (found,) = stores(host, cloud=CLOUD, mounts=(mount(mounted),))
    assert found.declared_mount == expected


def test_fstab() -> None:
    text = """
# comment
UUID=1 / ext4 errors=remount-ro 0 1
UUID=2 none swap sw 0 0
/dev/vdb /srv/with\\040space xfs
/dev/drbd0 /standby ext4 noauto 0 0
broken
server:/a /nfs/ nfs4 _netdev,nofail 0 0
"""
    assert parse_fstab(text) == ("/", "/srv/with space", "/nfs")


@given(st.text())
def test_any_fstab_is_parsed(text: str) -> None:
    assert isinstance(parse_fstab(text), tuple)
