"""Faults of the volume store: its room, its file system, and whether it is there at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vm.hosts import overlay
from tests.vm.hosts.overlay import ROOT, STORE

from .base import Expected, HostFault
from .together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.vm.hosts.overlay import Volume

SCRATCH = "/dev/vda"


def found(code: str, severity: str, subject: str = ROOT) -> Callable[[Sequence[Volume]], tuple[Expected, ...]]:
    """One finding that does not depend on the volumes; about the store's file system unless said otherwise."""
    return lambda _volumes: (Expected(code=code, severity=severity, subject=subject),)


def without_snapshot(volumes: Sequence[Volume]) -> list[str]:
    """A sound host without the snapshot, whose copy would not stay as large as it is."""
    return [*overlay.start(), *overlay.create(volumes), *overlay.attach(volumes)]


def _named(name: str) -> HostFault:
    return next(fault for fault in _FAULTS if fault.name == name)


def _fill(*, leave_mib: int) -> list[str]:
    return [
        "sync",
        f"free=$(df --output=avail -B1M {ROOT} | tail -1)",
        f"fallocate -l $((free - {leave_mib}))M {STORE}/image",
    ]


def _again(options: str) -> tuple[str, ...]:
    """The scratch disk made anew, with options of mke2fs."""
    return (f"umount {ROOT}", f"mke2fs -q -F -t ext4 {options} {SCRATCH}", f"mount {SCRATCH} {ROOT}")


def _use_inodes() -> list[str]:
    """More empty files than mke2fs -N left inodes for."""
    return [f"mkdir {ROOT}/spool", f"cd {ROOT}/spool", "seq 2000 | xargs touch 2>/dev/null || true", "cd /"]


_FAULTS: tuple[HostFault, ...] = (
    HostFault(
        name="store-95",
        scratch_bytes=6 << 30,
        build=without_snapshot,
        breaks=lambda _volumes: _fill(leave_mib=200),
        # What the two sparse volumes may still grow by is more than is left, too.
        expects=lambda _volumes: (
            Expected(code="STORE_NEARLY_FULL", severity="critical", subject=ROOT),
            Expected(code="STORE_OVERCOMMITTED", severity="critical", subject=ROOT),
        ),
        facts=lambda _volumes: [f"test $(df --output=pcent {ROOT} | tail -1 | tr -d ' %') -ge 95"],
    ),
    HostFault(
        name="store-85",
        scratch_bytes=20 << 30,
        build=without_snapshot,
        breaks=lambda _volumes: _fill(leave_mib=2400),
        expects=found("STORE_NEARLY_FULL", "warning"),
        facts=lambda _volumes: [f"p=$(df --output=pcent {ROOT} | tail -1 | tr -d ' %'); test $p -ge 86; test $p -lt 95"],
        rare=True,
    ),
    HostFault(
        name="store-inodes",
        scratch_bytes=8 << 30,
        before=_again("-N 256"),
        build=without_snapshot,
        breaks=lambda _volumes: _use_inodes(),
        expects=found("STORE_NEARLY_FULL", "critical"),
        facts=lambda _volumes: [f"test $(df --output=ipcent {ROOT} | tail -1 | tr -d ' %') = 100"],
        rare=True,
    ),
    HostFault(
        name="store-overcommitted",
        scratch_bytes=4 << 30,
        breaks=lambda _volumes: [f"truncate -s {overlay.volume(1, gib=5).file_bytes} {STORE}/vol-0BADCAFE"],
        expects=found("STORE_OVERCOMMITTED", "warning"),
        facts=lambda _volumes: [f"test $(df --output=pcent {ROOT} | tail -1 | tr -d ' %') -lt 50"],
        rare=True,
    ),
    HostFault(
        name="store-overcommitted-little-free",
        # An old, fully written image takes the rest; a reserve for root keeps what is free for use below 10 % of the whole while
        # less than 85 % of the usable part is used.
        scratch_bytes=4 << 30,
        before=_again("-m 50"),
        build=without_snapshot,
        breaks=lambda _volumes: _fill(leave_mib=360),
        expects=found("STORE_OVERCOMMITTED", "critical"),
        rare=True,
    ),
    HostFault(
        name="store-barriers-off",
        before=(f"mount -o remount,barrier=0 {ROOT}",),
        breaks=lambda _volumes: [],
        expects=found("STORE_BARRIERS_OFF", "critical"),
        facts=lambda _volumes: [f"grep ' {ROOT} ' /proc/mounts | grep -q nobarrier"],
        rare=True,
    ),
    HostFault(
        name="store-barriers-off-in-superblock",
        before=(f"umount {ROOT}", f"tune2fs -o nobarrier {SCRATCH} >/dev/null", f"mount {SCRATCH} {ROOT}"),
        breaks=lambda _volumes: [],
        expects=found("STORE_BARRIERS_OFF", "critical"),
        facts=lambda _volumes: [
            f"! grep ' {ROOT} ' /proc/mounts | grep -q barrier",
            "grep -qx nobarrier /proc/fs/ext4/vda/options",
        ],
        rare=True,
    ),
    HostFault(
        name="store-read-only",
        # By a second mount over the first, which cannot be made read-only itself while loop devices write through it.
        breaks=lambda _volumes: [f"mount --bind {ROOT} {ROOT}", f"mount -o remount,bind,ro {ROOT}"],
        expects=found("STORE_READ_ONLY", "critical"),
        facts=lambda _volumes: [f"! touch {STORE}/x"],
        rare=True,
    ),
    HostFault(
        name="store-errors",
        before=(f"mount -o remount,errors=remount-ro {ROOT}",),
        build=without_snapshot,
        breaks=lambda _volumes: ["echo 1 > /sys/fs/ext4/vda/trigger_fs_error"],
        expects=found("STORE_FILESYSTEM_ERRORS", "critical"),
        # This kernel forbids writes and goes on to say rw.
        facts=lambda _volumes: [f"! touch {STORE}/x", "dmesg | grep -q 'vda): Remounting filesystem read-only'"],
        rare=True,
    ),
    HostFault(
        name="store-not-mounted",
        # The root file system, in memory, has room for no more than one volume.
        volumes=1,
        before=(f"umount {ROOT}", f"echo 'LABEL=volumes {ROOT} ext4 defaults 0 2' >> /etc/fstab"),
        build=without_snapshot,
        breaks=lambda _volumes: [],
        expects=found("STORE_NOT_MOUNTED", "warning"),
        facts=lambda _volumes: [f"! mountpoint -q {ROOT}"],
    ),
    HostFault(
        name="store-configured-absent",
        breaks=lambda _volumes: ["echo 'stores: [/srv/volumes]' > /etc/site.yaml"],
        options="--config /etc/site.yaml",
        expects=found("STORE_NOT_MOUNTED", "warning", "/srv/volumes"),
        facts=lambda _volumes: ["! test -e /srv/volumes"],
        rare=True,
    ),
)

FAULTS: tuple[HostFault, ...] = (
    *_FAULTS,
    together("store-damaged", [_named("store-errors"), _named("store-read-only"), _named("store-barriers-off")]),
)
