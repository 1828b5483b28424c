"""The configuration in force, as YAML that reads back as the same, and where each value is from."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import yaml

from sctune.config.describe import KEYS, size, written
from sctune.config.model import ExporterSettings, Level, Mute, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sctune.config.model import AccountLimits, Config, Quotas

Line = tuple[str, str]
"""A line of YAML, and the dotted key whose origin belongs beside it ("" where none does)."""
_COLUMN = 44


def show(config: Config, origins: Mapping[str, str] | None) -> str:
    """All that is set, defaults of thresholds too; with `origins` (dotted key -> FILE:LINE) each value says where it is from."""
    lines = [line for name in KEYS for line in _key(config, name)]
    unset = [name for name in KEYS if not any(_key(config, name))]
    text = [_told(line, key, origins) for line, key in lines]
    if unset:
        text.append(f"# not set: {', '.join(unset)}")
    return "\n".join(text) + "\n"


def _told(line: str, key: str, origins: Mapping[str, str] | None) -> str:
    if origins is None or not key:
        return line
    return f"{line:<{_COLUMN}}  # {origins.get(key, 'default')}"


def _key(config: Config, name: str) -> Iterator[Line]:
    match name:
        case "stores":
            yield from _list(name, config.stores)
        case "wanted":
            yield from _list(name, tuple(sorted(config.wanted)))
        case "quotas" if config.quotas is not None:
            yield from _quotas(config.quotas)
        case "mutes" if config.mutes:
            yield "mutes:", ""
            for place, mute in enumerate(config.mutes):
                yield from _mute(mute, place)
        case "exporter":
            yield from _exporter(config.exporter)
        case "thresholds":
            yield from _thresholds(config.thresholds)
        case "flush_speed" if config.flush_speed is not None:
            yield f"flush_speed: {size(int(config.flush_speed))}/s", name
        case "loop_limit" if config.loop_limit is not None:
            yield f"loop_limit: {config.loop_limit}", name
        case "backend" | "role" | "properties" | "openstack_volumes" if getattr(config, name) is not None:
            yield f"{name}: {_quoted(getattr(config, name))}", name


def _list(name: str, values: tuple[str, ...]) -> Iterator[Line]:
    if values:
        yield f"{name}:", ""
        yield from ((f"  - {_quoted(value)}", f"{name}[{value}]") for value in values)


def _quotas(quotas: Quotas) -> Iterator[Line]:
    yield "quotas:", ""
    for name in ("total", "snapshots_total", "volume"):
        value = getattr(quotas, name)
        if value is not None:
            yield f"  {name}: {size(value)}", f"quotas.{name}"
    if quotas.volumes:
        yield "  volumes:", ""
        for name, value in quotas.volumes.items():
            yield f"    {_quoted(name)}: {size(value)}", f"quotas.volumes.{name}"
    if quotas.accounts:
        yield "  accounts:", ""
        for name, account in quotas.accounts.items():
            yield from _account(name, account)


def _account(name: str, account: AccountLimits) -> Iterator[Line]:
    path = f"quotas.accounts.{name}"
    lines: list[Line] = []
    if account.total is not None:
        lines.append((f"      total: {size(account.total)}", f"{path}.total"))
    lines += [
        (f"      {key}: {value}", f"{path}.{key}")
        for key, value in (("volumes", account.volumes), ("snapshots", account.snapshots))
        if value is not None
    ]
    if account.owns:
        lines.append(("      owns:", ""))
        lines += [(f"        - {_quoted(one)}", f"{path}.owns[{one}]") for one in account.owns]
    yield f"    {_quoted(name)}:{'' if lines else ' {}'}", ""
    yield from lines


def _mute(mute: Mute, place: int) -> Iterator[Line]:
    lead = "  - "
    for field in dataclasses.fields(Mute):
        value = getattr(mute, field.name)
        yield f"{lead}{field.name}: {value if field.name == 'until' else _quoted(value)}", f"mutes.{place}.{field.name}"
        lead = "    "


def _exporter(settings: ExporterSettings) -> Iterator[Line]:
    if settings == ExporterSettings():
        return
    yield "exporter:", ""
    for field in dataclasses.fields(ExporterSettings):
        value, key = getattr(settings, field.name), f"exporter.{field.name}"
        if isinstance(value, tuple):
            if value:
                yield f"  {field.name}:", ""
                yield from ((f"    - {_quoted(one)}", f"{key}[{one}]") for one in value)
        elif not isinstance(value, bool | int | float):
            if value:
                yield f"  {field.name}:", ""
                yield from ((f"    {_quoted(name)}: {_plain(one)}", f"{key}.{name}") for name, one in value.items())
        else:
            yield f"  {field.name}: {_plain(value)}", key


def _plain(value: bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.15g}"


def _thresholds(thresholds: Thresholds) -> Iterator[Line]:
    yield "thresholds:", ""
    for field in dataclasses.fields(Thresholds):
        value, key = getattr(thresholds, field.name), f"thresholds.{field.name}"
        if isinstance(value, Level):
            yield f"  {field.name}:", ""
            for half in ("warning", "critical"):
                yield f"    {half}: {written(field.name, getattr(value, half))}", f"{key}.{half}"
        else:
            yield f"  {field.name}: {written(field.name, value)}", key


def _quoted(text: str) -> str:
    """Text in quotes, on one line, that YAML reads as this text and nothing else."""
    line = yaml.safe_dump(text, default_style='"', width=1 << 30, allow_unicode=text.isprintable())
    return line.rstrip("\n")
