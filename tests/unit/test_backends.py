"""Names that Eucalyptus gives, in each of its eras, and names that only look like them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.backends.base import FileRole, LvName
from sctune.backends.choose import GENERIC, candidates, label
from sctune.backends.eucalyptus import ERA_31, ERA_32, ERA_33, ERA_OLD, EucalyptusDas, EucalyptusOverlay, era_of
from sctune.model.cloud import Cloud
from tests.unit import chain_hosts as hosts
from tests.unit.serving_hosts import lv

OVERLAY, DAS = EucalyptusOverlay(era=ERA_33), EucalyptusDas(era=ERA_33)
ID17 = "vol-0a1b2c3d4e5f60718"


@pytest.mark.parametrize(
    ("name", "role", "owner"),
    [
        ("vol-391D44BE", FileRole.VOLUME, "vol-391D44BE"),
        ("vol-391d44be", FileRole.VOLUME, "vol-391d44be"),
        (ID17, FileRole.VOLUME, ID17),
        ("snap-57C3C3E8", FileRole.SNAPSHOT, "snap-57C3C3E8"),
        ("vol-391D44BEMsmGAIzx", FileRole.COW_STORE, "vol-391D44BE"),
        ("vol-391D44BEMs-GA_zx", FileRole.COW_STORE, "vol-391D44BE"),
        ("vol-391D44BE01234567", FileRole.COW_STORE, "vol-391D44BE"),  # random characters that are all hex digits
        (ID17 + "abcdefgh", FileRole.COW_STORE, ID17),
        ("vol-391D44B", FileRole.OTHER, ""),
        ("vol-391D44BEG", FileRole.OTHER, ""),
        ("vol-391D44BE.bak", FileRole.OTHER, ""),
        ("vol-391D44BE\n", FileRole.OTHER, ""),
        ("xvol-391D44BE", FileRole.OTHER, ""),
        ("snap-57C3C3E8.gz", FileRole.OTHER, ""),
        ("", FileRole.OTHER, ""),
    ],
)
def test_file_names(name: str, role: FileRole, owner: str) -> None:
    for backend in (OVERLAY, DAS):
        read = backend.file_name(name)
        assert (read.role, read.id) == (role, owner)
    assert GENERIC.file_name(name).role is FileRole.OTHER


def read(backend: Any, vg: str, name: str) -> tuple[bool, str, str, bool]:
    found = backend.lv_name(vg, name, ())
    return found.ours, found.volume, found.snapshot, found.is_snapshot


def test_overlay_names_since_3_3() -> None:
    vg = "euca-ebs-storage-vg-vol-391D44BE"
    assert read(OVERLAY, vg, "euca-vol-391D44BE") == (True, "vol-391D44BE", "", False)
    assert read(OVERLAY, vg, "euca-snap-57C3C3E8") == (True, "vol-391D44BE", "snap-57C3C3E8", True)
    assert read(OVERLAY, "vg0", "euca-vol-391D44BE") == (False, "", "", False)
    assert read(OVERLAY, vg, "root") == (False, "", "", False)


@pytest.mark.parametrize("era", [ERA_31, ERA_32, ERA_OLD, ERA_33])
def test_overlay_names_before_are_random(era: str) -> None:
    backend = EucalyptusOverlay(era=era)
    assert read(backend, "vg-aB3_-x..", "lv-Qw9_-z..") == (True, "", "", False)
    assert read(backend, "vg-aB3_-x..", "lv-snap-Qw9_-z..") == (True, "", "", True)
    assert read(backend, "vg-data", "lv-Qw9_-z..") == (False, "", "", False)
    assert read(backend, "vg-aB3_-x..", "lv-home") == (False, "", "", False)


def test_das_names() -> None:
    assert read(DAS, "ebsvg", "euca-vol-391D44BE") == (True, "vol-391D44BE", "", False)
    assert read(DAS, "ebsvg", "euca-snap-57C3C3E8") == (True, "", "snap-57C3C3E8", True)
    assert read(DAS, "euca-ebs-storage-vg-vol-391D44BE", "euca-vol-391D44BE")[0] is False
    assert read(DAS, "ebsvg", "root")[0] is False
    assert read(GENERIC, "ebsvg", "euca-vol-391D44BE")[0] is False


def test_targets() -> None:
    assert OVERLAY.is_target("iqn.2009-06.com.eucalyptus.cluster01:store7")
    assert DAS.is_target("iqn.2009-06.com.eucalyptus.cluster01:store7")
    assert not OVERLAY.is_target("iqn.2010-10.org.openstack:volume-1")
    assert not GENERIC.is_target("iqn.2009-06.com.eucalyptus.cluster01:store7")


@pytest.mark.parametrize(
    ("version", "era"),
    [
        ("4.4.2", ERA_33),
        ("3.3.0", ERA_33),
        ("3.10.1", ERA_33),
        ("10.0", ERA_33),
        ("3.2.2", ERA_32),
        ("3.1.2", ERA_31),
        ("2.0.3", ERA_31),
        ("eee-2.0.1", ERA_31),
        ("4.4.2-0.123.el7", ERA_33),
        ("4", ""),
        ("4.4.", ERA_33),
        ("x4.4", ""),
        ("٤.٤", ""),
        ("", ""),
        ("unknown", ""),
    ],
)
def test_eras(version: str, era: str) -> None:
    assert era_of(version) == era


def cloud(version: str) -> Cloud:
    return Cloud(version=version, volumes_folder="/v", properties=())


def test_das_names_before_3_3() -> None:
    """Any VG that was there before, or one of 16 characters; an overlay volume's VG has 8."""
    old = EucalyptusDas(era=ERA_32)
    for vg in ("ebsvg", "vg-Tm9JxQ4bV2kAzg.."):
        assert read(old, vg, "lv-28NzTQ..") == (True, "", "", False)
        assert read(old, vg, "lv-snap-CfzmRA..") == (True, "", "", True)
    assert read(old, "vg-1lS3pg..", "lv-28NzTQ..")[0] is False
    assert read(old, "ebsvg", "lv-home")[0] is False
    assert read(EucalyptusOverlay(era=ERA_32), "vg-Tm9JxQ4bV2kAzg..", "lv-28NzTQ..")[0] is False


