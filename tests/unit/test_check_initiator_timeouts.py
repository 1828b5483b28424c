from __future__ import annotations

from typing import Any

import pytest

from sctune.config.model import Config
from sctune.findings import Severity
from sctune.unavailable import Reason
from tests.unit.iscsi_hosts import (
    INTERVAL,
    IQN,
    MULTIPATH,
    REPLACEMENT,
    SESSION,
    TIMEOUT,
    configuration,
    connection,
    disk,
    dm_device,
    found,
    judge,
    record,
    session,
    setting,
    timeouts,
    unavailable,
    unit,
)

# ISCSI_TIMEOUTS_AGGRESSIVE


@pytest.mark.parametrize(
    ("interval", "timeout", "recovery", "short"),
    [(5, 5, 20, False), (5, 5, 19, True), (5, 1, 15, True), (0, 0, 7200, False), (0, 0, 0, True), (5, 5, -1, False)],
)
def test_outage_survived_on_a_single_path(interval: int, timeout: int, recovery: int, short: bool) -> None:
    one = session(connection(noop_interval=interval, noop_timeout=timeout), recovery_timeout=recovery)
    result = judge(sessions=(one,), node_records=(record(),))
    assert found(result) == ([("ISCSI_TIMEOUTS_AGGRESSIVE", SESSION)] if short else [])


def test_advice_is_info_until_the_host_is_meant_to_follow_it() -> None:
    parts: dict[str, Any] = {"sessions": (session(recovery_timeout=5),)}
    (advice,) = judge(**parts).findings
    assert advice.severity is Severity.INFO
    assert dict(advice.evidence)["outage_survived_seconds"] == 15.0
    (wanted,) = judge(config=Config(wanted=frozenset({"ISCSI_TIMEOUTS_AGGRESSIVE"})), **parts).findings
    assert wanted.severity is Severity.WARNING
    assert wanted.remedy.commands == (
        f"iscsiadm -m node -T {IQN} -p 10.0.0.5:3260 -o update -n {REPLACEMENT} -v 120",
        "echo 120 > /sys/class/iscsi_session/session1/recovery_tmo",
    )


def test_a_lost_session_cannot_be_set_now() -> None:
    lost = session(recovery_timeout=5, state="FREE")
    (advice,) = judge(sessions=(lost,)).findings
    assert not [command for command in advice.remedy.commands if command.startswith("echo")]
    (finding,) = judge("iscsi-drift", sessions=(lost,), node_records=(record(),)).findings
    assert "EBUSY" in finding.remedy.text


def test_records_without_a_session_say_what_the_next_login_gets() -> None:
    short = record(timeouts(15, 5, 1))
    result = judge(node_records=(short, record(path="/other")))
    assert ("ISCSI_TIMEOUTS_AGGRESSIVE", setting(REPLACEMENT)) in found(result)
    # A live session answers for its record.
    assert found(judge(sessions=(session(),), node_records=(short,))) == []


@pytest.mark.parametrize(
    "hint",
    [
        {"dm": (dm_device("dm-0", "mpath-36001"),)},
        {"dm": unavailable(Reason.DENIED)},
        {"units": (unit("multipathd.service", "active", 5),)},
    ],
)
def test_short_records_may_be_meant_where_multipath_is(hint: dict[str, Any]) -> None:
    assert found(judge(node_records=(record(timeouts(15, 5, 1)),), **hint)) == []


def test_a_session_without_disks_or_without_settings_is_not_judged() -> None:
    quick = session(recovery_timeout=1)
    assert found(judge(sessions=(session(recovery_timeout=1, disks=()),))) == []
    assert found(judge(sessions=(session(connection(noop_interval=None), recovery_timeout=1),))) == []
    assert found(judge(sessions=(quick,)))


# ISCSI_TIMEOUTS_LAX


@pytest.mark.parametrize(
    ("interval", "timeout", "recovery", "lax"),
    [(5, 10, 15, False), (5, 10, 16, True), (5, 5, 5, False), (5, 5, 120, True), (5, 5, -1, True), (0, 0, 5, True)],
)
def test_a_path_of_a_multipath_map(interval: int, timeout: int, recovery: int, lax: bool) -> None:
    one = session(connection(noop_interval=interval, noop_timeout=timeout), recovery_timeout=recovery)
    result = judge(sessions=(one,), **MULTIPATH)
    assert found(result) == ([("ISCSI_TIMEOUTS_LAX", SESSION)] if lax else [])
    for finding in result.findings:
        assert finding.severity is Severity.INFO
        assert dict(finding.evidence)["maps"] == ("mpatha",)
        assert finding.remedy.commands


def test_another_kind_of_map_is_no_multipath() -> None:
    parts: dict[str, Any] = {"block": (disk("sda", "dm-3"),), "dm": (dm_device("dm-3", "LVM-abc"),)}
    assert found(judge(sessions=(session(),), **parts)) == []


@pytest.mark.parametrize(
    "parts", [{"block": unavailable(Reason.FAILED)}, {"block": (disk("sda", "dm-3"),), "dm": unavailable(Reason.DENIED)}]
)
def test_unknown_paths_are_unexamined(parts: dict[str, Any]) -> None:
    result = judge(sessions=(session(recovery_timeout=5),), **parts)
    assert result.unexamined
    assert not result.findings


# ISCSI_NOOP_HALF_OFF


@pytest.mark.parametrize(
    ("interval", "timeout", "zero"),
    [(0, 5, INTERVAL), (0, None, INTERVAL), (5, 0, TIMEOUT), (None, 0, TIMEOUT), (0, 0, None), (None, None, None), (5, 5, None)],
)
def test_half_off(interval: int | None, timeout: int | None, zero: str | None) -> None:
    half = timeouts(120, interval, timeout)
    expected = [] if zero is None else [("ISCSI_NOOP_HALF_OFF", setting(zero))]
    assert found(judge(node_records=(record(half),))) == expected
    result = judge(node_records=(record(),), initiator_configuration=configuration(half))
    assert found(result) == expected
    assert all(finding.severity is Severity.WARNING for finding in result.findings)


def test_half_off_everywhere_is_one_finding_and_no_drift() -> None:
    half = timeouts(120, 0, 5)
    parts: dict[str, Any] = {
        "sessions": (session(),),
        "node_records": (record(half),),
        "initiator_configuration": configuration(half),
    }
    (finding,) = judge(**parts).findings
    assert dict(finding.evidence)["count"] == 2
    assert finding.remedy.commands == (
        f"printf '\\n{TIMEOUT} = 0\\n' >> /etc/iscsi/iscsid.conf",
        f"iscsiadm -m node -T {IQN} -p 10.0.0.5:3260 -o update -n '{TIMEOUT}' -v 0",
    )
    assert found(judge("iscsi-drift", **parts)) == []
