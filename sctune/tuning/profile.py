"""Reads one profile: strict, every error with its file and line, all of them at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sctune.config import values
from sctune.config.document import Misread, Reader, compose, dotted, value_of
from sctune.config.schema import ROLES
from sctune.config.sizes import Unreadable
from sctune.errors import UserError
from sctune.model.block import BlockKind
from sctune.model.report import Role
from sctune.sysctl import numbers
from sctune.tuning import value as texts
from sctune.tuning.schema import (
    LOOP_NAMES,
    PATHS,
    SYSTEM_NAMES,
    TGT_NAMES,
    Attribute,
    Bound,
    Profile,
    Risk,
    Section,
    Setting,
    Value,
    When,
)
from sctune.tuning.select import TRANSPORTS

if TYPE_CHECKING:
    import yaml

    from sctune.config.document import Read

HINT = "correct the profile"
KINDS = tuple(kind for kind in BlockKind if kind is not BlockKind.OTHER)
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\Z")
"""A profile's name: it becomes part of the names of the files that are written to the host."""
_SYSCTL = re.compile(r"[a-z0-9_]+(?:\.[A-Za-z0-9_-]+)+\Z")
_MODULE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_]+\Z")
_ISCSI = re.compile(r"[a-z]+(?:\.[A-Za-z0-9_]+(?:\[[0-9]\])?)+\Z")
_SECRET = re.compile(r"auth\.|password|_key\b", re.IGNORECASE)
_RELEASE = re.compile(r"([0-9]{1,3})\.([0-9]{1,4})\Z")
_PAIRED = frozenset({"vm.dirty_ratio", "vm.dirty_bytes", "vm.dirty_background_ratio", "vm.dirty_background_bytes"})
_FORMS: dict[Section, tuple[re.Pattern[str] | tuple[str, ...], str]] = {
    Section.SYSCTL: (_SYSCTL, "a sysctl's key such as vm.dirty_ratio"),
    Section.BLOCK: (NAME, "a name of small letters, digits and dashes"),
    Section.SYSTEM: (SYSTEM_NAMES, f"one of {', '.join(SYSTEM_NAMES)}"),
    Section.LOOP: (LOOP_NAMES, "direct_io"),
    Section.TGT: (TGT_NAMES, "nop_interval or nop_count"),
    Section.MODULE: (_MODULE, "MODULE.PARAMETER such as loop.max_loop"),
    Section.ISCSI: (_ISCSI, "a key of iscsid.conf such as node.session.timeo.replacement_timeout"),
}


def read(data: bytes, file: str, name: str) -> Profile:
    """The profile in a file's content, without what it includes. Raises UserError that names every problem."""
    try:
        root = compose(data, file)
    except UserError as error:
        raise UserError(error.message, HINT) from None
    if root is None:
        raise UserError(f"{file}:1:1: an empty profile", HINT)
    reader = _Profile(file, name)
    profile = reader.profile(root)
    if profile is None or reader.problems:
        problems = sorted(reader.problems, key=lambda one: (one.line, one.column))
        lines = [f"{one.file}:{one.line}:{one.column}: {one.key + ': ' if one.key else ''}{one.message}" for one in problems]
        raise UserError("\n".join(lines), HINT)
    return profile


