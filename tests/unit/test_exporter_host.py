"""The collectors of the initiator, tuning, pressure and quotas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sctune.config.model import AccountLimits, Config, Quotas
from sctune.exporters.prometheus.collector import Look, Memory
from sctune.exporters.prometheus.collectors.initiator import COLLECTOR as INITIATOR
from sctune.exporters.prometheus.collectors.initiator import STATES
from sctune.exporters.prometheus.collectors.lvm import COLLECTOR as LVM
from sctune.exporters.prometheus.collectors.pressure import COLLECTOR as PRESSURE
from sctune.exporters.prometheus.collectors.pressure import parse_totals
from sctune.exporters.prometheus.collectors.quota import COLLECTOR as QUOTA
from sctune.exporters.prometheus.collectors.tuning import COLLECTOR as TUNING
from sctune.exporters.prometheus.collectors.volumes import COLLECTOR as VOLUMES
from sctune.exporters.prometheus.kept_lvm import KeptLvm
from sctune.exporters.prometheus.look_inventory import LookInventory, LvmAge
from sctune.exporters.prometheus.options import Options
from sctune.exporters.prometheus.samples import Samples
from sctune.inventory import Inventory
from sctune.model.applied import Applied, Drift, Kind, Setting, Transaction
from sctune.model.block import BlockDevice, BlockKind
from sctune.model.initiator import IscsiConnection, IscsiSession
from sctune.model.io import ScsiCounters
from sctune.model.lvm import LvmReport
from sctune.model.system import Writeback
from sctune.model.units import GIB
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.collecting import Run, collect, recorded

ABSENT = Unavailable(reason=Reason.ABSENT, what="/sys/class/iscsi_session")
DENIED = Unavailable(reason=Reason.DENIED, what="/x")
NO_CHAINS = Unavailable(reason=Reason.NOT_COLLECTED, what="chains")
AT = ("iqn.t", "10.0.0.1:3260", "default")


def session(number: int = 1, state: str = "LOGGED_IN", **facts: object) -> IscsiSession:
    connection = IscsiConnection(
        name=f"connection{number}:0",
        address="10.0.0.1",
        port=3260,
        persistent_address="10.0.0.1",
        persistent_port=3260,
        noop_interval=5,
        noop_timeout=0,
        state="up",
    )
    values: dict[str, object] = {
        "target": "iqn.t",
        "tpgt": 1,
        "interface": "default",
        "initiator": "iqn.i",
        "recovery_timeout": 120,
        "abort_timeout": 15,
        "lu_reset_timeout": None,
        "connections": (connection,),
        "disks": ("sda",),
    }
    return IscsiSession(number=number, state=state, **(values | facts))  # type: ignore[arg-type]


def disk(name: str = "sda", session: int = 1) -> BlockDevice:
    return BlockDevice(
        name=name,
        kind=BlockKind.DISK,
        device=(8, 0),
        size=GIB,
        read_only=False,
        removable=False,
        rotational=True,
        scheduler="none",
        schedulers=("none",),
        read_ahead=131072,
        nr_requests=64,
        write_cache="write back",
        logical_block_size=512,
        slaves=(),
        holders=(),
        session=session,
        target_lun=1,
    )


def initiator(
    sessions: tuple[IscsiSession, ...],
    counted: tuple[ScsiCounters | Unavailable, ...] = (),
    memory: Memory | None = None,
    options: Options | None = None,
) -> Run:
    devices = tuple(disk(name, one.number) for one in sessions for name in one.disks)
    return collect(INITIATOR, memory=memory, options=options, sessions=sessions, scsi_io=counted, devices=devices)


@pytest.mark.parametrize(
    ("word", "state"), [("LOGGED_IN", "logged_in"), ("FAILED", "failed"), ("FREE", "free"), ("", "unknown"), ("ODD", "unknown")]
)
def test_all_states_are_there(word: str, state: str) -> None:
    run = initiator((session(state=word),))
    assert run.of("sctune_initiator_session_state") == {(*AT, one): float(one == state) for one in STATES}
    assert run.of("sctune_initiator_sessions") == {(one,): float(one == state) for one in STATES}


def test_no_initiator_is_no_session() -> None:
    run = collect(INITIATOR, sessions=ABSENT)
    assert run.of("sctune_initiator_sessions") == {(one,): 0 for one in STATES}
    assert run.why == ""
    assert "denied" in collect(INITIATOR, sessions=DENIED).why


def test_timeouts_that_mean_for_ever_are_absent() -> None:
    run = initiator((session(recovery_timeout=-1),))
    assert run.of("sctune_initiator_session_recovery_timeout_seconds") == {}
    assert run.of("sctune_initiator_session_abort_timeout_seconds") == {AT: 15}
    assert run.of("sctune_initiator_session_lun_reset_timeout_seconds") == {}
    assert run.of("sctune_initiator_connection_receive_timeout_seconds") == {AT: 5}
    assert run.of("sctune_initiator_connection_ping_timeout_seconds") == {AT: 0}


def counters(sent: int, errors: int = 0, name: str = "sda", timeouts: int | None = 0) -> ScsiCounters:
    return ScsiCounters(name=name, sent=sent, completed=sent, errors=errors, timeouts=timeouts)


def test_disks_over_the_edge_of_32_bits_and_a_new_login() -> None:
    memory = Memory()
    key = (*AT, "1")
    initiator((session(),), (counters(2**32 - 10),), memory)
    run = initiator((session(),), (counters(5),), memory)
    assert run.of("sctune_initiator_device_requests_total") == {key: 15}
    run = initiator((session(number=2, disks=("sdb",)),), (counters(40, name="sdb"),), memory)
    assert run.of("sctune_initiator_device_requests_total") == {key: 55}
    assert run.of("sctune_initiator_device_info") == {(*key, "sdb"): 1}
    assert run.of("sctune_initiator_session_info") == {(*AT, "session2", "iqn.i"): 1}
    assert initiator((), (), memory).of("sctune_initiator_device_requests_total") == {}


def test_kernel_that_counts_no_timeouts() -> None:
    run = initiator((session(),), (counters(5, timeouts=None),))
    assert run.of("sctune_initiator_device_timeouts_total") == {}
    assert run.of("sctune_initiator_device_errors_total") == {(*AT, "1"): 0}


def test_disk_that_cannot_be_read() -> None:
    run = initiator((session(),), (Unavailable(reason=Reason.MALFORMED, what="/sys/block/sda/device/ioerr_cnt"),))
    assert run.of("sctune_initiator_device_requests_total") == {}
    assert run.skipped == {"parse": 1}
    assert "ioerr_cnt" in run.why


def test_disk_that_cannot_be_read_once_makes_no_spike_afterwards() -> None:
    memory = Memory()
    lost = Unavailable(reason=Reason.FAILED, what="/sys/block/sda/device/iorequest_cnt")
    told = []
    for one in (counters(1_000_000), counters(1_000_010), lost, counters(1_000_020)):
        run = initiator((session(), session(2, target="iqn.u", disks=("sdb",))), (one, counters(7, name="sdb")), memory)
        told.append(run.of("sctune_initiator_device_requests_total").get((*AT, "1")))
        # The other one is told of all the while.
        assert run.of("sctune_initiator_device_requests_total")[("iqn.u", *AT[1:], "1")] == 0
        assert bool(run.why) is isinstance(one, Unavailable)
    assert told == [0, 10, None, 20]


def test_two_sessions_of_one_name_are_one_series() -> None:
    run = initiator((session(1), session(2, disks=("sdb",))))
    assert len(run.of("sctune_initiator_session_state")) == len(STATES)
    assert run.skipped["duplicate"] > 0
    assert run.of("sctune_initiator_sessions")[("logged_in",)] == 2


@pytest.mark.parametrize(
    ("words", "worst"),
    [
        (("LOGGED_IN", "FAILED"), "failed"),
        (("FAILED", "LOGGED_IN"), "failed"),
        (("LOGGED_IN", "FREE"), "free"),
        (("LOGGED_IN", ""), "unknown"),
        (("FREE", "FAILED", "LOGGED_IN"), "failed"),
    ],
)
@pytest.mark.parametrize("limit", [1, 10])
def test_a_failed_session_does_not_hide_behind_a_good_one_of_the_same_name(words: tuple[str, ...], worst: str, limit: int) -> None:
    sessions = tuple(session(number, word, disks=()) for number, word in enumerate(words, 1))
    run = initiator(sessions, options=Options(limits={"initiator": limit}))
    assert run.of("sctune_initiator_session_state") == {(*AT, one): float(one == worst) for one in STATES}


@pytest.mark.parametrize("name", ["storage-controller-healthy", "tgtd-killed", "network-lost"])
def test_recorded_initiators(name: str) -> None:
    run = collect(INITIATOR, recorded(name))
    assert run.why == ""
    assert sum(run.of("sctune_initiator_sessions").values()) > 0
    lost = sum(value for (state,), value in run.of("sctune_initiator_sessions").items() if state != "logged_in")
    assert bool(lost) is (name != "storage-controller-healthy")


def writeback(**facts: object) -> Writeback:
    values: dict[str, object] = {
        "dirty_ratio": 0.2,
        "dirty_bytes": 0,
        "background_ratio": 0.1,
        "background_bytes": 0,
        "limit": 400,
        "background_limit": None,
        "expire": 30.0,
        "interval": 5.0,
    }
    return Writeback(**(values | facts))  # type: ignore[arg-type]


def test_writeback_in_ratios_and_in_bytes() -> None:
    parts: dict[str, Any] = {"huge_pages": ABSENT, "devices": (), "chains": NO_CHAINS, "stores": NO_CHAINS}
    run = collect(TUNING, writeback=writeback(), **parts)
    assert run.of("sctune_vm_dirty_limit_ratio") == {(): 0.2}
    assert run.of("sctune_vm_dirty_limit_bytes") == {(): 400}
    assert run.of("sctune_vm_dirty_background_limit_bytes") == {}
    run = collect(TUNING, writeback=writeback(dirty_bytes=7, limit=7, background_bytes=3), **parts)
    assert run.of("sctune_vm_dirty_limit_ratio") == run.of("sctune_vm_dirty_background_limit_ratio") == {}
    assert "denied" in collect(TUNING, writeback=DENIED, **parts).why


def test_what_an_applied_profile_left_and_what_drifted() -> None:
    transaction = Transaction(
        number=3, profile="storage", version="0.1.0", state="applied", time=1_700_000_000.0, options=(), settings=()
    )
    kept = Setting(setting="vm.dirty_ratio", kind=Kind.VALUE, path="/proc/sys/vm/dirty_ratio")
    drift = Drift(setting="vm.swappiness", path="/proc/sys/vm/swappiness", wanted="10", now="60", by=transaction)
    applied = Applied(transactions=(transaction,), conforming=(kept,), drifted=(drift,), gone=(), unread=((kept, DENIED),))
    run = collect(TUNING, writeback=writeback(), huge_pages=ABSENT, devices=(), chains=NO_CHAINS, stores=NO_CHAINS, applied=applied)
    assert run.why == ""
    assert run.of("sctune_tuning_profile_info") == {("storage", "0.1.0"): 1}
    assert run.of("sctune_tuning_profile_applied_timestamp_seconds") == {("storage",): 1_700_000_000}
    assert run.of("sctune_tuning_settings") == {("conforming",): 1, ("drifted",): 1, ("gone",): 0, ("unread",): 1}
    assert run.of("sctune_tuning_setting_drifted") == {("vm.dirty_ratio",): 0, ("vm.swappiness",): 1}
    assert run.of("sctune_tuning_setting_drift_info") == {("vm.swappiness", "/proc/sys/vm/swappiness", "10", "60"): 1}


def test_record_of_applied_profiles_that_is_none() -> None:
    bad = Unavailable(reason=Reason.MALFORMED, what="/var/lib/sctune/applied.json")
    run = collect(TUNING, writeback=writeback(), huge_pages=ABSENT, devices=(), chains=NO_CHAINS, stores=NO_CHAINS, applied=bad)
    assert "applied.json" in run.why and run.of("sctune_vm_dirty_limit_ratio")


def test_queues_of_the_disks_under_volumes_alone() -> None:
    run = collect(TUNING, recorded("storage-controller-healthy"))
    assert run.why == ""
    assert run.of("sctune_block_queue_info").keys() == {("vda", "mq-deadline", "1", "write back")}
    assert run.of("sctune_block_queue_requests_limit") == {("vda",): 256}
    assert run.of("sctune_block_read_ahead_bytes") == {("vda",): 131072}
    assert len(run.of("sctune_transparent_hugepage_info")) == 1


PSI = "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n"


def test_pressure_is_off_unless_asked_for() -> None:
    assert PRESSURE.default is False
    meminfo = "MemTotal: 100 kB\nMemFree: 50 kB\nDirty: 3 kB\nWriteback: 1 kB\n"
    run = collect(PRESSURE, FakeHost(files={"/proc/pressure/io": PSI, "/proc/meminfo": meminfo}))
    assert run.why == ""
    assert run.of("sctune_pressure_io_waiting_seconds_total") == {(): 2.5}
    assert run.of("sctune_pressure_io_stalled_seconds_total") == {(): 0.001}
    assert run.of("sctune_writeback_dirty_bytes") == {(): 3072}
    # Without PSI there is nothing to say of it, and nothing wrong.
    run = collect(PRESSURE, FakeHost(files={"/proc/meminfo": meminfo}))
    assert run.why == "" and len(run.series) == 2
    assert "no lines" in collect(PRESSURE, FakeHost(files={"/proc/pressure/io": "x", "/proc/meminfo": meminfo})).why


@pytest.mark.parametrize("text", ["", "some", "some total=", "some total=-1", "some total=1e9", "other total=1", "\x00"])
def test_pressure_of_another_form(text: str) -> None:
    assert parse_totals(text) == {}


def test_quotas_that_nobody_set_give_nothing() -> None:
    run = collect(QUOTA, recorded("debian-plain"))
    assert (run.series, run.why) == ({}, "")


def test_quotas_of_host_and_accounts() -> None:
    quotas = Quotas(
        total=10 * GIB,
        accounts={"lab": AccountLimits(volumes=5, total=3 * GIB, owns=("vol-391d44be",)), "idle": AccountLimits(snapshots=2)},
        source="/etc/sctune/sctune.yaml",
    )
    run = collect(QUOTA, recorded("storage-controller-healthy"), config=Config(quotas=quotas))
    assert run.why == ""
    assert run.of("sctune_quota_limit_bytes")[("total",)] == 10 * GIB
    assert run.of("sctune_quota_limit_bytes")[("account/lab",)] == 3 * GIB
    used = run.of("sctune_quota_used_bytes")
    assert used[("total",)] > used[("account/lab",)] > 0
    assert used[("total",)] % GIB == 0  # as asked for, not the file's length
    assert run.of("sctune_quota_used_volumes") == {("account/lab",): 1}
    assert run.of("sctune_quota_limit_snapshots") == {("account/idle",): 2}
    assert run.of("sctune_quota_used_snapshots") == {("account/idle",): 0}


@pytest.mark.parametrize("part", ["lvm", "dm", "loops", "stores"])
def test_quota_whose_use_is_not_known_is_not_said_to_be_small(part: str) -> None:
    quotas = Quotas(total=10 * GIB, snapshots_total=5 * GIB, accounts={"lab": AccountLimits(volumes=5, snapshots=2, total=GIB)})
    blind: dict[str, Any] = {part: Unavailable(reason=Reason.TIMEOUT, what=part)}
    run = collect(QUOTA, recorded("eucalyptus-das"), config=Config(quotas=quotas), **blind)
    assert run.why == f"{part}: timeout"
    assert not [key for key in run.series if "_used_" in key[0]]
    assert run.of("sctune_quota_limit_bytes") == {("total",): 10 * GIB, ("snapshots_total",): 5 * GIB, ("account/lab",): GIB}
    assert run.of("sctune_quota_limit_volumes") == {("account/lab",): 5}


def test_what_may_lie_on_a_disk_that_lvm_was_kept_away_from_is_not_said_to_be_nothing() -> None:
    """Collectors that go by LVM's report give what they have and fail: an LV on that disk is in none of their numbers."""
    host = recorded("eucalyptus-das")
    report = Inventory(host, Config()).lvm
    assert isinstance(report, LvmReport)
    lost = replace(report, excluded=("sdq",))
    config = Config(quotas=Quotas(total=10 * GIB))
    for collector in (VOLUMES, LVM, QUOTA):
        whole, run = (collect(collector, host, config=config, lvm=one) for one in (report, lost))
        assert (whole.why, run.why) == ("", "logical volumes: timeout (LVM was kept away from devices that may hang: sdq)")
        assert run.series.items() <= whole.series.items()
    for total in ("sctune_volumes", "sctune_volumes_size_bytes", "sctune_quota_used_bytes"):
        assert not any(collect(one, host, config=config, lvm=lost).of(total) for one in (VOLUMES, QUOTA))


