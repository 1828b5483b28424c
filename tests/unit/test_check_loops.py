"""Loop devices: how many, leaked, waiting to be detached, buffered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sctune.backends.eucalyptus import ERA_32, EucalyptusOverlay
from sctune.checks.loop_backing import CHECKS as BACKING_CHECKS
from sctune.checks.loop_direct_io import CHECKS as DIRECT_IO_CHECKS
from sctune.checks.loop_leaks import CHECKS as LEAK_CHECKS
from sctune.checks.loops import CHECKS as LIMIT_CHECKS
from sctune.config.model import Config
from sctune.findings import Severity, Subject, SubjectKind
from sctune.model.lvm import LvmReport
from sctune.unavailable import CannotLook, Unavailable
from tests.fakes import FakeHost, absent
from tests.unit.serving_hosts import GIB, chain, chains, lv
from tests.unit.storage_hosts import (
    block,
    codes,
    denied,
    dm,
    facts,
    idle_tgtd,
    look,
    loop,
    loops,
    mount,
    only,
    processes,
    run,
    tgtd,
    timeout,
)
from tests.unit.test_chain_state import a_copy, an_export, attached, inactive

if TYPE_CHECKING:
    from sctune.check import Result
    from sctune.model.loop import LoopDevice

(LIMIT,) = LIMIT_CHECKS
(BACKING,) = BACKING_CHECKS
LEAKED, DETACH = LEAK_CHECKS
(BUFFERED,) = DIRECT_IO_CHECKS
NO_LVM = LvmReport(physical_volumes=(), volume_groups=(), logical_volumes=(), duplicates=(), warnings=(), seconds=0.0)


# LOOP_LIMIT_NEAR


def limit(used: int, config: Config | None = None, *, ours: bool = True, **state: object) -> Result:
    found = loops(*(loop(n) for n in range(used)), **state)  # type: ignore[arg-type]
    return run(LIMIT, loops=found, chains=chains(chain(ours=ours)), config=config or Config())


@pytest.mark.parametrize(
    ("used", "severity"),
    [
        (0, None),
        (204, None),
        (205, Severity.WARNING),
        (243, Severity.WARNING),
        (244, Severity.CRITICAL),
        (256, Severity.CRITICAL),
        (300, Severity.CRITICAL),
    ],
)
def test_the_policy_of_256(used: int, severity: Severity | None) -> None:
    result = limit(used)
    assert result.examined == 1
    assert [finding.severity for finding in result.findings] == ([severity] if severity else [])


def test_what_a_near_limit_says() -> None:
    finding = only(limit(250, max_loop=8))
    assert finding.subject == Subject(kind=SubjectKind.SETTING, id="loop.limit")
    assert finding.summary == "250 of 256 loop devices are attached: 6 more can be"
    known = facts(finding)
    assert (known["used"], known["limit"], known["limited_by"]) == (250, 256, "policy of eucalyptus-overlay")
    assert known["kernel"] == "adds devices on demand (loop-control); max_loop=8 bounds nothing"


def test_where_the_kernel_adds_on_demand_and_nobody_has_a_policy_there_is_no_limit() -> None:
    result = limit(300, ours=False, max_loop=8)
    assert (result.examined, result.findings) == (1, ())
    assert limit(0, ours=False).not_applicable


def test_max_loop_is_hard_without_loop_control() -> None:
    finding = only(limit(64, ours=False, max_loop=64, control=False))
    assert finding.severity is Severity.CRITICAL
    assert facts(finding)["limit"] == 64
    assert codes(limit(64, ours=False, max_loop=0, control=False)) == []
    assert codes(limit(64, ours=False, max_loop=None, control=False)) == []


def test_the_smallest_limit_counts() -> None:
    assert facts(only(limit(60, Config(loop_limit=64))))["limited_by"] == "loop_limit in the configuration"
    assert facts(only(limit(250, Config(loop_limit=4096))))["limit"] == 256
    assert facts(only(limit(1, Config(loop_limit=0))))["limit"] == 0


def test_limit_without_chains_is_not_called_ok() -> None:
    result = run(LIMIT, loops=loops(loop(0)), chains=denied("chains"))
    assert (result.examined, len(result.unexamined)) == (0, 1)
    # A limit that binds anyhow is judged all the same.
    assert codes(run(LIMIT, loops=loops(loop(0)), chains=denied("chains"), config=Config(loop_limit=1))) == ["LOOP_LIMIT_NEAR"]


def test_loops_that_cannot_be_read() -> None:
    for check in (LIMIT, BACKING, DETACH):
        with pytest.raises(CannotLook):
            run(check, loops=denied("loops"), chains=chains())


# LOOP_LEAKED

BOOT = FakeHost().boot
STARTED = 500.0


def leaked(*members: object, **parts: object) -> Result:
    defaults: dict[str, object] = {
        "loops": loops(loop(0)),
        "chains": chains(*members),  # type: ignore[arg-type]
        "tgt": idle_tgtd(),
        "processes": processes(tgtd(STARTED)),
        "lvm": NO_LVM,
        "dm": (),
        "cloud": absent("/etc/eucalyptus/eucalyptus-version"),
    }
    return run(LEAKED, **{**defaults, **parts})


def test_a_leaked_loop() -> None:
    finding = only(leaked(attached()))
    assert (finding.code, finding.severity, finding.subject.id) == ("LOOP_LEAKED", Severity.WARNING, "vol-00000001")
    assert finding.remedy.commands == ("lvchange --activate n vg/euca-vol-00000001", "losetup --detach /dev/loop0")
    known = facts(finding)
    assert (known["lv_activated"], known["tgtd_started"]) == (1000.0, 500.0)


def test_a_leaked_loop_under_an_inactive_lv() -> None:
    assert only(leaked(attached(**inactive()))).remedy.commands == ("losetup --detach /dev/loop0",)


def test_what_is_not_leaked() -> None:
    lost = attached(STARTED - 1)
    members = (attached(exports=(an_export(),)), attached(copies=(a_copy(),)), lost)
    result = leaked(*members)
    assert (result.examined, result.findings, result.unexamined) == (3, (), ())


def test_what_is_just_being_attached_is_not_leaked() -> None:
    assert codes(leaked(attached(BOOT - 59))) == []
    assert codes(leaked(attached(BOOT - 61))) == ["LOOP_LEAKED"]


def test_a_volume_that_may_wait_for_its_copy_is_not_leaked() -> None:
    """Made from a snapshot, or snapshotted at rest, while the storage controller runs the two copies it allows itself."""
    controller = replace(tgtd(1.0, pid=500), name="eucalyptus-clou")
    copies = tuple(replace(a_copy(), process=replace(a_copy().process, pid=n, ppid=500)) for n in (7, 8))
    busy = replace(processes(tgtd(STARTED)), eucalyptus=(controller,), copies=copies)
    assert codes(leaked(attached(), processes=busy)) == []
    assert codes(leaked(attached(), processes=replace(busy, copies=copies[:1]))) == ["LOOP_LEAKED"]
    # No copy is made of an LV that is not active, and 3.2 counts no copies.
    assert codes(leaked(attached(**inactive()), processes=busy)) == ["LOOP_LEAKED"]
    assert codes(leaked(attached(backend=EucalyptusOverlay(era=ERA_32)), processes=busy)) == ["LOOP_LEAKED"]


def test_while_tgtd_is_down_nothing_is_leaked() -> None:
    result = leaked(attached(), tgt=idle_tgtd(daemons=()), processes=processes())
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_tgtd_that_does_not_answer_makes_it_unknown() -> None:
    for tgt in (timeout("tgtd socket.0"), denied("tgtd socket.0"), idle_tgtd(unanswered=(timeout("tgtd socket.0"),))):
        result = leaked(attached(), tgt=tgt)
        assert (result.examined, result.findings) == (0, ())
        assert [item.what for item in result.unexamined] == ["volume vol-00000001"]


def test_without_udev_it_is_unknown() -> None:
    assert len(leaked(attached(None)).unexamined) == 1


def test_without_lvm_it_is_unknown_and_without_an_lv_another_codes_business() -> None:
    assert len(leaked(attached(lv=None, dm=None), lvm=denied("lvm")).unexamined) == 1
    result = leaked(attached(lv=None, dm=None))
    assert (result.findings, result.unexamined) == ((), ())


def test_a_host_without_cloud_volumes() -> None:
    assert leaked(attached(ours=False)).not_applicable
    assert leaked(chain()).not_applicable
    with pytest.raises(CannotLook):
        leaked(loops=denied("loops"))


def test_an_open_lv_is_not_deactivated_by_our_advice() -> None:
    used = attached(lv=replace(lv("euca-vol-00000001", GIB), open=True))
    assert only(leaked(used)).remedy.commands == ("fuser --verbose /dev/vg/euca-vol-00000001",)


def test_leftover_snapshots_come_first() -> None:
    from sctune.model.chain import SnapshotLink

    snapshot = SnapshotLink(
        subject=Subject(kind=SubjectKind.SNAPSHOT, id="snap-1"),
        lv=lv("euca-snap-1", GIB),
        dm=None,
        status=None,
        cow_loops=("loop9",),
    )
    finding = only(leaked(attached(snapshots=(snapshot,))))
    assert facts(finding)["snapshots_left"] == ("vg/euca-snap-1",)
    assert not any("detach" in command for command in finding.remedy.commands)


# LOOP_DETACH_PENDING


def detach(device: LoopDevice, *, holders: tuple[str, ...] = (), **parts: object) -> Result:
    defaults: dict[str, object] = {
        "loops": loops(device, loop(9)),
        "block": (block(device.name, holders=holders),),
        "mounts": (mount("/"),),
        "chains": chains(),
    }
    return run(DETACH, **{**defaults, **parts})


def test_a_lazy_detach_waits() -> None:
    finding = only(detach(loop(0, autoclear=True)))
    assert (finding.code, finding.severity) == ("LOOP_DETACH_PENDING", Severity.INFO)
    assert "a process has it open" in finding.summary
    held = only(detach(loop(0, autoclear=True), holders=("dm-0",), dm=(dm(number=0),)))
    assert facts(held)["used_by"] == ("dm-0",)


def test_no_flag_no_finding() -> None:
    assert (detach(loop(0)).examined, codes(detach(loop(0)))) == (2, [])


@pytest.mark.parametrize(
    "mounted",
    [
        mount("/snap/core", device=(7, 0), filesystem="squashfs"),
        mount("/mnt", device=(0, 50), filesystem="btrfs", source="/dev/loop0"),
        mount("/mnt", device=(259, 3), source="/dev/loop0p1"),
    ],
)
def test_mounts_set_the_flag_themselves(mounted: object) -> None:
    assert codes(detach(loop(0, autoclear=True), mounts=(mounted,))) == []


def test_another_loops_mount_does_not_count() -> None:
    assert codes(detach(loop(1, autoclear=True), mounts=(mount("/mnt", device=(7, 10), source="/dev/loop10"),))) != []


@pytest.mark.parametrize("uuid", ["CRYPT-LUKS2-abc-name", ""])
def test_cryptsetup_and_docker_set_it_themselves(uuid: str) -> None:
    assert codes(detach(loop(0, autoclear=True), holders=("dm-0",), dm=(dm(uuid=uuid),))) == []


def test_without_the_mount_table_it_is_unknown() -> None:
    with pytest.raises(CannotLook):
        detach(loop(0, autoclear=True), mounts=denied("mountinfo"))
    assert codes(detach(loop(0), mounts=denied("mountinfo"))) == []


# LOOP_BUFFERED


def buffered(*members: object, config: Config | None = None) -> Result:
    return run(BUFFERED, loops=loops(), chains=chains(*members), config=config or Config())  # type: ignore[arg-type]


def test_a_buffered_volume_is_advice() -> None:
    finding = only(buffered(attached()))
    assert (finding.code, finding.severity, finding.subject.id) == ("LOOP_BUFFERED", Severity.INFO, "vol-00000001")
    assert finding.remedy.commands == ("losetup --direct-io=on /dev/loop0",)


@pytest.mark.parametrize(
    ("kernel", "judged"),
    [("2.6.32-220.el6.x86_64", False), ("3.10.0-1160.el7.x86_64", False), ("4.3.9", False), ("4.4.0", True), ("x", True)],
)
def test_before_linux_4_4_there_is_no_other_way(kernel: str, judged: bool) -> None:
    seen = look(None, FakeHost(kernel=kernel), chains=chains(attached()), loops=loops(loop(0)))
    result = BUFFERED.run(seen)
    assert bool(result.findings) is judged
    assert bool(result.not_applicable) is not judged


def test_wanted_makes_it_a_warning() -> None:
    assert only(buffered(attached(), config=Config(wanted=frozenset({"LOOP_BUFFERED"})))).severity is Severity.WARNING


def test_direct_and_read_only_loops_are_fine() -> None:
    result = buffered(attached(loops=(loop(0, direct_io=True), loop(1, read_only=True))))
    assert (result.examined, result.findings) == (1, ())


def test_loops_of_nobodys_volume_are_left_alone() -> None:
    assert buffered(attached(ours=False)).not_applicable
    assert codes(buffered(attached(ours=False, exports=(an_export(),)))) == ["LOOP_BUFFERED"]


@pytest.mark.parametrize("check", [LIMIT, BACKING, LEAKED, DETACH, BUFFERED])
def test_every_code_is_explained(check: object) -> None:
    from sctune.check import Check

    assert isinstance(check, Check)
    for code in check.codes:
        for text in (code.title, code.meaning, code.why, code.thresholds, code.remedy, code.source, *code.see):
            assert text.strip()


def test_an_absent_loop_driver_is_not_applicable() -> None:
    for check in (LIMIT, BACKING, LEAKED, DETACH):
        with pytest.raises(CannotLook) as caught:
            run(check, chains=chains())
        assert isinstance(caught.value.unavailable, Unavailable)
        assert caught.value.unavailable.reason == "absent"
