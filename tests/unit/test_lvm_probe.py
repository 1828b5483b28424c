"""How LVM is asked, and what comes of its answers."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from sctune.host.base import Completed, FileKind, FileStat
from sctune.host.live import LiveHost
from sctune.model.block import BlockDevice, BlockKind
from sctune.model.lvm import LvmReport
from sctune.probes.lvm import Question, own_filters, probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.lvm_hosts import DATA, block, loops
from tests.unit.test_check_lvm import session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NATIVE = (DATA / "lvm" / "missing-duplicate-thin.json").read_text()
NATIVE_STDERR = (DATA / "lvm" / "missing-duplicate-thin.stderr").read_text()
VERSION = (DATA / "lvm" / "version-2.03.16.txt").read_text()
NO_SESSIONS = Unavailable(reason=Reason.ABSENT, what="/sys/class/iscsi_session")
DM_LOADED = {"/sys/class/misc/device-mapper/dev": "10:236\n"}
HEALTHY = (DATA / "vm" / "healthy" / "lvm-fullreport-readonly.txt").read_text()


@dataclass
class LvmHost(FakeHost):
    """A host whose lvm answers in turn; every `lvm fullreport` is kept in `reports`."""

    answers: list[Completed | Unavailable] = field(default_factory=list)
    version: str | Unavailable = VERSION
    reports: list[tuple[str, ...]] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        if tuple(argv) == ("lvm", "version"):
            return self.version if isinstance(self.version, Unavailable) else answer(self.version)
        self.reports.append(tuple(argv))
        self.timeouts.append(timeout)
        return self.answers.pop(0)

    @property
    def configurations(self) -> list[str]:
        return [argv[argv.index("--config") + 1] for argv in self.reports]


def answer(stdout: str = '{"report":[]}', *, status: int = 0, stderr: str = "") -> Completed:
    return Completed(argv=("lvm",), status=status, stdout=stdout, stderr=stderr, seconds=0.2)


def ask(host: FakeHost, *devices: BlockDevice, sessions: object = NO_SESSIONS) -> LvmReport | Unavailable:
    return probe(host, block=devices, sessions=sessions)  # type: ignore[arg-type]


def with_seqno(text: str, seqno: int) -> str:
    return re.sub(r'"vg_seqno":"\d+"', f'"vg_seqno":"{seqno}"', text)


# How it is asked


def test_the_question_changes_nothing_and_waits_for_nobody() -> None:
    argv = Question(accept=("r|.*|",)).argv()
    assert argv[:3] == ("lvm", "fullreport", "--all")
    configuration = argv[argv.index("--config") + 1]
    assert "--nolocking" in argv
    for wanted in ('hints="none"', "metadata_read_only=1", "backup=0", "archive=0", "monitoring=0", 'file="/dev/null"', "syslog=0"):
        assert wanted in configuration


def test_without_device_mapper_the_module_is_not_loaded() -> None:
    host = LvmHost(answers=[answer()])
    ask(host, *loops(0))
    assert "--driverloaded" in host.reports[0]
    loaded = LvmHost(answers=[answer()], files=dict(DM_LOADED))
    ask(loaded, *loops(0))
    assert "--driverloaded" not in loaded.reports[0]


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ("# global_filter = [ ]\n\tfilter = 1\n", {"filter"}),
        ("devices {\n  global_filter=[]\n filter=[]}\n", {"filter", "global_filter"}),
        ("devices/global_filter = []", {"global_filter"}),
        ('  # filter = [ "a|.*|" ]\n', set()),
    ],
)
def test_the_hosts_own_filters(configuration: str, expected: set[str]) -> None:
    assert own_filters(configuration) == expected


@pytest.mark.parametrize(
    ("configuration", "lost", "setting"),
    [
        ("", False, "global_filter="),
        ("devices { filter=[] }", False, "global_filter="),
        ("devices { global_filter=[] }", False, " filter="),
        ("devices { global_filter=[]\n filter=[] }", False, None),
        ("devices { global_filter=[]\n filter=[] }", True, "global_filter="),
    ],
)
def test_the_hosts_own_filter_stays_in_force(configuration: str, lost: bool, setting: str | None) -> None:
    host = LvmHost(answers=[answer()], files={"/etc/lvm/lvm.conf": configuration, **DM_LOADED})
    ask(host, *loops(0), block("sda", BlockKind.DISK, device_state="blocked" if lost else "running"))
    asked = host.configurations[0]
    assert (setting in asked) if setting else ("filter=" not in asked)
    assert asked.count("filter=") <= 1


@pytest.mark.parametrize("lost", [False, True])
def test_a_devices_file_is_set_aside_only_when_a_disk_has_to_be_left_out(lost: bool) -> None:
    file = FileStat(kind=FileKind.FILE, size=1, allocated=0, device=1, inode=1, mtime=0.0)
    host = LvmHost(answers=[answer()], stats={"/etc/lvm/devices/system.devices": file})
    ask(host, block("sda", BlockKind.DISK, device_state="blocked" if lost else "running"))
    assert ("use_devicesfile=0" in host.configurations[0], "filter=" in host.configurations[0]) == (lost, lost)


def test_lost_disks_are_named_in_the_report() -> None:
    host = LvmHost(answers=[answer()])
    report = ask(host, *loops(0), block("sda", BlockKind.DISK, session=1), sessions=(session("FAILED"),))
    assert isinstance(report, LvmReport)
    assert report.excluded == ("sda",)
    assert "sda" not in host.configurations[0]


@pytest.mark.parametrize(("sessions", "expected"), [(NO_SESSIONS, False), ((session(),), False), ((session("FAILED"),), True)])
def test_without_the_block_devices_no_scsi_disk_is_touched_while_a_session_is_lost(sessions: object, expected: bool) -> None:
    host = LvmHost(answers=[answer()])
    probe(host, block=Unavailable(reason=Reason.FAILED, what="/sys/block"), sessions=sessions)  # type: ignore[arg-type]
    assert ("a|^/dev/(loop|vd|xvd|nvme|md)|" in host.configurations[0]) is expected


def test_disks_left_out_without_the_block_devices_are_named_too() -> None:
    """Else a PV on one of them would be called missing."""
    nowhere = Unavailable(reason=Reason.FAILED, what="/sys/block")
    lost = probe(LvmHost(answers=[answer()]), block=nowhere, sessions=(session("FAILED"),))
    whole = probe(LvmHost(answers=[answer()]), block=nowhere, sessions=(session(),))
    assert isinstance(lost, LvmReport)
    assert isinstance(whole, LvmReport)
    assert (lost.excluded, whole.excluded) == (("dm-*", "sd*"), ())


# What comes of it


def test_a_recorded_report_with_its_complaints() -> None:
    host = LvmHost(answers=[answer(NATIVE, stderr=NATIVE_STDERR), answer(NATIVE, stderr=NATIVE_STDERR)])
    report = ask(host, *loops(250, 252, 253))
    assert isinstance(report, LvmReport)
    assert [pv.last_path for pv in report.physical_volumes if pv.missing] == ["/dev/loop251"]
    assert [duplicate.preferred for duplicate in report.duplicates] == ["/dev/loop252"]
    assert len(report.internal) == 3


def test_lvm_that_is_not_installed_is_absent() -> None:
    gone = Unavailable(reason=Reason.ABSENT, what="lvm", detail="not installed")
    for privileged in (True, False):
        found = ask(LvmHost(version=gone, answers=[gone], privileged=privileged), *loops(0))
        assert found == Unavailable(reason=Reason.ABSENT, what="lvm fullreport", detail="not installed")


def test_an_ordinary_user_is_denied_and_nothing_is_read() -> None:
    host = LvmHost(privileged=False)
    found = ask(host, *loops(0))
    assert isinstance(found, Unavailable)
    assert (found.reason, host.reports) == (Reason.DENIED, [])


def test_a_timeout_keeps_the_processes_that_could_not_be_killed() -> None:
    hung = Unavailable(reason=Reason.TIMEOUT, what="lvm fullreport --all …", pids=(12,))
    found = ask(LvmHost(answers=[hung]), *loops(0))
    assert found == Unavailable(reason=Reason.TIMEOUT, what="lvm fullreport", pids=(12,))


@pytest.mark.parametrize(
    ("completed", "reason", "detail"),
    [
        (answer("", status=5, stderr="  Failed to read it\n"), Reason.FAILED, "Failed to read it"),
        (answer("", status=5), Reason.FAILED, "exit status 5"),
        (answer("", status=-9), Reason.FAILED, "exit status -9"),
        (answer("", status=4, stderr="/dev/loop0: open failed: Permission denied"), Reason.DENIED, "Permission denied"),
        (answer("surprise"), Reason.MALFORMED, "no report in it"),
        (answer('{"report":[{"vg":[{"vg_size":"1g"}]}]}'), Reason.MALFORMED, "not a number of bytes"),
    ],
)
def test_answers_that_are_none(completed: Completed, reason: Reason, detail: str) -> None:
    found = ask(LvmHost(answers=[completed]), *loops(0))
    assert isinstance(found, Unavailable)
    assert found.reason is reason
    assert detail in found.detail


def test_exit_status_5_with_a_report_is_a_report_with_warnings() -> None:
    twice: list[Completed | Unavailable] = [answer(HEALTHY, status=5, stderr="  Cannot process VG x\n")] * 2
    report = ask(LvmHost(answers=twice), *loops(0))
    assert isinstance(report, LvmReport)
    assert report.warnings == ("Cannot process VG x",)
    assert len(report.volume_groups) == 2


# Torn reads


def test_a_whole_report_is_asked_once() -> None:
    host = LvmHost(answers=[answer(HEALTHY)])
    assert isinstance(ask(host, *loops(0, 1, 2)), LvmReport)
    assert len(host.reports) == 1


def test_a_missing_pv_is_asked_again_and_the_second_report_is_taken_where_the_vg_changed() -> None:
    host = LvmHost(answers=[answer(NATIVE, stderr=NATIVE_STDERR), answer(with_seqno(HEALTHY, 99))])
    report = ask(host, *loops(250, 252))
    assert isinstance(report, LvmReport)
    assert {vg.seqno for vg in report.volume_groups} == {99}
    assert "a|^/dev/loop|" in host.configurations[1]
    assert host.timeouts[1] <= host.timeouts[0]


def test_the_first_report_is_kept_where_nothing_changed() -> None:
    second = answer(NATIVE.replace("/dev/loop252", "/dev/loop999"), stderr=NATIVE_STDERR)
    report = ask(LvmHost(answers=[answer(NATIVE, stderr=NATIVE_STDERR), second]), *loops(250))
    assert isinstance(report, LvmReport)
    assert "/dev/loop252" in [pv.path for pv in report.physical_volumes]


def test_metadata_that_do_not_agree_are_asked_again() -> None:
    torn = "  WARNING: ignoring metadata seqno 4 on /dev/loop1 for seqno 5 on /dev/loop0 for VG v.\n"
    host = LvmHost(answers=[answer(HEALTHY, stderr=torn), answer(HEALTHY)])
    ask(host, *loops(0))
    assert len(host.reports) == 2


@pytest.mark.parametrize(
    ("uuid", "times"),
    [
        ("LVM-DVBpe0pHF5AbavfP5VAzqyJLoK3sY0HMVyD4zcQtnxWtiyQSySfhNgKX1mBQ00Wt", 1),
        ("LVM-DVBpe0pHF5AbavfP5VAzqyJLoK3sY0HMVyD4zcQtnxWtiyQSySfhNgKX1mBQ00Wt-real", 1),
        ("LVM-DVBpe0pHF5AbavfP5VAzqyJLoK3sY0HMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 2),
        ("CRYPT-LUKS2-x", 1),
    ],
)
def test_an_lv_that_the_kernel_has_and_the_report_has_not_is_asked_for_again(uuid: str, times: int) -> None:
    host = LvmHost(answers=[answer(HEALTHY), answer(HEALTHY)], files={"/sys/block/dm-0/dm/uuid": uuid + "\n", **DM_LOADED})
    ask(host, *loops(0), block("dm-0", BlockKind.DM, slaves=("loop0",)))
    assert len(host.reports) == times


def test_a_second_question_that_hangs_is_a_hang_and_one_that_fails_is_none() -> None:
    hung = Unavailable(reason=Reason.TIMEOUT, what="lvm", pids=(3,))
    first = answer(NATIVE, stderr=NATIVE_STDERR)
    found = ask(LvmHost(answers=[first, hung]), *loops(0))
    assert isinstance(found, Unavailable)
    assert found.pids == (3,)
    assert isinstance(ask(LvmHost(answers=[first, answer("", status=5)]), *loops(0)), LvmReport)


# LVM 2.02, and a real process

OLD_LVM = """#!/bin/sh
case "$*" in
version) echo "  LVM version:     2.02.187(2)-RHEL7 (2020-03-24)"; exit 0;;
*--nolocking*) echo "  fullreport: unrecognized option '--nolocking'" >&2; exit 3;;
*locking_type=0*) echo "  WARNING: Locking disabled. Be careful! This could corrupt your metadata." >&2; cat "$0.json"; exit 0;;
esac
exit 1
"""
HANGING_LVM = """#!/bin/sh
[ "$1" = version ] && exit 0
exec sleep 60
"""


def fake_lvm(folder: Path, script: str) -> LiveHost:
    tool = folder / "lvm"
    tool.write_text(script)
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    (folder / "lvm.json").write_text(HEALTHY)
    return LiveHost(tool_path=f"{folder}:/usr/bin:/bin")


@pytest.mark.spawns
def test_lvm_2_02_is_asked_without_nolocking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with fake_lvm(tmp_path, OLD_LVM) as host:
        report = probe(host, block=loops(0), sessions=NO_SESSIONS)
    assert isinstance(report, LvmReport)
    assert (len(report.logical_volumes), report.warnings) == (3, ())


@pytest.mark.spawns
def test_a_hanging_lvm_costs_its_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("sctune.probes.lvm.DEADLINE", 0.3)
    with fake_lvm(tmp_path, HANGING_LVM) as host:
        found = probe(host, block=loops(0), sessions=NO_SESSIONS)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.TIMEOUT
