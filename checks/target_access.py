"""Who may log in to a target."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.backends.choose import candidates
from sctune.both_targets import both, lio_of
from sctune.chain_lio import folder_of
from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Cause, Code, Risk, Severity, evidence
from sctune.tgt_process import tgtadm
from sctune.unavailable import known, need

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv6Address

    from sctune.check import Look
    from sctune.findings import Finding, Subject
    from sctune.inventory import Inventory
    from sctune.model.chain import AnyTarget, Chains
    from sctune.model.lio import LioTarget
    from sctune.model.target import Target, TgtDaemon

TARGET_OPEN_ACCESS = Code(
    code="TARGET_OPEN_ACCESS",
    severities=(Severity.WARNING, Severity.CRITICAL),
    title="Anybody may log in to a target",
    meaning="The target lets every address in (ACL ALL) and asks for no CHAP secret. tgt-admin binds ALL to every target of "
    "targets.conf that has no initiator-address, also to one that has an initiator-name. On LIO it is in demo mode "
    "(generate_node_acls=1) and does not authenticate (authentication=0).",
    why="Whoever reaches the portal can read and overwrite the volume, and can attach a disk that a guest uses and destroy its "
    "file system without any ill will. On a public address it is a matter of hours until somebody finds it.",
    thresholds="ACL ALL, no incoming CHAP account, and at least one disk: a warning; critical if a portal listens on a public "
    "address (one that ipaddress calls global), where a wildcard portal means all addresses of this host. No finding where all "
    "portals are bound to loopback: nobody else reaches them. A target without any ACL lets nobody in. Initiator names beside "
    "ALL restrict nothing since tgt 1.0.83, and names are claimed, not proved. LIO: the demo mode without authentication, on an "
    "enabled portal group with a LUN; by default such initiators may not write (demo_mode_write_protect=1), and read all. "
    "Firewalls are not seen.",
    see=(
        "tgtadm --lld iscsi --mode target --op show | grep -A9 'Account information'",
        "tgtadm --lld iscsi --mode portal --op show",
        "grep . /sys/kernel/config/target/iscsi/*/tpgt_*/attrib/{generate_node_acls,authentication,demo_mode_write_protect}",
        "iscsiadm -m discovery -t sendtargets -p ADDRESS   # from a host that should not see it",
    ),
    remedy="Bind a CHAP account or the addresses that need the target, then take ALL away. Sessions that exist stay; an "
    "initiator that is not allowed cannot log in again after its next interruption. Write the same to targets.conf where the "
    "target is configured there.",
    risk=Risk.DISRUPTIVE,
    source="tgtadm(8); tgt usr/iscsi/target.c (ip_acl, iqn_acl), usr/iscsi/iscsid.c (login_start), usr/iscsi/chap.c; "
    "tgt-admin(8), tried; Linux drivers/target/target_core_tpg.c (core_tpg_check_initiator_node_acl), tried with 6.1",
)

TARGET_CHAP_MISSING = Code(
    code="TARGET_CHAP_MISSING",
    severities=(Severity.WARNING,),
    title="A target that must ask for CHAP does not",
    meaning="Whoever made the target demands CHAP of its initiators, and no account is bound: Eucalyptus binds its account to "
    "every target before it lets initiators in; targets.conf, or the file that Cinder writes for the volume, has an incominguser. "
    "Of LIO: a target of Cinder's that does not authenticate (authentication=0), or that does, and has no account for an initiator "
    "of its ACLs.",
    why="The secret that every attached node holds protects nothing: who passes the ACL gets the disk without it. LIO, where it "
    "authenticates, refuses an initiator without an account: its session, once interrupted, does not come back.",
    thresholds="No incoming account, at least one disk and at least one entry in the ACL, on a target that Eucalyptus named or "
    "whose volume is its own, or whose block in targets.conf and what it includes has an incominguser. A target without an ACL "
    "lets nobody in and is one in the making. Seen twice. LIO: on an enabled portal group with a LUN, of a target or volume of "
    "Cinder's, authentication=0 with an ACL or in demo mode; or authentication=1 and an ACL without userid.",
    see=(
        "tgtadm --lld iscsi --mode target --op show | grep -A9 'Account information'",
        "tgtadm --lld iscsi --mode account --op show",
        "grep . /sys/kernel/config/target/iscsi/*/tpgt_*/{attrib/authentication,acls/*/auth/userid}",
    ),
    remedy="Bind the account again. Sessions that exist stay; the next login has to know the secret.",
    risk=Risk.DISRUPTIVE,
    source="eucalyptus TGTWrapper.java (bind account, then bind target); cinder volume/targets/iscsi.py (an account for every "
    "volume), cmd/rtstool.py; targets.conf(5), incominguser; tgtadm(8); Linux drivers/target/iscsi/iscsi_target_auth.c "
    "(chap_server_open)",
    # Cinder makes an initiator's ACL on a running target, and sets its account right after.
    confirm=True,
)

_EVERYBODY = frozenset({"ALL", "::/0", "[::]/0"})
"""ACL entries that match every address. 0.0.0.0/0 is none: tgt's mask for /0 comes out as /32 (usr/iscsi/target.c)."""


