"""Cinder's volumes three ways: LVs, the files it keeps for tgt in volumes_dir, and what tgtd serves; and LVs against LIO."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.backends.choose import CINDER
from sctune.both_targets import both
from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.cinder_lio import DRIFT_CODE, lio_volumes, without_lv
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.records import dataclass, field
from sctune.tgt_process import tgtadm
from sctune.tgt_state import down, runs
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.cinder_lio import LioVolume
    from sctune.inventory import Inventory
    from sctune.model.cinder import Cinder
    from sctune.model.lvm import LvmReport
    from sctune.model.target import PersistedTarget, Target

DRIFT = Code(
    code=DRIFT_CODE,
    severities=(Severity.WARNING,),
    title="Cinder's volumes and the targets made for them disagree",
    meaning="Cinder's LVM driver writes a file into volumes_dir for each volume it exports, has tgt-admin make a target of it, and "
    "takes both away when the volume is detached. Here one of the three is without the others: a file without its LV, a file that "
    "tgtd serves nothing of, a target without a file, two files with one SCSI ID, or targets.conf includes none of the files. "
    "Of LIO: a target, running or in saveconfig.json, without its LV, or a storage object that no target serves.",
    why="After the next restart of tgtd a target without a file (or all of them, without the include) is gone under the instances "
    "that use it. A file that is not served is a volume that cannot be attached; one without an LV stands in the way of tgt-admin, "
    "and of a volume of that name. Initiators with multipath take two disks with one SCSI ID for one disk and mix the volumes up. "
    "LIO's storage object holds its LV open: the volume cannot be deleted; nor attached, as cinder-rtstool takes a target for made "
    "where its storage object is. What is saved without its LV is left out at every boot.",
    thresholds="Any difference, seen twice. Compared: volume-UUID files of volumes_dir (of cinder.conf, and of the usual places), "
    "targets named for volumes on tgt's control port 0, LVs volume-UUID; LIO's targets and storage objects of such names. Not "
    "judged: a volume with neither file nor target, which is detached; a target with LUN 0 alone (TARGET_LUN_MISSING); other "
    "differences between file and target (TARGET_CONFIG_DRIFT); "
    "running against saved targets of LIO (TARGET_CONFIG_DRIFT), and what has no LV while LVM is kept away from a device, or while "
    "a device lies where the storage object says.",
    see=(
        "ls /var/lib/cinder/volumes; lvs --noheadings -o lv_full_name | grep volume-",
        "tgtadm --lld iscsi --mode target --op show | grep ^Target",
        "grep -rn include /etc/tgt    # include /var/lib/cinder/volumes/*",
        "ls -d /sys/kernel/config/target/iscsi/*:volume-* /sys/kernel/config/target/core/*/*:volume-*",
    ),
    remedy="Ask the API what the volume's state is meant to be. A file that is not served is made a target by tgt-admin --update; "
    "of a volume in use cinder-volume writes the file anew when it starts; file and target of a volume that exists no more are "
    "removed. Of LIO, delete target and storage object of what exists no more, and save.",
    risk=Risk.SAFE,
    source="cinder volume/targets/tgt.py (create_iscsi_target, remove_iscsi_target; LP 1398078, 1304122, 1305343), "
    "volume/manager.py, cmd/rtstool.py; Cinder administrator guide, troubleshooting (include in targets.conf); tgt-admin(8)",
    confirm=True,
)


@dataclass(slots=True, kw_only=True)
class _Volume:
    """What is known of one volume. `files` are the blocks that configure its target, in volumes_dir or elsewhere."""

    id: str
    files: list[PersistedTarget] = field(default_factory=list)
    target: Target | None = None
    problems: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


def _tgt(look: Look) -> Result:
    inventory = look.inventory
    cinder = inventory.cinder
    if not _is_here(inventory):
        return not_applicable("nothing of Cinder's LVM driver is on this host")
    sight = _Sight(inventory)
    volumes = _volumes(inventory, known(cinder))
    if not volumes and not sight.unexamined:
        return not_applicable("tgt has no volume of Cinder to serve")
    for volume in volumes.values():
        sight.judge(volume)
    _same_ids(volumes.values())
    findings = [_finding(inventory, volume) for volume in volumes.values() if volume.problems]
    findings += _not_included(inventory, known(cinder))
    return Result(examined=len(volumes), findings=tuple(findings), unexamined=sight.unexamined)


def _is_here(inventory: Inventory) -> bool:
    """Whether anything shows that Cinder's volumes are served here. That one of the usual folders may not be looked into (docker's
    are root's alone), or was not when a host was recorded, shows nothing."""
    chains, tgt, cinder = need(inventory.chains), known(inventory.tgt), inventory.cinder
    if any(chain.ours and chain.backend.name == CINDER.name for chain in chains.chains):
        return True
    if any(CINDER.is_target(target.iqn) for target in (tgt.targets if tgt else ())):
        return True
    if isinstance(cinder, Unavailable):
        return False
    unread = any(item.reason is not Reason.NOT_COLLECTED for item in cinder.unread)
    return bool(cinder.backends) or unread or any(known(folder.files) for folder in cinder.folders)


