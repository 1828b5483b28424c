"""Faults of limits and of what the site wants: quotas, loop devices, the kernel's settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.vm.hosts.overlay import STORE, snapshot

from .base import Expected, HostFault
from .stores import found
from .together import together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume

SITE = "/etc/site.yaml"
LOOPS = 250
MANY_LOOPS = Path(__file__).resolve().parent.parent / "many_loops.py"


def _site(*lines: str) -> tuple[str, ...]:
    """Lines of the site's configuration file."""
    return (f"cat >> {SITE} <<'END'", *lines, "END")


def _attach_loops(count: int) -> list[str]:
    """Images of an operator, for reading: volumes left attached would be leaks, but these are none, and they count as well."""
    # Without udevd, whose rules would take minutes for so many devices in an emulated machine.
    return ["udevadm control --exit", f"{sys.executable} -I -S {MANY_LOOPS} /run/images {count}"]


def _named(name: str) -> HostFault:
    return next(fault for fault in _FAULTS if fault.name == name)


def _whole_snapshot(volumes: Sequence[Volume]) -> list[str]:
    """A finished snapshot of the first volume: a file of its whole size and nothing else."""
    return [f"fallocate -l {volumes[0].gib}G {STORE}/{snapshot(volumes[0]).name}"]


_FAULTS: tuple[HostFault, ...] = (
    HostFault(
        name="quotas-exceeded",
        # Volumes of 1 GiB each, a finished snapshot of 1 GiB and one that is being made.
        before=_site("quotas:", "  total: 1 GiB", "  snapshots_total: 512 MiB", "  volume: 512 MiB"),
        options=f"--config {SITE}",
        breaks=_whole_snapshot,
        expects=lambda volumes: (
            *(Expected(code="QUOTA_VOLUME_EXCEEDED", severity="warning", subject=volume.name) for volume in volumes),
            Expected(code="QUOTA_TOTAL_EXCEEDED", severity="critical", subject="total"),
            Expected(code="QUOTA_SNAPSHOTS_EXCEEDED", severity="critical", subject="snapshots_total"),
        ),
        rare=True,
    ),
    HostFault(
        name="quotas-near",
        # 2 of 2 GiB; snapshots of 1 GiB of 1.1.
        before=_site("quotas:", "  total: 2 GiB", "  snapshots_total: 2200 MiB"),
        options=f"--config {SITE}",
        breaks=_whole_snapshot,
        expects=lambda _volumes: (
            Expected(code="QUOTA_TOTAL_NEAR", severity="warning", subject="total"),
            Expected(code="QUOTA_SNAPSHOTS_NEAR", severity="warning", subject="snapshots_total"),
        ),
        rare=True,
    ),
    HostFault(
        name="quota-unsafe",
        before=_site("quotas:", "  total: 500 GiB"),
        options=f"--config {SITE}",
        breaks=lambda _volumes: [],
        expects=found("QUOTA_UNSAFE", "warning", "total"),
        rare=True,
    ),
    HostFault(
        name="dirty-limit-low",
        before=_site("wanted: [VM_DIRTY_LIMIT_LOW]"),
        options=f"--config {SITE}",
        breaks=lambda _volumes: ["sysctl -q -w vm.dirty_background_bytes=4194304 vm.dirty_bytes=8388608"],
        expects=found("VM_DIRTY_LIMIT_LOW", "warning", "vm.dirty_bytes"),
        facts=lambda _volumes: ["test $(cat /proc/sys/vm/dirty_bytes) = 8388608"],
        rare=True,
    ),
    HostFault(
        name="dirty-limit-excessive",
        before=_site("flush_speed: 2 MiB/s"),
        options=f"--config {SITE}",
        breaks=lambda _volumes: ["sysctl -q -w vm.dirty_ratio=40"],
        expects=found("VM_DIRTY_LIMIT_EXCESSIVE", "warning", "vm.dirty_ratio"),
        facts=lambda _volumes: ["test $(awk '/^nr_dirty_threshold/ { print $2 }' /proc/vmstat) -gt 15360"],
        rare=True,
    ),
    HostFault(
        name="scheduler-unsuitable",
        before=_site("wanted: [BLOCK_SCHEDULER_UNSUITABLE]"),
        options=f"--config {SITE}",
        breaks=lambda volumes: [
            "modprobe bfq",
            f"loop={volumes[0].loop}",
            "echo bfq > /sys/block/${loop#/dev/}/queue/scheduler",
        ],
        expects=lambda volumes: (Expected(code="BLOCK_SCHEDULER_UNSUITABLE", severity="warning", subject=volumes[0].name),),
        facts=lambda _volumes: ["test $(grep -l '\\[bfq\\]' /sys/block/loop*/queue/scheduler | wc -l) = 1"],
        rare=True,
    ),
    HostFault(
        name="loop-limit-near",
        breaks=lambda _volumes: _attach_loops(207),
        expects=found("LOOP_LIMIT_NEAR", "warning", "loop.limit"),
        facts=lambda _volumes: ["test $(losetup -nO NAME | wc -l) = 210"],
        rare=True,
    ),
    HostFault(
        name="loop-limit-critical",
        breaks=lambda _volumes: _attach_loops(LOOPS - 3),
        expects=found("LOOP_LIMIT_NEAR", "critical", "loop.limit"),
        facts=lambda _volumes: [f"test $(losetup -nO NAME | wc -l) = {LOOPS}"],
        rare=True,
    ),
)

_WITHOUT_CONTRADICTION = ("quotas-exceeded", "dirty-limit-excessive", "scheduler-unsuitable", "loop-limit-near")

FAULTS: tuple[HostFault, ...] = (*_FAULTS, together("limits-together", [_named(name) for name in _WITHOUT_CONTRADICTION]))
