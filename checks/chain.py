"""VOLUME_CHAIN_BROKEN: an exported volume whose chain lacks a link, where nothing more telling says why; and up to Eucalyptus 3.1
one that is attached to no loop device."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sctune.backends.base import FileRole
from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.cloud_files import in_the_making, written_by_copy
from sctune.findings import Code, Finding, Risk, Severity, evidence
from sctune.lvm_view import of_errors
from sctune.model.volume import VolumeState
from sctune.unavailable import Reason, Unavailable, need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.inventory import Inventory
    from sctune.model.chain import Chain
    from sctune.model.store import StoreFile

_ON_LOOPS = "eucalyptus-overlay"
_STARTING_SECONDS = 600.0
"""After the boot: until the storage controller has attached all its volumes."""

VOLUME_CHAIN_BROKEN = Code(
    code="VOLUME_CHAIN_BROKEN",
    severities=(Severity.CRITICAL,),
    title="A link of an exported volume's chain is missing",
    meaning="A target offers the volume to initiators, but one of the layers that should lie under it (backing file, loop device, "
    "logical volume and its device) is not there or cannot be matched to it. The evidence names the layer. Or nothing offers it "
    "and it has no loop device, though its cloud (Eucalyptus up to 3.1) keeps one for every volume.",
    why="Reads and writes of the guest that uses the volume fail or hang, or they reach something other than the volume's file, "
    "and the next detach, snapshot or restart makes the data unreachable.",
    thresholds="Any missing layer of an exported volume that a cloud made, seen in two looks half a second apart, and only where "
    "no other warning about the same volume explains it. On a host whose version file tells Eucalyptus 3.1 or before, also a "
    "volume's file without a loop device, from 10 min after the boot on, unless a copy writes it or it was written within "
    "thresholds.file_settled_seconds (10 min).",
    see=("losetup --list", "pvs -o pv_name,pv_uuid,vg_name", "lvs -a -o +devices", "tgtadm --lld iscsi --mode target --op show"),
    remedy="Find out what took the layer away before anything is restarted; put it back from the bottom up: loop device, "
    "volume group, target.",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus, OverlayManager.java (exportVolume): file, loop device, VG and LV, target are made in this "
    "order; createVolume and reload of 3.0.1 and 3.1.2",
    confirm=True,
    last_resort=True,
    volume=VolumeState.BROKEN,
)


def run(look: Look) -> Result:
    """Looks at every exported volume whose backend builds it on a file."""
    inventory = look.inventory
    chains = need(inventory.chains)
    kept = [chain for chain in chains.chains if chain.ours and not chain.exports and chain.backend.always_attached and chain.file]
    if not kept:
        need(inventory.tgt)
    exported = [chain for chain in chains.chains if chain.ours and chain.exports]
    if not exported and not kept:
        return not_applicable("no volume of a cloud is exported here")
    blind = _blind(inventory, exported)
    findings: list[Finding] = []
    for chain in exported:
        layer = missing_layer(chain, blind)
        if layer is not None:
            findings.append(_finding(chain, *layer))
    if "loop" not in blind:
        findings += [_unattached(chain, chain.file) for chain in kept if chain.file is not None and _left_alone(chain, inventory)]
    return Result(
        examined=len(exported) + len(kept),
        findings=tuple(findings),
        unexamined=tuple(Unexamined.of(part) for part in blind.values()),
    )


def _left_alone(chain: Chain, inventory: Inventory) -> bool:
    """Whether the volume has no loop device, and nobody is just about to give it one."""
    if chain.loops or chain.file is None or inventory.clock.boot < _STARTING_SECONDS:
        return False
    copies = need(inventory.processes).copies
    return not in_the_making(chain.file, inventory) and chain.file.name not in written_by_copy(copies)


def _unattached(chain: Chain, file: StoreFile) -> Finding:
    return VOLUME_CHAIN_BROKEN.found(
        chain.subject,
        f"{chain.id} has no loop device, and {chain.backend.name} {chain.backend.era} keeps one for every volume",
        evidence(
            source="sysfs and the volume store",
            layer="loop device",
            seen=f"{file.path} is attached to no loop device",
            target=None,
            lun=None,
            sessions=0,
        ),
        commands=("losetup -a", f"ls -l {shlex.quote(file.path)}"),
        remedy="Restart the storage controller's service, which attaches and exports all its volumes when it starts; its log says "
        "which it could not. A file of a volume that the cloud does not know (euca-describe-volumes) was left by a deletion.",
    )


def _blind(inventory: Inventory, exported: Iterable[Chain]) -> dict[str, Unavailable]:
    """The layers that could not be looked at, and why: nothing is missing where nobody looked."""
    parts: dict[str, object] = {"lv": inventory.lvm, "loop": inventory.loops, "file": inventory.stores}
    blind = {layer: part for layer, part in parts.items() if isinstance(part, Unavailable)}
    lvm = inventory.lvm
    if not isinstance(lvm, Unavailable) and _may_be_hidden(exported, lvm.excluded):
        detail = f"LVM was kept away from devices that may hang: {', '.join(lvm.excluded)}"
        blind["lv"] = Unavailable(reason=Reason.TIMEOUT, what="logical volumes", detail=detail)
    return blind


def _may_be_hidden(exported: Iterable[Chain], excluded: Iterable[str]) -> bool:
    """Whether an LV that is not in LVM's report may lie on a device that LVM was kept away from: an overlay's LVs lie on loop
    devices, others on any disk."""
    loops = any(name.startswith("loop") for name in excluded)
    disks = any(not name.startswith("loop") for name in excluded)
    return loops or (disks and any(chain.lv is None and chain.backend.name != _ON_LOOPS for chain in exported))


def missing_layer(chain: Chain, blind: dict[str, Unavailable]) -> tuple[str, str] | None:
    """The topmost layer that is missing, and in words what was looked for; None for a whole chain."""
    paths = [export.lun.backing_path for export in chain.exports]
    if not any(path.startswith("/dev/") and not path.startswith("/dev/loop") for path in paths):
        return None  # a file or a loop device served as it is: nothing else is meant to lie between
    if chain.lv is None:
        if "lv" in blind:
            return None
        if chain.backend.name == _ON_LOOPS and not chain.loops and chain.file is not None and "loop" not in blind:
            # LVM sees no LV because nothing shows it the PV: it is the loop device that has to be put back.
            return "loop device", f"{chain.file.path} is attached to no loop device"
        return "logical volume", f"no LV behind {chain.exports[0].lun.backing_path}"
    if chain.dm is not None and of_errors(chain.dm) and "error" not in chain.lv.segment_types:
        return "device", f"{chain.dm.kernel_name} ({chain.dm.name}) has a table of errors in place of {chain.lv.full_name}"
    if chain.backend.name != _ON_LOOPS or "loop" in blind or "lv" in blind:
        return None
    if not chain.loops:
        where = ", ".join(pv.path for pv in chain.pvs) or "no physical volume that LVM can see"
        return "loop device", f"{chain.lv.full_name} lies on {where}, not on a loop device"
    for loop in chain.loops:
        told = chain.backend.file_name(loop.backing_file.rpartition("/")[2])
        if told.role is FileRole.VOLUME and told.id != chain.id:
            return (
                "backing file",
                f"{chain.lv.full_name} lies on /dev/{loop.name}, whose file is {loop.backing_file}: another volume's",
            )
    if chain.file is None and "file" not in blind:
        loop = chain.loops[0]
        if not loop.deleted and isinstance(loop.backing, Unavailable) and loop.backing.reason is Reason.ABSENT:
            return "backing file", f"/dev/{loop.name} says its file is {loop.backing_file}, and nothing has that name"
    return None


def _finding(chain: Chain, layer: str, seen: str) -> Finding:
    export = chain.exports[0]
    return VOLUME_CHAIN_BROKEN.found(
        chain.subject,
        f"{chain.id} is exported, but its {layer} is missing",
        evidence(
            source="sysfs, LVM report and tgtd joined",
            layer=layer,
            seen=seen,
            target=export.target.iqn,
            lun=export.lun.number,
            sessions=len(export.nexuses),
        ),
        commands=(
            "losetup --list",
            "lvs -a -o +devices",
            f"ls -l {shlex.quote(export.lun.backing_path)}",
        ),
    )


CHECKS = (
    Check(
        name="volume-chain",
        title="Chains of exported volumes",
        codes=(VOLUME_CHAIN_BROKEN,),
        needs=("chains", "tgt", "lvm", "loops", "stores", "processes"),
        run=run,
    ),
)
