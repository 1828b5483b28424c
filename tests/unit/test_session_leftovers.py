"""Sessions that nobody needs: on the host with the target, and on a node controller."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.checks.session_leftovers import CHECKS as LEFTOVERS
from sctune.config.model import Config, Thresholds
from sctune.findings import Cause, Risk, Severity
from sctune.host.base import Process
from sctune.model.cloud import Cloud
from sctune.model.process import GuestDisks
from sctune.model.store import Mount
from sctune.model.target import Portal, TgtDaemon, TgtState
from sctune.unavailable import CannotLook, Reason
from tests.unit import tgt_hosts
from tests.unit.chain_hosts import copy
from tests.unit.iscsi_hosts import (
    CHECKS,
    IQN,
    NO_PROCESSES,
    SESSION,
    connection,
    disk,
    dm_device,
    found,
    record,
    run,
    session,
    unavailable,
)
from tests.unit.serving_hosts import chain, chains
from tests.unit.serving_hosts import lv as a_lv
from tests.unit.storage_hosts import dm as a_dm
from tests.unit.storage_hosts import loop as a_loop

if TYPE_CHECKING:
    from sctune.check import Result
    from sctune.model.target import Target

(CHECK,) = LEFTOVERS
BOOT = 100_000.0
HERE = connection(persistent_address="10.0.0.5", local=True)
LOST = session(HERE, state="FAILED")
TGTD = Process(pid=157, ppid=1, name="tgtd", state="S", argv=("tgtd",), started=1000.0, cpu_seconds=1.0, uid=0)
WITH_TGTD = replace(NO_PROCESSES, tgtd=(TGTD,))
CLOUD = Cloud(version="4.4.2", volumes_folder="/var/lib/eucalyptus/volumes", properties=())


def process(pid: int, name: str, *argv: str) -> Process:
    return Process(pid=pid, ppid=1, name=name, state="S", argv=argv or (name,), started=1.0, cpu_seconds=1.0, uid=0)


def serving(*targets: Target, address: str = "0.0.0.0") -> TgtState:
    portal = Portal(address=address, port=3260, tpgt=1)
    one = TgtDaemon(control_port=0, state="ready", targets=targets, portals=(portal,), accounts=(), backing_types=())
    return TgtState(daemons=(one,), unanswered=(), stale=())


def judge(config: Config | None = None, **parts: Any) -> Result:
    """The host with the target, whose tgtd no longer has it."""
    given: dict[str, Any] = {
        "sessions": (LOST,),
        "tgt": serving(),
        "processes": WITH_TGTD,
        "chains": chains(),
        "block": (disk(),),
        "mounts": (),
        "backings": (),
        "guest_disks": (),
        "disk_arrivals": {"sda": 5000.0},
        "node_records": (record(),),
    }
    return run(CHECK, config, **(given | parts))


# The host with the target.


def test_a_session_whose_target_was_removed_is_left_over() -> None:
    result = judge()
    assert found(result) == [("ISCSI_SESSION_LEFTOVER", SESSION)]
    (finding,) = result.findings
    assert (finding.severity, finding.remedy.risk) == (Severity.WARNING, Risk.DISRUPTIVE)
    assert finding.remedy.commands == (
        "fuser -v /dev/sda",
        f"iscsiadm -m node -T {IQN} -p 10.0.0.5:3260 --logout",
        f"iscsiadm -m node -T {IQN} -p 10.0.0.5:3260 -o delete",
    )
    assert result.examined == 1
    assert not result.unexamined


def test_without_a_node_record_the_session_itself_is_logged_out() -> None:
    (finding,) = judge(node_records=unavailable(Reason.ABSENT)).findings
    assert finding.remedy.commands == ("fuser -v /dev/sda", "iscsiadm -m session -r 1 --logout")


def test_it_explains_that_the_session_failed() -> None:
    parts: dict[str, Any] = {
        "sessions": (LOST,),
        "tgt": serving(),
        "processes": WITH_TGTD,
        "chains": chains(),
        "block": (disk(),),
        "mounts": (),
        "disk_arrivals": {"sda": 5000.0},
        "guest_disks": (),
    }
    (finding,) = run(CHECKS["iscsi-sessions"], **parts).findings
    assert finding.caused_by == Cause(code="ISCSI_SESSION_LEFTOVER", subject=SESSION)
    (finding,) = run(CHECKS["iscsi-sessions"], **(parts | {"block": (disk("sda", "dm-3"),)})).findings
    assert finding.caused_by == Cause(code="ISCSID_DOWN", subject=finding.caused_by.subject if finding.caused_by else None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "parts",
    [
        {"sessions": (session(HERE),)},
        {"tgt": serving(tgt_hosts.target(iqn=IQN))},
        {"tgt": serving(address="10.9.9.9")},
        {"lio": (IQN,)},
        # Nobody answers, and one that ended may have had it.
        {"tgt": TgtState(daemons=(), unanswered=(), stale=(0,)), "processes": NO_PROCESSES},
        # A restart of tgtd took the target.
        {"disk_arrivals": {"sda": 900.0}},
        {"disk_arrivals": {"sda": 1500.0}, "processes": replace(WITH_TGTD, tgtd=(TGTD, replace(TGTD, pid=9, started=2000.0)))},
        # It is used.
        {"block": (disk("sda", "dm-3"),), "dm": (dm_device("dm-3", "LVM-x", "vg-lv"),)},
        {"mounts": (Mount(point="/srv", device=(8, 1), filesystem="ext4", source="/dev/sda1", options=()),)},
        {"mounts": (Mount(point="/srv", device=(8, 0), filesystem="ext4", source="LABEL=x", options=()),)},
        {"processes": replace(WITH_TGTD, copies=(copy("/dev/sda", "/srv/image"),))},
        {"tgt": serving(tgt_hosts.target(tgt_hosts.lun(1, backing_path="/dev/sda"), iqn="iqn.2026-01.org.example:two"))},
        {"guest_disks": (GuestDisks(process=process(9, "qemu-kvm"), named=(), disks=("sda",), opened=()),)},
        {"guest_disks": (GuestDisks(process=process(9, "qemu-kvm"), named=(), disks=(), opened=("kvm", "sda")),)},
    ],
)
def test_a_session_that_is_served_used_or_lost_otherwise_is_not(parts: dict[str, Any]) -> None:
    result = judge(**parts)
    assert not result.findings
    assert not result.unexamined
    assert result.examined == 1


def test_a_lost_export_explains_it() -> None:
    """The volume's LV is older than tgtd, its loop device is attached, and no target serves it."""
    lost = chain("vol-391D44BE", lv=a_lv("euca-vol-391D44BE", 1 << 30), loops=(a_loop(1),), dm=a_dm("x", 1, activated=10.0))
    assert not judge(chains=chains(lost)).findings


