"""Records behave as the standard library's dataclasses of the same declaration."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune import records


@records.dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """As declared here and below."""

    size: int
    name: str = "a"
    parts: list[int] = records.field(default_factory=list)

    @property
    def doubled(self) -> int:
        """Twice."""
        return self.size * 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """As declared here and above."""

    size: int
    name: str = "a"
    parts: list[int] = dataclasses.field(default_factory=list)


@records.dataclass(frozen=True, slots=True, kw_only=True)
class Child(Ours):
    """One field more."""

    extra: int = 3


@records.dataclass(slots=True, kw_only=True)
class Changing:
    """Not frozen."""

    one: int = 0


@given(size=st.integers(), name=st.text(), parts=st.lists(st.integers()), other=st.integers())
def test_it_is_what_the_standard_library_makes(size: int, name: str, parts: list[int], other: int) -> None:
    ours, standard = Ours(size=size, name=name, parts=parts), Standard(size=size, name=name, parts=parts)
    assert repr(ours) == repr(standard).replace("Standard", "Ours")
    assert dataclasses.asdict(ours) == dataclasses.asdict(standard)
    assert ours == Ours(size=size, name=name, parts=list(parts))
    assert (ours == Ours(size=other, name=name, parts=parts)) == (size == other)
    assert dataclasses.asdict(records.replace(ours, size=other)) == dataclasses.asdict(dataclasses.replace(standard, size=other))
    assert dataclasses.replace(ours, size=other) == records.replace(ours, size=other)
    assert copy.deepcopy(ours) == ours == pickle.loads(pickle.dumps(ours))


def test_the_standard_library_knows_it_as_a_dataclass() -> None:
    assert dataclasses.is_dataclass(Ours)
    for mine, theirs in zip(dataclasses.fields(Ours), dataclasses.fields(Standard), strict=True):
        assert (mine.name, mine.type, mine.default, mine.kw_only) == (theirs.name, theirs.type, theirs.default, theirs.kw_only)
        assert (mine.default_factory is dataclasses.MISSING) == (theirs.default_factory is dataclasses.MISSING)


def test_it_is_slotted_and_keeps_what_the_class_says() -> None:
    ours = Ours(size=2)
    assert not hasattr(ours, "__dict__")
    assert Ours.__slots__ == ("size", "name", "parts")
    assert (ours.doubled, Ours.__doc__, Ours.__qualname__, Ours.__module__) == (4, "As declared here and below.", "Ours", __name__)


def test_each_record_has_defaults_of_its_own() -> None:
    one, two = Ours(size=1), Ours(size=1)
    one.parts.append(1)
    assert two.parts == []


def test_a_hash_is_of_its_values() -> None:
    assert hash(Child(size=1, parts=())) == hash(Child(size=1, parts=()))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        hash(Ours(size=1))  # a list in it
    with pytest.raises(TypeError):
        hash(Changing())


def test_one_frozen_is_not_changed() -> None:
    ours = Ours(size=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        ours.size = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del ours.size
    assert ours.size == 1
    changing = Changing()
    changing.one = 2
    assert changing == Changing(one=2)
    assert repr(changing) == "Changing(one=2)"


def test_what_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(TypeError, match="no value for size"):
        Ours()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="has no field sise"):
        Ours(size=1, sise=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no value for size"):
        Ours(sise=1, name="", parts=[])  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Ours(1)  # type: ignore[call-arg]


def test_of_many_each_is_like_the_first() -> None:
    @records.dataclass(frozen=True, slots=True, kw_only=True)
    class Many:
        """Of which there are many."""

        put_self: int
        self_: str = "x"

    made = [Many(put_self=number) for number in range(200)]
    assert [many.put_self for many in made] == list(range(200))
    assert {many.self_ for many in made} == {"x"}
    assert made[0] == Many(put_self=0)
    for wrong in ({}, {"put_self": 1, "other": 2}):
        with pytest.raises(TypeError):
            Many(**wrong)  # type: ignore[arg-type]


def test_a_child_has_its_parents_fields_too() -> None:
    assert repr(Child(size=1)) == "Child(size=1, name='a', parts=[], extra=3)"
    assert [field.name for field in dataclasses.fields(Child)] == ["size", "name", "parts", "extra"]
    assert Child(size=1) != Ours(size=1)


def test_what_it_is_not_made_for_is_refused() -> None:
    with pytest.raises(TypeError, match="slotted and keyword-only"):
        records.dataclass(slots=True, kw_only=False)
