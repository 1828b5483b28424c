from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import DmQuery
from sctune.model.dm import DmDevice, PoolMode, SnapshotState, SnapshotStatus, ThinPoolStatus, ThinStatus
from sctune.probes.dm import parse_initialized, probe
from sctune.probes.dm_text import lvm_name, parse_report, parse_status, underlying, unmangle
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.storage_hosts import DATA, denied, recorded

SNAPSHOT = "euca--ebs--storage--vg--vol--391D44BE-euca--snap--57C3C3E8"


def devices(host: FakeHost) -> dict[str, DmDevice]:
    found = probe(host)
    assert isinstance(found, tuple)
    return {device.name: device for device in found}


def status_of(host: FakeHost, name: str) -> object:
    targets = devices(host)[name].targets
    assert isinstance(targets, tuple)
    return targets[0].status


def test_healthy_host_of_the_test_machine() -> None:
    found = devices(recorded("healthy"))
    assert len(found) == 5
    snapshot = found[SNAPSHOT]
    assert isinstance(snapshot.targets, tuple)
    (target,) = snapshot.targets
    assert (target.kind, target.length, target.underlying) == ("snapshot", 1024**3, ((253, 2), (253, 3)))
    assert target.status == SnapshotStatus(state=SnapshotState.ACTIVE, used=16 * 512, total=1040384 * 512, metadata=16 * 512)
    assert snapshot.uuid.startswith("LVM-")
    assert not any(device.suspended for device in found.values())
    origin = found["euca--ebs--storage--vg--vol--391D44BE-euca--vol--391D44BE"]
    assert (origin.kernel_name, origin.device, origin.size) == ("dm-0", (253, 0), 1024**3)


def test_activation_is_what_udev_recorded_first() -> None:
    origin = devices(recorded("healthy"))["euca--ebs--storage--vg--vol--391D44BE-euca--vol--391D44BE"]
    later = devices(recorded("lv-suspended"))["euca--ebs--storage--vg--vol--391D44BE-euca--vol--391D44BE"]
    assert origin.activated is not None
    # A snapshot was made, written and removed between the two recordings: the origin's activation stays what it was.
    assert origin.activated == later.activated
    assert 1 < origin.activated < 60


def test_invalid_snapshot_of_the_test_machine() -> None:
    expected = SnapshotStatus(state=SnapshotState.INVALID, used=None, total=None, metadata=None)
    assert status_of(recorded("snapshot-invalid"), SNAPSHOT) == expected


def test_suspended_device_of_the_test_machine() -> None:
    assert [device.kernel_name for device in devices(recorded("lv-suspended")).values() if device.suspended] == ["dm-0"]


@pytest.mark.parametrize(
    ("state", "mode", "used"),
    [
        ("thin-pool", PoolMode.RW, 128),
        ("thin-full", PoolMode.RW, 512),
        ("thin-out-of-space", PoolMode.OUT_OF_DATA_SPACE, 512),
    ],
)
def test_thin_pools_of_the_test_machine(state: str, mode: PoolMode, used: int) -> None:
    status = status_of(recorded(state), "lab--thin-pool0-tpool")
    assert isinstance(status, ThinPoolStatus)
    assert (status.mode, status.data_used, status.data_total, status.metadata_total) == (mode, used, 512, 1024)
    assert (status.needs_check, status.queue_if_no_space) == (False, True)
    assert isinstance(status_of(recorded(state), "lab--thin-thin1"), ThinStatus)


def test_an_ordinary_user_sees_devices_and_no_targets() -> None:
    host = recorded("healthy")
    host.dm_answers = {DmQuery.STATUS: denied("device-mapper"), DmQuery.TABLE: denied("device-mapper")}
    found = devices(host)
    assert len(found) == 5
    assert all(device.targets == denied("device-mapper") for device in found.values())


def test_no_device_mapper_in_the_kernel() -> None:
    found = probe(FakeHost(files={"/sys/block/sda/size": "1\n"}))
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.ABSENT


def test_device_mapper_without_devices() -> None:
    assert probe(FakeHost(files={"/sys/block/sda/size": "1\n", "/sys/class/misc/device-mapper/dev": "10:236\n"})) == ()


