"""Each state of the storage host is really there, by the word of kernel and tools, and the doctor finds what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .stages import MISSING_VG, THIN_VG
from .storage import OTHER, SNAPSHOT, VOLUME, dm_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Verdict
    from .machine import Machine

LVS = "lvs --noheadings -a -o"
# Only loop devices: a plain look hangs on the disks of a dead session.
LOOPS_ONLY = """--config 'devices{global_filter=["a|^/dev/loop[0-9]+$|","r|.*|"] scan_lvs=0}'"""

# What must hold, as shell conditions that use neither the doctor nor anything of its.
FACTS: dict[str, tuple[str, ...]] = {
    "healthy": (
        f"test $(stat -c %s {VOLUME.file}) = {VOLUME.file_bytes}",
        f"losetup -nO BACK-FILE | grep -qx {VOLUME.file}",
        f"test $({LVS} lv_tags {VOLUME.lv}) = {VOLUME.name}",
        f"test $(blockdev --getsize64 {VOLUME.lv}) = {VOLUME.gib << 30}",
        f"test $({LVS} origin {SNAPSHOT.lv}) = euca-{VOLUME.name}",
        f"pgrep -fx 'dd if={SNAPSHOT.lv} of={SNAPSHOT.file} bs=1M'",
        f"tgtadm --lld iscsi --mode target --op show | grep -q 'Backing store path: {VOLUME.lv}$'",
        f"iscsiadm -m session | grep -q '{VOLUME.iqn} '",
        f"iscsiadm -m session | grep -q '{OTHER.iqn} '",
        f"blkid -p -s TYPE {VOLUME.file} | grep -q LVM2_member",
    ),
    "backing-deleted": (
        f"! test -e {VOLUME.file}",
        f"grep -qx '{VOLUME.file} (deleted)' /sys/block/loop*/loop/backing_file",
        f"test -e {OTHER.file}",
    ),
    "snapshot-invalid": (
        f"dmsetup status {dm_name(SNAPSHOT.lv)} | grep -q ' snapshot Invalid'",
        f"{LVS} lv_snapshot_invalid {SNAPSHOT.lv} | grep -q 'snapshot invalid'",
    ),
    "tgtd-killed": (
        "! pgrep -x tgtd",
        "test $(cat /sys/class/iscsi_session/*/state | grep -c FAILED) = 2",
        "tgtadm --mode sys --op show; test $? = 107",
        f"lvs {LOOPS_ONLY} {VOLUME.vg}",
    ),
    "lv-suspended": (f"dmsetup info -c --noheadings -o suspended {dm_name(VOLUME.lv)} | grep -qx Suspended",),
    "duplicate-pv": (
        f"test $(losetup -nO NAME -j {VOLUME.file} | wc -l) = 2",
        "pvs 2>&1 >/dev/null | grep -q 'Not using device /dev/loop'",
    ),
    "missing-pv": (f"vgs --noheadings -o vg_missing_pv_count {MISSING_VG} | grep -qw 1",),
    "thin-pool": (
        "dmsetup status --target thin-pool | grep -q ' 128/512 - rw '",
        f"{LVS} lv_attr {THIN_VG}/pool0 | grep -q twi-aotz--",
    ),
    "thin-full": ("dmsetup status --target thin-pool | grep -q ' 512/512 - rw '",),
    "thin-out-of-space": (f"{LVS} lv_health_status {THIN_VG}/pool0 | grep -q out_of_data",),
}

# The findings above info that no other finding explains: code and subject, exactly these.
FAULTS: dict[str, set[tuple[str, str]]] = {
    "healthy": set(),
    "backing-deleted": {("LOOP_BACKING_DELETED", VOLUME.name)},
    "snapshot-invalid": {("LVM_SNAPSHOT_INVALID", SNAPSHOT.name)},
    "tgtd-killed": {("TGT_DOWN", "tgtd")},
    "lv-suspended": {("LVM_LV_SUSPENDED", VOLUME.name)},
    "duplicate-pv": {("LOOP_DUPLICATE_BACKING", VOLUME.name)},
    "missing-pv": {("LVM_PV_MISSING", MISSING_VG)},
    "thin-pool": set(),
    "thin-full": {("LVM_THIN_POOL_FILLING", f"{THIN_VG}/pool0")},
    "thin-out-of-space": {("LVM_THIN_POOL_BROKEN", f"{THIN_VG}/pool0")},
}


def test_the_state_is_really_there(state: str, machine: Machine) -> None:
    # One batch: a round of forks for each condition would cost more than the conditions.
    script = "\n".join(f"{{ {fact}; }} >/dev/null || echo '{number}'" for number, fact in enumerate(FACTS[state]))
    failed = machine.check(script).split()
    assert not failed, [FACTS[state][int(number)] for number in failed]


def test_the_doctor_finds_it(state: str, doctor: Callable[..., Verdict]) -> None:
    verdict = doctor()
    assert verdict.faults() == FAULTS[state]
    assert verdict.status == (1 if FAULTS[state] else 0), verdict.unexamined()
