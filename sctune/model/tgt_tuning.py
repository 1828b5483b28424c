"""What a tgt target negotiates, and which tgt it is (tgtadm(8), RFC 7143)."""

from __future__ import annotations

from sctune.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetParameters:
    """The parameters of one target, as it offers them to initiators. Lengths in bytes, `nop_interval` and the defaults of
    time in seconds (`nop_interval` 0: a dead initiator is found by TCP keepalive alone). None: this tgt does not tell.

    `others` are the remaining parameters (name, value) in tgt's words and order.
    """

    control_port: int
    iqn: str
    nop_interval: int | None
    nop_count: int | None
    max_recv_data_segment_length: int | None
    max_xmit_data_segment_length: int | None
    first_burst_length: int | None
    max_burst_length: int | None
    max_outstanding_r2t: int | None
    max_queue_cmd: int | None
    max_connections: int | None
    initial_r2t: bool | None
    immediate_data: bool | None
    header_digest: str | None
    data_digest: str | None
    default_time2wait: int | None
    default_time2retain: int | None
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TgtVersion:
    """`version` as tgtadm prints it; `package` as the package manager knows it ("" where none answers). A distribution mends
    faults without raising the former, so what is mended follows from the latter alone."""

    version: str
    package: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TgtLoad:
    """How much of one core a tgtd's main thread took (0..1) over `seconds`. None: the time between the two readings was too
    short to tell, and it was not idle."""

    control_port: int
    pid: int
    share: float | None
    seconds: float