def test_a_device_that_changed_between_the_two_reports() -> None:
    host = recorded("healthy")
    table = host.dm_answers[DmQuery.TABLE]
    assert isinstance(table, str)
    host.dm_answers[DmQuery.TABLE] = table.replace("0 2097152 snapshot-origin 253:2", "0 2097152 linear 7:0 2048")
    changed = devices(host)["euca--ebs--storage--vg--vol--391D44BE-euca--vol--391D44BE"].targets
    assert isinstance(changed, Unavailable)
    assert changed.reason is Reason.FAILED
    assert isinstance(devices(host)[SNAPSHOT].targets, tuple)


def test_a_device_that_was_removed_meanwhile_is_not_there() -> None:
    host = recorded("healthy")
    del host.files["/sys/block/dm-4/dm/name"]
    assert SNAPSHOT not in devices(host)


def test_a_status_nobody_documented() -> None:
    host = recorded("healthy")
    status = host.dm_answers[DmQuery.STATUS]
    assert isinstance(status, str)
    host.dm_answers[DmQuery.STATUS] = status.replace("snapshot 16/1040384 16", "snapshot sixteen")
    targets = devices(host)[SNAPSHOT].targets
    assert isinstance(targets, Unavailable)
    assert targets.reason is Reason.MALFORMED


def test_a_host_that_slept_has_two_clocks() -> None:
    host = recorded("healthy")
    host.files["/sys/power/suspend_stats/success"] = "1\n"
    assert all(device.activated is None for device in devices(host).values())
    host.files["/sys/power/suspend_stats/success"] = "0\n"
    assert all(device.activated is not None for device in devices(host).values())


def test_odd_names_as_the_test_machine_printed_them() -> None:
    table = parse_report((DATA / "block" / "dmsetup-table-odd-names.txt").read_text())
    assert list(table) == ["a b: 0 c", "notable", "plain--x"]
    assert table["notable"] == ()
    assert (table["a b: 0 c"][0].kind, table["a b: 0 c"][0].length) == ("linear", 100)
    # sysfs has the name mangled, dmsetup prints it unmangled.
    host = FakeHost(
        files={
            "/sys/block/dm-0/dm/name": "a\\x20b:\\x200\\x20c\n",
            "/sys/block/dm-0/dm/uuid": "\n",
            "/sys/block/dm-0/dm/suspended": "0\n",
            "/sys/block/dm-0/size": "100\n",
            "/sys/block/dm-0/dev": "253:0\n",
        },
        dm_answers={
            DmQuery.STATUS: (DATA / "block" / "dmsetup-status-odd-names.txt").read_text(),
            DmQuery.TABLE: (DATA / "block" / "dmsetup-table-odd-names.txt").read_text(),
        },
    )
    (device,) = devices(host).values()
    assert isinstance(device.targets, tuple)
    assert device.targets[0].underlying == ((7, 0),)


@pytest.mark.parametrize(
    ("kind", "text", "status"),
    [
        ("snapshot", "Overflow", SnapshotStatus(state=SnapshotState.OVERFLOW, used=None, total=None, metadata=None)),
        ("snapshot-merge", "Merge failed", SnapshotStatus(state=SnapshotState.MERGE_FAILED, used=None, total=None, metadata=None)),
        ("snapshot", "16/65536", SnapshotStatus(state=SnapshotState.ACTIVE, used=8192, total=65536 * 512, metadata=None)),
        ("snapshot", "Unknown", None),
        ("snapshot-origin", "", None),
        ("linear", "", None),
        ("thin", "-", None),
        ("thin", "Fail", ThinStatus(mapped=None, failed=True)),
        ("thin", "16384 16383", ThinStatus(mapped=16384 * 512, failed=False)),
        ("thin", "0 -", ThinStatus(mapped=0, failed=False)),
    ],
)
def test_documented_statuses(kind: str, text: str, status: object) -> None:
    assert parse_status(kind, text) == status


