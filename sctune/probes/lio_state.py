"""What LIO serves, to whom and from what, from configfs.

    core/PLUGIN_N/NAME/{enable,info,udev_path,attrib,wwn}                 a backstore
    iscsi/IQN/tpgt_N/{enable,attrib,auth,np,dynamic_sessions}             a portal group of a target
    iscsi/IQN/tpgt_N/lun/lun_N/LINK -> …/core/PLUGIN_N/NAME               a LUN; without the link there is nothing behind it
    iscsi/IQN/tpgt_N/acls/INITIATOR/{info,auth,lun_N/{LINK,write_protect}}

Source: Linux drivers/target/target_core_configfs.c, iscsi/iscsi_target_configfs.c; recorded with 6.1. The files are no documented
interface. `auth/password` is clear text for root, and never read: the kernel refuses an initiator's login unless user name and
password are both set, so that the user name tells enough. What goes while we look is left out, as if it had gone before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.lio import LioAcl, LioBackstore, LioLun, LioMapping, LioState, LioTarget
from sctune.model.target import Nexus
from sctune.probes.lio import parse_portal
from sctune.probes.lio_text import (
    parse_buffered,
    parse_device,
    parse_file,
    parse_flag,
    parse_guests,
    parse_node,
    parse_number,
    parse_read_only,
    parse_serial,
    parse_session,
    parse_status,
)
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sctune.host.base import FileStat, Host

FABRIC = "/sys/kernel/config/target/iscsi"
CORE = "/sys/kernel/config/target/core"
_DEVICES = "/sys/dev/block"
_ON_PATHS = ("iblock", "fileio")
_PLUGINS = frozenset({"iblock", "fileio", "pscsi", "rd_mcp", "user"})


# Beside the link there are folders and files of the kernel's own in the folder of a LUN.
_NO_LINKS = ("statistics", "write_protect", "alua_tg_pt_gp", "alua_tg_pt_offline", "alua_tg_pt_status", "alua_tg_pt_write_md")


class _Blind(Exception):
    """A folder or file that is there and cannot be read."""

    def __init__(self, why: Unavailable) -> None:
        self.why = why


def probe(host: Host, *, lio: tuple[str, ...] | Unavailable) -> LioState | Unavailable:
    """Targets and backstores. Absent where the module of the iSCSI target is not loaded."""
    if isinstance(lio, Unavailable):
        return lio
    look = _Look(host)
    try:
        backstores = {store.key: store for store in look.backstores()}
        targets = tuple(target for iqn in lio for target in look.targets(iqn, backstores))
    except _Blind as blind:
        return blind.why
    return LioState(targets=targets, backstores=tuple(backstores.values()))


class _Look:
    """One look at configfs. What is absent is "" or (); anything else that cannot be read ends the look."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def backstores(self) -> tuple[LioBackstore, ...]:
        """All backstores, with stat(2) of what they were given, asked for at once: a file may lie on a dead mount."""
        found = [
            self._backstore(plugin, int(hba), name)
            for folder in self._names(CORE)
            for plugin, _, hba in [folder.rpartition("_")]
            if plugin in _PLUGINS and hba.isascii() and hba.isdecimal() and len(hba) < _DIGITS
            for name in self._names(f"{CORE}/{folder}")
            if name not in _HBA_FILES
        ]
        paths = tuple(dict.fromkeys(store.path for store in found if store.plugin in _ON_PATHS and store.path.startswith("/")))
        stats = dict(zip(paths, self._host.stat_files(paths), strict=True)) if paths else {}
        return tuple(self._found(store, stats.get(store.path)) if store.plugin in _ON_PATHS else store for store in found)

    def _found(self, store: LioBackstore, stat: FileStat | Unavailable | None) -> LioBackstore:
        """A backstore with what lies at its path; where udev lost that, with whether the kernel has the device."""
        gone = isinstance(stat, Unavailable) and stat.reason is Reason.ABSENT
        if not gone or store.device is None:
            return replace(store, stat=stat)
        link = self._host.readlink(f"{_DEVICES}/{store.device[0]}:{store.device[1]}")
        unseen = isinstance(link, Unavailable) and link.reason is not Reason.ABSENT
        return replace(store, stat=stat, present=None if unseen else not isinstance(link, Unavailable))

    def _backstore(self, plugin: str, hba: int, name: str) -> LioBackstore:
        folder = f"{CORE}/{plugin}_{hba}/{name}"
        info = self._text(f"{folder}/info")
        enabled = parse_flag(self._text(f"{folder}/enable"))
        file = parse_file(info) if plugin == "fileio" else None
        return LioBackstore(
            plugin=plugin,
            hba=hba,
            name=name,
            # The file says since 3.10 whether it is configured; `info` says so wherever there is one.
            enabled=parse_status(info) if enabled is None else enabled,
            path=file[0] if file else self._text(f"{folder}/udev_path").strip("\n") or parse_node(info),
            device=parse_device(info),
            size=file[1] if file else None,
            read_only=parse_read_only(info),
            write_back=parse_flag(self._text(f"{folder}/attrib/emulate_write_cache")),
            buffered=parse_buffered(info) if plugin == "fileio" else None,
            block_size=parse_number(self._text(f"{folder}/attrib/block_size")),
            hw_block_size=parse_number(self._text(f"{folder}/attrib/hw_block_size")),
            serial=parse_serial(self._text(f"{folder}/wwn/vpd_unit_serial")),
        )

    def targets(self, iqn: str, backstores: Mapping[str, LioBackstore]) -> Iterator[LioTarget]:
        """The portal groups of one target."""
        for name in self._names(f"{FABRIC}/{iqn}"):
            tag = _number_of(name, "tpgt_")
            if tag is not None:
                yield self._target(iqn, tag, backstores)

    def _target(self, iqn: str, tag: int, backstores: Mapping[str, LioBackstore]) -> LioTarget:
        folder = f"{FABRIC}/{iqn}/tpgt_{tag}"
        acls = tuple(self._acl(f"{folder}/acls/{name}", name) for name in self._names(f"{folder}/acls"))
        known = {acl.initiator.casefold() for acl in acls}
        dynamic = parse_guests(self._text(f"{folder}/dynamic_sessions"))
        portals = (parse_portal(iqn, name) for name in self._names(f"{folder}/np"))
        return LioTarget(
            iqn=iqn,
            tag=tag,
            enabled=parse_flag(self._text(f"{folder}/enable")),
            authentication=parse_flag(self._text(f"{folder}/attrib/authentication")),
            generate_acls=parse_flag(self._text(f"{folder}/attrib/generate_node_acls")),
            demo_write_protect=parse_flag(self._text(f"{folder}/attrib/demo_mode_write_protect")),
            account=self._account(folder),
            portals=tuple(portal for portal in portals if portal is not None),
            luns=tuple(
                LioLun(number=number, backstore=backstores.get(self._led_to(f"{folder}/lun/lun_{number}")))
                for number in self._numbers(f"{folder}/lun")
            ),
            acls=acls,
            guests=tuple(
                Nexus(sid=None, initiator=name, alias="", connections=()) for name in dynamic if name.casefold() not in known
            ),
        )

    def _acl(self, folder: str, initiator: str) -> LioAcl:
        return LioAcl(
            initiator=initiator,
            account=self._account(folder),
            mappings=tuple(
                LioMapping(
                    number=number,
                    lun=_number_of(self._led_to(f"{folder}/lun_{number}").rpartition("/")[2], "lun_"),
                    write_protect=parse_flag(self._text(f"{folder}/lun_{number}/write_protect")),
                )
                for number in self._numbers(folder)
            ),
            session=parse_session(self._text(f"{folder}/info")),
        )

    def _account(self, folder: str) -> str:
        return self._text(f"{folder}/auth/userid").strip("\n")

    def _numbers(self, folder: str) -> list[int]:
        return sorted(number for name in self._names(folder) if (number := _number_of(name, "lun_")) is not None)

    def _led_to(self, folder: str) -> str:
        """The last two names of what the link in the folder of a LUN leads to, "" where there is no link."""
        for name in self._names(folder):
            if name in _NO_LINKS:
                continue
            answer = self._host.readlink(f"{folder}/{name}")
            if not isinstance(answer, Unavailable):
                return "/".join(answer.split("/")[-2:])
            if answer.reason not in _NOTHING:
                raise _Blind(answer)
        return ""

    def _names(self, path: str) -> tuple[str, ...]:
        answer = self._host.list(path)
        if not isinstance(answer, Unavailable):
            return answer
        if answer.reason is Reason.ABSENT:
            return ()
        raise _Blind(answer)

    def _text(self, path: str) -> str:
        answer = self._host.read(path)
        if not isinstance(answer, Unavailable):
            return answer
        if answer.reason in _NOTHING:
            return ""
        raise _Blind(answer)


_DIGITS = 9
_HBA_FILES = ("hba_info", "hba_mode")
# FAILED: a file that this kernel has and does not answer now, as `info` of a session that ends in this moment.
_NOTHING = (Reason.ABSENT, Reason.FAILED)


def _number_of(name: str, prefix: str) -> int | None:
    digits = name.removeprefix(prefix)
    return int(digits) if name.startswith(prefix) and digits.isascii() and digits.isdecimal() and len(digits) < _DIGITS else None
