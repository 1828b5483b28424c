"""What Eucalyptus' logs say of storage: every message that is known, in the words of its sources; what cannot be read; secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from sctune.host.base import FileEntry, FileKind, FileStat, LogLine, LogLines
from sctune.host.recording import RecordingHost
from sctune.host.redact import redact_message
from sctune.model.cloud import Cloud
from sctune.model.cloud_log import LogClass
from sctune.probes import cloud_log, spool
from sctune.probes.cloud_log_lines import NODE, STORAGE, Catalogue
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost, absent
from tests.unit.cloud_logs import (
    HOUR,
    LOGS,
    NOW,
    THROWABLE,
    cloud_host,
    debug_file,
    error,
    fault,
    info,
    node,
    node_debug,
    node_old,
    old,
)

if TYPE_CHECKING:
    from sctune.model.cloud_log import CloudLog

CLOUD = Cloud(version="4.4.2", volumes_folder="/var/lib/eucalyptus/volumes", properties=())
DAY = 24 * HOUR
V, S = "vol-391D44BE", "snap-0a1b2c3d"
FILE = f"//var/lib/eucalyptus/volumes/{V}"
C = LogClass

# As the sources put them together; one of each kind of message that is looked for.
SAID = (
    (C.LOOP, V, f"Could not create loopback device for {FILE}. Please check the max loop value and permissions"),
    (
        C.LOOP,
        V,
        f"Unable to run command: Could not create loopback device for {FILE}. Please check the max loop value and permissions",
    ),
    (C.LOOP, V, f"Unable to create loop back device for {V}"),
    (C.LOOP, "", "All attempts to remove loop device /dev/loop3 failed."),
    (C.LVM, "", "Unable to run command: Unable to create physical volume for /dev/loop3"),
    (C.LVM, V, f"Unable to run command: Unable to create volume group euca-ebs-storage-vg-{V} for /dev/loop3"),
    (C.LVM, V, f"Unable to create logical volume euca-{V} in volume group euca-ebs-storage-vg-{V}"),
    (C.LVM, S, f"Unable to create snapshot logical volume euca-{S} for volume euca-{V}"),
    (C.LVM, V, f"Unable to extend volume group euca-ebs-storage-vg-{V} for /dev/loop4"),
    (C.LVM, V, f"Unable to reduce volume group euca-ebs-storage-vg-{V} logical volume: /dev/loop4"),
    (C.LVM, V, f"Unable to remove logical volume /dev/euca-ebs-storage-vg-{V}/euca-{V} "),
    (C.LVM, V, f"Failed to enable logical volume /dev/euca-ebs-storage-vg-{V}/euca-{V}, all retries exhausted."),
    (C.LVM, "", "Not a volume group: /dev/blockdev"),
    (C.LVM, V, f"Logical volume not found: /dev/vg/euca-{V}"),
    (C.SPACE, S, f"dd: writing `{FILE.replace(V, S)}': No space left on device"),
    (C.FILE, V, f"Unable to create file {FILE}"),
    (C.FILE, "", "Unable to make volume root directory: //var/lib/eucalyptus/volumes"),
    (C.FILE, V, f"SC Reload: Backing volume: {FILE} not found. Invalidating volume."),
    (C.FILE, V, f"Backing volume not found: /dev/vg/euca-{V}"),
    (C.FILE, V, f"Unable to remove temporary snapshot file: {FILE}MsmGAIzx"),
    (C.TARGET, V, f"Failed creating target 7 for {V}"),
    (C.TARGET, V, f"Failed to export volume {V}, all retries exhausted."),
    (C.TARGET, V, f"Failed to allocate target for volume {V}"),
    (C.TARGET, V, f"Unable to export volume {V}"),
    (C.TARGET, V, f"Failed to attach volume {V}"),
    (C.TARGET, V, f"Volume: {V} Unable to unbind tid: 7"),
    (C.TARGET, V, f"Volume: {V} Gave up deleting the lun for: 7"),
    (C.TARGET, V, f"Volume: {V} Target: 7 still exists after forcible deletion"),
    (C.TARGET, V, f"Error unexporting target for volume {V}"),
    (C.TARGET, V, f"Error unexporting {V} from all hosts"),
    (C.TARGET, V, f"SC Reload: Unable to reload volume: {V}null"),
    (
        C.TARGET,
        "",
        "//usr/libexec/eucalyptus/euca_rootwrap tgtadm --lld iscsi --mode target --op show  timed out. Cancelling the process, "
        "logging a fault and exceptioning out",
    ),
    (
        C.QUOTA,
        V,
        f"com.eucalyptus.blockstorage.exceptions.VolumeSizeExceededException: Total Volume Size Limit Exceeded volume: {V}",
    ),
    (
        C.QUOTA,
        S,
        f"Snapshot {S} exceeds global total snapshot size limit of 50GB (see storage.global_total_snapshot_size_limit_gb)",
    ),
    (C.QUOTA, S, f"Snapshot {S} exceeds total snapshot size limit of 50"),
    (C.TARGET, V, f"Failed to delete iscsi target 7 for volume {V}"),
    (C.TARGET, V, f"Error cleaning up volume iscsi state {V}"),
    (
        C.TARGET,
        "",
        "Unable to run tgtadm command (SCSI Target Administration Utility). Is the scsi-target-utils package installed? ",
    ),
    (C.LVM, "", "Unable to get volume group for physical volume: /dev/blockdev"),
    (C.FILE, V, f"Unable to delete: {FILE}"),
    (C.SERVICE, "", "Snapshot functionality disabled. Please check connection to Walrus"),
    (C.UPLOAD_FAILED, S, f"Failed to add async task for uploading {S} due to: "),
    (C.TRANSFER, "", "com.eucalyptus.util.EucalyptusCloudException: Snapshot transfer failed"),
    (C.TRANSFER, S, f"Failed to download snapshot from objectstorage: snapshotId={S}, bucket=snapshots-1, key={S}"),
    (C.TRANSFER, "", "unable to transfer pending snapshots"),
    (C.SERVICE, "", "BlockStorage has been disabled. Please check your setup"),
    (C.SERVICE, "", "Snapshots have been disabled. Please check connection to ObjectStorage."),
    (C.SERVICE, "", "SC blockstoragemanager not configured. Found empty or unset manager(unset).  Legal values are: das,overlay"),
    (C.CREATE, V, f"Failed to create volume {V}"),
    (C.SNAPSHOT, S, f"Failed to create snapshot {S}"),
    (C.UPLOAD_FAILED, S, f"Failed to upload {S} to object storage gateway failed. Check prior logs for exact errors"),
    (C.UPLOAD_FAILED, S, f"Failed to upload snapshot {S} due to: "),
    (C.UPLOAD_FAILED, S, f"Failed to upload a part for {S}. Aborting the part upload process"),
    (C.UPLOAD_FAILED, S, f"Failed to upload snapshot to objectstorage: snapshotId={S}, bucket=snapshots-1, key={S}"),
    (C.TRANSFER, "", "Transfer failed. Retrying"),
    (C.TRANSFER, "", "Failed to initialize S3 client for snapshot transfers due to java.lang.Exception"),
    (C.UPLOADED, S, f"Transfer complete: snapset-ccc92f77-ab62-4554-9151-973e45fcc974.{S}"),
    (C.UPLOADED, S, f"Uploaded snapshot {S} to objectstorage"),
    (C.UPLOADED, S, f"Uploaded {S} to object storage gateway, etag result - 0f343b0931126a20f133d67c2b018a3b"),
    (C.DOWNLOADED, S, f"Downloaded snapshot {S} to storage backend"),
    (C.UPLOADING, S, f"Uploading snapshot {S} to objectstorage using multipart upload"),
    (C.UPLOADING, S, f"Upload entire content of snapshot {S}"),
    (C.FINISHED, S, f"Finished creating {S} on block storage backend"),
    (C.REQUESTED, V, f"Processing CreateStorageSnapshot request for volume {V}"),
    (C.DELETE_REQUESTED, S, f"Processing DeleteStorageSnapshot request for snapshot {S}"),
    (C.DELETE_REQUESTED, V, f"Processing DeleteStorageVolume request for volume {V}"),
    (C.DELETE_BLOCKED, V, f"Cannot delete volume {V} because it is currently exported"),
    (C.DELETE_GIVEN_UP, V, f"All attempts to cleanup volume {V} failed"),
    (C.CLEANING, V, f"Cleaning up volume: {V}"),
    (C.DETACH_BLOCKED, "", "Snapshot in progress. Not detaching loop device."),
    (C.COMMAND, "", "Unable to run command: null"),
)
INSTANCE = "i-133F3E53"
NODE_SAID = (
    (C.NODE_DETACH_FAILED, V, f"[{INSTANCE}][{V}] failed to detach EBS guest device"),
    (C.NODE_DETACH_FAILED, V, f"[{INSTANCE}] Extant (running) pub=10.1.1.1 vols={V}:df,vol-0A1B2C3D:A nics=eni-1"),
    (
        C.NODE_DETACH_FAILED,
        V,
        f"[{INSTANCE}] Extant pub=10.1.1.1 priv=172.1.1.1 mac=D0:0D:13:3F:3E:53 vlan=10 net=3 plat=linux vols={V}:df",
    ),
    (C.NODE_DETACHED, V, f"[{INSTANCE}][{V}] detached EBS guest device 'vdb'"),
    (C.NODE_ATTACH, V, f"[{INSTANCE}][{V}] failed to connect to EBS target"),
    (C.NODE_ATTACH, V, f"[{INSTANCE}][{V}] failed to attach EBS guest device after 3 tries"),
    (C.NODE_ATTACH, V, f"[{INSTANCE}][{V}] Failed to lookup enabled Storage Controller. Cannot attach volume: {V}"),
    (C.NODE_ATTACH, V, f"[{INSTANCE}][{V}] failed to read volume XML from /var/lib/eucalyptus/instances/work/a/{INSTANCE}/{V}.xml"),
)
# What is said in a sound cloud, and what only looks alike.
NOTHING = (
    f"Finished executing: losetup /dev/loop3 {FILE}",
    "Failed to enable logical volume /dev/vg/lv on attempt 1",
    f"Failed to export volume {V} on attempt 1",
    "SC Reload found 3 volumes in the DB",
    f"Unexporting volume {V} from all clients",
    "Failed to create volume because the parameter size (x) must be a number",
    "Unable to find user",
    f"[{INSTANCE}] Extant (running) pub=10.1.1.1 vols={V}:A,vol-0A1B2C3D:d",
    f"[{INSTANCE}][{V}] failed to attach EBS guest device on attempt 1 of 3",
    "Failed to upload object /var/tmp/x",
)


def logged(host: FakeHost, *, seconds: float = DAY) -> CloudLog:
    found = cloud_log.probe(host, cloud=CLOUD, seconds=seconds)
    assert not isinstance(found, Unavailable), found
    return found


@pytest.mark.parametrize(("kind", "name", "text"), SAID, ids=[text[:40] for _, _, text in SAID])
def test_every_message_is_known(kind: LogClass, name: str, text: str) -> None:
    for file, form in (("output", info), ("output", old), ("error", error), ("debug", debug_file)):
        events = logged(cloud_host(**{file: form(NOW - 60, text)})).events
        assert [(event.kind, event.id, event.last) for event in events] == [(kind, name, NOW - 60)]


@pytest.mark.parametrize(("kind", "name", "text"), NODE_SAID)
def test_every_message_of_a_node_is_known(kind: LogClass, name: str, text: str) -> None:
    for form in (node, node_debug, node_old):
        found = cloud_log.probe_node(cloud_host(nc=form(NOW - 60, text)), cloud=CLOUD, seconds=DAY)
        assert not isinstance(found, Unavailable)
        assert [(event.kind, event.id, event.instance) for event in found.events] == [(kind, name, INSTANCE)]


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_no_failure_is_not_taken_for_one(text: str) -> None:
    assert logged(cloud_host(output=info(NOW - 60, text))).events == ()
    found = cloud_log.probe_node(cloud_host(nc=node(NOW - 60, text)), cloud=CLOUD, seconds=DAY)
    assert not isinstance(found, Unavailable)
    assert found.events == ()


@pytest.mark.parametrize(("catalogue", "said"), [(STORAGE, SAID), (NODE, NODE_SAID)], ids=["storage", "node"])
def test_every_entry_is_tried_and_has_its_word(catalogue: Catalogue, said: tuple[tuple[LogClass, str, str], ...]) -> None:
    for _, word, pattern in catalogue.entries:
        matching = [text for _, _, text in said if re.search(pattern, text)]
        assert matching, pattern
        assert all(word in text for text in matching), (word, matching)


def test_no_pattern_needs_more_than_awk_knows() -> None:
    for catalogue in (STORAGE, NODE):
        assert not re.search(r"\\|\{|\(\?|[*+?]\?", catalogue.pattern)


def test_the_same_in_several_files_is_several_events_of_one_kind() -> None:
    found = logged(
        cloud_host(
            output=info(NOW - 60, f"Failed to upload {S} due to: "),
            error=error(NOW - 60, f"Failed to upload {S} due to: ", throwable=THROWABLE),
        )
    )
    assert {(event.kind, event.id) for event in found.events} == {(C.UPLOAD_FAILED, S)}
    assert [event.continued for event in found.events].count(True) == 2


def test_a_list_of_volumes_shows_only_the_first_ones_failure() -> None:
    """The second one's df was cut to d by the node controller: see NOTHING. Here both are whole, in case a later version is."""
    text = f"[{INSTANCE}] Extant (running) pub=1.1.1.1 vols={V}:df,vol-0A1B2C3D:df"
    found = cloud_log.probe_node(cloud_host(nc=node_debug(NOW - 60, text)), cloud=CLOUD, seconds=DAY)
    assert not isinstance(found, Unavailable)
    assert [event.id for event in found.events] == [V, "vol-0A1B2C3D"]


