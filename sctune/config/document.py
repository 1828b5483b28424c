"""A YAML document whose every value knows its line, read without the liberties YAML 1.1 takes.

`no` becomes false, `12:30` becomes 750 and `0256` becomes 174 there; a key given twice silently wins over the first. Here
each of these is an error with its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import yaml

from sctune.errors import UserError
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

Read: TypeAlias = Callable[[yaml.Node, str], object]
"""Reads the value of one key: (node, dotted key) -> value in base units. Raises Misread."""

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\.[0-9]*(?:[eE][-+][0-9]{1,2})?\Z")
_EXPONENT = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+\Z")


class Misread(ValueError):
    """A value that is not what its key wants; the message goes behind place and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error: the file, where in it (from 1), the dotted key, and what is wrong there."""

    file: str
    line: int
    column: int
    key: str
    message: str


class _Loader(yaml.SafeLoader):
    """Refuses aliases: nothing here needs them, and a few lines of them unfold to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not supported here", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def compose(data: bytes, file: str) -> yaml.Node | None:
    """The document's root, None where it is empty. Raises UserError with file, line and column."""
    hint = "correct the file, or name another one with --config"
    try:
        text = data.decode("utf-8-sig")
        loader = _Loader(text)
        loader.name = file  # every node knows by its mark which file it is of
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{file}:{line}:1: not UTF-8 text", hint) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        raise UserError(f"{place}: {error.problem or 'not a YAML document'}", hint) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise UserError(f"{file}: not a YAML document: {reason}", hint) from None
    assert root is None or isinstance(root, yaml.Node)  # noqa: S101 (for the type checker; PyYAML is untyped here)
    return root


def value_of(node: yaml.Node) -> object:
    """A scalar as text, bool, int, float or None; raises Misread for anything else."""
    if not isinstance(node, yaml.ScalarNode):
        raise Misread(f"expected one value, got {kind_of(node)}")
    text = str(node.value)
    match node.tag.removeprefix(_TAG):
        case "str":
            if _EXPONENT.match(text) and node.style is None:
                raise Misread(f"YAML reads {text} as text: write the number out")
            return text
        case "null":
            return None
        case "bool":
            return text.lower() in ("yes", "true", "on")
        case "int" if _INTEGER.match(text):
            return int(text)
        case "float" if _FLOAT.match(text):
            return float(text)
        case "int" | "float":
            raise Misread(f'YAML reads {text} as a number in another notation: write it in plain decimal, or quote it: "{text}"')
        case "timestamp":
            raise Misread(f'YAML reads {text} as a date: quote it: "{text}"')
        case tag:
            raise Misread(f"tags are not supported here ({tag})")


def got(node: yaml.Node) -> str:
    """What is written at a node, in words."""
    if not isinstance(node, yaml.ScalarNode):
        return kind_of(node)
    text = str(node.value)
    match node.tag.removeprefix(_TAG):
        case "null":
            return "nothing (leave the line out for the default)"
        case "bool":
            return f"{text}, which YAML reads as a boolean"
        case "int" | "float":
            return f"the number {text}"
        case _:
            return repr(text)


def kind_of(node: yaml.Node) -> str:
    """List, mapping or value."""
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "a mapping (key: value)" if isinstance(node, yaml.MappingNode) else "a single value"


class Reader:
    """Walks a document and collects every problem, so that one run names them all, and where each value was given."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.origins: dict[str, str] = {}

    def add(self, node: yaml.Node, key: str, message: str) -> None:
        """Notes a problem at a node."""
        mark = node.start_mark
        self.problems.append(Problem(file=mark.name, line=mark.line + 1, column=mark.column + 1, key=key, message=message))

    def entries(self, node: yaml.Node, path: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
        """The (key, key's node, value's node) of a mapping. A section left empty has none: its lines may all be comments."""
        if isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "null":
            return []
        if not isinstance(node, yaml.MappingNode):
            self.add(node, path, f"expected a mapping (key: value), got {got(node)}")
            return []
        found: dict[str, tuple[str, yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != _TAG + "str":
                self.add(key, path, f"expected a name as key, got {got(key)}: quote it")
                continue
            name = str(key.value)
            if name in found:
                self.add(key, dotted(path, name), f"given twice, first in line {found[name][1].start_mark.line + 1}")
                continue
            found[name] = (name, key, value)
        return list(found.values())

    def section(self, node: yaml.Node, path: str, fields: Mapping[str, Read]) -> dict[str, object]:
        """The values of a mapping whose keys are known. What cannot be read is noted and left out."""
        values: dict[str, object] = {}
        for name, key, value in self.entries(node, path):
            if name in fields:
                self._read(values, name, value, path, fields[name])
            else:
                self.add(key, dotted(path, name), _unknown(name, fields))
        return values

    def table(self, node: yaml.Node, path: str, read: Read) -> dict[str, object]:
        """The values of a mapping whose keys are names of the site's things."""
        values: dict[str, object] = {}
        for name, _, value in self.entries(node, path):
            self._read(values, name, value, path, read)
        return values

    def items(self, node: yaml.Node, path: str, read: Read) -> tuple[object, ...]:
        """The values of a list, without repeats."""
        if not isinstance(node, yaml.SequenceNode):
            raise Misread(f"expected a list, got {got(node)}")
        values: dict[str, object] = {}
        for index, value in enumerate(node.value):
            self._read(values, f"{index}", value, path, read)
            if f"{index}" in values:
                self.origins.setdefault(f"{path}[{values[f'{index}']}]", self.origins[dotted(path, f"{index}")])
        return tuple(dict.fromkeys(values.values()))

    def _read(self, values: dict[str, object], name: str, value: yaml.Node, path: str, read: Read) -> None:
        try:
            values[name] = read(value, dotted(path, name))
            self.origins[dotted(path, name)] = f"{value.start_mark.name}:{value.start_mark.line + 1}"
        except Misread as error:
            self.add(value, dotted(path, name), str(error))


def files_of(node: yaml.Node) -> tuple[str, ...]:
    """The files that the values at a node are of, in the order met."""
    if isinstance(node, yaml.MappingNode):
        inner = [file for _, value in node.value for file in files_of(value)]
    elif isinstance(node, yaml.SequenceNode):
        inner = [file for value in node.value for file in files_of(value)]
    else:
        inner = []
    return tuple(dict.fromkeys(inner)) or (node.start_mark.name,)


def dotted(path: str, name: str) -> str:
    """The key in its section, as messages write it; control characters are shown, never sent to a terminal."""
    shown = name if name.isprintable() else repr(name)
    return f"{path}.{shown}" if path else shown


def _unknown(name: str, fields: Mapping[str, object]) -> str:
    import difflib

    near = difflib.get_close_matches(name, fields, n=1)
    return f"unknown key: did you mean {near[0]}?" if near else f"unknown key; known are {', '.join(sorted(fields))}"
