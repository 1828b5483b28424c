"""sctune.yaml and the files of conf.d as one configuration, what is shown of it, and the commands that say so."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.__main__ import main
from sctune.config import load as module
from sctune.config.describe import KEYS, THRESHOLDS, size, written
from sctune.config.load import load, parse, parse_all
from sctune.config.model import AccountLimits, Config, Level, Mute, Quotas, Thresholds
from sctune.config.sample import sample
from sctune.config.show import show
from sctune.config.sizes import parse_size
from sctune.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024**2


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for /etc/sctune, with an empty conf.d."""
    (tmp_path / "conf.d").mkdir()
    monkeypatch.setattr(module, "DEFAULT_PATH", f"{tmp_path}/sctune.yaml")
    monkeypatch.setattr(module, "DROP_INS", f"{tmp_path}/conf.d")
    return tmp_path


def merged(*texts: str) -> Config:
    return parse_all([(f"{number}.yaml", text.encode()) for number, text in enumerate(texts)])[0]


def wrong(*texts: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        merged(*texts)
    return caught.value.message.split("\n")


def test_drop_ins_count_in_the_order_of_their_names(etc: Path) -> None:
    (etc / "sctune.yaml").write_text("loop_limit: 1\nbackend: generic\n")
    (etc / "conf.d" / "20-later.yaml").write_text("loop_limit: 3\n")
    (etc / "conf.d" / "10-first.yml").write_text("loop_limit: 2\n")
    (etc / "conf.d" / "30-notes.txt").write_text("loop_limit: no\n")
    (etc / "conf.d" / ".40-hidden.yaml").write_text("loop_limit: no\n")
    found = load(None)
    assert (found.loop_limit, found.backend) == (3, "generic")
    assert found.files == tuple(f"{etc}/{name}" for name in ("sctune.yaml", "conf.d/10-first.yml", "conf.d/20-later.yaml"))


def test_drop_ins_need_no_file_above_them(etc: Path) -> None:
    (etc / "conf.d" / "a.yaml").write_text("loop_limit: 3\n")
    assert load(None).loop_limit == 3


def test_a_named_file_stands_alone(etc: Path) -> None:
    (etc / "conf.d" / "a.yaml").write_text("loop_limit: 3\n")
    (etc / "mine.yaml").write_text("backend: generic\n")
    assert load(f"{etc}/mine.yaml").loop_limit is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root refuses it")
def test_root_refuses_a_folder_that_others_may_write(etc: Path) -> None:
    (etc / "conf.d").chmod(0o777)
    assert load(None) == Config()  # nothing in it, nothing used
    (etc / "conf.d" / "a.yaml").write_text("loop_limit: 3\n")
    with pytest.raises(UserError, match="may change this folder"):
        load(None)


def test_sections_are_joined_lists_add_up_and_the_later_value_counts() -> None:
    found = merged(
        "thresholds: {loop_limit: {warning: 50 %, critical: 60 %}, quota_total: 70 %}\nstores: [/a]\nquotas: {total: 1 GiB}",
        "thresholds: {loop_limit: {critical: 90 %}}\nstores: [/b, /a]\nquotas: {volumes: {v: 2 GiB}}",
        "quotas: {total: 3 GiB}\nthresholds:\nstores: []",
    )
    assert found.thresholds == dataclasses.replace(Thresholds(), loop_limit=Level(warning=0.5, critical=0.9), quota_total=0.7)
    assert found.stores == ("/a", "/b")
    assert found.quotas == Quotas(total=3 << 30, volumes={"v": 2 << 30}, source="2.yaml, 1.yaml")


def test_a_kind_that_another_file_contradicts_is_an_error() -> None:
    assert wrong("stores: [/a]", "stores: /b") == ["1.yaml:1:9: stores: expected a list, got '/b'"]
    assert wrong("stores: /b", "stores: [/a]", "backend: x")[0].startswith("2.yaml:1:10: backend: expected one of")


def test_a_key_twice_in_one_file_is_still_refused() -> None:
    assert wrong("loop_limit: 1", "loop_limit: 2\nloop_limit: 3") == ["1.yaml:2:1: loop_limit: given twice, first in line 1"]
    assert wrong("loop_limit: 1\nloop_limit: 2", "backend: generic") == ["0.yaml:2:1: loop_limit: given twice, first in line 1"]


def test_all_errors_of_all_files_at_once() -> None:
    assert [line.split(": ")[0] for line in wrong("a: [", "bakend: 1\nloop_limit: no", "role: nc")] == [
        "0.yaml:1:5",
        "1.yaml:1:1",
        "1.yaml:2:13",
        "2.yaml:1:7",
    ]


MUTE = "mutes:\n- {code: LOOP_LEAKED, reason: known, until: 2027-01-31}\n"


def test_a_mute() -> None:
    assert merged(MUTE).mutes == (Mute(code="LOOP_LEAKED", severity="warning", reason="known", until="2027-01-31"),)
    assert merged(MUTE.replace("2027-01-31", "'2027-01-31'")).mutes == merged(MUTE).mutes


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("STORE_NEARLY_FULL", "warning"),
        ("LOOP_BACKING_DELETED", "critical"),
        ("LOOP_DETACH_PENDING", "info"),
        ("LOOP_BUFFERED", "warning"),
    ],
)
def test_without_a_severity_the_least_that_fails_a_run_is_muted(code: str, severity: str) -> None:
    assert merged(MUTE.replace("LOOP_LEAKED", code)).mutes[0].severity == severity


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{code: LOOP_LEAKED}", "1:8: mutes: expected a list of mutes, got a mapping (key: value)"),
        ("[LOOP_LEAKED]", "1:9: mutes.0: expected a mapping (key: value), got 'LOOP_LEAKED'"),
        ("[{code: LOOP_LEAKED}]", "1:9: mutes.0: a mute needs reason and until"),
        ("[{code: LOOP_LEEKED, reason: x, until: 2027-01-31}]", "1:16: mutes.0.code: no such code: did you mean LOOP_LEAKED?"),
        ("[{reason: '', until: 2027-01-31}]", "1:18: mutes.0.reason: expected the reason, in words, got nothing"),
        ("[{until: 2027-02-31}]", "1:17: mutes.0.until: expected a day such as 2027-01-31, got 2027-02-31"),
        ("[{until: never}]", "1:17: mutes.0.until: expected a day such as 2027-01-31, got never"),
        ("[{until: [a]}]", "1:17: mutes.0.until: expected a day such as 2027-01-31, got a list"),
        ("[{severity: bad}]", "1:20: mutes.0.severity: expected one of info, warning, critical, got 'bad'"),
        ("[{why: x}]", "1:10: mutes.0.why: unknown key; known are code, reason, severity, subject, until"),
    ],
)
def test_a_wrong_mute_says_where_and_what(text: str, message: str) -> None:
    assert wrong(f"mutes: {text}") == [f"0.yaml:{message}"]


