"""Counters of sessions, added up for what they were with: whatever comes and goes, the sum never falls."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sctune.exporters.prometheus.accumulated import REMEMBERED, Accumulated, Reading, since

WRAP = 2**32
LUN = ("iqn", "1")


def reading(source: int, *values: int, owner: tuple[str, ...] = LUN) -> Reading:
    return Reading(source=source, owner=owner, values=values)


def run(*rounds: list[Reading], wraps: tuple[int, ...] = (0,), past: bool = False) -> list[tuple[int, ...] | None]:
    kept = Accumulated()
    totals = []
    for readings in rounds:
        kept.add(readings, wraps, past=past)
        kept.keep([LUN], len(wraps))
        totals.append(kept.total(LUN))
    return totals


def test_logout_makes_nothing_fall() -> None:
    assert run([reading(1, 10), reading(2, 5)], [reading(1, 14), reading(2, 6)], [reading(2, 8)], []) == [(0,), (5,), (7,), (7,)]


def test_new_session_counts_from_its_beginning() -> None:
    assert run([], [reading(1, 10)], [reading(1, 11)]) == [(0,), (10,), (11,)]


def test_single_answer_has_the_past() -> None:
    assert run([reading(1, 10), reading(2, 5)], past=True) == [(15,)]


def test_wraps() -> None:
    totals = run([reading(1, 0, WRAP - 3)], [reading(1, 9, 4)], wraps=(0, WRAP))
    assert totals[-1] == (9, 7)


def test_made_anew_under_the_same_name() -> None:
    # tgtd restarted and gave the same session id: bytes, which never wrap, are lower.
    assert since((5000, 10), (700, 12), (0, WRAP)) == (700, 12)
    # Only commands tell: 900 to 20 is no wrap of 32 bits.
    assert since((5000, 900), (5000, 20), (0, WRAP)) == (5000, 20)


def test_source_that_is_there_and_was_not_read_is_not_new_afterwards() -> None:
    kept = Accumulated()
    for value in (1_000_000, 1_000_010, None, None, 1_000_020):
        there = [] if value is None else [reading(1, value)]
        kept.add(there, (0,), past=False, unread=[1] if value is None else [])
        kept.keep([LUN], 1)
    assert kept.total(LUN) == (20,)


def test_source_that_was_not_read_at_first_has_no_past() -> None:
    kept = Accumulated()
    for readings, unread in (
        ([], [1]),
        ([], [1, 2]),
        ([reading(1, 500), reading(2, 7)], []),
        ([reading(1, 501), reading(2, 7)], []),
    ):
        kept.add(readings, (0,), past=False, unread=unread)
        kept.keep([LUN], 1)
    # The second one came after the first reading: all that it has is new.
    assert kept.total(LUN) == (8,)


def test_owner_that_is_gone_has_no_total() -> None:
    kept = Accumulated()
    kept.add([reading(1, 10)], (0,), past=True)
    kept.keep([], 1)
    assert kept.total(LUN) is None


@given(
    st.lists(
        st.dictionaries(st.integers(0, 3), st.tuples(st.integers(0, 2**64 - 1), st.integers(0, WRAP - 1)), max_size=4), max_size=8
    ),
    st.booleans(),
)
def test_never_falls(rounds: list[dict[int, tuple[int, int]]], past: bool) -> None:
    totals = run(*([reading(source, *values) for source, values in found.items()] for found in rounds), wraps=(0, WRAP), past=past)
    for before, after in itertools.pairwise(totals):
        assert before is not None and after is not None
        assert all(new >= old for old, new in zip(before, after, strict=True))


@given(st.lists(st.integers(0, WRAP - 1), min_size=1, max_size=20))
def test_counts_all_of_one_session(steps: list[int]) -> None:
    """A 32-bit counter beside one that never wraps, read often enough, is followed exactly."""
    rounds, whole = [], 0
    for step in steps:
        whole += step // 2
        rounds.append([reading(1, whole, whole % WRAP)])
    totals = run(*rounds, wraps=(0, WRAP), past=True)
    assert totals[-1] is not None
    assert totals[-1] == (whole, whole)


def test_what_is_detached_and_attached_again_goes_on() -> None:
    """A scrape that finds it gone in between makes nothing fall, and its samples are not lost to what came before."""
    assert run([reading(1, 10)], [reading(1, 40)]) == [(0,), (30,)]
    kept = Accumulated()
    kept.add([reading(1, 10)], (0,), past=False)
    kept.add([reading(1, 40)], (0,), past=False)
    kept.keep([LUN], 1)
    for _ in range(3):
        kept.add([], (0,), past=False)
        kept.keep([], 1)
    kept.add([reading(2, 5)], (0,), past=False)
    kept.keep([LUN], 1)
    assert kept.total(LUN) == (35,)
    for never_read in range(2):
        kept.add([], (0,), past=False)
        kept.keep([LUN] * never_read, 1)
    assert kept.total(LUN) == (35,)


def test_only_so_many_that_are_gone_are_remembered() -> None:
    kept = Accumulated()
    kept.add([], (0,), past=False)
    for number in range(REMEMBERED + 2):
        owner = (f"iqn{number}", "1")
        kept.add([reading(number, 7, owner=owner), reading(-1, number)], (0,), past=False)
        kept.keep([owner, LUN], 1)
    kept.keep([LUN], 1)
    owners = [(f"iqn{number}", "1") for number in range(REMEMBERED + 2)]
    assert {kept.total(owner) for owner in owners} == {None}
    kept.keep([LUN, *owners], 1)
    assert [kept.total(owner) for owner in owners] == [(0,)] * 2 + [(7,)] * REMEMBERED
    assert kept.total(LUN) == (REMEMBERED + 1,)
