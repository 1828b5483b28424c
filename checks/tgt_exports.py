"""What a tgtd that ended took with it, and what hangs on one that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.chain_state import Unexported, unexported
from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Cause, Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.units import duration_words
from sctune.model.volume import VolumeState
from sctune.serving import need_sight_of_volumes
from sctune.tgt_process import daemon_subject, port_of_socket
from sctune.tgt_state import UNRESPONSIVE, demand, down, hanging, service_command
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.check import Look
    from sctune.findings import Finding
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain
    from sctune.model.process import Processes

TGT_EXPORT_LOST = Code(
    code="TGT_EXPORT_LOST",
    severities=(Severity.CRITICAL,),
    title="A volume's export was lost with the tgtd that made it",
    meaning="The volume is still attached and active as it was for its export, and no target serves it: the tgtd that did has "
    "ended. Its successor, if there is one, is younger than the volume's device.",
    why="Cloud systems that make targets with bare tgtadm write nothing to targets.conf: a restart of tgtd loses every export, "
    "and the cloud goes on calling the volume attached. The instance that uses it sees I/O errors or a read-only file system.",
    thresholds="A volume that a cloud made, its loop device and LV active, no LUN for it, no dd, gunzip or tar at work on it, "
    "and its LV activated before the oldest running tgtd started (boot clock: udev's record of the device against the process' "
    "start). With no tgtd at all, TGT_DOWN is the cause. An LV that is younger than tgtd is LOOP_LEAKED instead.",
    see=(
        "tgtadm --lld iscsi --mode target --op show",
        "ps -o pid,lstart,args -C tgtd",
        "grep I: /run/udev/data/b253:*   # microseconds since boot",
        "lvs -o vg_name,lv_name,lv_active",
    ),
    remedy="Restart the storage controller's service: Eucalyptus exports again what it holds to be attached, but only when it "
    "starts. Initiators log in again by themselves, as long as their replacement timeout has not passed. Do not detach the "
    "loop device: the volume is in use as far as the cloud knows.",
    risk=Risk.DISRUPTIVE,
    source="eucalyptus TGTWrapper.java, OverlayManager.java (checkVolumes); tgtd(8); udev's USEC_INITIALIZED",
    confirm=True,
    volume=VolumeState.BROKEN,
)

TGTADM_STUCK = Code(
    code="TGTADM_STUCK",
    severities=(Severity.WARNING,),
    title="tgtadm commands hang",
    meaning="Calls of tgtadm run far longer than any call takes: tgtd answers in milliseconds.",
    why="Somebody waits for each of them. Eucalyptus gives up after 10 s, logs a fault, and never ends the process, so they "
    "pile up while tgtd does not answer; each one takes one of the 32 places in tgtd's queue.",
    thresholds="A tgtadm process older than 10 s (thresholds.tgtadm_stuck_seconds).",
    see=("ps -o pid,ppid,etime,stat,args -C tgtadm", "timeout 10 tgtadm --lld iscsi --mode sys --op show"),
    remedy="Get tgtd to answer: then they end by themselves. Those that stay may be killed; what they were told to do is then "
    "done or not, so look at the target afterwards.",
    risk=Risk.SAFE,
    source="tgt usr/tgtadm.c; eucalyptus TGTWrapper.java (storage.timeoutinmillis)",
)


def lost(look: Look) -> Result:
    """Volumes of a cloud that stand ready and that no target serves."""
    inventory = look.inventory
    tgt = inventory.tgt
    chains = [chain for chain in need(inventory.chains).chains if chain.ours and not chain.backend.persists_targets]
    if not chains:
        need_sight_of_volumes(inventory)
        return not_applicable("no volume of a cloud lies here")
    states = {chain.subject: unexported(chain, tgt, inventory.processes) for chain in chains}
    cause = down(inventory)
    unserved = {chain.subject for chain in demand(inventory).volumes} if cause is not None else set()
    processes = known(inventory.processes)
    # Without an LV it was never exported; but who knows that where LVM could not be asked?
    lvm_silent = isinstance(inventory.lvm, Unavailable)
    findings: list[Finding] = []
    unknown: list[Chain] = []
    for chain in chains:
        state = states[chain.subject]
        if state is Unexported.LOST:
            findings.append(_lost(chain, inventory, processes, None))
        elif chain.subject in unserved:
            findings.append(_lost(chain, inventory, processes, cause))
        elif state is Unexported.UNKNOWN or (state is Unexported.UNSERVED and chain.lv is None and lvm_silent):
            unknown.append(chain)
    return Result(
        examined=len(chains) - len(unknown),
        findings=tuple(findings),
        unexamined=_why_unknown(inventory, unknown),
    )


def _why_unknown(inventory: Inventory, unknown: list[Chain]) -> tuple[Unexamined, ...]:
    """One entry for what hid all of them; one for each where it is the volume's own."""
    if not unknown:
        return ()
    tgt, processes, lvm = inventory.tgt, inventory.processes, inventory.lvm
    if isinstance(tgt, Unavailable) and tgt.reason is not Reason.ABSENT:
        return (Unexamined.of(tgt),)
    if not isinstance(tgt, Unavailable) and tgt.unanswered:
        return tuple(Unexamined.of(item) for item in tgt.unanswered)
    if isinstance(processes, Unavailable):
        return (Unexamined.of(processes),)
    if isinstance(lvm, Unavailable) and all(chain.lv is None for chain in unknown):
        return (Unexamined.of(lvm),)
    return tuple(
        Unexamined(what=chain.id, reason=Reason.FAILED, detail="neither exported nor known since when it is active")
        for chain in unknown
    )


