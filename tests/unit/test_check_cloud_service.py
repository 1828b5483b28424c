"""The cloud's services as their logs and traces tell: copies, faults, errors, uploads, volumes that are stuck, leftovers."""

from __future__ import annotations

import gzip
import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.checks import cloud_copies, cloud_errors, cloud_faults, snapshot_uploads, spool, volume_stuck
from sctune.cloud_service import find_in_logs
from sctune.config.model import Config, Thresholds
from sctune.host.base import FileEntry, FileKind, FileStat, Process
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit.chain_hosts import GIB, NOBODY, SIZE, copy, euca, inventory, lv, report, target
from tests.unit.cloud_logs import HOUR, LOGS, NOW, THROWABLE, cloud_host, error, fault, info, node, node_debug
from tests.unit.lvm_hosts import codes, run
from tests.unit.serving_hosts import STORE
from tests.unit.storage_hosts import store, store_file

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.check import Check, Result
    from sctune.model.process import Copy, Processes
    from tests.fakes import FakeHost

COPIES, FAULTS, ERRORS = cloud_copies.CHECKS[0], cloud_faults.CHECKS[0], cloud_errors.CHECKS[0]
UPLOADS, SPOOL = snapshot_uploads.CHECKS[0], spool.CHECKS[0]
DELETING, DETACHING = volume_stuck.CHECKS
V, S = "vol-391D44BE", "snap-0a1b2c3d"
INSTANCE = "i-133F3E53"
BOOT = 100_000.0
VAR_TMP = "/var/tmp"


def process(name: str, pid: int, *, argv: tuple[str, ...] = (), age: float = 50_000.0, ppid: int = 1) -> Process:
    return Process(pid=pid, ppid=ppid, name=name, state="S", argv=argv or (name,), started=BOOT - age, cpu_seconds=1.0, uid=0)


SERVICE = process("eucalyptus-cloud", 500)


def running(*copies: Copy, guests: tuple[Process, ...] = (), service: Process | None = SERVICE) -> Processes:
    return replace(NOBODY, eucalyptus=(service,) if service else (), copies=copies, guests=guests)


def own(number: int, age: float, ppid: int = 500) -> Copy:
    made = copy(f"/dev/vg/euca-snap-{number:08x}", f"{STORE}/snap-{number:08x}")
    return replace(made, process=replace(made.process, pid=600 + number, ppid=ppid, started=BOOT - age))


def look(check: Check, host: FakeHost | None = None, **parts: Any) -> Result:
    answers: dict[str, Any] = {"cloud": euca("4.4.2"), "processes": running()}
    return run(check, inventory(host=host or cloud_host(output=info(NOW - 60, "x")), **(answers | parts)))


# --- copies


def test_two_copies_of_a_while_block_the_rest() -> None:
    result = look(COPIES, processes=running(own(1, 900.0), own(2, 300.0)))
    assert codes(result) == [("CLOUD_COPIES_SATURATED", "warning", "eucalyptus-cloud")]
    facts = dict(result.findings[0].evidence)
    assert (facts["busy_seconds"], facts["running"], facts["limit"]) == (300, 2, 2)
    assert "dd /dev/vg/euca-snap-00000001" in str(facts["copies"])


@pytest.mark.parametrize(
    "copies",
    [(), (own(1, 900.0),), (own(1, 900.0), own(2, 59.0)), (own(1, 900.0), own(2, 300.0, ppid=1)), (own(1, 900.0, ppid=2),) * 3],
)
def test_fewer_or_shorter_or_others_copies_block_nothing(copies: tuple[Copy, ...]) -> None:
    result = look(COPIES, processes=running(*copies))
    assert (codes(result), result.examined) == ([], 1)


def test_the_limit_is_what_was_recorded() -> None:
    three = replace(euca("4.4.2"), properties=(("system.exec.max_restricted_concurrent_ops", "3"),))
    assert codes(look(COPIES, cloud=three, processes=running(own(1, 900.0), own(2, 300.0)))) == []
    assert codes(look(COPIES, cloud=three, processes=running(own(1, 900.0), own(2, 300.0), own(3, 70.0)))) != []


