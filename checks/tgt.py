"""tgtd itself: whether it runs where something needs it, answers, and comes back after a boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Code, Risk, Severity, evidence
from sctune.model.units import duration_words
from sctune.model.volume import VolumeState
from sctune.tgt_process import daemon_of, daemon_subject, port_of_socket
from sctune.tgt_state import (
    Demand,
    demand,
    hanging,
    runs,
    service,
    service_command,
    stale_port,
    starts_by_itself,
    unit_name,
    unit_of,
    unserved_sessions,
)
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.check import Look
    from sctune.findings import Finding
    from sctune.inventory import Inventory

TGT_DOWN = Code(
    code="TGT_DOWN",
    severities=(Severity.CRITICAL,),
    title="tgtd does not run, and volumes need it",
    meaning="No target daemon answers on this host, and something shows that one should: initiators on this host lost their "
    "target, volumes stand attached and active with nothing that exports them, the service ended by itself, or targets are "
    "configured for a service that is started at boot.",
    why="Every initiator has lost its disks. Their I/O waits (120 s by default, or as long as multipath says) and then fails: "
    "guests see their disks go read-only. tgtd keeps targets in memory only: what was made by bare tgtadm, as Eucalyptus does, "
    "does not come back by starting it.",
    thresholds="No tgtd process and no answer on any management socket, and at least one of: a session of this host with one "
    "of its own addresses that is not logged in (and not LIO's); a cloud's volume whose loop device and LV are active, neither "
    "exported nor being copied; a unit in state failed whose daemon had served (its socket is left); targets in targets.conf "
    "with the unit enabled; a writable loop device that nothing uses while a socket is left and no unit says that its daemon "
    "was stopped. A socket that is left behind is no sign by itself: tgtd leaves it on a clean stop too. A host where tgt is "
    "stopped and nothing needs it is not judged.",
    see=(
        "pgrep -a tgtd",
        "tgtadm --lld iscsi --mode target --op show; echo $?   # 107: nobody listens",
        "systemctl status tgt tgtd",
        "journalctl -u tgt -u tgtd -b",
        "dmesg | grep -i -e tgtd -e 'out of memory'",
    ),
    remedy="Start tgtd, then make the exports again: targets of targets.conf come back with the service; Eucalyptus exports "
    "its volumes again only when its storage controller starts. Between the two, an initiator that logs in is told that its "
    "target does not exist. Where tgtd was stopped on purpose, remove the socket that it left in /var/run/tgtd.",
    risk=Risk.DISRUPTIVE,
    source="tgtd(8); tgt usr/tgtd.c, usr/mgmt.c (ipc_exit); eucalyptus TGTWrapper.java; tried with tgt 1.0.85",
    confirm=True,
    volume=VolumeState.BROKEN,
)

TGT_UNRESPONSIVE = Code(
    code="TGT_UNRESPONSIVE",
    severities=(Severity.CRITICAL,),
    title="tgtd runs and does not answer",
    meaning="A tgtd has its management socket open and answered nothing before the deadline. One thread does all its network "
    "work and all its management: while that thread is stopped or waits, no initiator is served either.",
    why="I/O of all its initiators stands still. Eucalyptus' calls of tgtadm hang too and pile up, so nothing can be attached or "
    "detached. What its targets are cannot be told until it answers.",
    thresholds="A connection to the management socket gets no reply within 3 s, or is not accepted within 3 s because 32 "
    "others wait before it. tgtd 1.0.85 answers in 0.1 ms with one target and in 4 ms with 500. Seen twice.",
    see=(
        "timeout 10 tgtadm --lld iscsi --mode target --op show",
        "ps -o pid,stat,wchan:32,etime,args -C tgtd,tgtadm",
        "ss -xlp | grep tgtd",
        "cat /proc/$(pgrep -o tgtd)/stack",
    ),
    remedy="State T: somebody stopped it, continue it. State D: it waits for the kernel; find the disk, loop device or mount "
    "under its volumes that does not answer: a restart would wait for the same. Any other state: it is busy or caught in a "
    "fault of its own: take a stack trace before you restart it. A restart loses all exports that were made by bare tgtadm.",
    risk=Risk.DISRUPTIVE,
    source="tgt usr/tgtd.c (event_loop), usr/mgmt.c (listen); proc(5); tried with tgt 1.0.85",
    confirm=True,
)

TGT_NOT_ENABLED = Code(
    code="TGT_NOT_ENABLED",
    severities=(Severity.WARNING,),
    title="tgtd serves volumes and is not started at boot",
    meaning="tgtd serves targets now, and its systemd unit is disabled or masked.",
    why="After the next boot no target is served until somebody starts tgtd by hand. Eucalyptus 4.3 and later do not start it.",
    thresholds="The unit's state is disabled or masked, while a tgtd on control port 0 serves at least one target. Eucalyptus "
    "3.1 starts tgtd by itself and is not judged.",
    see=("systemctl is-enabled tgt tgtd", "systemctl status tgt tgtd"),
    remedy="Enable the unit. That disturbs nothing that runs.",
    risk=Risk.SAFE,
    source="systemctl(1); Eucalyptus installation guide, EUCA-12069",
)


def daemon(look: Look) -> Result:
    """Whether tgtd runs where it must, and answers."""
    inventory = look.inventory
    tgt = inventory.tgt
    running = runs(inventory)
    if isinstance(running, Unavailable):
        return Result(examined=0, unexamined=(Unexamined.of(running),))
    if running:
        return _running(inventory)
    wanted = demand(inventory)
    if wanted:
        port = stale_port(tgt)
        return Result(examined=1, findings=(_down(inventory, wanted, port),))
    if isinstance(tgt, Unavailable) or not tgt.stale:
        return not_applicable("no tgtd runs, and nothing here needs one")
    return not_applicable("tgtd ran since boot and does not now, and nothing here needs it")


def _running(inventory: Inventory) -> Result:
    tgt = inventory.tgt
    if isinstance(tgt, Unavailable):
        what = tgt
        if tgt.reason is Reason.ABSENT:
            detail = "tgtd runs, but its management socket is not in /var/run/tgtd (in a container, or TGT_IPC_SOCKET is set)"
            what = Unavailable(reason=Reason.FAILED, what="tgtd", detail=detail)
        return Result(examined=0, unexamined=(Unexamined.of(what),))
    stuck = hanging(tgt)
    findings = [_unresponsive(inventory, item) for item in stuck]
    lost = unserved_sessions(inventory)
    if tgt.stale and lost and not stuck:
        findings.append(_down(inventory, Demand(sessions=lost), min(tgt.stale)))
    others = tuple(Unexamined.of(item) for item in tgt.unanswered if item not in stuck)
    if not tgt.daemons and not findings and not others:
        detail = "tgtd runs, but nobody listens on its management socket"
        others = (Unexamined(what="tgtd", reason=Reason.FAILED, detail=detail),)
    return Result(examined=len(tgt.daemons) + len(findings), findings=tuple(findings), unexamined=others)


def _down(inventory: Inventory, wanted: Demand, port: int) -> Finding:
    reasons: list[str] = []
    if wanted.sessions:
        reasons.append(f"{_count(len(wanted.sessions), 'session')} of this host with itself lost the target")
    if wanted.volumes:
        reasons.append(f"{_count(len(wanted.volumes), 'volume')} active with nothing that exports")
    if wanted.died is not None:
        reasons.append(f"{wanted.died.name} has failed")
    if wanted.configured:
        reasons.append(f"{_count(len(wanted.configured), 'target')} configured to be served from boot on")
    if wanted.idle:
        reasons.append(f"{_count(len(wanted.idle), 'loop device')} attached for nobody since one ran")
    commands = [service(inventory, "start")] if port == 0 else [f"tgtd -C {port}"]
    if wanted.volumes:
        commands.append(service_command(inventory, "eucalyptus-cloud", "restart"))
    unit = unit_of(inventory)
    return TGT_DOWN.found(
        daemon_subject(port),
        f"tgtd does not run, but {'; '.join(reasons)}",
        evidence(
            sessions_lost=tuple(f"{session.target} at {session.portal}: {session.state}" for session in wanted.sessions),
            volumes_not_exported=tuple(chain.id for chain in wanted.volumes),
            targets_configured=wanted.configured,
            loops_attached_for_nobody=tuple(f"{loop.name} ({loop.backing_file})" for loop in wanted.idle),
            unit="" if unit is None else f"{unit.name}: {unit.active}, {unit.enabled}",
            socket_left_behind=not isinstance(inventory.tgt, Unavailable) and bool(inventory.tgt.stale),
            source="/var/run/tgtd, process table",
        ),
        commands=tuple(commands),
    )


_STATES = {
    "T": "is stopped",
    "t": "is stopped by a debugger",
    "D": "waits for the kernel (uninterruptible)",
    "R": "is running",
    "S": "sleeps",
}


def _unresponsive(inventory: Inventory, silent: Unavailable) -> Finding:
    port = port_of_socket(silent.what)
    process = daemon_of(port, known(inventory.processes))
    state = process.state if process is not None else ""
    words = _STATES.get(state, "is in an unknown state")
    pid = process.pid if process is not None else None
    risk = Risk.DISRUPTIVE
    if pid is None:
        commands: tuple[str, ...] = ("ps -o pid,stat,wchan:32,args -C tgtd",)
        remedy = TGT_UNRESPONSIVE.remedy
    elif state == "T":
        commands, risk = (f"kill -CONT {pid}",), Risk.SAFE
        remedy = "Somebody stopped the process with a signal: continue it. Initiators go on where they were."
    elif state == "D":
        commands, risk = (
            (f"cat /proc/{pid}/stack", "ps -eo pid,stat,wchan:32,args | awk '$2 ~ /^D/'", "dmesg | tail -50"),
            Risk.SAFE,
        )
        remedy = (
            "It waits inside the kernel: find the disk, loop device or mount that does not answer and bring that back. Neither "
            "kill nor a restart ends the wait."
        )
    else:
        restart = service(inventory, "restart") if port == 0 else f"kill -9 {pid}   # then: tgtd -C {port}"
        commands = (f"cat /proc/{pid}/stack", f"gdb -p {pid} -batch -ex 'thread apply all bt'", restart)
        remedy = (
            "Keep a stack trace, then restart it. All exports made by bare tgtadm (Eucalyptus makes all of them so) are lost "
            "by that; restart eucalyptus-cloud on this storage controller afterwards, which exports its volumes again."
        )
    return TGT_UNRESPONSIVE.found(
        daemon_subject(port),
        f"tgtd does not answer: its process {words}",
        evidence(
            answer=silent.detail,
            pid=pid,
            state=state,
            running_since_seconds=None if process is None else round(max(0.0, inventory.clock.boot - process.started)),
            source=silent.what,
        ),
        commands=commands,
        remedy=remedy,
        risk=risk,
    )


def enabled(look: Look) -> Result:
    """Whether a tgtd that serves comes back after a boot."""
    inventory = look.inventory
    need(inventory.units)
    unit = unit_of(inventory)
    if unit is None:
        return not_applicable("tgt has no unit here")
    tgt = need(inventory.tgt)
    main = next((daemon for daemon in tgt.daemons if daemon.control_port == 0), None)
    if main is None or not main.targets:
        return not_applicable("no tgtd on control port 0 that serves targets")
    if starts_by_itself(inventory):
        return not_applicable("the cloud starts tgtd by itself")
    if unit.enabled not in ("disabled", "masked", "masked-runtime"):
        return Result(examined=1)
    name = unit_name(inventory)
    started = daemon_of(0, known(inventory.processes))
    age = "" if started is None else f", running for {duration_words(inventory.clock.boot - started.started)}"
    finding = TGT_NOT_ENABLED.found(
        daemon_subject(0),
        f"{unit.name} is {unit.enabled}, while tgtd serves {_count(len(main.targets), 'target')}{age}",
        evidence(unit=unit.name, enabled=unit.enabled, active=unit.active, targets=len(main.targets), source="systemctl show"),
        commands=((f"systemctl unmask {name}",) if unit.enabled.startswith("masked") else ()) + (f"systemctl enable {name}",),
    )
    return Result(examined=1, findings=(finding,))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


CHECKS: tuple[Check, ...] = (
    Check(
        name="tgt-daemon",
        title="tgtd runs where it is needed, and answers",
        codes=(TGT_DOWN, TGT_UNRESPONSIVE),
        needs=("tgt", "processes", "chains", "sessions", "units", "tgt_configuration", "lio", "loops", "block", "mounts"),
        run=daemon,
    ),
    Check(
        name="tgt-enabled",
        title="tgtd is started at boot",
        codes=(TGT_NOT_ENABLED,),
        needs=("tgt", "units", "processes", "chains"),
        run=enabled,
    ),
)