def _lost(chain: Chain, inventory: Inventory, processes: Processes | None, cause: Cause | None) -> Finding:
    started = min((process.started for process in (processes.tgtd if processes else ())), default=None)
    activated = chain.dm.activated if chain.dm is not None else None
    return TGT_EXPORT_LOST.found(
        chain.subject,
        f"{chain.id} is attached and active, and its export went with the tgtd that {'ended' if cause else 'ran before'}",
        evidence(
            lv="" if chain.lv is None else chain.lv.full_name,
            loops=tuple(loop.name for loop in chain.loops),
            activated_seconds_after_boot=activated,
            tgtd_started_seconds_after_boot=started,
            source="LVM report, udev's database, process table, tgtd",
        ),
        commands=(service_command(inventory, "eucalyptus-cloud", "restart"),),
        caused_by=cause,
    )


def stuck(look: Look) -> Result:
    """Calls of tgtadm that do not come back."""
    inventory = look.inventory
    calls = need(inventory.processes).tgtadm
    limit = look.config.thresholds.tgtadm_stuck_seconds
    now = inventory.clock.boot
    old = sorted((process for process in calls if now - process.started > limit), key=lambda process: process.started)
    if not old:
        return Result(examined=len(calls))
    silent = hanging(inventory.tgt)
    cause = Cause(code=UNRESPONSIVE, subject=daemon_subject(port_of_socket(silent[0].what))) if silent else None
    count = "1 call of tgtadm hangs" if len(old) == 1 else f"{len(old)} calls of tgtadm hang"
    finding = TGTADM_STUCK.found(
        Subject(kind=SubjectKind.PROCESS, id="tgtadm"),
        f"{count}, the oldest for {duration_words(now - old[0].started)}",
        evidence(
            pids=tuple(str(process.pid) for process in old),
            oldest_seconds=round(now - old[0].started, 1),
            oldest_command=" ".join(old[0].argv),
            states=tuple(sorted({process.state for process in old})),
            source="process table",
        ),
        # While tgtd answers nothing, killing them helps nobody.
        commands=() if silent else (f"kill {' '.join(str(process.pid) for process in old)}",),
        caused_by=cause,
    )
    return Result(examined=len(calls), findings=(finding,))


CHECKS: tuple[Check, ...] = (
    Check(
        name="tgt-exports",
        title="Exports survived tgtd's restarts",
        codes=(TGT_EXPORT_LOST,),
        needs=("chains", "tgt", "processes", "lvm", "sessions", "units", "tgt_configuration", "lio", "loops", "block", "mounts"),
        run=lost,
    ),
    Check(name="tgtadm", title="Calls of tgtadm come back", codes=(TGTADM_STUCK,), needs=("processes", "tgt"), run=stuck),
)
