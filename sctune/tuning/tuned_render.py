"""A profile of tuned's as a file: rendered from a template, and read back where one of ours is there. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from sctune.tuning.files import WIDTH, environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.tuning.schema import Profile
    from sctune.tuning.tuned_units import Line, Unit


def render(profile: Profile, units: Sequence[Unit]) -> bytes:
    """The content of tuned.conf."""
    # What follows a # is a comment for tuned, in the middle of a line too.
    summary = " ".join(profile.summary.split()).replace("#", "no. ")
    text = (
        environment()
        .get_template("tuned.conf.j2")
        .render(profile=profile.name, how=" --via tuned", summary=summary, units=[_unit(unit) for unit in units])
    )
    return str(text).encode()


def present(content: bytes) -> dict[str, str]:
    """key -> value of the sysctl and sysfs sections of one of ours, without signs of comparison."""
    from sctune.probes.tuned_conf import parse
    from sctune.unavailable import known

    sections = known(parse(content.decode("utf-8", "replace"), "")) or ()
    return {
        option.key: option.value.lstrip("<>")
        for section in sections
        if section.name in ("sysctl", "sysfs")
        for option in section.options
        if option.value
    }


def _unit(unit: Unit) -> dict[str, object]:
    return {
        "name": unit.name,
        "type": unit.type,
        "devices": unit.devices,
        "note": _wrapped(unit.note),
        "entries": [_entry(line, unit.lines[place - 1] if place else None) for place, line in enumerate(unit.lines)],
    }


def _entry(line: Line, before: Line | None) -> dict[str, object]:
    # Several lines of one setting are told once.
    why = [] if before is not None and before.setting == line.setting else _wrapped(f"{line.setting.key}: {line.setting.why}")
    return {"key": line.key, "value": line.value, "why": why}


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
