from __future__ import annotations

from typing import Any

import pytest

from sctune.findings import Risk, Severity
from sctune.unavailable import Reason
from tests.unit.iscsi_hosts import (
    IQN,
    MULTIPATH,
    REPLACEMENT,
    SESSION,
    configuration,
    connection,
    found,
    judge,
    record,
    session,
    setting,
    timeouts,
    unavailable,
    under,
)

# ISCSI_TIMEOUT_DRIFT, ISCSI_SETTING_IGNORED


def test_a_session_that_runs_with_other_settings_than_its_record() -> None:
    result = judge("iscsi-drift", sessions=(session(recovery_timeout=5),), node_records=(record(),))
    assert found(result) == [("ISCSI_TIMEOUT_DRIFT", SESSION)]
    (finding,) = result.findings
    assert finding.severity is Severity.WARNING
    facts = dict(finding.evidence)
    assert (facts["record_replacement_timeout"], facts["session_replacement_timeout"]) == (120, 5)
    assert finding.remedy.commands == ("echo 120 > /sys/class/iscsi_session/session1/recovery_tmo",)
    assert finding.remedy.risk is Risk.SAFE


def test_noop_settings_need_a_new_login() -> None:
    (finding,) = judge("iscsi-drift", sessions=(session(connection(noop_timeout=9)),), node_records=(record(),)).findings
    assert finding.remedy.risk is Risk.DISRUPTIVE
    assert finding.remedy.commands[0] == f"iscsiadm -m node -T {IQN} -p 10.0.0.5:3260 --logout"


def test_for_ever_is_for_ever() -> None:
    forever = record(timeouts(-5))
    parts: dict[str, Any] = {"initiator_configuration": configuration(timeouts(-1))}
    assert found(judge("iscsi-drift", sessions=(session(recovery_timeout=-1),), node_records=(forever,), **parts)) == []
    (finding,) = judge("iscsi-drift", sessions=(session(),), node_records=(forever,), **parts).findings
    assert finding.remedy.commands == ("echo off > /sys/class/iscsi_session/session1/recovery_tmo",)


OVERRIDDEN = ("ISCSI_TIMEOUT_OVERRIDDEN", setting("fast_io_fail_tmo"))


def test_multipathd_sets_the_replacement_timeout_itself() -> None:
    parts: dict[str, Any] = {"node_records": (record(),), **MULTIPATH}
    (finding,) = judge("iscsi-drift", sessions=(session(recovery_timeout=5),), **parts).findings
    assert finding.identity == OVERRIDDEN
    assert finding.severity is Severity.INFO
    facts = dict(finding.evidence)
    assert (facts["session_replacement_timeout"], facts["record_replacement_timeout"]) == ("5 s", "120 s")
    assert facts["fast_io_fail_tmo_from"] == ("multipath-tools' default",)
    one = session(connection(noop_interval=9), recovery_timeout=5)
    assert set(found(judge("iscsi-drift", sessions=(one,), **parts))) == {("ISCSI_TIMEOUT_DRIFT", SESSION), OVERRIDDEN}


def test_a_session_that_multipathd_has_not_set_yet_has_what_its_record_says() -> None:
    assert found(judge("iscsi-drift", sessions=(session(),), node_records=(record(),), **MULTIPATH)) == []


def test_a_session_that_is_neither_as_its_record_nor_as_multipath_says() -> None:
    parts: dict[str, Any] = {"node_records": (record(),), **under(text="overrides {\n fast_io_fail_tmo 7\n}\n")}
    (finding,) = judge("iscsi-drift", sessions=(session(recovery_timeout=60),), **parts).findings
    assert finding.identity == ("ISCSI_TIMEOUT_DRIFT", SESSION)
    assert "its record says 120 s, multipath 7 s (/etc/multipath.conf:2)" in finding.summary
    assert finding.remedy.commands == ("echo 7 > /sys/class/iscsi_session/session1/recovery_tmo",)
    (quiet,) = judge("iscsi-drift", sessions=(session(recovery_timeout=7),), **parts).findings
    assert quiet.identity == OVERRIDDEN