def test_debug_is_read_where_output_is_not_there() -> None:
    both = logged(cloud_host(output=info(NOW - 60, "x"), debug=debug_file(NOW - 60, "y"), error=error(NOW - 60, "z")))
    assert [one.file for one in both.reach] == [f"{LOGS}/cloud-output.log", f"{LOGS}/cloud-error.log"]
    alone = logged(cloud_host(debug=debug_file(NOW - 60, "y")))
    assert [one.file for one in alone.reach] == [f"{LOGS}/cloud-debug.log"]


def test_how_far_back_logs_are_known() -> None:
    rolled = {f"output_{place}": info(NOW - place * HOUR, "x") for place in range(1, 12)}
    found = logged(cloud_host(output=info(NOW - 60, "x"), **rolled))
    assert (found.begins, found.reach[0].whole) == (NOW - 11 * HOUR, False)
    assert logged(cloud_host(output=info(NOW - 60, "x"), **rolled), seconds=6 * HOUR).begins == NOW - 6 * HOUR
    assert logged(cloud_host(output=info(NOW - 60, "x"))).begins == NOW - DAY  # it is younger than a day, and whole
    assert logged(cloud_host(output="")).begins == NOW - DAY


def test_what_cannot_be_read_is_not_nothing() -> None:
    denied = Unavailable(reason=Reason.DENIED, what=f"{LOGS}/cloud-output.log")
    found = cloud_log.probe(cloud_host(output=denied), cloud=CLOUD, seconds=DAY)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.DENIED
    part = logged(cloud_host(output=denied, error=error(NOW - 60, "x")))
    assert [one.reason for one in part.unread] == [Reason.DENIED]
    odd = cloud_log.probe(cloud_host(output="Mi Nov 25 10:11:12 2015 INFO | x\n"), cloud=CLOUD, seconds=DAY)
    assert isinstance(odd, Unavailable)
    assert odd.reason is Reason.MALFORMED