def test_quota_needs_neither_tgtd_nor_what_is_not_on_this_host() -> None:
    config = Config(quotas=Quotas(total=10 * GIB))
    whole = collect(QUOTA, recorded("eucalyptus-das"), config=config)
    for reason, part in ((Reason.TIMEOUT, "tgt"), (Reason.ABSENT, "stores")):
        parts: dict[str, Any] = {part: Unavailable(reason=reason, what=part)}
        run = collect(QUOTA, recorded("eucalyptus-das"), config=config, **parts)
        assert run.why == ""
        assert run.series == whole.series
    assert whole.of("sctune_quota_used_bytes")[("total",)] > 0
    assert {"sysfs", "lvm_fullreport"} <= set(whole.sources)


def test_quota_of_a_report_of_lvm_that_is_old_has_its_age() -> None:
    host = recorded("eucalyptus-das")
    inventory = Inventory(host, Config(quotas=Quotas(total=10 * GIB)))
    look = LookInventory(host, inventory.config, KeptLvm(lambda: inventory))
    _ = look.lvm
    look.lvm_age = LvmAge(read_at=1234.0, stale=True)
    samples = Samples()
    QUOTA.collect(Look(inventory=look, options=Options(), memory=Memory(), now=look.clock.now), samples)
    assert samples.read_at == 1234.0


def test_quota_over_a_store_that_hangs() -> None:
    run = collect(QUOTA, recorded("store-nfs-server-stopped"), config=Config(quotas=Quotas(total=10 * GIB)))
    assert run.why
    assert run.of("sctune_quota_limit_bytes") == {("total",): 10 * GIB}
    assert run.of("sctune_quota_used_bytes") == {}
