"""Which backend an object belongs to: by its names, by the host's version file, or as the configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.cinder import CinderLvm
from sctune.backends.eucalyptus import ERA_33, EucalyptusDas, EucalyptusOverlay, era_by_names, era_of
from sctune.backends.generic import Generic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.backends.base import Backend
    from sctune.model.cloud import Cloud
    from sctune.model.lvm import LogicalVolume

GENERIC = Generic()
CINDER = CinderLvm()
NAMES = ("eucalyptus-overlay", "eucalyptus-das", "cinder-lvm", "generic")
"""What `backend:` in the configuration may say."""


def candidates(*, configured: str | None, cloud: Cloud | None, lvs: Iterable[LogicalVolume]) -> tuple[Backend, ...]:
    """The backends whose names are tried on each object of this host, most telling first; always ends with generic.

    The era is the version file's; without one, names of 3.3+ tell themselves, and where there are older names alone it is "3.2 or
    before".
    """
    if configured == "generic":
        return (GENERIC,)
    if configured == CINDER.name:
        return (CINDER, GENERIC)
    era = era_of(cloud.version) if cloud is not None else ""
    if not era:
        era = era_by_names((lv.vg, lv.name) for lv in lvs) or ERA_33
    overlay, das = EucalyptusOverlay(era=era), EucalyptusDas(era=era)
    if configured == "eucalyptus-overlay":
        return (overlay, GENERIC)
    if configured == "eucalyptus-das":
        return (das, GENERIC)
    return (overlay, das, CINDER, GENERIC)


def label(backend: Backend) -> str:
    """Name and era, as reports print it."""
    return f"{backend.name} {backend.era}".rstrip()