@pytest.mark.parametrize(
    ("length", "volume", "fits"),
    [
        (15 << 29, 15 << 30, True),
        (8053063680, 16106127360, True),  # the operator notes' vol-D02E43C2MsmGAIzx
        (15 << 30, 15 << 30, False),
        ((15 << 30) + (4 << 20), 15 << 30, False),  # a copy of the volume's file
        (15 << 29, 10 << 30, False),
        (15 << 29, None, True),
        ((15 << 30) + (4 << 20), None, False),
        ((15 << 29) + 1, None, False),
        (0, None, False),
        (0, 15 << 30, False),
    ],
)
def test_the_file_of_a_cow_store_is_half_as_long_as_its_volume(length: int, volume: int | None, fits: bool) -> None:
    for backend in (OVERLAY, EucalyptusOverlay(era=ERA_31), DAS):
        assert backend.file_sizes is not None
        assert backend.file_sizes.fits_cow_store(length, volume) is fits


def names(*, configured: str | None = None, version: str | None = None, vgs: tuple[str, ...] = ()) -> list[str]:
    lvs = [lv("lv-abcdef..", 1, vg) for vg in vgs]
    found = candidates(configured=configured, cloud=cloud(version) if version is not None else None, lvs=lvs)
    return [label(backend) for backend in found]


def test_what_is_tried_on_a_host() -> None:
    assert names(version="4.4.2") == ["eucalyptus-overlay 3.3+", "eucalyptus-das 3.3+", "cinder-lvm", "generic"]
    assert names(version="3.1.2")[0] == "eucalyptus-overlay <=3.1"
    assert names(version="", vgs=("vg-abcdef..",))[0] == "eucalyptus-overlay <=3.2"
    assert names(vgs=("vg-abcdef..", "vg0"))[0] == "eucalyptus-overlay <=3.2"
    assert names(vgs=("vg-data",))[0] == "eucalyptus-overlay <=3.2"  # a DAS volume in a VG that was there before
    assert names()[0] == "eucalyptus-overlay 3.3+"
    assert names(version="4.4.2", vgs=("vg-abcdef..",))[0] == "eucalyptus-overlay 3.3+"


