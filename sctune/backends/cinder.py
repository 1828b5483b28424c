"""Cinder's LVM driver: volumes are LVs of one VG, thick or in one thin pool, served by tgt or LIO.

Names and life cycle are read from the sources: cinder volume/drivers/lvm.py (volumes, snapshots, clones), brick/local_dev/lvm.py
(the pool), volume/targets/{iscsi,tgt,lio}.py (targets), volume/manager.py (when they are made and taken away).
"""

from __future__ import annotations

import re

from sctune.backends.base import LvName
from sctune.backends.generic import Generic
from sctune.records import dataclass

NAME = "cinder-lvm"
PREFIX = "iqn.2010-10.org.openstack:"
"""`target_prefix` unless cinder.conf has another."""

_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_VOLUME = re.compile(rf"volume-({_UUID})\Z")
# LVM keeps names that begin with "snapshot" for itself.
_SNAPSHOT = re.compile(rf"_snapshot-({_UUID})\Z")
# What is copied while a volume is cloned or backed up; taken away right after.
_PASSING = re.compile(rf"(?:clone|tmp)-snap-{_UUID}\Z")
_TARGET = re.compile(rf"iqn\.\d{{4}}-\d{{2}}\.[^:\s]{{1,200}}:volume-({_UUID})\Z", re.ASCII)


def volume_of(name: str) -> str:
    """The uuid in a volume's name (of its LV, or of its file in volumes_dir), "" where it is none."""
    match = _VOLUME.match(name)
    return match[1] if match is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CinderLvm(Generic):
    """LVs named for volumes and snapshots, in whatever VG cinder.conf says. It keeps no files and has no loop devices of its own,
    users keep snapshots as long as they like, and its targets last (volumes_dir for tgt, saveconfig.json for LIO): in all that it
    is as a host of no system."""

    @property
    def name(self) -> str:
        """Its name in the configuration and in reports."""
        return NAME

    @property
    def shared_group(self) -> bool:
        """All volumes of a back end are in one VG."""
        return True

    @property
    def demands_chap(self) -> bool:
        """create_export makes up an account for every volume, whatever use_chap_auth says."""
        return True

    def lv_name(self, vg: str, lv: str, tags: tuple[str, ...]) -> LvName:
        """The pool is nobody's volume and has its VG's name."""
        if (volume := volume_of(lv)) != "":
            return LvName(ours=True, volume=volume)
        if (snapshot := _SNAPSHOT.match(lv)) is not None:
            return LvName(ours=True, snapshot=snapshot[1], is_snapshot=True)
        passing = _PASSING.match(lv) is not None
        return LvName(ours=passing, is_snapshot=passing)

    def is_target(self, iqn: str) -> bool:
        """Any prefix and the volume's name."""
        return _TARGET.match(iqn) is not None

    def target_volume(self, iqn: str) -> str:
        """The uuid in it."""
        match = _TARGET.match(iqn)
        return match[1] if match is not None else ""
