"""`sctune capacity`: what people and programs read, and the exit codes."""

from __future__ import annotations

import copy
import json
import random
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from sctune.__main__ import main
from sctune.capacity.survey import Question, survey
from sctune.config.model import Config
from sctune.host.base import Clock, HostIdentity, Source
from sctune.host.capture import CaptureHost
from sctune.host.choose import open_host
from sctune.inventory import Inventory
from sctune.report.capacity_json import document
from sctune.report.capacity_text import figure, render
from sctune.report.layout import style_for
from sctune.unavailable import Reason, Unavailable
from tests.unit.golden import compare
from tests.unit.serving_hosts import GIB, MIB, chain, chains, file
from tests.unit.test_capacity import ask, cloud, listed, space, store
from tests.unit.test_capacity_history import NOW, series
from tests.unit.test_hostile_answers import ANSWERS, CHANGES, questions, spoilt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.model.capacity import Capacity

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
SCHEMA: dict[str, Any] = json.loads((resources.files("sctune.report") / "capacity.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
IDENTITY = HostIdentity(name="sc1", kernel="6.1.0", privileged=True)


def full() -> Capacity:
    """One with something in every place."""
    one = file("vol-00000001", 10 * GIB + 4 * MIB, inode=1, allocated=GIB)
    history = (series(*((NOW + (day - 3) * 86400, day * GIB) for day in range(4))),)
    recorded = cloud(
        one__storage__maxtotalvolumesizeingb=500,
        one__storage__maxvolumesizeingb=100,
        storage__global_total_snapshot_size_limit_gb=50,
    )
    return ask(
        Question(size=20 * GIB, history=history, accounts=3),
        stores=(store(one, held=space(100 * GIB, used=2 * GIB, reserved=5 * GIB)),),
        chains=chains(chain(file=one)),
        cloud=recorded,
    )


def as_json(capacity: Capacity) -> Any:
    said = document(capacity, identity=IDENTITY, clock=Clock(now=NOW, boot=1.0), source=Source.LIVE)
    return json.loads(json.dumps(said, allow_nan=False))


def as_text(capacity: Capacity, width: int = 80) -> str:
    style = style_for(is_terminal=False, environment={"COLUMNS": str(width)})
    return render(capacity, identity=IDENTITY, clock=Clock(now=NOW, boot=1.0), source=Source.LIVE, style=style)


@pytest.mark.parametrize("capacity", [full(), listed(), ask(stores=())], ids=["full", "listed", "nothing"])
def test_the_json_is_as_documented(capacity: Capacity) -> None:
    VALIDATOR.validate(as_json(capacity))


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def test_the_schema_is_not_so_wide_that_it_holds_for_anything() -> None:
    said = as_json(full())
    for path in _places(said):
        broken = copy.deepcopy(said)
        inner = broken
        for step in path[:-1]:
            inner = inner[step]
        if isinstance(inner, dict) and "ec2:quota-" not in str(path[-1]):
            del inner[path[-1]]
            assert not VALIDATOR.is_valid(broken), f"nothing misses {path}"
        inner_again = copy.deepcopy(said)
        place = inner_again
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = {"no": "such thing"}
        assert not VALIDATOR.is_valid(inner_again), f"anything goes at {path}"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_people_read(request: pytest.FixtureRequest, width: int) -> None:
    text = as_text(full(), width)
    compare(request, f"capacity-{width}.txt", text)
    commands = ("euctl ", "euca-modify", "euare-", '"', "{", "}")
    for line in text.splitlines():
        assert len(line) <= width or line.strip().startswith(commands)


def test_names_from_the_host_are_made_harmless() -> None:
    from dataclasses import replace

    one = file("vol-00000001", GIB + 4 * MIB, inode=1)
    capacity = ask(stores=(store(one),), chains=chains(chain(file=one)))
    (found,) = capacity.stores
    hostile = replace(found, name="/srv\x1b[2J", folders=("/a\nb",))
    problem = Unavailable(reason=Reason.FAILED, what="x\x07", detail="--password geheim123")
    evil = replace(capacity, stores=(hostile,), unknown=(problem,))
    for text in (as_text(evil), json.dumps(as_json(evil), ensure_ascii=False)):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "geheim123" not in text


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0"),
        (5372903424, "5.0 GiB"),
        (53687091, "51.2 MiB"),
        (4096, "4.0 KiB"),
        (10, "0.0 KiB"),
        (-8589934592, "-8.0 GiB"),
    ],
)
def test_figures(size: int, words: str) -> None:
    assert figure(size) == words