def test_new_names_tell_the_era_where_both_are_there() -> None:
    """An upgraded host keeps its old volumes' names; without its version file the new ones tell that it is one."""
    lvs = [lv("lv-abcdef..", 1, "vg-abcdef.."), lv("euca-vol-391d44be", 1, "euca-ebs-storage-vg-vol-391d44be")]
    for order in (lvs, lvs[::-1]):
        found = candidates(configured=None, cloud=None, lvs=order)
        assert [label(backend) for backend in found][:2] == ["eucalyptus-overlay 3.3+", "eucalyptus-das 3.3+"]
    das = [lv("lv-abcdef..", 1, "ebsvg")]
    assert label(candidates(configured=None, cloud=None, lvs=das)[0]) == "eucalyptus-overlay <=3.2"


def test_what_the_configuration_says_is_tried_alone() -> None:
    assert names(configured="generic", version="4.4.2") == ["generic"]
    assert names(configured="eucalyptus-das", version="4.4.2") == ["eucalyptus-das 3.3+", "generic"]
    assert names(configured="cinder-lvm", version="4.4.2") == ["cinder-lvm", "generic"]
    assert names(configured="eucalyptus-overlay") == ["eucalyptus-overlay 3.3+", "generic"]


@pytest.mark.parametrize(("era", "stays"), [(ERA_31, True), (ERA_OLD, True), (ERA_32, False), (ERA_33, False)])
def test_what_is_normal_at_rest(era: str, stays: bool) -> None:
    assert EucalyptusOverlay(era=era).loops_at_rest is stays
    assert EucalyptusOverlay(era=era).always_attached is (era == ERA_31)
    assert not EucalyptusDas(era=era).always_attached
    assert not GENERIC.always_attached
    assert EucalyptusDas(era=era).loops_at_rest is False
    assert GENERIC.loops_at_rest is True


def test_what_each_says_of_itself() -> None:
    assert (OVERLAY.name, DAS.name, GENERIC.name) == ("eucalyptus-overlay", "eucalyptus-das", "generic")
    assert (OVERLAY.loop_policy_limit, DAS.loop_policy_limit, GENERIC.loop_policy_limit) == (256, None, None)
    assert (OVERLAY.persists_targets, DAS.persists_targets, GENERIC.persists_targets) == (False, False, True)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_name_raises_and_nothing_generic_is_anybodys(one: str, two: str) -> None:
    for backend in (OVERLAY, DAS, GENERIC, EucalyptusOverlay(era=ERA_OLD)):
        backend.file_name(one)
        backend.lv_name(one, two, (two,))
        backend.is_target(one)
    assert not GENERIC.lv_name(one, two, ()).ours
    era_of(one)


@pytest.mark.parametrize(
    ("lv", "system", "snapshot"),
    [
        ("vm-100-disk-0", "Proxmox VE", False),
        ("base-9000-disk-1", "Proxmox VE", False),
        ("vm-100-cloudinit", "Proxmox VE", False),
        ("snap_vm-100-disk-0_before-upgrade", "Proxmox VE", True),
        ("vm-disk-0", "", False),
        ("IncusThinPool", "Incus or LXD", False),
        ("LXDThinPool", "Incus or LXD", False),
        ("containers_web", "Incus or LXD", False),
        ("containers_web--1", "Incus or LXD", False),
        ("containers_web--1-daily", "Incus or LXD", True),
        ("virtual-machines_db.block", "Incus or LXD", False),
        ("custom_default_data", "Incus or LXD", False),
        ("data", "", False),
    ],
)
def test_two_other_systems_are_told_and_no_more(lv: str, system: str, snapshot: bool) -> None:
    assert GENERIC.lv_name("vg", lv, ()) == LvName(ours=False, is_snapshot=snapshot, system=system)


def test_their_snapshots_hang_on_their_disks() -> None:
    disk = hosts.lv("pve", "vm-100-disk-0", 1, pool="data")
    kept = hosts.lv("pve", "snap_vm-100-disk-0_a", 2, pool="data", origin=disk.name)
    orphan = hosts.lv("pve", "snap_vm-101-disk-0_a", 3, pool="data")
    found = hosts.chains(lvm=hosts.report(disk, kept, orphan))
    assert [(chain.id, len(chain.snapshots), chain.ours) for chain in found.chains] == [
        ("pve/snap_vm-101-disk-0_a", 0, False),
        ("pve/vm-100-disk-0", 1, False),
    ]
