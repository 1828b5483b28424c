"""Targets: their LUNs, what those serve, and who may log in."""

from __future__ import annotations

from typing import Any

import pytest

from sctune.checks import target_access, targets
from sctune.findings import Cause, Subject, SubjectKind
from sctune.host.base import FileKind
from sctune.model.target import Backing
from sctune.records import replace
from sctune.unavailable import CannotLook, Reason
from tests.unit.serving_hosts import chain, chains
from tests.unit.storage_hosts import dm
from tests.unit.tgt_hosts import (
    DENIED,
    HUNG,
    IQN,
    NO_TGT,
    codes,
    configured,
    daemon,
    facts,
    gone,
    look,
    lun,
    nexus,
    only,
    process,
    processes,
    run,
    stat,
    state,
    target,
    unavailable,
)

LUNS, BACKING = targets.CHECKS
ACCESS, CHAP = target_access.CHECKS
ALL_CHECKS = (*targets.CHECKS, ACCESS)
VOLUME = chain("vol-00000001")
CLOUD = chains(VOLUME, by_export={(IQN, 1): VOLUME})
ONE = "/srv/volumes/1"
LV = "/dev/euca-ebs-storage-vg-vol-1/euca-vol-1"


def serving(*items: Any, **facts_of_daemon: Any) -> Any:
    return state(daemon(*items, **facts_of_daemon))


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.name)
def test_healthy_targets(check: Any) -> None:
    result = run(check)
    assert (result.examined, result.findings, result.unexamined, result.not_applicable) == (1, (), (), None)


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.name)
def test_nothing_to_judge(check: Any) -> None:
    assert run(check, tgt=serving(), backings=()).not_applicable == "tgtd serves no target"
    assert run(check, tgt=state(stale=(0,)), backings=()).not_applicable == "no tgtd runs"
    for answer in (NO_TGT, DENIED):
        with pytest.raises(CannotLook):
            run(check, tgt=answer, backings=answer)


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.name)
def test_a_hung_daemon_hides_its_targets(check: Any) -> None:
    result = run(check, tgt=state(unanswered=(HUNG,)), backings=())
    assert (result.examined, result.findings, result.not_applicable) == (0, (), None)
    assert [item.reason for item in result.unexamined] == [Reason.TIMEOUT]
    both = run(check, tgt=state(daemon(target()), unanswered=(HUNG,)))
    assert (both.examined, len(both.unexamined)) == (1, 1)


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.name)
def test_texts_and_needs(check: Any) -> None:
    for code in check.codes:
        assert all((code.title, code.meaning, code.why, code.thresholds, code.see, code.remedy, code.source)), code.code
    assert set(check.needs) <= set(look().inventory.parts)


# --- TARGET_LUN_MISSING, TARGET_LUN_OFFLINE


def test_a_target_with_its_controller_only() -> None:
    finding = only(run(LUNS, tgt=serving(target(luns=(lun(0),), tid=4))))
    assert (finding.code, finding.subject) == ("TARGET_LUN_MISSING", Subject(kind=SubjectKind.TARGET, id=IQN))
    assert finding.remedy.commands == ("tgtadm --lld iscsi --mode target --op show",)


def test_the_lun_that_targets_conf_knows() -> None:
    parts = {
        "tgt": serving(target(luns=(lun(0),), tid=4, control_port=7)),
        "tgt_configuration": configured(IQN, paths=("/srv/a b",)),
    }
    assert only(run(LUNS, **parts)).remedy.commands == (
        "tgtadm -C 7 --lld iscsi --mode logicalunit --op new --tid 4 --lun 1 -b '/srv/a b'",
    )


def test_a_disk_that_is_offline() -> None:
    finding = only(run(LUNS, tgt=serving(target(lun(online=False))), chains=CLOUD))
    assert (finding.code, finding.subject) == ("TARGET_LUN_OFFLINE", VOLUME.subject)
    assert finding.remedy.commands == ("tgtadm --lld iscsi --mode logicalunit --op update --tid 1 --lun 1 --params online=1",)
    assert finding.caused_by is None