@pytest.mark.parametrize(
    "parts",
    [
        {"tgt": unavailable(Reason.DENIED, "socket")},
        {"lio": unavailable(Reason.DENIED, "socket")},
        {"chains": unavailable(Reason.TIMEOUT, "socket")},
        {"processes": unavailable(Reason.TIMEOUT, "socket")},
        {"tgt": replace(serving(), unanswered=(unavailable(Reason.TIMEOUT, "socket"),))},
        {"mounts": unavailable(Reason.DENIED, "socket")},
        {"dm": unavailable(Reason.DENIED, "socket")},
        {"guest_disks": unavailable(Reason.FAILED, "socket")},
        {
            "guest_disks": (
                GuestDisks(process=process(9, "qemu-kvm"), named=(), disks=(), opened=unavailable(Reason.DENIED, "socket")),
            )
        },
        {"disk_arrivals": unavailable(Reason.FAILED, "socket")},
    ],
)
def test_what_could_not_be_looked_at_is_unknown(parts: dict[str, Any]) -> None:
    result = judge(**parts)
    assert not result.findings
    assert [item.what for item in result.unexamined] == ["socket"]
    assert result.examined == 0


@pytest.mark.parametrize("parts", [{"disk_arrivals": {}}, {"sessions": (replace(LOST, disks=()),)}])
def test_an_age_that_nobody_tells_is_unknown(parts: dict[str, Any]) -> None:
    result = judge(**parts)
    assert not result.findings
    assert [item.what for item in result.unexamined] == [f"age of the session with {IQN}"]


def test_a_multipath_map_over_the_disk_uses_nothing_by_itself() -> None:
    parts: dict[str, Any] = {"block": (disk("sda", "dm-3"), disk("dm-3")), "dm": (dm_device("dm-3", "mpath-36001"),)}
    (finding,) = judge(**parts).findings
    assert finding.remedy.commands[:2] == ("fuser -v /dev/sda", "multipath -f mpatha")
    used = (disk("sda", "dm-3"), disk("dm-3", "dm-4"))
    assert not judge(**(parts | {"block": used})).findings
    guest = GuestDisks(process=process(9, "qemu-kvm"), named=("/dev/mapper/mpatha",), disks=("mpatha",), opened=())
    assert not judge(**(parts | {"guest_disks": (guest,)})).findings


