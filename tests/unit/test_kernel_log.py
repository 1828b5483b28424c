"""The kernel's log: its lines, where it is read, and what they are joined to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.checks.kernel_log import CHECKS
from sctune.findings import Cause, Severity, Subject, SubjectKind
from sctune.host.base import Completed
from sctune.host.kmsg import dmesg_line
from sctune.model.block import BlockKind
from sctune.model.kernel_log import FaultKind, KernelLog
from sctune.model.lio import LioState, LioTarget
from sctune.probes.kernel_log import JOURNAL, probe
from sctune.probes.kernel_log_text import parse
from sctune.records import replace
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import connection, session
from tests.unit.lio_hosts import VOLUME_IQN
from tests.unit.serving_hosts import chains
from tests.unit.storage_hosts import block, codes, denied, facts, loop, loops, only, run
from tests.unit.test_check_lio import state

DATA = Path(__file__).parent.parent / "data" / "kernel"
(CHECK,) = CHECKS
LOST = "[   24.196333] Buffer I/O error on dev loop2, logical block 5248, lost async page write\n"


def recorded(name: str) -> str:
    return (DATA / f"{name}.txt").read_text()


def told(text: str) -> list[tuple[FaultKind, str, int]]:
    return [(fault.kind, fault.device, fault.count) for fault in parse(text, "test").faults]


def judged(text: str, **parts: object) -> object:
    given_parts: dict[str, object] = {
        "kernel_log": parse(text, "test"),
        "block": (),
        "chains": chains(),
        "dm": (),
        "disk_health": (),
        "disk_ids": {},
        "lio_state": LioState(targets=(), backstores=()),
        "loops": loops(),
        "lvm": denied("lvm"),
        "raid": (),
        "sessions": (),
        "stores": (),
    }
    return run(CHECK, **(given_parts | parts))


def test_a_healthy_boot_says_nothing() -> None:
    log = parse(recorded("boot"), "test")
    assert (log.faults, log.complete, log.begins) == ((), True, 0.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("snapshot-overflow", [(FaultKind.SNAPSHOT_LOST, "", 1), (FaultKind.IO_ERROR, "dm-3", 1)]),
        (
            "loop-store-full",
            [(FaultKind.LOOP_WRITE, "", 10), (FaultKind.IO_ERROR, "loop2", 10), (FaultKind.LOST_WRITE, "loop2", 9)],
        ),
        ("medium-error", [(FaultKind.MEDIUM, "sdb", 2), (FaultKind.IO_ERROR, "sdb", 1)]),
        ("raid-member-failed", [(FaultKind.RAID_MEMBER, "md7", 1)]),
    ],
)
def test_recorded(name: str, expected: list[tuple[FaultKind, str, int]]) -> None:
    assert told(recorded(name)) == expected


@pytest.mark.parametrize(
    ("line", "kind", "device"),
    [
        # The words of Linux 2.6.32 and 3.10 (block/blk-core.c, fs/buffer.c).
        ("end_request: I/O error, dev sda, sector 123", FaultKind.IO_ERROR, "sda"),
        ("lost page write due to I/O error on dm-3", FaultKind.LOST_WRITE, "dm-3"),
        ("raid1: Disk failure on sdb1, disabling device.", FaultKind.RAID_MEMBER, "sdb1"),
        ("blk_update_request: critical medium error, dev sdc, sector 8 op 0x0:(READ) flags 0x0", FaultKind.MEDIUM, "sdc"),
        ("device-mapper: thin: 253:4: switching pool to out-of-data-space (queue IO) mode", FaultKind.THIN_POOL, "253:4"),
        ("Aborting journal on device dm-4-8.", FaultKind.FILESYSTEM, "dm-4"),
        ("XFS (sdb1): log I/O error -5", FaultKind.FILESYSTEM, "sdb1"),
        ("EXT4-fs error (device vda): trigger_test_error:127: comm sh: 1", FaultKind.FILESYSTEM, "vda"),
        (" session3: session recovery timed out after 120 secs", FaultKind.SESSION_EXPIRED, ""),
    ],
)
@pytest.mark.parametrize(
    "head", ["[  123.456789] ", "<3>[  123.456789] ", "kern  :err   : [  123.456789] ", "[  123.456789] kernel: "]
)
def test_each_line_with_each_head(head: str, line: str, kind: FaultKind, device: str) -> None:
    (fault,) = parse(f"{head}{line}\n", "test").faults
    assert (fault.kind, fault.device, fault.first) == (kind, device, 123.456789)


@pytest.mark.parametrize(
    "line",
    [
        "I/O error, dev loop0, sector 0 op 0x0:(READ) flags 0x80700",
        "Buffer I/O error on dev loop0, logical block 0, async page read",
        "I/O error, dev sda, sector 8 op 0x3:(DISCARD) flags 0x800",
        "critical target error, dev sda, sector 8 op 0x3:(DISCARD) flags 0x800",
        "XFS (sdb1): User initiated shutdown received. Shutting down filesystem",
        "EXT4-fs (vda): mounted filesystem with ordered data mode. Opts: errors=remount-ro",
    ],
)
def test_lines_of_sound_hosts(line: str) -> None:
    assert told(f"[    1.000000] {line}\n") == []


def test_a_name_that_something_newer_has() -> None:
    assert told(LOST + "[   30.000000] loop2: detected capacity change from 0 to 2048\n") == []


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_any_text(text: str) -> None:
    parse(f"[ 1.0] I/O error, dev {text}\n{text}", "test")


@given(st.binary())
def test_any_record(record: bytes) -> None:
    dmesg_line(record)


def test_records_of_kmsg() -> None:
    assert dmesg_line(b"6,339,5140900,-;loop: module loaded\n SUBSYSTEM=block\n") == b"[    5.140900] loop: module loaded\n"
    assert dmesg_line(b"30,340,5140900,-;systemd[1]: I/O error, dev sda, sector 1\n") is None


def test_the_journal_is_asked_where_the_kernel_has_forgotten() -> None:
    host = FakeHost(log="[  900.000000] usb 1-1: new device\n", files={"/var/log/journal/x": ""})
    kept = f"[    0.000000] kernel: Linux version 6.1\n{LOST}"
    host.commands[JOURNAL] = Completed(argv=JOURNAL, status=0, stdout=kept, stderr="", seconds=0.1)
    log = probe(host)
    assert isinstance(log, KernelLog)
    assert (log.complete, len(log.faults)) == (True, 1)
    host.log = kept
    host.asked.clear()
    assert isinstance(probe(host), KernelLog)
    assert host.asked == []


@pytest.mark.parametrize("reason", [Reason.DENIED, Reason.NOT_COLLECTED])
def test_a_log_that_may_not_be_read_is_unknown(reason: Reason) -> None:
    with pytest.raises(CannotLook) as caught:
        run(CHECK, kernel_log=Unavailable(reason=reason, what="kernel log"))
    assert caught.value.unavailable.reason is reason


def test_a_loop_device_is_its_file_and_an_idle_one_nothing() -> None:
    device = block("loop2", BlockKind.LOOP)
    finding = only(judged(LOST, block=(device,), loops=loops(loop(2, backing_file="/srv/x"))))  # type: ignore[arg-type]
    assert (finding.code, finding.severity) == ("KERNEL_STORAGE_ERRORS", Severity.WARNING)
    assert finding.subject == Subject(kind=SubjectKind.LOOP, id="/srv/x")
    assert facts(finding)["first"] == 24.196333
    assert codes(judged(LOST, block=(device,))) == []  # type: ignore[arg-type]
    assert codes(judged(LOST)) == []  # type: ignore[arg-type]


def test_a_failing_disk_explains_its_lines() -> None:
    disk = block("sdb", BlockKind.DISK)
    finding = only(judged(recorded("medium-error"), block=(disk,)))  # type: ignore[arg-type]
    assert finding.caused_by == Cause(code="DISK_FAILING", subject=finding.subject)


ZEROS = "[   99.000000] Buffer I/O error on dev sdc, logical block 8, async page read\n"


def test_a_disk_in_the_place_of_a_lost_lun_explains_its_lines() -> None:
    """LIO answers in the place of a LUN 0 without backstore with 32 KiB of zeros, and with errors behind them."""
    target = next(one for one in state("broken").targets if one.iqn == VOLUME_IQN)
    here = session(connection(local=True), number=1, target=target.iqn)
    disk = block("sdc", BlockKind.DISK, session=1, target_lun=0)

    def cause(*, lio: LioTarget = target, **facts: object) -> Cause | None:
        parts = {"block": (disk,), "sessions": (here,), "lio_state": LioState(targets=(lio,), backstores=())} | facts
        return only(judged(ZEROS, **parts)).caused_by  # type: ignore[arg-type]

    lun = Cause(code="TARGET_SERVES_ZEROS", subject=Subject(kind=SubjectKind.LUN, id=f"{VOLUME_IQN}/0"))
    whole = Cause(code="TARGET_SERVES_ZEROS", subject=Subject(kind=SubjectKind.TARGET, id=VOLUME_IQN))
    assert cause() == lun
    assert cause(lio=replace(target, luns=())) == whole
    # A LUN that is there, another LUN, another host's target of that name, LIO that could not be looked at.
    sound = next(one for one in state().targets if one.iqn == VOLUME_IQN)
    assert cause(lio=sound) is None
    assert cause(block=(replace(disk, target_lun=1),)) is None
    assert cause(sessions=(replace(here, connections=(connection(local=False),)),)) is None
    assert cause(lio_state=denied("configfs")) is None
