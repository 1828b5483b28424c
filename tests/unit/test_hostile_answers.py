"""Whatever a host answers, no probe or check raises, and "could not look" is never "ok".

Every answer of recorded hosts is spoilt in turn, the way files, tools and captures made by an enemy are: cut, filled with binary,
repeated, shuffled, with numbers that are none.
"""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.answers import Answers
from sctune.host.base import Completed
from sctune.host.capture import CaptureHost
from sctune.host.choose import open_host
from sctune.inventory import Inventory
from sctune.model.report import Status
from sctune.records import replace
from sctune.report.json import render
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sctune.host.base import Host
    from sctune.model.report import Report

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
HOSTS = {name: SCENARIOS / name / "host.tar.gz" for name in ("storage-controller-faults", "timeouts-aggressive", "cinder-lvm-thin")}
PARTS = tuple(Inventory.all_parts())
TEXTS = ("files", "commands", "dm", "tgt")
OTHERS = ("lists", "links", "stats", "mtimes", "store_stats", "folders", "spaces")


def recorded(name: str) -> Answers:
    host = open_host(str(HOSTS[name]), None)
    assert isinstance(host, CaptureHost)
    return host._answers


ANSWERS = {name: recorded(name) for name in HOSTS}


def questions(answers: Answers) -> list[tuple[str, Any]]:
    """Everything that was asked and answered in words, by kind and key."""
    return [(kind, key) for kind in TEXTS for key, answer in getattr(answers, kind).items() if not isinstance(answer, Unavailable)]


def spoilt(answers: Answers, kind: str, key: Any, change: Callable[[str], str]) -> Answers:
    """The same answers but for one."""
    before = getattr(answers, kind)[key]
    after = replace(before, stdout=change(before.stdout)) if isinstance(before, Completed) else change(before)
    copy = Answers(**{name: getattr(answers, name) for name in Answers.__dataclass_fields__})
    setattr(copy, kind, getattr(answers, kind) | {key: after})
    return copy


def look(host: Host) -> Report:
    """The doctor's whole look, with every part that no check asks for; any exception comes through."""
    inventory = Inventory(host, Config(), strict=True)
    report = diagnose(host, Config(), inventory=inventory, strict=True)
    for name in PARTS:
        getattr(inventory, name)
    assert render(report)
    return report


def _binary(text: str, chance: random.Random) -> str:
    noise = bytes(chance.randrange(256) for _ in range(60)).decode("utf-8", "surrogateescape")
    at = chance.randrange(len(text) + 1)
    return text[:at] + noise + text[at:]


def _numbers(text: str, chance: random.Random) -> str:
    odd = ("-1", "99999999999999999999999", "0", "1e308", "NaN", "", "0x10", "٣", "-", "4294967296")
    return re.sub(r"\d+", lambda found: chance.choice(odd) if chance.random() < 0.3 else found[0], text)


def _lines(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    chance.shuffle(lines)
    return "".join(line for line in lines if chance.random() < 0.8)


def _words(text: str, chance: random.Random) -> str:
    return " ".join(word for word in text.split(" ") if chance.random() < 0.8)


CHANGES: dict[str, Callable[[str, random.Random], str]] = {
    "cut": lambda text, chance: text[: chance.randrange(len(text) + 1)],
    "without-its-beginning": lambda text, chance: text[chance.randrange(len(text) + 1) :],
    "binary": _binary,
    "numbers": _numbers,
    "lines": _lines,
    "words": _words,
    "twice": lambda text, _: text + text,
    "nul": lambda text, _: text.replace(" ", "\0"),
    "escapes": lambda text, _: text.replace("/", "/\x1b[31m\u202e"),
    "one-line": lambda text, _: text.replace("\n", " "),
    "deep": lambda text, _: "[" * 5000 + text,
    "empty": lambda _text, _: "",
}


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_spoilt_answer_is_no_exception(data: st.DataObject) -> None:
    answers = ANSWERS[data.draw(st.sampled_from(sorted(ANSWERS)))]
    kind, key = data.draw(st.sampled_from(questions(answers)))
    change = CHANGES[data.draw(st.sampled_from(sorted(CHANGES)))]
    chance = random.Random(data.draw(st.integers(0, 1 << 16)))
    look(CaptureHost(spoilt(answers, kind, key, lambda text: change(text, chance))))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", HOSTS)
def test_everything_spoilt_at_once_is_no_exception(name: str, change: str) -> None:
    chance = random.Random(name + change)
    answers = ANSWERS[name]
    for kind, key in questions(answers):
        answers = spoilt(answers, kind, key, lambda text: CHANGES[change](text, chance))
    look(CaptureHost(answers))


def _every(answers: Answers, reason: Reason) -> Answers:
    """The same questions, to none of which there was an answer."""

    def refused(kind: str) -> Iterator[tuple[Any, Unavailable]]:
        for key in getattr(answers, kind):
            what = " ".join(key) if kind == "commands" else str(key)
            yield key, Unavailable(reason=reason, what=what)

    kinds: dict[str, Any] = {kind: dict(refused(kind)) for kind in (*TEXTS, *OTHERS)}
    table = Unavailable(reason=reason, what="process table")
    return Answers(identity=answers.identity, clock=answers.clock, source=answers.source, processes=table, **kinds)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.ABSENT])
@pytest.mark.parametrize("name", HOSTS)
def test_could_not_look_is_never_ok(name: str, reason: Reason) -> None:
    report = look(CaptureHost(_every(ANSWERS[name], reason)))
    assert [check.check for check in report.checks if check.status is Status.OK and not check.unexamined] == []
    assert [finding.code for finding in report.findings if finding.code not in SAID_OF_SILENCE] == []


SAID_OF_SILENCE = frozenset({"LVM_UNRESPONSIVE", "TGT_UNRESPONSIVE", "STORE_UNREACHABLE"})
"""That nothing answers in time is what these say."""


def test_where_nothing_is_there_nothing_is_unknown() -> None:
    report = look(FakeHost())
    assert [check.check for check in report.checks if check.status not in (Status.NOT_APPLICABLE, Status.OK, Status.INFO)] == []


@pytest.mark.parametrize("name", HOSTS)
def test_huge_answers_cost_what_they_are_long(name: str) -> None:
    """Each answer a megabyte of itself: what is quadratic would take minutes."""
    answers = ANSWERS[name]
    # One of each kind: the attributes of one loop device stand for those of all.
    kinds = {(kind, re.sub(r"[0-9a-fA-F]{2,}|\d", "", str(key))): (kind, key) for kind, key in questions(answers)}
    for kind, key in kinds.values():
        text = getattr(answers, kind)[key]
        length = max(1, len(text.stdout if isinstance(text, Completed) else text))
        huge = spoilt(answers, kind, key, lambda text, length=length: text * ((1 << 20) // length))  # type: ignore[misc]
        began = time.monotonic()
        look(CaptureHost(huge))
        assert time.monotonic() - began < 60, (kind, key)
