"""For each alert a fault that makes it fire, and ordinary life that does not, as promtool's series at one a minute.

Series are written without `job` and `instance`, which all of them have. `_` is a scrape without this sample.
"""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 60


@dataclass(frozen=True)
class Case:
    """What is scraped, and how many alerts are firing at minute `at`."""

    series: dict[str, str]
    at: int
    firing: int = 0


def fault(at: int, series: dict[str, str], firing: int = 1) -> Case:
    return Case(series=series, at=at, firing=firing)


def ordinary(at: int, series: dict[str, str]) -> Case:
    return Case(series=series, at=at)


def _one(metric: str, wait: int, bad: str = "1x60", *, good: str = "0x60", labels: str = "") -> tuple[Case, ...]:
    """An alert on a gauge: bad for longer than it waits; good; bad for a moment; gone (a detach) after it was bad."""
    name = f"{metric}{{{labels}}}"
    step = f"{bad.split('x', maxsplit=1)[0]}x{max(wait - 1, 0)}"
    return (
        fault(wait + 2, {name: bad}),
        ordinary(wait + 2, {name: good}),
        *((ordinary(wait + 3, {name: f"{step} {good}"}),) if wait else ()),
        ordinary(wait + 30, {name: f"{bad.split('x', maxsplit=1)[0]} _x60"}),
    )


def _snapshot(used: str, size: str = "1000x600") -> dict[str, str]:
    return {
        'sctune_snapshot_cow_used_bytes{snapshot="s"}': used,
        'sctune_snapshot_cow_size_bytes{snapshot="s"}': size,
    }


def _copy(done: str) -> dict[str, str]:
    at = '{snapshot="s",volume="v",operation="save"}'
    return {f"sctune_snapshot_copy_done_bytes{at}": done, f"sctune_snapshot_copy_size_bytes{at}": "1000x60"}


def _store(files: str, avail: str) -> dict[str, str]:
    return {
        'sctune_filesystem_volume_files_size_bytes{mountpoint="/a"}': files,
        'sctune_filesystem_volume_files_size_bytes{mountpoint="/b"}': "0x800",
        'sctune_filesystem_size_bytes{mountpoint="/a"}': "500x800",
        'sctune_filesystem_size_bytes{mountpoint="/b"}': "500x800",
        'sctune_filesystem_avail_bytes{mountpoint="/a"}': avail,
        'sctune_filesystem_avail_bytes{mountpoint="/b"}': "500x800",
    }


def _sessions(sessions: str, targets: str) -> dict[str, str]:
    return {'sctune_sessions{driver="tgt"}': sessions, 'sctune_targets{driver="tgt"}': targets}


_LUN = '{target="t",lun="1"}'


def _lun(kind: str, in_flight: str, done: str) -> dict[str, str]:
    return {f"sctune_lun_{kind}_in_flight{_LUN}": in_flight, f"sctune_lun_{kind}_completed_total{_LUN}": done}


def _thin(data: str, metadata: str) -> dict[str, str]:
    pool = '{vg="v",lv="p"}'
    return {
        f"sctune_lvm_thin_pool_data_used_bytes{pool}": data,
        f"sctune_lvm_thin_pool_data_size_bytes{pool}": "100x60",
        f"sctune_lvm_thin_pool_metadata_used_bytes{pool}": metadata,
        f"sctune_lvm_thin_pool_metadata_size_bytes{pool}": "100x60",
    }


def _vg(free: str, volumes: str) -> dict[str, str]:
    return {
        'sctune_lvm_vg_free_bytes{vg="v"}': free,
        'sctune_lvm_vg_size_bytes{vg="v"}': "100x60",
        'sctune_lvm_vg_logical_volumes{vg="v"}': volumes,
    }


def _quota(used: str, limit: str = "10x60", kind: str = "bytes") -> dict[str, str]:
    return {f'sctune_quota_used_{kind}{{quota="total"}}': used, f'sctune_quota_limit_{kind}{{quota="total"}}': limit}


_SESSION = 'target="t",portal="p",interface="default"'
_FINDING = 'code="X",severity="critical",subject="volume/v"'
_NODE = 'node_memory_Dirty_bytes{job="node",instance="h:9100"}'

