"""The files a log consists of: the one that is written, and those it was rolled into.

log4j names them PATH.1 to PATH.10, the C components PATH.0 to PATH.10, logrotate(8) PATH.1, PATH.2.gz or PATH-20150601.gz. They
are renamed under whoever reads them: each is known by its inode, and one that is gone was the oldest.
"""

from __future__ import annotations

import errno
import gzip
import os
import re
import stat
import zlib
from typing import TYPE_CHECKING

from sctune.host.logscan import PIECE, LogScan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sctune.host.base import LogLines, LogQuery
    from sctune.host.zone import LocalTime

_ROLLED = re.compile(r"\.([0-9]{1,3})(\.gz)?\Z|-([0-9]{8}(?:-?[0-9]{1,10})?)(\.gz)?\Z")
KEPT = 10
"""As many rolled files as log4j.xml keeps (MaxBackupIndex, all versions): with fewer, none has been thrown away."""


def family(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that are of the log `name`, newest first."""
    found: list[tuple[int, int, str, str]] = []
    for one in names:
        if one == name:
            found.append((0, 0, "", one))
        elif one.startswith(name) and (rolled := _ROLLED.match(one, len(name))):
            if rolled[1] is not None:
                found.append((1, int(rolled[1]), "", one))
            else:
                found.append((1, -1, "".join(chr(0x10FFFF - ord(letter)) for letter in rolled[3]), one))
    return tuple(item[-1] for item in sorted(found))


def search(
    paths: Iterable[str],
    opener: Callable[[str], int],
    query: LogQuery,
    zone: LocalTime,
    *,
    now: float,
    seconds: float,
) -> LogLines:
    """Searches the files of one log, newest first; `opener` gives a descriptor or raises OSError.

    Raises the OSError of the newest file, EISDIR or EINVAL where it is no regular one. What cannot be read of an older one ends the
    search there, as does one that has been cut in the middle of its compressed data.
    """
    scan = LogScan(query, zone, seconds=seconds)
    seen: set[tuple[int, int]] = set()
    rolled = 0
    for place, path in enumerate(paths):
        if scan.done:
            break
        try:
            descriptor = opener(path)
        except FileNotFoundError:
            continue
        except OSError:
            if not seen:
                raise
            scan.stop()
            break
        try:
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
            if not stat.S_ISREG(found.st_mode):
                # What was written into a FIFO or /dev/null nobody knows: that is not the same as no log.
                raise OSError(errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL, "not a regular file")
            rolled += place > 0
            if path.endswith(".gz"):
                scan.forward(_unpacked(descriptor))
            else:
                scan.backward(found.st_size, _reader(descriptor))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            scan.stop()
        except OSError:
            if len(seen) <= 1:
                raise
            scan.stop()
        finally:
            os.close(descriptor)
    if not seen:
        raise FileNotFoundError(2, os.strerror(2))
    return scan.result(whole=rolled < KEPT, now=now)


def _reader(descriptor: int) -> Callable[[int, int], bytes]:
    def read(offset: int, length: int) -> bytes:
        return os.pread(descriptor, length, offset)

    return read


def _unpacked(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(os.dup(descriptor), "rb") as raw, gzip.GzipFile(fileobj=raw) as file:
        while data := file.read(PIECE):
            yield data
