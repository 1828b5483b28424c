"""What layers count of the I/O that passed through them: the block layer's counters, SCSI's, and tgtd's own.

All of them only grow, since the device or the session was made: what a layer does now is the difference of two looks
(`io_rates.difference`). None of them says what waits above it.
"""

from __future__ import annotations

from sctune.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IoTally:
    """One kind of I/O of a device. `completed` counts requests (device-mapper and md before Linux 6.3: those submitted), `merged`
    those that were joined to another before they were sent, `bytes` in bytes. `waited` is how long all of them together were
    under way, in seconds: of ten that took a millisecond each side by side, ten milliseconds. The kernel counts it in 32 bits of
    milliseconds, so that it begins anew after 4,294,967 s. Of flushes the kernel counts neither merges nor bytes: 0."""

    completed: int
    merged: int
    bytes: int
    waited: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IoCounters:
    """/sys/block/NAME/stat of one whole device. `discards` are counted since Linux 4.18, `flushes` since 5.5: None before.
    `in_flight` is how many I/Os are under way. `busy` is for how long any was, in seconds (an estimate since 5.0: a clock tick in
    which one began or ended counts whole, and of one that takes longer than two ticks not all is counted), `queued` the sum of
    all waiting."""

    name: str
    reads: IoTally
    writes: IoTally
    discards: IoTally | None
    flushes: IoTally | None
    in_flight: int
    busy: float
    queued: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyRates:
    """One kind of I/O between two looks: a second's I/Os and bytes. `latency` is the mean time of one in seconds and `size` its
    mean size in bytes, None where none completed."""

    ios: float
    bytes: float
    latency: float | None
    size: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IoRates:
    """A device between two looks that were `seconds` apart. `busy_ratio` is the part of that time in which it had work (0..1),
    `depth` how many I/Os were under way on average, `in_flight` how many at the second look."""

    name: str
    seconds: float
    reads: TallyRates
    writes: TallyRates
    discards: TallyRates | None
    flushes: TallyRates | None
    busy_ratio: float
    depth: float
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScsiCounters:
    """Commands of one SCSI disk (/sys/block/NAME/device/io*_cnt, 32 bits each): sent, come back, come back with an error, and
    given up after their time was up (None: an older kernel, which does not count those). Errors are no defects by themselves: a
    disk that answers "I was reset" has sent one."""

    name: str
    sent: int
    completed: int
    errors: int
    timeouts: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LunIo:
    """What one tgtd did for one initiator's session with one LUN (`tgtadm --op stat --mode sys`). What was submitted and is not
    done yet is under way, in tgtd or in what is behind it; tgtd keeps no times. Commands and errors are counted in 32 bits, bytes
    in 64. The first command of a session counts as an error (the target tells it that it was powered on). Logging out ends the
    counters."""

    control_port: int
    tid: int
    lun: int
    sid: int
    read_bytes_submitted: int
    reads_submitted: int
    read_bytes: int
    reads: int
    write_bytes_submitted: int
    writes_submitted: int
    write_bytes: int
    writes: int
    errors: int

    @property
    def in_flight(self) -> int:
        """Reads and writes that were submitted and are not done."""
        return (self.reads_submitted - self.reads) % 2**32 + (self.writes_submitted - self.writes) % 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class LunRates:
    """A LUN's sessions together, between two looks: per second. There is no latency: tgtd counts none. `errors` of that time."""

    seconds: float
    reads: float
    read_bytes: float
    writes: float
    write_bytes: float
    errors: int
    in_flight: int