def tgt_access(look: Look) -> Result:
    """Targets that let everybody in."""
    inventory = look.inventory
    tgt = need(inventory.tgt)
    unexamined = tuple(Unexamined.of(item) for item in tgt.unanswered)
    if not tgt.targets:
        if unexamined:
            return Result(examined=0, unexamined=unexamined)
        return not_applicable("tgtd serves no target" if tgt.daemons else "no tgtd runs")
    chains = need(inventory.chains)
    addresses = known(inventory.addresses)
    findings: list[Finding] = []
    for daemon in tgt.daemons:
        reach = reachable(daemon, addresses)
        if reach == ():
            continue
        for target in daemon.targets:
            if is_open(target):
                findings.append(_open(inventory, daemon, target, reach, chains.subject_of_target(target)))
    return Result(examined=len(tgt.targets), findings=tuple(findings), unexamined=unexamined)


def lio_access(look: Look) -> Result:
    """Portal groups of LIO that let everybody in: demo mode without CHAP."""
    inventory = look.inventory
    lio = lio_of(look)
    if not lio.targets:
        return not_applicable("LIO serves no target")
    chains = need(inventory.chains)
    addresses = known(inventory.addresses)
    findings: list[Finding] = []
    for target in lio.targets:
        # Without a portal it listens nowhere.
        reach = reachable(target, addresses) if target.portals else ()
        if reach != () and is_demo(target):
            findings.append(_open_demo(target, reach, chains.subject_of_target(target)))
    return Result(examined=len(lio.targets), findings=tuple(findings))


def is_demo(target: LioTarget) -> bool:
    """Whether anybody may log in to a portal group, whatever he calls himself, and finds a disk."""
    open_to_all = target.generate_acls is True and target.authentication is False
    return open_to_all and target.enabled is not False and any(lun.online for lun in target.luns)


def _open_demo(target: LioTarget, reach: tuple[str, ...] | None, subject: Subject) -> Finding:
    exposed = public(reach)
    where = f"on the public address {exposed[0]}" if exposed else "from every address"
    folder = quote(folder_of(target))
    return TARGET_OPEN_ACCESS.found(
        subject,
        f"{target.iqn} lets anybody in {where}, without CHAP (demo mode)",
        evidence(
            portals=tuple(_portal(p.address, p.port) for p in target.portals),
            reachable_on=reach if reach is not None else "unknown",
            read_only=target.demo_write_protect,
            sessions=len(target.nexuses),
            source=f"{folder_of(target)}/attrib",
        ),
        severity=Severity.CRITICAL if exposed else Severity.WARNING,
        commands=(
            f"targetcli /iscsi/{quote(target.iqn)}/tpg{target.tag}/acls create INITIATOR    # of each that needs the target",
            f"echo 0 > {folder}/attrib/generate_node_acls",
            f"echo 1 > {folder}/attrib/authentication    # with auth/userid and auth/password of every ACL",
        ),
        remedy="Make an ACL for each initiator that needs the target, then take the demo mode away, and save the configuration. "
        "Sessions that exist stay; an initiator without an ACL cannot log in again after its next interruption.",
    )


