"""A host of no known system: nothing is anybody's volume, names come from LV, IQN or file."""

from __future__ import annotations

import re

from sctune.backends.base import FileName, FileRole, FileSizes, LvName
from sctune.records import dataclass

# pve-storage LVMPlugin.pm, LvmThinPlugin.pm. Incus and LXD double a dash of a name, so that a single one is before a snapshot's
# (internal/server/storage/drivers/driver_lvm_utils.go).
_SYSTEMS = (
    (
        "Proxmox VE",
        re.compile(r"(?P<snapshot>snap_)?(?:vm|base)-\d{1,9}-(?:disk-\d+|cloudinit|state-\w+)(?(snapshot)_[\w-]+)\Z", re.ASCII),
    ),
    (
        "Incus or LXD",
        re.compile(
            r"(?:IncusThinPool|LXDThinPool|(?:containers|virtual-machines|custom|images)_(?:[^-]|--)+)(?P<snapshot>-(?:[^-]|--)+)?\Z"
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generic:
    """Claims nothing, so that nothing ordinary looks wrong."""

    era: str = ""

    @property
    def name(self) -> str:
        """Its name in the configuration and in reports."""
        return "generic"

    @property
    def loop_policy_limit(self) -> int | None:
        """None: only the kernel bounds it."""
        return None

    @property
    def loops_at_rest(self) -> bool:
        """An attached loop device is an operator's business."""
        return True

    @property
    def shared_group(self) -> bool:
        """A VG may be for any purpose."""
        return False

    @property
    def always_attached(self) -> bool:
        """A file may lie there for any reason."""
        return False

    @property
    def persists_targets(self) -> bool:
        """targets.conf is how a plain tgt host keeps its targets."""
        return True

    @property
    def file_sizes(self) -> FileSizes | None:
        """A file is as long as somebody made it."""
        return None

    @property
    def snapshots_pass(self) -> bool:
        """An operator may keep a snapshot as long as he likes."""
        return False

    @property
    def copies_at_once(self) -> int | None:
        """Nobody counts them."""
        return None

    @property
    def demands_chap(self) -> bool:
        """What is configured for a target says so, if anything does."""
        return False

    def file_name(self, name: str) -> FileName:
        """Any file may be anything."""
        return FileName(role=FileRole.OTHER, id="")

    def lv_name(self, vg: str, lv: str, tags: tuple[str, ...]) -> LvName:
        """Any LV may be anybody's. Two systems are told, and which of their thin LVs is but a snapshot."""
        for system, pattern in _SYSTEMS:
            if (match := pattern.match(lv)) is not None:
                return LvName(ours=False, is_snapshot=bool(match["snapshot"]), system=system)
        return LvName(ours=False)

    def is_target(self, iqn: str) -> bool:
        """None is known to be a system's."""
        return False

    def target_volume(self, iqn: str) -> str:
        """None is known to be a volume's."""
        return ""