def test_a_disk_that_is_offline_since_its_file_is_gone() -> None:
    parts = {"tgt": serving(target(lun(online=False))), "backings": (gone(),)}
    offline, missing = only(run(LUNS, **parts)), only(run(BACKING, **parts))
    assert offline.caused_by == Cause(code=missing.code, subject=missing.subject)


@pytest.mark.parametrize(
    "innocent", [lun(online=False, removable=True), lun(online=False, kind="cd/dvd"), lun(online=False, kind="tape")]
)
def test_drives_may_stand_empty(innocent: Any) -> None:
    assert run(LUNS, tgt=serving(target(innocent))).findings == ()


def test_each_fault_on_its_own_subject() -> None:
    healthy = target(iqn="iqn.healthy")
    result = run(LUNS, tgt=serving(healthy, target(lun(online=False), iqn="iqn.off"), target(luns=(lun(0),), iqn="iqn.none")))
    assert result.examined == 3
    assert codes(result) == [("TARGET_LUN_MISSING", "critical", "iqn.none"), ("TARGET_LUN_OFFLINE", "critical", "iqn.off/1")]


# --- TARGET_BACKING_MISSING


def test_a_deleted_file() -> None:
    finding = only(run(BACKING, backings=(gone(),), processes=processes(process(pid=77))))
    assert (finding.code, finding.subject) == ("TARGET_BACKING_MISSING", Subject(kind=SubjectKind.LUN, id=f"{IQN}/1"))
    assert finding.remedy.commands == (
        "ls -l /proc/77/fd | grep -F -- /srv/volumes/1",
        "cp --sparse=always /proc/77/fd/N /srv/volumes/1",
    )
    assert "Do not restart tgtd" in finding.remedy.text


def test_names_are_quoted() -> None:
    evil = "/srv/volumes/$(reboot) 'x"
    finding = only(run(BACKING, tgt=serving(target(lun(backing_path=evil))), backings=(gone(evil),)))
    assert all("'/srv/volumes/$(reboot) '\"'\"'x'" in command for command in finding.remedy.commands)


def test_a_path_served_twice_is_two_findings() -> None:
    both = serving(target(), target(iqn="iqn.b"))
    assert [subject for _, _, subject in codes(run(BACKING, tgt=both, backings=(gone(),)))] == [f"{IQN}/1", "iqn.b/1"]


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.DENIED, Reason.FAILED])
def test_a_path_that_cannot_be_looked_at(reason: Reason) -> None:
    result = run(BACKING, backings=(gone(reason=reason),))
    assert (result.examined, result.findings) == (0, ())
    assert [item.reason for item in result.unexamined] == [reason]


def test_devices() -> None:
    node = stat(FileKind.BLOCK, rdevice=(7, 3), size=0)
    disk = stat(FileKind.BLOCK, rdevice=(8, 0), size=0)
    cases: list[tuple[Backing, str]] = [
        (Backing(path=ONE, stat=node, device_size=1 << 30), ""),
        (Backing(path=ONE, stat=node, device_size=0), "the loop device is detached"),
        (Backing(path=ONE, stat=disk, device_size=0), ""),
        (Backing(path=ONE, stat=disk, device_size=unavailable(Reason.ABSENT)), "the device node has no device behind it"),
        (Backing(path=ONE, stat=disk, device_size=unavailable(Reason.DENIED)), ""),
    ]
    for record, words in cases:
        found = run(BACKING, backings=(record,)).findings
        assert [facts(finding)["seen"] for finding in found] == ([words] if words else []), record


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (LV, "euca--ebs--storage--vg--vol--1-euca--vol--1"),
        ("/dev/mapper/vg-lv", "vg-lv"),
        ("/dev/dm-3", "dm-3"),
        ("/dev/loop3", ""),
        ("/srv/vg/lv", ""),
        ("/dev/disk/by-id/x", ""),
    ],
)
def test_device_mappers_names(path: str, name: str) -> None:
    assert targets.dm_name(path) == name


