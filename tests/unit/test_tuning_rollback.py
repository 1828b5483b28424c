"""Rolling back: what is undone, what is left, what is gone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sctune.tuning.operations import WriteValue
from sctune.tuning.outcome import Outcome
from sctune.tuning.rollback import choose, preview, rollback
from tests.unit.tuning_hosts import (
    BOOT_ID,
    RECORD,
    REPLACEMENT,
    Faulty,
    Killed,
    everything,
    machine,
    new_file,
    node_record,
    parts,
    snapshot,
)
from tests.unit.tuning_runs import back, put, read, run

if TYPE_CHECKING:
    from pathlib import Path

SWAPPINESS = WriteValue(setting="vm.swappiness", path="/proc/sys/vm/swappiness", value="10", before="60")


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "host").mkdir()
    return machine(tmp_path / "host")


def test_what_somebody_changed_since_is_left_and_named(root: str) -> None:
    run(root, *everything(root))
    put(root, "/proc/sys/vm/swappiness", "5\n")
    put(root, "/etc/iscsi.real/iscsid.conf", "mine\n")
    os.unlink(f"{root}/etc/udev/rules.d/90-sctune.rules")
    put(root, RECORD, f"{REPLACEMENT} = 33\n")
    done = back(root)
    assert done.exit_code == 1
    assert [(setting, word.detail) for setting, word in done.with_outcome(Outcome.LEFT)] == [
        ("vm.swappiness", "it is 5, and we had set 10"),
        ("iscsid.conf", "/etc/iscsi/iscsid.conf has been changed"),
        (REPLACEMENT, f"{RECORD} says {REPLACEMENT} = 33"),
    ]
    assert read(root, "/proc/sys/vm/swappiness") == "5\n"
    assert read(root, "/etc/iscsi.real/iscsid.conf") == "mine\n"
    assert read(root, "/proc/sys/vm/dirty_ratio") == "20\n"
    assert back(root).number is None
    assert back(root, 1).number is None


def test_force_takes_back_what_was_left(root: str) -> None:
    before = snapshot(root)
    run(root, *everything(root))
    put(root, "/proc/sys/vm/swappiness", "5\n")
    put(root, "/etc/iscsi.real/iscsid.conf", "mine\n")
    assert back(root).exit_code == 1
    assert choose(parts(root)[1], 1, force=True) is not None
    assert back(root, 1, force=True).exit_code == 0
    assert snapshot(root) == before


def test_what_goes_along_with_a_value_is_looked_at_too(root: str) -> None:
    """Who writes vm.dirty_ratio sets vm.dirty_bytes to 0, as it was before: the ratio is not."""
    before = snapshot(root)
    run(root, *everything(root))
    put(root, "/proc/sys/vm/dirty_bytes", "0\n")
    put(root, "/proc/sys/vm/dirty_ratio", "9\n")
    done = back(root)
    told = [(setting, word.detail) for setting, word in done.with_outcome(Outcome.LEFT)]
    assert told == [("vm.dirty_bytes", "/proc/sys/vm/dirty_ratio is 9 and was 20")]
    assert read(root, "/proc/sys/vm/dirty_ratio") == "9\n"
    assert back(root, 1, force=True).exit_code == 0
    assert snapshot(root) == before


def test_after_a_reboot(root: str) -> None:
    """Values are as the boot made them; files are still ours."""
    run(root, *everything(root))
    put(root, BOOT_ID.join(("/", "")), "second-boot\n")
    put(root, "/proc/sys/vm/swappiness", "60\n")
    put(root, "/proc/sys/vm/dirty_bytes", "0\n")
    put(root, "/proc/sys/vm/dirty_ratio", "20\n")
    put(root, "/sys/block/sda/queue/scheduler", "[mq-deadline] none\n")
    put(root, "/sys/block/sda/queue/nr_requests", "128\n")
    os.unlink(f"{root}/sys/class/iscsi_session/session3")
    done = back(root)
    assert done.exit_code == 0
    words = {setting: word.outcome for setting, word in done.undone}
    assert words["vm.swappiness"] == words["vm.dirty_bytes"] == Outcome.ALREADY
    assert words["sda/scheduler"] == Outcome.BACK
    assert words["sda/nr_requests"] == Outcome.REBOOTED
    assert words["session3/recovery_tmo"] == Outcome.GONE
    assert read(root, "/sys/block/sda/queue/scheduler") == "mq-deadline [none]\n"
    assert not os.path.exists(f"{root}/etc/udev")


def test_another_device_of_that_name_is_left_alone(root: str) -> None:
    run(root, WriteValue(setting="sda", path="/sys/block/sda/queue/read_ahead_kb", value="256", before="128"))
    os.rename(f"{root}/sys/devices/pci0", f"{root}/sys/devices/pci1")
    os.unlink(f"{root}/sys/block/sda")
    os.symlink("../devices/pci1/block/sda", f"{root}/sys/block/sda")
    done = back(root)
    assert [word.outcome for _, word in done.undone] == [Outcome.GONE]
    assert read(root, "/sys/block/sda/queue/read_ahead_kb") == "256\n"


def test_preview_says_what_rollback_would_do_and_changes_nothing(root: str) -> None:
    run(root, SWAPPINESS, node_record("7200", "120"))
    put(root, "/proc/sys/vm/swappiness", "5\n")
    calls = Faulty(root)
    writer, journal, _ = parts(root, calls)
    found = choose(journal, None)
    assert found is not None
    assert [(setting, word.outcome) for setting, word in preview(found, writer)] == [
        (REPLACEMENT, Outcome.RESTORE),
        ("vm.swappiness", Outcome.LEFT),
    ]
    assert calls.count == 0


def test_the_newest_is_rolled_back_first(root: str) -> None:
    before = snapshot(root)
    run(root, SWAPPINESS)
    middle = snapshot(root)
    run(root, WriteValue(setting="vm.swappiness", path="/proc/sys/vm/swappiness", value="1", before="10"))
    assert back(root).number == 2
    assert snapshot(root) == middle
    assert back(root).number == 1
    assert snapshot(root) == before
    assert back(root).number is None


def test_somebody_put_a_file_into_our_folder(root: str) -> None:
    run(root, new_file("/etc/udev/rules.d/90-sctune.rules", b"x"))
    put(root, "/etc/udev/rules.d/10-mine.rules", "mine")
    assert back(root).exit_code == 0
    assert os.listdir(f"{root}/etc/udev/rules.d") == ["10-mine.rules"]


def test_a_file_that_was_masked_since_is_left(root: str) -> None:
    run(root, new_file("/etc/sysctl.d/90-sctune.conf", b"x"))
    os.unlink(f"{root}/etc/sysctl.d/90-sctune.conf")
    os.symlink("/dev/null", f"{root}/etc/sysctl.d/90-sctune.conf")
    done = back(root)
    assert [(word.outcome, "leads to /dev/null" in word.detail) for _, word in done.undone] == [(Outcome.LEFT, True)]


def test_what_was_changed_between_two_rollbacks_is_left(root: str) -> None:
    """One broken off does not make somebody's later change ours."""
    run(root, *everything(root)[2:5])
    with pytest.raises(Killed):
        writer, journal, lock = parts(root, Faulty(root, at=3))
        rollback(None, writer=writer, journal=journal, lock=lock)
    put(root, "/proc/sys/vm/swappiness", "5\n")
    assert [setting for setting, _ in back(root).with_outcome(Outcome.LEFT)] == ["vm.swappiness"]
