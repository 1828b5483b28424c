from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.config.model import Quotas
from sctune.host.base import Process
from sctune.model.cloud import Cloud
from sctune.model.process import Copy, CopyTool
from sctune.model.store import StoreOrigin, VolumeStore
from sctune.quota import limits, logical_size, partitions_of, snapshots_used, volumes_used
from sctune.unavailable import Reason, Unavailable
from tests.unit.serving_hosts import DAS, GIB, MIB, STORE, chain, chains, file, loop, lv

DENIED = Unavailable(reason=Reason.DENIED, what=STORE)


def cloud(**properties: str) -> Cloud:
    """Names are written with __ for a dot."""
    pairs = tuple((name.replace("__", "."), value) for name, value in properties.items())
    return Cloud(version="4.4.2", volumes_folder=STORE, properties=pairs)


def store(*files: object, path: str = STORE) -> VolumeStore:
    unknown = Unavailable(reason=Reason.NOT_COLLECTED, what=path)
    return VolumeStore(path=path, origin=StoreOrigin.BACKEND, mount=None, space=unknown, files=files)  # type: ignore[arg-type]


@pytest.mark.parametrize("gib", [1, 5, 10, 15, 100, 16384])
def test_a_file_of_n_gib_and_4_mib_is_n_gib(gib: int) -> None:
    assert logical_size(chain(size=gib * GIB)) == gib * GIB


@given(st.integers(min_value=1, max_value=16384), st.integers(min_value=-4 * MIB, max_value=4 * MIB))
def test_a_few_mib_do_not_matter(gib: int, off: int) -> None:
    assert logical_size(chain(file=file("vol-00000001", gib * GIB + 4 * MIB + off))) == gib * GIB


def test_a_file_that_is_gone_counts_by_its_loop_and_then_by_its_lv() -> None:
    gone = chain(file=None, loops=(loop(0, 5 * GIB + 4 * MIB),))
    assert logical_size(gone) == 5 * GIB
    assert logical_size(dataclasses.replace(gone, loops=(), lv=lv("euca-vol-00000001", 5 * GIB))) == 5 * GIB
    assert logical_size(dataclasses.replace(gone, loops=())) is None


def test_das_volumes_have_the_size_of_their_lv() -> None:
    assert logical_size(chain(size=5 * GIB, backend=DAS)) == 5 * GIB


def test_volumes_of_nobody_do_not_count() -> None:
    members = [chain("vol-00000001", 5 * GIB), chain("vg/root", 50 * GIB, ours=False), chain("vol-00000002", 1 * GIB)]
    used = volumes_used(members, ())
    assert (used.size, used.count, used.unknown) == (6 * GIB, 2, ())
    assert volumes_used(members, DENIED).unknown == (DENIED,)
    assert volumes_used(members, (dataclasses.replace(store(), files=DENIED),)).unknown == (DENIED,)


def test_snapshots_count_by_their_files() -> None:
    files = (file("snap-00000001", 5 * GIB), file("vol-00000001", 5 * GIB + 4 * MIB), file("vol-00000001AbCdEfGh", 3 * GIB))
    used = snapshots_used(chains(chain()), (store(*files),))
    assert (used.size, used.count) == (5 * GIB, 1)


def test_a_growing_snapshot_counts_as_its_volume() -> None:
    process = Process(pid=9, ppid=1, name="dd", state="D", argv=("dd",), started=1.0, cpu_seconds=0.0, uid=0)
    copy = Copy(process=process, tool=CopyTool.DD, source="/dev/vg/lv", destination=f"{STORE}/snap-00000001")
    growing = store(file("snap-00000001", 100 * MIB))
    assert snapshots_used(chains(chain(size=5 * GIB, copies=(copy,))), (growing,)).size == 5 * GIB
    assert snapshots_used(chains(chain(size=5 * GIB)), (growing,)).size == 1 * GIB


def test_a_folder_seen_twice_counts_once() -> None:
    snapshot = file("snap-00000001", 5 * GIB, inode=7)
    assert snapshots_used(chains(chain()), (store(snapshot), store(snapshot, path="/srv"))).size == 5 * GIB


def test_configured_limits_come_first_each_by_itself() -> None:
    recorded = cloud(
        one__storage__maxtotalvolumesizeingb="500",
        one__storage__maxvolumesizeingb="100",
        storage__global_total_snapshot_size_limit_gb="50",
    )
    found = limits(Quotas(total=7 * GIB, volumes={"vol-1": 3}, source="sctune.yaml"), recorded, source="euctl.txt")
    assert found.total is not None
    assert found.volume is not None
    assert found.snapshots is not None
    assert (found.total.size, found.total.source, found.total.key) == (7 * GIB, "sctune.yaml", "quotas.total")
    assert (found.volume.size, found.volume.source, found.volume.key) == (100 * GIB, "euctl.txt", "one.storage.maxvolumesizeingb")
    assert found.snapshots.size == 50 * GIB
    assert not found.doubts


def test_nothing_known() -> None:
    assert not limits(None, None).known
    assert not limits(Quotas(), cloud(one__storage__volumesdir="/srv")).known
    assert limits(Quotas(volumes={"vol-1": 5}), None).known
    assert limits(Quotas(total=0), None).known


def test_partitions_that_differ_need_a_target_that_tells() -> None:
    recorded = cloud(one__storage__maxtotalvolumesizeingb="500", two__storage__maxtotalvolumesizeingb="200")
    found = limits(None, recorded)
    assert found.total is None
    assert [doubt.reason for doubt in found.doubts] == [Reason.NOT_COLLECTED]
    chosen = limits(None, recorded, partitions=("two",)).total
    assert chosen is not None
    assert chosen.size == 200 * GIB
    foreign = limits(None, recorded, partitions=("three",))
    assert foreign.total is None
    assert foreign.doubts


def test_partitions_that_agree_need_nobody() -> None:
    found = limits(None, cloud(one__storage__maxvolumesizeingb="100", two__storage__maxvolumesizeingb="100"))
    assert found.volume is not None
    assert found.volume.size == 100 * GIB


@pytest.mark.parametrize("value", ["", "-1", "many", "1e3", "٣"])
def test_a_recorded_limit_that_is_no_number(value: str) -> None:
    found = limits(None, cloud(one__storage__maxvolumesizeingb=value))
    assert found.volume is None
    assert [doubt.reason for doubt in found.doubts] == [Reason.MALFORMED]


def test_a_later_recording_wins() -> None:
    pairs = (("one.storage.maxvolumesizeingb", "15"), ("one.storage.maxvolumesizeingb", "20"))
    found = limits(None, Cloud(version="", volumes_folder=STORE, properties=pairs))
    assert found.volume is not None
    assert found.volume.size == 20 * GIB


def test_targets_tell_the_partition() -> None:
    one = chain()
    exports = {("iqn.2009-06.com.eucalyptus.my-zone:store42", 1): one, ("iqn.2010-10.org.example:disk", 1): one}
    assert partitions_of(chains(one, by_export=exports)) == ("my-zone",)


def test_entries_for_single_volumes() -> None:
    found = limits(Quotas(volume=5, volumes={"vol-ABCD0001": 9}), None)
    for name, size in (("vol-ABCD0001", 9), ("vol-abcd0001", 9), ("vol-abcd0002", 5)):
        limit = found.of_volume(name)
        assert limit is not None
        assert limit.size == size
