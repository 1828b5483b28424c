"""tgt: the running daemon's targets (tgtadm(8)) and what is persisted for it (targets.conf(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.host.base import FileStat
    from sctune.model.initiator import IscsiSession
    from sctune.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One connection of an I_T nexus: its cid and the initiator's address."""

    cid: int
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nexus:
    """An I_T nexus: a session of one initiator with one target. `sid` is the session's id in tgtd or LIO, None where LIO does not
    tell it."""

    sid: int | None
    initiator: str
    alias: str
    connections: tuple[Connection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lun:
    """A logical unit. `kind` is tgt's type (controller, disk …). `size_text` is tgt's rounded words: take sizes from the
    block device. `backing_path` is "" where tgt says None. `backing_type` is the bstype (rdwr, aio, null …).
    `removable` is tgt's "Removable media": a drive that may stand empty."""

    number: int
    kind: str
    size_text: str
    block_size: int | None
    online: bool
    read_only: bool
    thin_provisioning: bool
    backing_type: str
    backing_path: str
    backing_flags: str
    removable: bool = False

    @property
    def device(self) -> tuple[int, int] | None:
        """The block device that is held open: tgt tells none, its path alone."""
        return None

    @property
    def size(self) -> int | None:
        """Bytes: tgt tells them in rounded words alone."""
        return None

    @property
    def identity(self) -> tuple[int, int] | None:
        """(device, inode) of the file: tgt tells none, its path alone."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """What lies at a LUN's backing path now. `stat` is stat(2) of it as tgtd sees it, links followed. `device_size` is the
    kernel's size in bytes of the block device it leads to: absent where the node has no device behind it any more, None where
    the path leads to no block device."""

    path: str
    stat: FileStat | Unavailable
    device_size: int | Unavailable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target. `acls` are initiator addresses or names ("ALL": everybody); `accounts` are CHAP user names, never secrets;
    `outgoing_accounts` those by which the target proves itself. `control_port` tells which tgtd serves it."""

    tid: int
    iqn: str
    driver: str
    state: str
    control_port: int
    nexuses: tuple[Nexus, ...]
    luns: tuple[Lun, ...]
    accounts: tuple[str, ...]
    outgoing_accounts: tuple[str, ...]
    acls: tuple[str, ...]

    @property
    def disks(self) -> tuple[Lun, ...]:
        """The LUNs other than tgt's controller (LUN 0)."""
        return tuple([lun for lun in self.luns if lun.kind != "controller"])

    def nexuses_of(self, _lun: int) -> tuple[Nexus, ...]:
        """Who is served a LUN: on tgt whoever is logged in."""
        return self.nexuses

    def number_in(self, _session: IscsiSession, lun: int) -> int | None:
        """By which number a session sees a LUN: on tgt all see it alike."""
        return lun


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """An address tgtd listens on: `address` without brackets, `tpgt` the portal group tag."""

    address: str
    port: int
    tpgt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TgtDaemon:
    """One tgtd that answered on its management socket."""

    control_port: int
    state: str
    targets: tuple[Target, ...]
    portals: tuple[Portal, ...]
    accounts: tuple[str, ...]
    backing_types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistedTarget:
    """A <target> block of targets.conf or a file it includes. `backing_paths` in order; `chap` whether incominguser is set."""

    iqn: str
    file: str
    backing_paths: tuple[str, ...]
    initiator_addresses: tuple[str, ...]
    initiator_names: tuple[str, ...]
    chap: bool
    backing_type: str
    write_cache_off: bool = False
    """Whether write-cache is off for the whole target."""
    scsi_ids: tuple[str, ...] = ()
    """The names by which initiators tell its disks from others (VPD page 0x83), where they are given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TgtConfiguration:
    """targets.conf(5) and everything it includes. `files` were read; `unread` are names of files that could not be."""

    files: tuple[str, ...]
    unread: tuple[str, ...]
    targets: tuple[PersistedTarget, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TgtState:
    """All of tgt on this host, a daemon a control port.

    `unanswered` are sockets behind which a daemon listens and does not answer (timeout: it hangs), or that we may not ask;
    The `what` of each is its socket's path, which ends in the control port. `stale` are control ports whose socket refuses
    connections: a daemon ran there since the host was booted and runs no more. tgtd never removes its socket, neither when it
    is killed nor when it is stopped (usr/mgmt.c, ipc_exit), so this alone does not tell a death from a stop.
    """

    daemons: tuple[TgtDaemon, ...]
    unanswered: tuple[Unavailable, ...]
    stale: tuple[int, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets of all daemons that answered."""
        return tuple(target for daemon in self.daemons for target in daemon.targets)
