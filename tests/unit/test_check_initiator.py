from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.findings import Cause, Severity, Subject, SubjectKind
from sctune.model.target import Portal, TgtDaemon, TgtState
from sctune.probes import iscsi_sessions
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit.iscsi_hosts import (
    CHECKS,
    IQN,
    NO_PROCESSES,
    SESSION,
    WITH_ISCSID,
    configuration,
    connection,
    disk,
    found,
    record,
    recorded_tree,
    run,
    session,
    setting,
    timeouts,
    unavailable,
    unit,
)

if TYPE_CHECKING:
    from sctune.check import Check


# A host that only has open-iscsi installed, or not even that.


@pytest.mark.parametrize("name", ["iscsi-timeouts", "iscsi-drift", "iscsi-secrets"])
def test_open_iscsi_merely_installed_is_not_judged(name: str) -> None:
    parts: dict[str, Any] = {"initiator_configuration": configuration(timeouts(1, 0, 5))}
    assert run(CHECKS[name], **parts).not_applicable
    assert run(CHECKS[name]).not_applicable


@pytest.mark.parametrize("name", ["iscsid", "iscsi-sessions"])
def test_without_sessions_there_is_nothing_to_look_at(name: str) -> None:
    assert run(CHECKS[name], sessions=()).not_applicable
    with pytest.raises(CannotLook):
        run(CHECKS[name])


@pytest.mark.parametrize("name", ["iscsi-timeouts", "iscsi-drift"])
def test_refused_records_without_a_session_are_unknown(name: str) -> None:
    with pytest.raises(CannotLook):
        run(CHECKS[name], sessions=(), node_records=unavailable(Reason.DENIED))


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_healthy_initiator_has_no_finding(check: Check) -> None:
    parts: dict[str, Any] = {
        "sessions": (session(),),
        "processes": WITH_ISCSID,
        "block": (disk(),),
        "node_records": (record(secret=True, exposed=False),),
        "initiator_configuration": configuration(timeouts(None, None, None)),
    }
    result = run(check, **{name: part for name, part in parts.items() if name in check.needs})
    assert result.examined
    assert not result.findings
    assert not result.unexamined


# ISCSID_DOWN


def test_sessions_without_a_daemon() -> None:
    result = run(CHECKS["iscsid"], sessions=(session(), session(number=2)), processes=NO_PROCESSES)
    (finding,) = result.findings
    assert finding.identity == ("ISCSID_DOWN", Subject(kind=SubjectKind.PROCESS, id="iscsid"))
    assert finding.severity is Severity.CRITICAL
    assert dict(finding.evidence)["sessions"] == 2
    assert finding.remedy.commands == ("service iscsid start",)


def test_the_remedy_is_systemds_where_systemd_is() -> None:
    units = (unit("iscsid.service", "failed"),)
    (finding,) = run(CHECKS["iscsid"], sessions=(session(),), processes=NO_PROCESSES, units=units).findings
    assert finding.remedy.commands == ("systemctl start iscsid.service",)
    assert dict(finding.evidence)["unit"] == "iscsid.service is failed"


def test_sessions_of_an_adapter_need_no_daemon() -> None:
    assert run(CHECKS["iscsid"], sessions=(session(creator=-1),), processes=NO_PROCESSES).not_applicable


def test_a_daemon_in_another_process_namespace_is_unknown_not_down() -> None:
    units = (unit("iscsid.service", "active", 700),)
    result = run(CHECKS["iscsid"], sessions=(session(),), processes=NO_PROCESSES, units=units)
    assert not result.findings
    assert result.unexamined


def test_in_a_container_the_daemon_may_run_outside() -> None:
    """A container with a process namespace of its own sees the host's sessions in sysfs and not the host's processes."""
    inside = replace(NO_PROCESSES, contained=True)
    result = run(CHECKS["iscsid"], sessions=(session(),), processes=inside)
    assert not result.findings
    assert result.examined == 0
    assert [item.what for item in result.unexamined] == ["iscsid"]
    (lost,) = run(CHECKS["iscsi-sessions"], sessions=(session(state="FREE"),), processes=inside).findings
    assert lost.caused_by is None


def test_an_unreadable_process_table_is_unknown() -> None:
    with pytest.raises(CannotLook):
        run(CHECKS["iscsid"], sessions=(session(),), processes=unavailable(Reason.TIMEOUT))


# ISCSI_SESSION_FAILED


@pytest.mark.parametrize(
    ("state", "recovery", "words"),
    [("FAILED", 120, "fails 120 s after the loss"), ("FAILED", -1, "until the session is back"), ("FREE", 120, "sda fails")],
)
def test_a_lost_session(state: str, recovery: int, words: str) -> None:
    lost = session(state=state, recovery_timeout=recovery)
    result = run(CHECKS["iscsi-sessions"], sessions=(lost, session(number=2)), block=(disk(state="blocked"),))
    assert found(result) == [("ISCSI_SESSION_FAILED", SESSION)]
    finding = result.findings[0]
    assert words in finding.summary
    assert dict(finding.evidence)["disks"] == ("sda blocked",)
    assert finding.caused_by is None
    assert result.examined == 2


LOCAL = session(connection(persistent_address="127.0.0.1", local=True), state="FAILED")


