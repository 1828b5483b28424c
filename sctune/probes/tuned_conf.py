"""tuned.conf: one profile's file, and how those that include each other become one.

Sources: tuned.conf(5); tuned's profiles/loader.py, merger.py, unit.py, variables.py (2.20, 2.28).
"""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING

from sctune.model.tuned import TunedOption, TunedUnit
from sctune.records import dataclass, replace
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_TRUE = ("True", "true", "1")
_SEPARATOR = re.compile(r"\s*[,;]\s*")
_VARIABLE = re.compile(r"(?<!\\)\$\{(\w+)\}")
MACHINES = ("x86_64", "aarch64", "ppc64le", "s390x")
# What makes a unit one for some machines or devices only.
_CONDITIONS = ("devices_udev_regex", "cpuinfo_regex", "uname_regex")
_OF_UNIT = ("type", "enabled", "replace", "drop", "devices", "priority", "script_pre", "script_post", *_CONDITIONS)


class _Parser(configparser.ConfigParser):
    """Keeps the names of options as they are written."""

    def optionxform(self, optionstr: str) -> str:
        """The name itself."""
        return optionstr


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a file as it stands there."""

    name: str
    options: tuple[TunedOption, ...]

    def get(self, key: str) -> str:
        """The text of an option, "" where it is not given."""
        return next((option.value or "" for option in self.options if option.key == key), "")


def parse(text: str, file: str) -> tuple[Section, ...] | Unavailable:
    """The sections of a tuned.conf. tuned reads it by Python's configparser; of two options of one name the last counts."""
    parser = _Parser(delimiters=("=",), inline_comment_prefixes=("#",), strict=False, interpolation=None, default_section="\0")
    try:
        parser.read_string(text, file)
    except (configparser.Error, ValueError) as error:
        return Unavailable(reason=Reason.MALFORMED, what=file, detail=str(error).partition("\n")[0][:100])
    return tuple(
        Section(name=name, options=tuple(TunedOption(key=key, value=value, file=file) for key, value in parser.items(name)))
        for name in parser.sections()
    )


def includes(sections: Iterable[Section]) -> tuple[str, ...]:
    """The profiles that [main] includes, in order; a name that begins with `-` may be missing."""
    text = next((section.get("include") for section in sections if section.name == "main"), "")
    return tuple(name for name in _SEPARATOR.split(text.strip()) if name)


def merge(files: Iterable[Sequence[Section]], machine: str = "") -> tuple[TunedUnit, ...]:
    """The units of the files together, what is included first: later options win; a section may replace an earlier one, or drop
    options of it. Disabled ones are left out, and those for another processor than `machine` (uname -m, "" where that is not
    known); variables are filled in."""
    merged: dict[str, Section] = {}
    for sections in files:
        for section in sections:
            before = merged.get(section.name)
            if before is None or section.get("replace") in _TRUE:
                merged[section.name] = section
            else:
                merged[section.name] = _updated(before, section)
    merged.pop("main", None)
    variables = _variables(merged.pop("variables", None))
    ordered = sorted(merged.values(), key=_priority)
    return tuple(
        _unit(section, variables, machine)
        for section in ordered
        if section.get("enabled") in ("", *_TRUE) and not _is_for_another(section, machine)
    )


def _is_for_another(section: Section, machine: str) -> bool:
    """Whether a section is for another processor. Of regular expressions over uname only the plain name of one is judged."""
    name = section.get("uname_regex")
    return bool(machine) and name in MACHINES and name != machine


def _updated(before: Section, section: Section) -> Section:
    dropped = set(_SEPARATOR.split(section.get("drop")))
    # What a unit is for is said anew by each file that has the section, by saying nothing too.
    kept = {option.key: option for option in before.options if option.key not in {*dropped, "type", "enabled", "devices"}}
    return replace(section, options=tuple({**kept, **{option.key: option for option in section.options}}.values()))


def _priority(section: Section) -> int:
    text = section.get("priority").strip()
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,9}", text) else 0


def _unit(section: Section, variables: Mapping[str, str | None], machine: str) -> TunedUnit:
    devices = expand(section.get("devices"), variables)
    return TunedUnit(
        name=section.name,
        type=section.get("type") or section.name,
        devices="" if devices in (None, "*") else devices or "",
        conditional=devices is None
        or any(section.get(name) for name in _CONDITIONS if not (name == "uname_regex" and section.get(name) == machine)),
        options=tuple(
            replace(option, value=expand(option.value, variables)) for option in section.options if option.key not in _OF_UNIT
        ),
    )


def _variables(section: Section | None) -> Mapping[str, str | None]:
    """The variables that are given as they are. Where a file of variables is included, it may say anything."""
    found: dict[str, str | None] = {}
    if section is None or section.get("include"):
        return found
    for option in section.options:
        found[option.key] = expand(option.value, found)
    return found


def expand(value: str | None, variables: Mapping[str, str | None]) -> str | None:
    """A value with its variables filled in and without quotes; None where it holds one that is not known, or a function."""
    text = "" if value is None else value.strip()
    for name in _VARIABLE.findall(text):
        known = variables.get(name)
        if known is None:
            return None
        text = text.replace("${" + name + "}", known)
    if "${" in text:
        return None
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text
