"""The profiles for people and for programs."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from sctune.model.units import size_words
from sctune.report.layout import Page
from sctune.report.sanitize import clean
from sctune.tuning.schema import Risk, Section

if TYPE_CHECKING:
    from sctune.report.layout import Style
    from sctune.tuning.load import Catalogue
    from sctune.tuning.schema import Profile, Setting, Value, When


def all_text(found: Catalogue, style: Style) -> str:
    """A line or two for each."""
    page = Page(style=style)
    width = max((len(name) for name in found.profiles), default=0)
    for name, profile in sorted(found.profiles.items()):
        included = f" (includes {', '.join(profile.includes)})" if profile.includes else ""
        page.add(f"{' ' * (width - len(name) + 2)}{clean(profile.summary)}{included}", lead=name, sgr="1", hang=width + 2)
    for why in found.broken.values():
        for line in why.split("\n"):
            page.add(clean(line), lead="cannot be used: ", sgr="1;31", hang=4)
    return page.text()


def one_text(profile: Profile, style: Style) -> str:
    """Every setting with why and by whose word."""
    page = Page(style=style)
    page.add(f": {clean(profile.summary)}", lead=profile.name, sgr="1", hang=2)
    page.add(profile.file, indent=2)
    for setting in profile.settings:
        page.blank()
        page.add(f" = {words(setting)}", lead=setting.key, sgr="1", hang=4)
        told = _when(setting.when)
        if told:
            page.add(f"for {told}", indent=2, hang=4)
        if setting.opt_in:
            page.add(f"only with --set {setting.key}={value_words(setting.value)}", indent=2, hang=4)
        page.add(clean(setting.why), indent=2)
        page.add(f"Source: {clean(setting.source)}", indent=2, hang=4)
    return page.text()


def words(setting: Setting) -> str:
    """What a setting is to be."""
    bound = {"raise": " (only ever raised)", "lower": " (only ever lowered)"}.get(setting.bound or "", "")
    unit = " KiB" if setting.attribute is not None and setting.attribute.endswith("_kb") else ""
    risk = ", which disturbs service" if setting.risk is Risk.DISRUPTIVE else ""
    what = f"{setting.attribute} " if setting.section is Section.BLOCK else ""
    return f"{what}{value_words(setting.value)}{unit}{bound}{risk}"


def value_words(value: Value) -> str:
    """A value as a person says it."""
    if value.choices:
        return " or ".join(value.choices)
    parts = []
    if value.flush_seconds is not None:
        parts.append(f"what is written in {value.flush_seconds:g} s at the declared flush speed")
    if value.otherwise is not None:
        parts.append(size_words(value.otherwise) + (" where none is declared" if parts else ""))
    if value.at_most is not None:
        parts.append(f"at most {value.at_most * 100:g} % of memory")
    return ", ".join(parts)


def _when(when: When) -> str:
    parts = [" or ".join(when.kinds) + " devices" if when.kinds else ""]
    parts += [{True: "that rotate", False: "that do not rotate", None: ""}[when.rotational]]
    parts += [f"by {' or '.join(when.transports)}" if when.transports else ""]
    parts += [f"with the driver {' or '.join(when.drivers)}" if when.drivers else ""]
    parts += [f"on a {' or '.join(when.roles)}" if when.roles else ""]
    parts += [f"from {size_words(when.memory_from)} of memory on" if when.memory_from is not None else ""]
    parts += [f"below {size_words(when.memory_below)} of memory" if when.memory_below is not None else ""]
    parts += ["Linux {}.{} and later".format(*when.kernel_from) if when.kernel_from is not None else ""]
    parts += ["Linux before {}.{}".format(*when.kernel_before) if when.kernel_before is not None else ""]
    return ", ".join(part for part in parts if part)


def all_json(found: Catalogue) -> str:
    """A list, and what is broken."""
    document = {
        "schema": 1,
        "profiles": [_head(profile) for _, profile in sorted(found.profiles.items())],
        "broken": [{"file": path, "problems": why.split("\n")} for path, why in found.broken.items()],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def one_json(profile: Profile) -> str:
    """One, with the settings of what it includes."""
    document = {"schema": 1, **_head(profile), "settings": [_setting(setting) for setting in profile.settings]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _head(profile: Profile) -> dict[str, object]:
    return {
        "name": profile.name,
        "summary": profile.summary,
        "file": profile.file,
        "includes": list(profile.includes),
        "paths": profile.paths,
    }


def _setting(setting: Setting) -> dict[str, object]:
    return {
        "key": setting.key,
        "attribute": setting.attribute,
        "value": {key: item for key, item in dataclasses.asdict(setting.value).items() if item not in (None, ())},
        "only": setting.bound,
        "when": {key: item for key, item in dataclasses.asdict(setting.when).items() if item not in (None, ())},
        "opt_in": setting.opt_in,
        "risk": setting.risk,
        "why": setting.why,
        "source": setting.source,
        "profile": setting.profile,
        "place": setting.place,
    }
