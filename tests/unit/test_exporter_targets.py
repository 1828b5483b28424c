"""The collectors of targets and LUNs: recorded hosts, every way in which tgtd is not there, counters over logouts and restarts."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.config.model import Config
from sctune.exporters.prometheus.collector import Memory
from sctune.exporters.prometheus.collectors.loop import COLLECTOR as LOOP
from sctune.exporters.prometheus.collectors.luns import COLLECTOR as LUNS
from sctune.exporters.prometheus.collectors.snapshots import COLLECTOR as SNAPSHOTS
from sctune.exporters.prometheus.collectors.target_sessions import COLLECTOR as TARGET_SESSIONS
from sctune.exporters.prometheus.collectors.targets import COLLECTOR as TARGETS
from sctune.exporters.prometheus.collectors.volumes import COLLECTOR as VOLUMES
from sctune.exporters.prometheus.collectors.volumes import STATES
from sctune.exporters.prometheus.options import Options, Selection
from sctune.host.base import FileKind, FileStat, TgtMode
from sctune.inventory import Inventory
from sctune.model.io import LunIo
from sctune.model.target import Connection, Nexus, Portal, TgtDaemon, TgtState
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.synthetic import storage_controller
from tests.unit.collecting import Run, collect, recorded
from tests.unit.storage_hosts import block, loop, loops, processes
from tests.unit.tgt_hosts import DENIED, HUNG, IQN, NO_TGT, SOCKET, lun, target

if TYPE_CHECKING:
    from sctune.model.target import Target

NO_CHAINS = Unavailable(reason=Reason.NOT_COLLECTED, what="chains")
AT = (IQN, "1")


def tgt(*targets: Target, unanswered: tuple[Unavailable, ...] = (), stale: tuple[int, ...] = ()) -> TgtState:
    daemon = TgtDaemon(
        control_port=0,
        state="ready",
        targets=targets or (target(),),
        portals=(Portal(address="0.0.0.0", port=3260, tpgt=1), Portal(address="::", port=3260, tpgt=1)),
        accounts=(),
        backing_types=(),
    )
    return TgtState(daemons=(daemon,), unanswered=unanswered, stale=stale)


def row(sid: int = 1, *, tid: int = 1, number: int = 1, read: int = 0, reads: int = 0, errors: int = 0, waiting: int = 0) -> LunIo:
    return LunIo(
        control_port=0,
        tid=tid,
        lun=number,
        sid=sid,
        read_bytes_submitted=read,
        reads_submitted=(reads + waiting) % 2**32,
        read_bytes=read,
        reads=reads % 2**32,
        write_bytes_submitted=0,
        writes_submitted=0,
        write_bytes=0,
        writes=0,
        errors=errors,
    )


def luns(*rows: object, memory: Memory | None = None, state: object = None, host: FakeHost | None = None) -> Run:
    return collect(LUNS, host, memory=memory, tgt=state or tgt(), tgt_io=rows, chains=NO_CHAINS)


@pytest.mark.parametrize("name", ["storage-controller-healthy", "cinder-lvm-thin", "tgt-and-lio-on-one-port", "eucalyptus-das"])
def test_recorded_hosts_answer_in_full(name: str) -> None:
    host = recorded(name)
    targets, disks = collect(TARGETS, host), collect(LUNS, host)
    assert (targets.why, disks.why) == ("", "")
    assert targets.of("sctune_target_up")[("tgt",)] == 1
    assert sum(targets.of("sctune_target_sessions").values()) == targets.of("sctune_sessions")[("tgt",)]
    assert len(disks.of("sctune_lun_info")) == sum(targets.of("sctune_target_luns").values()) > 0
    assert disks.of("sctune_lun_read_bytes_total").keys() == disks.of("sctune_lun_online").keys()
    assert all(key[2] for key in disks.of("sctune_lun_info"))  # each serves a volume that is known


def test_lio_is_told_beside_tgt() -> None:
    run = collect(TARGETS, recorded("cinder-lvm-thick+tgt+lio"))
    assert run.of("sctune_target_up") == {("lio",): 1, ("tgt",): 1}
    assert run.of("sctune_targets")[("lio",)] >= 1
    assert {"configfs", "tgt_socket"} == {*run.sources}
    assert any(key[0] == "lio" for key in run.of("sctune_target_portal_info"))


def test_tgtd_killed() -> None:
    run = collect(TARGETS, recorded("tgtd-killed"))
    assert run.why == ""  # that it is gone is known
    assert run.of("sctune_target_up") == {("tgt",): 0}
    assert run.of("sctune_tgt_daemons") == {("answering",): 0, ("silent",): 0, ("gone",): 1}


def test_no_tgtd_ever() -> None:
    run = collect(TARGETS, tgt=NO_TGT, lio=NO_TGT)
    assert (run.series, run.why) == ({}, "")
    assert collect(LUNS, tgt=NO_TGT).series == {}


@pytest.mark.parametrize("collector", [TARGETS, LUNS])
def test_may_not_be_asked(collector: object) -> None:
    run = collect(collector, tgt=DENIED, lio=NO_TGT)  # type: ignore[arg-type]
    assert run.series == {}
    assert "denied" in run.why and SOCKET in run.why


def test_hung_daemon_beside_one_that_answers() -> None:
    state = tgt(unanswered=(HUNG,))
    run = collect(TARGETS, tgt=state, lio=NO_TGT, chains=NO_CHAINS)
    assert "timeout" in run.why
    assert run.of("sctune_target_up") == {("tgt",): 0}
    assert run.of("sctune_target_sessions") == {(IQN,): 0}
    # Counters are not told of half the sessions: they would fall, and rise again.
    run = luns(row(read=5), state=state)
    assert run.of("sctune_lun_online") == {AT: 1}
    assert run.of("sctune_lun_read_bytes_total") == {}


@pytest.mark.parametrize("state", [DENIED, HUNG, TgtState(daemons=(), unanswered=(HUNG,), stale=())])
def test_a_silent_tgtd_hides_exports_and_nothing_else(state: object) -> None:
    """Of a look at the very host whose tgtd answers: all other samples are the same, and none is made up."""
    host = storage_controller(3)
    host.files["/proc/diskstats"] = "".join(f"   7 {n} loop{n} {' 1' * 17}\n" for n in range(3))
    whole = {collector.name: collect(collector, host) for collector in (VOLUMES, SNAPSHOTS, LOOP)}
    blind = {collector.name: collect(collector, host, tgt=state) for collector in (VOLUMES, SNAPSHOTS, LOOP)}
    assert [run.why for run in (*whole.values(), *blind.values())] == [""] * 6
    for same in ("snapshots", "loop"):
        assert blind[same].series == whole[same].series
    gone = {key[0] for name in whole for key in whole[name].series.keys() - blind[name].series.keys()}
    assert gone == {"sctune_volume_layer_ready", "sctune_volume_sessions", "sctune_volume_info"}
    assert blind["volumes"].of("sctune_volume_sessions") == {}
    layers = blind["volumes"].of("sctune_volume_layer_ready")
    assert layers == {at: one for at, one in whole["volumes"].of("sctune_volume_layer_ready").items() if at[1] != "target"}
    assert blind["volumes"].of("sctune_volume_info") == {}  # with an empty target it would be another series
    assert blind["volumes"].of("sctune_volumes") == {(state,): 3.0 * (state == "unknown") for state in STATES}
    for same in ("sctune_volume_size_bytes", "sctune_volumes_size_bytes", "sctune_volume_created_timestamp_seconds"):
        assert blind["volumes"].of(same) == whole["volumes"].of(same) != {}


@pytest.mark.parametrize("part", ["tgt", "dm", "lvm", "loops", "stores"])
def test_no_volume_is_described_by_other_labels_because_a_part_cannot_be_looked_at(part: str) -> None:
    whole = collect(VOLUMES, recorded("eucalyptus-das")).of("sctune_volume_info")
    run = collect(VOLUMES, recorded("eucalyptus-das"), **{part: HUNG})  # type: ignore[arg-type]
    assert whole
    assert run.of("sctune_volume_info") == {}
    assert run.of("sctune_volume_state")


def test_a_loop_device_that_a_silent_tgtd_may_export_is_not_called_orphaned() -> None:
    host = FakeHost(files={"/proc/diskstats": ""})
    stray = loops(loop(7, backing_file="/srv/somebodys"))
    for state, orphaned in ((HUNG, {}), (tgt(), {("loop7",): 1.0})):
        run = collect(LOOP, host, tgt=state, loops=stray, block=(block("loop7"),), mounts=(), processes=processes())
        assert run.why == ""
        assert run.of("sctune_loop_orphaned") == orphaned


def test_one_silent_daemon_hides_only_what_the_other_one_does_not_export() -> None:
    host = storage_controller(2)
    answering = Inventory(host, Config()).tgt
    assert isinstance(answering, TgtState)
    (daemon,) = answering.daemons
    half = TgtState(daemons=(replace(daemon, targets=daemon.targets[:1]),), unanswered=(HUNG,), stale=())
    run = collect(VOLUMES, storage_controller(2), tgt=half)
    assert run.why == ""
    assert len(run.of("sctune_volume_sessions")) == 1
    assert len([at for at in run.of("sctune_volume_layer_ready") if at[1] == "target"]) == 1


def test_a_volume_that_is_being_made_fails_nothing() -> None:
    """Its loop device is there and its LV not yet: what that is to be cannot be told, and nothing is left unread."""
    host = storage_controller(2)
    seen = Inventory(host, Config())
    report, devices, served = seen.lvm, seen.dm, seen.tgt
    assert not isinstance(report, Unavailable)
    assert not isinstance(devices, Unavailable)
    assert isinstance(served, TgtState)
    (daemon,) = served.daemons
    (coming, *_) = report.logical_volumes
    parts: dict[str, Any] = {
        "lvm": replace(report, logical_volumes=tuple(lv for lv in report.logical_volumes if lv != coming)),
        "dm": tuple(one for one in devices if one.uuid != coming.dm_uuid),
        "tgt": TgtState(daemons=(replace(daemon, targets=daemon.targets[1:]),), unanswered=(), stale=()),
    }
    run = collect(VOLUMES, storage_controller(2), **parts)
    assert run.why == ""
    assert run.of("sctune_volumes")["unknown",] == 1


def test_what_else_cannot_be_read_still_fails_the_volumes() -> None:
    run = collect(VOLUMES, storage_controller(1), tgt=HUNG, loops=Unavailable(reason=Reason.DENIED, what="/sys/block"))
    assert run.why == "/sys/block: denied"


@pytest.mark.parametrize("part", ["loops", "stores", "lvm", "dm", "chains", "sessions"])
def test_totals_of_volumes_that_may_be_too_small_are_not_told(part: str) -> None:
    totals = ("sctune_volumes", "sctune_volumes_size_bytes", "sctune_volumes_allocated_bytes")
    whole = collect(VOLUMES, storage_controller(2))
    assert all(whole.of(name) for name in totals)
    parts: dict[str, Any] = {part: Unavailable(reason=Reason.TIMEOUT, what=part)}
    run = collect(VOLUMES, storage_controller(2), **parts)
    assert f"{part}: timeout" in run.why
    assert [name for name in totals if run.of(name)] == []


@pytest.mark.parametrize("answer", ["garbage", "Target x: y\n", "", "\x00\xff", "Target 1: " + "a" * 100_000])
def test_garbage_stays_in_these_collectors(answer: str) -> None:
    host = FakeHost(files={f"{SOCKET}": ""}, tgt_answers={(mode, 0, None): answer for mode in TgtMode})
    for collector in (TARGETS, LUNS):
        run = collect(collector, host, lio=NO_TGT, chains=NO_CHAINS)
        assert run.why or not any(name.startswith("sctune_lun") for name, *_ in run.series)


def test_garbage_in_the_counters_alone() -> None:
    bad = Unavailable(reason=Reason.MALFORMED, what="tgtadm --op stat --mode sys", detail="a row is 'x'")
    run = luns(bad)
    assert "malformed" in run.why
    assert run.of("sctune_lun_online") == {AT: 1}


def test_sessions_and_connections() -> None:
    nexuses = (
        Nexus(sid=1, initiator="a", alias="", connections=(Connection(cid=0, address="1"), Connection(cid=1, address="1"))),
        Nexus(sid=2, initiator="b", alias="", connections=()),
    )
    run = collect(TARGETS, tgt=tgt(target(nexuses=nexuses, state="offline")), lio=NO_TGT, chains=NO_CHAINS)
    assert run.of("sctune_target_sessions") == {(IQN,): 2}
    assert run.of("sctune_target_connections") == {(IQN,): 2}
    assert run.of("sctune_target_ready") == {(IQN,): 0}
    assert run.of("sctune_target_luns") == {(IQN,): 1}


def logged_in(*sids: int) -> TgtState:
    """Two paths of one initiator, and another one."""
    names = {1: "iqn.i:a", 2: "iqn.i:a", 3: "iqn.i:b"}
    return tgt(
        target(
            nexuses=tuple(
                Nexus(sid=sid, initiator=names[sid], alias="", connections=(Connection(cid=0, address=f"10.0.0.{sid}"),))
                for sid in sids
            )
        )
    )


def by_initiator(state: TgtState, *rows: LunIo, memory: Memory | None = None, detail: bool = True) -> Run:
    return collect(TARGET_SESSIONS, memory=memory, detail=detail, tgt=state, tgt_io=rows, chains=NO_CHAINS)


def test_sessions_by_initiator_are_told_on_demand_alone() -> None:
    assert not TARGET_SESSIONS.default
    run = by_initiator(logged_in(1, 2, 3))
    assert run.of("sctune_target_initiator_sessions") == {(IQN, "iqn.i:a"): 2, (IQN, "iqn.i:b"): 1}
    assert run.of("sctune_target_initiator_connections") == {(IQN, "iqn.i:a"): 2, (IQN, "iqn.i:b"): 1}
    assert (IQN, "iqn.i:a", "2", "10.0.0.2") in run.of("sctune_target_session_info")
    assert by_initiator(logged_in(1), detail=False).series == {}
    assert collect(TARGET_SESSIONS, tgt=NO_TGT).series == {}
    assert "denied" in collect(TARGET_SESSIONS, tgt=DENIED).why


def test_counters_of_an_initiator_are_those_of_all_its_sessions() -> None:
    memory, name = Memory(), "sctune_target_initiator_read_bytes_total"
    by_initiator(logged_in(1, 2, 3), row(1, read=100), row(2, read=10), row(3, read=1), memory=memory)
    run = by_initiator(logged_in(1, 2, 3), row(1, read=150), row(2, read=15), row(3, read=1), memory=memory)
    assert run.of(name) == {(IQN, "iqn.i:a"): 55, (IQN, "iqn.i:b"): 0}
    run = by_initiator(logged_in(2), row(2, read=20), row(9, read=5), memory=memory)
    assert run.of(name) == {(IQN, "iqn.i:a"): 60}  # b has gone, and with it its series
    run = by_initiator(replace(logged_in(2), unanswered=(HUNG,)), row(2, read=30), memory=memory)
    assert run.of(name) == {}
    assert "timeout" in run.why


@pytest.mark.parametrize("name", ["storage-controller-healthy", "cinder-lvm-thin", "eucalyptus-das"])
def test_recorded_sessions_by_initiator(name: str) -> None:
    run = collect(TARGET_SESSIONS, recorded(name))
    sessions = run.of("sctune_target_initiator_sessions")
    assert run.why == ""
    assert sum(sessions.values()) == sum(collect(TARGETS, recorded(name)).of("sctune_target_sessions").values())
    assert run.of("sctune_target_initiator_written_bytes_total").keys() == sessions.keys()


def test_counters_over_logout_and_login() -> None:
    memory = Memory()
    values = [
        luns(*rows, memory=memory).of("sctune_lun_read_bytes_total")[AT]
        for rows in ([row(1, read=100)], [row(1, read=150), row(2, read=30)], [row(2, read=40)], [], [row(3, read=7)])
    ]
    assert values == [0, 80, 90, 90, 97]


def test_two_sessions_of_one_lun_are_one_counter() -> None:
    memory = Memory()
    luns(memory=memory)
    run = luns(row(1, read=5, reads=3, waiting=2), row(2, read=6, reads=4, waiting=1), row(1, number=0), memory=memory)
    assert run.of("sctune_lun_reads_completed_total") == {AT: 7}
    assert run.of("sctune_lun_reads_in_flight") == {AT: 3}


def test_commands_wrap() -> None:
    memory = Memory()
    luns(row(reads=2**32 - 5, errors=2**32 - 1), memory=memory)
    run = luns(row(reads=2**32 + 7, errors=2, waiting=3), memory=memory)
    assert run.of("sctune_lun_reads_completed_total") == {AT: 12}
    assert run.of("sctune_lun_errors_total") == {AT: 3}
    assert run.of("sctune_lun_reads_in_flight") == {AT: 3}


def test_restarted_tgtd_with_the_same_session_number() -> None:
    """The next tgtd counts from 0 under the same numbers; its socket is another one."""

    def socket(inode: int) -> FakeHost:
        found = FileStat(kind=FileKind.OTHER, size=0, allocated=0, device=1, inode=inode, mtime=inode)
        return FakeHost(files={SOCKET: ""}, stats={SOCKET: found})

    memory = Memory()
    luns(row(read=100), memory=memory, host=socket(1))
    first = luns(row(read=160), memory=memory, host=socket(1)).of("sctune_lun_read_bytes_total")[AT]
    # More than before: the numbers alone would say that 40 bytes were read.
    second = luns(row(read=200), memory=memory, host=socket(2)).of("sctune_lun_read_bytes_total")[AT]
    assert (first, second) == (60, 260)


def test_lun_that_is_gone_has_no_series() -> None:
    memory = Memory()
    luns(row(read=5), memory=memory)
    run = luns(row(tid=2, read=5), memory=memory, state=tgt(target(tid=2, iqn="iqn.other")))
    assert run.of("sctune_lun_read_bytes_total") == {("iqn.other", "1"): 5}
    again = luns(row(sid=9, read=3), memory=memory)
    assert again.of("sctune_lun_read_bytes_total") == {AT: 3}


def test_what_is_filtered_is_still_counted() -> None:
    memory = Memory()
    without = Options(volumes=Selection(exclude=(re.compile(".*"),)))
    collect(LUNS, memory=memory, options=without, tgt=tgt(), tgt_io=(), chains=NO_CHAINS)
    run = collect(LUNS, memory=memory, options=without, tgt=tgt(), tgt_io=(row(read=5),), chains=NO_CHAINS)
    assert run.series == {} and run.skipped == {"filter": 1}
    assert luns(row(read=9), memory=memory).of("sctune_lun_read_bytes_total") == {AT: 9}


def test_once_and_no_more() -> None:
    run = collect(LUNS, options=Options(once=True), tgt=tgt(), tgt_io=(row(read=5),), chains=NO_CHAINS)
    assert run.of("sctune_lun_read_bytes_total") == {AT: 5}


def test_cap_and_detail() -> None:
    many = tgt(*(target(lun(), tid=n, iqn=f"iqn.{n}") for n in range(5)))
    run = collect(TARGETS, tgt=many, lio=NO_TGT, chains=NO_CHAINS, options=Options(limits={"targets": 2}))
    assert (len(run.of("sctune_target_ready")), run.skipped) == (2, {"limit": 3})
    assert run.of("sctune_targets") == {("tgt",): 5}
    small = collect(TARGETS, tgt=many, lio=NO_TGT, chains=NO_CHAINS, detail=False)
    assert small.of("sctune_target_ready") == {} and small.of("sctune_sessions") == {("tgt",): 0}


def test_tgtadm_is_named_where_no_socket_lies_there() -> None:
    assert collect(TARGETS, tgt=tgt(), lio=NO_TGT, chains=NO_CHAINS).sources == ["tgtadm"]
    run = collect(TARGETS, FakeHost(files={SOCKET: ""}), tgt=tgt(), lio=NO_TGT, chains=NO_CHAINS)
    assert run.sources == ["tgt_socket"]
