"""The host itself: writeback limits, memory, pressure, huge pages, CPU governors, units, tuned."""

from __future__ import annotations

from sctune.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Writeback:
    """vm.dirty_* (Documentation/admin-guide/sysctl/vm.rst). Exactly one of each pair is in force: writing one zeroes the other.

    Ratios are 0..1. `limit` and `background_limit` are what is in force in bytes now: the bytes setting, or the kernel's own
    nr_dirty_threshold * page size, or None where neither is told. `expire` and `interval` in seconds.
    """

    dirty_ratio: float
    dirty_bytes: int
    background_ratio: float
    background_bytes: int
    limit: int | None
    background_limit: int | None
    expire: float | None
    interval: float | None

    @property
    def bytes_in_force(self) -> bool:
        """Whether vm.dirty_bytes rules (0 means the ratio does)."""
        return self.dirty_bytes != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """/proc/meminfo in bytes. `swap_total` is 0 where there is no swap."""

    total: int
    available: int | None
    free: int
    dirty: int
    writeback: int
    swap_total: int = 0
    swap_free: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """One line of a file in /proc/pressure: the share of time (0..1) in which some task, or all that had work to do (`full`),
    stood still; over the last 10, 60 and 300 s."""

    avg10: float
    avg60: float
    avg300: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """Pressure stall information (Documentation/accounting/psi.rst) of disks and memory."""

    io_some: Stall
    io_full: Stall
    memory_some: Stall
    memory_full: Stall


@dataclass(frozen=True, slots=True, kw_only=True)
class IoWaiting:
    """Who waits for disks while we look. `tasks`: how many tasks of the whole host waited for I/O at each of some moments, threads
    counted one by one. `seconds` lie between the first of them and the last, and over these `disk` was the busiest: a share `busy`
    (0..1) of the time it had a request to do. None and 0 where there is no disk."""

    tasks: tuple[int, ...]
    seconds: float
    disk: str | None
    busy: float

    @property
    def together(self) -> float:
        """How many waited at once, on average over the moments at which any did; 0 where none did at any."""
        waiting = [count for count in self.tasks if count]
        return sum(waiting) / len(waiting) if waiting else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HugePages:
    """/sys/kernel/mm/transparent_hugepage: the words in brackets. `at_boot` is what the kernel's command line asks for, None
    where it says nothing of it."""

    enabled: str
    defrag: str | None
    at_boot: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuGovernors:
    """scaling_governor of every CPU that has one, sorted without repeats; () where there is no cpufreq.

    `drivers` (scaling_driver) and `preferences` (energy_performance_preference) are those of the CPUs whose governor is
    powersave: two drivers mean something else by it, and go by the preference.
    """

    governors: tuple[str, ...]
    cpus: int
    drivers: tuple[str, ...] = ()
    preferences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A systemd unit: `load` (loaded, not-found, masked), `active` (active, inactive, failed), `enabled` (enabled, disabled,
    static, ""), `main_pid` 0 when none."""

    name: str
    load: str
    active: str
    sub: str
    enabled: str
    main_pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """tuned: its active profile by /etc/tuned/active_profile, and whether a daemon runs to enforce it."""

    profile: str
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A TCP socket that listens (/proc/net/tcp, /proc/net/tcp6, of the network namespace that sctune runs in)."""

    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpConnection:
    """A TCP socket with somebody at its other end (the same files). `state` is the kernel's number (include/net/tcp_states.h).

    `retransmits` counts how often the oldest unanswered data were sent again, `probes` the unanswered probes of an idle connection
    or of a closed window; any answer sets both to 0 (net/ipv4/tcp_input.c, tcp_ack). Addresses as in `Listener`, an IPv4 address
    that came by an IPv6 socket as IPv4.
    """

    address: str
    port: int
    peer: str
    peer_port: int
    state: int
    retransmits: int
    probes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSockets:
    """The TCP sockets of the network namespace that sctune runs in."""

    listeners: tuple[Listener, ...]
    connections: tuple[TcpConnection, ...]