CASES: dict[str, tuple[Case, ...]] = {
    "SctuneDown": _one("up", 5, "0x60", good="1x60"),
    "SctuneCollectorFailing": _one("sctune_scrape_collector_success", 15, "0x60", good="1x60", labels='collector="lvm"'),
    "SctuneScrapeSlow": _one("sctune_scrape_collector_duration_seconds", 15, "3x60", good="1x60", labels='collector="lvm"'),
    "SctuneDataStale": (
        fault(25, {'sctune_scrape_collector_data_timestamp_seconds{collector="lvm"}': "0x60"}),
        ordinary(40, {'sctune_scrape_collector_data_timestamp_seconds{collector="lvm"}': "0+60x60"}),
        # A restart: it had been stuck for ten minutes.
        ordinary(40, {'sctune_scrape_collector_data_timestamp_seconds{collector="lvm"}': "0x9 600+60x60"}),
    ),
    "SctuneVolumeBroken": _one("sctune_volume_state", 5, labels='volume="v",state="broken"'),
    "SctuneVolumeLayerMissing": (
        fault(
            8,
            {
                'sctune_volume_layer_ready{volume="v",layer="file"}': "1x60",
                'sctune_volume_layer_ready{volume="v",layer="lvm"}': "0x60",
            },
        ),
        ordinary(8, {'sctune_volume_layer_ready{volume="v",layer="file"}': "1x60"}),
        # A detach takes down target, LV and loop, one after the other; what is left is the file.
        ordinary(
            30,
            {
                'sctune_volume_layer_ready{volume="v",layer="file"}': "1x60",
                'sctune_volume_layer_ready{volume="v",layer="target"}': "1x5 0x1 _x60",
            },
        ),
    ),
    "SctuneVolumeLeftover": _one("sctune_volume_state", HOUR, "1x90", good="0x90", labels='volume="v",state="leaked"'),
    "SctuneVolumeCopyLong": (
        fault(12 * HOUR + 5, {'sctune_volume_copies{volume="v"}': "1x800"}),
        ordinary(12 * HOUR + 5, {'sctune_volume_copies{volume="v"}': "1x300 0x30 1x500"}),
    ),
    "SctuneSnapshotInvalid": _one("sctune_snapshot_state", 0, labels='snapshot="s",state="invalid"'),
    "SctuneSnapshotFillingUp": (
        fault(10, _snapshot("850x60")),
        ordinary(10, _snapshot("700x60")),
        ordinary(30, _snapshot("850x3 _x60")),  # removed
        ordinary(10, _snapshot("850x60", "2000x60")),  # grown
    ),
    "SctuneSnapshotNearlyFull": (fault(3, _snapshot("960x60")), ordinary(3, _snapshot("940x60"))),
    "SctuneSnapshotWillFill": (
        fault(80, _snapshot("350+5x200")),
        ordinary(80, _snapshot("350x200")),
        ordinary(3, _snapshot("100+100x60")),  # the first samples of a new snapshot under load
        ordinary(80, _snapshot("0+1x200")),
    ),
    "SctuneSnapshotOld": (
        fault(9 * 24 * HOUR, {'sctune_snapshot_created_timestamp_seconds{snapshot="s"}': f"0x{9 * 24 * HOUR}"}),
        ordinary(3 * 24 * HOUR, {'sctune_snapshot_created_timestamp_seconds{snapshot="s"}': f"0x{3 * 24 * HOUR}"}),
    ),
    "SctuneSnapshotCopyStalled": (
        fault(25, _copy("300x60")),
        ordinary(40, _copy("0+10x60")),
        ordinary(40, _copy("0+10x12 120x8 130+10x60")),  # a pause of eight minutes
        ordinary(8, _copy("300x60")),  # first samples
        ordinary(40, _copy("1000x60")),  # all is written, and flushed yet
        ordinary(40, _copy("300x5 _x60")),  # ended
    ),
    "SctuneSnapshotUploadFailed": (
        fault(15, {"sctune_snapshot_upload_failures_total": "0x5 1x60"}),
        ordinary(15, {"sctune_snapshot_upload_failures_total": "0x60"}),
        ordinary(15, {"sctune_snapshot_upload_failures_total": "3x60"}),  # a first sample
        ordinary(15, {"sctune_snapshot_upload_failures_total": "3x5 0x60"}),  # a restart of the exporter
        ordinary(120, {"sctune_snapshot_upload_failures_total": "0x5 1x200"}),  # long ago
    ),
    "SctuneStoreOvercommitted": (
        fault(40, _store("2000x800", "50x800")),
        ordinary(40, _store("2000x800", "300x800")),  # promised, and room enough
        ordinary(40, _store("900x800", "50x800")),  # full, and nothing more promised
    ),
    "SctuneStoreWillFill": (
        fault(8 * HOUR, _store("0x800", "190-0.3x600")),
        ordinary(8 * HOUR, _store("0x800", "190x800")),
        ordinary(10, _store("0x800", "190-5x60")),  # first samples, a volume being written
        ordinary(8 * HOUR, _store("0x800", "450-0.4x600")),  # much room yet
    ),
    "SctuneStoreNearlyFull": (fault(10, _store("0x60", "20x60")), ordinary(10, _store("0x60", "30x60"))),
    "SctuneLoopBackingDeleted": _one("sctune_loop_backing_deleted", 5, labels='device="loop1"'),
    "SctuneLoopOrphaned": _one("sctune_loop_orphaned", HOUR, "1x90", good="0x90", labels='device="loop1"'),
    "SctuneLoopSizeMismatch": (
        fault(20, {'sctune_loop_size_bytes{device="loop1"}': "5x60", 'sctune_loop_backing_size_bytes{device="loop1"}': "6x60"}),
        ordinary(20, {'sctune_loop_size_bytes{device="loop1"}': "5x60", 'sctune_loop_backing_size_bytes{device="loop1"}': "5x60"}),
        # Grown, and told within a few minutes.
        ordinary(
            30, {'sctune_loop_size_bytes{device="loop1"}': "5x9 6x60", 'sctune_loop_backing_size_bytes{device="loop1"}': "5x4 6x60"}
        ),
        ordinary(20, {'sctune_loop_size_bytes{device="loop1"}': "5x60"}),  # the file is gone: another alert's
    ),
    "SctuneLoopLimitNear": (
        fault(20, {"sctune_loop_devices": "250x60", "sctune_loop_devices_limit": "256x60"}),
        ordinary(20, {"sctune_loop_devices": "200x60", "sctune_loop_devices_limit": "256x60"}),
        ordinary(20, {"sctune_loop_devices": "500x60"}),  # nothing bounds them
    ),
    "SctuneVgLowFree": (
        fault(20, _vg("5x60", "9x60")),
        ordinary(20, _vg("50x60", "9x60")),
        ordinary(20, _vg("0x60", "2x60")),  # one volume and its snapshot
    ),
    "SctuneVgMissingPv": _one("sctune_lvm_vg_missing_physical_volumes", 2, labels='vg="v"'),
    "SctuneLvSuspended": _one("sctune_lvm_lv_suspended", 2, labels='vg="v",lv="l"'),
    "SctuneThinPoolFilling": (
        fault(8, _thin("90x60", "10x60")),
        fault(8, _thin("10x60", "85x60")),
        ordinary(8, _thin("80x60", "70x60")),
    ),
    "SctuneThinPoolBroken": (
        *_one("sctune_lvm_thin_pool_state", 1, labels='vg="v",lv="p",state="out_of_data_space"'),
        *_one("sctune_lvm_thin_pool_needs_check", 1, labels='vg="v",lv="p"'),
        ordinary(5, {'sctune_lvm_thin_pool_state{vg="v",lv="p",state="rw"}': "1x60"}),
    ),
    "SctuneTargetDaemonDown": (
        *_one("sctune_target_up", 1, "0x60", good="1x60", labels='driver="tgt"'),
        ordinary(20, {'sctune_target_up{driver="tgt"}': "1x5 0 1x60"}),  # a restart
    ),
    "SctuneLunOffline": _one("sctune_lun_online", 2, "0x60", good="1x60", labels='target="t",lun="1"'),
    "SctuneAllSessionsLost": (
        fault(20, _sessions("4x9 0x60", "4x60")),
        ordinary(20, _sessions("0x60", "4x60")),  # nobody ever came
        ordinary(20, _sessions("4x9 3x60", "4x9 3x60")),  # one volume detached
        ordinary(20, _sessions("1x9 0x60", "1x60")),  # the only one detached, its target kept
        ordinary(20, _sessions("4x9 0x60", "4x9 0x60")),  # all detached, one by one or at once
        ordinary(20, _sessions("4x9 0x1 4x60", "4x60")),  # a restart of tgtd
        ordinary(1, _sessions("0x1", "4x1")),  # a first sample
    ),
    "SctuneLunErrors": (
        fault(15, {f"sctune_lun_errors_total{_LUN}": "0+2x60"}),
        ordinary(15, {f"sctune_lun_errors_total{_LUN}": "0x5 1x60"}),  # a login
        ordinary(15, {f"sctune_lun_errors_total{_LUN}": "900x60"}),  # a first sample of much
        ordinary(15, {f"sctune_lun_errors_total{_LUN}": "900x9 0x60"}),  # a restart of the exporter
        ordinary(15, {f"sctune_lun_errors_total{_LUN}": "0+9x3 _x60"}),  # detached
    ),
    "SctuneLunStuck": (
        fault(15, _lun("writes", "3x60", "7x60")),
        fault(15, _lun("reads", "3x60", "7x60")),
        ordinary(15, _lun("writes", "3x60", "7+1x60")),  # busy
        ordinary(15, _lun("writes", "0x60", "7x60")),  # idle
        ordinary(3, _lun("writes", "3x60", "7x60")),  # first samples
        ordinary(15, _lun("writes", "3x4 _x60", "7x4 _x60")),  # detached with commands under way
    ),
    "SctuneInitiatorSessionFailed": (
        *_one("sctune_initiator_session_state", 2, labels=f'{_SESSION},state="failed"'),
        ordinary(20, {f'sctune_initiator_session_state{{{_SESSION},state="failed"}}': "0x5 1x1 0x60"}),  # tgtd restarted
    ),
    "SctuneInitiatorFlapping": (
        fault(12, {f'sctune_initiator_session_state{{{_SESSION},state="logged_in"}}': "1 0 1 0 1 0 1x60"}),
        ordinary(12, {f'sctune_initiator_session_state{{{_SESSION},state="logged_in"}}': "1x3 0x2 1x60"}),
        ordinary(12, {f'sctune_initiator_session_state{{{_SESSION},state="logged_in"}}': "1x3 _x5 1x60"}),  # attached again
    ),
    "SctuneTuningDrift": _one("sctune_tuning_settings", 30, "2x90", good="0x90", labels='status="drifted"'),
    "SctuneDirtyNearLimit": (
        # node_exporter's is another job and another port of the same host.
        fault(15, {_NODE: "90x60", "sctune_vm_dirty_limit_bytes": "100x60"}),
        fault(15, {"sctune_writeback_dirty_bytes": "90x60", "sctune_vm_dirty_limit_bytes": "100x60"}),
        ordinary(15, {_NODE: "50x60", "sctune_vm_dirty_limit_bytes": "100x60"}),
        ordinary(15, {_NODE.replace("h:", "other:"): "90x60", "sctune_vm_dirty_limit_bytes": "100x60"}),
        ordinary(15, {_NODE: "90x5 1x60", "sctune_vm_dirty_limit_bytes": "100x60"}),
    ),
    "SctuneIoPressure": (
        fault(30, {'node_pressure_io_stalled_seconds_total{job="node",instance="h:9100"}': "0+30x60"}),
        fault(30, {"sctune_pressure_io_stalled_seconds_total": "0+30x60"}),
        ordinary(30, {"sctune_pressure_io_stalled_seconds_total": "0+3x60"}),
        ordinary(30, {"sctune_pressure_io_stalled_seconds_total": "9999x60"}),
        ordinary(30, {"sctune_pressure_io_stalled_seconds_total": "9999x9 0+3x60"}),
    ),
    "SctuneQuotaNear": (
        fault(20, _quota("9.5x60")),
        fault(20, _quota("10x60", kind="volumes")),
        fault(20, _quota("10x60", kind="snapshots")),
        ordinary(20, _quota("8x60")),
        ordinary(20, _quota("0x60", "0x60")),
    ),
    "SctuneDoctorCritical": (
        *_one("sctune_finding", 10, good="stale _x60", labels=f'{_FINDING},muted="false"'),
        ordinary(15, {f'sctune_finding{{{_FINDING},muted="true"}}': "1x60"}),
        ordinary(15, {'sctune_finding{code="X",severity="warning",subject="volume/v",muted="false"}': "1x60"}),
    ),
    "SctuneDoctorNotRun": (
        fault(28 * HOUR, {"sctune_doctor_last_run_timestamp_seconds": f"0x{28 * HOUR}"}),
        ordinary(28 * HOUR, {"sctune_doctor_last_run_timestamp_seconds": f"0+60x{28 * HOUR}"}),
        ordinary(28 * HOUR, {"sctune_doctor_last_run_timestamp_seconds": f"_x{28 * HOUR}"}),
    ),
}