def test_where_no_eucalyptus_is_nobody_asks_for_logs() -> None:
    class Strict(FakeHost):
        def log_lines(self, path: str, query: object) -> LogLines | Unavailable:
            raise AssertionError(path)

    for probe in (cloud_log.probe, cloud_log.probe_node, cloud_log.probe_faults):
        assert probe(Strict(), cloud=absent("version"), seconds=DAY) == absent("version")
    nothing = cloud_log.probe(FakeHost(), cloud=CLOUD, seconds=DAY)
    assert isinstance(nothing, Unavailable)
    assert nothing.reason is Reason.ABSENT


def test_faults_of_all_components() -> None:
    host = cloud_host(
        sc_fault=fault(NOW - 60, "2000", "tgtadm (Linux SCSI target administrator utility) is unresponsive")
        + fault(NOW - 2 * DAY, "1003", "Running very low on disk space."),
        nc_fault=fault(NOW - 90, "2003", "Unable to login to storage target", by_c=True),
    )
    found = cloud_log.probe_faults(host, cloud=CLOUD, seconds=DAY)
    assert not isinstance(found, Unavailable)
    assert [(one.component, one.number, one.last) for one in found.faults] == [("sc", "2000", NOW - 60), ("nc", "2003", NOW - 90)]
    assert found.faults[0].message == "tgtadm (Linux SCSI target administrator utility) is unresponsive"


