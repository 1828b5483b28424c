"""open-iscsi: settings that are not in force, or not everywhere."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.findings import Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.initiator import (
    INTERVAL,
    REPLACEMENT,
    SETTINGS,
    Paths,
    count,
    effective,
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
from sctune.multipath import FAST_IO_FAIL, Override, override
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.check import Look
    from sctune.findings import Finding
    from sctune.initiator import Outage
    from sctune.model.initiator import InitiatorConfiguration, IscsiSession, NodeRecord

DRIFT = Code(
    code="ISCSI_TIMEOUT_DRIFT",
    severities=(Severity.WARNING,),
    title="iSCSI timeouts differ between iscsid.conf, node record and session",
    meaning="A setting goes from iscsid.conf into the node record when that is made (discovery, iscsiadm -o new), and from the "
    "record into the session at login. Changing the one changes nothing in the others, and here they differ.",
    why="What somebody set is not what an outage will meet: the change waits for a new record or a new login, or a new login "
    "will quietly undo what was set by hand.",
    thresholds="Replacement timeout, NOP-Out interval or NOP-Out timeout differ; settings that are not written count with "
    "open-iscsi's defaults (120, 5, 5 s), a half-off NOP-Out pair with what iscsid makes of it. The replacement timeout of a "
    "session under multipath is multipathd's (fast_io_fail_tmo of multipath.conf, 5 s where nothing is written): it differs only "
    "where it is neither that nor the record's. A session is compared with its record, a record with iscsid.conf.",
    see=(
        "grep timeo /etc/iscsi/iscsid.conf",
        "grep -r timeo /etc/iscsi/nodes /var/lib/iscsi/nodes",
        "grep . /sys/class/iscsi_session/session*/recovery_tmo /sys/class/iscsi_connection/connection*/{recv_tmo,ping_tmo}",
    ),
    remedy="Decide which value is meant and write it in all three places.",
    risk=Risk.SAFE,
    source="open-iscsi README sections 7 and 8; open-iscsi usr/idbm.c, usr/initiator_common.c",
)

OVERRIDDEN = Code(
    code="ISCSI_TIMEOUT_OVERRIDDEN",
    severities=(Severity.INFO,),
    title="multipathd sets the replacement timeout, not open-iscsi's files",
    meaning="These sessions lead to disks under multipath. multipathd writes its fast_io_fail_tmo into their recovery_tmo when it "
    "makes or changes a map, and the kernel then takes no other value from iscsid until logout. What iscsid.conf and the node "
    "record say is not in force.",
    why="Whoever wants another value changes iscsid.conf in vain. It is as it should be: under multipath a dead path is given up "
    "early, and no_path_retry decides how long I/O waits when none is left.",
    thresholds="The session's replacement timeout is what multipath.conf gives it (overrides, device blocks, multipath-tools' own "
    "table, defaults, else 5 s), and its record says another.",
    see=(
        "grep . /sys/class/iscsi_session/session*/recovery_tmo",
        "multipathd show config local | grep fast_io_fail_tmo",
    ),
    remedy="Nothing is wrong. For another value set fast_io_fail_tmo in multipath.conf, then multipathd reconfigure.",
    risk=Risk.SAFE,
    source="multipath-tools since 0.5.0, libmultipath/discovery.c (sysfs_set_session_tmo); Linux "
    "drivers/scsi/scsi_transport_iscsi.c (recovery_tmo_sysfs_override); seen with multipath-tools 0.9.4",
)

IGNORED = Code(
    code="ISCSI_SETTING_IGNORED",
    severities=(Severity.WARNING,),
    title="open-iscsi skips a line of iscsid.conf",
    meaning="A line sets something, but not in the form that open-iscsi reads: there must be white space before the '=' (name = "
    "value), and the last line needs its end of line. Other lines are skipped with no more than a line in the log.",
    why="The default is in force instead of what was written, and nobody notices before the outage it was written for.",
    thresholds="A line NAME=VALUE without white space before '=', a last line without a newline, or a line of more than 2046 "
    "characters.",
    see=("grep -nE '^[^# ]+=' /etc/iscsi/iscsid.conf", "tail -c1 /etc/iscsi/iscsid.conf | od -c"),
    remedy="Write the line as `name = value`. It then counts for records made from now on.",
    risk=Risk.SAFE,
    source="open-iscsi usr/idbm.c (idbm_recinfo_config); seen with open-iscsi 2.1.8",
)


def drift(look: Look) -> Result:
    """Session against record, record against iscsid.conf."""
    sessions, records, configuration = initiator_parts(look)
    if sessions == () and records == ():
        return not_applicable("no iSCSI session and no node record")
    unexamined = [Unexamined.of(part) for part in unknown_parts(sessions, records, configuration)]
    findings: list[Finding] = []
    examined = 0
    paths = Paths(look.inventory.block, look.inventory.dm)
    overridden: list[tuple[IscsiSession, Outage, NodeRecord, Override]] = []
    unknown: dict[Unexamined, None] = {}
    if not isinstance(sessions, Unavailable) and not isinstance(records, Unavailable):
        for session in sessions:
            found = records_of(session, records)
            outage = live(session)
            if not found or outage is None:
                # Made without a record (boot firmware), or the record is deleted: nothing to compare with.
                continue
            examined += 1
            maps = paths.multipath(session)
            given: Override | Unavailable | None = None
            if isinstance(maps, Unavailable):
                unexamined.append(Unexamined(what=f"paths to {session.target}", reason=maps.reason, detail=str(maps)))
                given = maps
            elif maps and all(effective(record.timeouts).replacement != outage.replacement for record in found):
                multipath = look.inventory.multipath
                given = multipath if isinstance(multipath, Unavailable) else override(multipath, maps[0].disk, maps[0].wwid)
                if isinstance(given, Unavailable):
                    unknown[Unexamined.of(given)] = None
                elif outage.replacement in given.values:
                    overridden.append((session, outage, found[0], given))
            findings.extend(_session(session, outage, found, given))
    if not isinstance(configuration, Unavailable):
        examined += 1
        findings.extend(_ignored(configuration))
        if not isinstance(records, Unavailable):
            examined += len(records)
            findings.extend(_records(configuration, records))
    findings.extend(_overridden(overridden))
    return Result(examined=examined, findings=tuple(findings), unexamined=(*unexamined, *unknown))


def _overridden(sessions: list[tuple[IscsiSession, Outage, NodeRecord, Override]]) -> Iterator[Finding]:
    """One finding a host."""
    if not sessions:
        return
    runs, says = (
        " or ".join(dict.fromkeys(words(seconds) for seconds in values))
        for values in (
            (outage.replacement for _, outage, _, _ in sessions),
            (effective(record.timeouts).replacement for _, _, record, _ in sessions),
        )
    )
    places = tuple(dict.fromkeys(given.place for _, _, _, given in sessions))
    one = len(sessions) == 1
    yield OVERRIDDEN.found(
        Subject(kind=SubjectKind.SETTING, id=FAST_IO_FAIL),
        f"{count(len(sessions), 'session')} under multipath {'runs' if one else 'run'} with the replacement timeout that "
        f"multipathd sets, {runs}; {'its record says' if one else 'their records say'} {says}",
        evidence(
            session_replacement_timeout=runs,
            record_replacement_timeout=says,
            fast_io_fail_tmo_from=some(places),
            sessions=some([session.identity for session, _, _, _ in sessions]),
            source=f"/sys/class/iscsi_session/session{sessions[0][0].number}, {places[0]}",
        ),
    )


def _session(
    session: IscsiSession,
    outage: Outage,
    records: tuple[NodeRecord, ...],
    given: Override | Unavailable | None,
) -> Iterator[Finding]:
    """One finding a session. With records in both places only one is the database in use: agreeing with one is enough. `given` is
    what multipathd would set where that matters."""
    right = isinstance(given, Unavailable) or (given is not None and outage.replacement in given.values)
    differing = [(record, _difference(effective(record.timeouts), outage, right)) for record in records]
    if any(not difference for _, difference in differing):
        return
    record, difference = differing[0]
    only_replacement = [name for name, _, _ in difference] == [REPLACEMENT]
    if only_replacement:
        wanted, how = difference[0][1], "The command gives the session what its record says."
        if isinstance(given, Override) and given.seconds is not None:
            wanted = given.seconds
            how = "multipathd would set fast_io_fail_tmo at its next look at the map (multipathd reconfigure); so does the command."
        commands = [f"echo {wanted if wanted >= 0 else 'off'} > /sys/class/iscsi_session/session{session.number}/recovery_tmo"]
        how += " It holds until logout, also against a restart of iscsid."
        if session.state != "LOGGED_IN":
            how += " The kernel takes it (no EBUSY) once the session is logged in again."
    else:
        commands = [f"{node(session)} --logout", f"{node(session)} --login"]
        how = (
            "NOP-Out settings change at login only. The commands take the disks of this session away and bring them back with "
            "what the record says: first stop what uses them. Without hurry, leave it to the next login."
        )
    yield DRIFT.found(
        session_subject(session),
        f"session with {session.target} runs with "
        + ", ".join(f"{_short(name)} {words(now)}, its record says {words(value)}" for name, value, now in difference)
        + (f", multipath {words(given.seconds)} ({given.place})" if isinstance(given, Override) and given.seconds else ""),
        evidence(
            **{f"record_{_short(name)}": value for name, value, _ in difference},
            **{f"session_{_short(name)}": value for name, _, value in difference},
            **({"fast_io_fail_tmo": given.seconds, "fast_io_fail_tmo_from": given.place} if isinstance(given, Override) else {}),
            record=record.path,
            source=f"/sys/class/iscsi_session/session{session.number}, {record.path}",
        ),
        commands=tuple(commands),
        remedy=f"{how} Where the session is right and the record wrong, update the record: {node(session)} -o update -n NAME -v "
        "VALUE.",
        risk=Risk.SAFE if only_replacement else Risk.DISRUPTIVE,
    )


def _difference(record: Outage, session: Outage, by_multipath: bool) -> list[tuple[str, int, int]]:
    """(setting, in the record, in the session) where they differ."""
    return [
        (name, record.setting(name), session.setting(name))
        for name in SETTINGS
        if record.setting(name) != session.setting(name) and not (by_multipath and name == REPLACEMENT)
    ]


def _records(configuration: InitiatorConfiguration, records: tuple[NodeRecord, ...]) -> Iterator[Finding]:
    """One finding a setting."""
    configured = effective(configuration.timeouts)
    for name in SETTINGS:
        wanted = configured.setting(name)
        recorded = [(record, effective(record.timeouts).setting(name)) for record in records]
        other = [record for record, value in recorded if value != wanted]
        if not other:
            continue
        values = sorted({value for _, value in recorded if value != wanted})
        written = _written(configuration, name)
        yield DRIFT.found(
            Subject(kind=SubjectKind.SETTING, id=name),
            f"{count(len(other), 'node record')} {'has' if len(other) == 1 else 'have'} {_short(name)} "
            f"{' or '.join(words(value) for value in values[:4])}, {configuration.path} {'says' if written else 'leaves it at'} "
            f"{words(wanted)}",
            evidence(
                configured=wanted,
                written=written,
                recorded=tuple(str(value) for value in values),
                records=some([record.path for record in other]),
                of_records=len(records),
                source=configuration.path,
            ),
            commands=update_commands(other, name, wanted),
            remedy=f"Records keep what {configuration.path} said when they were made. Where the file is right, bring the records "
            "in line; they take effect at the next login. Where a record was set on purpose, leave it, or write the value into "
            "the file: a new discovery writes the file's value into the records again.",
        )


def _written(configuration: InitiatorConfiguration, name: str) -> bool:
    """Whether the file sets it, or leaves it at open-iscsi's default."""
    timeouts = configuration.timeouts
    if name == REPLACEMENT:
        return timeouts.replacement_timeout is not None
    return (timeouts.noop_interval if name == INTERVAL else timeouts.noop_timeout) is not None


def _ignored(configuration: InitiatorConfiguration) -> Iterator[Finding]:
    for name in dict.fromkeys(configuration.ignored):
        yield IGNORED.found(
            Subject(kind=SubjectKind.SETTING, id=name),
            f"{configuration.path} sets {name} on a line that open-iscsi skips",
            evidence(source=configuration.path),
            commands=(f"grep -n {quote(name)} {quote(configuration.path)}",),
        )


def _short(name: str) -> str:
    return name.rsplit(".", 1)[1]


CHECKS: tuple[Check, ...] = (
    Check(
        name="iscsi-drift",
        title="iSCSI timeouts are the same in file, record and session",
        codes=(DRIFT, OVERRIDDEN, IGNORED),
        needs=("sessions", "node_records", "initiator_configuration", "block", "dm", "multipath"),
        run=drift,
    ),
)