def _volumes(inventory: Inventory, cinder: Cinder | None) -> dict[str, _Volume]:
    """Every volume that has a file or a target, by its uuid."""
    found: dict[str, _Volume] = {}
    seen: set[tuple[str, str]] = set()
    configuration = known(inventory.tgt_configuration)
    folders = cinder.folders if cinder is not None else ()
    files = [file for folder in folders for file in known(folder.files) or ()]
    blocks = [*(target for file in files for target in file.targets), *(configuration.targets if configuration else ())]
    for block in blocks:
        name = CINDER.target_volume(block.iqn)
        if name and (block.file, block.iqn) not in seen:
            seen.add((block.file, block.iqn))
            found.setdefault(name, _Volume(id=name)).files.append(block)
    tgt = known(inventory.tgt)
    for daemon in tgt.daemons if tgt else ():
        for target in daemon.targets if daemon.control_port == 0 else ():
            if name := CINDER.target_volume(target.iqn):
                found.setdefault(name, _Volume(id=name)).target = target
    return dict(sorted(found.items()))


class _Sight:
    """What of the three could be looked at: a difference is one only where both sides could."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        gaps: list[Unavailable] = []
        cinder, tgt, configuration = inventory.cinder, inventory.tgt, inventory.tgt_configuration
        if isinstance(cinder, Unavailable):
            gaps += [cinder] if cinder.reason is not Reason.ABSENT else []
        else:
            gaps += cinder.unread
            for folder in cinder.folders:
                gaps += [folder.files] if isinstance(folder.files, Unavailable) else folder.unread
        if isinstance(configuration, Unavailable):
            gaps += [configuration] if configuration.reason is not Reason.ABSENT else []
        else:
            detail = "part of tgt's configuration, and could not be read"
            gaps += [Unavailable(reason=Reason.FAILED, what=file, detail=detail) for file in configuration.unread]
        self.all_files = not gaps
        unanswered = [tgt] if isinstance(tgt, Unavailable) and tgt.reason is not Reason.ABSENT else []
        unanswered += [] if isinstance(tgt, Unavailable) else tgt.unanswered
        self.all_targets = not unanswered and not isinstance(runs(inventory), Unavailable)
        self.lvm: LvmReport | None = known(inventory.lvm)
        lvm = [inventory.lvm] if isinstance(inventory.lvm, Unavailable) and inventory.lvm.reason is not Reason.ABSENT else []
        self.lvs = {lv.name for lv in self.lvm.logical_volumes} if self.lvm else set()
        # Only where there is anything of Cinder's to be told.
        self.unexamined = tuple(dict.fromkeys(Unexamined.of(item) for item in (*gaps, *unanswered, *lvm)))

    def judge(self, volume: _Volume) -> None:
        """Notes what is wrong with one volume."""
        target, files = volume.target, volume.files
        if files and self.lvm is not None and not self.lvm.excluded and f"volume-{volume.id}" not in self.lvs:
            volume.problems.append(f"{files[0].file} is there, and no LV volume-{volume.id}")
            volume.commands += [f"openstack volume show {volume.id}    # is it meant to be there?"]
            volume.commands += [f"tgt-admin --delete {quote(files[0].iqn)}    # if not"] if target is not None else []
            volume.commands += [f"rm {quote(files[0].file)}    # if not"]
        elif files and target is None and self.all_targets:
            volume.problems.append(f"{files[0].file} is there, and tgtd serves no such target")
            volume.commands.append(f"tgt-admin --update {quote(files[0].iqn)}")
        if target is not None and not files and self.all_files:
            volume.problems.append("tgtd serves it, and no file configures it")
            volume.commands.append(f"openstack volume show {volume.id}    # in use, or left behind?")


def _same_ids(volumes: Iterable[_Volume]) -> None:
    """Notes at each volume whose SCSI ID another has, too, which."""
    owners: dict[str, dict[str, _Volume]] = {}
    for volume in volumes:
        for block in volume.files:
            for name in block.scsi_ids:
                owners.setdefault(name, {})[volume.id] = volume
    for name, same in owners.items():
        for volume in same.values() if len(same) > 1 else ():
            others = ", ".join(one for one in same if one != volume.id)
            volume.problems.append(f"its SCSI ID {name} is that of {others}, too")
            volume.commands.append(f"grep -l {quote(name)} {' '.join(quote(one.files[0].file) for one in same.values())}")


def _finding(inventory: Inventory, volume: _Volume) -> Finding:
    target = volume.target
    return DRIFT.found(
        Subject(kind=SubjectKind.VOLUME, id=volume.id),
        f"{volume.id}: {'; '.join(volume.problems)}",
        evidence(
            problems=tuple(volume.problems),
            files=tuple(dict.fromkeys(block.file for block in volume.files)),
            target=target.iqn if target is not None else None,
            sessions=len(target.nexuses) if target is not None else 0,
            source=f"volumes_dir, {tgtadm(0)} --mode target --op show, lvm fullreport",
        ),
        commands=tuple(dict.fromkeys(volume.commands)),
        caused_by=down(inventory) if target is None else None,
    )


def _not_included(inventory: Inventory, cinder: Cinder | None) -> list[Finding]:
    """Folders of which tgt's configuration includes nothing. Where tgt has none, it runs in a container, which has its own."""
    configuration = known(inventory.tgt_configuration)
    if configuration is None or cinder is None or configuration.unread:
        return []
    found = []
    for folder in cinder.folders:
        files = known(folder.files) or ()
        ours = [file for file in files if any(CINDER.is_target(target.iqn) for target in file.targets)]
        if not ours or any(file.path in configuration.files for file in ours):
            continue
        found.append(
            DRIFT.found(
                Subject(kind=SubjectKind.SETTING, id=f"include {folder.path}/*"),
                f"{configuration.files[0]} includes nothing of {folder.path}: tgtd, started again, has none of its {len(ours)} "
                "targets",
                evidence(files=len(ours), configuration=configuration.files, source="targets.conf and what it includes"),
                commands=(f"echo 'include {folder.path}/*' > /etc/tgt/conf.d/cinder.conf",),
            )
        )
    return found