def test_copies_are_bounded_by_a_storage_controller_of_33_only() -> None:
    both = running(own(1, 900.0), own(2, 300.0))
    assert look(COPIES, cloud=euca("3.2.2"), processes=both).not_applicable
    assert look(COPIES, processes=running(own(1, 900.0), own(2, 300.0), service=None)).not_applicable
    assert look(COPIES, cloud=Unavailable(reason=Reason.ABSENT, what="x"), processes=both).not_applicable
    with pytest.raises(CannotLook):
        look(COPIES, processes=Unavailable(reason=Reason.DENIED, what="x"))


# --- faults


def test_each_fault_is_a_finding() -> None:
    host = cloud_host(
        sc_fault=fault(NOW - 600, "2000", "tgtadm is unresponsive") + fault(NOW - 60, "2000", "tgtadm is unresponsive"),
        nc_fault=fault(NOW - 60, "2001", "iscsiadm command is failing", by_c=True),
        cloud_fault=fault(NOW - 60, "1003", "Running very low on disk space."),
    )
    result = look(FAULTS, host)
    assert codes(result) == [
        ("CLOUD_FAULT_LOGGED", "warning", subject) for subject in ("cloud/ERR-1003", "sc/ERR-2000", "nc/ERR-2001")
    ]
    tgt = result.findings[1]
    assert (dict(tgt.evidence)["count"], result.examined) == (2, 3)
    assert "restart eucalyptus-cloud directly after it" in tgt.remedy.text
    assert "drops every export" in tgt.remedy.text


def test_a_fault_says_when_it_was_and_whether_the_service_was_started_since() -> None:
    host = cloud_host(sc_fault=fault(NOW - 600, "2000", "tgtadm is unresponsive"))
    assert look(FAULTS, host).findings[0].summary == "ERR-2000 tgtadm is unresponsive (at 2027-01-15T07:50:00Z)"
    restarted = running(service=process("eucalyptus-cloud", 500, age=60.0))
    told = look(FAULTS, host, processes=restarted).findings[0].summary
    assert told.endswith("(at 2027-01-15T07:50:00Z, before eucalyptus-cloud was last started)")


def test_old_faults_and_no_faults() -> None:
    assert codes(look(FAULTS, cloud_host(sc_fault=fault(NOW - 25 * HOUR, "2000", "x")))) == []
    with pytest.raises(CannotLook) as none:
        look(FAULTS, cloud_host())
    assert none.value.unavailable.reason is Reason.ABSENT
    denied = Unavailable(reason=Reason.DENIED, what="sc-fault.log")
    result = look(FAULTS, cloud_host(sc_fault=denied, nc_fault=""))
    assert (codes(result), [one.reason for one in result.unexamined]) == ([], [Reason.DENIED])
    with pytest.raises(CannotLook):
        look(FAULTS, cloud_host(sc_fault=denied))


# --- errors

LOOPS = "Could not create loopback device for //var/lib/eucalyptus/volumes/{}. Please check the max loop value and permissions"


def test_one_finding_a_kind_with_its_volumes() -> None:
    names = [f"vol-{number:08X}" for number in range(5)]
    host = cloud_host(
        output="".join(info(NOW - 600 + n, LOOPS.format(name), "ERROR") for n, name in enumerate(names))
        + info(NOW - 50, f"Snapshot {S} exceeds global total snapshot size limit of 50GB (see storage.global_…)"),
        error="".join(error(NOW - 600 + n, LOOPS.format(name)) for n, name in enumerate(names)),
    )
    result = look(ERRORS, host)
    assert codes(result) == [
        ("CLOUD_ERRORS_LOGGED", "warning", f"eucalyptus-cloud/{kind}") for kind in ("quota exceeded", "loop device")
    ]
    facts = dict(result.findings[1].evidence)
    assert facts["volumes"] == tuple(reversed(names))
    assert facts["count"] == 5  # not ten: it is the same in two files
    assert facts["source"] == f"{LOGS}/cloud-output.log, {LOGS}/cloud-error.log"
    assert "vol-00000004, vol-00000003, vol-00000002 and 2 more" in result.findings[1].summary


