"""Tables: what is cut, and that nothing is cut that need not be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sctune.report.layout import DEFAULT_WIDTH, len_shown, style_for
from sctune.report.table import Column, shortened, table

COLUMNS = (Column(title="NAME", cut=True), Column(title="SIZE", right=True), Column(title="TARGET", cut=True))
ROWS = (
    ("vol-391D02F1", "1 GiB", "iqn.2009-06.com.eucalyptus.lab:store1"),
    ("vol-391D05E2", "132 KiB", "-"),
)


def test_as_wide_as_it_needs_to_be() -> None:
    assert list(table(COLUMNS, ROWS, None)) == [
        "NAME             SIZE  TARGET",
        "vol-391D02F1    1 GiB  iqn.2009-06.com.eucalyptus.lab:store1",
        "vol-391D05E2  132 KiB  -",
    ]


def test_the_widest_is_cut_in_its_middle() -> None:
    lines = list(table(COLUMNS, ROWS, 44))
    assert max(map(len, lines)) == 44
    assert lines[1] == "vol-391D02F1    1 GiB  iqn.2009-..lab:store1"


def test_longer_than_the_terminal_rather_than_without_its_ends() -> None:
    assert list(table(COLUMNS, ROWS, 10))[1] == "vol..02F1    1 GiB  iqn..ore1"


def test_a_column_that_says_nothing_is_left_out() -> None:
    assert list(table(COLUMNS, [("a", "-", ""), ("b", "-", "-")], None)) == ["NAME", "a", "b"]


def test_no_rows() -> None:
    assert list(table(COLUMNS, (), None)) == ["NAME  SIZE  TARGET"]


@given(st.text(), st.integers(min_value=6, max_value=40))
def test_no_wider_than_asked(text: str, width: int) -> None:
    assert len_shown(shortened(text, width)) <= max(width, 0) or len_shown(text) <= width


def test_a_width_of_thousands_of_digits_is_none() -> None:
    assert style_for(is_terminal=False, environment={"COLUMNS": "9" * 5000}).width == DEFAULT_WIDTH