def test_every_key_and_threshold_is_described() -> None:
    assert set(KEYS) == {field.name for field in dataclasses.fields(Config)} - {"files"}
    assert list(THRESHOLDS) == [field.name for field in dataclasses.fields(Thresholds)]


def test_the_sample_changes_nothing_and_is_correct_when_uncommented() -> None:
    assert dataclasses.replace(parse(sample().encode(), "s"), files=()) == Config()
    settings = "\n".join(line[1:] if re.match(r"#(?! )|#  ", line) else line for line in sample().splitlines())
    assert parse(settings.encode(), "s").mutes


RATIOS = st.integers(0, 1000).map(lambda number: number / 1000)


@given(
    store_used=RATIOS,
    headroom=st.floats(0, 100, width=32),
    low=st.integers(0, 1 << 50),
    speed=st.integers(1, 1 << 50),
    total=st.integers(0, 1 << 60),
    stores=st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), max_size=3),
    reason=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
)
def test_what_is_shown_reads_back_as_the_same(
    store_used: float, headroom: float, low: int, speed: int, total: int, stores: list[str], reason: str
) -> None:
    config = Config(
        thresholds=dataclasses.replace(
            Thresholds(),
            store_used=Level(warning=store_used, critical=store_used),
            snapshot_headroom=headroom,
            dirty_limit_low_bytes=low,
        ),
        flush_speed=float(speed),
        quotas=Quotas(
            total=total,
            source="c",
            volumes={"vol-1: x": total},
            accounts={"a: b": AccountLimits(total=total, volumes=3, owns=("vol-1",)), "none": AccountLimits()},
        ),
        stores=tuple(dict.fromkeys(os.path.normpath(f"/srv/{name}").replace("//", "/") for name in stores)),
        mutes=(Mute(code="LOOP_LEAKED", severity="warning", reason=reason.strip(), until="2027-01-31"),),
        wanted=frozenset({"LOOP_BUFFERED"}),
        backend="generic",
        role="generic",
        files=("c",),
    )
    empty: dict[str, str] = {}
    for origins in (None, empty):
        assert parse(show(config, origins).encode(), "c") == config