def test_an_error_older_than_is_read_back_is_none() -> None:
    host = cloud_host(output=info(NOW - 2 * HOUR, LOOPS.format(V)) + info(NOW - 60, "x"))
    assert codes(look(ERRORS, host)) != []
    hour = replace(Config(), thresholds=replace(Thresholds(), log_seconds=3600.0))
    assert codes(look(ERRORS, host, config=hour)) == []


def test_a_snapshot_that_was_not_uploaded_is_said_once() -> None:
    text = "".join(info(NOW - 60, one) for one in (f"Failed to upload {S} due to: ", f"Failed to create snapshot {S}"))
    assert codes(look(ERRORS, cloud_host(output=text))) == []
    assert codes(look(ERRORS, cloud_host(output=info(NOW - 60, f"Failed to create snapshot {S}")))) != []


def test_a_transfer_that_was_repeated_with_success_is_no_failure() -> None:
    failed, done = "Transfer failed. Retrying", f"Transfer complete: snapset-ccc92f77-ab62-4554-9151-973e45fcc974.{S}"
    assert codes(look(ERRORS, cloud_host(output=info(NOW - 90, failed) + info(NOW - 60, done)))) == []
    assert codes(look(ERRORS, cloud_host(output=info(NOW - 90, done) + info(NOW - 60, failed)))) != []


BLOCKED = info(NOW - 601, f"Cleaning up volume: {V}") + info(NOW - 600, "Snapshot in progress. Not detaching loop device.")


def test_a_detachment_that_waits_for_no_snapshot() -> None:
    result = look(ERRORS, cloud_host(output=BLOCKED))
    assert codes(result) == [("CLOUD_ERRORS_LOGGED", "warning", "eucalyptus-cloud/loop device kept for a snapshot")]
    assert dict(result.findings[0].evidence)["volumes"] == (V,)
    assert "stays pending" in result.findings[0].remedy.text
    # It did wait for one: it is being copied, or has ended since.
    assert codes(look(ERRORS, cloud_host(output=BLOCKED), processes=running(own(1, 900.0)))) == []
    ended = info(NOW - 60, f"Finished creating {S} on block storage backend")
    assert codes(look(ERRORS, cloud_host(output=BLOCKED + ended))) == []
    before = info(NOW - 700, f"Finished creating {S} on block storage backend")
    assert codes(look(ERRORS, cloud_host(output=before + BLOCKED))) != []


def test_a_node_has_failures_of_its_own() -> None:
    result = look(ERRORS, cloud_host(nc=node(NOW - 60, f"[{INSTANCE}][{V}] failed to connect to EBS target", "ERROR")))
    assert codes(result) == [("CLOUD_ERRORS_LOGGED", "warning", "eucalyptus-nc/attachment on a node")]


def test_a_sound_log_says_nothing_and_a_missing_one_is_none() -> None:
    result = look(ERRORS, cloud_host(output=info(NOW - 60, "x"), error=""))
    assert (codes(result), result.examined, result.unexamined) == ([], 2, ())
    with pytest.raises(CannotLook) as none:
        look(ERRORS, cloud_host())
    assert none.value.unavailable.reason is Reason.ABSENT
    denied = Unavailable(reason=Reason.DENIED, what=f"{LOGS}/cloud-output.log")
    with pytest.raises(CannotLook) as refused:
        look(ERRORS, cloud_host(output=denied))
    assert refused.value.unavailable.reason is Reason.DENIED


def test_logs_that_do_not_reach_back_are_told() -> None:
    rolled = {f"output_{place}": info(NOW - 60.0 * place, "x") for place in range(1, 12)}
    result = look(ERRORS, cloud_host(output=info(NOW - 1, LOOPS.format(V)), **rolled))
    assert [(one.what, one.reason, one.detail) for one in result.unexamined] == [
        (f"{LOGS}/cloud-output.log", Reason.ABSENT, "it reaches back to 2027-01-15T07:49:00Z only")
    ]
    assert dict(result.findings[0].evidence)["logs_begin"] == "2027-01-15T07:49:00Z"


