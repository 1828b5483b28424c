"""Finds profiles, joins one with what it includes, and takes what --set says.

Profiles come with the package; a site's own lie in /etc/sctune/profiles.d, a file NAME.yaml each, and take no name that is taken.
"""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.records import dataclass, replace
from sctune.sysctl import knob_of
from sctune.tuning.profile import HINT, NAME, read
from sctune.tuning.schema import PATHS, Profile, Section, Setting, Value, key_of
from sctune.tuning.value import normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SITE_FOLDER = "/etc/sctune/profiles.d"
LEAVE = "leave"
"""--set KEY=leave: this setting is left alone."""
FLUSH_SPEED = "flush_speed"
"""--set flush_speed=SPEED: no setting, but what sizes are made of."""
MEASURED = "measured:"
"""--set flush_speed=measured:FOLDER: the same, found out first."""
PATHS_OF_HOST = "paths"
"""--set paths=any: how many paths disks have does not matter; one and several say it for the profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All profiles by name, each alone, and the files that are none, with why (FILE:LINE: what is wrong, a line each)."""

    profiles: Mapping[str, Profile]
    broken: Mapping[str, str]


def catalogue(site_folder: str | None = None) -> Catalogue:
    """Reads every profile. Raises nothing: a broken one is among the broken."""
    profiles: dict[str, Profile] = {}
    broken: dict[str, str] = {}
    for path, data, problem in (*_built_in(), *_site(site_folder or SITE_FOLDER)):
        name = os.path.basename(path).rpartition(".")[0]
        try:
            if data is None:
                raise UserError(problem)
            if not NAME.match(name):
                raise UserError(f"{path}: a profile's name is of small letters, digits and dashes")
            if name in profiles:
                raise UserError(f"{path}: the name {name} is taken by {profiles[name].file}: choose another, and include that one")
            profiles[name] = read(data, path, name)
        except UserError as error:
            broken[path] = error.message
    return Catalogue(profiles=profiles, broken=broken)


def catalogue_of(name: str) -> Catalogue:
    """What `joined` needs for one profile: one of the package and what that includes, which takes a seventh of the time; for any
    other name every profile."""
    import sctune.profiles as package

    (folder,) = package.__path__
    profiles: dict[str, Profile] = {}
    wanted = [name]
    while wanted:
        one = wanted.pop()
        path = f"{folder}/{one}.yaml"
        if not NAME.match(one) or not os.path.isfile(path):
            return catalogue()
        with open(path, "rb") as file:
            profiles[one] = read(file.read(), path, one)
        wanted += [included for included in profiles[one].includes if included not in profiles]
    return Catalogue(profiles=profiles, broken={})


def _built_in() -> Iterable[tuple[str, bytes | None, str]]:
    import sctune.profiles as package

    (folder,) = package.__path__
    for name in sorted(os.listdir(folder)):
        if name.endswith(".yaml"):
            with open(f"{folder}/{name}", "rb") as file:
                yield f"{folder}/{name}", file.read(), ""


def _site(folder: str) -> Iterable[tuple[str, bytes | None, str]]:
    from sctune.config.load import read_file, refuse_writable

    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith((".yaml", ".yml")) and name[0] != ".")
        status = os.stat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield folder, None, f"{folder}: cannot be read: {error.strerror}"
        return
    for name in names:
        path = f"{folder}/{name}"
        try:
            refuse_writable(folder, status)
            yield path, read_file(path, optional=False), ""
        except UserError as error:
            yield path, None, error.message


def joined(name: str, found: Catalogue) -> Profile:
    """A profile with the settings of all that it includes; of two for one thing the later counts, its own last of all.
    Raises UserError for an unknown or broken profile, and for one that includes itself in the end."""
    settings = _settings(name, found, (), "")
    profile = found.profiles[name]
    return replace(profile, settings=tuple(settings.values()), paths=profile.paths or _paths(profile, found))


