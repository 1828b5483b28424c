"""For each alert a fault that makes it fire, and ordinary life that does not, as promtool's series at one a minute.

Series are written without `job` and `instance`, which all of them have. `_` is a scrape without this sample.
"""

from __future__ import annotations

from tests.unit.alert_life import HOUR, Case, ends, fault, first, gauge, gone, life, ordinary, restart, resumes

DAY = 24 * 3600


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


def _full(avail: str, size: str = "500x800") -> dict[str, str]:
    """The file system /a, and nothing else."""
    return {
        'sctune_filesystem_volume_files_size_bytes{mountpoint="/a"}': "2000x800",
        'sctune_filesystem_size_bytes{mountpoint="/a"}': size,
        'sctune_filesystem_avail_bytes{mountpoint="/a"}': avail,
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


_READ_AT = 'sctune_scrape_collector_data_timestamp_seconds{collector="lvm"}'


def _layers(lvm: str) -> dict[str, str]:
    return {
        'sctune_volume_layer_ready{volume="v",layer="file"}': "1x60",
        'sctune_volume_layer_ready{volume="v",layer="lvm"}': lvm,
    }


_MADE = 'sctune_snapshot_created_timestamp_seconds{snapshot="s"}'


def _loop(size: str, file: str) -> dict[str, str]:
    return {'sctune_loop_size_bytes{device="loop1"}': size, 'sctune_loop_backing_size_bytes{device="loop1"}': file}


def _limit(attached: str) -> dict[str, str]:
    return {"sctune_loop_devices": attached, "sctune_loop_devices_limit": "256x60"}


_SESSION = 'target="t",portal="p",interface="default"'
_LOGGED_IN = f'sctune_initiator_session_state{{{_SESSION},state="logged_in"}}'
_FINDING = 'code="X",severity="critical",subject="volume/v"'


def _dirty(ours: str) -> dict[str, str]:
    return {"sctune_writeback_dirty_bytes": ours, "sctune_vm_dirty_limit_bytes": "100x60"}


_FOUND = f'sctune_finding{{{_FINDING},muted="false"}}'
_RAN = "sctune_doctor_last_run_timestamp_seconds"
_NODE = 'node_memory_Dirty_bytes{job="node",instance="h:9100"}'

CASES: dict[str, tuple[Case, ...]] = {
    "SctuneDown": gauge("up", 5, "0x60", good="1x60"),
    "SctuneCollectorFailing": gauge("sctune_scrape_collector_success", 15, "0x60", good="1x60", labels='collector="lvm"'),
    "SctuneScrapeSlow": gauge("sctune_scrape_collector_duration_seconds", 15, "3x60", good="1x60", labels='collector="lvm"'),
    "SctuneDataStale": (
        fault(25, {_READ_AT: "0x60"}),
        ordinary(40, {_READ_AT: "0+60x60"}),
        ordinary(40, {_READ_AT: "0x9 600+60x60"}),  # it had been stuck for ten minutes
        fault(34, {_READ_AT: "0x35 stale _x60"}),
        gone(50, {_READ_AT: "0x35 stale _x60"}),  # switched off
        first(30, {_READ_AT: "_x30 0x60"}),
        restart(40, {_READ_AT: "0+60x9 stale 660+60x60"}),
    ),
    "SctuneVolumeBroken": gauge("sctune_volume_state", 5, labels='volume="v",state="broken"'),
    "SctuneVolumeLayerMissing": (
        fault(8, _layers("0x60")),
        ordinary(8, {'sctune_volume_layer_ready{volume="v",layer="file"}': "1x60"}),
        # A detach takes down target, LV and loop, one after the other; what is left is the file.
        gone(
            30,
            {
                'sctune_volume_layer_ready{volume="v",layer="file"}': "1x60",
                'sctune_volume_layer_ready{volume="v",layer="target"}': "1x5 0x1 stale _x60",
            },
        ),
        *life(5, _layers("0x60"), _layers("1x60")),
    ),
    "SctuneVolumeLeftover": gauge("sctune_volume_state", HOUR, "1x90", good="0x90", labels='volume="v",state="leaked"'),
    "SctuneVolumeCopyLong": (
        fault(12 * HOUR + 5, {'sctune_volume_copies{volume="v"}': "1x800"}),
        ordinary(12 * HOUR + 5, {'sctune_volume_copies{volume="v"}': "1x300 0x30 1x500"}),
        *life(12 * HOUR, {'sctune_volume_copies{volume="v"}': "1x800"}, {'sctune_volume_copies{volume="v"}': "0x800"}),
        # A restart while a copy of some hours runs.
        restart(12 * HOUR + 20, {'sctune_volume_copies{volume="v"}': "1x300 stale _x9 1x200 0x400"}),
    ),
    "SctuneSnapshotInvalid": gauge("sctune_snapshot_state", 0, labels='snapshot="s",state="invalid"'),
    "SctuneSnapshotFillingUp": (
        fault(10, _snapshot("850x60")),
        ordinary(10, _snapshot("700x60")),
        ordinary(30, _snapshot("850x3 _x60")),  # no samples any more
        *life(5, _snapshot("850x60"), _snapshot("700x60")),
        ordinary(10, _snapshot("850x60", "2000x60")),  # grown
    ),
    "SctuneSnapshotNearlyFull": (
        fault(3, _snapshot("960x60")),
        ordinary(3, _snapshot("940x60")),
        *life(0, _snapshot("960x60"), _snapshot("940x60")),
    ),
    "SctuneSnapshotWillFill": (
        fault(80, _snapshot("350+5x200")),
        ordinary(80, _snapshot("350x200")),
        first(3, _snapshot("100+100x60")),  # of a new snapshot under load
        fault(85, _snapshot("350+5x90 stale _x60", "1000x90 stale _x60")),
        gone(100, _snapshot("350+5x90 stale _x60", "1000x90 stale _x60")),
        restart(80, _snapshot("350x30 stale 350x200", "1000x30 stale 1000x200")),
        ordinary(80, _snapshot("0+1x200")),
    ),
    "SctuneSnapshotOld": (
        fault(70, {_MADE: f"-{8 * DAY}x100"}),  # a moment before the first minute
        ordinary(70, {_MADE: f"-{6 * DAY}x100"}),
        *life(60, {_MADE: f"-{8 * DAY}x100"}, {_MADE: f"-{6 * DAY}x100"}),
    ),
    "SctuneSnapshotCopyStalled": (
        fault(25, _copy("300x60")),
        ordinary(40, _copy("0+10x60")),
        ordinary(40, _copy("0+10x12 120x8 130+10x60")),  # a pause of eight minutes
        first(8, _copy("300x60")),
        ordinary(40, _copy("1000x60")),  # all is written, and flushed yet
        ordinary(40, _copy("300x5 _x60")),  # no samples any more
        *life(20, _copy("300x60"), _copy("1000x60")),  # the end of a copy, which is also that of one that stands still
        restart(40, _copy("0+10x12 stale 140+10x60")),
    ),
    "SctuneSnapshotUploadFailed": (
        fault(15, {"sctune_snapshot_upload_failures_total": "0x5 1x60"}),
        ordinary(15, {"sctune_snapshot_upload_failures_total": "0x60"}),
        first(15, {"sctune_snapshot_upload_failures_total": "_x15 3x60"}),
        first(25, {"sctune_snapshot_upload_failures_total": "_x15 3x60"}),
        restart(15, {"sctune_snapshot_upload_failures_total": "3x5 stale 0x60"}),
        ordinary(120, {"sctune_snapshot_upload_failures_total": "0x5 1x200"}),  # long ago
    ),
    "SctuneStoreOvercommitted": (
        fault(40, _store("2000x800", "50x800")),
        ordinary(40, _store("2000x800", "300x800")),  # promised, and room enough
        ordinary(40, _store("900x800", "50x800")),  # full, and nothing more promised
        *life(30, _store("2000x800", "50x800"), _store("2000x800", "300x800")),
        # One of two file systems is unmounted.
        gone(50, _store("0x800", "500x800") | ends(_full("50x800"), 35)),
    ),
    "SctuneStoreWillFill": (
        fault(8 * HOUR, _store("0x800", "190-0.3x600")),
        ordinary(8 * HOUR, _store("0x800", "190x800")),
        first(10, _store("0x800", "190-5x60")),  # a volume being written
        fault(8 * HOUR, _full(f"190-0.3x{8 * HOUR + 5} stale _x60", f"500x{8 * HOUR + 5} stale _x60")),
        gone(8 * HOUR + 20, _full(f"190-0.3x{8 * HOUR + 5} stale _x60", f"500x{8 * HOUR + 5} stale _x60")),
        restart(8 * HOUR, resumes(_full("190x800"), 200)),
        ordinary(8 * HOUR, _store("0x800", "450-0.4x600")),  # much room yet
    ),
    "SctuneStoreNearlyFull": (
        fault(10, _store("0x60", "20x60")),
        ordinary(10, _store("0x60", "30x60")),
        *life(5, _full("20x60"), _full("30x60")),
    ),
    "SctuneLoopBackingDeleted": gauge("sctune_loop_backing_deleted", 5, labels='device="loop1"'),
    "SctuneLoopOrphaned": gauge("sctune_loop_orphaned", HOUR, "1x90", good="0x90", labels='device="loop1"'),
    "SctuneLoopSizeMismatch": (
        fault(20, _loop("5x60", "6x60")),
        ordinary(20, _loop("5x60", "5x60")),
        ordinary(30, _loop("5x9 6x60", "5x4 6x60")),  # grown, and told within a few minutes
        ordinary(20, {'sctune_loop_size_bytes{device="loop1"}': "5x60"}),  # the file is gone: another alert's
        *life(15, _loop("5x60", "6x60"), _loop("5x60", "5x60")),
        gone(25, _loop("5x60", "6x9 stale _x60")),  # the file alone
    ),
    "SctuneLoopLimitNear": (
        fault(20, _limit("250x60")),
        ordinary(20, _limit("200x60")),
        ordinary(20, {"sctune_loop_devices": "500x60"}),  # nothing bounds them
        *life(15, _limit("250x60"), _limit("200x60"), goes=False),
    ),
    "SctuneVgLowFree": (
        fault(20, _vg("5x60", "9x60")),
        ordinary(20, _vg("50x60", "9x60")),
        ordinary(20, _vg("0x60", "2x60")),  # one volume and its snapshot
        *life(15, _vg("5x60", "9x60"), _vg("50x60", "9x60")),
    ),
    "SctuneVgMissingPv": gauge("sctune_lvm_vg_missing_physical_volumes", 2, labels='vg="v"'),
    "SctuneLvSuspended": gauge("sctune_lvm_lv_suspended", 2, labels='vg="v",lv="l"'),
    "SctuneThinPoolFilling": (
        fault(8, _thin("90x60", "10x60")),
        fault(8, _thin("10x60", "85x60")),
        ordinary(8, _thin("80x60", "70x60")),
        *life(5, _thin("90x60", "85x60"), _thin("80x60", "70x60")),
    ),
    "SctuneThinPoolBroken": (
        *gauge("sctune_lvm_thin_pool_state", 1, labels='vg="v",lv="p",state="out_of_data_space"'),
        *gauge("sctune_lvm_thin_pool_needs_check", 1, labels='vg="v",lv="p"'),
        ordinary(5, {'sctune_lvm_thin_pool_state{vg="v",lv="p",state="rw"}': "1x60"}),
    ),
    "SctuneTargetDaemonDown": (
        *gauge("sctune_target_up", 1, "0x60", good="1x60", labels='driver="tgt"'),
        ordinary(20, {'sctune_target_up{driver="tgt"}': "1x5 0 1x60"}),  # a restart of tgtd
    ),
    "SctuneLunOffline": gauge("sctune_lun_online", 2, "0x60", good="1x60", labels='target="t",lun="1"'),
    "SctuneAllSessionsLost": (
        fault(20, _sessions("4x9 0x60", "4x60")),
        ordinary(20, _sessions("0x60", "4x60")),  # nobody ever came
        ordinary(20, _sessions("4x9 3x60", "4x9 3x60")),  # one volume detached
        ordinary(20, _sessions("1x9 0x60", "1x60")),  # the only one detached, its target kept
        ordinary(20, _sessions("4x9 0x60", "4x9 0x60")),  # all detached, one by one or at once
        ordinary(20, _sessions("4x9 0x1 4x60", "4x60")),  # a restart of tgtd
        first(1, _sessions("0x1", "4x1")),
        fault(20, _sessions("4x9 0x15 stale _x60", "4x25 stale _x60")),
        gone(30, _sessions("4x9 0x15 stale _x60", "4x25 stale _x60")),  # tgtd was stopped since
        restart(20, _sessions("4x9 stale 4x60", "4x9 stale 4x60")),
    ),
    "SctuneLunErrors": (
        fault(15, {f"sctune_lun_errors_total{_LUN}": "0+2x60"}),
        ordinary(15, {f"sctune_lun_errors_total{_LUN}": "0x5 1x60"}),  # a login
        first(15, {f"sctune_lun_errors_total{_LUN}": "_x15 900x60"}),
        restart(15, {f"sctune_lun_errors_total{_LUN}": "900x9 stale 0x60"}),
        gone(15, {f"sctune_lun_errors_total{_LUN}": "0+9x3 stale _x60"}),
    ),
    "SctuneLunStuck": (
        fault(15, _lun("writes", "3x60", "7x60")),
        fault(15, _lun("reads", "3x60", "7x60")),
        ordinary(15, _lun("writes", "3x60", "7+1x60")),  # busy
        ordinary(15, _lun("writes", "0x60", "7x60")),  # idle
        first(3, _lun("writes", "3x60", "7x60")),
        gone(15, _lun("writes", "3x4 stale _x60", "7x4 stale _x60")),  # detached with commands under way
        fault(14, _lun("writes", "3x14 stale _x60", "7x14 stale _x60")),
        gone(30, _lun("writes", "3x14 stale _x60", "7x14 stale _x60")),
        restart(20, _lun("writes", "3x9 stale 3x60", "7+1x9 stale 0+1x60")),
    ),
    "SctuneInitiatorSessionFailed": (
        *gauge("sctune_initiator_session_state", 2, labels=f'{_SESSION},state="failed"'),
        ordinary(20, {f'sctune_initiator_session_state{{{_SESSION},state="failed"}}': "0x5 1x1 0x60"}),  # tgtd restarted
    ),
    "SctuneInitiatorFlapping": (
        fault(12, {_LOGGED_IN: "1 0 1 0 1 0 1x60"}),
        ordinary(12, {_LOGGED_IN: "1x3 0x2 1x60"}),
        ordinary(12, {_LOGGED_IN: "1x3 _x5 1x60"}),
        gone(20, {_LOGGED_IN: "1 0 1x3 stale _x60"}),
        gone(40, {_LOGGED_IN: "1x3 stale _x5 1x3 stale _x5 1x3 stale _x60"}),  # attached three times
        first(5, {_LOGGED_IN: "_x5 0x60"}),
        restart(20, {_LOGGED_IN: "1x3 stale 1x60"}),
    ),
    "SctuneTuningDrift": gauge("sctune_tuning_settings", 30, "2x90", good="0x90", labels='status="drifted"'),
    "SctuneDirtyNearLimit": (
        # node_exporter's is another job and another port of the same host.
        fault(15, {_NODE: "90x60", "sctune_vm_dirty_limit_bytes": "100x60"}),
        fault(15, {"sctune_writeback_dirty_bytes": "90x60", "sctune_vm_dirty_limit_bytes": "100x60"}),
        ordinary(15, {_NODE: "50x60", "sctune_vm_dirty_limit_bytes": "100x60"}),
        ordinary(15, {_NODE.replace("h:", "other:"): "90x60", "sctune_vm_dirty_limit_bytes": "100x60"}),
        ordinary(15, {_NODE: "90x5 1x60", "sctune_vm_dirty_limit_bytes": "100x60"}),
        *life(10, _dirty("90x60"), _dirty("50x60"), goes=False),
    ),
    "SctuneIoPressure": (
        fault(30, {'node_pressure_io_stalled_seconds_total{job="node",instance="h:9100"}': "0+30x60"}),
        fault(30, {"sctune_pressure_io_stalled_seconds_total": "0+30x60"}),
        ordinary(30, {"sctune_pressure_io_stalled_seconds_total": "0+3x60"}),
        first(5, {"sctune_pressure_io_stalled_seconds_total": "_x5 9999x60"}),
        first(30, {"sctune_pressure_io_stalled_seconds_total": "_x5 9999x60"}),
        restart(30, {"sctune_pressure_io_stalled_seconds_total": "0+3x9 stale 33+3x60"}),
        ordinary(30, {"sctune_pressure_io_stalled_seconds_total": "9999x9 0+3x60"}),  # a reboot
    ),
    "SctuneQuotaNear": (
        fault(20, _quota("9.5x60")),
        fault(20, _quota("10x60", kind="volumes")),
        fault(20, _quota("10x60", kind="snapshots")),
        ordinary(20, _quota("8x60")),
        ordinary(20, _quota("0x60", "0x60")),
        *life(15, _quota("9.5x60"), _quota("8x60")),
    ),
    "SctuneDoctorCritical": (
        fault(12, {_FOUND: "1x60"}),
        ordinary(13, {_FOUND: "1x9 stale _x60"}),  # mended within the time it waits
        *life(10, {_FOUND: "1x60"}, {_FOUND.replace("critical", "warning"): "1x60"}),
        ordinary(15, {f'sctune_finding{{{_FINDING},muted="true"}}': "1x60"}),
        ordinary(15, {'sctune_finding{code="X",severity="warning",subject="volume/v",muted="false"}': "1x60"}),
    ),
    "SctuneDoctorNotRun": (
        fault(70, {_RAN: f"-{26 * 3600}x100"}),
        ordinary(70, {_RAN: f"-{24 * 3600}x100"}),
        ordinary(28 * HOUR, {_RAN: f"_x{28 * HOUR}"}),
        *life(60, {_RAN: f"-{26 * 3600}x100"}, {_RAN: f"-{24 * 3600}x100"}),  # its record was removed
    ),
}
WHOLE_HOST = {
    "SctuneSnapshotUploadFailed": "it counts those of the whole host, and what failed is told for an hour whatever becomes of it",
    "SctuneLoopLimitNear": "it is about the number of all loop devices, which is 0 and not absent where none is attached",
    "SctuneDirtyNearLimit": "it is about the host's memory, which goes with the host alone",
    "SctuneIoPressure": "it is about all tasks of the host, which go with the host alone",
}
"""Alerts on nothing that could go, and why: no case of theirs shows it gone."""