@given(st.integers(0, 1 << 60))
def test_sizes_are_written_exactly(value: int) -> None:
    assert parse_size(size(value)) == value


def test_thresholds_are_written_as_they_are_read() -> None:
    assert written("store_used", Level(warning=0.855, critical=1.0)) == "{warning: 85.5 %, critical: 100 %}"
    assert written("dirty_limit_low_bytes", 64 * MIB) == "64 MiB"
    assert written("snapshot_headroom", 2) == "2.0"
    assert written("suspended_seconds", 0.5) == "0.5"


def test_show_tells_where_each_value_is_from(etc: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (etc / "sctune.yaml").write_text("stores: [/a]\nthresholds:\n  loop_limit:\n    warning: 70 %\nquotas: {total: 1 GiB}\n")
    (etc / "conf.d" / "b.yaml").write_text("# x\nstores:\n- /b\nquotas: {total: 2 GiB}\n" + MUTE)
    assert main(["config", "show", "--origin"]) == 0
    text = capfd.readouterr().out
    lines = {line.partition("  # ")[0].strip(): line.partition("  # ")[2] for line in text.splitlines()}
    assert lines['- "/a"'] == f"{etc}/sctune.yaml:1"
    assert lines['- "/b"'] == f"{etc}/conf.d/b.yaml:3"
    assert lines["total: 2 GiB"] == f"{etc}/conf.d/b.yaml:4"
    assert lines["warning: 70 %"] == f"{etc}/sctune.yaml:4"
    assert lines["critical: 95 %"] == "default"
    assert lines["until: 2027-01-31"] == f"{etc}/conf.d/b.yaml:6"
    assert lines['severity: "warning"'] == "default"
    assert "# not set: backend, role, loop_limit, flush_speed, properties, openstack_volumes, wanted" in text
    assert main(["config", "show"]) == 0
    assert "default" not in capfd.readouterr().out


def test_check_says_what_is_right_and_what_is_over(etc: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check"]) == 0
    assert capfd.readouterr().out.startswith("There is no ")
    yesterday = (datetime.date.today() - datetime.timedelta(days=1)).isoformat()
    (etc / "sctune.yaml").write_text(MUTE.replace("2027-01-31", yesterday))
    assert main(["config", "check"]) == 0
    assert capfd.readouterr().out == (f"{etc}/sctune.yaml: correct\nThe mute of LOOP_LEAKED for * ended on {yesterday}: known\n")
    (etc / "sctune.yaml").write_text("bakend: x\nrole: x\n")
    assert main(["config", "check"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count(f"{etc}/sctune.yaml:") == 2


def test_the_sample_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "sample"]) == 0
    assert capfd.readouterr().out == sample()
