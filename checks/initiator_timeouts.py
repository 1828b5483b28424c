"""open-iscsi: how long an outage is survived."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.initiator import (
    DEFAULT_NOOP,
    DEFAULT_REPLACEMENT,
    INTERVAL,
    REPLACEMENT,
    TIMEOUT,
    Paths,
    count,
    effective,
    half_off,
    initiator_parts,
    live,
    node,
    records_of,
    session_subject,
    some,
    unknown_parts,
    update_commands,
    words,
)
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.check import Look
    from sctune.config.model import Config
    from sctune.findings import Finding
    from sctune.initiator import Outage
    from sctune.model.initiator import InitiatorConfiguration, InitiatorTimeouts, IscsiSession, NodeRecord

MULTIPATH_FAILOVER_SECONDS = 30.0
"""The longest that open-iscsi's README (8.1) advises under multipath: NOP-Outs 5 + 10, replacement timeout 15."""
MULTIPATH_REPLACEMENT = 15

AGGRESSIVE = Code(
    code="ISCSI_TIMEOUTS_AGGRESSIVE",
    severities=(Severity.INFO, Severity.WARNING),
    title="A short outage of the storage network becomes I/O errors",
    meaning="With only one path to the disk, nothing waits below the file system but this session's timeouts, and together they "
    "are short.",
    why="A restart of the target daemon or of a switch takes 20 to 60 seconds. When the timeouts are over before it is back, "
    "every request fails: file systems of guests go read-only and stay so. Short timeouts are meant for multipath, which has "
    "another way to the disk.",
    thresholds="NOP-Out interval + NOP-Out timeout + replacement timeout below 30 s on a disk that is not under multipath. That "
    "is what a silent network is survived; a portal that refuses connections is noticed at once, so that only the replacement "
    "timeout counts then. A negative replacement timeout (for ever) is never too short, 0 fails at once.",
    see=(
        "grep . /sys/class/iscsi_session/session*/recovery_tmo /sys/class/iscsi_connection/connection*/{recv_tmo,ping_tmo}",
        "iscsiadm -m node | while read portal iqn; do iscsiadm -m node -T $iqn -p $portal | grep timeo; done",
        "grep timeo /etc/iscsi/iscsid.conf",
    ),
    remedy="Raise the replacement timeout in iscsid.conf (new records), in the node records (next login) and in the live session.",
    risk=Risk.SAFE,
    source="open-iscsi README section 8; open-iscsi usr/initiator_common.c; Linux drivers/scsi/libiscsi.c "
    "(iscsi_check_transport_timeouts)",
    advice=True,
)

LAX = Code(
    code="ISCSI_TIMEOUTS_LAX",
    severities=(Severity.INFO, Severity.WARNING),
    title="A dead path under multipath is given up late",
    meaning="The disk is a path of a multipath map, and its session holds I/O back for long before it lets multipath try "
    "another path.",
    why="All I/O that is on the dead path waits for so long although other paths work. Guests see a stall, and cluster managers "
    "may fence the host.",
    thresholds="NOP-Out interval + NOP-Out timeout + replacement timeout above 30 s, a replacement timeout that never ends, or "
    "NOP-Outs switched off, on a disk under multipath. multipathd normally sets the replacement timeout itself "
    "(fast_io_fail_tmo, 5 s).",
    see=(
        "multipath -ll",
        "multipathd show config local | grep fast_io_fail_tmo",
        "grep . /sys/class/iscsi_session/session*/recovery_tmo",
    ),
    remedy="Give the path up early and let multipath wait instead: replacement timeout 15 s or less, NOP-Outs on, and "
    "no_path_retry in multipath.conf for the case that all paths are gone. Check that multipathd runs: it sets the live value "
    "by itself.",
    risk=Risk.SAFE,
    source="open-iscsi README section 8.1; multipath.conf(5) fast_io_fail_tmo",
    advice=True,
)

