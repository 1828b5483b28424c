"""Thin pools: on recorded hosts and on composed ones."""

from __future__ import annotations

import pytest

from sctune.checks.thin import CHECKS
from sctune.findings import Risk
from sctune.model.dm import DmDevice, DmTarget, PoolMode
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit.lvm_hosts import GIB, MIB, codes, dm, inventory, lv, pool, recorded, report, run, vg

CHECK = CHECKS[0]
POOL = lv("pool0", attr="twi-aotz--", layout=("thin", "pool"), segment_types=("thin-pool",))
THIN = lv("thin1", attr="Vwi-aotz--", layout=("thin", "sparse"), segment_types=("thin",), pool="pool0")
NO_DM = Unavailable(reason=Reason.DENIED, what="device-mapper")


def test_a_recorded_healthy_pool_is_no_fault() -> None:
    result = run(CHECK, recorded("thin-pool"))
    assert (result.examined, codes(result), result.unexamined) == (1, [], ())


@pytest.mark.parametrize("without_dm", [False, True])
def test_a_recorded_pool_at_exactly_100_percent_is_filling_critically_and_not_broken(without_dm: bool) -> None:
    made = recorded("thin-full", dm=NO_DM) if without_dm else recorded("thin-full")
    result = run(CHECK, made)
    assert codes(result) == [("LVM_THIN_POOL_FILLING", "critical", "lab-thin/pool0")]
    assert dict(result.findings[0].evidence)["data_used_ratio"] == 1.0


@pytest.mark.parametrize("without_dm", [False, True])
def test_a_recorded_pool_out_of_space_is_broken_and_not_also_filling(without_dm: bool) -> None:
    made = recorded("thin-out-of-space", dm=NO_DM) if without_dm else recorded("thin-out-of-space")
    result = run(CHECK, made)
    assert codes(result) == [("LVM_THIN_POOL_BROKEN", "critical", "lab-thin/pool0")]
    assert result.findings[0].remedy.risk is Risk.SAFE


@pytest.mark.parametrize("state", ["healthy", "missing-pv", "snapshot-invalid"])
def test_hosts_without_a_pool_are_not_judged(state: str) -> None:
    assert run(CHECK, recorded(state)).not_applicable == "there is no thin pool"


@pytest.mark.parametrize(
    ("data", "metadata", "expected"),
    [
        (799, 799, []),
        (800, 10, ["warning"]),
        (10, 800, ["warning"]),
        (949, 949, ["warning"]),
        (950, 10, ["critical"]),
        (10, 950, ["critical"]),
    ],
)
def test_the_thresholds_hold_for_data_and_for_metadata(data: int, metadata: int, expected: list[str]) -> None:
    result = run(CHECK, inventory(lvm=report(POOL, THIN), dm=(dm(POOL, pool(data, metadata), layer="-tpool", kind="thin-pool"),)))
    assert [severity for _, severity, _ in codes(result)] == expected


@pytest.mark.parametrize("mode", [PoolMode.RO, PoolMode.FAILED, PoolMode.OUT_OF_DATA_SPACE])
def test_every_mode_but_rw_is_broken(mode: PoolMode) -> None:
    made = inventory(lvm=report(POOL, THIN), dm=(dm(POOL, pool(990, mode=mode), layer="-tpool", kind="thin-pool"),))
    assert [code for code, _, _ in codes(run(CHECK, made))] == ["LVM_THIN_POOL_BROKEN"]


def test_a_pool_that_needs_a_check_is_repaired_off_line() -> None:
    made = inventory(lvm=report(POOL, THIN), dm=(dm(POOL, pool(10, needs_check=True), layer="-tpool", kind="thin-pool"),))
    finding = run(CHECK, made).findings[0]
    assert finding.remedy.risk is Risk.DISRUPTIVE
    assert finding.remedy.commands == (
        "lvchange --activate n vg/thin1",
        "lvchange --activate n vg/pool0",
        "lvconvert --repair vg/pool0",
        "lvchange --activate y vg/pool0",
        "lvchange --activate y vg/thin1",
    )


