"""The files of a cloud's volumes: whether they are as long as that cloud makes them."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.backends.base import FileRole
from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.cloud_files import CloudFile, backends_of, cloud_files, in_the_making, loops_by_file, written_by_copy
from sctune.findings import Cause, Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.units import SECTOR, size_words
from sctune.model.volume import VolumeState
from sctune.unavailable import known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain
    from sctune.model.loop import LoopDevice

_CUT_UNDER_LOOP = "LOOP_SIZE_MISMATCH"

SIZE_INVALID = Code(
    code="VOLUME_SIZE_INVALID",
    severities=(Severity.WARNING,),
    title="The file of a volume is not as long as the cloud makes it",
    meaning="Eucalyptus' overlay makes the file of a volume of N GiB exactly N GiB + 4 MiB long; this one is not.",
    why="It was cut (a copy or a restore that ended early, a full file system, a slip of truncate) or it is no volume. LVM refuses "
    "to activate an LV that is larger than what it lies on, or the end of the guest's disk reads as an error. A volume made from a "
    "snapshot that was cut is too short as well.",
    thresholds="Length - 4 MiB is no multiple of 1 GiB. Only files named as a volume's on a host of Eucalyptus' overlay. Not while "
    "dd, gunzip or tar writes the file, nor, of a file that no loop device stands on, before nothing has been written to it for "
    "thresholds.file_settled_seconds (10 min).",
    see=("stat --format '%s %n' FOLDER/vol-*", "pvs --units b --options pv_name,pv_size,dev_size,vg_name"),
    remedy="Compare with the size the cloud knows (euca-describe-volumes). If the file was cut, take the volume from a backup or a "
    "snapshot: lengthening the file lets LVM activate it, but what was cut off stays lost (zeros).",
    risk=Risk.SAFE,
    source="eucalyptus/eucalyptus OverlayManager.java, createVolume, LVM_HEADER_LENGTH (2.0 to 4.4)",
    confirm=True,
    volume=VolumeState.DEGRADED,
)


def _run(look: Look) -> Result:
    inventory = look.inventory
    backends = backends_of(inventory)
    if not any(backend.file_sizes and backend.file_sizes.volume_extra is not None for backend in backends):
        return not_applicable("no cloud keeps its volumes in files on this host")
    need(inventory.stores)
    found = cloud_files(inventory, backends)
    volumes = found.of(FileRole.VOLUME)
    if not volumes and not found.unread:
        return not_applicable("no file of a volume is on this host")
    state = known(inventory.loops)
    attached = loops_by_file(state.devices) if state else {}
    chains = known(inventory.chains)
    owners = {chain.id: chain for chain in chains.chains if chain.ours} if chains else {}
    findings: list[Finding] = []
    unexamined = [Unexamined.of(answer) for answer in found.unread]
    examined = 0
    for one in volumes:
        sizes = one.backend.file_sizes
        if sizes is None or sizes.fits_volume(one.file.apparent):
            examined += sizes is not None
            continue
        processes = need(inventory.processes)  # without it a file that grows cannot be told from one that was cut
        loop = attached.get((one.file.device, one.file.inode))
        if one.file.name in written_by_copy(processes.copies) or (loop is None and in_the_making(one.file, inventory)):
            continue
        examined += 1
        findings.append(_finding(one, loop, owners.get(one.id), inventory))
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _finding(one: CloudFile, loop: LoopDevice | None, chain: Chain | None, inventory: Inventory) -> Finding:
    sizes = one.backend.file_sizes
    unit, extra = (sizes.unit, sizes.volume_extra or 0) if sizes else (1, 0)
    file = one.file
    lv = chain.lv if chain is not None else None
    # To the next whole volume, or to what its LV says it is.
    volume = lv.size if lv is not None else max(1, -(-(file.apparent - extra) // unit)) * unit
    subject = Subject(kind=SubjectKind.VOLUME, id=one.id)
    path = quote(file.path)
    changed_under_it = loop is not None and loop.size != file.apparent // SECTOR * SECTOR
    return SIZE_INVALID.found(
        subject,
        f"The file of {one.id} has {file.apparent} bytes ({size_words(file.apparent)}): no whole number of GiB and 4 MiB",
        evidence(
            file=file.path,
            size=file.apparent,
            should_be=volume + extra,
            volume_size=lv.size if lv is not None else None,
            attached_to=f"/dev/{loop.name}" if loop is not None else None,
            last_written_seconds_ago=round(inventory.clock.now - file.mtime),
            source="stat(2)",
        ),
        commands=(
            f"stat --format '%s %y %n' {path}",
            *((f"truncate --no-create --size={volume + extra} {path}",) if file.apparent < volume + extra else ()),
        ),
        caused_by=Cause(code=_CUT_UNDER_LOOP, subject=subject) if changed_under_it else None,
    )


CHECKS = (
    Check(
        name="volume-files",
        title="Lengths of volumes' files",
        codes=(SIZE_INVALID,),
        needs=("stores", "loops", "chains", "lvm", "cloud", "processes"),
        run=_run,
    ),
)