SECRET = "pl4ntedS3cret77"
ENCRYPTED = "b64" + "QmFzZTY0" * 40 + "=="


def test_no_event_and_no_capture_holds_a_secret() -> None:
    planted = (
        f"TGTWrapper executed: tgtadm --lld iscsi --op new --mode account --user eucalyptus --password {SECRET}\n return=0",
        f"euca_rootwrap tgtadm --op new --mode account --user a --password {SECRET}  timed out. Cancelling the process, "
        "logging a fault",
        f"Failed to attach volume {V} with iscsi,tgt,,,,{ENCRYPTED},,10.1.1.1,iqn.2009-06.com.eucalyptus.one:store7",
        f"Unable to export volume {V} password={SECRET}",
        f"Failed to upload {S} due to: token {ENCRYPTED}",
        f'Unable to run command: {{"secretKey": "{SECRET}"}}',
    )
    text = "".join(info(NOW - 60, one) for one in planted)
    recording = RecordingHost(cloud_host(output=text, error=text))
    found = cloud_log.probe(recording, cloud=CLOUD, seconds=DAY)
    assert not isinstance(found, Unavailable)
    plain = logged(cloud_host(output=text, error=text))
    for said in (repr(found), repr(plain), repr(recording.answers().logs)):
        assert SECRET not in said
        assert ENCRYPTED not in said
    assert len(plain.events) == len(found.events) == 10
    assert found == plain