def test_thin_pool_words() -> None:
    broken = parse_status("thin-pool", "1 115/1024 512/512 - ro discard_passdown error_if_no_space needs_check 256")
    assert isinstance(broken, ThinPoolStatus)
    assert (broken.mode, broken.needs_check, broken.queue_if_no_space) == (PoolMode.RO, True, False)
    failed = parse_status("thin-pool", "Fail")
    assert isinstance(failed, ThinPoolStatus)
    assert (failed.mode, failed.data_used) == (PoolMode.FAILED, None)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("vg--1lS3pg..-lv--28NzTQ..", ("vg-1lS3pg..", "lv-28NzTQ..", "")),
        ("vg-lv-real", ("vg", "lv", "real")),
        ("a---b", ("a-", "b", "")),
        ("euca--ebs--storage--vg--vol--1-euca--vol--1-cow", ("euca-ebs-storage-vg-vol-1", "euca-vol-1", "cow")),
        ("luks", None),
        ("a-b-c-d", None),
        ("", None),
    ],
)
def test_lvm_names(name: str, parts: tuple[str, str, str] | None) -> None:
    assert lvm_name(name) == parts


def test_underlying_devices() -> None:
    assert underlying("253:2 253:3 P 8") == ((253, 2), (253, 3))
    assert underlying("0 0 1 1 service-time 0 2 1 8:16 1 8:32 1") == ((8, 16), (8, 32))
    assert underlying("aes-xts-plain64 :64:logon:cryptsetup:a-b-c 0 8:2 4096") == ((8, 2),)


@pytest.mark.parametrize(
    ("name", "plain"), [("a\\x20b", "a b"), ("a\\xzz", "a\\xzz"), ("\\xc3\\xbc", "ü"), ("plain", "plain"), ("a\\x2", "a\\x2")]
)
def test_unmangle(name: str, plain: str) -> None:
    assert unmangle(name) == plain


def test_no_record_of_udev() -> None:
    assert parse_initialized("S:x\nE:DM_NAME=x\n") is None
    assert parse_initialized("I:many\n") is None
    assert parse_initialized("I:12931218\n") == 12.931218


@given(st.text())
def test_parsers_never_raise(text: str) -> None:
    assert isinstance(parse_report(text), dict)
    assert isinstance(underlying(text), tuple)
    assert isinstance(unmangle(text), str)
    assert parse_initialized(text) is None or text
    lvm_name(text)


@given(
    st.sampled_from(["snapshot", "snapshot-merge", "thin", "thin-pool", "linear"]), st.text(st.sampled_from("0123456789/ -rwofail"))
)
def test_status_raises_nothing_but_value_error(kind: str, text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_status(kind, text)


@given(st.text(), st.text())
def test_probe_never_raises(status: str, table: str) -> None:
    host = recorded("healthy")
    host.dm_answers = {DmQuery.STATUS: status, DmQuery.TABLE: table}
    assert isinstance(probe(host), tuple)


def an_old_udev(*, record: str = "", link: float | None = None) -> FakeHost:
    """One device on a host whose boot was 100,000 s ago, at 1,799,900,000."""
    folder = "/sys/block/dm-3"
    name = "vg--1lS3pg..-lv--28NzTQ.."
    files: dict[str, str | Unavailable] = {
        f"{folder}/dm/name": f"{name}\n",
        f"{folder}/dm/uuid": "LVM-x\n",
        f"{folder}/dm/suspended": "0\n",
        f"{folder}/size": "10485760\n",
        f"{folder}/dev": "253:3\n",
    }
    if record:
        files["/run/udev/data/b253:3"] = record
    times = {} if link is None else {f"/dev/mapper/{name}": link}
    return FakeHost(files=files, links={f"/dev/mapper/{name}": "../dm-3"} if link is not None else {}, mtimes=times)


@pytest.mark.parametrize(
    ("host", "activated"),
    [
        (an_old_udev(record="I:7000000\n", link=1_799_900_050.0), 7.0),
        (an_old_udev(record="S:x\n", link=1_799_900_050.0), None),
        (an_old_udev(link=1_799_900_050.0), 50.0),
        (an_old_udev(link=1_799_899_999.0), None),  # before the boot: the clock was set since
        (an_old_udev(link=1_800_000_001.0), None),
        (an_old_udev(), None),
    ],
)
def test_an_old_udev_tells_activation_by_its_link(host: FakeHost, activated: float | None) -> None:
    assert devices(host)["vg--1lS3pg..-lv--28NzTQ.."].activated == activated
