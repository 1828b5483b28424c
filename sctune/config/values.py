"""How each kind of value is read: the node of one value in, base units out, Misread where it is not of the kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec

from sctune.config.document import Misread, got, value_of
from sctune.config.sizes import Unreadable, parse_percent, parse_rate, parse_size

if TYPE_CHECKING:
    import yaml

    from sctune.config.document import Read
    from sctune.findings import Code

_Ratio = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Positive = Annotated[float, msgspec.Meta(ge=0)]
_MoreThanNone = Annotated[float, msgspec.Meta(gt=0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Path = Annotated[str, msgspec.Meta(pattern=r"^/")]
_CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\Z")
_CLOUD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def _convert(node: yaml.Node, kind: Any, expected: str) -> Any:
    """The scalar at `node` if it is of this type, without any conversion between types."""
    value = value_of(node)
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        raise Misread(f"expected {expected}, got {got(node)}") from None


def text(node: yaml.Node, expected: str) -> str:
    """A text; `expected` is what the message says was expected."""
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


def some_seconds(node: yaml.Node, _: str) -> float:
    """A plain number, more than 0."""
    return cast("float", _convert(node, _MoreThanNone, "a number of seconds above 0"))


def yes_or_no(node: yaml.Node, _: str) -> bool:
    """true or false."""
    return cast("bool", _convert(node, bool, "true or false"))


def pattern(node: yaml.Node, _: str) -> str:
    """A regular expression of Python's re, which has to match a whole name."""
    written = text(node, 'a regular expression such as "vol-.*"')
    try:
        re.compile(written)
    except (re.error, RecursionError, OverflowError) as error:
        raise Misread(f"not a regular expression: {error}") from None
    return written


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
        return parse_rate(text(node, 'a speed such as "400 MiB/s"'))
    except Unreadable as error:
        raise Misread(str(error)) from None


def absolute_path(node: yaml.Node, _: str) -> str:
    """A path from / on; `..` and doubled slashes are resolved as text."""
    import os

    path = cast("str", _convert(node, _Path, "an absolute path"))
    if "\0" in path:
        raise Misread("a path cannot hold a NUL")
    return "/" + os.path.normpath(path).lstrip("/")


def path_or_ask(node: yaml.Node, where: str) -> str:
    """A path, or the word "ask"."""
    from sctune.config.model import ASK

    return ASK if value_of(node) == ASK else absolute_path(node, where)


def cloud_id(node: yaml.Node, _: str) -> str:
    """The id of a volume or snapshot."""
    id = text(node, "the id of a volume or snapshot such as vol-0a1b2c3d")
    if not _CLOUD_ID.match(id):
        raise Misread(f"expected the id of a volume or snapshot such as vol-0a1b2c3d, got {got(node)}")
    return id


def one_of(names: tuple[str, ...]) -> Read:
    """One of these words."""

    def read(node: yaml.Node, _: str) -> str:
        name = text(node, f"one of {', '.join(names)}")
        if name not in names:
            raise Misread(f"expected one of {', '.join(names)}, got {got(node)}")
        return name

    return read


def backend(node: yaml.Node, path: str) -> str:
    """One of the backends' names."""
    from sctune.backends.choose import NAMES

    return cast("str", one_of(NAMES)(node, path))


def day(node: yaml.Node, _: str) -> str:
    """A date, YYYY-MM-DD. Without quotes YAML knows it as one, which is meant here."""
    import datetime

    import yaml

    written = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
    try:
        if not _DAY.match(written):
            raise ValueError
        return datetime.date.fromisoformat(written).isoformat()
    except ValueError:
        raise Misread(f"expected a day such as 2027-01-31, got {written or got(node)}") from None


def known_code(node: yaml.Node, expected: str) -> Code | None:
    """The code that is named, None where a broken module of the site may have had it. Looks through all checks, which costs only
    those who name one."""
    from sctune.registry import load

    code = text(node, expected)
    if not _CODE.match(code):
        raise Misread(f"expected {expected}, got {got(node)}")
    registry = load()
    found = registry.find_code(code)
    if found is None and not registry.broken:
        near = registry.close_to(code)
        raise Misread(f"no such code{': did you mean ' + near[0] + '?' if near else '; sctune checks lists them'}")
    return found[1] if found else None


def advice_code(node: yaml.Node, _: str) -> str:
    """The code of a piece of tuning advice."""
    expected = "the code of a piece of advice such as VM_DIRTY_LIMIT_LOW"
    code = known_code(node, expected)
    if code is not None and not code.advice:
        raise Misread(f"{code.code} is a fault and no advice: it has its severity whatever is wanted here")
    return text(node, expected)
