"""tgtd itself: down, unresponsive, not started at boot; what went with it; calls that hang."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sctune.chain_state import Unexported, unexported
from sctune.checks import tgt, tgt_exports
from sctune.config.model import Config, Thresholds
from sctune.findings import Cause, Risk, Subject, SubjectKind
from sctune.tgt_process import control_port_of, daemon_of, port_of_socket
from sctune.unavailable import CannotLook, Reason
from tests.unit.iscsi_hosts import connection, session
from tests.unit.serving_hosts import DAS, GIB, chain, chains, loop, lv
from tests.unit.storage_hosts import block as a_block
from tests.unit.storage_hosts import dm, loops
from tests.unit.storage_hosts import loop as a_loop
from tests.unit.storage_hosts import mount as a_mount
from tests.unit.tgt_hosts import (
    BOOT,
    DENIED,
    HUNG,
    IQN,
    NO_TGT,
    codes,
    configured,
    daemon,
    facts,
    look,
    only,
    process,
    processes,
    run,
    state,
    target,
    unavailable,
    unit,
)

if TYPE_CHECKING:
    from sctune.model.chain import Chain
    from sctune.model.initiator import IscsiSession

DAEMON, ENABLED = tgt.CHECKS
LOST, STUCK = tgt_exports.CHECKS
TGTD = Subject(kind=SubjectKind.PROCESS, id="tgtd")

DEAD: dict[str, Any] = {"tgt": state(stale=(0,)), "processes": processes()}
"""A daemon ran and does not now: its socket refuses connections."""


def broken_session(**changes: Any) -> IscsiSession:
    local = connection(local=True, persistent_address="10.0.0.5")
    return session(local, **({"state": "FAILED"} | changes))


def volume(*, activated: float | None = 400.0, **links: Any) -> Chain:
    """A Eucalyptus volume that is attached and active."""
    name = "vol-00000001"
    parts: dict[str, Any] = {"loops": (loop(1, GIB),), "lv": lv(f"euca-{name}", GIB), "dm": dm(activated=activated)}
    return chain(name, **(parts | links))


# --- TGT_DOWN


def test_a_healthy_daemon() -> None:
    result = run(DAEMON)
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_a_host_without_tgt() -> None:
    result = run(DAEMON, tgt=NO_TGT, processes=processes(), units=(), tgt_configuration=NO_TGT)
    assert result.not_applicable == "no tgtd runs, and nothing here needs one"


def test_tgt_installed_and_stopped_with_nothing_to_serve() -> None:
    assert run(DAEMON, tgt=NO_TGT, processes=processes(), units=(unit(active="inactive"),)).not_applicable


def test_a_socket_left_behind_is_no_fault_by_itself() -> None:
    result = run(DAEMON, **DEAD, units=(unit(active="inactive"),))
    assert result.findings == ()
    assert result.not_applicable is not None
    assert "since boot" in result.not_applicable


def test_sessions_with_oneself_that_lost_their_target() -> None:
    finding = only(run(DAEMON, **DEAD, sessions=(broken_session(),), units=unavailable(Reason.ABSENT, "systemd")))
    assert (finding.code, finding.subject) == ("TGT_DOWN", TGTD)
    assert finding.remedy.commands == ("service tgt start",)
    assert facts(finding)["socket_left_behind"] is True


@pytest.mark.parametrize(
    "innocent",
    [
        broken_session(state="LOGGED_IN"),
        session(connection(local=False), state="FAILED"),
        session(connection(local=None), state="FAILED"),
    ],
)
def test_sessions_that_prove_nothing(innocent: IscsiSession) -> None:
    assert run(DAEMON, **DEAD, sessions=(innocent,)).findings == ()


def test_what_lio_serves_needs_no_tgtd() -> None:
    lost = broken_session()
    assert run(DAEMON, **DEAD, sessions=(lost,), lio=(lost.target,)).findings == ()
    assert run(DAEMON, **DEAD, tgt_configuration=configured(IQN), lio=("iqn.other",)).findings == ()


def test_a_session_with_a_target_that_was_never_tgts() -> None:
    nothing = {"tgt": NO_TGT, "processes": processes(), "units": (), "tgt_configuration": NO_TGT}
    assert run(DAEMON, **nothing, sessions=(broken_session(target="iqn.2026-01.org.example:scst"),)).findings == ()
    assert run(DAEMON, **nothing, sessions=(broken_session(),)).findings, "its name says that Eucalyptus made it, by tgtadm"


def test_volumes_that_nothing_exports() -> None:
    finding = only(run(DAEMON, **DEAD, chains=chains(volume())))
    assert facts(finding)["volumes_not_exported"] == ("vol-00000001",)
    assert finding.remedy.commands == ("systemctl start tgt", "systemctl restart eucalyptus-cloud")


@pytest.mark.parametrize(
    "innocent",
    [
        volume(loops=()),
        volume(dm=None, lv=None),
        volume(backend=DAS, loops=()),
        volume(ours=False),
    ],
)
def test_volumes_that_need_no_tgtd(innocent: Chain) -> None:
    assert run(DAEMON, **DEAD, chains=chains(innocent)).findings == ()


def test_a_service_that_died() -> None:
    failed = unit("tgtd.service", active="failed", enabled="disabled")
    finding = only(run(DAEMON, **DEAD, units=(failed,)))
    assert "tgtd.service has failed" in finding.summary
    assert finding.remedy.commands == ("systemctl start tgtd",)
    assert run(DAEMON, tgt=NO_TGT, processes=processes(), units=(failed,)).findings == (), "it never served anything"


def test_targets_configured_for_an_enabled_service() -> None:
    stopped = {"tgt": NO_TGT, "processes": processes(), "tgt_configuration": configured(IQN)}
    assert codes(run(DAEMON, **stopped, units=(unit(active="inactive"),))) == [("TGT_DOWN", "critical", "tgtd")]
    assert run(DAEMON, **stopped, units=(unit(active="inactive", enabled="disabled"),)).findings == ()


def test_loop_devices_that_are_attached_for_nobody() -> None:
    by_hand: dict[str, Any] = {"tgt": state(stale=(7,)), "processes": processes(), "loops": loops(a_loop(3))}
    finding = only(run(DAEMON, **by_hand))
    assert (finding.code, finding.subject.id, finding.remedy.commands) == ("TGT_DOWN", "tgtd:7", ("tgtd -C 7",))
    assert "stopped on purpose" in finding.remedy.text
    assert run(DAEMON, **(by_hand | {"tgt": NO_TGT})).findings == (), "no tgtd ran since boot"


def test_loop_devices_and_a_service_that_was_stopped() -> None:
    by_service: dict[str, Any] = DEAD | {"loops": loops(a_loop(3))}
    assert run(DAEMON, **by_service, units=(unit(active="inactive"),)).findings == ()
    assert run(DAEMON, **by_service, units=()).findings


@pytest.mark.parametrize(
    "parts",
    [
        {"loops": loops(a_loop(3, read_only=True))},
        {"loops": loops(a_loop(3, autoclear=True))},
        {"block": (a_block("loop3", holders=("dm-0",)),)},
        {"mounts": (a_mount(device=(7, 3)),)},
        {"chains": chains(chain("x", ours=False, lv=lv("x", GIB)), by_loop={"loop3": chain("x", ours=False, lv=lv("x", GIB))})},
        {"mounts": DENIED},
        {"lio": ("iqn.lio",)},
    ],
    ids=str,
)
def test_loop_devices_that_prove_nothing(parts: dict[str, Any]) -> None:
    by_hand: dict[str, Any] = {"tgt": state(stale=(7,)), "processes": processes(), "loops": loops(a_loop(3))}
    assert run(DAEMON, **(by_hand | parts)).findings == ()


def test_a_second_daemon_that_died() -> None:
    other = broken_session(connections=(connection(local=True, persistent_address="10.0.0.5", persistent_port=3261),))
    parts = {"tgt": state(daemon(target()), stale=(7,)), "sessions": (other,)}
    finding = only(run(DAEMON, **parts))
    assert finding.subject.id == "tgtd:7"
    assert finding.remedy.commands == ("tgtd -C 7",)
    served = {"tgt": state(daemon(target()), stale=(7,)), "sessions": (broken_session(),)}
    assert run(DAEMON, **served).findings == (), "the daemon that answers listens there"


def test_what_cannot_be_told() -> None:
    for parts in (
        {"tgt": DENIED},
        {"tgt": DENIED, "processes": processes()},
        {"tgt": unavailable(Reason.NOT_COLLECTED), "processes": unavailable(Reason.NOT_COLLECTED)},
        {"tgt": NO_TGT, "processes": processes(process())},
        {"tgt": NO_TGT, "processes": processes(), "units": (unit(main_pid=55),)},
        {"tgt": state(stale=(0,)), "processes": processes(process())},
        {"tgt": state(unanswered=(unavailable(Reason.MALFORMED),))},
    ):
        result = run(DAEMON, **({"tgt_configuration": configured(IQN)} | parts))
        assert (result.findings, len(result.unexamined), result.not_applicable) == ((), 1, None), parts


# --- TGT_UNRESPONSIVE


@pytest.mark.parametrize(
    ("letter", "command", "risk"),
    [("T", "kill -CONT 100", Risk.SAFE), ("D", "cat /proc/100/stack", Risk.SAFE), ("S", "systemctl restart tgt", Risk.DISRUPTIVE)],
)
def test_a_daemon_that_does_not_answer(letter: str, command: str, risk: Risk) -> None:
    finding = only(run(DAEMON, tgt=state(unanswered=(HUNG,)), processes=processes(process(state=letter))))
    assert (finding.code, finding.subject, finding.remedy.risk) == ("TGT_UNRESPONSIVE", TGTD, risk)
    assert command in finding.remedy.commands
    assert facts(finding)["state"] == letter
    if risk is Risk.DISRUPTIVE:
        assert "lost" in finding.remedy.text


def test_the_process_of_the_daemon_that_hangs() -> None:
    silent = unavailable(Reason.TIMEOUT, "/var/run/tgtd/socket.7")
    mine = process(pid=107, argv=("tgtd", "-f", "-C", "7"), state="T")
    parts = {"tgt": state(daemon(target()), unanswered=(silent,)), "processes": processes(process(), mine)}
    result = run(DAEMON, **parts)
    assert only(result).subject.id == "tgtd:7"
    assert only(result).remedy.commands == ("kill -CONT 107",)
    assert result.examined == 2
    assert only(run(DAEMON, **(parts | {"processes": DENIED}))).remedy.commands


@pytest.mark.parametrize(
    ("argv", "port"),
    [
        (("tgtd",), 0),
        (("tgtd", "-C", "7"), 7),
        (("tgtd", "-C7"), 7),
        (("tgtd", "--control-port", "7", "-f"), 7),
        (("tgtd", "--control-port=7"), 7),
        (("tgtd", "-C"), 0),
        (("tgtd", "-C", "x"), 0),
    ],
)
def test_control_ports_in_arguments(argv: tuple[str, ...], port: int) -> None:
    found = process(argv=argv)
    assert control_port_of(found) == port
    assert daemon_of(port, processes(found)) is found
    assert daemon_of(port + 1, processes(found)) is None


def test_control_ports_in_paths() -> None:
    assert [port_of_socket(path) for path in ("/var/run/tgtd/socket.12", "tgtadm --lld iscsi", "socket.²")] == [12, 0, 0]


# --- TGT_NOT_ENABLED


@pytest.mark.parametrize("enabled", ["disabled", "masked"])
def test_a_daemon_that_serves_and_is_not_enabled(enabled: str) -> None:
    finding = only(run(ENABLED, units=(unit(enabled=enabled),)))
    assert (finding.code, finding.subject) == ("TGT_NOT_ENABLED", TGTD)
    assert finding.remedy.commands[-1] == "systemctl enable tgt"


@pytest.mark.parametrize("enabled", ["enabled", "static", "", "generated"])
def test_units_that_are_well(enabled: str) -> None:
    assert run(ENABLED, units=(unit(enabled=enabled),)).findings == ()


def test_where_enabling_is_no_question() -> None:
    disabled = (unit(enabled="disabled"),)
    assert run(ENABLED, units=disabled, tgt=state(daemon())).not_applicable
    assert run(ENABLED, units=(unit(load="not-found", enabled=""),)).not_applicable
    assert run(ENABLED, units=disabled, tgt=state(daemon(target(), control_port=7))).not_applicable
    with pytest.raises(CannotLook):
        run(ENABLED, units=unavailable(Reason.TIMEOUT, "systemctl show"))


# --- TGT_EXPORT_LOST


def test_a_volume_older_than_its_tgtd() -> None:
    finding = only(run(LOST, chains=chains(volume(activated=400.0))))
    assert (finding.code, finding.subject.id, finding.caused_by) == ("TGT_EXPORT_LOST", "vol-00000001", None)
    assert facts(finding)["activated_seconds_after_boot"] == 400.0
    assert facts(finding)["tgtd_started_seconds_after_boot"] == 500.0


def test_volumes_that_lost_nothing() -> None:
    younger = volume(activated=600.0)
    at_rest = chain("vol-00000002")
    result = run(LOST, chains=chains(younger, at_rest))
    assert (result.examined, result.findings, result.unexamined) == (2, (), ())


def test_every_volume_of_a_tgtd_that_is_down() -> None:
    finding = only(run(LOST, **DEAD, chains=chains(volume(), chain("vol-00000002"))))
    assert finding.caused_by == Cause(code="TGT_DOWN", subject=TGTD)
    down = only(run(DAEMON, **DEAD, chains=chains(volume())))
    assert (down.code, down.subject) == (finding.caused_by.code, finding.caused_by.subject)


def test_exports_that_cannot_be_told() -> None:
    for parts in (
        {"tgt": DENIED},
        {"tgt": state(unanswered=(HUNG,))},
        {"processes": DENIED},
        {"chains": chains(volume(activated=None))},
        DEAD | {"chains": chains(volume(lv=None, dm=None)), "lvm": DENIED},
    ):
        result = run(LOST, **({"chains": chains(volume())} | parts))
        assert (result.findings, len(result.unexamined), result.examined) == ((), 1, 0), parts


def test_it_is_lvm_that_could_not_be_asked_and_not_the_tgtd_that_is_not_there() -> None:
    refused = unavailable(Reason.DENIED, "lvm fullreport")
    nowhere = {"tgt": unavailable(Reason.ABSENT, "/var/run/tgtd"), "processes": processes()}
    attached = chains(volume(lv=None, dm=None), chain("vol-00000002", loops=(loop(2, GIB),)))
    for parts in (nowhere, DEAD, {}):
        result = run(LOST, **({"chains": attached, "lvm": refused} | parts))
        assert [(item.what, item.reason) for item in result.unexamined] == [("lvm fullreport", Reason.DENIED)]


def test_a_loop_device_without_an_lv_was_never_exported() -> None:
    result = run(LOST, **DEAD, chains=chains(volume(lv=None, dm=None)))
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_no_cloud_here() -> None:
    assert run(LOST, chains=chains(volume(ours=False))).not_applicable


def test_the_states_this_rests_on() -> None:
    assert unexported(volume(), state(daemon(target())), processes(process())) is Unexported.LOST
    assert unexported(volume(), DEAD["tgt"], DEAD["processes"]) is Unexported.UNSERVED


# --- TGTADM_STUCK


def call(age: float, pid: int = 200) -> Any:
    return process("tgtadm", pid, started=BOOT - age, argv=("tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "show"))


def test_calls_that_hang() -> None:
    finding = only(run(STUCK, processes=processes(process(), tgtadm=(call(5, 201), call(11, 202), call(700, 203)))))
    assert (finding.code, finding.subject.id, str(finding.severity)) == ("TGTADM_STUCK", "tgtadm", "warning")
    assert facts(finding)["pids"] == ("203", "202")
    assert finding.remedy.commands == ("kill 203 202",)
    assert "2 calls of tgtadm hang, the oldest for 12 min" in finding.summary


def test_calls_that_are_young_enough() -> None:
    result = run(STUCK, processes=processes(process(), tgtadm=(call(10.0),)))
    assert (result.examined, result.findings) == (1, ())
    strict = Config(thresholds=Thresholds(tgtadm_stuck_seconds=9.0))
    assert run(STUCK, strict, processes=processes(tgtadm=(call(10.0),))).findings


def test_calls_that_wait_for_a_hung_daemon() -> None:
    finding = only(run(STUCK, tgt=state(unanswered=(HUNG,)), processes=processes(process(state="T"), tgtadm=(call(60),))))
    assert finding.caused_by == Cause(code="TGT_UNRESPONSIVE", subject=TGTD)
    assert finding.remedy.commands == ()


def test_processes_that_cannot_be_seen() -> None:
    with pytest.raises(CannotLook):
        run(STUCK, processes=unavailable(Reason.TIMEOUT, "process table"))


def test_the_catalogue_is_complete() -> None:
    for check in (*tgt.CHECKS, *tgt_exports.CHECKS):
        for code in check.codes:
            assert all((code.title, code.meaning, code.why, code.thresholds, code.see, code.remedy, code.source)), code.code
            needed = set(check.needs)
            assert needed <= set(look().inventory.parts), check.name