def capture(name: str) -> str:
    return str(SCENARIOS / name / "host.tar.gz")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["capacity", *arguments, "--config", "/dev/null"])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_children_that_were_left_behind_are_named() -> None:
    stuck = Unavailable(reason=Reason.TIMEOUT, what="/srv", pids=(41, 42))
    capacity = ask(stores=stuck)
    assert "pid 41, 42." in as_text(capacity)
    assert as_json(capacity)["unknown"][0]["pids"] == [41, 42]
    VALIDATOR.validate(as_json(capacity))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ANSWERS)
def test_spoilt_answers_are_no_exception(name: str, change: str) -> None:
    """Each answer of a host spoilt in one way, one after another in four lots: whatever comes of it is written, and valid."""
    questions_of = questions(ANSWERS[name])
    chance = random.Random(f"{name} {change}")
    for lot in range(4):
        answers = ANSWERS[name]
        for kind, key in questions_of[lot::4]:
            answers = spoilt(answers, kind, key, lambda text: CHANGES[change](text, chance))
        host = CaptureHost(answers)
        capacity = survey(Inventory(host, Config(), strict=True), Question(accounts=2))
        assert as_text(capacity)
        VALIDATOR.validate(as_json(capacity))


def test_exit_codes(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    healthy = capture("storage-controller-healthy")
    assert run(capfd, "--from", healthy)[0] == 0
    assert run(capfd, "--from", capture("store-nfs-server-stopped"))[0] == 3
    (tmp_path / "etc").mkdir()
    code, _, _ = run(capfd, "--root", str(tmp_path))
    assert code in (1, 3)
    assert run(capfd, "--from", healthy, "--size", "0")[0] == 2
    for number in ("nan", "inf", "-1", "x"):
        assert run(capfd, "--from", healthy, "--snapshots-per-volume", number)[0] == 2
    assert run(capfd, "--from", healthy, "--history", str(tmp_path / "absent"))[0] == 2
    assert run(capfd, "--from", healthy, "--history", str(tmp_path))[0] == 2
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("monday,much\ntuesday,more\n")
    code, _, error = run(capfd, "--from", healthy, "--history", str(wrong))
    assert code == 2
    assert "line 2" in error


def test_a_history_too_short_is_incomplete(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    short.write_text("1800000000,5\n1800000060,6\n")
    code, said, _ = run(capfd, "--from", capture("storage-controller-healthy"), "--history", str(short))
    assert code == 3
    assert "2 points" in said
    enough = tmp_path / "enough.csv"
    looked = open_host(capture("storage-controller-healthy"), None).clock().now
    enough.write_text("".join(f"{looked + (day - 5) * 86400:.0f},{day * GIB}\n" for day in range(5)))
    code, said, _ = run(capfd, "--from", capture("storage-controller-healthy"), "--history", str(enough), "--format", "json")
    assert code == 0
    assert json.loads(said)["stores"][0]["forecast"]["bytes_per_second"] == pytest.approx(GIB / 86400, rel=1e-6)


def test_the_policy_goes_to_a_file_or_alone_to_standard_output(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    healthy = capture("storage-controller-healthy")
    code, said, _ = run(capfd, "--from", healthy, "--iam-policy", "-")
    assert code == 0
    assert set(json.loads(said)) == {"Version", "Statement"}
    path, report = tmp_path / "policy.json", tmp_path / "report.json"
    code, said, _ = run(
        capfd, "--from", healthy, "--accounts", "2", "--iam-policy", str(path), "--output", str(report), "--format", "json"
    )
    assert (code, said) == (0, "")
    told = json.loads(report.read_text())
    VALIDATOR.validate(told)
    assert json.loads(path.read_text()) == told["quota"]["policy"]
    assert str(path) in told["quota"]["commands"][0]


def test_no_policy_where_nothing_can_be_divided(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    code, _, error = run(capfd, "--from", capture("store-95"), "--iam-policy", str(path))
    assert code == 1
    assert "no quota policy was written" in error
    assert not path.exists()