def test_ids_and_paths_are_no_secrets() -> None:
    for _, _, text in SAID + NODE_SAID:
        assert redact_message(text) == text


def test_a_capture_of_another_since_is_filtered_again() -> None:
    lines = (LogLine(first=NOW - 3 * DAY, last=NOW - 2 * DAY, count=2, text="Transfer failed. Retrying"),)
    host = FakeHost(
        logs={f"{LOGS}/cloud-output.log": LogLines(lines=lines, begins=NOW - 3 * DAY, whole=False, size=9, zone="CET +0100")}
    )
    assert logged(host).events == ()
    assert len(logged(host, seconds=7 * DAY).events) == 1
    assert logged(host, seconds=7 * DAY).begins == NOW - 3 * DAY
    assert logged(host).zone == "CET +0100"


def part(name: str, size: int = 100, *, age: float = 60.0, kind: FileKind = FileKind.FILE) -> FileEntry:
    return FileEntry(
        name=name, stat=FileStat(kind=kind, size=size, allocated=size, device=1, inode=hash(name) % 999, mtime=NOW - age)
    )


def test_parts_of_snapshots_are_found_in_both_folders() -> None:
    private = "systemd-private-0123456789abcdef0123456789abcdef-eucalyptus-cloud.service-AbC123"
    other = private.replace("eucalyptus-cloud", "chronyd")
    host = FakeHost(
        folders={
            "/var/tmp": (
                part(f"{S}-8412345678901234567-1"),
                part("snap-0a1b2c3d-1"),
                part("snap-nothing-1-1"),
                part(private, kind=FileKind.DIRECTORY),
                part(other, kind=FileKind.DIRECTORY),
                part("snap-0a1b2c3d0a1b2c3d0-12-34"),
                part("snap-0A1B2C3E-1-2", kind=FileKind.DIRECTORY),
            ),
            f"/var/tmp/{private}/tmp": (part(f"{S}-77-3", 200),),
            f"/var/tmp/{other}/tmp": (part(f"{S}-77-4", 200),),
        }
    )
    found = spool.probe(host, cloud=CLOUD)
    assert not isinstance(found, Unavailable)
    assert [(one.path, one.snapshot, one.size) for one in found.files] == [
        (f"/var/tmp/{S}-8412345678901234567-1", S, 100),
        ("/var/tmp/snap-0a1b2c3d0a1b2c3d0-12-34", "snap-0a1b2c3d0a1b2c3d0", 100),
        (f"/var/tmp/{private}/tmp/{S}-77-3", S, 200),
    ]
    assert len(found.folders) == 2
    denied = Unavailable(reason=Reason.DENIED, what="/var/tmp")
    assert spool.probe(FakeHost(folders={"/var/tmp": denied}), cloud=CLOUD) == denied
