"""A real file system with a sparse volume, a snapshot and a COW store: the numbers are those of statvfs(2) and stat(2), and as many
more volumes fit as was said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sctune.capacity.survey import Question, survey
from sctune.config.model import Config
from sctune.host.live import LiveHost
from sctune.inventory import Inventory
from sctune.model.capacity import Role
from tests.live.conftest import GIB, MIB, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sctune.model.capacity import Capacity, StoreCapacity
    from tests.live.conftest import Loops

pytestmark = [pytest.mark.live, pytest.mark.spawns]


@pytest.fixture
def mounted(loops: Loops, tmp_path: Path) -> Iterator[Path]:
    """ext4 of 12 GiB, 5 % of it for root."""
    device = loops.attach(loops.file("image", 12 * GIB))
    run("mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-m", "5", device)
    folder = tmp_path / "store"
    folder.mkdir()
    run("mount", device, str(folder))
    try:
        yield folder
    finally:
        run("umount", str(folder))


def look(folder: Path) -> tuple[Capacity, StoreCapacity]:
    config = Config(stores=(str(folder),), backend="eucalyptus-overlay")
    with LiveHost() as host:
        capacity = survey(Inventory(host, config, strict=True), Question(size=GIB))
    return capacity, next(store for store in capacity.stores if store.name == str(folder))


def test_the_numbers_are_those_of_the_kernel(mounted: Path, loops: Loops) -> None:
    volume, snapshot, cow = (mounted / name for name in ("vol-391D44BE", "snap-57C3C3E8", "vol-391D44BEMsmGAIzx"))
    for path, length in ((volume, 2 * GIB + 4 * MIB), (snapshot, GIB), (cow, GIB)):
        with open(path, "wb") as file:
            file.truncate(length)
    with open(volume, "r+b") as file:
        file.write(os.urandom(32 * MIB))
        os.fsync(file.fileno())
    (mounted / "notes").write_bytes(b"x" * MIB)
    with open(snapshot, "r+b") as file:
        os.posix_fallocate(file.fileno(), 0, GIB)
    os.sync()
    inner = loops.attach(volume)
    try:
        capacity, store = look(mounted)
        space = os.statvfs(mounted)
        assert (store.total, store.free, store.available) == tuple(
            blocks * space.f_frsize for blocks in (space.f_blocks, space.f_bfree, space.f_bavail)
        )
        assert store.available < store.free
        held = {share.role: share.allocated for share in store.shares}
        for role, path in ((Role.VOLUMES, volume), (Role.SNAPSHOTS, snapshot), (Role.COW_STORES, cow)):
            assert held[role] == os.stat(path).st_blocks * 512
        assert held[Role.OTHER_FILES] == os.stat(mounted / "notes").st_blocks * 512
        assert sum(held.values()) == store.used
        assert store.growth == sum(path.stat().st_size - path.stat().st_blocks * 512 for path in (volume, cow))
        assert store.snapshot is not None
        assert (store.snapshot.volume, store.snapshot.copy, store.snapshot.cow) == ("vol-391D44BE", 2 * GIB, GIB)
        assert capacity.limits is not None
    finally:
        loops.detach(inner)


def test_as_many_volumes_fit_as_was_said(mounted: Path) -> None:
    with open(mounted / "vol-00000000", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, GIB + 4 * MIB)
    _, store = look(mounted)
    assert store.room is not None
    more = store.room.full
    assert more >= 5

    def used() -> float:
        space = os.statvfs(mounted)
        taken = space.f_blocks - space.f_bfree
        return taken / (taken + space.f_bavail)

    for number in range(1, more + 1):
        with open(mounted / f"vol-{number:08x}", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, GIB + 4 * MIB)
    # What ext4 takes for itself besides, block maps of the files, is a few blocks.
    assert used() < 0.8501
    with open(mounted / "vol-ffffffff", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, GIB + 4 * MIB)
    assert used() >= 0.85
    _, store = look(mounted)
    assert store.room is not None
    assert store.room.full == 0
