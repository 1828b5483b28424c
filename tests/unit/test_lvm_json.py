"""How LVM's report and its complaints are read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.model.lvm import DuplicatePv
from sctune.probes import lvm, lvm_json, lvm_messages
from tests.unit.lvm_hosts import DATA

NATIVE = (DATA / "lvm" / "missing-duplicate-thin.json").read_text()
NATIVE_STDERR = (DATA / "lvm" / "missing-duplicate-thin.stderr").read_text()
HEALTHY = (DATA / "vm" / "healthy" / "lvm-fullreport-readonly.txt").read_text()


# The report


def test_a_report_recorded_with_our_own_fields() -> None:
    tables = lvm_json.parse(NATIVE)
    assert [(vg.name, vg.seqno, vg.pv_count, vg.missing_pv_count, vg.partial) for vg in tables.volume_groups] == [
        ("vgdup", 1, 1, 0, False),
        ("vgthin", 2, 1, 0, False),
        ("vgmiss", 1, 2, 1, True),
    ]
    assert [(pv.path, pv.device, pv.missing) for pv in tables.physical_volumes] == [
        ("/dev/loop252", (7, 252), False),
        ("/dev/loop253", (7, 253), False),
        ("/dev/loop250", (7, 250), False),
        ("[unknown]", None, True),
    ]
    names = {lv.name: lv for lv in tables.logical_volumes}
    assert sorted(names) == ["pool", "snapt", "thin1"]
    assert sorted(lv.name for lv in tables.internal) == ["lvol0_pmspare", "pool_tdata", "pool_tmeta"]
    assert names["pool"].layout == ("thin", "pool")
    assert names["snapt"].created == 1795325702.0
    assert (names["snapt"].origin, names["snapt"].is_snapshot) == ("thin1", False)
    assert (names["pool"].active, names["pool"].device, names["pool"].data_percent) == (False, None, None)


def test_a_pools_pvs_are_those_of_its_hidden_parts_and_a_thin_lvs_those_of_its_pool() -> None:
    names = {lv.name: lv.pv_uuids for lv in lvm_json.parse(NATIVE).logical_volumes}
    assert names == dict.fromkeys(("pool", "thin1", "snapt"), ("O3aJrg-KcU1-xDwU-K422-z0uY-hqMx-A1CaVh",))


def test_a_recorded_host_with_a_snapshot() -> None:
    tables = lvm_json.parse(HEALTHY)
    names = {lv.name: lv for lv in tables.logical_volumes}
    snapshot, origin = names["euca-snap-57C3C3E8"], names["euca-vol-391D44BE"]
    assert (snapshot.is_snapshot, snapshot.snapshot_invalid, snapshot.snap_percent) == (True, False, 0.0)
    assert (origin.is_snapshot, origin.snapshot_invalid, origin.snap_percent) == (False, None, None)
    assert (origin.active, origin.open, origin.suspended) == (True, True, False)
    assert origin.path == "/dev/euca-ebs-storage-vg-vol-391D44BE/euca-vol-391D44BE"
    assert origin.dm_path == "/dev/mapper/euca--ebs--storage--vg--vol--391D44BE-euca--vol--391D44BE"
    assert origin.device == (253, 0)
    assert origin.tags == ("vol-391D44BE",)
    assert snapshot.pv_uuids != origin.pv_uuids
    assert [(vg.name[-8:], vg.lv_count, vg.snapshot_count) for vg in tables.volume_groups] == [
        ("A110E8ED", 1, 0),
        ("391D44BE", 2, 1),
    ]


@pytest.mark.parametrize(
    ("state", "lv", "expected"),
    [
        ("snapshot-invalid", "euca-snap-57C3C3E8", {"snapshot_invalid": True, "active": True, "snap_percent": 1.0}),
        ("lv-suspended", "euca-vol-391D44BE", {"suspended": True, "active": True}),
        ("thin-out-of-space", "pool0", {"health": "out_of_data", "data_percent": 1.0, "metadata_percent": 0.1123}),
        ("thin-pool", "thin1", {"pool": "pool0", "data_percent": 0.0625}),
        ("missing-pv", "lost", {"active": False, "health": "partial"}),
        ("tgtd-killed", "euca-vol-391D44BE", {"active": True, "open": False}),
    ],
)
def test_recorded_states(state: str, lv: str, expected: dict[str, object]) -> None:
    text = (DATA / "vm" / state / "lvm-fullreport-readonly.txt").read_text()
    found = next(one for one in lvm_json.parse(text).logical_volumes if one.name == lv)
    assert {key: getattr(found, key) for key in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1795325702", 1795325702.0),
        ("2026-11-22 05:35:02 +0000", 1795325702.0),
        ("2026-11-22 07:35:02 +0200", 1795325702.0),
        ("So 22 Nov 2026", None),
        ("2026-13-45 99:99:99 +0000", None),
        ("", None),
    ],
)
def test_times(text: str, expected: float | None) -> None:
    assert lvm_json.parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "No such command 'fullreport'", "{", "[]", '{"report":{}}', '{"report":[1]}', '{"report":[{"vg":[1]}]}', "[" * 100_000],
)
def test_what_is_no_report_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        lvm_json.parse(text)


def test_sizes_with_a_unit_are_refused_not_guessed() -> None:
    with pytest.raises(ValueError, match=r"vg_size is '64\.00m', not a number of bytes"):
        lvm_json.parse('{"report":[{"vg":[{"vg_name":"a","vg_size":"64.00m"}]}]}')


_VALUES = st.one_of(
    st.text(max_size=12), st.integers(), st.none(), st.sampled_from(["[a]", "swi-I-s---", "12.34", "-1", "99999999999999999999"])
)
_KEYS = st.sampled_from(sorted({name for names in lvm.FIELDS.values() for name in names.split(",")}))
_ROWS = st.lists(st.dictionaries(_KEYS, _VALUES, max_size=6), max_size=4)
_REPORTS = st.lists(st.dictionaries(st.sampled_from(["vg", "pv", "lv", "pvseg", "seg", "log"]), _ROWS, max_size=5), max_size=3)


@given(
    st.one_of(
        st.text(),
        _REPORTS.map(lambda reports: json.dumps({"report": reports})),
        st.binary().map(lambda b: b.decode("utf-8", "surrogateescape")),
    )
)
def test_any_report_is_tables_or_a_value_error(text: str) -> None:
    try:
        tables = lvm_json.parse(text)
    except ValueError:
        return
    assert isinstance(tables, lvm_json.Tables)


def test_lvs_that_are_each_others_parts_end() -> None:
    rows = [{"lv_uuid": "1", "lv_name": "a", "lv_parent": "b"}, {"lv_uuid": "2", "lv_name": "b", "lv_parent": "a", "pool_lv": "b"}]
    assert len(lvm_json.parse(json.dumps({"report": [{"vg": [{"vg_name": "v"}], "lv": rows}]})).logical_volumes) == 2


# What LVM says on stderr


def test_recorded_complaints() -> None:
    messages = lvm_messages.parse(NATIVE_STDERR)
    assert messages.duplicates == (
        DuplicatePv(
            uuid="Nvlw0p-a7n2-M8Zb-U53R-WA3w-hpvE-FeKstI", paths=("/dev/loop251", "/dev/loop252"), preferred="/dev/loop252"
        ),
    )
    assert messages.last_paths == {"BAq4xf-tHCQ-JI57-zezw-rpTq-KAjH-V2nlYa": "/dev/loop251"}
    assert len(messages.warnings) == 4
    assert not any("Activation disabled" in line for line in messages.warnings)
    assert not messages.torn


@pytest.mark.parametrize(
    ("line", "paths", "preferred"),
    [
        ("Found duplicate PV BAq4xftHCQJI57zezwrpTqKAjHV2nlYa: using /dev/sdb not /dev/sda", ("/dev/sda", "/dev/sdb"), "/dev/sdb"),
        (
            "WARNING: PV BAq4xf-tHCQ-JI57-zezw-rpTq-KAjH-V2nlYa on /dev/sda was already found on /dev/sdb.",
            ("/dev/sda", "/dev/sdb"),
            "",
        ),
    ],
)
def test_duplicates_in_the_words_of_lvm_2_02(line: str, paths: tuple[str, ...], preferred: str) -> None:
    expected = DuplicatePv(uuid="BAq4xf-tHCQ-JI57-zezw-rpTq-KAjH-V2nlYa", paths=paths, preferred=preferred)
    assert lvm_messages.parse(f"  {line}\n").duplicates == (expected,)


def test_metadata_that_do_not_agree_are_told_torn() -> None:
    line = "WARNING: ignoring metadata seqno 4 on /dev/loop1 for seqno 5 on /dev/loop0 for VG v."
    assert lvm_messages.parse(line).torn


@given(st.text())
def test_any_complaint_is_read(text: str) -> None:
    assert isinstance(lvm_messages.parse(text), lvm_messages.Messages)
    assert len(lvm_messages.first_complaint(text)) <= 200
