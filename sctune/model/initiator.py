"""open-iscsi: live sessions (sysfs), iscsid.conf and the node records. Timeouts in seconds. Secrets are never kept."""

from __future__ import annotations

from sctune.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiConnection:
    """/sys/class/iscsi_connection/connectionN:C. `noop_interval` and `noop_timeout` are noop_out_interval (recv_tmo) and
    noop_out_timeout (ping_tmo). `address` is "" while the connection is down; `persistent_address` stays.
    `local` is whether the persistent address is one of this host's own, None where that is not known."""

    name: str
    address: str
    port: int
    persistent_address: str
    persistent_port: int
    noop_interval: int | None
    noop_timeout: int | None
    state: str
    local: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiSession:
    """/sys/class/iscsi_session/sessionN. `state` is LOGGED_IN, FAILED or FREE; `recovery_timeout` is what
    replacement_timeout became (-1: sysfs says "off", wait for ever; 0: fail at once); None where the file does not say a
    number. `disks` are names in /sys/block. `creator` is the process that made the session, -1 when the kernel or an
    adapter's firmware did, which then needs no iscsid."""

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
    creator: int | None = None

    @property
    def identity(self) -> str:
        """IQN, portal and initiator: what lasts over a new login, unlike the number."""
        return f"{self.target},{self.portal},{self.initiator}"

    @property
    def local(self) -> bool:
        """Whether it is known to lead back to this host."""
        return any(connection.local is True for connection in self.connections)

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
    """One record of the node database (/etc/iscsi/nodes or /var/lib/iscsi/nodes): target, portal, interface, settings.
    `secret` is whether it holds a CHAP secret, `exposed` whether others than owner and group may read it (None: not known).
    `transport` is iface.transport_name: tcp, iser, or an adapter's driver."""

    path: str
    target: str
    address: str
    port: int
    interface: str
    timeouts: InitiatorTimeouts
    secret: bool = False
    exposed: bool | None = None
    transport: str = "tcp"

    @property
    def portal(self) -> str:
        """address:port, as iscsiadm wants it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InitiatorConfiguration:
    """iscsid.conf: `path` where it was found. `ignored` are the names of settings on lines that open-iscsi skips.
    `secret` and `exposed` as in a node record."""

    path: str
    timeouts: InitiatorTimeouts
    ignored: tuple[str, ...] = ()
    secret: bool = False
    exposed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpTransport:
    """The kernel's iscsi_tcp. `loaded`: it is there now. `module`: it lies in the folder of the running kernel, None where there is
    no folder of modules to look in (a container). `forbidden` is the file that forbids to load it, and how, "" where none does."""

    loaded: bool
    module: bool | None = None
    forbidden: str = ""
