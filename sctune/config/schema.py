"""Which keys the configuration has, and what each may hold."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import msgspec

from sctune.config.document import Misread, got, value_of
from sctune.config.model import Config, Level, Quotas, Thresholds
from sctune.config.sizes import Unreadable, parse_percent, parse_rate, parse_size

if TYPE_CHECKING:
    import yaml

    from sctune.config.document import Read, Reader

T = TypeVar("T")

_Ratio = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Positive = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Path = Annotated[str, msgspec.Meta(pattern=r"^/")]
_CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\Z")
_FACTORS = frozenset({"store_overcommit", "snapshot_headroom"})  # thresholds that are multiples, so may exceed 1


def read_config(reader: Reader, root: yaml.Node, file: str) -> Config:
    """The configuration at a document's root; problems are noted in `reader`."""

    def thresholds(node: yaml.Node, path: str) -> Thresholds:
        values: dict[str, Any] = reader.section(node, path, _threshold_fields(reader))
        return dataclasses.replace(Thresholds(), **values)

    def quotas(node: yaml.Node, path: str) -> Quotas:
        fields: dict[str, Read] = {
            "total": size,
            "snapshots_total": size,
            "volume": size,
            "volumes": lambda inner, where: reader.table(inner, where, size),
        }
        values: dict[str, Any] = reader.section(node, path, fields)
        return Quotas(source=file, **values)

    values: dict[str, Any] = reader.section(
        root,
        "",
        {
            "thresholds": thresholds,
            "quotas": quotas,
            "stores": lambda node, path: reader.items(node, path, absolute_path),
            "backend": backend,
            "loop_limit": count,
            "flush_speed": rate,
            "wanted": lambda node, path: frozenset(reader.items(node, path, advice_code)),
            "properties": absolute_path,
        },
    )
    return Config(files=(file,), **values)


def _threshold_fields(reader: Reader) -> dict[str, Read]:
    """How each threshold is read: its unit is in its name, and a pair of thresholds is a Level."""
    defaults = Thresholds()
    fields: dict[str, Read] = {}
    for field in dataclasses.fields(Thresholds):
        default = getattr(defaults, field.name)
        unit: Read = ratio
        if field.name.endswith("_seconds"):
            unit = seconds
        elif field.name.endswith("_bytes"):
            unit = size_in_bytes
        elif field.name in _FACTORS:
            unit = factor
        fields[field.name] = _level(reader, default, unit) if isinstance(default, Level) else unit
    return fields


def _level(reader: Reader, default: Level, unit: Read) -> Read:
    def read(node: yaml.Node, path: str) -> Level:
        values: dict[str, Any] = reader.section(node, path, {"warning": unit, "critical": unit})
        level = dataclasses.replace(default, **values)
        if level.warning > level.critical:
            raise Misread(f"warning ({level.warning:g}) is above critical ({level.critical:g})")
        return level

    return read


def _convert(node: yaml.Node, kind: Any, expected: str) -> Any:
    """The scalar at `node` if it is of this type, without any conversion between types."""
    value = value_of(node)
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        raise Misread(f"expected {expected}, got {got(node)}") from None


def _text(node: yaml.Node, expected: str) -> str:
    return cast("str", _convert(node, str, expected))


def ratio(node: yaml.Node, _: str) -> float:
    """0.8 or "80 %"."""
    expected = 'a ratio from 0 to 1 such as 0.8, or "80 %"'
    value = value_of(node)
    if not isinstance(value, str):
        return cast("float", _convert(node, _Ratio, expected))
    try:
        share = parse_percent(value)
    except Unreadable as error:
        raise Misread(str(error)) from None
    if share > 1:
        raise Misread(f"expected {expected}, got {got(node)}")
    return share


def factor(node: yaml.Node, _: str) -> float:
    """A multiple: 1.5."""
    return cast("float", _convert(node, _Positive, "a factor such as 1.5"))


def seconds(node: yaml.Node, _: str) -> float:
    """A plain number."""
    return cast("float", _convert(node, _Positive, "a number of seconds"))


def count(node: yaml.Node, _: str) -> int:
    """A whole number from 1 on."""
    return cast("int", _convert(node, _Count, "a whole number from 1 on"))


def size(node: yaml.Node, _: str) -> int:
    """ "100 GiB". A plain number is refused: nobody can tell its unit."""
    value = value_of(node)
    if not isinstance(value, str):
        meant = f': write "{value} GiB" if that is meant' if isinstance(value, int) and not isinstance(value, bool) else ""
        raise Misread(f'expected a size such as "100 GiB", got {got(node)}{meant}')
    try:
        return parse_size(value)
    except Unreadable as error:
        raise Misread(str(error)) from None


def size_in_bytes(node: yaml.Node, path: str) -> int:
    """A size whose key says bytes: a plain number is clear there."""
    value = value_of(node)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return size(node, path)


def rate(node: yaml.Node, _: str) -> float:
    """ "400 MiB/s"."""
    try:
        return parse_rate(_text(node, 'a speed such as "400 MiB/s"'))
    except Unreadable as error:
        raise Misread(str(error)) from None


def absolute_path(node: yaml.Node, _: str) -> str:
    """A path from / on; `..` and doubled slashes are resolved as text."""
    import os

    path = cast("str", _convert(node, _Path, "an absolute path"))
    if "\0" in path:
        raise Misread("a path cannot hold a NUL")
    return "/" + os.path.normpath(path).lstrip("/")


def backend(node: yaml.Node, _: str) -> str:
    """One of the backends' names."""
    from sctune.backends.choose import NAMES

    name = _text(node, f"one of {', '.join(NAMES)}")
    if name not in NAMES:
        raise Misread(f"expected one of {', '.join(NAMES)}, got {got(node)}")
    return name


def advice_code(node: yaml.Node, _: str) -> str:
    """The code of a piece of tuning advice. Looks through all checks, which costs only those who want something."""
    from sctune.registry import load

    expected = "the code of a piece of advice such as VM_DIRTY_LIMIT_LOW"
    code = _text(node, expected)
    if not _CODE.match(code):
        raise Misread(f"expected {expected}, got {got(node)}")
    registry = load()
    found = registry.find_code(code)
    if found is None and not registry.broken:  # a broken module of the site may have had it
        near = registry.close_to(code)
        raise Misread(f"no such code{': did you mean ' + near[0] + '?' if near else '; sctune checks lists them'}")
    if found is not None and not found[1].advice:
        raise Misread(f"{code} is a fault and no advice: it has its severity whatever is wanted here")
    return code