def daemon(port: int = 3260, address: str = "0.0.0.0") -> TgtDaemon:
    portal = Portal(address=address, port=port, tpgt=1)
    return TgtDaemon(control_port=0, state="ready", targets=(), portals=(portal,), accounts=(), backing_types=())


def tgt(*daemons: TgtDaemon, hanging: str = "", stale: tuple[int, ...] = ()) -> TgtState:
    unanswered = (unavailable(Reason.TIMEOUT, hanging),) if hanging else ()
    return TgtState(daemons=daemons, unanswered=unanswered, stale=stale)


@pytest.mark.parametrize(
    ("state", "code", "subject"),
    [
        (tgt(stale=(0,)), "TGT_DOWN", "tgtd"),
        (tgt(stale=(7,)), "TGT_DOWN", "tgtd:7"),
        (tgt(daemon(3261), stale=(3,)), "TGT_DOWN", "tgtd:3"),
        (tgt(), "TGT_DOWN", "tgtd"),
        (unavailable(Reason.ABSENT), "TGT_DOWN", "tgtd"),
        (tgt(hanging="/var/run/tgtd/socket.0"), "TGT_UNRESPONSIVE", "tgtd"),
        (tgt(hanging="/var/run/tgtd/socket.4"), "TGT_UNRESPONSIVE", "tgtd:4"),
    ],
)
def test_the_own_target_daemon_explains_a_session_that_leads_back(state: TgtState, code: str, subject: str) -> None:
    (finding,) = run(CHECKS["iscsi-sessions"], sessions=(LOCAL,), tgt=state, processes=WITH_ISCSID).findings
    assert finding.caused_by == Cause(code=code, subject=Subject(kind=SubjectKind.PROCESS, id=subject))


@pytest.mark.parametrize("state", [tgt(daemon()), tgt(daemon(address="127.0.0.1"), stale=(3,)), unavailable(Reason.DENIED)])
def test_a_daemon_that_serves_the_portal_or_may_not_be_asked_explains_nothing(state: object) -> None:
    (finding,) = run(CHECKS["iscsi-sessions"], sessions=(LOCAL,), tgt=state, processes=WITH_ISCSID).findings
    assert finding.caused_by is None


def test_a_target_of_lio_is_not_explained_by_tgtd() -> None:
    (finding,) = run(CHECKS["iscsi-sessions"], sessions=(LOCAL,), tgt=tgt(stale=(0,)), lio=(IQN,), processes=WITH_ISCSID).findings
    assert finding.caused_by is None


def test_another_hosts_target_is_not_explained_by_the_own_daemon() -> None:
    (finding,) = run(CHECKS["iscsi-sessions"], sessions=(session(state="FREE"),), tgt=tgt(stale=(0,))).findings
    assert finding.caused_by is None


def test_a_missing_iscsid_explains_that_nobody_logs_in_again() -> None:
    (finding,) = run(CHECKS["iscsi-sessions"], sessions=(session(state="FREE"),), processes=NO_PROCESSES).findings
    assert finding.caused_by == Cause(code="ISCSID_DOWN", subject=Subject(kind=SubjectKind.PROCESS, id="iscsid"))


def test_the_recorded_host_whose_target_daemon_was_killed() -> None:
    lost = iscsi_sessions.probe(recorded_tree("tgtd-killed"))
    assert not isinstance(lost, Unavailable)
    state = TgtState(daemons=(), unanswered=(), stale=(0,))
    result = run(CHECKS["iscsi-sessions"], sessions=lost, tgt=state, processes=WITH_ISCSID)
    assert [finding.code for finding in result.findings] == ["ISCSI_SESSION_FAILED"] * 2
    assert {finding.caused_by for finding in result.findings} == {
        Cause(code="TGT_DOWN", subject=Subject(kind=SubjectKind.PROCESS, id="tgtd"))
    }


# ISCSI_SECRETS_EXPOSED


def test_a_secret_that_others_may_read() -> None:
    path = f"/etc/iscsi/nodes/{IQN}/10.0.0.5,3260,1/default with space"
    records = (record(secret=True, exposed=True, path=path), record(secret=True, exposed=False), record())
    result = run(CHECKS["iscsi-secrets"], node_records=records, initiator_configuration=configuration(secret=True, exposed=False))
    assert found(result) == [("ISCSI_SECRETS_EXPOSED", setting(path))]
    assert result.findings[0].remedy.commands == (f"chmod o-rwx '{path}'",)
    assert result.examined == 3


def test_a_secret_whose_mode_is_not_known_and_files_that_were_refused() -> None:
    result = run(
        CHECKS["iscsi-secrets"],
        node_records=unavailable(Reason.DENIED, "/etc/iscsi/nodes"),
        initiator_configuration=configuration(secret=True, exposed=None),
    )
    assert not result.findings
    assert result.examined == 0
    assert [item.what for item in result.unexamined] == ["/etc/iscsi/nodes", "/etc/iscsi/iscsid.conf"]


def test_every_code_is_filled_in() -> None:
    codes = [code for check in CHECKS.values() for code in check.codes]
    assert len({code.code for code in codes}) == len(codes) == 9
    for code in codes:
        for text in (code.title, code.meaning, code.why, code.thresholds, code.remedy, code.source):
            assert len(text) > 10
        assert code.see
        assert code.advice == (code.severities == (Severity.INFO, Severity.WARNING))