class _Profile(Reader):
    """Walks a profile."""

    def __init__(self, file: str, name: str) -> None:
        super().__init__()
        self.file = file
        self.name = name

    def profile(self, root: yaml.Node) -> Profile | None:
        sections: dict[str, Read] = {section.value: self._section(section) for section in Section}
        found: dict[str, Any] = self.section(
            root,
            "",
            {
                "summary": _line,
                "include": lambda node, path: self.items(node, path, _profile_name),
                "remove": lambda node, path: self.items(node, path, _line),
                "paths": values.one_of(PATHS),
                **sections,
            },
        )
        if "summary" not in found:
            self._miss(root, "summary", "", "a line that says what the profile is for")
            return None
        settings: list[Setting] = [setting for section in Section for setting in found.get(section.value, ())]
        self._refuse_twice(root, settings)
        return Profile(
            name=self.name,
            file=self.file,
            summary=found["summary"],
            settings=tuple(settings),
            includes=found.get("include", ()),
            removes=found.get("remove", ()),
            paths=found.get("paths"),
        )

    def _section(self, section: Section) -> Read:
        def read(node: yaml.Node, path: str) -> tuple[Setting, ...]:
            made = []
            for name, key, value in self.entries(node, path):
                problem = _name_problem(section, name)
                if problem:
                    self.add(key, dotted(path, name), problem)
                    continue
                setting = self._setting(section, name, value, dotted(path, name))
                if setting is not None:
                    made.append(setting)
            return tuple(made)

        return read

    def _setting(self, section: Section, name: str, node: yaml.Node, path: str) -> Setting | None:
        block = section is Section.BLOCK
        fields: dict[str, Read] = {
            "value": lambda inner, _: inner,
            "only": _one(Bound),
            "when": self._when(block),
            "why": _line,
            "source": _line,
            "risk": _one(Risk),
            "opt_in": _yes,
        }
        if block:
            fields["attribute"] = _one(Attribute)
        before = len(self.problems)
        found: dict[str, Any] = self.section(node, path, fields)
        for key, told in (
            ("value", "what it is to be"),
            ("why", "why it is set"),
            ("source", "where that knowledge is from"),
            *((("attribute", "which queue attribute it is"),) if block else ()),
        ):
            if key not in found and len(self.problems) == before:
                self._miss(node, key, path, told)
        if len(self.problems) > before:
            return None
        attribute, bound = found.get("attribute"), found.get("only")
        try:
            value = self._value(section, attribute, name, found["value"], dotted(path, "value"))
        except Misread as error:
            self.add(found["value"], dotted(path, "value"), str(error))
            return None
        if value is None:
            return None
        problem = _bound_problem(section, name, value, bound)
        if problem:
            self.add(node, dotted(path, "only"), problem)
        return Setting(
            section=section,
            name=name,
            value=value,
            why=found["why"],
            source=found["source"],
            profile=self.name,
            place=f"{self.file}:{node.start_mark.line + 1}",
            attribute=attribute,
            bound=bound,
            when=found.get("when", When()),
            risk=found.get("risk", Risk.SAFE),
            opt_in=found.get("opt_in", False),
        )

    def _value(self, section: Section, attribute: Attribute | None, name: str, node: yaml.Node, path: str) -> Value | None:
        """One text; a list of them, the best first; or what makes a size of memory and flush speed."""
        import yaml

        if isinstance(node, yaml.MappingNode):
            if section is not Section.SYSCTL or not name.endswith("_bytes"):
                raise Misread("only a sysctl in bytes can be made of memory and flush speed")
            before = len(self.problems)
            made: dict[str, Any] = self.section(
                node, path, {"flush_seconds": values.factor, "otherwise": values.size, "at_most": _share_of_memory}
            )
            if len(self.problems) > before:
                return None
            if not made.keys() & {"flush_seconds", "otherwise"}:
                raise Misread("expected flush_seconds or otherwise")
            return Value(**made)
        if isinstance(node, yaml.SequenceNode):
            before = len(self.problems)
            choices: Any = self.items(node, path, lambda inner, _: _text(section, attribute, name, inner))
            if len(self.problems) > before:
                return None
            if not choices or (attribute is not Attribute.SCHEDULER and section is not Section.SYSTEM):
                raise Misread("a list is for schedulers, governors and huge pages: the first that the kernel offers counts")
            return Value(choices=choices)
        return Value(choices=(_text(section, attribute, name, node),))

    def _when(self, block: bool) -> Read:
        fields: dict[str, Read] = {
            "role": lambda node, path: self._several(node, path, _role),
            "memory_from": values.size,
            "memory_below": values.size,
            "kernel_from": _release,
            "kernel_before": _release,
        }
        if block:
            fields |= {
                "kind": lambda node, path: self._several(node, path, _kind),
                "rotational": _yes,
                "transport": lambda node, path: self._several(node, path, values.one_of(tuple(TRANSPORTS))),
                "driver": lambda node, path: self._several(node, path, _driver),
            }
        names = {"role": "roles", "kind": "kinds", "transport": "transports", "driver": "drivers"}

        def read(node: yaml.Node, path: str) -> When:
            found: dict[str, Any] = self.section(node, path, fields)
            return When(**{names.get(key, key): value for key, value in found.items()})

        return read

    def _several(self, node: yaml.Node, path: str, read: Read) -> tuple[object, ...]:
        """One word, or a list of them."""
        import yaml

        return self.items(node, path, read) if isinstance(node, yaml.SequenceNode) else (read(node, path),)

    def _refuse_twice(self, root: yaml.Node, settings: list[Setting]) -> None:
        """Two names of one knob in one file: whichever came last would silently undo the other."""
        seen: dict[tuple[str, ...], Setting] = {}
        for setting in settings:
            other = seen.setdefault(setting.knob, setting)
            if other is not setting:
                self.add(root, setting.key, f"is the same setting as {other.key} ({other.place}): give one of the two")

    def _miss(self, node: yaml.Node, key: str, path: str, told: str) -> None:
        self.add(node, path, f"{key} is missing: {told}")


