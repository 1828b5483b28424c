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
WRITERS = 16
_PROFILE = "'[main]' include=throughput-performance '[vm]' transparent_hugepages=always"
_LOG = "/var/log/tuned/tuned.log"


def _sysctls(name: str, *settings: str) -> str:
    return f"printf '%s\\n' {' '.join(repr(setting) for setting in settings)} > /etc/sysctl.d/{name}"


# Below the store, and fast until the volumes are built. A limit of a cgroup would hold tasks back while the disk idles, which is no
# pressure.
_BEFORE = (
    "modprobe dm-delay",
    "umount /var/lib/eucalyptus",
    'echo "0 $(blockdev --getsz /dev/vda) delay /dev/vda 0 0" | dmsetup create slow; dmsetup mknodes slow',
    "mount /dev/mapper/slow /var/lib/eucalyptus",
)


def _slowed() -> list[str]:
    """Every write to the disk takes half a second from now on; reads do not, so that whoever looks is not held up."""
    table = '"0 $(blockdev --getsz /dev/vda) delay /dev/vda 0 0 /dev/vda 0 500"'
    return ["sync", f"echo {table} | dmsetup reload slow", "dmsetup resume slow"]


def _writers(count: int) -> str:
    """So many threads write blocks of their own all the time, past the page cache and the journal, and wait for each. No dd, which
    would be a cloud's copy."""
    program = (
        "import mmap, os, threading\n"
        "f = os.open('/var/lib/eucalyptus/busy', os.O_CREAT | os.O_RDWR | os.O_DIRECT)\n"
        "block = mmap.mmap(-1, 65536)\n"
        "def write(n):\n"
        "    while True: os.pwrite(f, block, n * 65536)\n"
        f"for n in range({count}): threading.Thread(target=write, args=(n,)).start()"
    )
    return f'/usr/bin/python3 -I -S -c "{program}" </dev/null >/dev/null 2>&1 &'


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
        # Rare for its length: avg300 has to rise too, which no disk makes quicker. A copy of a snapshot waits for disks by itself.
        before=_BEFORE,
        build=without_snapshot,
        breaks=lambda _volumes: [*_slowed(), _writers(WRITERS)],
        until=_pressure("$4", 25),
        seconds=300.0,
        expects=found("IO_PRESSURE_HIGH", "critical", "host"),
        rare=True,
    ),
    HostFault(
        name="io-pressure-of-one",
        # The same standstill, of a single writer: nobody else waits.
        before=_BEFORE,
        build=without_snapshot,
        breaks=lambda _volumes: [*_slowed(), _writers(1)],
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
