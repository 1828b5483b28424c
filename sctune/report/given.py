"""A file that somebody gives to a command (an earlier report, a benchmark): read whole and bounded, never waited for, and
refused in one line."""

from __future__ import annotations

import errno
import os
import stat

from sctune.errors import UserError
from sctune.records import dataclass
from sctune.report.sanitize import clean

_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is wanted: what the file is to the command, what it has to be, and what to do where it is not."""

    name: str
    kind: str
    hint: str

    def refused(self, path: str, why: str) -> UserError:
        """The error of a file that is something else."""
        return UserError(f"{path}: no {self.kind}: {why}", self.hint)


def read_given(path: str, wanted: Given, *, most: int) -> bytes:
    """All of it. Raises UserError where it cannot be read, is no regular file or has more than `most` bytes."""
    try:
        # Non-blocking: a FIFO without a writer would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "not a path"
        hint = wanted.hint if isinstance(error, OSError) and error.errno == errno.ENOENT else ""
        raise UserError(f"{path}: cannot read {wanted.name}: {reason}", hint) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise wanted.refused(path, "not a regular file")
        if status.st_size > most:
            raise wanted.refused(path, f"larger than {most // (1024 * 1024)} MiB")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot read {wanted.name}: {os.strerror(error.errno or 0).lower()}") from None
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise wanted.refused(path, f"larger than {most // (1024 * 1024)} MiB")
    return data


def short(error: Exception) -> str:
    """What a decoder says, on one line; it may quote a value of the file, of any length."""
    text = clean(str(error) or type(error).__name__)
    if not text[:2].isupper():  # JSON is malformed
        text = text[:1].lower() + text[1:]
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
