"""Faults of how the host is tuned: sysctl.d, tuned, read-ahead, huge pages, disks that cannot keep up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Expected, HostFault
from .stores import found, without_snapshot
from .together import together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume

# The machine has the mark of the container that its files may come from, and in a container nobody applies sysctl.d.
_NO_CONTAINER = ("rm -f /.dockerenv",)
SLOW = "/sys/fs/cgroup/slow"
WRITERS = 16
_PROFILE = "'[main]' include=throughput-performance '[vm]' transparent_hugepages=always"
_LOG = "/var/log/tuned/tuned.log"


def _sysctls(name: str, *settings: str) -> str:
    return f"printf '%s\\n' {' '.join(repr(setting) for setting in settings)} > /etc/sysctl.d/{name}"


def _held_back() -> list[str]:
    """A cgroup in which the disk writes 64 KiB a second."""
    return [
        "echo +io > /sys/fs/cgroup/cgroup.subtree_control",
        f"mkdir -p {SLOW}",
        f'echo "$(cat /sys/block/vda/dev) wbps=65536" > {SLOW}/io.max',
    ]


def _writer(number: int) -> str:
    """Writes a file of its own there all the time, and waits for each block. No dd, which would be a cloud's copy."""
    program = (
        f"import os; f = os.open('/var/lib/eucalyptus/busy{number}', os.O_CREAT | os.O_WRONLY | os.O_SYNC)\n"
        "while True: os.pwrite(f, b'x' * 65536, 0)"
    )
    return f'(echo 0 > {SLOW}/cgroup.procs; exec /usr/bin/python3 -I -S -c "{program}") >/dev/null 2>&1 &'


def _pressure(column: str, percent: int) -> str:
    """The condition that an average of `full` is above. Well past the threshold: it falls while the doctor runs."""
    return f"awk '/^full/ {{ split({column}, a, \"=\"); exit !(a[2] > {percent}) }}' /proc/pressure/io"


def _overridden(_volumes: Sequence[Volume]) -> list[str]:
    """Two files that want different things, a ratio after bytes, and a change by hand."""
    return [
        _sysctls("60-volumes.conf", "vm.swappiness = 10", "vm.dirty_bytes = 629145600"),
        _sysctls("70-network.conf", "net.core.somaxconn = 8192"),
        _sysctls("80-database.conf", "vm.swappiness = 40", "vm.dirty_ratio = 30"),
        "sysctl -q --system >/dev/null 2>&1 || true",  # this computer's own files may ask for what the machine has not
        "sysctl -q -w net.core.somaxconn=512",
    ]


def _all(code: str, severity: str, *subjects: str) -> tuple[Expected, ...]:
    return tuple(Expected(code=code, severity=severity, subject=subject) for subject in subjects)


_FAULTS: tuple[HostFault, ...] = (
    HostFault(
        name="sysctl-overridden",
        before=_NO_CONTAINER,
        breaks=_overridden,
        expects=lambda _volumes: (
            *_all("SYSCTL_OVERRIDDEN", "warning", "vm.dirty_bytes", "net.core.somaxconn"),
            *_all("SYSCTL_OVERRIDDEN", "info", "vm.swappiness"),
        ),
        facts=lambda _volumes: [
            "test $(cat /proc/sys/vm/swappiness) = 40",
            "test $(cat /proc/sys/vm/dirty_bytes) = 0",
            "test $(cat /proc/sys/vm/dirty_ratio) = 30",
        ],
        rare=True,
    ),
    HostFault(
        name="read-ahead-low",
        breaks=lambda _volumes: ["echo 64 > /sys/block/vda/queue/read_ahead_kb"],
        expects=found("BLOCK_READ_AHEAD_LOW", "info", "vda"),
        rare=True,
    ),
    HostFault(
        name="huge-pages-always",
        breaks=lambda _volumes: ["echo always > /sys/kernel/mm/transparent_hugepage/enabled"],
        expects=found("THP_MODE", "info", "transparent_hugepage"),
        facts=lambda _volumes: ["grep -q '\\[always\\]' /sys/kernel/mm/transparent_hugepage/enabled"],
        rare=True,
    ),
    HostFault(
        name="write-cache-volatile",
        breaks=lambda _volumes: [],
        expects=found("DISK_WRITE_CACHE_VOLATILE", "info", "vda"),
        facts=lambda _volumes: ["grep -q 'write back' /sys/block/vda/queue/write_cache"],
        rare=True,
    ),
)

FAULTS: tuple[HostFault, ...] = (
    *_FAULTS,
    together("tuning-together", _FAULTS),
    HostFault(
        name="io-pressure",
        # A copy of a snapshot waits for disks by itself, and is no pressure.
        build=without_snapshot,
        breaks=lambda _volumes: [*_held_back(), *(_writer(number) for number in range(WRITERS))],
        until=_pressure("$4", 25),
        seconds=300.0,
        expects=found("IO_PRESSURE_HIGH", "critical", "host"),
        rare=True,
    ),
    HostFault(
        name="io-pressure-of-one",
        # The same standstill, of a single writer: nobody else waits.
        build=without_snapshot,
        breaks=lambda _volumes: [*_held_back(), _writer(0)],
        until=_pressure("$3", 45),
        seconds=300.0,
        expects=found("IO_PRESSURE_HIGH", "info", "host"),
        rare=True,
    ),
    HostFault(
        name="tuned-drifted",
        before=(
            *_NO_CONTAINER,
            "mkdir -p /etc/tuned/storage",
            f"printf '%s\\n' {_PROFILE} > /etc/tuned/storage/tuned.conf",
            _sysctls("90-network.conf", "net.core.somaxconn = 1024"),
        ),
        breaks=lambda _volumes: [
            f"rm -f {_LOG}",
            "tuned --no-dbus --no-socket -l -d -P /run/tuned.pid -p storage >/dev/null 2>&1",
            f"for n in $(seq 240); do grep -qs 'static tuning .* applied' {_LOG} && break; sleep 0.25; done",
            # What the profile makes of the machine, before somebody's hand.
            "test $(cat /proc/sys/vm/swappiness) = 10 && test $(cat /sys/block/vda/queue/read_ahead_kb) = 4096",
            "sysctl -q -w vm.swappiness=60",
            "echo 64 > /sys/block/vda/queue/read_ahead_kb",
            "echo never > /sys/kernel/mm/transparent_hugepage/enabled",
        ],
        expects=lambda _volumes: (
            *_all("PROFILE_DRIFT", "warning", "vm.swappiness", "vda", "transparent_hugepage"),
            *_all("TUNED_CONFLICT", "warning", "net.core.somaxconn"),
        ),
        facts=lambda _volumes: [
            "test $(cat /proc/sys/net/core/somaxconn) = 1024",
            f"grep -q \"Overriding sysctl parameter 'net.core.somaxconn'\" {_LOG}",
        ],
        rare=True,
    ),
)