def chap(look: Look) -> Result:
    """Targets without the account that their maker demands."""
    inventory = look.inventory
    tgt = need(inventory.tgt)
    unexamined = tuple(Unexamined.of(item) for item in tgt.unanswered)
    if not tgt.targets and not unexamined:
        return not_applicable("tgtd serves no target" if tgt.daemons else "no tgtd runs")
    chains = need(inventory.chains)
    configuration = known(inventory.tgt_configuration)
    files = {item.iqn: item.file for item in (configuration.targets if configuration else ()) if item.chap}
    addresses = known(inventory.addresses)
    examined = 0
    findings: list[Finding] = []
    for daemon in tgt.daemons:
        reach = reachable(daemon, addresses)
        for target in daemon.targets:
            demander = _demander(target, chains, files)
            if not demander:
                continue
            examined += 1
            if target.accounts or not target.disks or not target.acls:
                continue
            subject = chains.subject_of_target(target)
            opened = is_open(target) and reach != ()
            account = _CLOUD_ACCOUNT if _CLOUD_ACCOUNT in daemon.accounts and target.iqn not in files else "USER"
            command = f"{tgtadm(target.control_port)} --mode account --op bind --tid {target.tid} --user {account}"
            findings.append(
                TARGET_CHAP_MISSING.found(
                    subject,
                    f"{target.iqn} asks for no CHAP account, though {demander} demands one",
                    evidence(
                        acl=target.acls,
                        demanded_by=demander,
                        tid=target.tid,
                        sessions=len(target.nexuses),
                        source=f"{tgtadm(target.control_port)} --mode target --op show",
                    ),
                    commands=(command,),
                    caused_by=Cause(code=TARGET_OPEN_ACCESS.code, subject=subject) if opened else None,
                )
            )
    if not examined and not unexamined:
        return not_applicable("nothing says that any of the targets asks for CHAP")
    return Result(examined=examined, findings=tuple(findings), unexamined=unexamined)


def lio_chap(look: Look) -> Result:
    """The same of LIO: Cinder sets authentication=1 and an account in the ACL of every initiator."""
    inventory = look.inventory
    lio = lio_of(look)
    chains = need(inventory.chains)
    addresses = known(inventory.addresses)
    examined = 0
    findings: list[Finding] = []
    for target in lio.targets:
        demander = _demander(target, chains, {})
        if not demander:
            continue
        examined += 1
        if target.enabled is False or not any(lun.online for lun in target.luns):
            continue
        subject = chains.subject_of_target(target)
        folder = folder_of(target)
        without = tuple(acl.initiator for acl in target.acls if not acl.account)
        commands = tuple(
            f"printf %s USER > {quote(f'{folder}/acls/{name}/auth/userid')}    # and auth/password, as Cinder has them"
            for name in without
        )
        if target.authentication is False and (target.acls or target.generate_acls):
            words = f"{target.iqn} asks for no CHAP account, though {demander} demands one"
            commands = (*commands, f"echo 1 > {quote(folder)}/attrib/authentication")
        elif target.authentication and without:
            words = f"{target.iqn} has no CHAP account for {', '.join(without)}, and does not let it in"
        else:
            continue
        opened = is_demo(target) and bool(target.portals) and reachable(target, addresses) != ()
        findings.append(
            TARGET_CHAP_MISSING.found(
                subject,
                words,
                evidence(
                    acl=tuple(acl.initiator for acl in target.acls),
                    without_account=without,
                    authentication=target.authentication,
                    demo_mode=target.generate_acls,
                    demanded_by=demander,
                    sessions=len(target.nexuses),
                    source=f"{folder}/attrib, acls",
                ),
                commands=commands,
                remedy="Set account and authentication again, and save the configuration. Sessions that exist stay; the next login "
                "has to know the secret.",
                caused_by=Cause(code=TARGET_OPEN_ACCESS.code, subject=subject) if opened else None,
            )
        )
    if not examined:
        return not_applicable("nothing says that any of LIO's targets asks for CHAP")
    return Result(examined=examined, findings=tuple(findings))


