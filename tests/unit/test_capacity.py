"""What fits: the arithmetic against the numbers of real listings, the limits, and what is not known."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.capacity.limits import Assumptions, das_limits, overlay_limits
from sctune.capacity.survey import Question, survey
from sctune.config.model import AccountLimits, Config, Quotas
from sctune.host.base import FilesystemSpace, Process
from sctune.model.capacity import GroupCapacity, GroupKind, Role, SafeLimits, Share, StoreCapacity, Verdict
from sctune.model.cloud import Cloud
from sctune.model.loop import LoopState
from sctune.model.lvm import LvmReport, VolumeGroup
from sctune.model.process import Copy, CopyTool
from sctune.model.store import Mount, StoreOrigin, VolumeStore
from sctune.quota import Limit, Limits
from sctune.unavailable import Reason, Unavailable
from tests.unit.serving_hosts import DAS, GIB, MIB, STORE, chain, chains, file, look, lv

if TYPE_CHECKING:
    from sctune.model.capacity import Capacity

TIMEOUT = Unavailable(reason=Reason.TIMEOUT, what=STORE)
NO_LVM = Unavailable(reason=Reason.ABSENT, what="lvm")
# The listing of a storage controller of 3.0 while vol-D02E43C2 is snapshotted.
LISTING = {
    "snap-26EE3E3A": 8589934592,
    "snap-C2DF3CF2": 3224145920,
    "snap-D7E53AC0": 5368709120,
    "vol-178C3E9C": 10741612544,
    "vol-391D44BE": 5372903424,
    "vol-D02E43C2": 16110321664,
    "vol-D02E43C2MsmGAIzx": 8053063680,
}


def space(total: int = 200 * GIB, *, used: int = 0, reserved: int = 0) -> FilesystemSpace:
    free = total - used
    return FilesystemSpace(total=total, free=free, available=max(0, free - reserved), inodes=9, inodes_free=9)


def store(*files: object, held: object = None, **replaced: object) -> VolumeStore:
    mount = Mount(point="/var/lib/eucalyptus", device=(8, 1), filesystem="ext4", source="/dev/sda1", options=())
    made = VolumeStore(path=STORE, origin=StoreOrigin.BACKEND, mount=mount, space=held or space(), files=files)  # type: ignore[arg-type]
    return dataclasses.replace(made, **replaced)  # type: ignore[arg-type]


def cloud(version: str = "4.4.2", **properties: object) -> Cloud:
    pairs = tuple((name.replace("__", "."), str(value)) for name, value in properties.items())
    return Cloud(version=version, volumes_folder=STORE, properties=pairs)


def ask(question: Question | None = None, config: Config | None = None, **parts: object) -> Capacity:
    given: dict[str, Any] = {"cloud": cloud(), "lvm": NO_LVM, **parts}
    return survey(look(config, **given).inventory, question or Question())


def share(place: StoreCapacity | GroupCapacity, role: Role) -> Share:
    return next(share for share in place.shares if share.role is role)


def listed() -> Capacity:
    files = [file(name, length, inode=number, allocated=MIB) for number, (name, length) in enumerate(LISTING.items(), 1)]
    members = [chain(one.name, file=one) for one in files if one.name.startswith("vol-") and len(one.name) == 12]
    return ask(stores=(store(*files, held=space(used=10 * MIB)),), chains=chains(*members))


def test_the_listing_of_a_storage_controller() -> None:
    capacity = listed()
    (found,) = capacity.stores
    assert capacity.volume_size == 15 * GIB
    volumes, snapshots, cow = (share(found, role) for role in (Role.VOLUMES, Role.SNAPSHOTS, Role.COW_STORES))
    assert (volumes.count, volumes.length) == (3, 10741612544 + 5372903424 + 16110321664)
    assert (snapshots.count, cow.count, cow.length) == (3, 1, 8053063680)
    assert found.logical == 30 * GIB
    assert found.promised == 30 * GIB + 3 * 4 * MIB
    # One more snapshot of the 15 GiB volume: 15 GiB, and a COW file of exactly the size in the listing.
    assert found.snapshot is not None
    assert (found.snapshot.volume, found.snapshot.copy, found.snapshot.cow) == ("vol-D02E43C2", 16106127360, 8053063680)
    assert found.snapshot.left == found.available - 16106127360 - 8053063680
    # A further volume of 15 GiB takes what the file in the listing takes.
    assert found.room is not None
    assert found.room.each == 16110321664
    # Every part of what is used is told once.
    assert sum(one.allocated for one in found.shares) == found.used
    assert share(found, Role.ELSEWHERE).allocated == 3 * MIB


def test_a_sparse_volume_can_still_grow_and_a_finished_snapshot_cannot() -> None:
    files = (file("vol-00000001", 10 * GIB + 4 * MIB, inode=1, allocated=2 * GIB), file("snap-00000001", 10 * GIB, inode=2))
    (found,) = ask(stores=(store(*files, held=space(20 * GIB, used=13 * GIB)),), chains=chains(chain(file=files[0]))).stores
    assert found.growth == 8 * GIB + 4 * MIB
    assert found.left_at_worst == 7 * GIB - 8 * GIB - 4 * MIB
    assert found.room is not None
    assert (found.room.full, found.room.with_snapshot) == (0, 0)
    assert found.snapshot is not None
    assert not found.snapshot.fits


def test_a_copy_that_runs_will_be_as_long_as_its_volume() -> None:
    files = (
        file("vol-00000001", 10 * GIB + 4 * MIB, inode=1, allocated=10 * GIB + 4 * MIB),
        file("snap-00000001", GIB, inode=2, allocated=GIB),
    )
    made = chain(file=files[0])
    process = Process(pid=7, ppid=1, name="dd", state="D", argv=("dd",), started=1.0, cpu_seconds=1.0, uid=0)
    copy = Copy(process=process, tool=CopyTool.DD, source="/dev/vg/lv", destination=files[1].path)
    running = dataclasses.replace(made, copies=(copy,))
    (found,) = ask(stores=(store(*files),), chains=chains(running)).stores
    assert found.growth == 9 * GIB


@pytest.mark.parametrize(
    ("available", "full", "with_snapshot"),
    # 85 % of 100 GiB are 85 GiB; a volume of 10 GiB takes 10 GiB and 4 MiB; a snapshot of one 15 GiB at most.
    [(100, 8, 6), (15, 0, 0), (26, 1, 0)],
)
def test_how_many_more_volumes_fit(available: int, full: int, with_snapshot: int) -> None:
    used = (100 - available) * GIB
    one = file("vol-00000001", GIB + 4 * MIB, inode=1, allocated=GIB + 4 * MIB)
    question = Question(size=10 * GIB)
    held = space(100 * GIB, used=max(used, GIB + 4 * MIB))
    (found,) = ask(question, stores=(store(one, held=held),), chains=chains(chain(file=one))).stores
    assert found.room is not None
    assert (found.room.full, found.room.with_snapshot) == (full, with_snapshot)


def test_what_root_alone_may_use_is_nobodys_room() -> None:
    one = file("vol-00000001", GIB + 4 * MIB, inode=1)
    (found,) = ask(
        stores=(store(one, held=space(100 * GIB, used=50 * GIB, reserved=5 * GIB)),), chains=chains(chain(file=one))
    ).stores
    assert (found.free, found.available, found.usable) == (50 * GIB, 45 * GIB, 95 * GIB)


def test_nothing_to_fill() -> None:
    capacity = ask(cloud=Unavailable(reason=Reason.ABSENT, what="version"), chains=chains(chain("vg/root", ours=False)))
    assert (capacity.stores, capacity.groups, capacity.loops, capacity.limits, capacity.unknown) == ((), (), None, None, ())


def test_what_could_not_be_looked_at_is_said_and_not_left_out() -> None:
    hung = store(files=TIMEOUT, held=TIMEOUT)
    assert ask(stores=(hung,)).unknown == (TIMEOUT,)
    assert ask(stores=TIMEOUT).unknown == (TIMEOUT,)
    dead = Unavailable(reason=Reason.TIMEOUT, what="lvm fullreport")
    assert ask(stores=(store(),), lvm=dead).unknown == (dead,)
    partly = ask(stores=(dataclasses.replace(store(), unlooked=3),)).unknown
    assert [item.what for item in partly] == [f"3 entries of {STORE}"]
    malformed = Unavailable(reason=Reason.MALFORMED, what="/p")
    assert malformed in ask(cloud=malformed).unknown
    # Their names still tell what volumes promise.
    untold = ask(cloud=malformed, stores=(store(file("vol-00000001", GIB + 4 * MIB, inode=1)),))
    assert untold.stores[0].promised == GIB + 4 * MIB
    assert malformed in ask(chains=malformed).unknown
    assert ask(cloud=dataclasses.replace(cloud(), properties_unavailable=malformed)).unknown == (malformed,)


def place(total: int, *, other: int = 0, elsewhere: int = 0, reserved: int = 0, nearly_full: float = 0.85) -> StoreCapacity:
    used = other + elsewhere
    shares = tuple(
        Share(role=role, count=None, length=None, allocated=size)
        for role, size in ((Role.OTHER_FILES, other), (Role.ELSEWHERE, elsewhere))
    )
    return StoreCapacity(
        name="/srv",
        folders=(STORE,),
        filesystem="ext4",
        mounted_from="/dev/sdb",
        total=total,
        free=total - used,
        available=total - used - reserved,
        nearly_full=nearly_full,
        shares=shares,
        promised=0,
        logical=0,
        growth=0,
        snapshot=None,
        room=None,
        forecast=None,
    )


def assumed(snapshots: float = 1.0, version: str = "4.4.2", partition: str | None = "one") -> Assumptions:
    return Assumptions(snapshots=snapshots, version=version, partition=partition)


NONE = Limits(volumes={})


def in_force(**gib: int) -> Limits:
    made: dict[str, Any] = {name: Limit(size=value * GIB, key=name, source="p", configured=False) for name, value in gib.items()}
    return Limits(volumes={}, **made)


def test_limits_of_an_overlay_store_step_by_step() -> None:
    # 1000 GiB, of which 85 %: 850; 30 + 20 are not ours: 800. One volume of N takes N + N + N/2: 320 (4 MiB more do not fit).
    safe = overlay_limits(place(1000 * GIB, other=30 * GIB, elsewhere=20 * GIB), NONE, assumed())
    assert safe.volume.gib == 319
    # 800 less 159.5 for a COW store: 640.5; a GiB of volumes takes 2 GiB and 4 MiB.
    assert safe.total.gib == int(640.5 * 1024 / (2 * 1024 + 4)) == 319
    assert safe.snapshots.gib == 319
    results = [step.size for step in safe.total.steps if step.result]
    assert results == [800 * GIB, 800 * GIB - 319 * GIB // 2]


def test_of_few_snapshots_the_one_that_is_being_made_needs_its_room() -> None:
    # 850 GiB. One volume of 339 with its copy and half of it. With it 850 - 169.5 - 339 = 341.5 for volumes of 1 GiB + 4 MiB.
    safe = overlay_limits(place(1000 * GIB), NONE, assumed(0.1))
    assert safe.volume.gib == 339
    assert safe.total.gib == int(341.5 * 1024 / 1028) == 340
    assert any("the copy of the largest volume" in step.text for step in safe.total.steps)
    # The limit of snapshots lets that one be made.
    assert safe.snapshots.gib == 339
    # Where volumes are small, what is kept of them decides.
    small = overlay_limits(place(1000 * GIB), in_force(volume=10, total=500), assumed(0.1))
    assert (small.total.gib, small.snapshots.gib) == (int(845 * 10240 / 11304), 76)


def test_smaller_volumes_leave_more_for_all() -> None:
    safe = overlay_limits(place(1000 * GIB), in_force(volume=100, total=500), assumed())
    # 850 less 50.
    assert safe.total.gib == int(800 * 1024 / (2 * 1024 + 4)) == 399
    assert (safe.total.verdict, safe.volume.verdict, safe.snapshots.verdict) == (Verdict.LOWER, Verdict.KEEP, Verdict.UNKNOWN)


@given(
    total=st.integers(min_value=0, max_value=1 << 50),
    other=st.integers(min_value=0, max_value=1 << 40),
    reserved=st.integers(min_value=0, max_value=1 << 40),
    snapshots=st.sampled_from((0.0, 0.1, 0.5, 1.0, 2.0, 7.25)),
    volume=st.none() | st.integers(min_value=1, max_value=1 << 20),
)
def test_what_is_allowed_does_fit(total: int, other: int, reserved: int, snapshots: float, volume: int | None) -> None:
    """Filled up to the limits in the worst way, the store is still below the threshold; and no GiB more would be."""
    held = place(total + other + reserved, other=other, reserved=reserved)
    given_limits = NONE if volume is None else in_force(volume=volume)
    safe = overlay_limits(held, given_limits, assumed(snapshots))
    level = int(0.85 * held.usable)

    def taken(gib: int) -> int:
        largest = safe.volume.gib if volume is None else min(safe.volume.gib, volume)
        cow = largest * GIB // 2 if snapshots else 0
        # The copy that is being made is one of those kept; there is one at least, where any are made.
        kept = max(int(gib * snapshots * GIB), largest * GIB) if snapshots else 0
        return other + gib * (GIB + 4 * MIB) + kept + cow

    assert safe.total.gib == 0 or taken(safe.total.gib) <= level
    assert safe.volume.gib <= safe.total.gib
    if safe.volume.gib:
        copies = max(snapshots, 1) + 0.5 if snapshots else 0
        assert other + safe.volume.gib * GIB * (1 + copies) + 4 * MIB <= level + 1


def group(size: int = 100 * GIB, *, others: int = 0) -> GroupCapacity:
    return GroupCapacity(
        kind=GroupKind.VG,
        name="das",
        vg_uuid="u",
        size=size,
        used=others,
        extent_size=4 * MIB,
        nearly_full=None,
        metadata_used=None,
        shares=(Share(role=Role.OTHER_LVS, count=1, length=others, allocated=others),),
        promised=others,
        snapshot=None,
        room=None,
    )


def test_limits_of_a_vg_and_of_the_folder_of_its_snapshots() -> None:
    # 90 GiB for volumes and the COW snapshot of one of at most 45 GiB.
    safe = das_limits(group(others=10 * GIB), place(1000 * GIB), NONE, assumed())
    assert (safe.volume.gib, safe.total.gib, safe.snapshots.gib) == (45, 45, 45)
    assert das_limits(group(others=10 * GIB), place(1000 * GIB), in_force(volume=10), assumed()).total.gib == 80
    # 20 GiB of files, 85 % of them: the snapshots bound the volumes.
    assert das_limits(group(), place(20 * GIB), in_force(volume=10), assumed()).total.gib == 17
    assert das_limits(group(), place(20 * GIB), in_force(volume=10), assumed(2.0)).total.gib == 8
    # Without snapshots neither is needed.
    assert das_limits(group(), place(20 * GIB), NONE, assumed(0.0)).total.gib == 100


@pytest.mark.parametrize(
    ("version", "first", "key"),
    [
        ("4.4.2", "euctl ", "storage.global_total_snapshot_size_limit_gb"),
        ("4.1.0", "euca-modify-property -p ", "storage.global_total_snapshot_size_limit_gb"),
        ("3.4.2", "euca-modify-property -p ", "walrus.storagemaxtotalsnapshotsizeingb"),
        ("", "euctl ", "storage.global_total_snapshot_size_limit_gb"),
    ],
)
def test_commands_of_the_version(version: str, first: str, key: str) -> None:
    safe = overlay_limits(place(100 * GIB), NONE, assumed(version=version))
    assert safe.total.commands[0] == f"{first}one.storage.maxtotalvolumesizeingb={safe.total.gib}"
    assert {command.split()[0] for command in safe.total.commands} == {"euctl", "euca-modify-property"}
    assert safe.snapshots.key == key


def test_a_partition_that_nothing_tells_is_quoted() -> None:
    safe = overlay_limits(place(100 * GIB), NONE, assumed(partition=None))
    assert safe.volume.commands[0] == f"euctl '<PARTITION>.storage.maxvolumesizeingb={safe.volume.gib}'"


def limits_of(capacity: Capacity) -> SafeLimits:
    assert capacity.limits is not None
    return capacity.limits


def test_the_partition_is_that_of_the_targets_or_of_the_only_one_recorded() -> None:
    one = chain(file=file("vol-00000001", GIB + 4 * MIB, inode=1))
    assert one.file is not None
    parts: dict[str, Any] = {"stores": (store(one.file),)}
    served = chains(one, by_export={("iqn.2009-06.com.eucalyptus.two:store1", 1): one})
    assert limits_of(ask(chains=served, **parts)).partition == "two"
    recorded = cloud(one__storage__maxtotalvolumesizeingb=10)
    assert limits_of(ask(chains=chains(one), cloud=recorded, **parts)).partition == "one"
    both = cloud(one__storage__maxtotalvolumesizeingb=10, two__storage__maxtotalvolumesizeingb=10)
    assert limits_of(ask(chains=chains(one), cloud=both, **parts)).partition is None


def test_the_trap_of_the_default_limit_of_snapshots() -> None:
    one = file("vol-00000001", GIB + 4 * MIB, inode=1)
    parts: dict[str, Any] = {"stores": (store(one),), "chains": chains(chain(file=one))}
    recorded = cloud(one__storage__maxtotalvolumesizeingb=500, storage__global_total_snapshot_size_limit_gb=50)
    assert any("50 GiB, the default" in note for note in ask(cloud=recorded, **parts).notes)
    assert any("50 GB in all zones" in note for note in ask(**parts).notes)
    enough = cloud(one__storage__maxtotalvolumesizeingb=500, storage__global_total_snapshot_size_limit_gb=500)
    assert not any("SnapshotLimitExceeded" in note for note in ask(cloud=enough, **parts).notes)
    old = ask(cloud=cloud("3.4.2"), **parts)
    assert any("EUCA-4838" in note for note in old.notes)


def test_quotas_of_accounts_that_add_up_to_too_much() -> None:
    one = file("vol-00000001", GIB + 4 * MIB, inode=1)
    parts: dict[str, Any] = {"stores": (store(one, held=space(100 * GIB)),), "chains": chains(chain(file=one))}
    for total, told in ((10, False), (60, True)):
        accounts = {"a": AccountLimits(total=total * GIB), "b": AccountLimits(total=10 * GIB), "c": AccountLimits(volumes=5)}
        notes = ask(None, Config(quotas=Quotas(accounts=accounts)), **parts).notes
        assert any("2 accounts (quotas.accounts) add up to 70 GiB" in note for note in notes) == told


def test_what_the_limits_in_force_still_allow() -> None:
    one = file("vol-00000001", 5 * GIB + 4 * MIB, inode=1)
    parts: dict[str, Any] = {"stores": (store(one),), "chains": chains(chain(file=one))}
    config = Config(quotas=Quotas(total=20 * GIB, volume=8 * GIB, source="c"))
    allowed = ask(Question(size=5 * GIB), config, **parts).allowance
    assert allowed is not None
    assert (allowed.used, allowed.volumes, allowed.too_large) == (5 * GIB, 3, None)
    allowed = ask(Question(size=9 * GIB), config, **parts).allowance
    assert allowed is not None
    assert (allowed.volumes, allowed.too_large is not None) == (0, True)
    snapshots = ask(None, Config(quotas=Quotas(snapshots_total=13 * GIB, source="c")), **parts).snapshot_allowance
    assert snapshots is not None
    assert (snapshots.used, snapshots.size, snapshots.snapshots) == (0, 5 * GIB, 2)
    assert ask(**parts).allowance is None


def test_loop_devices_by_number() -> None:
    one = file("vol-00000001", GIB + 4 * MIB, inode=1)
    capacity = ask(stores=(store(one),), chains=chains(chain(file=one)))
    assert capacity.loops is not None
    assert (capacity.loops.attached, capacity.loops.limit, capacity.loops.left) == (0, 256, 256)
    lost = Unavailable(reason=Reason.DENIED, what="/sys/block")
    assert lost in ask(stores=(store(one),), chains=chains(chain(file=one)), loops=lost).unknown
    das = ask(chains=chains(chain(backend=DAS)), loops=LoopState(devices=(), nodes=0, max_loop=0, control=True))
    assert das.loops is None


def vg(free: int) -> VolumeGroup:
    return VolumeGroup(
        uuid="vg-uuid",
        name="vg",
        seqno=1,
        size=100 * GIB,
        free=free,
        extent_size=4 * MIB,
        pv_count=1,
        missing_pv_count=0,
        lv_count=1,
        snapshot_count=0,
        metadata_free=1,
        metadata_size=1,
        tags=(),
        exported=False,
        partial=False,
    )


def test_das_takes_extents_for_a_snapshot_and_a_file_in_the_folder() -> None:
    one = lv("euca-vol-00000001", 10 * GIB)
    report = LvmReport(
        physical_volumes=(), volume_groups=(vg(85 * GIB),), logical_volumes=(one,), duplicates=(), warnings=(), seconds=0.1
    )
    capacity = ask(stores=(store(),), chains=chains(chain(backend=DAS, lv=one)), lvm=report)
    (held,) = capacity.groups
    assert (held.free, share(held, Role.VOLUMES).allocated, share(held, Role.OVERHEAD).allocated) == (85 * GIB, 10 * GIB, 5 * GIB)
    assert held.room is not None
    assert (held.room.full, held.room.with_snapshot) == (8, 7)
    assert held.snapshot is not None
    assert (held.snapshot.copy, held.snapshot.cow) == (10 * GIB, 0)
    (folder,) = capacity.stores
    assert folder.snapshot is not None
    assert (folder.snapshot.copy, folder.snapshot.cow, folder.room) == (10 * GIB, 0, None)
    assert limits_of(capacity).backend == "eucalyptus-das"


def quota(question: Question, total: int = 1000 * GIB) -> Capacity:
    one = file("vol-00000001", GIB + 4 * MIB, inode=1)
    return ask(question, stores=(store(one, held=space(total, used=GIB + 4 * MIB)),), chains=chains(chain(file=one)))


def test_accounts_share_what_is_safe() -> None:
    capacity = quota(Question(accounts=4))
    assert capacity.quota is not None
    assert capacity.quota.gib == limits_of(capacity).total.gib // 4
    # 256 loop devices among 4.
    assert (capacity.quota.volumes, capacity.quota.snapshots) == (64, 64)
    given_numbers = quota(Question(account_gib=20, account_volumes=3, account_snapshots=9)).quota
    assert given_numbers is not None
    assert (given_numbers.gib, given_numbers.volumes, given_numbers.snapshots) == (20, 3, 9)
    assert quota(Question()).quota is None


def test_quotas_that_cannot_be_honoured_are_said_to_be() -> None:
    capacity = quota(Question(accounts=4, account_gib=500))
    assert any("2000 GiB" in note for note in capacity.notes)
    nothing = quota(Question(accounts=100000))
    assert nothing.quota is None
    assert any(note.startswith("No quotas of an account") for note in nothing.notes)


def test_a_cloud_without_volumes_has_room_for_some() -> None:
    for config, told in ((None, cloud()), (Config(backend="eucalyptus-overlay"), Unavailable(reason=Reason.ABSENT, what="v"))):
        held = store(held=space(100 * GIB), origin=StoreOrigin.CONFIGURED if config else StoreOrigin.BACKEND)
        capacity = ask(None, config, stores=(held,), chains=chains(), cloud=told)
        (found,) = capacity.stores
        assert capacity.volume_size == 10 * GIB
        assert found.room is not None
        # 85 GiB; a snapshot of 10 GiB takes 15.
        assert (found.room.full, found.room.with_snapshot, found.snapshot) == (8, 6, None)
        assert limits_of(capacity).backend == "eucalyptus-overlay"


def test_no_limit_is_called_safe_where_the_folder_of_snapshots_is_not_known() -> None:
    one = lv("euca-vol-00000001", 10 * GIB)
    report = LvmReport(
        physical_volumes=(), volume_groups=(vg(85 * GIB),), logical_volumes=(one,), duplicates=(), warnings=(), seconds=0.1
    )
    parts: dict[str, Any] = {"chains": chains(chain(backend=DAS, lv=one)), "lvm": report, "stores": (store(held=TIMEOUT),)}
    assert ask(**parts).limits is None
    assert TIMEOUT in ask(**parts).unknown
    # Where none is ever made, the folder does not matter.
    assert ask(Question(snapshots_per_volume=0.0), **parts).limits is not None
