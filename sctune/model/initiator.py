"""open-iscsi: live sessions (sysfs), iscsid.conf and the node records. Timeouts in seconds. Secrets are never kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiConnection:
    """/sys/class/iscsi_connection/connectionN:C. `ping_interval` and `ping_timeout` are noop_out_interval (recv_tmo) and
    noop_out_timeout (ping_tmo)."""

    name: str
    address: str
    port: int
    persistent_address: str
    persistent_port: int
    noop_interval: int | None
    noop_timeout: int | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiSession:
    """/sys/class/iscsi_session/sessionN. `state` is LOGGED_IN, FAILED or FREE; `recovery_timeout` is what
    replacement_timeout became; None where the file does not say a number. `disks` are names in /sys/block."""

    number: int
    target: str
    tpgt: int | None
    interface: str
    initiator: str
    state: str
    recovery_timeout: int | None
    abort_timeout: int | None
    lu_reset_timeout: int | None
    connections: tuple[IscsiConnection, ...]
    disks: tuple[str, ...]

    @property
    def portal(self) -> str:
        """address:port it was told to use, "" when no connection is left."""
        if not self.connections:
            return ""
        connection = self.connections[0]
        address = connection.persistent_address
        return f"[{address}]:{connection.persistent_port}" if ":" in address else f"{address}:{connection.persistent_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InitiatorTimeouts:
    """The settings that decide how an outage is met, from iscsid.conf or a node record; None: not set there."""

    replacement_timeout: int | None
    noop_interval: int | None
    noop_timeout: int | None
    login_timeout: int | None
    startup: str | None
    chap: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """One record of the node database (/etc/iscsi/nodes or /var/lib/iscsi/nodes): target, portal, interface, settings."""

    path: str
    target: str
    address: str
    port: int
    interface: str
    timeouts: InitiatorTimeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class InitiatorConfiguration:
    """iscsid.conf: `path` where it was found."""

    path: str
    timeouts: InitiatorTimeouts
