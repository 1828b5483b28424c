"""Which keys the configuration has, and what each may hold."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from sctune.config import values
from sctune.config.document import Misread, files_of
from sctune.config.model import AccountLimits, Config, ExporterSettings, Level, Quotas, Thresholds
from sctune.config.mutes import read_mutes

if TYPE_CHECKING:
    import yaml

    from sctune.config.document import Read, Reader

ROLES = ("storage-controller", "node-controller", "generic")
"""The words of model.report.Role."""
FACTORS = frozenset({"store_overcommit", "snapshot_headroom", "lvm_archive_files", "io_waiting"})
"""Thresholds that are multiples or counts, so may exceed 1."""


def read_config(reader: Reader, root: yaml.Node, files: tuple[str, ...]) -> Config:
    """The configuration at a document's root; problems are noted in `reader`."""

    def thresholds(node: yaml.Node, path: str) -> Thresholds:
        found: dict[str, Any] = reader.section(node, path, _threshold_fields(reader))
        return dataclasses.replace(Thresholds(), **found)

    def quotas(node: yaml.Node, path: str) -> Quotas:
        fields: dict[str, Read] = {
            "total": values.size,
            "snapshots_total": values.size,
            "volume": values.size,
            "volumes": lambda inner, where: reader.table(inner, where, values.size),
            "accounts": lambda inner, where: _accounts(reader, inner, where),
        }
        found: dict[str, Any] = reader.section(node, path, fields)
        return Quotas(source=", ".join(files_of(node)), **found)

    found: dict[str, Any] = reader.section(
        root,
        "",
        {
            "thresholds": thresholds,
            "quotas": quotas,
            "stores": lambda node, path: reader.items(node, path, values.absolute_path),
            "backend": values.backend,
            "role": values.one_of(ROLES),
            "loop_limit": values.count,
            "flush_speed": values.rate,
            "wanted": lambda node, path: frozenset(reader.items(node, path, values.advice_code)),
            "properties": values.path_or_ask,
            "openstack_volumes": values.absolute_path,
            "mutes": lambda node, path: read_mutes(reader, node, path),
            "exporter": lambda node, path: _exporter(reader, node, path),
        },
    )
    return Config(files=files, **found)


def _exporter(reader: Reader, node: yaml.Node, path: str) -> ExporterSettings:
    """The exporter's section. Which collectors there are is not known here: the exporter refuses a name that is none."""

    def switches(inner: yaml.Node, where: str) -> dict[str, object]:
        return reader.table(inner, where, values.yes_or_no)

    def patterns(inner: yaml.Node, where: str) -> tuple[object, ...]:
        return reader.items(inner, where, values.pattern)

    fields: dict[str, Read] = {
        "collectors": switches,
        "detail": values.yes_or_no,
        "detail_of": switches,
        **{f"{what}_{how}": patterns for what in ("volumes", "devices", "groups") for how in ("include", "exclude")},
        "limits": lambda inner, where: reader.table(inner, where, values.count),
        "deadline_seconds": values.some_seconds,
        "interval_seconds": values.seconds,
        "own_process": values.yes_or_no,
    }
    found: dict[str, Any] = reader.section(node, path, fields)
    return ExporterSettings(**found)


def _accounts(reader: Reader, node: yaml.Node, path: str) -> dict[str, AccountLimits]:
    """The accounts by name. Raises Misread where two own the same thing."""
    fields: dict[str, Read] = {
        "total": values.size,
        "volumes": values.count,
        "snapshots": values.count,
        "owns": lambda inner, where: reader.items(inner, where, values.cloud_id),
    }

    def account(inner: yaml.Node, where: str) -> AccountLimits:
        found: dict[str, Any] = reader.section(inner, where, fields)
        return AccountLimits(**found)

    made: dict[str, Any] = reader.table(node, path, account)
    owners: dict[str, str] = {}
    for name, one in made.items():
        for owned in one.owns:
            other = owners.setdefault(owned.lower(), name)
            if other != name:
                raise Misread(f"{owned} is owned by both {other} and {name}")
    return made


def unit_of(threshold: str) -> str:
    """What a threshold is measured in, by its name: "seconds", "bytes", "factor" or "ratio"."""
    if threshold.endswith("_seconds"):
        return "seconds"
    if threshold.endswith("_bytes"):
        return "bytes"
    return "factor" if threshold in FACTORS else "ratio"


_READ: dict[str, Read] = {
    "seconds": values.seconds,
    "bytes": values.size_in_bytes,
    "factor": values.factor,
    "ratio": values.ratio,
}


def _threshold_fields(reader: Reader) -> dict[str, Read]:
    """How each threshold is read: its unit is in its name, and a pair of thresholds is a Level."""
    defaults = Thresholds()
    fields: dict[str, Read] = {}
    for field in dataclasses.fields(Thresholds):
        default = getattr(defaults, field.name)
        read = _READ[unit_of(field.name)]
        fields[field.name] = _level(reader, default, read) if isinstance(default, Level) else read
    return fields


def _level(reader: Reader, default: Level, unit: Read) -> Read:
    def read(node: yaml.Node, path: str) -> Level:
        found: dict[str, Any] = reader.section(node, path, {"warning": unit, "critical": unit})
        level = dataclasses.replace(default, **found)
        if level.warning > level.critical:
            raise Misread(f"warning ({level.warning:g}) is above critical ({level.critical:g})")
        return level

    return read
