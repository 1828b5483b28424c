"""LIO's part of a chain as links: a portal group of a target, the LUN, who is logged in. Pure."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.model.tree import Layer, Link, Mark

if TYPE_CHECKING:
    from sctune.findings import Value
    from sctune.model.lio import LioLun, LioTarget
    from sctune.model.target import Nexus

FOLDER = "/sys/kernel/config/target"


def folder_of(target: LioTarget) -> str:
    """The folder of a portal group."""
    return f"{FOLDER}/iscsi/{target.iqn}/tpgt_{target.tag}"


def target_link(target: LioTarget, lun: LioLun, above: tuple[Link, ...]) -> Link:
    """A portal group of a target with one LUN on it, and on that who sees it."""
    folder = quote(folder_of(target))
    facts: dict[str, Value] = {
        "portal_group": target.tag,
        "state": target.state,
        "acl": tuple(acl.initiator for acl in target.acls),
        "accounts": tuple(dict.fromkeys(account for account in (target.account, *(acl.account for acl in target.acls)) if account)),
    }
    if target.generate_acls:
        facts["demo_mode"] = True
    off = target.enabled is False
    return Link(
        layer=Layer.TARGET,
        name=target.iqn,
        facts=tuple(facts.items()),
        source=f"{FOLDER}/iscsi",
        mark=Mark.BROKEN if off else Mark.FINE,
        note="disabled: nobody can log in" if off else "",
        see=(f"ls -l {folder}/lun/*", f"cat {folder}/acls/*/info"),
        above=(_lun(target, lun, above),),
    )


def _lun(target: LioTarget, lun: LioLun, above: tuple[Link, ...]) -> Link:
    facts: dict[str, Value] = {"backing_path": lun.backing_path, "backing_type": lun.backing_type, "read_only": lun.read_only}
    if lun.backstore is not None:
        facts["backstore"] = lun.backstore.key
    numbers = {mapping.number for acl in target.acls for mapping in acl.mappings if mapping.lun == lun.number} - {lun.number}
    if numbers:
        facts["mapped_as"] = tuple(map(str, sorted(numbers)))
    note = ""
    if not lun.online:
        note = "no backstore lies behind it" if lun.backstore is None else "its backstore is not enabled"
    return Link(
        layer=Layer.LUN,
        name=f"LUN {lun.number}",
        facts=tuple(facts.items()),
        source=FOLDER,
        mark=Mark.FINE if lun.online else Mark.BROKEN,
        note=note,
        above=tuple(_nexus(nexus) for nexus in target.nexuses_of(lun.number)) + above,
    )


def _nexus(nexus: Nexus) -> Link:
    addresses = tuple(connection.address for connection in nexus.connections)
    facts: dict[str, Value] = {"address": addresses or None, "sid": nexus.sid}
    return Link(layer=Layer.NEXUS, name=nexus.initiator, facts=tuple(facts.items()), source=f"{FOLDER}/iscsi")