def test_a_link_that_udev_lost_is_no_loss() -> None:
    parts: dict[str, Any] = {"tgt": serving(target(lun(backing_path=LV))), "backings": (gone(LV),)}
    assert run(BACKING, **parts, dm=(dm("euca--ebs--storage--vg--vol--1-euca--vol--1"),)).findings == ()
    finding = only(run(BACKING, **parts, dm=(dm("other"),)))
    assert "device-mapper has no such device" in finding.summary
    assert "/proc/" not in " ".join(finding.remedy.commands)
    assert only(run(BACKING, **parts))  # no device-mapper at all
    unknown = run(BACKING, **parts, dm=unavailable(Reason.TIMEOUT, "dmsetup status"))
    assert (unknown.findings, [item.reason for item in unknown.unexamined]) == ((), [Reason.TIMEOUT])


def test_luns_without_files() -> None:
    assert run(BACKING, tgt=serving(target(lun(backing_type="null"))), backings=()).not_applicable


# --- TARGET_OPEN_ACCESS

OPEN = target(acls=("ALL",))


def test_open_to_all_without_chap() -> None:
    finding = only(run(ACCESS, tgt=serving(OPEN)))
    assert (finding.code, str(finding.severity), finding.subject.id) == ("TARGET_OPEN_ACCESS", "warning", IQN)
    assert facts(finding)["reachable_on"] == ("10.0.0.5",)


@pytest.mark.parametrize(
    "closed",
    [
        target(acls=("ALL",), accounts=("eucalyptus",)),
        target(acls=("10.0.0.0/8",)),
        target(acls=("iqn.1993-08.org.debian:01:abc",)),
        target(acls=()),
        target(acls=("0.0.0.0/0",)),
        target(luns=(lun(0),), acls=("ALL",)),
    ],
)
def test_targets_that_are_closed(closed: Any) -> None:
    assert run(ACCESS, tgt=serving(closed)).findings == ()


def test_an_outgoing_account_is_no_protection() -> None:
    assert run(ACCESS, tgt=serving(target(acls=("ALL",), outgoing_accounts=("out",)))).findings


def test_every_ipv6_address_is_everybody() -> None:
    assert run(ACCESS, tgt=serving(target(acls=("::/0",)))).findings


@pytest.mark.parametrize(
    ("portals", "addresses", "severity"),
    [
        (("127.0.0.1",), ("10.0.0.5",), None),
        (("::1", "127.0.0.1"), ("8.8.8.8",), None),
        (("10.0.0.5",), ("8.8.8.8",), "warning"),
        (("8.8.8.8",), ("10.0.0.5",), "critical"),
        (("0.0.0.0",), ("127.0.0.1", "10.0.0.5", "8.8.8.8"), "critical"),
        (("0.0.0.0",), ("10.0.0.5", "2001:4860:4860::8888"), "warning"),
        (("::",), ("10.0.0.5", "2001:4860:4860::8888"), "critical"),
        (("::", "0.0.0.0"), ("127.0.0.1", "::1"), None),
        (("0.0.0.0",), ("192.0.2.7", "100.64.0.1", "fe80::1"), "warning"),
        (("storage.example",), ("10.0.0.5",), "warning"),
        ((), ("8.8.8.8",), "warning"),
    ],
)
def test_where_it_can_be_reached(portals: tuple[str, ...], addresses: tuple[str, ...], severity: str | None) -> None:
    result = run(ACCESS, tgt=state(daemon(OPEN, portals=portals)), addresses=addresses)
    assert [str(finding.severity) for finding in result.findings] == ([severity] if severity else [])
    assert result.examined == 1


def test_own_addresses_unknown() -> None:
    finding = only(run(ACCESS, tgt=serving(OPEN), addresses=DENIED))
    assert (str(finding.severity), facts(finding)["reachable_on"]) == ("warning", "unknown")