@pytest.mark.spawns
def test_the_command_finds_the_line_where_the_log_was_rolled(tmp_path: Path) -> None:
    name = f"{LOGS}/cloud-output.log"
    command = find_in_logs("'no loop'", (name,)).replace(LOGS, str(tmp_path))
    for place, (file, text) in enumerate((("log.2.gz", "1 no loop"), ("log.1", "2 no loop"), ("log", "3 no loop"))):
        path = tmp_path / f"cloud-output.{file}"
        path.write_bytes(gzip.compress(text.encode() + b"\n") if file.endswith("gz") else text.encode() + b"\n")
        os.utime(path, (NOW + place, NOW + place))
    shown = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert shown.stdout == "1 no loop\n2 no loop\n3 no loop\n"
    result = look(ERRORS, cloud_host(output=info(NOW - 60, LOOPS.format(V)), output_1=info(NOW - 90, "x")))
    assert f"$(ls -rt {name}*)" in result.findings[0].remedy.commands[0]


# --- uploads

FAILED = f"Failed to upload {S} due to: "
UPLOADED = f"Uploaded {S} to object storage gateway, etag result - 0f343b0931126a20f133d67c2b018a3b"
BEGUN = f"Upload entire content of snapshot {S}"
ASKED = f"Processing CreateStorageSnapshot request for volume {V}"


def test_a_failed_upload_is_a_backup_that_does_not_exist() -> None:
    host = cloud_host(output=info(NOW - 60, FAILED, "ERROR"), error=error(NOW - 60, FAILED, throwable=THROWABLE))
    result = look(UPLOADS, host)
    assert codes(result) == [("SNAPSHOT_UPLOAD_FAILED", "critical", S)]
    assert dict(result.findings[0].evidence)["count"] == 1


@pytest.mark.parametrize("later", [UPLOADED, f"Processing DeleteStorageSnapshot request for snapshot {S}"])
def test_what_happened_later_counts(later: str) -> None:
    assert codes(look(UPLOADS, cloud_host(output=info(NOW - 90, FAILED) + info(NOW - 60, later)))) == []
    assert codes(look(UPLOADS, cloud_host(output=info(NOW - 90, later) + info(NOW - 60, FAILED)))) != []


def snapshots(age: float, size: int = GIB, name: str = S) -> tuple[object, ...]:
    return (store(files=(replace(store_file(name, size), mtime=NOW - age),), path=STORE),)


def asked(*lines: tuple[float, str], age: float = 2 * HOUR, **parts: Any) -> Result:
    host = parts.pop("host", None) or cloud_host(output="".join(info(NOW - ago, text) for ago, text in lines))
    return look(UPLOADS, host, **({"stores": snapshots(age)} | parts))


def test_a_snapshot_of_whose_upload_nothing_is_seen() -> None:
    result = asked((3 * HOUR, ASKED), (2 * HOUR, BEGUN))
    assert codes(result) == [("SNAPSHOT_NOT_UPLOADED", "warning", S)]
    assert dict(result.findings[0].evidence)["silent_seconds"] == 7200


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        (((3 * HOUR, ASKED), (2 * HOUR, BEGUN), (60.0, UPLOADED)), {}),
        (((3 * HOUR, ASKED), (2 * HOUR, BEGUN), (60.0, f"Downloaded snapshot {S} to storage backend")), {}),
        (((3 * HOUR, ASKED), (60.0, BEGUN)), {}),  # still under way
        (((3 * HOUR, ASKED), (2 * HOUR, BEGUN)), {"stores": snapshots(2 * HOUR, GIB + 1)}),  # not whole: another code's
        (((3 * HOUR, ASKED), (2 * HOUR, BEGUN)), {"stores": snapshots(60.0)}),
        (((30 * HOUR, ASKED), (26 * HOUR, BEGUN)), {"stores": snapshots(25 * HOUR)}),  # older than is read back
        (((60.0, ASKED), (60.0, UPLOADED.replace(S, "snap-00000001"))), {}),  # nothing says that it was made here
        (
            ((3 * HOUR, ASKED), (2 * HOUR, BEGUN)),
            {"cloud": replace(euca("4.4.2"), properties=(("one.storage.shouldtransfersnapshots", "false"),))},
        ),
        # Never to be uploaded: it would have begun before.
        (((3 * HOUR, ASKED), (2 * HOUR, f"Finished creating {S} on block storage backend")), {}),
        # 4.0 does not say that one was downloaded.
        (((3 * HOUR, ASKED), (60.0, UPLOADED.replace(S, "snap-00000001"))), {"cloud": euca("4.0.2")}),
        (((3 * HOUR, ASKED), (2 * HOUR, BEGUN)), {"cloud": euca("3.2.2")}),  # Walrus logs it, elsewhere
    ],
)
def test_what_is_uploaded_or_cannot_be_known_is_not_reported(lines: tuple[tuple[float, str], ...], parts: dict[str, Any]) -> None:
    result = asked(*lines, **parts)
    assert (codes(result), result.unexamined) == ([], ())


