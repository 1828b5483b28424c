"""What a benchmark would do, and why it would not; its notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sctune.bench import notes
from sctune.bench.model import READING, WRITING, Job, Layer, Options, Served, Tool
from sctune.bench.plan import Do, Ground, plan
from sctune.bench.scratch import NotOurs, Scratch, decode, encode
from sctune.host.base import FilesystemSpace
from sctune.model.target import Portal
from sctune.records import replace
from sctune.tuning.machine import machine
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
SPACE = FilesystemSpace(total=100 * GIB, free=50 * GIB, available=50 * GIB, inodes=9, inodes_free=9)
TOOLS = {"losetup": True, "lvm": True, "dmsetup": True, "tgtadm": True, "iscsi-perf": True}
SERVED = Served(control_port=0, portal=Portal(address="0.0.0.0", port=3260, tpgt=1), tids=frozenset({1}))
GROUND = Ground(space=SPACE, engines=frozenset({"libaio"}), tools=TOOLS, loops="", device_mapper="", served=SERVED)
OPTIONS = Options(size=GIB, runtime=60, ramp=5, runs=3)
SCRATCH = Scratch(id="00ff" * 4, store="/var/lib/volumes", control_port=0)


def test_from_the_bottom_up() -> None:
    made = plan(GROUND, OPTIONS)
    assert [(step.do, step.layer) for step in made.steps] == [
        (Do.MAKE_FILE, Layer.FILE),
        (Do.MEASURE, Layer.FILE),
        (Do.ATTACH, Layer.LOOP),
        (Do.MEASURE, Layer.LOOP),
        (Do.MAKE_LV, Layer.LV),
        (Do.MEASURE, Layer.LV),
        (Do.EXPORT, Layer.TARGET),
        (Do.MEASURE, Layer.TARGET),
    ]
    assert (made.refusal, made.left_out) == ("", ())
    # Three layers with five jobs and one with a single job, each three times 66.5 s, and 1 GiB at 50 MiB/s.
    assert made.seconds == pytest.approx(16 * 3 * 66.5 + 20.5, abs=1)
    assert {step.jobs for step in made.steps if step.do is Do.MEASURE} == {WRITING}
    assert made.steps[-1].tool is Tool.ISCSI_PERF


def test_fio_goes_through_the_target_where_it_can() -> None:
    made = plan(replace(GROUND, engines=frozenset({"libaio", "libiscsi"}), tools={**TOOLS, "iscsi-perf": False}), OPTIONS)
    assert made.steps[-1].tool is Tool.FIO_LIBISCSI
    assert made.left_out == ()


def test_only_reading() -> None:
    made = plan(GROUND, replace(OPTIONS, read_only=True))
    assert {step.jobs for step in made.steps if step.do is Do.MEASURE} == {READING}
    assert Job.MIXED not in READING


def test_no_device_mapper() -> None:
    made = plan(replace(GROUND, device_mapper="no device-mapper in this kernel"), OPTIONS)
    assert made.left_out == ((Layer.LV, "no device-mapper in this kernel"),)
    assert [step.do for step in made.steps].count(Do.MAKE_LV) == 0
    assert made.steps[-1].layer is Layer.TARGET


def test_a_layer_alone_stands_on_what_it_needs() -> None:
    made = plan(GROUND, replace(OPTIONS, layers=(Layer.LOOP,)))
    assert [step.do for step in made.steps] == [Do.MAKE_FILE, Do.ATTACH, Do.MEASURE]
    made = plan(GROUND, replace(OPTIONS, layers=(Layer.TARGET,)))
    assert [step.do for step in made.steps] == [Do.MAKE_FILE, Do.ATTACH, Do.MAKE_LV, Do.EXPORT, Do.MEASURE]


@pytest.mark.parametrize(
    ("change", "layer", "why"),
    [
        ({"served": "no tgtd runs"}, Layer.TARGET, "no tgtd runs"),
        ({"tools": {**TOOLS, "iscsi-perf": False}}, Layer.TARGET, "package libiscsi-bin"),
        ({"tools": {**TOOLS, "tgtadm": False}}, Layer.TARGET, "tgtadm is not installed"),
        ({"tools": {**TOOLS, "lvm": False}}, Layer.LV, "lvm is not installed"),
        ({"tools": {**TOOLS, "dmsetup": False}}, Layer.LV, "dmsetup is not installed"),
        ({"loops": "loop devices: absent"}, Layer.LOOP, "loop devices: absent"),
    ],
)
def test_what_cannot_be_had_has_a_reason(change: dict[str, Any], layer: Layer, why: str) -> None:
    made = plan(replace(GROUND, **change), OPTIONS)
    assert why in dict(made.left_out)[layer]
    assert not made.refusal
    alone = plan(replace(GROUND, **change), replace(OPTIONS, layers=(layer,)))
    assert why in alone.refusal
    assert alone.steps == ()


def test_room_is_kept() -> None:
    tight = replace(SPACE, available=6 * GIB)
    refused = plan(replace(GROUND, space=tight), replace(OPTIONS, size=2 * GIB))
    assert "too little room" in refused.refusal
    assert refused.hint == "There is room for --size 1024MiB."
    assert plan(replace(GROUND, space=tight), OPTIONS).steps
    full = replace(SPACE, available=GIB)
    assert plan(replace(GROUND, space=full), OPTIONS).hint == "Name another folder with --in."
    dead = Unavailable(reason=Reason.TIMEOUT, what="/var/lib/volumes")
    assert "/var/lib/volumes: timeout" in plan(replace(GROUND, space=dead), OPTIONS).refusal


def test_a_scratch_volume_has_no_session() -> None:
    assert "no layer disk" in plan(GROUND, replace(OPTIONS, layers=(Layer.DISK,))).refusal


def test_names_follow_from_one_number() -> None:
    assert SCRATCH.file == "/var/lib/volumes/.sctune-bench-00ff00ff00ff00ff/volume"
    assert SCRATCH.dm_name == "sctunebench00ff00ff00ff00ff-lv"  # a hyphen of its own would be doubled
    assert decode(encode(SCRATCH), id=SCRATCH.id) == SCRATCH


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        encode(SCRATCH)[:-8],
        encode(SCRATCH).replace(b'"format":1', b'"format":2'),
        encode(SCRATCH).replace(b"00ff", b"00fe", 1),
        encode(SCRATCH).replace(b"/var", b"var"),
        encode(SCRATCH).replace(b'"control_port":0', b'"control_port":-1'),
        encode(SCRATCH).replace(b"{", b'{"more":1,'),
    ],
)
def test_other_notes_are_refused(data: bytes) -> None:
    with pytest.raises(NotOurs):
        decode(data, id=SCRATCH.id)


def test_a_note_is_there_and_goes_with_its_folders(tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    writer = machine(root=str(tmp_path)).writer
    notes.write(SCRATCH, writer)
    path = tmp_path / notes.path_of(SCRATCH.id)[1:]
    assert path.stat().st_mode & 0o777 == 0o600
    assert notes.read([path.name, "other", ".x.tmp"], writer).scratches == (SCRATCH,)
    notes.remove(SCRATCH, writer)
    notes.remove(SCRATCH, writer)  # killed between removing it and saying so
    assert list((tmp_path / "var/lib").iterdir()) == []


def test_a_note_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    """It would have root remove a folder of their choice."""
    (tmp_path / "var/lib").mkdir(parents=True)
    writer = machine(root=str(tmp_path)).writer
    notes.write(SCRATCH, writer)
    path = tmp_path / notes.path_of(SCRATCH.id)[1:]
    path.chmod(0o666)
    found = notes.read([path.name], writer)
    assert found.scratches == ()
    assert "others may have written it" in found.unread[0]


def test_the_journal_keeps_its_folder(tmp_path: Path) -> None:
    kept = tmp_path / "var/lib/sctune/journal"
    kept.mkdir(parents=True)
    writer = machine(root=str(tmp_path)).writer
    notes.write(SCRATCH, writer)
    notes.remove(SCRATCH, writer)
    assert [one.name for one in kept.parent.iterdir()] == ["journal"]