def test_where_multipathd_leaves_the_session_alone_the_record_counts() -> None:
    parts: dict[str, Any] = {"node_records": (record(),), **under(text="defaults {\n fast_io_fail_tmo off\n}\n")}
    (finding,) = judge("iscsi-drift", sessions=(session(recovery_timeout=5),), **parts).findings
    assert finding.identity == ("ISCSI_TIMEOUT_DRIFT", SESSION)
    assert finding.remedy.commands == ("echo 120 > /sys/class/iscsi_session/session1/recovery_tmo",)


def test_an_unread_multipath_conf_is_unknown_where_it_matters() -> None:
    parts: dict[str, Any] = {"node_records": (record(),), **under(multipath=unavailable(Reason.DENIED, "/etc/multipath.conf"))}
    result = judge("iscsi-drift", sessions=(session(recovery_timeout=60), session(recovery_timeout=60, number=2)), **parts)
    assert found(result) == []
    assert [item.what for item in result.unexamined] == ["/etc/multipath.conf"]
    assert judge("iscsi-drift", sessions=(session(),), **parts).unexamined == ()


@pytest.mark.parametrize(
    "other", [record(target="iqn.other"), record(address="10.0.0.6"), record(port=3261), record(interface="iface1")]
)
def test_another_targets_record_is_not_compared(other: object) -> None:
    assert found(judge("iscsi-drift", sessions=(session(recovery_timeout=5),), node_records=(other,))) == []


def test_records_in_both_places_need_only_one_that_agrees() -> None:
    stale = record(timeouts(15), path="/var/lib/iscsi/nodes/x")
    parts: dict[str, Any] = {"sessions": (session(),), "initiator_configuration": unavailable(Reason.ABSENT)}
    assert found(judge("iscsi-drift", node_records=(stale, record()), **parts)) == []
    assert found(judge("iscsi-drift", node_records=(stale,), **parts)) == [("ISCSI_TIMEOUT_DRIFT", SESSION)]


def test_records_that_differ_from_the_file_are_one_finding_a_setting() -> None:
    many = tuple(record(timeouts(15), path=f"/etc/iscsi/nodes/{n}") for n in range(20))
    result = judge("iscsi-drift", node_records=(*many, record()), initiator_configuration=configuration(timeouts(None)))
    (finding,) = result.findings
    assert finding.identity == ("ISCSI_TIMEOUT_DRIFT", setting(REPLACEMENT))
    facts = dict(finding.evidence)
    assert (facts["configured"], facts["written"], facts["recorded"], facts["of_records"]) == (120, False, ("15",), 21)
    assert len(finding.remedy.commands) == 1
    assert "leaves it at 120 s" in finding.summary


def test_what_is_not_set_counts_with_its_default() -> None:
    parts: dict[str, Any] = {"initiator_configuration": configuration(timeouts(120, None, 5))}
    assert found(judge("iscsi-drift", node_records=(record(timeouts(None, 5, None)),), **parts)) == []


@pytest.mark.parametrize("check", ["iscsi-drift", "iscsi-timeouts"])
def test_what_could_not_be_read_is_unexamined_and_an_absent_file_hides_nothing(check: str) -> None:
    refused = judge(check, sessions=(session(),), initiator_configuration=unavailable(Reason.DENIED, "/etc/iscsi/iscsid.conf"))
    assert [item.what for item in refused.unexamined] == ["/etc/iscsi/iscsid.conf"]
    absent = judge(check, sessions=(session(),), initiator_configuration=unavailable(Reason.ABSENT))
    assert absent.unexamined == ()


def test_a_line_that_open_iscsi_skips() -> None:
    skipped = configuration(ignored=(REPLACEMENT, REPLACEMENT))
    result = judge("iscsi-drift", node_records=(record(),), initiator_configuration=skipped)
    assert found(result) == [("ISCSI_SETTING_IGNORED", setting(REPLACEMENT))]