HALF_OFF = Code(
    code="ISCSI_NOOP_HALF_OFF",
    severities=(Severity.WARNING,),
    title="NOP-Outs are switched off by half",
    meaning="Exactly one of noop_out_interval and noop_out_timeout is 0. open-iscsi takes that for a mistake, logs it and uses "
    "5 seconds for the other half of the pair: NOP-Outs are on.",
    why="Whoever set it wanted NOP-Outs off (a busy target then costs no connection), or on with other values; the session does "
    "neither. A slow target is dropped after 10 seconds although the file seems to say that it is not.",
    thresholds="One of the two is 0 and the other is not, in iscsid.conf or a node record; a half that is not set counts with "
    "its default, 5.",
    see=(
        "grep -n noop_out /etc/iscsi/iscsid.conf",
        "grep -rn noop_out /etc/iscsi/nodes /var/lib/iscsi/nodes",
        "grep . /sys/class/iscsi_connection/connection*/{recv_tmo,ping_tmo}",
    ),
    remedy="Set both to 0 (off) or both to seconds. Records take effect at the next login.",
    risk=Risk.SAFE,
    source="open-iscsi usr/initiator.c (__session_conn_create)",
)


def timeouts(look: Look) -> Result:
    """Sessions and what the next login would get."""
    inventory = look.inventory
    sessions, records, configuration = initiator_parts(look)
    if sessions == () and records == ():
        return not_applicable("no iSCSI session and no node record")
    findings: list[Finding] = []
    unexamined = [Unexamined.of(part) for part in unknown_parts(sessions, records, configuration)]
    examined = 0
    paths = Paths(inventory.block, inventory.dm)
    for session in () if isinstance(sessions, Unavailable) else sessions:
        if not session.disks:
            continue
        outage, maps = live(session), paths.multipath(session)
        if isinstance(maps, Unavailable):
            unexamined.append(Unexamined(what=f"paths to {session.target}", reason=maps.reason, detail=str(maps)))
        elif outage is not None:
            examined += 1
            findings.extend(_lax(look.config, session, outage, maps) if maps else _aggressive(look.config, session, outage))
    if not isinstance(records, Unavailable):
        idle = [record for record in records if isinstance(sessions, Unavailable) or not _in_use(record, sessions)]
        if not _means_multipath(look, paths):
            findings.extend(_aggressive_records(look.config, idle))
        examined += len(records)
    if not isinstance(configuration, Unavailable):
        examined += 1
    findings.extend(_half_off(configuration, records))
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _means_multipath(look: Look, paths: Paths) -> bool:
    """Whether disks of a coming session may end up under multipath, so that short timeouts may be meant."""
    dm = look.inventory.dm
    unknown = isinstance(dm, Unavailable) and dm.reason is not Reason.ABSENT
    daemon = any(unit.name == "multipathd.service" and unit.active == "active" for unit in known(look.inventory.units) or ())
    return paths.any or daemon or unknown


def _in_use(record: NodeRecord, sessions: tuple[IscsiSession, ...]) -> bool:
    return any(records_of(session, (record,)) for session in sessions)


def _advice(config: Config, code: Code) -> Severity:
    return Severity.WARNING if code.code in config.wanted else Severity.INFO


def _set_replacement(session: IscsiSession, seconds: int) -> tuple[str, ...]:
    """In the record and in the live session, which takes it only while it is logged in (EBUSY otherwise)."""
    live_command = f"echo {seconds} > /sys/class/iscsi_session/session{session.number}/recovery_tmo"
    return (
        f"{node(session)} -o update -n {REPLACEMENT} -v {seconds}",
        *((live_command,) if session.state == "LOGGED_IN" else ()),
    )


def _aggressive(config: Config, session: IscsiSession, outage: Outage) -> Iterator[Finding]:
    if outage.survived >= config.thresholds.outage_survived_seconds:
        return
    yield AGGRESSIVE.found(
        session_subject(session),
        f"the only path to {', '.join(session.disks)} fails I/O {outage.survived:.0f} s after the network is lost, "
        f"{words(outage.replacement)} after the portal refuses connections",
        evidence(
            outage_survived_seconds=outage.survived,
            threshold_seconds=config.thresholds.outage_survived_seconds,
            noop_interval=outage.noop_interval,
            noop_timeout=outage.noop_timeout,
            recovery_timeout=outage.replacement,
            source=f"/sys/class/iscsi_session/session{session.number}, /sys/class/iscsi_connection/{session.connections[0].name}",
        ),
        severity=_advice(config, AGGRESSIVE),
        commands=_set_replacement(session, DEFAULT_REPLACEMENT),
    )


