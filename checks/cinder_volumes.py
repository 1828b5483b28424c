"""Cinder's volumes by themselves: open although nothing serves them, wiped for long, and what the API has of them."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.backends.choose import CINDER
from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.units import duration_words
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.inventory import Inventory
    from sctune.model.chain import Chain
    from sctune.model.cinder import ApiVolume, ApiVolumes
    from sctune.model.process import Copy

OPEN = Code(
    code="CINDER_VOLUME_OPEN",
    severities=(Severity.INFO,),
    title="A volume's LV is open, and nothing is known to use it",
    meaning="Something on this host has the LV of a Cinder volume open, though no target serves it and no copy runs: a backup or "
    "an image being made (cinder-backup, qemu-img), or a process that was left behind.",
    why="While it is open the LV cannot be removed: deleting the volume fails (`LV is busy`, error_deleting).",
    thresholds="An LV volume-UUID that is open, exported by no target, with no dd on it and no device stacked on it, seen twice. "
    "tgt's and LIO's targets count, and LIO's storage objects (CINDER_TARGET_DRIFT). Not said where Cinder is set to use another "
    "target, as nvmet, which opens them in the kernel.",
    see=("lvs -o lv_full_name,lv_device_open", "fuser -v /dev/VG/volume-UUID", "pgrep -a 'qemu-img|cinder-backup'"),
    remedy="Nothing, if a backup or an image is being made of it. Otherwise find out who has it open and end that; then delete "
    "again.",
    risk=Risk.SAFE,
    source="cinder brick/local_dev/lvm.py (delete; LP 1270192), volume/drivers/lvm.py; lvs(8), lv_attr 6",
    confirm=True,
)
WIPE = Code(
    code="CINDER_WIPE_SLOW",
    severities=(Severity.INFO, Severity.WARNING),
    title="A deleted volume has been wiped for long",
    meaning="Cinder overwrites a thick volume with zeros before it removes its LV, with dd, and has been at it for long.",
    why="The volume stays in deleting and its space is not free until dd has ended, and dd writes as fast as the disks take it, "
    "to the cost of all other volumes. Several at a time slow each other down.",
    thresholds="Advice for each dd from /dev/zero to a volume (or the COW store of a snapshot) that has run for "
    "thresholds.wipe_seconds (1 h): info, or warning where the configuration lists CINDER_WIPE_SLOW under wanted.",
    see=("pgrep -a dd", "grep -e volume_clear -e lvm_type /etc/cinder/cinder.conf"),
    remedy="Wait. For the next ones: thin volumes need no wiping (lvm_type = thin); volume_clear_size bounds what is wiped (the "
    "first MiB hold the file system's heads, the rest stays readable to who gets the space next); volume_clear_ionice = -c3 lets "
    "others go first where the scheduler knows classes.",
    risk=Risk.SAFE,
    source="cinder volume/drivers/lvm.py (_clear_volume; LP 1191812), volume/volume_utils.py (clear_volume)",
    advice=True,
)
API = Code(
    code="CINDER_API_DRIFT",
    severities=(Severity.INFO, Severity.WARNING),
    title="Cinder's API and this host disagree about a volume",
    meaning="The recorded list of volumes lacks one whose LV is here, or has one in use that no initiator is logged in to here.",
    why="An LV that the API does not know takes space until somebody removes it by hand. A volume in use without a session is one "
    "whose instance has lost its disk, or whose detachment did not get to the end: it can neither be attached nor deleted.",
    thresholds="Only with `openstack_volumes:` in the configuration. Warning: an LV volume-UUID made before the list was recorded, "
    "and not in it. Info: in-use in the list, and no session: an instance that is shut off may have none. Not judged: "
    "volumes of the list that have no LV here, which may lie on any other host; sessions where not all of tgt and LIO could be "
    "looked at, or Cinder is set to use another target.",
    see=("openstack volume list --all-projects --long -f json", "openstack volume show UUID -c status -c attachments"),
    remedy="An LV that is in no list: make sure that the list had all projects (--all-projects), then remove it. In use "
    "without a session: look at the instance; where none has it, openstack volume set --state available --detached UUID.",
    risk=Risk.DISRUPTIVE,
    source="python-openstackclient, volume list; cinder volume/manager.py; nova virt/libvirt/volume/iscsi.py",
)
_ZERO = "/dev/zero"


def _cinder(inventory: Inventory) -> tuple[Chain, ...]:
    chains = need(inventory.chains)
    return tuple(c for c in chains.chains if c.ours and c.backend.name == CINDER.name and c.subject.kind is SubjectKind.VOLUME)


def _others_serve(inventory: Inventory) -> bool:
    """Whether something that is not looked at may have volumes open and serve them: nvmet, as a rule."""
    cinder = known(inventory.cinder)
    return bool({backend.target_helper for backend in cinder.backends} - {"tgtadm", "lioadm"}) if cinder else False


def _unseen_targets(inventory: Inventory) -> list[Unavailable]:
    """Why it is not known what tgt and LIO serve, or not all of it."""
    tgt, lio = inventory.tgt, inventory.lio_state
    found = [part for part in (tgt, lio) if isinstance(part, Unavailable) and part.reason is not Reason.ABSENT]
    return found + ([] if isinstance(tgt, Unavailable) else list(tgt.unanswered))


def _open(look: Look) -> Result:
    inventory = look.inventory
    volumes = [chain for chain in _cinder(inventory) if chain.lv is not None]
    if not volumes:
        return not_applicable("no volume of Cinder is on this host")
    if _others_serve(inventory):
        return not_applicable("another target than tgt and LIO may have volumes open")
    unseen = _unseen_targets(inventory)
    if unseen:
        return Result(examined=0, unexamined=tuple(Unexamined.of(item) for item in unseen))
    lio = known(inventory.lio_state)
    stored = {store.device for store in (lio.backstores if lio else ())}
    processes = need(inventory.processes)
    holders = {device.name: device.holders for device in need(inventory.devices)}
    findings = []
    for chain in volumes:
        lv = chain.lv
        if lv is None or not lv.open or chain.exports or chain.copies or processes.contained:
            continue
        if chain.dm is not None and holders.get(chain.dm.kernel_name):
            continue
        if lv.device is not None and lv.device in stored:
            continue
        findings.append(
            OPEN.found(
                chain.subject,
                f"{lv.full_name} is open, and nothing is known to use it",
                evidence(lv=lv.full_name, attr=lv.attr, source="lvm fullreport, tgtd, LIO, the process table"),
                commands=(f"fuser -v {quote(lv.dm_path or lv.path)}",),
            )
        )
    return Result(examined=len(volumes), findings=tuple(findings))


def _wiped(look: Look) -> Result:
    inventory = look.inventory
    volumes = _cinder(inventory)
    if not volumes:
        return not_applicable("no volume of Cinder is on this host")
    owners: dict[str, Subject] = {}
    for chain in volumes:
        if chain.lv is not None:
            owners |= dict.fromkeys((chain.lv.path, chain.lv.dm_path), chain.subject)
        for snapshot in chain.snapshots:
            # The snapshot itself would copy each block first: its COW store is wiped.
            paths = (snapshot.lv.path, snapshot.lv.dm_path, f"{snapshot.lv.dm_path}-cow")
            owners |= dict.fromkeys(paths, snapshot.subject)
    clock = inventory.clock
    wipes = [copy for copy in need(inventory.processes).copies if copy.source == _ZERO and copy.destination in owners]
    long = [copy for copy in wipes if clock.boot - copy.process.started >= look.config.thresholds.wipe_seconds]
    severity = Severity.WARNING if WIPE.code in look.config.wanted else Severity.INFO
    findings = [_wipe(copy, owners[copy.destination], clock.boot, len(wipes), severity) for copy in long]
    return Result(examined=len(volumes), findings=tuple(findings))


def _wipe(copy: Copy, subject: Subject, now: float, running: int, severity: Severity) -> Finding:
    age = now - copy.process.started
    return WIPE.found(
        subject,
        f"{copy.destination} has been wiped for {duration_words(age)}" + (f", one of {running} at a time" if running > 1 else ""),
        evidence(destination=copy.destination, seconds=round(age), running=running, source="the process table"),
        severity=severity,
        commands=(f"pgrep -a -f of={quote(copy.destination)}",),
    )


def _api(look: Look) -> Result:
    inventory = look.inventory
    recorded = need(inventory.openstack_volumes)
    if not recorded.source:
        return not_applicable("no list of the API's volumes is configured (openstack_volumes)")
    volumes = [chain for chain in _cinder(inventory) if chain.lv is not None]
    if not volumes:
        need(inventory.lvm)
        return not_applicable("no volume of Cinder is on this host")
    listed: Mapping[str, ApiVolume] = {volume.id: volume for volume in recorded.volumes}
    served = known(inventory.tgt) is not None or known(inventory.lio_state) is not None
    sessions_seen = served and not _unseen_targets(inventory) and not _others_serve(inventory)
    findings = []
    for chain in volumes:
        volume, lv = listed.get(chain.id), chain.lv
        made = lv.created if lv is not None else None
        if volume is None:
            if made is not None and made < recorded.recorded:
                findings.append(_unknown(chain, recorded))
        elif volume.status == "in-use" and sessions_seen and not any(export.nexuses for export in chain.exports):
            findings.append(_unused(chain, recorded))
    return Result(examined=len(volumes), findings=tuple(findings))


def _unknown(chain: Chain, recorded: ApiVolumes) -> Finding:
    name = chain.lv.full_name if chain.lv is not None else chain.id
    return API.found(
        chain.subject,
        f"{name} is in no list of the API's volumes",
        evidence(
            lv=name, listed=len(recorded.volumes), sessions=sum(len(one.nexuses) for one in chain.exports), source=recorded.source
        ),
        severity=Severity.WARNING,
        commands=(f"openstack volume show {chain.id}", f"lvremove {quote(name)}    # if the API has no such volume"),
    )


def _unused(chain: Chain, recorded: ApiVolumes) -> Finding:
    return API.found(
        chain.subject,
        f"{chain.id} is in use by the API's word, and no initiator is logged in to it",
        evidence(exported=bool(chain.exports), source=recorded.source),
        severity=Severity.INFO,
        commands=(f"openstack volume show {chain.id} -c status -c attachments",),
    )


CHECKS = (
    Check(
        name="cinder-open",
        title="Cinder's volumes are open for somebody",
        codes=(OPEN,),
        needs=("chains", "cinder", "tgt", "processes", "devices", "lio_state"),
        run=_open,
    ),
    Check(name="cinder-wipe", title="Wiping of Cinder's volumes", codes=(WIPE,), needs=("chains", "processes"), run=_wiped),
    Check(
        name="cinder-api",
        title="Cinder's volumes and its API",
        codes=(API,),
        needs=("chains", "openstack_volumes", "tgt", "lvm", "lio_state", "cinder"),
        run=_api,
    ),
)
