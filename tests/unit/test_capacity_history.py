"""Histories of a store: what is read, what is refused, and how far into the future one may look."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.capacity.history import HistoryError, Series, choose, parse
from sctune.capacity.history import forecast as forecast_at
from sctune.model.capacity import Forecast, StoreCapacity
from sctune.unavailable import Unavailable
from tests.unit.serving_hosts import GIB
from tests.unit.test_capacity import place

DAY = 86400.0
NOW = 1_800_000_000.0


def series(*points: tuple[float, float], **labels: str) -> Series:
    return Series(labels=labels, points=tuple(sorted(points)))


def store(total: int = 100 * GIB, used: int = 50 * GIB) -> StoreCapacity:
    return place(total, other=used)


def forecast(history: Series, held: StoreCapacity) -> Forecast | Unavailable:
    """By a look at the time of the last point."""
    return forecast_at(history, held, now=history.points[-1][0] if history.points else NOW)


def made(answer: Forecast | Unavailable) -> Forecast:
    assert isinstance(answer, Forecast)
    return answer


def test_csv_with_either_time_with_and_without_names() -> None:
    (one,) = parse(
        "timestamp,used_bytes,size_bytes\n# monday\n2027-01-15T08:00:00Z,100,1000\n\n2027-01-15T10:00:00+01:00,200,1000\n"
    )
    assert one.points == ((1800000000.0, 100.0), (1800003600.0, 200.0))
    assert parse("1800003600.5,200\r\n1800000000,100\r\n")[0].points == ((1800000000.0, 100.0), (1800003600.5, 200.0))
    assert parse("\ufeff1800000000,1")[0].points == ((1800000000.0, 1.0),)
    assert parse("")[0].points == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1800000000", "line 1"),
        ("time,used\n1800000000,abc", "line 2"),
        ("1800000000,-5", "line 1"),
        ("1800000000,nan", "line 1"),
        ("1800000000,1,2,3", "line 1"),
        ("2027-01-15T08:00:00,5", "no time zone"),
        ("2027-13-15T08:00:00Z,5", "RFC 3339"),
        ("time,used\nnames,again", "line 2"),
        ("1800000000000,5", "RFC 3339"),
    ],
)
def test_csv_that_is_none(text: str, told: str) -> None:
    with pytest.raises(HistoryError, match=told):
        parse(text)


def answer(*results: object, kind: str = "matrix", status: str = "success") -> str:
    return json.dumps({"status": status, "data": {"resultType": kind, "result": results}})


def test_an_answer_of_prometheus() -> None:
    found = parse(
        answer({"metric": {"mountpoint": "/srv"}, "values": [[1800000000, "1e3"], [1800000060.5, "NaN"], [1800000120, "5"]]})
    )
    assert found == (Series(labels={"mountpoint": "/srv"}, points=((1800000000.0, 1000.0), (1800000120.0, 5.0))),)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        "{}",
        answer(kind="vector"),
        answer(status="error"),
        answer({"metric": {}}),
        answer({"metric": {}, "values": [[1]]}),
        answer({"metric": {}, "values": [["x", "y"]]}),
        answer("x"),
    ],
)
def test_json_that_is_no_such_answer(text: str) -> None:
    with pytest.raises(HistoryError):
        parse(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except HistoryError:
        return
    for one in found:
        assert list(one.points) == sorted(set(one.points))


@given(st.dictionaries(st.integers(min_value=0, max_value=4_000_000_000), st.integers(min_value=0, max_value=1 << 60)))
def test_what_was_written_is_read(points: dict[int, int]) -> None:
    expected = tuple(sorted((float(when), float(used)) for when, used in points.items()))
    epoch = "\n".join(f"{when},{used}" for when, used in points.items())
    assert parse(epoch)[0].points == expected
    text = "\n".join(f"{datetime.fromtimestamp(when, UTC).isoformat()},{used}" for when, used in points.items())
    assert parse(text)[0].points == expected
    values = [[when, str(used)] for when, used in points.items()]
    assert parse(answer({"metric": {}, "values": values}))[0].points == expected


def test_a_store_that_grows_by_a_gib_a_day() -> None:
    found = made(forecast(series(*((NOW + day * DAY, day * GIB) for day in range(10))), store()))
    assert found.slope * DAY == pytest.approx(GIB)
    # 35 GiB to 85 %, 50 GiB to the end, from what is used now.
    assert found.nearly_full_seconds == pytest.approx(35 * DAY)
    assert found.full_seconds == pytest.approx(50 * DAY)
    assert (found.points, found.since, found.until) == (10, NOW, NOW + 9 * DAY)


def test_a_jump_and_a_cleanup_do_not_move_it() -> None:
    points = {NOW + day * DAY: float(day * GIB) for day in range(21)}
    points[NOW + 7 * DAY] += 500 * GIB
    points[NOW + 12 * DAY] = 0.0
    assert made(forecast(series(*points.items()), store())).slope * DAY == pytest.approx(GIB, rel=0.02)


@pytest.mark.parametrize("step", [0, -GIB])
def test_not_growing(step: int) -> None:
    found = made(forecast(series(*((NOW + day * DAY, 50 * GIB + day * step) for day in range(5))), store()))
    assert (found.growing, found.full_seconds, found.nearly_full_seconds) == (False, None, None)


def test_full_already() -> None:
    found = made(forecast(series(*((NOW + day * DAY, day * GIB) for day in range(5))), store(used=100 * GIB)))
    assert (found.nearly_full_seconds, found.full_seconds) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ([], "0 points"),
        ([(NOW, 1.0), (NOW + DAY, 2.0)], "2 points"),
        ([(NOW, 1.0), (NOW + 60, 2.0), (NOW + 3599, 3.0)], "spans 3599 s"),
    ],
)
def test_too_little_to_say(points: list[tuple[float, float]], told: str) -> None:
    found = forecast(series(*points), store())
    assert isinstance(found, Unavailable)
    assert told in found.detail
    assert isinstance(forecast(series((NOW, 1.0), (NOW + 60, 2.0), (NOW + 3600, 3.0)), store(used=100)), Forecast)


def test_a_year_of_minutes_is_soon_done() -> None:
    found = made(forecast(series(*((NOW + 60.0 * minute, minute * 1000.0) for minute in range(500_000))), store()))
    assert found.slope == pytest.approx(1000 / 60)


@given(st.lists(st.tuples(st.floats(0, 4e9), st.floats(0, 1e18)), min_size=3, max_size=40, unique_by=lambda point: point[0]))
def test_the_median_is_between_the_quartiles(points: list[tuple[float, float]]) -> None:
    found = forecast(series(*points), store(total=10**18, used=0))
    if isinstance(found, Forecast):
        assert found.slope_low <= found.slope <= found.slope_high
        assert found.full_seconds is None or found.full_seconds >= 0


def test_which_store_a_series_is_of() -> None:
    named, other = series(mountpoint="/srv"), series(mountpoint="/var")
    assert choose((named, other), "/srv", only=False) is named
    plain = series()
    assert choose((plain,), "/srv", only=True) is plain
    for found in (
        choose((plain,), "/srv", only=False),
        choose((other,), "/srv", only=True),
        choose((named, named), "/srv", only=True),
        choose((), "/srv", only=True),
    ):
        assert isinstance(found, Unavailable)


@pytest.mark.parametrize("factor", [1e-3, 1 / 1024**2, 3.0, 1024.0])
def test_a_history_in_another_unit_or_of_another_store_is_no_forecast(factor: float) -> None:
    points = [(NOW + day * DAY, (40 + day) * GIB * factor) for day in range(10)]
    found = forecast(series(*points), store())
    assert isinstance(found, Unavailable)
    assert "bytes" in found.detail


@pytest.mark.parametrize(
    ("ago", "told"), [(365 * DAY, "365 d"), (-2 * DAY, "in the future"), (9.5 * DAY, "ended"), (8 * DAY, ""), (-60.0, "")]
)
def test_a_history_that_ended_long_ago_or_lies_ahead_is_no_forecast(ago: float, told: str) -> None:
    history = series(*((NOW + day * DAY, day * GIB) for day in range(10)))
    found = forecast_at(history, store(), now=NOW + 9 * DAY + ago)
    assert isinstance(found, Unavailable) == bool(told)
    assert not isinstance(found, Unavailable) or told in found.detail
