"""Volumes that another host serves: a node controller's half of the chain."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from sctune.chain_find import find_remote
from sctune.chain_tree import remote_tree, walk
from sctune.findings import Finding, Severity, Subject, SubjectKind
from sctune.initiator import session_subject
from sctune.model.guest import Guest, GuestDisk, GuestOrigin, Guests
from sctune.model.tree import Layer, Mark
from sctune.model.tree_io import TreeIo
from sctune.model.volume import VolumeState
from sctune.registry import load
from sctune.remote import remote_volumes
from sctune.report.chain_text import render
from sctune.report.layout import Style
from sctune.unavailable import Reason, Unavailable
from sctune.volume_state import VolumeStates
from sctune.volumes import matching, remote_row, volumes
from tests.unit.golden import compare
from tests.unit.iscsi_hosts import connection, session
from tests.unit.lvm_hosts import report as lvm_report
from tests.unit.serving_hosts import chains as no_chains
from tests.unit.storage_hosts import look
from tests.unit.test_multipath_map import DM, MAP, block

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.inventory import Inventory

IQN = "iqn.2009-06.com.eucalyptus.cluster01:store5"
CODES = {code.code: code for _, code in load().codes()}


def through(number: int, *, state: str = "LOGGED_IN", target: str = IQN) -> Any:
    address = f"10.1.{number}.1"
    return session(connection(persistent_address=address, address=address, local=False), number=number, target=target, state=state)


def sd(name: str, minor: int, number: int, *, state: str = "running", holders: tuple[str, ...] = ()) -> Any:
    return block(name, (8, minor), session=number, target_lun=1, device_state=state, holders=holders)


def has(device: tuple[int, int], *, volume: str = "vol-5062e8f1", origin: GuestOrigin = GuestOrigin.RUNNING) -> Guests:
    disk = GuestDisk(
        domain="i-133F3E53",
        origin=origin,
        source="/dev/disk/by-id/scsi-360000000000000000e00000000040001",
        source_kind="block",
        target="vdb",
        bus="virtio",
        kind="disk",
        serial=f"{volume}-dev-sdb" if volume else "",
        volume=volume,
        driver="qemu",
        image="raw",
        cache="none",
        read_only=False,
        file="/run/libvirt/qemu/i-133F3E53.xml",
        device=device,
    )
    guest = Guest(
        name="i-133F3E53", origin=origin, state="running", reason="booted", file="/run/libvirt/qemu/i-133F3E53.xml", disks=(disk,)
    )
    return Guests(guests=(guest,), unread=())


NOBODY = Guests(guests=(), unread=())


def node(**parts: Any) -> Inventory:
    return look(None, None, chains=no_chains(), **{"dm": (), "guests": NOBODY, "disk_ids": {}, **parts}).inventory


def single(guests: Guests | Unavailable = NOBODY, *, state: str = "LOGGED_IN") -> Inventory:
    return node(sessions=(through(1, state=state),), block=(sd("sdb", 16, 1),), guests=guests)


def two_paths(second: str = "running") -> Inventory:
    return node(
        sessions=(through(1), through(2, state="LOGGED_IN" if second == "running" else "FAILED")),
        block=(sd("sdb", 16, 1, holders=("dm-0",)), sd("sdc", 32, 2, state=second, holders=("dm-0",)), MAP),
        dm=(DM,),
        guests=has((253, 0)),
    )


def found(code: str, subject: Subject, severity: Severity) -> Finding:
    return CODES[code].found(subject, f"{code} here", (("source", "a test"),), severity=severity)


def failed(number: int) -> Finding:
    return found("ISCSI_SESSION_FAILED", session_subject(through(number)), Severity.CRITICAL)


def judged(inventory: Inventory, findings: Iterable[Finding] = ()) -> tuple[VolumeState, tuple[str, ...]]:
    (volume,) = remote_volumes(inventory)
    state = VolumeStates(inventory, findings, CODES).of_remote(volume)
    return state.state, state.why


def test_a_volume_is_called_by_what_the_guests_disk_says() -> None:
    (volume,) = remote_volumes(single(has((8, 16))))
    assert volume.subject == Subject(kind=SubjectKind.VOLUME, id="vol-5062e8f1")
    assert volume.backend.name.startswith("eucalyptus")
    assert [guest.domain for guest in volume.guests] == ["i-133F3E53"]


def test_without_a_guest_the_target_and_lun_are_its_name() -> None:
    (volume,) = remote_volumes(single())
    assert volume.subject == Subject(kind=SubjectKind.LUN, id=f"{IQN}/1")


def test_two_paths_are_one_volume() -> None:
    (volume,) = remote_volumes(two_paths())
    assert [local.disk.name for local in volume.disks] == ["sdb", "sdc"]
    assert volume.multipath is not None and volume.multipath.name == "mpatha"
    assert volume.subject.id == "vol-5062e8f1"


def test_without_a_map_two_disks_are_two() -> None:
    inventory = node(sessions=(through(1), through(2)), block=(sd("sdb", 16, 1), sd("sdc", 32, 2)))
    assert [local.disk.name for volume in remote_volumes(inventory) for local in volume.disks] == ["sdb", "sdc"]


@pytest.mark.parametrize(
    ("inventory", "findings", "expected"),
    [
        (single(), (), (VolumeState.READY, ())),
        (single(has((8, 16))), (), (VolumeState.ATTACHED, ())),
        (single(has((8, 16)), state="FAILED"), (failed(1),), (VolumeState.BROKEN, ("ISCSI_SESSION_FAILED",))),
        (
            single(),
            (found("ISCSI_SESSION_LEFTOVER", session_subject(through(1)), Severity.WARNING),),
            (VolumeState.LEAKED, ("ISCSI_SESSION_LEFTOVER",)),
        ),
        # One path is gone and the other carries all: that is what two are for.
        (two_paths("transport-offline"), (failed(2),), (VolumeState.DEGRADED, ("ISCSI_SESSION_FAILED",))),
        (single(Unavailable(reason=Reason.DENIED, what="/run/libvirt/qemu")), (), (VolumeState.UNKNOWN, ())),
        (single(Unavailable(reason=Reason.ABSENT, what="guests")), (), (VolumeState.READY, ())),
    ],
)
def test_how_it_is(inventory: Inventory, findings: tuple[Finding, ...], expected: tuple[VolumeState, tuple[str, ...]]) -> None:
    assert judged(inventory, findings) == expected


def test_listed() -> None:
    listed = volumes(two_paths(), (), CODES)
    (row,) = listed.rows
    assert (row.id, row.state, row.multipath, row.guests) == ("vol-5062e8f1", VolumeState.ATTACHED, "mpatha", ("i-133F3E53/vdb",))
    assert [(disk.name, disk.portal) for disk in row.disks] == [("sdb", "10.1.1.1:3260"), ("sdc", "10.1.2.1:3260")]


@pytest.mark.parametrize(
    "name",
    ["VOL-5062E8F1", "sdb", "/dev/sdc", "/dev/mapper/mpatha", "mpatha", "dm-0", IQN, f"{IQN}/1", "i-133F3E53", "session2"],
)
def test_found_by(name: str) -> None:
    inventory = two_paths()
    assert [one.subject.id for one in find_remote(name, inventory, remote_volumes(inventory))] == ["vol-5062e8f1"]
    assert find_remote("sdd", inventory, remote_volumes(inventory)) == ()


def test_shown(request: pytest.FixtureRequest) -> None:
    inventory = two_paths("transport-offline")
    findings = (failed(2), found("MULTIPATH_PATH_FAILED", Subject(kind=SubjectKind.DISK, id=DM.uuid[6:]), Severity.WARNING))
    (volume,) = remote_volumes(inventory)
    row = remote_row(volume, VolumeStates(inventory, findings, CODES))
    links = remote_tree(volume, inventory, findings, CODES)
    compare(request, "chain-node.txt", render(row, links, TreeIo(), style=Style()))
    every = tuple(walk(links))
    assert [link.mark for link in every if link.layer is Layer.SESSION] == [Mark.FINE, Mark.BROKEN]
    assert [link.layer for link in every] == [
        *(Layer.TARGET, Layer.SESSION, Layer.DISK),
        *(Layer.TARGET, Layer.SESSION, Layer.DISK, Layer.MULTIPATH, Layer.GUEST),
    ]
    told = {link.layer: [one.code for one in link.findings] for link in every if link.findings}
    assert told == {Layer.SESSION: ["ISCSI_SESSION_FAILED"], Layer.MULTIPATH: ["MULTIPATH_PATH_FAILED"]}


def test_a_guest_that_stopped_because_its_disk_failed() -> None:
    guests = has((8, 16))
    paused = dataclasses.replace(
        guests, guests=tuple(dataclasses.replace(guest, state="paused", reason="ioerror") for guest in guests.guests)
    )
    (volume,) = remote_volumes(single(paused))
    links = remote_tree(volume, single(paused), (), CODES)
    assert [link.note for link in walk(links) if link.layer is Layer.GUEST] == ["paused: a disk failed under it"]


def test_a_finding_about_one_path_hangs_on_its_disk_and_not_on_the_map() -> None:
    inventory = two_paths()
    findings = (found("KERNEL_STORAGE_ERRORS", Subject(kind=SubjectKind.DISK, id="sdc"), Severity.WARNING),)
    (volume,) = remote_volumes(inventory)
    told = [(link.layer, link.name) for link in walk(remote_tree(volume, inventory, findings, CODES)) if link.findings]
    assert told == [(Layer.DISK, "/dev/sdc")]


def test_a_name_that_is_nothing_is_nobodys() -> None:
    inventory = single(has((8, 16), volume=""))
    assert find_remote("", inventory, remote_volumes(inventory)) == ()


def test_sessions_that_could_not_be_looked_at_are_told() -> None:
    denied = Unavailable(reason=Reason.DENIED, what="/sys/class/iscsi_session")
    assert volumes(node(sessions=denied, block=()), (), CODES).unread == (denied,)
    blind = Unavailable(reason=Reason.DENIED, what="/sys/block")
    assert blind in volumes(node(sessions=(through(1),), block=blind), (), CODES).unread
    absent = Unavailable(reason=Reason.ABSENT, what="sessions")
    assert volumes(node(sessions=absent, block=()), (), CODES).unread == ()


def test_disks_that_lvm_was_kept_away_from_are_told_unless_they_are_known_to_be_no_pv() -> None:
    """On such a disk an LV of this host may lie; on what a cloud or a guest has of another host, none does."""
    san = "iqn.2001-05.com.example:array"

    def unread(lost: tuple[str, ...], **parts: Any) -> list[str]:
        inventory = node(lvm=lvm_report(excluded=lost), **parts)
        return [f"{one.what}: {one.detail}" for one in volumes(inventory, (), CODES).unread]

    told = "logical volumes: LVM was kept away from devices that may hang: "
    dead = block("sdd", (8, 48), device_state="offline")
    assert unread((), sessions=(), block=(dead,)) == []
    assert unread(("sdd",), sessions=(), block=(dead,)) == [f"{told}sdd"]
    over = block("dm-3", (253, 3), slaves=("sdb",))
    lost = through(1, state="FAILED", target=san)
    disk = sd("sdb", 16, 1, state="blocked", holders=("dm-3",))
    assert unread(("dm-3", "sdb"), sessions=(lost,), block=(disk, over)) == [f"{told}sdb"]
    assert unread(("dm-3", "sdb"), sessions=(lost,), block=(disk, over), guests=has((8, 16))) == []
    assert unread(("sdb",), sessions=(through(1, state="FAILED"),), block=(sd("sdb", 16, 1, state="blocked"),)) == []
    back = session(connection(local=True), number=1, target=san, state="FAILED")
    assert unread(("sdb",), sessions=(back,), block=(sd("sdb", 16, 1),)) == []
    blind = Unavailable(reason=Reason.DENIED, what="/sys/block")
    assert f"{told}dm-*, sd*" in unread(("dm-*", "sd*"), sessions=(lost,), block=blind)


def test_a_name_with_a_bracket_is_found_by_itself() -> None:
    rows = volumes(node(sessions=(through(1, target="iqn.x:we[ird]"),), block=(sd("sdb", 16, 1),)), (), CODES).rows
    assert matching(rows, ["iqn.x:WE[ird]"]) == rows
    assert matching(rows, ["iqn.x:we[x]*"]) == ()


def test_an_lv_on_the_map_has_the_volume() -> None:
    over = dataclasses.replace(MAP, holders=("dm-7",))
    disks = (sd("sdb", 16, 1, holders=("dm-0",)), sd("sdc", 32, 2, holders=("dm-0",)))
    inventory = node(sessions=(through(1), through(2)), block=(*disks, over), dm=(DM,))
    assert judged(inventory) == (VolumeState.ATTACHED, ())
    assert judged(node(sessions=(through(1), through(2)), block=(*disks, MAP), dm=(DM,))) == (VolumeState.READY, ())


def test_what_an_own_lost_export_left_is_no_volume_of_another_host() -> None:
    back = session(connection(local=True), number=1, target=IQN, state="FAILED")
    inventory = node(sessions=(back,), block=(sd("sdb", 16, 1),))
    assert volumes(inventory, (), CODES).rows == ()
    assert [one.subject.id for one in find_remote("sdb", inventory, remote_volumes(inventory))] == [f"{IQN}/1"]
