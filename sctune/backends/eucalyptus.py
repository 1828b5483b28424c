"""Eucalyptus' storage back ends: overlay (a sparse file and a VG a volume) and DAS (LVs in one VG).

Names and life cycles are read from the sources of the releases named: OverlayManager.java, DASManager.java, ISCSIManager.java
of eucalyptus/eucalyptus 3.1.2, 3.2.2, 3.3.2, 3.4.2, 4.0.2 … 4.4.2.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.backends.base import FileName, FileRole, FileSizes, LvName
from sctune.model.units import GIB, MIB
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LOOP_DEVICES = 256
"""OverlayManager.MAX_LOOP_DEVICES, and the number of nodes create-loop-devices makes (CREATE_SC_LOOP_DEVICES)."""

LVM_HEADER_LENGTH = 4 * MIB
"""OverlayManager.LVM_HEADER_LENGTH: what the file of a volume has more than the volume, for the PV's label and metadata."""

_OVERLAY_SIZES = FileSizes(unit=GIB, volume_extra=LVM_HEADER_LENGTH)
# Volumes are LVs of whole GiB; a snapshot is copied to a file as on an overlay host.
_DAS_SIZES = FileSizes(unit=GIB, volume_extra=None)
_RESTRICTED_OPERATIONS = 2  # SystemUtil.java: system.exec.max_restricted_concurrent_ops

_ID = r"(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{17})"
_VOLUME = re.compile(rf"(vol-{_ID})\Z")
_SNAPSHOT = re.compile(rf"(snap-{_ID})\Z")
# The id and 8 random characters (Crypto.getRandom(6)): 16 or 25 in all, so never mistaken for a 17-digit id.
_COW_STORE = re.compile(rf"(vol-{_ID})[A-Za-z0-9_-]{{8}}\Z")
_LV = re.compile(rf"euca-((?:vol|snap)-{_ID})\Z")
_OVERLAY_VG = re.compile(rf"euca-ebs-storage-vg-(vol-{_ID})\Z")
_OLD_VG = re.compile(r"vg-[A-Za-z0-9_-]{6}\.\.\Z")
_OLD_LV = re.compile(r"lv-(snap-)?[A-Za-z0-9_-]{6}\.\.\Z")
_VERSION = re.compile(r"(?:eee-)?(\d{1,4})\.(\d{1,4})(?!\d)", re.ASCII)
_TARGET_PREFIX = "iqn.2009-06.com.eucalyptus."

ERA_31 = "<=3.1"
ERA_32 = "3.2"
ERA_33 = "3.3+"
ERA_OLD = "<=3.2"
"""Old names and no version file: 3.1 and 3.2 cannot be told apart."""


def era_of(version: str) -> str:
    """The rule set of a version such as "4.4.2", or "eee-2.0.1" of the enterprise edition; "" where the text is no version."""
    match = _VERSION.match(version)
    if match is None:
        return ""
    release = (int(match[1]), int(match[2]))
    if release >= (3, 3):
        return ERA_33
    return ERA_32 if release == (3, 2) else ERA_31


