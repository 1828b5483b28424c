"""LVM's answers and its physical volumes: on recorded hosts and on composed ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sctune.checks.lvm import CHECKS as LVM_CHECKS
from sctune.checks.physical_volumes import CHECKS as PV_CHECKS
from sctune.findings import HOST, Cause, Subject, SubjectKind
from sctune.host.base import Process
from sctune.model.dm import DmDevice
from sctune.model.initiator import IscsiConnection, IscsiSession
from sctune.model.loop import LoopState
from sctune.model.lvm import DuplicatePv
from sctune.model.store import Mount, StoreOrigin, VolumeStore
from sctune.model.target import TgtState
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit.lvm_hosts import NO_PROCESSES, TIMED_OUT, codes, inventory, loop, lv, pv, recorded, report, run

if TYPE_CHECKING:
    from sctune.model.process import Processes

RESPONDS, VOLUMES = LVM_CHECKS[0], PV_CHECKS[0]
NOW = 100_000.0  # FakeHost's boot clock
ALL_STATES = (
    "backing-deleted",
    "duplicate-pv",
    "healthy",
    "lv-suspended",
    "missing-pv",
    "snapshot-invalid",
    "tgtd-killed",
    "thin-full",
    "thin-out-of-space",
    "thin-pool",
)


def command(name: str, age: float, *arguments: str, state: str = "S") -> Process:
    return Process(pid=900, ppid=1, name=name, state=state, argv=(name, *arguments), started=NOW - age, cpu_seconds=0.0, uid=0)


def running(*processes: Process) -> Processes:
    return replace(NO_PROCESSES, lvm=processes)


def session(state: str = "LOGGED_IN", *, local: bool = True) -> IscsiSession:
    connection = IscsiConnection(
        name="connection1:0",
        address="127.0.0.1",
        port=3260,
        persistent_address="127.0.0.1",
        persistent_port=3260,
        noop_interval=5,
        noop_timeout=5,
        state="up",
        local=local,
    )
    return IscsiSession(
        number=1,
        target="iqn.t",
        tpgt=1,
        interface="default",
        initiator="iqn.i",
        state=state,
        recovery_timeout=120,
        abort_timeout=15,
        lu_reset_timeout=30,
        connections=(connection,),
        disks=("sda",),
    )


# LVM answers


@pytest.mark.parametrize("state", ALL_STATES)
def test_lvm_answers_on_every_recorded_host(state: str) -> None:
    result = run(RESPONDS, recorded(state))
    assert (result.examined, codes(result), result.unexamined) == (1, [], ())


def test_no_answer_is_critical_and_names_what_could_not_be_killed() -> None:
    made = inventory(lvm=TIMED_OUT, processes=running(command("lvs", 300, state="D")), sessions=(session("FAILED"),))
    result = run(RESPONDS, made)
    assert codes(result) == [("LVM_UNRESPONSIVE", "critical", "host")]
    facts = dict(result.findings[0].evidence)
    assert facts["processes_that_cannot_be_killed"] == ("4711",)
    assert facts["suspects"] == (
        "session iqn.t,127.0.0.1:3260,iqn.i is FAILED (its disks were left out; what lies over files on them was not)",
        "lvs (pid 900) waits in the kernel and may hold LVM's locks",
    )
    assert result.findings[0].caused_by is None


def test_while_lvm_does_not_answer_the_other_checks_of_lvm_are_unknown() -> None:
    with pytest.raises(CannotLook) as caught:
        run(VOLUMES, inventory(lvm=TIMED_OUT))
    assert caught.value.unavailable.reason is Reason.TIMEOUT


def test_a_dead_mount_under_a_loop_device_explains_it() -> None:
    hung = Unavailable(reason=Reason.TIMEOUT, what="/store", detail="")
    store = VolumeStore(path="/store", origin=StoreOrigin.LOOP, mount=None, space=hung, files=hung)
    loops = LoopState(devices=(loop(0, "/store/vol-1"),), nodes=1, max_loop=0, control=True)
    finding = run(RESPONDS, inventory(lvm=TIMED_OUT, stores=(store,), loops=loops)).findings[0]
    assert finding.caused_by == Cause(code="STORE_UNREACHABLE", subject=Subject(kind=SubjectKind.FILESYSTEM, id="/store"))


def test_a_dead_mount_without_loop_devices_does_not_explain_it() -> None:
    hung = Unavailable(reason=Reason.TIMEOUT, what="/store", detail="")
    store = VolumeStore(path="/store", origin=StoreOrigin.CONFIGURED, mount=None, space=hung, files=hung)
    assert run(RESPONDS, inventory(lvm=TIMED_OUT, stores=(store,))).findings[0].caused_by is None


@pytest.mark.parametrize(("local", "explained"), [(True, True), (False, False)])
def test_a_silent_tgtd_explains_it_where_its_disks_are_here(local: bool, explained: bool) -> None:
    silent = Unavailable(reason=Reason.TIMEOUT, what="/var/run/tgtd/socket.0")
    tgt = TgtState(daemons=(), unanswered=(silent,), stale=())
    cause = run(RESPONDS, inventory(lvm=TIMED_OUT, tgt=tgt, sessions=(session(local=local),))).findings[0].caused_by
    assert (cause == Cause(code="TGT_UNRESPONSIVE", subject=Subject(kind=SubjectKind.PROCESS, id="tgtd"))) is explained


@pytest.mark.parametrize("reason", [Reason.ABSENT, Reason.DENIED, Reason.FAILED, Reason.MALFORMED, Reason.NOT_COLLECTED])
def test_any_other_reason_is_not_called_a_hang(reason: Reason) -> None:
    with pytest.raises(CannotLook):
        run(RESPONDS, inventory(lvm=Unavailable(reason=reason, what="lvm fullreport")))


@pytest.mark.parametrize(("seconds", "expected"), [(0.2, []), (2.0, []), (2.1, ["info"]), (7.9, ["info"])])
def test_a_slow_report_is_information(seconds: float, expected: list[str]) -> None:
    result = run(RESPONDS, inventory(lvm=report(seconds=seconds)))
    assert [severity for _, severity, _ in codes(result)] == expected


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        (command("lvs", 9.9), []),
        (command("lvs", 10.5), ["warning"]),
        (command("lvm", 60, "vgs"), ["warning"]),
        (command("lvm", 60), []),
        (command("pvmove", 3600), []),
        (command("lvm", 3600, "lvconvert", "--merge"), []),
        (command("lvcreate", 60, state="D"), ["warning"]),
    ],
)
def test_an_lvm_command_that_runs_long_is_a_warning(process: Process, expected: list[str]) -> None:
    result = run(RESPONDS, inventory(lvm=report(), processes=running(process)))
    assert [severity for _, severity, _ in codes(result)] == expected
    assert all(finding.subject == HOST for finding in result.findings)


def test_without_the_process_table_it_is_said_so() -> None:
    denied = Unavailable(reason=Reason.DENIED, what="process table")
    result = run(RESPONDS, inventory(lvm=report(), processes=denied))
    assert [item.what for item in result.unexamined] == ["process table"]


# Physical volumes


@pytest.mark.parametrize("state", [state for state in ALL_STATES if state not in ("duplicate-pv", "missing-pv")])
def test_recorded_hosts_with_all_their_pvs_are_no_fault(state: str) -> None:
    result = run(VOLUMES, recorded(state))
    assert (codes(result), result.unexamined) == ([], ())
    assert result.examined >= 2


def test_a_recorded_missing_pv_is_told_by_its_vg_with_what_lies_on_it() -> None:
    result = run(VOLUMES, recorded("missing-pv"))
    assert codes(result) == [("LVM_PV_MISSING", "critical", "lab-missing")]
    finding = result.findings[0]
    facts = dict(finding.evidence)
    assert facts["pv_uuids"] == ("iPX6eD-uyKD-rpJZ-OeaK-o4Gl-lCt9-tNmtX2",)
    assert facts["last_devices"] == ("/dev/loop3",)
    assert facts["lvs"] == ("lab-missing/lost",)
    assert "losetup --find --show --nooverlap FILE" in finding.remedy.commands
    assert "lvchange --activate y lab-missing/lost" in finding.remedy.commands
    assert not any("removemissing" in command for command in finding.remedy.commands)
    assert "never the first" in finding.remedy.text


def test_a_recorded_duplicate_pv_is_the_volumes_and_explained_by_the_file_attached_twice() -> None:
    result = run(VOLUMES, recorded("duplicate-pv"))
    assert codes(result) == [("LVM_DUPLICATE_PV", "critical", "vol-391D44BE")]
    finding = result.findings[0]
    assert finding.caused_by == Cause(code="LOOP_DUPLICATE_BACKING", subject=Subject(kind=SubjectKind.VOLUME, id="vol-391D44BE"))
    facts = dict(finding.evidence)
    assert (facts["devices"], facts["used"]) == (("/dev/loop0", "/dev/loop2"), "/dev/loop0")
    assert finding.remedy.commands[-1] == "losetup --detach /dev/loop2"


def test_one_pv_on_two_files_is_not_blamed_on_a_file_attached_twice() -> None:
    loops = LoopState(devices=(loop(0, "/a"), loop(1, "/b")), nodes=2, max_loop=0, control=True)
    twice = DuplicatePv(uuid="PV0", paths=("/dev/loop0", "/dev/loop1"), preferred="/dev/loop0")
    finding = run(VOLUMES, inventory(lvm=report(duplicates=(twice,)), loops=loops)).findings[0]
    assert finding.caused_by is None
    assert finding.subject == Subject(kind=SubjectKind.VG, id="vg")


def test_a_duplicate_whose_use_is_not_known_is_not_to_be_detached() -> None:
    loops = LoopState(devices=(loop(0, "/a"), loop(1, "/b")), nodes=2, max_loop=0, control=True)
    twice = DuplicatePv(uuid="PV0", paths=("/dev/loop0", "/dev/loop1"), preferred="/dev/loop0")
    mount = Mount(point="/mnt", source="/dev/loop1", filesystem="ext4", options=("rw",), device=(7, 1))

    def offered(twice: DuplicatePv = twice, **parts: object) -> tuple[str, ...]:
        made = inventory(lvm=report(duplicates=(twice,)), loops=loops, **parts)
        return run(VOLUMES, made).findings[0].remedy.commands[1:]

    assert offered() == ("losetup --detach /dev/loop1",)
    assert offered(block=TIMED_OUT) == ()
    assert offered(mounts=TIMED_OUT) == ()
    assert offered(tgt=TIMED_OUT) == ()
    assert offered(mounts=(mount,)) == ()
    assert offered(replace(twice, uuid="PV9", preferred="")) == ()


def test_a_duplicate_that_is_no_loop_device_is_not_to_be_detached() -> None:
    twice = DuplicatePv(uuid="PV9", paths=("/dev/sda", "/dev/sdb"), preferred="/dev/sda")
    finding = run(VOLUMES, inventory(lvm=report(duplicates=(twice,)))).findings[0]
    assert finding.remedy.commands == ("lsblk /dev/sda /dev/sdb",)
    assert finding.subject == Subject(kind=SubjectKind.DISK, id="PV PV9")


def test_a_missing_pv_under_a_volume_is_the_volumes_and_its_file_is_named() -> None:
    from sctune.model.store import StoreFile

    name = "vol-0000000A"
    group = f"euca-ebs-storage-vg-{name}"
    volume = lv(
        f"euca-{name}", attr="-wi-----p-", vg=group, vg_uuid="VG", path=f"/dev/{group}/euca-{name}", tags=(name,), pv_uuids=("PV0",)
    )
    file = StoreFile(path=f"/s/{name}", name=name, apparent=1, allocated=1, device=1, inode=5, mtime=0.0)
    store = VolumeStore(path="/s", origin=StoreOrigin.BACKEND, mount=None, space=TIMED_OUT, files=(file,))
    gone = pv("PV0", vg=group, missing=True, last_path="/dev/loop4")
    made = inventory(lvm=report(volume, physical_volumes=(gone,)), stores=(store,))
    result = run(VOLUMES, made)
    assert codes(result) == [("LVM_PV_MISSING", "critical", name)]
    assert result.findings[0].remedy.commands[0] == f"losetup --find --show --nooverlap /s/{name}"


def test_two_missing_pvs_of_one_vg_are_one_finding() -> None:
    gone = (pv("PV0", missing=True), pv("PV1", missing=True))
    result = run(VOLUMES, inventory(lvm=report(physical_volumes=gone)))
    assert codes(result) == [("LVM_PV_MISSING", "critical", "vg")]
    assert dict(result.findings[0].evidence)["pv_uuids"] == ("PV0", "PV1")


def test_a_pv_that_may_be_on_a_disk_left_out_is_unknown_not_missing() -> None:
    gone = (pv("PV0", missing=True, last_path="/dev/sda"), pv("PV1", "/dev/loop1"))
    result = run(VOLUMES, inventory(lvm=report(physical_volumes=gone, excluded=("sda",))))
    assert (result.examined, result.findings) == (1, ())
    assert [item.what for item in result.unexamined] == ["PV PV0 of vg"]


def test_a_pv_on_a_loop_device_is_missing_whatever_was_left_out() -> None:
    gone = (pv("PV0", missing=True, last_path="/dev/loop7"),)
    result = run(VOLUMES, inventory(lvm=report(physical_volumes=gone, excluded=("sda",))))
    assert [code for code, _, _ in codes(result)] == ["LVM_PV_MISSING"]


def test_a_pv_on_a_suspended_device_is_unknown_not_missing() -> None:
    luks = DmDevice(name="luks-x", kernel_name="dm-0", uuid="CRYPT-x", device=(253, 0), size=1, suspended=True, targets=())
    gone = (pv("PV0", missing=True, last_path="/dev/mapper/luks-x"),)
    result = run(VOLUMES, inventory(lvm=report(physical_volumes=gone), dm=(luks,)))
    assert (result.findings, len(result.unexamined)) == ((), 1)


def test_a_host_without_pvs_is_not_judged() -> None:
    assert run(VOLUMES, inventory(lvm=report(physical_volumes=(), vgs=()))).not_applicable is not None


def test_a_plain_lvm_root_is_no_fault() -> None:
    made = inventory(lvm=report(lv("root", attr="-wi-ao----", pv_uuids=("PV0",)), physical_volumes=(pv("PV0", "/dev/sda2"),)))
    assert (codes(run(VOLUMES, made)), codes(run(RESPONDS, made))) == ([], [])


def test_a_missing_link_is_looked_at_twice() -> None:
    assert {code.code: code.confirm for code in (*VOLUMES.codes, *RESPONDS.codes)} == {
        "LVM_PV_MISSING": True,
        "LVM_DUPLICATE_PV": False,
        "LVM_UNRESPONSIVE": True,
        "LVM_COMMAND_SLOW": False,
    }