def _demander(target: AnyTarget, chains: Chains, files: Mapping[str, str]) -> str:
    """Who demands CHAP on a target: a file, a cloud, or "" for nobody."""
    if target.iqn in files:
        return files[target.iqn]
    backends = [chain.backend for lun in target.disks if (chain := chains.by_export.get((target.iqn, lun.number))) and chain.ours]
    backends += [backend for backend in candidates(configured=None, cloud=None, lvs=()) if backend.is_target(target.iqn)]
    return next((backend.name for backend in backends if backend.demands_chap), "")


def is_open(target: Target) -> bool:
    """Whether anybody may log in and finds a disk."""
    return bool(target.disks) and not target.accounts and any(acl in _EVERYBODY for acl in target.acls)


def reachable(daemon: TgtDaemon | LioTarget, addresses: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The addresses other than loopback on which a daemon's portals can be reached, wildcards replaced by the host's own.
    (): loopback only. None: not known."""
    if not daemon.portals:
        return None
    found: dict[str, None] = {}
    for portal in daemon.portals:
        address = _ip(portal.address)
        if address is None or not (address.is_unspecified or address.is_loopback):
            found[portal.address] = None
        elif address.is_unspecified:
            if addresses is None:
                return None
            own = ((text, _ip(text)) for text in addresses)
            found.update((text, None) for text, ip in own if ip and ip.version == address.version and not ip.is_loopback)
    return tuple(found)


def public(reach: tuple[str, ...] | None) -> tuple[str, ...]:
    """Those of the addresses that the whole Internet may reach."""
    return tuple(text for text in reach or () if (address := _ip(text)) is not None and address.is_global)


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    from ipaddress import ip_address

    try:
        return ip_address(text)
    except ValueError:
        return None


def _open(inventory: Inventory, daemon: TgtDaemon, target: Target, reach: tuple[str, ...] | None, subject: Subject) -> Finding:
    exposed = public(reach)
    configuration = known(inventory.tgt_configuration)
    file = next((item.file for item in (configuration.targets if configuration else ()) if item.iqn == target.iqn), "")
    where = f"on the public address {exposed[0]}" if exposed else "from every address"
    return TARGET_OPEN_ACCESS.found(
        subject,
        f"{target.iqn} lets anybody in {where}, without CHAP",
        evidence(
            acl=target.acls,
            portals=tuple(_portal(p.address, p.port) for p in daemon.portals),
            reachable_on=reach if reach is not None else "unknown",
            tid=target.tid,
            sessions=len(target.nexuses),
            configured_in=file,
            source=f"{tgtadm(target.control_port)} --op show --mode target, --mode portal",
        ),
        severity=Severity.CRITICAL if exposed else Severity.WARNING,
        commands=tuple(_commands(daemon, target)),
    )


def _commands(daemon: TgtDaemon, target: Target) -> list[str]:
    """CHAP where the cloud's account is there and merely not bound; else the addresses that are logged in now instead of ALL."""
    command = tgtadm(target.control_port)
    if _CLOUD_ACCOUNT in daemon.accounts:
        return [f"{command} --mode account --op bind --tid {target.tid} --user {_CLOUD_ACCOUNT}"]
    peers = sorted({connection.address for nexus in target.nexuses for connection in nexus.connections})
    bind = [f"{command} --mode target --op bind --tid {target.tid} -I {quote(peer)}" for peer in peers] or [
        f"{command} --mode target --op bind --tid {target.tid} -I ADDRESS    # of each initiator that needs the target"
    ]
    unbind = [f"{command} --mode target --op unbind --tid {target.tid} -I {quote(acl)}" for acl in target.acls if acl in _EVERYBODY]
    return bind + unbind


_CLOUD_ACCOUNT = "eucalyptus"


def _portal(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


CHECKS: tuple[Check, ...] = (
    Check(
        name="target-access",
        title="Targets let in whom they should",
        codes=(TARGET_OPEN_ACCESS,),
        needs=("tgt", "chains", "addresses", "tgt_configuration", "lio_state"),
        run=both(tgt_access, lio_access),
    ),
    Check(
        name="target-chap",
        title="Targets ask for the account their maker demands",
        codes=(TARGET_CHAP_MISSING,),
        needs=("tgt", "chains", "addresses", "tgt_configuration", "lio_state"),
        run=both(chap, lio_chap),
    ),
)
