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
from sctune.multipath import override
from sctune.outage import of_maps
from sctune.outage import words as waiting
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.check import Look
    from sctune.config.model import Config
    from sctune.findings import Finding
    from sctune.initiator import MapOver, Outage
    from sctune.model.initiator import InitiatorConfiguration, InitiatorTimeouts, IscsiSession, NodeRecord
    from sctune.model.multipath import Multipath
    from sctune.outage import MapOutage

MULTIPATH_FAILOVER_SECONDS = 30.0
"""The longest that open-iscsi's README (8.1) advises under multipath: NOP-Outs 5 + 10, replacement timeout 15."""
MULTIPATH_REPLACEMENT = 15

AGGRESSIVE = Code(
    code="ISCSI_TIMEOUTS_AGGRESSIVE",
    severities=(Severity.INFO, Severity.WARNING),
    title="A short outage of the storage network becomes I/O errors",
    meaning="Nothing waits below the file system but timeouts, and together they are short: those of the session where it is the "
    "only path to the disk; under multipath those of the path that is given up last, and what no_path_retry adds when none is "
    "left.",
    why="A restart of the target daemon or of a switch takes 20 to 60 seconds. When the timeouts are over before it is back, "
    "every request fails: file systems of guests go read-only and stay so. Short timeouts are meant for multipath, which has "
    "another way to the disk; but a restart of the target takes all ways that lead to it.",
    thresholds="NOP-Out interval + NOP-Out timeout + replacement timeout below 30 s on a disk that is not under multipath. That "
    "is what a silent network is survived; a portal that refuses connections is noticed at once, so that only the replacement "
    "timeout counts then. A negative replacement timeout (for ever) is never too short, 0 fails at once. Under multipath the same "
    "sum of the session that holds out longest, and no_path_retry x polling_interval of multipath.conf, where device-mapper is "
    "told to let I/O wait (queue_if_no_path); without end where it is told so and multipath.conf sets no end. A map is counted "
    "with the paths that it has now.",
    see=(
        "grep . /sys/class/iscsi_session/session*/recovery_tmo /sys/class/iscsi_connection/connection*/{recv_tmo,ping_tmo}",
        "iscsiadm -m node | while read portal iqn; do iscsiadm -m node -T $iqn -p $portal | grep timeo; done",
        "grep timeo /etc/iscsi/iscsid.conf",
        "dmsetup table --target multipath",
        "multipathd show config local | grep -E 'no_path_retry|polling_interval|fast_io_fail_tmo'",
    ),
    remedy="Raise the replacement timeout in iscsid.conf (new records), in the node records (next login) and in the live session.",
    risk=Risk.SAFE,
    source="open-iscsi README section 8; open-iscsi usr/initiator_common.c; Linux drivers/scsi/libiscsi.c "
    "(iscsi_check_transport_timeouts); multipath-tools libmultipath/structs_vec.c",
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
    "NOP-Outs switched off, on a disk under a multipath map that has more than one path now. multipathd sets the replacement "
    "timeout itself (fast_io_fail_tmo, 5 s where nothing else is written).",
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
    under: list[tuple[IscsiSession, Outage, tuple[MapOver, ...]]] = []
    for session in () if isinstance(sessions, Unavailable) else sessions:
        if not session.disks:
            continue
        outage, maps = live(session), paths.multipath(session)
        if isinstance(maps, Unavailable):
            unexamined.append(Unexamined(what=f"paths to {session.target}", reason=maps.reason, detail=str(maps)))
        elif outage is not None:
            examined += 1
            if maps:
                under.append((session, outage, maps))
            else:
                findings.extend(_aggressive(look.config, session, outage))
    if under:
        more, unknown = _under_multipath(look.config, under, inventory.multipath)
        findings.extend(more)
        unexamined.extend(unknown)
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


def _under_multipath(
    config: Config,
    under: list[tuple[IscsiSession, Outage, tuple[MapOver, ...]]],
    multipath: Multipath | Unavailable,
) -> tuple[list[Finding], list[Unexamined]]:
    findings: list[Finding] = []
    unexamined: dict[Unexamined, None] = {}
    for session, outage, maps in under:
        several = tuple(one for one in maps if one.paths > 1)
        if several:
            findings.extend(_lax(config, session, outage, several, multipath))
    for lost in of_maps(under, multipath):
        survived = lost.survived
        if isinstance(survived, Unavailable):
            if lost.given_up < config.thresholds.outage_survived_seconds:
                unexamined[Unexamined.of(survived)] = None
        elif survived < config.thresholds.outage_survived_seconds:
            findings.append(_aggressive_map(config, lost, survived))
    return findings, list(unexamined)


def _aggressive_map(config: Config, lost: MapOutage, survived: float) -> Finding:
    """All paths lost at once. One finding a map; the session's where it has one path."""
    over, waits = lost.over, need(lost.waits)
    short = config.thresholds.outage_survived_seconds - lost.given_up
    subject = Subject(kind=SubjectKind.DISK, id=over.wwid) if over.paths > 1 else session_subject(lost.sessions[0][0])
    which = f"all {over.paths} paths are" if over.paths > 1 else "its only path is"
    return AGGRESSIVE.found(
        subject,
        f"{over.name} fails I/O {survived:.0f} s after {which} lost: {waiting(waits)}",
        evidence(
            outage_survived_seconds=survived,
            threshold_seconds=config.thresholds.outage_survived_seconds,
            map=over.name,
            paths=over.paths,
            last_path_given_up_after_seconds=lost.given_up,
            then_waits_seconds=waits.value,
            recovery_timeouts=tuple(words(outage.replacement) for _, outage in lost.sessions),
            source=f"/sys/class/iscsi_session/session{lost.sessions[0][0].number}, {waits.place}",
        ),
        severity=_advice(config, AGGRESSIVE),
        remedy="Leave the timeouts of the paths short and let multipath wait: in multipath.conf no_path_retry times "
        f"polling_interval of at least {short:.0f} s, or no_path_retry queue, which never gives up; then multipathd reconfigure.",
    )


def _lax(
    config: Config, session: IscsiSession, outage: Outage, maps: tuple[MapOver, ...], multipath: Multipath | Unavailable
) -> Iterator[Finding]:
    without_noop = outage.noop_interval == 0
    if outage.survived <= MULTIPATH_FAILOVER_SECONDS and not without_noop:
        return
    commands: list[str] = []
    given = multipath if isinstance(multipath, Unavailable) else override(multipath, maps[0].disk, maps[0].wwid)
    by_multipathd = not isinstance(given, Unavailable) and outage.replacement in given.values
    if outage.survived > MULTIPATH_FAILOVER_SECONDS and not by_multipathd:
        commands.extend(_set_replacement(session, MULTIPATH_REPLACEMENT))
    if without_noop:
        commands.extend(f"{node(session)} -o update -n {quote(name)} -v {DEFAULT_NOOP}" for name in (INTERVAL, TIMEOUT))
    late = "never by itself" if outage.replacement < 0 else f"{outage.survived:.0f} s after it is lost"
    late += ", and the loss is noticed late, since NOP-Outs are off" if without_noop else ""
    yield LAX.found(
        session_subject(session),
        f"path {', '.join(session.disks)} of {', '.join(one.name for one in maps)} is given up {late}",
        evidence(
            given_up_after_seconds=None if outage.replacement < 0 else outage.survived,
            threshold_seconds=MULTIPATH_FAILOVER_SECONDS,
            noop_interval=outage.noop_interval,
            noop_timeout=outage.noop_timeout,
            recovery_timeout=outage.replacement,
            maps=tuple(one.name for one in maps),
            paths=maps[0].paths,
            fast_io_fail_tmo=None if isinstance(given, Unavailable) else given.seconds,
            fast_io_fail_tmo_from=None if isinstance(given, Unavailable) else given.place,
            source=f"/sys/class/iscsi_session/session{session.number}, /sys/block/*/holders",
        ),
        severity=_advice(config, LAX),
        commands=tuple(commands),
        # A value in the record or the session would not outlast multipathd's next look.
        remedy=f"multipathd gives the session its replacement timeout: lower fast_io_fail_tmo ({given.place}), then multipathd "
        "reconfigure. Keep NOP-Outs on, and no_path_retry for the case that all paths are gone."
        if by_multipathd and not isinstance(given, Unavailable) and outage.survived > MULTIPATH_FAILOVER_SECONDS
        else None,
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
        needs=("sessions", "node_records", "initiator_configuration", "block", "dm", "multipath", "units"),
        run=timeouts,
    ),
)