def test_filling_metadata_and_data_are_one_finding_with_both_extensions() -> None:
    made = inventory(
        lvm=report(POOL, THIN, vgs=(vg(free=400 * MIB),)), dm=(dm(POOL, pool(850, 960), layer="-tpool", kind="thin-pool"),)
    )
    result = run(CHECK, made)
    assert [severity for _, severity, _ in codes(result)] == ["critical"]
    assert result.findings[0].remedy.commands == ("lvextend --extents +84 vg/pool0", "lvextend --poolmetadatasize +64M vg/pool0")


@pytest.mark.parametrize(
    ("free", "spare", "expected"),
    [
        (100, False, (84, 16)),
        (100, True, (68, 16)),
        (20, False, (10, 10)),
        (20, True, (10, 5)),
        (2, False, (1, 1)),
    ],
)
def test_of_two_extensions_the_first_leaves_enough_for_the_second(free: int, spare: bool, expected: tuple[int, int]) -> None:
    spares = (lv("lvol0_pmspare", attr="ewi-------"),) if spare else ()
    made = inventory(
        lvm=report(POOL, THIN, vgs=(vg(free=free * 4 * MIB),), internal=spares),
        dm=(dm(POOL, pool(850, 960), layer="-tpool", kind="thin-pool"),),
    )
    data, metadata = run(CHECK, made).findings[0].remedy.commands
    assert data == f"lvextend --extents +{expected[0]} vg/pool0"
    assert metadata == f"lvextend --poolmetadatasize +{expected[1] * 4}M vg/pool0"
    assert expected[0] + expected[1] * (2 if spare else 1) <= free


def test_one_free_extent_is_too_few_for_both() -> None:
    made = inventory(
        lvm=report(POOL, THIN, vgs=(vg(free=4 * MIB),)), dm=(dm(POOL, pool(850, 960), layer="-tpool", kind="thin-pool"),)
    )
    commands = run(CHECK, made).findings[0].remedy.commands
    assert commands[0].startswith("vgs vg    # too few free extents")


def test_metadata_grow_by_no_more_than_the_vg_has_left() -> None:
    made = inventory(
        lvm=report(POOL, THIN, vgs=(vg(free=28 * MIB),)), dm=(dm(POOL, pool(10, 870), layer="-tpool", kind="thin-pool"),)
    )
    assert run(CHECK, made).findings[0].remedy.commands == ("lvextend --poolmetadatasize +28M vg/pool0",)


def test_an_active_pool_of_which_nobody_tells_is_unexamined() -> None:
    result = run(CHECK, inventory(lvm=report(POOL), dm=NO_DM))
    assert result.examined == 0
    assert [item.reason for item in result.unexamined] == [Reason.DENIED]


def test_an_inactive_pool_is_no_fault_and_not_unknown() -> None:
    idle = lv("pool0", attr="twi---tz--", segment_types=("thin-pool",))
    result = run(CHECK, inventory(lvm=report(idle), dm=NO_DM))
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_a_pool_that_is_not_lvms_is_judged_by_its_device_name() -> None:
    docker = DmDevice(
        name="docker-254:0-99-pool",
        kernel_name="dm-0",
        uuid="",
        device=(253, 0),
        size=GIB,
        suspended=False,
        targets=(DmTarget(start=0, length=GIB, kind="thin-pool", status=pool(960)),),
    )
    result = run(CHECK, inventory(lvm=report(), dm=(docker,)))
    assert codes(result) == [("LVM_THIN_POOL_FILLING", "critical", "docker-254:0-99-pool")]
    assert not any("lvextend" in command for command in result.findings[0].remedy.commands)


def test_without_lvms_answer_nothing_is_claimed() -> None:
    with pytest.raises(CannotLook):
        run(CHECK, inventory(lvm=Unavailable(reason=Reason.ABSENT, what="lvm fullreport")))
