"""Cinder's LVM driver on this host: what cinder.conf says of it, and the files it keeps for tgt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.model.lvm import LvmSettings
    from sctune.model.target import PersistedTarget
    from sctune.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class CinderBackend:
    """A section of cinder.conf whose volumes are LVs: `section` is its name (DEFAULT where no enabled_backends are), the rest is
    the option of that name or its default. `target_helper` is tgtadm, lioadm, nvmet, …; `volumes_dir` where tgt's files lie."""

    section: str
    volume_group: str
    lvm_type: str
    lvm_conf_file: str
    target_helper: str
    target_prefix: str
    volumes_dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFile:
    """A file of volumes_dir. `volume` is the uuid in its name, "" where it is named otherwise; `targets` what it configures."""

    path: str
    volume: str
    targets: tuple[PersistedTarget, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFolder:
    """A volumes_dir and its files; `unread` are those that could not be read."""

    path: str
    files: tuple[TargetFile, ...] | Unavailable
    unread: tuple[Unavailable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cinder:
    """`files` are the configuration's that were read; `unread` says why others were not. `backends` are those with LVM, () where
    no file could be read. `folders` are the configured volumes_dir and those of the usual places that are there.
    `lvm_configuration` is the second lvm.conf that Cinder's own LVM commands take, "" where there is none; `lvm_settings` what it
    sets (not the defaults of what it does not), None where that could not be told."""

    files: tuple[str, ...]
    unread: tuple[Unavailable, ...]
    backends: tuple[CinderBackend, ...]
    folders: tuple[TargetFolder, ...]
    lvm_configuration: str = ""
    lvm_settings: LvmSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiVolume:
    """A volume as the API has it: its uuid, and its status (available, in-use, deleting, error …)."""

    id: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiVolumes:
    """A recorded list of volumes: the file it was read from ("" where none is configured), and when that was written (seconds
    since the epoch)."""

    source: str
    recorded: float
    volumes: tuple[ApiVolume, ...]
