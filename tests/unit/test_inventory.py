"""Parts of the inventory: each once, several side by side, and a defect is a part that failed."""

from __future__ import annotations

import threading
import time

import pytest

from sctune.config.model import Config
from sctune.inventory import Inventory, Part
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost, absent

PARTS = sorted(Inventory.all_parts())


CALLS: list[str] = []
MEETING = threading.Barrier(2, timeout=5)


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    CALLS.clear()
    MEETING.reset()


class Slow(Inventory):
    """Two parts that wait for each other to be running, one that is built on both, and two that are defective."""

    def __init__(self, *, strict: bool = False) -> None:
        super().__init__(FakeHost(), Config(), strict=strict)

    @Part
    def left(self: Inventory) -> str | Unavailable:
        """Ends only when the other one runs too."""
        CALLS.append("left")
        MEETING.wait()
        return "left"

    @Part
    def right(self: Inventory) -> str | Unavailable:
        """Ends only when the other one runs too."""
        CALLS.append("right")
        MEETING.wait()
        return "right"

    @Part
    def both(self: Inventory) -> str | Unavailable:
        """Built on the two."""
        CALLS.append("both")
        assert isinstance(self, Slow)
        return f"{self.left} {self.right}"

    @Part
    def broken(self: Inventory) -> str | Unavailable:
        """A defect."""
        CALLS.append("broken")
        raise KeyError("lv_size")

    @Part
    def attribute(self: Inventory) -> str | Unavailable:
        """A defect of the kind that getattr() with a default would swallow."""
        CALLS.append("attribute")
        raise AttributeError("no such field")


class Sleepy(Inventory):
    @Part
    def one(self: Inventory) -> int | Unavailable:
        """Sleeps."""
        time.sleep(0.3)
        return 1

    @Part
    def two(self: Inventory) -> int | Unavailable:
        """Sleeps."""
        time.sleep(0.3)
        return 2


def test_parts_that_wait_are_fetched_side_by_side() -> None:
    inventory = Slow()
    inventory.fetch(["left", "right"])
    assert sorted(CALLS) == ["left", "right"]
    assert (inventory.left, inventory.right) == ("left", "right")


def test_each_part_is_fetched_once_whoever_asks_and_however_often() -> None:
    inventory = Slow()
    inventory.fetch(["both", "left", "right", "both"])
    for _ in range(3):
        assert inventory.both == "left right"
    assert sorted(CALLS) == ["both", "left", "right"]


def test_start_does_not_wait_and_who_asks_does() -> None:
    inventory = Slow()
    threads = inventory.start(["left"])
    assert "left" not in inventory.parts
    inventory.start(["right"])
    assert inventory.left == "left"
    for thread in threads:
        thread.join(5)


def test_a_defect_in_a_probe_is_a_part_that_failed() -> None:
    inventory = Slow()
    inventory.fetch(["broken", "attribute"])
    for name in ("broken", "attribute"):
        answer = getattr(inventory, name)
        assert isinstance(answer, Unavailable)
        assert (answer.reason, answer.what) == (Reason.FAILED, f"probe {name}")
        assert "please report" in answer.detail
    assert sorted(CALLS) == ["attribute", "broken"]


def test_strict_lets_it_through() -> None:
    with pytest.raises(KeyError):
        _ = Slow(strict=True).broken


def test_a_part_that_does_not_exist_stops_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """A site's check may name anything in `needs`."""
    inventory = Slow()
    inventory.fetch(["nonesuch", "left", "right"])
    assert inventory.left == "left"
    assert capfd.readouterr().err == ""


def test_fetch_does_not_outlast_its_slowest_part() -> None:
    began = time.monotonic()
    inventory = Sleepy(FakeHost(), Config())
    inventory.fetch(["one", "two"])
    assert time.monotonic() - began < 0.55


@pytest.mark.parametrize("name", PARTS)
def test_no_probe_has_a_defect_on_a_host_that_has_nothing(name: str) -> None:
    answer = getattr(Inventory(FakeHost(), Config(), strict=True), name)
    assert answer is not None


class Refusing(FakeHost):
    """Every question is answered with the same reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__()
        refusal = Unavailable(reason=reason, what="anything", detail="on purpose")
        for question in (
            "read",
            "list",
            "readlink",
            "stat",
            "lstat_mtime",
            "list_files",
            "space",
            "processes",
            "run",
            "dm",
            "tgt",
            "kernel_log",
            "log_lines",
        ):
            setattr(self, question, lambda *_, **__: refusal)
        self.stat_files = lambda paths: tuple(refusal for _ in paths)  # type: ignore[method-assign]


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("name", PARTS)
def test_no_probe_has_a_defect_where_every_answer_is_refused(name: str, reason: Reason) -> None:
    """And none but `absent` may make a part that looks as if nothing were there."""
    answer = getattr(Inventory(Refusing(reason), Config(stores=("/srv",)), strict=True), name)
    if isinstance(answer, Unavailable) and reason is not Reason.ABSENT:
        assert answer.reason is not Reason.ABSENT, answer


@pytest.mark.parametrize("name", PARTS)
def test_every_part_says_what_it_is(name: str) -> None:
    assert Inventory.all_parts()[name].__doc__
    assert isinstance(getattr(Inventory, name), Part)


def test_what_was_set_by_hand_is_not_fetched() -> None:
    inventory = Slow()
    inventory.parts["broken"] = absent("x")
    assert inventory.broken == absent("x")
    assert CALLS == []