def test_the_remedy_keeps_who_is_logged_in() -> None:
    busy = target(acls=("ALL",), tid=3, nexuses=(nexus("10.0.0.8"), nexus("10.0.0.7"), nexus("10.0.0.8")))
    assert only(run(ACCESS, tgt=serving(busy))).remedy.commands == (
        "tgtadm --lld iscsi --mode target --op bind --tid 3 -I 10.0.0.7",
        "tgtadm --lld iscsi --mode target --op bind --tid 3 -I 10.0.0.8",
        "tgtadm --lld iscsi --mode target --op unbind --tid 3 -I ALL",
    )


def test_where_nobody_is_logged_in_the_remedy_asks_who_is_to_be_let_in() -> None:
    assert only(run(ACCESS, tgt=serving(target(acls=("ALL",), tid=3)))).remedy.commands == (
        "tgtadm --lld iscsi --mode target --op bind --tid 3 -I ADDRESS    # of each initiator that needs the target",
        "tgtadm --lld iscsi --mode target --op unbind --tid 3 -I ALL",
    )


def test_a_clouds_account_that_is_merely_not_bound() -> None:
    finding = only(run(ACCESS, tgt=state(daemon(OPEN, accounts=("eucalyptus",))), tgt_configuration=configured(IQN)))
    assert finding.remedy.commands == ("tgtadm --lld iscsi --mode account --op bind --tid 1 --user eucalyptus",)
    assert facts(finding)["configured_in"] == "/etc/tgt/conf.d/one.conf"


# --- TARGET_CHAP_MISSING

CLOUDS = "iqn.2009-06.com.eucalyptus.cluster00:store1"


def test_a_clouds_target_without_its_account() -> None:
    finding = only(run(CHAP, tgt=serving(target(iqn=CLOUDS), accounts=("eucalyptus",))))
    assert (finding.code, str(finding.severity), finding.subject.id, finding.caused_by) == (
        "TARGET_CHAP_MISSING",
        "warning",
        CLOUDS,
        None,
    )
    assert finding.remedy.commands == ("tgtadm --lld iscsi --mode account --op bind --tid 1 --user eucalyptus",)
    assert codes(run(CHAP, tgt=serving(target()), chains=CLOUD)) == [("TARGET_CHAP_MISSING", "warning", VOLUME.id)]


def test_an_open_target_explains_that_chap_is_missing() -> None:
    parts = {"tgt": serving(target(iqn=CLOUDS, acls=("ALL",)))}
    assert only(run(CHAP, **parts)).caused_by == Cause(code="TARGET_OPEN_ACCESS", subject=only(run(ACCESS, **parts)).subject)


@pytest.mark.parametrize("innocent", [{"accounts": ("eucalyptus",)}, {"acls": ()}, {"luns": (lun(0),)}])
def test_chap_is_there_or_nobody_may_log_in_yet(innocent: Any) -> None:
    result = run(CHAP, tgt=serving(target(iqn=CLOUDS, **innocent)))
    assert (result.examined, result.findings) == (1, ())


def test_an_account_of_targets_conf_that_was_not_bound() -> None:
    plain = configured(IQN)
    assert run(CHAP, tgt_configuration=plain).not_applicable is not None
    asked = replace(plain, targets=tuple(replace(item, chap=True) for item in plain.targets))
    finding = only(run(CHAP, tgt_configuration=asked))
    assert facts(finding)["demanded_by"] == "/etc/tgt/conf.d/one.conf"


def test_chap_where_tgt_does_not_answer() -> None:
    assert [item.reason for item in run(CHAP, tgt=state(unanswered=(HUNG,))).unexamined] == [Reason.TIMEOUT]
    with pytest.raises(CannotLook):
        run(CHAP, tgt=NO_TGT)
    assert set(CHAP.needs) <= set(look().inventory.parts)
