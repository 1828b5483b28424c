"""Faults of LVM as a whole: a command that does not end, and a device that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Expected, HostFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume

_VG = "spare"


def _spare_vg() -> list[str]:
    """A VG that nobody serves."""
    return [
        "truncate -s 64M /run/spare",
        "loop=$(losetup -f --show /run/spare)",
        f"vgcreate -q {_VG} $loop >/dev/null",
        f"lvcreate -q -L 8M -n old -Wn {_VG} >/dev/null",
        "udevadm settle",
    ]


def _forgotten_question(_volumes: Sequence[Volume]) -> list[str]:
    """lvremove asks whether it shall, and holds the VG's lock until somebody answers; then it is stopped as by Ctrl-Z."""
    return [
        *_spare_vg(),
        f"(sleep 1000 | exec lvremove {_VG}/old) >/dev/null 2>&1 &",
        f"until ! flock -n /run/lock/lvm/V_{_VG} true; do sleep 0.2; done",
        "kill -STOP $(pgrep -x lvremove)",
    ]


def _silent_device(_volumes: Sequence[Volume]) -> list[str]:
    """A loop device over a device that is suspended: LVM, which asks every loop device for its label, waits in the kernel."""
    return [
        "truncate -s 64M /run/silent",
        "below=$(losetup -f --show /run/silent)",
        'echo "0 131072 linear $below 0" | dmsetup create silent',
        "udevadm settle",
        "losetup -f /dev/mapper/silent",
        "udevadm settle",
        "dmsetup suspend silent",
        "echo 1 > /proc/sys/vm/drop_caches",
    ]


def _found(code: str, severity: str, subject: str) -> tuple[Expected, ...]:
    return (Expected(code=code, severity=severity, subject=subject),)


FAULTS: tuple[HostFault, ...] = (
    HostFault(
        name="lvm-lock-held",
        breaks=_forgotten_question,
        until="test $(ps -o etimes= -C lvremove) -gt 11",
        # It takes no lock itself, so it can look; that nobody else can is what the finding says.
        expects=lambda _volumes: _found("LVM_COMMAND_SLOW", "warning", "host"),
        facts=lambda _volumes: [f"! flock -n /run/lock/lvm/V_{_VG} true", "ps -o stat= -C lvremove | grep -q T"],
    ),
    HostFault(
        name="lvm-unresponsive",
        breaks=_silent_device,
        expects=lambda _volumes: _found("LVM_UNRESPONSIVE", "critical", "host"),
        facts=lambda _volumes: ["dmsetup info -c --noheadings -o suspended silent | grep -qx Suspended"],
    ),
)
