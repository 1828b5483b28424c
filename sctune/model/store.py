"""The volume store: the folders that hold backing files, and the file systems under them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.host.base import FilesystemSpace
    from sctune.unavailable import Unavailable


class StoreOrigin(StrEnum):
    """Why a folder counts as a volume store."""

    CONFIGURED = "configured"
    BACKEND = "backend"  # the cloud's own folder, e.g. /var/lib/eucalyptus/volumes
    LOOP = "loop"  # writable loop devices have their backing files there


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of /proc/self/mountinfo (proc(5)). `device` is (major, minor); `options` joins mount and superblock options."""

    point: str
    device: tuple[int, int]
    filesystem: str
    source: str
    options: tuple[str, ...]

    @property
    def network(self) -> bool:
        """Whether a server on the network answers for it: a look at it can hang."""
        kind = self.filesystem
        return kind.startswith(
            (
                "nfs",
                "cifs",
                "smb",
                "ceph",
                "9p",
                "afs",
                "lustre",
                "gluster",
                "fuse.gluster",
                "fuse.sshfs",
                "ocfs2",
                "gfs2",
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFile:
    """A regular file in the store. `apparent` is its length, `allocated` what is written of it; both in bytes."""

    path: str
    name: str
    apparent: int
    allocated: int
    device: int
    inode: int
    mtime: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeStore:
    """One folder of backing files. `mount` is None where no mount covers it in mountinfo (a capture without it).
    `unlooked` counts entries whose stat failed.

    `driver_options` are ext4's own words for the options in force (/proc/fs/ext4/DEV/options), () where there are none:
    they tell what tune2fs set in the superblock, which mountinfo does not. `errors` is how many errors ext4 has met on it since
    it was last checked (/sys/fs/ext4/DEV/errors_count, kept in the superblock), None where nothing tells. `declared_mount` is
    the mount point at or above the folder that /etc/fstab wants mounted at boot, whether or not it is."""

    path: str
    origin: StoreOrigin
    mount: Mount | None
    space: FilesystemSpace | Unavailable
    files: tuple[StoreFile, ...] | Unavailable
    unlooked: int = 0
    driver_options: tuple[str, ...] = ()
    errors: int | None = None
    declared_mount: str | None = None
