"""LIO, the kernel's own iSCSI target: its targets, what they serve, who is logged in. Secrets are never kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass
from sctune.unavailable import known

if TYPE_CHECKING:
    from sctune.host.base import FileStat
    from sctune.model.initiator import IscsiSession
    from sctune.model.target import Nexus
    from sctune.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class LioPortal:
    """An address that LIO listens on: `address` without brackets, `iqn` one of the targets that are behind it."""

    iqn: str
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LioBackstore:
    """A storage object: a folder PLUGIN_N/NAME of configfs. `plugin` is iblock, fileio, pscsi, rd_mcp or user.

    `path` is what was given to it: the block device's node, the file; `stat` is stat(2) of that now, None where it is none (pscsi,
    rd_mcp, user). `device` is the block device that the kernel opened (iblock), None elsewhere; `present` whether that is among the
    block devices now, partitions included, asked for only where `path` is gone. `size` is in bytes and of fileio
    alone: all others are as large as their device. `write_back` is whether initiators are told of a volatile write cache
    (emulate_write_cache), `buffered` whether fileio leaves writes in the page cache; `block_size` is what initiators see
    (hw_block_size is the device's own). None: not told.
    """

    plugin: str
    hba: int
    name: str
    enabled: bool | None
    path: str
    device: tuple[int, int] | None = None
    stat: FileStat | Unavailable | None = None
    present: bool | None = None
    size: int | None = None
    read_only: bool | None = None
    write_back: bool | None = None
    buffered: bool | None = None
    block_size: int | None = None
    hw_block_size: int | None = None
    serial: str = ""

    @property
    def key(self) -> str:
        """PLUGIN_N/NAME, as its folder is called."""
        return f"{self.plugin}_{self.hba}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LioLun:
    """A LUN of a portal group. `backstore` is None where nothing lies behind it any more: the folder is there without its link."""

    number: int
    backstore: LioBackstore | None

    @property
    def online(self) -> bool:
        """Whether something lies behind it that is switched on."""
        return self.backstore is not None and self.backstore.enabled is not False

    @property
    def device(self) -> tuple[int, int] | None:
        """The block device that is held open, None for a file."""
        if self.backstore is None:
            return None
        return self.backstore.device or getattr(self.backstore.stat, "rdevice", None)

    @property
    def size(self) -> int | None:
        """Bytes, of a file alone."""
        return self.backstore.size if self.backstore is not None else None

    @property
    def identity(self) -> tuple[int, int] | None:
        """(device, inode) of the file that it serves, None where that is none or could not be asked."""
        stat = known(self.backstore.stat) if self.backstore is not None else None
        return (stat.device, stat.inode) if stat is not None and stat.rdevice is None else None

    @property
    def backing_path(self) -> str:
        """The node or file it serves, "" for none."""
        return self.backstore.path if self.backstore is not None else ""

    @property
    def backing_type(self) -> str:
        """The backstore's plugin, "" for none."""
        return self.backstore.plugin if self.backstore is not None else ""

    @property
    def read_only(self) -> bool:
        """Whether the backstore takes no writes; an initiator may be kept from writing besides (`LioMapping`)."""
        return self.backstore is not None and bool(self.backstore.read_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class LioMapping:
    """A LUN as one initiator sees it: `number` is the initiator's, `lun` the portal group's, None where it leads to none. None of
    `write_protect`: not told, as of a LUN with nothing behind it."""

    number: int
    lun: int | None
    write_protect: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LioAcl:
    """An initiator that is let in by name (a NodeACL). `account` is its CHAP user name, "" where none is set; `session` None
    where it is not logged in."""

    initiator: str
    account: str
    mappings: tuple[LioMapping, ...]
    session: Nexus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LioTarget:
    """A portal group of a target; nearly always a target has one, tag 1.

    `authentication`: only who proves itself by CHAP is let in. `generate_acls`: demo mode, an initiator without an ACL is let in;
    `demo_write_protect`: such a one may not write. None: the kernel does not tell. `account` is the CHAP user name of those without
    an ACL. `guests` are initiators that are logged in without an ACL; of them only the name is told.
    """

    iqn: str
    tag: int
    enabled: bool | None
    authentication: bool | None
    generate_acls: bool | None
    demo_write_protect: bool | None
    account: str
    portals: tuple[LioPortal, ...]
    luns: tuple[LioLun, ...]
    acls: tuple[LioAcl, ...]
    guests: tuple[Nexus, ...] = ()

    @property
    def nexuses(self) -> tuple[Nexus, ...]:
        """Who is logged in."""
        return (*(acl.session for acl in self.acls if acl.session is not None), *self.guests)

    @property
    def state(self) -> str:
        """In tgt's words: whether initiators may log in."""
        return "offline" if self.enabled is False else "ready"

    @property
    def disks(self) -> tuple[LioLun, ...]:
        """All LUNs: LIO has no controller among them."""
        return self.luns

    def nexuses_of(self, lun: int) -> tuple[Nexus, ...]:
        """Who is logged in and has a LUN mapped."""
        return tuple(nexus for nexus in self.nexuses if self.number_for(nexus.initiator, lun) is not None)

    def number_in(self, session: IscsiSession, lun: int) -> int | None:
        """By which number a session sees a LUN; None where it does not."""
        return self.number_for(session.initiator, lun) if session.tpgt in (None, self.tag) else None

    def number_for(self, initiator: str, lun: int) -> int | None:
        """By which number an initiator sees a LUN; None where it is not mapped for it."""
        acl = next((acl for acl in self.acls if acl.initiator.casefold() == initiator.casefold()), None)
        if acl is None:
            return lun
        return next((mapping.number for mapping in acl.mappings if mapping.lun == lun), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LioState:
    """All of LIO's iSCSI side and its backstores, served or not."""

    targets: tuple[LioTarget, ...]
    backstores: tuple[LioBackstore, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LioLunIo:
    """What went through a LUN since it was made. LIO counts in whole MiB, which `read_bytes` and `write_bytes` are in bytes."""

    iqn: str
    tag: int
    lun: int
    commands: int
    read_bytes: int
    write_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LioLogins:
    """Logins to a target since it was made, by how they ended: accepted; refused because the initiator did not prove who it is
    (`authenticate`), may not come in or the portal group is off (`authorize`), for what it proposed (`negotiate`), or for
    something else (`other`). An initiator that was sent elsewhere is in none of them."""

    iqn: str
    accepted: int
    authenticate: int
    authorize: int
    negotiate: int
    other: int
