"""The files that keep settings over a restart, rendered from templates. Pure.

udev's rules are by kind of device, never by name, so that a device that comes later or under another name has them too.
"""

from __future__ import annotations

import textwrap
from functools import cache
from typing import TYPE_CHECKING, Any

from sctune.records import dataclass
from sctune.tuning.numbers import above, below
from sctune.tuning.paths import modprobe_path, sysctl_path, tmpfiles_path, udev_path
from sctune.tuning.schema import Attribute, Bound, Section
from sctune.tuning.select import udev_matches
from sctune.tuning.value import readings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sctune.tuning.schema import Profile, Setting

WIDTH = 110
"""Columns of a comment in a file."""
_TEMPLATES = {
    sysctl_path: "sysctl.conf.j2",
    udev_path: "udev.rules.j2",
    tmpfiles_path: "tmpfiles.conf.j2",
    modprobe_path: "modprobe.conf.j2",
}
PLACES = {
    Section.SYSCTL: sysctl_path,
    Section.BLOCK: udev_path,
    Section.SYSTEM: tmpfiles_path,
    Section.MODULE: modprobe_path,
}
"""Which section's settings are kept where. Nothing keeps the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A setting that a file keeps: its values, the best first, and for `system` the path (with patterns) that is written."""

    setting: Setting
    values: tuple[str, ...]
    path: str = ""


def render(profile: Profile, kept: Sequence[Kept]) -> Mapping[str, bytes | None]:
    """path -> content of each file; None for one that nothing needs."""
    found: dict[str, bytes | None] = {}
    templates: Any = None
    for place, template in _TEMPLATES.items():
        entries = [_entry(one) for one in kept if PLACES[one.setting.section] is place]
        if not entries:
            found[place(profile.name)] = None
            continue
        templates = templates or environment()
        text = templates.get_template(template).render(profile=profile.name, entries=entries)
        found[place(profile.name)] = text.encode()
    return found


def assignments(content: bytes) -> dict[str, str]:
    """key -> value of a sysctl.d file of ours."""
    from sctune.probes.sysctl import parse

    return {line.key: line.value for line in parse(content.decode("utf-8", "replace"), "") if line.value is not None}


@cache
def environment() -> Any:
    """The templates: compiled once, though a plan is made before applying and after it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(  # no HTML: configuration files
        loader=PackageLoader("sctune.tuning", "templates"),
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _entry(kept: Kept) -> dict[str, object]:
    setting = kept.setting
    why = setting.why.replace("\\", "/")  # at the end of a line it would join the next to the comment
    # An option of the module is one word, and so are the values of the rest but a sysctl's: the schema sees to that.
    return {
        "key": setting.key,
        "name": setting.name,
        "module": setting.name.partition(".")[0],
        "parameter": setting.name.partition(".")[2],
        "value": kept.values[0],
        "path": kept.path,
        "why": textwrap.wrap(f"{setting.key}: {why}", WIDTH, break_long_words=False, break_on_hyphens=False),
        "rules": [", ".join(rule) for rule in _rules(setting, kept.values)] if setting.section is Section.BLOCK else [],
    }


def _rules(setting: Setting, values: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Each rule as its parts. A rule matches the devices that the setting is for and that are not as it wants them."""
    head = ['ACTION=="add|change"', 'SUBSYSTEM=="block"', 'ENV{DEVTYPE}=="disk"']
    head += [f'{key}=="{value}"' for key, value in udev_matches(setting.when)]
    attribute = f"queue/{setting.attribute}"
    assign = f'ATTR{{{attribute}}}="{values[0]}"'
    if setting.attribute is Attribute.SCHEDULER:
        return [(*head, *parts) for parts in _schedulers(attribute, values)]
    compare: list[str] = []
    if setting.bound is not None:
        pattern = below(int(values[0])) if setting.bound is Bound.RAISE else above(int(values[0]))
        compare = [f'ATTR{{{attribute}}}=="{pattern}"']
    else:
        same = "|".join((values[0], *readings(setting.attribute or Attribute.NR_REQUESTS, values[0])))
        compare = [f'ATTR{{{attribute}}}=="?*"', f'ATTR{{{attribute}}}!="{same}"']
    if setting.attribute is not Attribute.MAX_SECTORS_KB:
        return [(*head, *compare, assign)]
    most = "queue/max_hw_sectors_kb"
    less = f'ATTR{{{most}}}=="{below(int(values[0]))}"'
    return [
        (*head, *compare, less, f'ATTR{{{attribute}}}="$attr{{{most}}}"'),
        (*head, *compare, less.replace("==", "!="), assign),
    ]


def _schedulers(attribute: str, values: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The first that the device's kernel offers: `none mq-deadline [bfq]`. mq-deadline holds deadline too, hence whole words."""
    found = []
    for place, value in enumerate(values):
        parts = [f'ATTR{{{attribute}}}!="{_word(before)}|*[[]{before}]*"' for before in values[:place]]
        found.append((*parts, f'ATTR{{{attribute}}}=="{_word(value)}"', f'ATTR{{{attribute}}}="{value}"'))
    return found


def _word(value: str) -> str:
    """A pattern for one of the words that are offered. Where it is in brackets there is nothing to do, so these do not match."""
    return f"{value} *|* {value}|* {value} *"
