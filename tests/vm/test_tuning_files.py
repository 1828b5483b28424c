"""The files that a plan writes bring its values back by themselves: systemd-sysctl, udev and systemd-tmpfiles read them when the
machine starts, and udev for devices that come later."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from .verdict import SCTUNE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .machine import Machine

pytestmark = pytest.mark.thorough  # it boots twice

SITE = """summary: for this machine
include: [enterprise-storage]
sysctl:
  vm.dirty_background_bytes: {value: 64 MiB, why: to have a pair of each kind, source: this test}
  vm.swappiness: {value: 7, why: no default, source: this test}
block:
  loop: {attribute: scheduler, value: [mq-deadline], when: {kind: loop}, why: no default, source: this test}
  loop-ahead: {attribute: read_ahead_kb, value: 999, only: raise, when: {kind: loop}, why: rounded, source: this test}
  requests: {attribute: nr_requests, value: 100, when: {kind: [loop, virtio]}, why: after the scheduler, source: this test}
  small: {attribute: max_sectors_kb, value: 128, when: {kind: virtio}, why: below the hardware's, source: this test}
"""
DRY = f"{SCTUNE} apply-profile ours --dry-run --format json --config /dev/null"


def plan(machine: Machine, *options: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the document of a dry run."""
    done = machine.run(" ".join((DRY, *options)), timeout=120.0)
    assert done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return done.status, document


def write(machine: Machine, path: str, text: str) -> None:
    encoded = base64.b64encode(text.encode()).decode()
    machine.check(f"mkdir -p {path.rpartition('/')[0]} && echo {encoded} | base64 -d > {path}")


def pending(document: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (one["key"], one["subject"]): (one["current"], one["wanted"]) for one in document["settings"] if one["decision"] == "change"
    }


def test_files_alone_bring_the_values_back(boot: Callable[..., Machine], tmp_path: Path) -> None:
    with boot(systemd=True, disk=tmp_path) as machine:
        write(machine, "/etc/sctune/profiles.d/ours.yaml", SITE)
        status, document = plan(machine)
        assert status == 4
        assert {("vm.dirty_ratio", "vm.dirty_ratio"), ("vm.swappiness", "vm.swappiness"), ("block.small", "vda")} <= set(
            pending(document)
        )
        assert document["unread"] == []
        assert document["conflicts"] == []
        for file in document["files"]:
            write(machine, file["path"], file["after"])
        machine.check("sync")
        machine.reboot()
        machine.check("udevadm settle")
        status, document = plan(machine)
        assert (status, pending(document)) == (0, {}), json.dumps(document["settings"], indent=1)
        dirty = machine.check("cd /proc/sys/vm && cat dirty_ratio dirty_bytes dirty_background_ratio dirty_background_bytes")
        assert dirty.split() == ["40", "0", "0", str(64 << 20)]
        # Devices that come later, under whatever name.
        machine.check("truncate -s 64M /var/tmp/one && losetup /dev/loop9 /var/tmp/one")
        machine.check("echo '0 100000 linear /dev/loop9 0' | dmsetup create late && udevadm settle")
        status, document = plan(machine)
        assert (status, pending(document)) == (0, {}), json.dumps(document["settings"], indent=1)
        queue = machine.check("cd /sys/block/loop9/queue && cat nr_requests read_ahead_kb scheduler").split("\n")
        assert queue[:2] == ["100", "996"]
        assert "[mq-deadline]" in queue[2].split()
        assert machine.check("cat /sys/block/dm-*/queue/read_ahead_kb").strip() == "4096"


VALUES = (
    "cd /proc/sys/vm && cat dirty_ratio dirty_bytes dirty_background_ratio dirty_background_bytes swappiness; "
    "cd /sys/block/vda/queue && cat scheduler nr_requests read_ahead_kb max_sectors_kb; "
    "cat /sys/kernel/mm/transparent_hugepage/enabled; "
    "ls /etc/sysctl.d /etc/udev/rules.d /etc/tmpfiles.d /etc/modprobe.d | grep sctune; true"
)


def test_applied_rebooted_and_rolled_back(boot: Callable[..., Machine], tmp_path: Path) -> None:
    with boot(systemd=True, disk=tmp_path) as machine:
        write(machine, "/etc/sctune/profiles.d/ours.yaml", SITE)
        before = machine.check(VALUES)
        apply = f"{SCTUNE} apply-profile ours --yes --config /dev/null"
        verify = f"{SCTUNE} verify-profile ours --config /dev/null"
        assert machine.run(verify, timeout=120.0).status == 1
        done = machine.run(apply, timeout=120.0)
        assert done.status == 0, done.stdout + done.stderr
        assert "sctune rollback" in done.stdout
        applied = machine.check(VALUES)
        assert applied != before
        again = machine.run(apply, timeout=120.0)
        assert (again.status, "Nothing was to do" in again.stdout) == (0, True), again.stdout + again.stderr
        machine.check("sync")
        machine.reboot()
        machine.check("udevadm settle")
        kept = machine.run(verify, timeout=120.0)
        assert (kept.status, "conforms" in kept.stdout) == (0, True), kept.stdout + kept.stderr
        assert machine.check(VALUES) == applied
        undone = machine.run(f"{SCTUNE} rollback --yes", timeout=120.0)
        assert undone.status == 0, undone.stdout + undone.stderr
        assert machine.check(VALUES) == before