def test_parts_that_are_still_written_are_an_upload() -> None:
    part = FileStat(kind=FileKind.FILE, size=1, allocated=1, device=1, inode=1, mtime=NOW - 60.0)
    host = cloud_host(output=info(NOW - 3 * HOUR, ASKED) + info(NOW - 2 * HOUR, BEGUN))
    host.folders[VAR_TMP] = (FileEntry(name=f"{S}-12345-3", stat=part),)
    assert codes(asked(host=host)) == []


def test_a_restart_cuts_an_upload_off() -> None:
    lines = ((2 * HOUR, ASKED), (1900.0, BEGUN))
    assert codes(asked(*lines, age=1900.0)) == []
    restarted = running(service=process("eucalyptus-cloud", 500, age=1000.0))
    result = asked(*lines, age=1900.0, processes=restarted)
    assert codes(result) == [("SNAPSHOT_NOT_UPLOADED", "warning", S)]
    assert "started again since" in result.findings[0].summary


def test_walrus_on_the_same_host_tells_of_uploads_before_40() -> None:
    other = "Transfer complete: snapset-ccc92f77-ab62-4554-9151-973e45fcc974.snap-C2DF3CF2"
    lines = ((3 * HOUR, ASKED), (60.0, other))
    assert codes(asked(*lines, cloud=euca("3.2.2"))) == [("SNAPSHOT_NOT_UPLOADED", "warning", S)]
    assert codes(asked(*lines, (50.0, other.replace("snap-C2DF3CF2", S)), cloud=euca("3.2.2"))) == []


def test_whether_snapshots_are_sent_is_told_by_properties_or_by_others_that_are() -> None:
    other = UPLOADED.replace(S, "snap-00000001")
    assert codes(asked((3 * HOUR, ASKED), (60.0, other))) == [("SNAPSHOT_NOT_UPLOADED", "warning", S)]
    told = replace(euca("4.4.2"), properties=(("one.storage.shouldtransfersnapshots", "true"),))
    assert codes(asked((3 * HOUR, ASKED), cloud=told)) == [("SNAPSHOT_NOT_UPLOADED", "warning", S)]
    unknown = asked((3 * HOUR, ASKED))
    assert (codes(unknown), [one.what for one in unknown.unexamined]) == ([], [f"upload of {S}"])


def test_logs_without_what_would_tell_are_unknown() -> None:
    warnings = asked((2 * HOUR, "x"))
    assert [(one.what, one.detail) for one in warnings.unexamined] == [(f"upload of {S}", "the logs hold nothing of level INFO")]
    rolled = {f"output_{place}": info(NOW - 60.0 * place, ASKED) for place in range(1, 12)}
    short = asked(host=cloud_host(output=info(NOW - 1, ASKED), **rolled))
    assert "the logs do not reach back to when it was made" in [one.detail for one in short.unexamined]
    assert codes(short) == []


# --- stuck

REFUSED = f"Cannot delete volume {V} because it is currently exported"
GIVEN_UP = f"All attempts to cleanup volume {V} failed"
EXPORTED: dict[str, Any] = {
    "lvm": report(lv(f"euca-ebs-storage-vg-{V}", f"euca-{V}", 1)),
    "stores": (store(files=(store_file(V, SIZE),), path=STORE),),
}


