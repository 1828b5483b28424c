"""A benchmark as people and programs see it, and what is refused before anything is measured."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

import sctune.tuning.machine
from sctune.__main__ import main
from sctune.bench.existing import Found
from sctune.bench.model import Layer, Place, Report
from sctune.bench.run_volume import refusal
from sctune.bench.verdicts import judge
from sctune.host.base import HostIdentity, Source
from sctune.report.bench_json import render as render_json
from sctune.report.bench_text import render
from sctune.report.layout import Style
from sctune.tuning.calls import Calls
from tests.unit.bench_results import DIRECT_LOOP, FILE, LOOP, NO_LV, OPTIONS, TARGET
from tests.unit.golden import compare

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.bench.model import LayerResult

SCHEMA: dict[str, Any] = json.loads((resources.files("sctune.report") / "bench.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
IDENTITY = HostIdentity(name="sc1", kernel="6.1.0-56-amd64", privileged=True)


def report(*layers: LayerResult) -> Report:
    return Report(
        subject="/var/lib/eucalyptus/volumes",
        scratch=True,
        options=OPTIONS,
        fio="3.33",
        started=1_800_000_000.0,
        seconds=3214.5,
        layers=tuple(zip(layers, judge(layers, OPTIONS), strict=True)),
        notes=("1024 MiB is less than twice this host's memory: Dirty tells what of it was still there when a run ended",),
    )


@pytest.mark.parametrize(("name", "loop"), [("cached", LOOP), ("direct", DIRECT_LOOP)])
def test_text(request: pytest.FixtureRequest, name: str, loop: LayerResult) -> None:
    text = render(report(FILE, loop, NO_LV, TARGET), identity=IDENTITY, style=Style(width=100), width=None)
    compare(request, f"bench-{name}.txt", text)


def test_json() -> None:
    found = json.loads(render_json(report(FILE, LOOP, NO_LV, TARGET), identity=IDENTITY, source=Source.LIVE))
    VALIDATOR.validate(found)
    file, loop, lv, target = found["layers"]
    assert (file["verdict"], loop["verdict"], lv["verdict"], target["verdict"]) == ("base", "cache", "unmeasured", "clear")
    assert loop["below"] == "file"
    assert {one["job"]: one["ratio"] for one in loop["ratios"]}["mixed"] == pytest.approx(118 / 62, abs=0.001)
    mixed = next(one for one in loop["jobs"] if one["job"] == "mixed")
    assert [run["operations_per_second"] for run in mixed["runs"]] == [117000, 118000, 119000]
    assert mixed["latency_seconds"]["p99.9"] == pytest.approx(9 / 118000, abs=1e-8)
    assert next(one for one in target["jobs"] if one["job"] == "mixed")["why"].startswith("iscsi-perf only reads")


def test_names_cannot_move_the_cursor() -> None:
    from sctune.records import replace

    odd = replace(report(FILE), subject="/a\x1b[2J\nb", notes=("\x1b[31m",))
    for text in (
        render(odd, identity=IDENTITY, style=Style(), width=None),
        render_json(odd, identity=IDENTITY, source=Source.LIVE),
    ):
        assert "\x1b" not in text


def found(*users: str) -> Found:
    place = Place(layer=Layer.LOOP, address="/dev/loop3", size=1 << 30, device="loop3")
    return Found(places=(place,), left_out=(), users=users, never_written=None)


def test_a_volume_in_use_is_read_only_when_somebody_says_so() -> None:
    assert refusal(found(), yes=False) is None
    no = refusal(found("initiator iqn.x:1"), yes=False)
    assert no is not None
    assert "in use" in no.message
    assert "initiator iqn.x:1" in no.message
    assert refusal(found("initiator iqn.x:1"), yes=True) is None
    nothing = refusal(Found(places=(), left_out=((Layer.LV, "it is suspended"),), users=(), never_written=None), yes=True)
    assert nothing is not None
    assert "lv: it is suspended" in nothing.message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("vol-1", "--in", "/x"), "--in, --direct-io and --clean are about scratch volumes"),
        (("--size", "1"), 'write "1 GiB" if that is meant'),
        (("--size", "1 MiB"), "too little to measure"),
        (("--rate", "0 MiB/s"), "expected a speed above 0"),
        (("--runs", "0"), "--runs"),
        (("--layer", "cow"), "--layer"),
        (("--output", "/nowhere/x"), "there is no folder /nowhere"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(("bench", "--config", "/dev/null", *arguments)) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err


@pytest.mark.spawns
def test_no_fio_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    made = sctune.tuning.machine.machine(root=str(tmp_path), calls=Calls(tool_path=str(tmp_path)))
    monkeypatch.setattr(sctune.tuning.machine, "machine", lambda: made)
    assert main(("bench", "--config", "/dev/null", "--in", str(tmp_path))) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "sctune: fio is not installed, and it does the measuring\nInstall it; the package is called fio.\n"
    assert list(tmp_path.iterdir()) == []


def test_an_ordinary_user_is_refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(("bench", "--config", "/dev/null", "--in", "/tmp")) == 1
    assert "measuring takes root" in capfd.readouterr().err
