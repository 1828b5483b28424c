from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sctune.config.model import Config
from sctune.findings import Severity, Subject, SubjectKind
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
    multipath_of,
    of_paths,
    record,
    session,
    setting,
    timeouts,
    unavailable,
    under,
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


def test_a_map_of_one_path_has_no_other_to_try() -> None:
    assert found(judge(sessions=(session(),), **under(1))) == []
    assert found(judge(sessions=(session(),), **under(2))) == [("ISCSI_TIMEOUTS_LAX", SESSION)]


def test_what_multipathd_sets_is_changed_in_multipath_conf() -> None:
    parts = under(text="devices {\n device {\n vendor IET\n product .*\n fast_io_fail_tmo 120\n }\n}\n")
    (finding,) = judge(sessions=(session(),), **parts).findings
    assert "lower fast_io_fail_tmo (/etc/multipath.conf:5)" in finding.remedy.text
    assert finding.remedy.commands == ()
    assert (dict(finding.evidence)["fast_io_fail_tmo"], dict(finding.evidence)["paths"]) == (120, 2)


# ISCSI_TIMEOUTS_AGGRESSIVE under multipath

MAP = Subject(kind=SubjectKind.DISK, id="36001")


@pytest.mark.parametrize(
    ("paths", "queues", "text", "survived"),
    [
        (2, False, "", 15.0),
        (1, False, "", 15.0),
        (2, True, "", None),
        (2, True, "no_path_retry queue", None),
        (2, True, "no_path_retry 2", 25.0),
        (2, True, "no_path_retry 3", None),
        (2, True, "no_path_retry 3\n polling_interval 2", 21.0),
        (2, True, 'features "1 queue_if_no_path"', None),
        # What the kernel was told counts while a path works.
        (2, False, "no_path_retry queue", 15.0),
    ],
)
def test_all_paths_lost_at_once(paths: int, queues: bool, text: str, survived: float | None) -> None:
    parts = under(paths, f"defaults {{\n {text}\n}}\n", queues=queues)
    result = judge(sessions=(session(recovery_timeout=5),), **parts)
    subject = MAP if paths > 1 else SESSION
    assert found(result) == ([] if survived is None else [("ISCSI_TIMEOUTS_AGGRESSIVE", subject)])
    for finding in result.findings:
        assert finding.severity is Severity.INFO
        facts = dict(finding.evidence)
        assert (facts["outage_survived_seconds"], facts["paths"]) == (survived, paths)


def test_the_last_path_is_that_of_the_session_that_holds_out_longest() -> None:
    device = dm_device("dm-3", "mpath-36001", targets=of_paths(2))
    disks = (disk("sda", "dm-3"), disk("sdb", "dm-3"))
    sessions = (session(recovery_timeout=5), session(recovery_timeout=15, number=2, disks=("sdb",)))
    (finding,) = judge(sessions=sessions, block=disks, dm=(device,), multipath=multipath_of()).findings
    assert dict(finding.evidence)["last_path_given_up_after_seconds"] == 25.0


def test_without_a_path_the_kernel_no_longer_tells() -> None:
    device = dm_device("dm-3", "mpath-36001", targets=of_paths(0, 2))
    parts: dict[str, Any] = {"sessions": (session(recovery_timeout=5),), "block": (disk("sda", "dm-3"),), "dm": (device,)}
    assert found(judge(multipath=multipath_of("defaults {\n no_path_retry 12\n}\n"), **parts)) == []
    assert found(judge(multipath=multipath_of(), **parts)) == [("ISCSI_TIMEOUTS_AGGRESSIVE", MAP)]


def test_how_long_a_map_waits_is_unknown_without_multipath_conf() -> None:
    denied = unavailable(Reason.DENIED, "/etc/multipath.conf")
    result = judge(sessions=(session(recovery_timeout=5),), **under(multipath=denied))
    assert [item.what for item in result.unexamined] == ["/etc/multipath.conf"]
    assert found(result) == []
    # What is not let wait, or survives long enough by itself, does not depend on it.
    assert found(judge(sessions=(session(recovery_timeout=5),), **under(queues=False, multipath=denied)))
    assert judge(sessions=(session(recovery_timeout=25),), **under(multipath=denied)).unexamined == ()


def test_an_ordinary_user_counts_the_disks_under_a_map() -> None:
    refused = replace(dm_device("dm-3", "mpath-36001"), targets=unavailable(Reason.DENIED))
    over = replace(disk("dm-3"), slaves=("sda", "sdb"))
    parts: dict[str, Any] = {"block": (disk("sda", "dm-3"), over), "dm": (refused,)}
    (finding,) = judge(sessions=(session(recovery_timeout=5),), multipath=multipath_of(), **parts).findings
    assert dict(finding.evidence)["paths"] == 2
    waits = multipath_of("defaults {\n no_path_retry 12\n}\n")
    assert found(judge(sessions=(session(recovery_timeout=5),), multipath=waits, **parts)) == []


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