def deleting(*texts: str, **parts: Any) -> Result:
    host = cloud_host(output="".join(info(NOW - 600 + n, text, "ERROR") for n, text in enumerate(texts)))
    return look(DELETING, host, **(EXPORTED | parts))


def test_a_volume_that_is_refused_again_and_again() -> None:
    iqn = target(7, f"/dev/euca-ebs-storage-vg-{V}/euca-{V}")
    host = cloud_host(output="".join(info(NOW - 600 + n, REFUSED, "ERROR") for n in range(20)))
    answers = EXPORTED | {"cloud": euca("4.4.2"), "processes": running()}
    result = run(DELETING, inventory(iqn, host=host, **answers))
    assert codes(result) == [("VOLUME_STUCK_DELETING", "warning", V)]
    facts = dict(result.findings[0].evidence)
    assert (facts["count"], facts["targets"]) == (20, (iqn.iqn,))
    assert codes(deleting(GIVEN_UP)) != []


def test_one_refusal_is_no_trouble_nor_is_a_volume_that_is_gone() -> None:
    assert codes(deleting(REFUSED)) == []
    gone = {"lvm": report(), "stores": (store(files=(), path=STORE),), "tgt": Unavailable(reason=Reason.TIMEOUT, what="tgtd")}
    assert codes(deleting(REFUSED, REFUSED, **gone)) != []  # without tgtd's answer nobody knows
    gone["tgt"] = Unavailable(reason=Reason.ABSENT, what="tgtd")
    assert codes(deleting(REFUSED, REFUSED, **gone)) == []
    from tests.unit import tgt_hosts

    gone["tgt"] = tgt_hosts.state(tgt_hosts.daemon())
    assert codes(deleting(REFUSED, REFUSED, **gone)) == []
    hung = Unavailable(reason=Reason.TIMEOUT, what=STORE)
    assert codes(deleting(REFUSED, REFUSED, **(gone | {"stores": (store(files=hung, path=STORE),)}))) != []


GUEST = process("qemu-kvm", 700, argv=("qemu-kvm", "-name", f"guest={INSTANCE},debug-threads=on"))
DETACH_FAILED = f"[{INSTANCE}][{V}] failed to detach EBS guest device"
DF = f"[{INSTANCE}] Extant (running) pub=10.1.1.1 vols={V}:df"
DETACHED = f"[{INSTANCE}][{V}] detached EBS guest device 'vdb'"


def detaching(*texts: str, guests: tuple[Process, ...] = (GUEST,), **parts: Any) -> Result:
    host = cloud_host(nc="".join(node_debug(NOW - 600 + n, text) for n, text in enumerate(texts)))
    return look(DETACHING, host, **({"processes": running(guests=guests)} | parts))


@pytest.mark.parametrize("texts", [(DETACH_FAILED,), (DF,), (DETACHED, DETACH_FAILED), (DETACH_FAILED, DF, DF)])
def test_a_disk_that_does_not_come_out(texts: tuple[str, ...]) -> None:
    result = detaching(*texts)
    assert codes(result) == [("VOLUME_STUCK_DETACHING", "warning", V)]
    assert dict(result.findings[0].evidence)["instance"] == INSTANCE
    assert result.findings[0].remedy.commands == (f"virsh domblklist {INSTANCE}",)


def test_a_disk_that_came_out_later_or_whose_guest_has_ended() -> None:
    assert codes(detaching(DETACH_FAILED, DF, DETACHED)) == []
    assert codes(detaching(DETACH_FAILED, guests=())) == []
    assert codes(detaching(DETACH_FAILED, guests=(replace(GUEST, argv=("qemu-kvm", "-name", "i-00000000")),))) == []
    # A container sees no guests, and a host that does not tell may have it.
    assert codes(detaching(DETACH_FAILED, processes=replace(running(), contained=True))) != []
    assert codes(detaching(DETACH_FAILED, processes=Unavailable(reason=Reason.DENIED, what="x"))) != []


