"""The system calls by which the tuner changes something, a method each.

They are apart from what is done with them so that a test can stop the world before each one, cut a write in half, or have one
refused, and count them: nothing above this file changes anything in another way.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import Completed
    from sctune.unavailable import Unavailable

_LABEL = "security.selinux"
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP}
_VALUE_LIMIT = 65536


class Calls:
    """The real ones. Each raises OSError. `tool_path` is where tools are looked for."""

    def __init__(self, *, tool_path: str | None = None) -> None:
        self._tool_path = tool_path

    def create(self, path: str, mode: int) -> int:
        """A new file that was not there, to add to its end, also after it was cut; not through a link."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)

    def append(self, path: str) -> int:
        """A file that is there, to add to its end."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)

    def write(self, descriptor: int, data: bytes) -> None:
        """All of `data`."""
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def truncate(self, descriptor: int, size: int) -> None:
        """Cuts a file to `size` bytes."""
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """On stable storage before it returns."""
        os.fsync(descriptor)

    def sync_folder(self, path: str) -> None:
        """The names in a folder likewise. A file system that syncs no folder is not held against it; one that fails is."""
        descriptor = os.open(path or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NO_FOLDER_SYNC:
                raise
        finally:
            os.close(descriptor)

    def set_mode(self, descriptor: int, mode: int) -> None:
        """fchmod(2), whatever the umask is."""
        os.fchmod(descriptor, mode)

    def set_owner(self, descriptor: int, uid: int, gid: int) -> None:
        """fchown(2)."""
        os.fchown(descriptor, uid, gid)

    def set_label(self, descriptor: int, label: str) -> None:
        """The SELinux label."""
        os.setxattr(descriptor, _LABEL, label.encode("utf-8", "surrogateescape") + b"\0")

    def set_attribute(self, descriptor: int, name: str, value: bytes) -> None:
        """Another extended attribute, such as an access control list."""
        os.setxattr(descriptor, name, value)

    def rename(self, source: str, target: str) -> None:
        """Over what is there."""
        os.rename(source, target)

    def unlink(self, path: str) -> None:
        """Removes a name."""
        os.unlink(path)

    def make_folder(self, path: str, mode: int) -> None:
        """A folder with this very mode."""
        os.mkdir(path, mode)
        os.chmod(path, mode, follow_symlinks=True)

    def remove_folder(self, path: str) -> None:
        """An empty one."""
        os.rmdir(path)

    def put_value(self, path: str, data: bytes) -> None:
        """A value of the kernel's, in one write(2): a second one would be a second value."""
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.EIO, "the kernel took only a part of it", path)
        finally:
            os.close(descriptor)

    def get_value(self, path: str) -> bytes:
        """What the kernel says of a value."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return os.read(descriptor, _VALUE_LIMIT)
        finally:
            os.close(descriptor)

    def finds(self, tool: str) -> bool:
        """Whether `run` would find it."""
        import shutil

        from sctune.host.command import TOOL_PATH

        return shutil.which(tool, path=self._tool_path or TOOL_PATH) is not None

    def run(self, argv: Sequence[str], seconds: float) -> Completed | Unavailable:
        """A tool: fixed environment, no input, its process group killed at the deadline."""
        from sctune.host.command import TOOL_PATH, run_command

        return run_command(argv, timeout=seconds, path=self._tool_path or TOOL_PATH)


def label_of(descriptor: int) -> str:
    """The SELinux label of an open file, "" where it has none."""
    try:
        return os.getxattr(descriptor, _LABEL).rstrip(b"\0").decode("utf-8", "surrogateescape")
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return ""
        raise