def _name_problem(section: Section, name: str) -> str:
    form, expected = _FORMS[section]
    good = name in form if isinstance(form, tuple) else bool(form.match(name))
    if not good:
        return f"expected {expected}"
    if section in (Section.ISCSI, Section.SYSCTL) and _SECRET.search(name):
        return "holds a secret, which no profile does"
    return ""


def _bound_problem(section: Section, name: str, value: Value, bound: Bound | None) -> str:
    if bound is None:
        return ""
    if section is Section.SYSCTL and name in _PAIRED:
        return "ratio and bytes are one setting and cannot be compared, so neither can be raised or lowered only"
    if section not in (Section.SYSCTL, Section.BLOCK) or any(numbers(text) is None for text in value.choices):
        return "only numbers of the kernel's can be raised or lowered only"
    return ""


def _text(section: Section, attribute: Attribute | None, name: str, node: yaml.Node) -> str:
    got = value_of(node)
    if got is None or isinstance(got, bool | float):
        raise Misread(f'expected a whole number or text, got {node.value}: quote it if text is meant: "{node.value}"')
    try:
        return texts.normal(section, attribute, name, str(got))
    except (ValueError, Unreadable) as error:
        raise Misread(str(error)) from None


def _line(node: yaml.Node, _: str) -> str:
    text = " ".join(values.text(node, "a line of text").split())
    if not text or not text.isprintable():
        raise Misread("expected a line of text")
    return text


def _yes(node: yaml.Node, _: str) -> bool:
    got = value_of(node)
    if not isinstance(got, bool):
        raise Misread("expected true or false")
    return got


def _one(kind: type[Bound] | type[Risk] | type[Attribute]) -> Read:
    words = values.one_of(tuple(member.value for member in kind))
    return lambda node, path: kind(str(words(node, path)))


def _role(node: yaml.Node, path: str) -> Role:
    return Role(str(values.one_of(ROLES)(node, path)))


def _kind(node: yaml.Node, path: str) -> BlockKind:
    return BlockKind(str(values.one_of(tuple(kind.value for kind in KINDS))(node, path)))


def _driver(node: yaml.Node, _: str) -> str:
    name = values.text(node, "a driver's name")
    if not re.match(r"[A-Za-z0-9_-]{1,64}\Z", name):
        raise Misread(f"expected a driver's name, got {name!r}")
    return name


def _profile_name(node: yaml.Node, _: str) -> str:
    name = values.text(node, "a profile's name")
    if not NAME.match(name):
        raise Misread(f"expected a profile's name, got {name!r}")
    return name


def _share_of_memory(node: yaml.Node, path: str) -> float:
    """ "10 % of memory"."""
    text = values.text(node, 'a share such as "10 % of memory"')
    share, _, rest = text.partition("%")
    if " ".join(rest.split()) != "of memory":
        raise Misread(f'expected a share such as "10 % of memory", got {text!r}')
    try:
        from sctune.config.sizes import parse_percent

        ratio = parse_percent(f"{share.strip()} %")
    except Unreadable as error:
        raise Misread(str(error)) from None
    if not 0 < ratio <= 1:
        raise Misread(f"expected more than 0 % and at most 100 %, got {text!r}")
    return ratio


def _release(node: yaml.Node, _: str) -> tuple[int, int]:
    import yaml

    text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""  # 3.10 is no number
    match = _RELEASE.match(text)
    if match is None:
        raise Misread(f"expected a kernel's release such as 3.1, got {text!r}")
    return int(match[1]), int(match[2])
