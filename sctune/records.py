"""Records: the standard library's dataclasses, frozen, slotted and keyword-only, made without compiling code for each class.

`dataclasses.dataclass` writes and compiles six methods a class, about half a millisecond; the doctor uses a hundred records and
is done in a quarter of a second (bench/doctor.py), so that a fifth of its time went there. Here the methods are shared and read
the fields from the class. All else is the standard library's: `dataclasses.fields`, `replace` and type checkers see a dataclass.

Source: https://docs.python.org/3/library/dataclasses.html
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass  # Type checkers know it by name.

__all__ = ["dataclass", "field", "replace"]


class _Shape:
    """What the shared methods must know of a class: its fields in order, how to set each, and what a missing one gets."""

    __slots__ = ("defaults", "factories", "names", "setters", "values")

    def __init__(self, cls: type) -> None:
        fields: dict[str, Any] = cls.__dataclass_fields__  # type: ignore[attr-defined]
        self.names = tuple(fields)
        self.setters = tuple((name, getattr(cls, name).__set__) for name in fields)
        self.defaults = {name: found.default for name, found in fields.items() if found.default is not MISSING}
        self.factories = {name: found.default_factory for name, found in fields.items() if found.default_factory is not MISSING}
        get = attrgetter(*fields) if fields else lambda record: ()
        self.values: Callable[[Any], tuple[Any, ...]] = get if len(fields) != 1 else lambda record: (get(record),)


_shapes: dict[type, _Shape] = {}


def _shape(cls: type) -> _Shape:
    shape = _shapes.get(cls)
    if shape is None:
        shape = _shapes[cls] = _Shape(cls)
    return shape


def _init(self: Any, /, **values: Any) -> None:
    shape = _shapes.get(self.__class__) or _shape(self.__class__)
    if len(values) != len(shape.names):
        values = shape.defaults | {name: make() for name, make in shape.factories.items() if name not in values} | values
    try:
        for name, put in shape.setters:
            put(self, values[name])
    except KeyError:
        missing = ", ".join(name for name in shape.names if name not in values)
        raise TypeError(f"{type(self).__name__}: no value for {missing}") from None
    if len(values) != len(shape.names):
        unknown = ", ".join(name for name in values if name not in shape.names)
        raise TypeError(f"{type(self).__name__} has no field {unknown}")


def _eq(self: Any, other: object) -> Any:
    if self.__class__ is not other.__class__:
        return NotImplemented
    values = _shape(self.__class__).values
    return values(self) == values(other)


def _hash(self: Any) -> int:
    return hash(_shape(self.__class__).values(self))


def _repr(self: Any) -> str:
    shape = _shape(self.__class__)
    pairs = zip(shape.names, shape.values(self), strict=True)
    return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"


def _refuse_set(self: Any, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> tuple[Any, ...]:
    return _shape(self.__class__).values(self)


def _setstate(self: Any, state: tuple[Any, ...]) -> None:
    for (_, put), value in zip(_shape(self.__class__).setters, state, strict=True):
        put(self, value)


if not TYPE_CHECKING:
    from dataclasses import dataclass as _standard

    def dataclass(*, slots: bool, kw_only: bool, frozen: bool = False) -> Callable[[type], type]:
        """A decorator like `dataclasses.dataclass`, for slotted, keyword-only classes without __post_init__, ClassVar or InitVar.

        Raises TypeError for what it is not made for.
        """
        if not (slots and kw_only):
            raise TypeError("records are slotted and keyword-only")

        def decorate(cls: type) -> type:
            cls.__doc__ = cls.__doc__ or cls.__name__  # The standard library would write a signature.
            cls.__init__, cls.__eq__, cls.__repr__ = _init, _eq, _repr
            cls.__hash__ = _hash if frozen else None
            cls.__getstate__, cls.__setstate__ = _getstate, _setstate
            if frozen:
                cls.__setattr__, cls.__delattr__ = _refuse_set, _refuse_delete
            return _standard(init=False, repr=False, eq=False, slots=True, kw_only=True)(cls)

        return decorate