def test_no_node_controller_no_detachments() -> None:
    with pytest.raises(CannotLook) as none:
        look(DETACHING, cloud_host())
    assert none.value.unavailable.reason is Reason.ABSENT


# --- spool

PRIVATE = "systemd-private-0123456789abcdef0123456789abcdef-eucalyptus-cloud.service-AbC123"


def spooled(*ages: float, folder: str = VAR_TMP, lines: str = "", **parts: Any) -> Result:
    host = cloud_host(output=lines or info(NOW - 60, "x"))
    folder_stat = FileStat(kind=FileKind.DIRECTORY, size=1, allocated=1, device=1, inode=1, mtime=NOW)
    host.folders[VAR_TMP] = (FileEntry(name=PRIVATE, stat=folder_stat),)
    entries = tuple(
        FileEntry(
            name=f"{S}-{place}-{place}",
            stat=FileStat(kind=FileKind.FILE, size=GIB, allocated=GIB, device=1, inode=place, mtime=NOW - age),
        )
        for place, age in enumerate(ages)
    )
    host.folders[folder] = host.folders.get(folder, ()) + entries  # type: ignore[operator]
    return look(SPOOL, host, **parts)


def test_parts_older_than_the_service_are_left_over() -> None:
    result = spooled(13.0 * HOUR + 50_000, 20.0 * HOUR, 60.0)
    assert codes(result) == [("SPOOL_LEFTOVER", "warning", VAR_TMP)]
    facts = dict(result.findings[0].evidence)
    assert (facts["count"], facts["size"], result.examined) == (2, 2 * GIB, 3)
    assert result.findings[0].remedy.commands[1] == f"rm {VAR_TMP}/{S}-[0-9]*-[0-9]*"


def test_parts_in_the_folder_that_systemd_made() -> None:
    assert codes(spooled(20 * HOUR, folder=f"{VAR_TMP}/{PRIVATE}/tmp")) == [
        ("SPOOL_LEFTOVER", "warning", f"{VAR_TMP}/{PRIVATE}/tmp")
    ]


def test_parts_of_a_transfer_that_may_still_run_are_not() -> None:
    assert codes(spooled(2 * HOUR)) == []
    assert codes(spooled(2 * HOUR, lines=info(NOW - 3 * HOUR, FAILED))) == []
    assert codes(spooled(2 * HOUR, processes=Unavailable(reason=Reason.DENIED, what="x"))) == []


@pytest.mark.parametrize(
    ("age", "parts"),
    [
        (2 * HOUR, {"lines": info(NOW - 60, FAILED)}),
        (2 * HOUR, {"lines": info(NOW - 60, UPLOADED)}),
        (2 * HOUR, {"processes": running(service=None)}),
        (2 * HOUR, {"processes": running(service=process("java", 500, age=HOUR))}),
        (49 * HOUR, {"processes": Unavailable(reason=Reason.DENIED, what="x")}),
        (
            6 * HOUR,
            {"cloud": replace(euca("4.4.2"), properties=(("one.storage.snapshottransfertimeoutinhours", "5"),))},
        ),
    ],
)
def test_parts_of_a_transfer_that_is_over(age: float, parts: dict[str, Any]) -> None:
    assert codes(spooled(age, **parts)) != []


def test_no_eucalyptus_no_check_applies() -> None:
    absent = Unavailable(reason=Reason.ABSENT, what="/etc/eucalyptus/eucalyptus-version")
    for check in (FAULTS, ERRORS, UPLOADS, DELETING, DETACHING, SPOOL):
        with pytest.raises(CannotLook) as none:
            look(check, cloud=absent)
        assert none.value.unavailable.reason is Reason.ABSENT


def test_a_child_that_hung_on_a_log_is_named() -> None:
    from sctune.doctor import abandoned

    hung = Unavailable(reason=Reason.TIMEOUT, what=f"{LOGS}/cloud-error.log", pids=(4711,))
    made = inventory(host=cloud_host(output=info(NOW - 60, "x"), error=hung), cloud=euca("4.4.2"))
    assert not isinstance(made.cloud_log, Unavailable)
    assert abandoned(made) == (4711,)