@dataclass(frozen=True, slots=True, kw_only=True)
class _Eucalyptus:
    """What both back ends have in common: `era`, file names and targets."""

    era: str

    @property
    def persists_targets(self) -> bool:
        """Targets are made by bare tgtadm and exported again only when the storage controller itself starts."""
        return False

    @property
    def snapshots_pass(self) -> bool:
        """createSnapshot removes the COW snapshot, and what its store lies on, as soon as its copy has ended; all versions do."""
        return True

    @property
    def copies_at_once(self) -> int | None:
        """3.3 and later: two, and every other waits for one of them to end, its COW snapshot already made."""
        return _RESTRICTED_OPERATIONS if self.era == ERA_33 else None

    @property
    def demands_chap(self) -> bool:
        """The account `eucalyptus` is bound before initiators are; connection strings carry its secret since 3.1 at least."""
        return True

    def file_name(self, name: str) -> FileName:
        """A name in the volumes folder; of DAS only finished or growing snapshots lie there."""
        return read_file_name(name)

    def is_target(self, iqn: str) -> bool:
        """`<storeprefix><partition>:store<N>`."""
        return iqn.startswith(_TARGET_PREFIX)

    def target_volume(self, iqn: str) -> str:
        """Its number is that of the target, and tells no volume."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EucalyptusOverlay(_Eucalyptus):
    """A sparse file of N GiB + 4 MiB, a loop device, a VG and an LV for each volume."""

    @property
    def name(self) -> str:
        """Its name in the configuration and in reports."""
        return "eucalyptus-overlay"

    @property
    def loop_policy_limit(self) -> int | None:
        """The storage controller gives up finding a free loop device after 256."""
        return MAX_LOOP_DEVICES

    @property
    def loops_at_rest(self) -> bool:
        """Up to 3.1 every volume keeps its loop device; from 3.2 on only while exported or copied."""
        return self.era in (ERA_31, ERA_OLD)

    @property
    def shared_group(self) -> bool:
        """Each volume has a VG of its own."""
        return False

    @property
    def always_attached(self) -> bool:
        """Up to 3.1 (createVolume attaches, reload at the storage controller's start attaches all); of 3.1 or 3.2 nobody knows."""
        return self.era == ERA_31

    @property
    def file_sizes(self) -> FileSizes | None:
        """Volumes N GiB + 4 MiB, snapshots N GiB, COW stores N/2 GiB; the same in all versions (2.0 to 4.4)."""
        return _OVERLAY_SIZES

    def lv_name(self, vg: str, lv: str, tags: tuple[str, ...]) -> LvName:
        """3.3+ names carry the id; before, names are random and only the loop device tells the volume."""
        new = _LV.match(lv)
        if new is not None and _OVERLAY_VG.match(vg):
            return _named(new[1], vg)
        old = _OLD_LV.match(lv)
        if old is not None and _OLD_VG.match(vg):
            return LvName(ours=True, is_snapshot=old[1] is not None)
        return LvName(ours=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EucalyptusDas(_Eucalyptus):
    """LVs in one VG on a disk; no loop devices at all."""

    @property
    def name(self) -> str:
        """Its name in the configuration and in reports."""
        return "eucalyptus-das"

    @property
    def loop_policy_limit(self) -> int | None:
        """It uses none."""
        return None

    @property
    def loops_at_rest(self) -> bool:
        """It uses none."""
        return False

    @property
    def shared_group(self) -> bool:
        """All volumes are in one VG (DASManager.java: createVolume never deactivates)."""
        return True

    @property
    def always_attached(self) -> bool:
        """It uses none."""
        return False

    @property
    def file_sizes(self) -> FileSizes | None:
        """Snapshots N GiB; volumes are no files."""
        return _DAS_SIZES

    def lv_name(self, vg: str, lv: str, tags: tuple[str, ...]) -> LvName:
        """3.3+: euca-vol-…. Before (3.2): lv-…, and nothing on the host tells the volume. The VG may have any name but an overlay
        volume's: one that was there before, or `vg-` and 16 characters."""
        new = _LV.match(lv)
        if new is not None and not _OVERLAY_VG.match(vg):
            return _named(new[1], "")
        old = _OLD_LV.match(lv)
        if old is not None and not _OLD_VG.match(vg):
            return LvName(ours=True, is_snapshot=old[1] is not None)
        return LvName(ours=False)


def era_by_names(names: Iterable[tuple[str, str]]) -> str:
    """The rule set that (VG, LV) names of a host tell, "" where none is of Eucalyptus. The newer ones rule: 3.3 and later keep the
    names that volumes were given before an upgrade, and no older version gives the new ones."""
    found = ""
    for vg, lv in names:
        if _LV.match(lv):
            return ERA_33
        if lv.startswith("lv-") and _OLD_LV.match(lv) and vg:
            found = ERA_OLD
    return found


def read_file_name(name: str) -> FileName:
    """The names both back ends give to files."""
    for pattern, role in ((_VOLUME, FileRole.VOLUME), (_SNAPSHOT, FileRole.SNAPSHOT), (_COW_STORE, FileRole.COW_STORE)):
        match = pattern.match(name)
        if match is not None:
            return FileName(role=role, id=match[1])
    return FileName(role=FileRole.OTHER, id="")


def _named(name: str, vg: str) -> LvName:
    if name.startswith("snap-"):
        owner = _OVERLAY_VG.match(vg) if vg else None
        return LvName(ours=True, volume=owner[1] if owner else "", snapshot=name, is_snapshot=True)
    return LvName(ours=True, volume=name)