def _aggressive_records(config: Config, records: list[NodeRecord]) -> Iterator[Finding]:
    short = [record for record in records if effective(record.timeouts).survived < config.thresholds.outage_survived_seconds]
    if not short:
        return
    least = min(short, key=lambda record: effective(record.timeouts).survived)
    outage = effective(least.timeouts)
    yield AGGRESSIVE.found(
        Subject(kind=SubjectKind.SETTING, id=REPLACEMENT),
        f"{count(len(short), 'node record')} would make sessions that fail I/O {outage.survived:.0f} s after the network is lost",
        evidence(
            outage_survived_seconds=outage.survived,
            threshold_seconds=config.thresholds.outage_survived_seconds,
            noop_interval=outage.noop_interval,
            noop_timeout=outage.noop_timeout,
            replacement_timeout=outage.replacement,
            records=some([record.path for record in short]),
            source=least.path,
        ),
        severity=_advice(config, AGGRESSIVE),
        commands=update_commands(short, REPLACEMENT, DEFAULT_REPLACEMENT),
    )


def _lax(config: Config, session: IscsiSession, outage: Outage, maps: tuple[str, ...]) -> Iterator[Finding]:
    without_noop = outage.noop_interval == 0
    if outage.survived <= MULTIPATH_FAILOVER_SECONDS and not without_noop:
        return
    commands: list[str] = []
    if outage.survived > MULTIPATH_FAILOVER_SECONDS:
        commands.extend(_set_replacement(session, MULTIPATH_REPLACEMENT))
    if without_noop:
        commands.extend(f"{node(session)} -o update -n {quote(name)} -v {DEFAULT_NOOP}" for name in (INTERVAL, TIMEOUT))
    late = "never by itself" if outage.replacement < 0 else f"{outage.survived:.0f} s after it is lost"
    late += ", and the loss is noticed late, since NOP-Outs are off" if without_noop else ""
    yield LAX.found(
        session_subject(session),
        f"path {', '.join(session.disks)} of {', '.join(maps)} is given up {late}",
        evidence(
            given_up_after_seconds=None if outage.replacement < 0 else outage.survived,
            threshold_seconds=MULTIPATH_FAILOVER_SECONDS,
            noop_interval=outage.noop_interval,
            noop_timeout=outage.noop_timeout,
            recovery_timeout=outage.replacement,
            maps=maps,
            source=f"/sys/class/iscsi_session/session{session.number}, /sys/block/*/holders",
        ),
        severity=_advice(config, LAX),
        commands=tuple(commands),
    )


def _half_off(
    configuration: InitiatorConfiguration | Unavailable, records: tuple[NodeRecord, ...] | Unavailable
) -> Iterator[Finding]:
    for zero, other in ((INTERVAL, TIMEOUT), (TIMEOUT, INTERVAL)):
        in_file = not isinstance(configuration, Unavailable) and _half(configuration.timeouts) == zero
        in_records = [] if isinstance(records, Unavailable) else [r for r in records if _half(r.timeouts) == zero]
        files = [configuration.path] if in_file and not isinstance(configuration, Unavailable) else []
        # Off is what a 0 was written for. Of two lines with one name the last one counts.
        commands = tuple(f"printf '\\n{other} = 0\\n' >> {quote(path)}" for path in files)
        files.extend(record.path for record in in_records)
        if files:
            yield HALF_OFF.found(
                Subject(kind=SubjectKind.SETTING, id=zero),
                f"{zero} is 0 and {other.rsplit('.', 1)[1]} is not: NOP-Outs stay on, with {DEFAULT_NOOP} s for the half that is 0",
                evidence(files=some(files), count=len(files), source=files[0]),
                commands=(*commands, *update_commands(in_records, other, 0)),
            )


def _half(timeouts: InitiatorTimeouts) -> str | None:
    """Which half of the NOP-Out pair is 0 while the other is not."""
    interval = DEFAULT_NOOP if timeouts.noop_interval is None else timeouts.noop_interval
    timeout = DEFAULT_NOOP if timeouts.noop_timeout is None else timeouts.noop_timeout
    if not half_off(interval, timeout):
        return None
    return INTERVAL if interval == 0 else TIMEOUT


CHECKS: tuple[Check, ...] = (
    Check(
        name="iscsi-timeouts",
        title="iSCSI timeouts fit the number of paths",
        codes=(AGGRESSIVE, LAX, HALF_OFF),
        needs=("sessions", "node_records", "initiator_configuration", "block", "dm", "units"),
        run=timeouts,
    ),
)