def test_hosts_that_cannot_tell_are_not_judged() -> None:
    assert judge(sessions=()).not_applicable
    assert judge(sessions=(session(state="FREE"),)).not_applicable
    with pytest.raises(CannotLook):
        judge(sessions=unavailable(Reason.DENIED))


# A node controller.

NC = process(700, "httpd", "httpd", "-f", "/run/eucalyptus/httpd-nc.conf")
GUEST = process(800, "qemu-system-x86", "qemu-system-x86_64", "-name", "i-0a1b2c3d")
NODE = replace(NO_PROCESSES, eucalyptus=(NC,), guests=(GUEST,))


def node(config: Config | None = None, *, age: float = 3600.0, **parts: Any) -> Result:
    """A node controller with one guest, which has another disk, and a session with a volume."""
    given: dict[str, Any] = {
        "sessions": (session(),),
        "processes": NODE,
        "block": (disk(), disk("sdb")),
        "mounts": (),
        "guest_disks": (GuestDisks(process=GUEST, named=("/dev/sdb",), disks=("sdb",), opened=("kvm", "sdb")),),
        "disk_arrivals": {"sda": BOOT - age},
        "cloud": CLOUD,
    }
    return run(CHECK, config, **(given | parts))


def test_a_volume_that_no_guest_has_is_left_over() -> None:
    (finding,) = node().findings
    assert finding.identity == ("ISCSI_SESSION_LEFTOVER", SESSION)
    assert "no guest has its disk, which came 60 min ago" in finding.summary
    assert dict(finding.evidence)["guests"] == 1
    assert found(node(guest_disks=(), processes=replace(NODE, guests=()))) == [finding.identity]
    assert found(node(processes=replace(NODE, eucalyptus=()))) == [finding.identity]
    assert found(node(Config(role="node-controller"), processes=NO_PROCESSES)) == [finding.identity]


@pytest.mark.parametrize(("age", "seconds", "told"), [(599.0, 600.0, False), (600.0, 600.0, True), (61.0, 60.0, True)])
def test_attaching_takes_a_while(age: float, seconds: float, told: bool) -> None:
    result = node(Config(thresholds=Thresholds(session_unused_seconds=seconds)), age=age)
    assert bool(result.findings) is told
    assert result.examined == 1


def test_a_failed_session_of_nobody_is_left_over_too() -> None:
    assert found(node(sessions=(session(state="FREE"),))) == [("ISCSI_SESSION_LEFTOVER", SESSION)]


@pytest.mark.parametrize(
    "guest",
    [
        GuestDisks(process=GUEST, named=("/dev/sda",), disks=("sda",), opened=unavailable(Reason.DENIED)),
        GuestDisks(process=GUEST, named=(), disks=(), opened=("sda",)),
        GuestDisks(
            process=GUEST,
            named=(f"/dev/disk/by-path/ip-10.0.0.5:3260-iscsi-{IQN}-lun-1",),
            disks=(f"ip-10.0.0.5:3260-iscsi-{IQN}-lun-1",),
            opened=(),
        ),
    ],
)
def test_a_guest_that_has_the_disk_needs_the_session(guest: GuestDisks) -> None:
    result = node(guest_disks=(guest,))
    assert not result.findings
    assert not result.unexamined


def test_another_store_of_the_same_cloud_is_another_volume() -> None:
    other = GuestDisks(process=GUEST, named=(f"/dev/disk/by-path/ip-10.0.0.5:3260-iscsi-{IQN}0-lun-1",), disks=("x",), opened=())
    assert node(guest_disks=(other,)).findings


def test_what_is_no_node_controller_or_no_volume_is_not_judged() -> None:
    assert node(processes=NO_PROCESSES).not_applicable
    assert node(Config(role="storage-controller")).not_applicable
    assert node(processes=replace(NO_PROCESSES, guests=(GUEST,)), cloud=unavailable(Reason.ABSENT)).not_applicable
    assert node(sessions=(session(target="iqn.2010-10.org.openstack:volume-1"),)).not_applicable


def test_an_unknown_process_table_hides_whether_it_is_one() -> None:
    result = node(processes=unavailable(Reason.TIMEOUT, "process table"))
    assert not result.findings
    assert [item.what for item in result.unexamined] == ["process table"]


def test_a_target_that_was_removed_here_is_said_as_that() -> None:
    """A machine that serves its own guests, as FastStart makes it."""
    result = judge(processes=replace(WITH_TGTD, eucalyptus=(NC,)), disk_arrivals={"sda": BOOT - 5.0})
    assert "its target was removed" in result.findings[0].summary
