"""Records: frozen, slotted, keyword-only dataclasses, made without compiling code for each class.

`dataclasses.dataclass` writes and compiles six methods a class, about half a millisecond; the doctor uses a hundred records and
is done in a quarter of a second, so that a fifth of its time went there, and another twentieth into importing `dataclasses`
and `inspect` (bench/doctor.py). Here the methods are shared and read the fields from the class; a constructor is compiled for the
few classes of which there are many records. For type checkers the decorator
is the standard library's own, and `dataclasses.fields`, `replace`, `asdict` and `is_dataclass` work on its classes.

Source: https://docs.python.org/3/library/dataclasses.html
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass, field, replace

__all__ = ["dataclass", "field", "replace"]


_MANY = 50
"""Records of one class after which compiling its constructor pays: 0.1 ms, and then 2 us less for each."""


class _Factory:
    """A default that is made anew for each record."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], object]) -> None:
        self.make = make


class _Shape:
    """What the shared methods must know of a class: its fields in order, how to set each, and what a missing one gets."""

    __slots__ = ("defaults", "factories", "given", "made", "names", "setters", "values")

    def __init__(self, cls: type, given: dict[str, Any]) -> None:
        self.given = given
        self.made = 0
        self.names: tuple[str, ...] = tuple(name for base in reversed(cls.__mro__) for name in vars(base).get("__slots__", ()))
        self.setters = tuple((name, getattr(cls, name).__set__) for name in self.names)
        self.defaults = {name: value for name, value in given.items() if not isinstance(value, _Factory)}
        self.factories = {name: value.make for name, value in given.items() if isinstance(value, _Factory)}
        self.values: Callable[[Any], tuple[Any, ...]] = _reader(self.names)


def _reader(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)  # in C, and the only one of its results that is a tuple
    return lambda record: tuple(getattr(record, name) for name in names)


class _Fields:
    """`__dataclass_fields__`, by which the standard library knows a dataclass: made when it asks."""

    def __get__(self, record: object, cls: type) -> dict[str, Any]:
        import dataclasses

        shape: _Shape = cls.__shape__  # type: ignore[attr-defined]
        types = {name: kind for base in reversed(cls.__mro__) for name, kind in vars(base).get("__annotations__", {}).items()}
        fields = [(name, types[name], _standard_field(shape, name)) for name in shape.names]
        made: Any = dataclasses.make_dataclass(cls.__name__, fields, init=False, repr=False, eq=False, kw_only=True)
        found: dict[str, Any] = made.__dataclass_fields__
        return found


def _standard_field(shape: _Shape, name: str) -> Any:
    import dataclasses

    if name in shape.factories:
        return dataclasses.field(default_factory=shape.factories[name])
    return dataclasses.field(default=shape.defaults[name]) if name in shape.defaults else dataclasses.field()


def _init(self: Any, /, **values: Any) -> None:
    shape: _Shape = self.__shape__
    shape.made += 1
    if shape.made == _MANY:
        self.__class__.__init__ = _compiled(shape)
    if len(values) != len(shape.names):
        made = {name: make() for name, make in shape.factories.items() if name not in values}
        values = shape.defaults | made | values
    try:
        for name, put in shape.setters:
            put(self, values[name])
    except KeyError:
        missing = ", ".join(name for name in shape.names if name not in values)
        raise TypeError(f"{type(self).__name__}: no value for {missing}") from None
    if len(values) != len(shape.names):
        unknown = ", ".join(name for name in values if name not in shape.names)
        raise TypeError(f"{type(self).__name__} has no field {unknown}")


def _compiled(shape: _Shape) -> Any:
    """The same constructor with its fields written out; one with defaults that are made anew stays as it is."""
    if shape.factories:
        return _init
    known: dict[str, Any] = {f"put_{name}": put for name, put in shape.setters}
    known |= {f"default_{name}": value for name, value in shape.defaults.items()}
    parameters = ", ".join(f"{name}=default_{name}" if name in shape.defaults else name for name in shape.names)
    body = "; ".join(f"put_{name}(self, {name})" for name in shape.names)
    exec(f"def __init__(self, /, *, {parameters}): {body}", known)  # noqa: S102 -- identifiers of ours
    return known["__init__"]


def _eq(self: Any, other: Any) -> Any:
    if self.__class__ is not other.__class__:
        return NotImplemented
    values = self.__shape__.values
    return values(self) == values(other)


def _hash(self: Any) -> int:
    return hash(self.__shape__.values(self))


def _repr(self: Any) -> str:
    pairs = zip(self.__shape__.names, self.__shape__.values(self), strict=True)
    return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"


def _refuse_set(self: Any, name: str, value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> tuple[Any, ...]:
    state: tuple[Any, ...] = self.__shape__.values(self)
    return state


def _setstate(self: Any, state: tuple[Any, ...]) -> None:
    for (_, put), value in zip(self.__shape__.setters, state, strict=True):
        put(self, value)


if not TYPE_CHECKING:

    def field(*, default_factory: Callable[[], object]) -> _Factory:
        """A field whose default is made for each record (`dataclasses.field`)."""
        return _Factory(default_factory)

    def replace(record: Any, /, **changes: Any) -> Any:
        """A record like this one but for `changes` (`dataclasses.replace`)."""
        shape = record.__shape__
        return record.__class__(**dict(zip(shape.names, shape.values(record), strict=True)) | changes)

    def dataclass(*, slots: bool, kw_only: bool, frozen: bool = False) -> Callable[[type], type]:
        """The decorator (`dataclasses.dataclass`), for slotted, keyword-only classes without __post_init__, ClassVar and InitVar.

        Raises TypeError for what it is not made for.
        """
        if not (slots and kw_only):
            raise TypeError("records are slotted and keyword-only")
        methods = {"__init__": _init, "__eq__": _eq, "__repr__": _repr, "__getstate__": _getstate, "__setstate__": _setstate}
        methods["__hash__"] = _hash if frozen else None
        if frozen:
            methods |= {"__setattr__": _refuse_set, "__delattr__": _refuse_delete}

        def decorate(cls: type) -> type:
            body = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
            names = tuple(body.get("__annotations__", ()))
            base = getattr(cls, "__shape__", None)
            given = (base.given if base else {}) | {name: body.pop(name) for name in names if name in body}
            # As the standard library does it: slots can only be had by making the class once more.
            made = type(cls)(cls.__name__, cls.__bases__, methods | body | {"__slots__": names, "__dataclass_fields__": _Fields()})
            made.__qualname__ = cls.__qualname__
            made.__shape__ = _Shape(made, given)
            made.__match_args__ = ()
            return made

        return decorate