def _settings(name: str, found: Catalogue, path: Sequence[str], asked_by: str) -> dict[tuple[str, ...], Setting]:
    """The settings by their knobs."""
    profile = found.profiles.get(name)
    if profile is None:
        raise _unknown(name, found, asked_by)
    if name in path:
        raise UserError(f"{profile.file}: includes itself: {' -> '.join((*path, name))}", HINT)
    settings: dict[tuple[str, ...], Setting] = {}
    for included in profile.includes:
        for knob, setting in _settings(included, found, (*path, name), profile.file).items():
            settings.pop(knob, None)  # so that the order is the order in which they count
            settings[knob] = setting
    for key in profile.removes:
        removed = [knob for knob, setting in settings.items() if setting.key == key]
        if not removed:
            raise UserError(f"{profile.file}: remove: nothing that is included sets {key}", HINT)
        del settings[removed[0]]
    settings.update({setting.knob: setting for setting in profile.settings})
    return settings


def _paths(profile: Profile, found: Catalogue) -> str | None:
    inner = [found.profiles[name] for name in profile.includes]
    return next((told for one in reversed(inner) if (told := one.paths or _paths(one, found))), None)


def _unknown(name: str, found: Catalogue, asked_by: str) -> UserError:
    lead = f"{asked_by}: include: " if asked_by else ""
    for path, why in found.broken.items():
        if os.path.basename(path).rpartition(".")[0] == name:
            return UserError(f"{lead}the profile {name} cannot be used:\n{why}" if lead else why, HINT)
    near = difflib.get_close_matches(name, found.profiles, n=1)
    hint = f"did you mean {near[0]}?" if near else "`sctune profiles` lists all"
    return UserError(f"{lead}there is no profile {name!r}", hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """A profile after --set: the keys that were set, and the flush speed that was declared there, None for none."""

    profile: Profile
    keys: frozenset[str]
    flush_speed: float | None


def override(profile: Profile, given: Sequence[str]) -> Overridden:
    """What --set KEY=VALUE changes, the last of a key counting. Raises UserError for what the profile does not set, or a value
    that the setting cannot have."""
    settings = {setting.key: setting for setting in profile.settings}
    keys: dict[str, str] = {}
    flush_speed: float | None = None
    for text in given:
        key, equals, value = text.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key:
            raise UserError(f"--set {text}: expected KEY=VALUE", "such as --set vm.dirty_ratio=20")
        if key == FLUSH_SPEED:
            if value.startswith(MEASURED):
                raise UserError(f"--set {text}: only apply-profile measures", f"Give a number: {FLUSH_SPEED}=400MiB/s")
            flush_speed = _speed(value)
            continue
        if key == PATHS_OF_HOST:
            if value not in (*PATHS, "any"):
                raise UserError(f"--set {key}={value}: expected one of {', '.join((*PATHS, 'any'))}")
            profile = replace(profile, paths=None if value == "any" else value)
            continue
        old = settings.get(key) or settings.get(key_of(Section.ISCSI, key)) or _other_name(key, settings)
        if old is None:
            near = difflib.get_close_matches(key, [*settings, FLUSH_SPEED], n=1)
            raise UserError(
                f"--set {key}: the profile {profile.name} has no such setting",
                f"did you mean {near[0]}?" if near else f"it sets {', '.join(settings)}",
            )
        keys.pop(old.key, None)
        if value == LEAVE:
            del settings[old.key]
            continue
        new = _changed(old, key, value)
        # In its place, which is the order in which settings are made.
        settings = {new.key if name == old.key else name: new if name == old.key else one for name, one in settings.items()}
        keys[new.key] = value
    return Overridden(profile=replace(profile, settings=tuple(settings.values())), keys=frozenset(keys), flush_speed=flush_speed)


def _other_name(key: str, settings: Mapping[str, Setting]) -> Setting | None:
    """The setting of the same knob: vm.dirty_ratio takes the place of vm.dirty_bytes."""
    return next((settings[name] for name in knob_of(key) if name in settings), None)


def _changed(old: Setting, key: str, value: str) -> Setting:
    name = key if old.section is Section.SYSCTL else old.name
    try:
        text = normal(old.section, old.attribute, name, value)
    except ValueError as error:
        raise UserError(f"--set {key}={value}: {error}") from None
    # What is asked for by hand is meant as it stands: a bound would make it a wish, and opting in is what this is.
    return replace(old, name=name, value=Value(choices=(text,)), bound=None, opt_in=False, place="--set")


def _speed(value: str) -> float:
    from sctune.config.sizes import Unreadable, parse_rate

    try:
        return parse_rate(value)
    except Unreadable as error:
        raise UserError(f"--set {FLUSH_SPEED}={value}: {error}") from None