def _lio(look: Look) -> Result:
    """LVs against what LIO serves and has saved."""
    inventory = look.inventory
    state, saved, lvm = inventory.lio_state, inventory.lio_saved, inventory.lvm
    volumes = lio_volumes(inventory)
    # A configuration that is not there restores nothing, and an absent LIO serves nothing.
    gaps = [item for item in (state, saved) if isinstance(item, Unavailable) and item.reason is not Reason.ABSENT]
    if not volumes and not (gaps and _named(inventory)):
        return not_applicable("LIO has no volume of Cinder")
    all_saved = not gaps
    if isinstance(lvm, Unavailable):
        gaps.append(lvm)
    lost = without_lv(inventory)
    findings = []
    for volume in volumes.values():
        problem = _lio_problem(volume, lost=volume.id in lost, all_saved=all_saved)
        if problem:
            findings.append(_lio_finding(inventory, volume, problem))
    return Result(examined=len(volumes), findings=tuple(findings), unexamined=tuple(map(Unexamined.of, gaps)))


def _named(inventory: Inventory) -> bool:
    """Whether LIO has a target of Cinder's, by the names of its targets, or Cinder is set to use it."""
    cinder = known(inventory.cinder)
    helpers = {backend.target_helper for backend in cinder.backends} if cinder else set()
    return any(map(CINDER.is_target, known(inventory.lio) or ())) or "lioadm" in helpers


def _lio_problem(volume: LioVolume, *, lost: bool, all_saved: bool) -> str:
    """What is wrong with one volume, "" for nothing."""
    where = [word for word, there in (("LIO", volume.served or volume.stores), ("saveconfig.json", volume.saved)) if there]
    where = where or ["saveconfig.json"]
    have = f"{' and '.join(where)} {'have' if len(where) > 1 else 'has'}"
    if lost:
        return (
            f"{have} its {'target' if volume.served or volume.saved else 'storage object'}, and there is no LV volume-{volume.id}"
        )
    if all_saved and volume.stores and not volume.served and not volume.saved:
        return f"{have} its storage object, which holds the LV open, and no target serves it"
    return ""


def _lio_finding(inventory: Inventory, volume: LioVolume, problem: str) -> Finding:
    saved = known(inventory.lio_saved)
    file = saved.file if saved else ""
    sessions = sum(len(target.nexuses) for target in volume.served)
    delete = [f"targetcli /iscsi delete {quote(volume.iqn)}    # if not"] if volume.served else []
    delete += [f"targetcli /backstores/block delete {quote(store.name)}    # if not" for store in volume.stores]
    return DRIFT.found(
        Subject(kind=SubjectKind.VOLUME, id=volume.id),
        f"{volume.id}: {problem}",
        evidence(
            problems=(problem,),
            served=bool(volume.served),
            saved_in=file if volume.saved or volume.saved_stores else None,
            storage_objects=tuple(store.key for store in volume.stores),
            sessions=sessions,
            source=f"/sys/kernel/config/target, {file or 'saveconfig.json'}, lvm fullreport",
        ),
        commands=(
            f"openstack volume show {volume.id}    # is it meant to be there?",
            *((f"cp -p {quote(file)} /root/",) if file else ()),
            *delete,
            "targetcli saveconfig    # writes what runs now: only where nothing else is missing (TARGET_CONFIG_DRIFT)",
        ),
        # Who is logged in loses its session.
        risk=Risk.DISRUPTIVE if sessions else None,
    )


CHECKS = (
    Check(
        name="cinder-targets",
        title="Cinder's volumes, files and targets",
        codes=(DRIFT,),
        needs=(
            "cinder",
            "chains",
            "tgt",
            "tgt_configuration",
            "lvm",
            "processes",
            "units",
            "lio",
            "lio_state",
            "lio_saved",
            "block",
        ),
        run=both(_tgt, _lio),
    ),
)
