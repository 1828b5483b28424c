"""The list `mutes:` of the configuration: which findings somebody knows of, why, and until when.

A reason and an end are required: a mute without them outlives whoever knew what it was for.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import yaml

from sctune.config import values
from sctune.config.document import Misread, dotted, got
from sctune.config.model import Mute
from sctune.findings import Severity

if TYPE_CHECKING:
    from sctune.config.document import Read, Reader
    from sctune.findings import Code

_REQUIRED = ("code", "reason", "until")


def read_mutes(reader: Reader, node: yaml.Node, path: str) -> tuple[Mute, ...]:
    """The mutes of a list; each is a mapping."""
    if not isinstance(node, yaml.SequenceNode):
        raise Misread(f"expected a list of mutes, got {got(node)}")
    found = (_read_mute(reader, item, dotted(path, str(index))) for index, item in enumerate(node.value))
    return tuple(mute for mute in found if mute is not None)


def _read_mute(reader: Reader, node: yaml.Node, path: str) -> Mute | None:
    codes: list[Code | None] = []

    def code(inner: yaml.Node, _: str) -> str:
        codes.append(values.known_code(inner, "the code of a finding such as LOOP_LEAKED"))
        return values.text(inner, "a code")

    fields: dict[str, Read] = {
        "code": code,
        "subject": partial(_line, "the subject's name, or a pattern such as vol-*"),
        "severity": values.one_of(tuple(severity.value for severity in Severity)),
        "reason": partial(_line, "the reason, in words"),
        "until": values.day,
    }
    problems = len(reader.problems)
    found = reader.section(node, path, fields)
    if len(reader.problems) > problems:
        return None
    missing = [name for name in _REQUIRED if name not in found]
    if missing:
        reader.add(node, path, f"a mute needs {' and '.join(missing)}")
        return None
    said = {name: cast("str", value) for name, value in found.items()}
    return Mute(
        code=said["code"],
        subject=said.get("subject", "*"),
        severity=said.get("severity") or _least(codes[0]).value,
        reason=said["reason"],
        until=said["until"],
    )


def _line(expected: str, node: yaml.Node, _: str) -> str:
    line = values.text(node, expected).strip()
    if not line:
        raise Misread(f"expected {expected}, got nothing")
    return line


def _least(code: Code | None) -> Severity:
    """The severity up to which a mute holds where it names none: the least of the code's that would fail a run."""
    severities = sorted(code.severities if code else (), key=lambda one: one.rank)
    return next((one for one in severities if one is not Severity.INFO), severities[0] if severities else Severity.WARNING)
