"""The web configuration in force: read at the start, and again whenever one of its files has changed.

A new file that is broken, or cannot be read any more, changes nothing: what was in force stays so, and the log says why, once.
Nor does one that is still being written, or that would let in more than before: an empty file is a valid configuration.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.exporters.prometheus.web.auth import Users
from sctune.exporters.prometheus.web.rules import RateLimit, WebConfig

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

SETTLED = 1.0
"""Seconds for which a changed file has to have stayed the same: an editor or cp empties it before it is written."""
_MAX_BYTES = 1024 * 1024
_Seen = tuple[tuple[int, ...], ...]


class Bucket:
    """A token bucket: `burst` requests at once, then one each `interval` seconds."""

    def __init__(self, limit: RateLimit | None) -> None:
        self._limit = limit
        self._tokens = float(limit.burst) if limit else 0.0
        self._at = time.monotonic()

    def take(self) -> bool:
        """Whether one more request may pass now."""
        if self._limit is None:
            return True
        now = time.monotonic()
        self._tokens = min(float(self._limit.burst), self._tokens + (now - self._at) / self._limit.interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class InForce:
    """One configuration with what was made of it. Raises UserError for what cannot be read or done."""

    def __init__(self, config: WebConfig) -> None:
        self.config = config
        self.context: ssl.SSLContext | None = None
        if config.tls is not None:
            from sctune.exporters.prometheus.web.tls import context_for

            self.context = context_for(config.tls)
        self.users = Users(config.users)
        self.bucket = Bucket(config.rate_limit)


class Settings:
    """What is in force of a file, or nothing at all where there is none. `tell` gets the lines for the log."""

    def __init__(self, path: str | None, tell: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._tell = tell
        self._clock = clock
        self._files: tuple[str, ...] = (path,) if path is not None else ()
        self._seen = _look(self._files)
        self._changed: tuple[_Seen, float] | None = None
        self._in_force = self._load()

    def current(self) -> InForce:
        """What is in force now; looks whether a file has changed, and has stayed as it is now for a second."""
        if self._path is not None and self._has_settled():
            self._read_again(self._path, on_demand=False)
        return self._in_force

    def reload(self) -> None:
        """Reads the files again, whether they have changed or not. Only so can it be that less is protected than before."""
        if self._path is not None:
            self._read_again(self._path, on_demand=True)

    def _has_settled(self) -> bool:
        looked, now = _look(self._files), self._clock()
        if looked == self._seen:
            self._changed = None
            return False
        if self._changed is None or self._changed[0] != looked:
            self._changed = (looked, now)
        return now - self._changed[1] >= SETTLED

    def _read_again(self, path: str, *, on_demand: bool) -> None:
        # Before they are read: a change meanwhile is then seen as one.
        self._seen, self._changed = _look(self._files), None
        before = self._in_force
        try:
            new = self._load()
        except UserError as error:
            self._tell(f"{error}: the web configuration read before stays in force")
            return
        if not on_demand:
            if _look(self._files) != self._seen:
                new.users.close()
                return  # changed while it was read: the next look begins to wait anew
            if lost := _lost(before.config, new.config):
                new.users.close()
                stays = "the web configuration read before stays in force; SIGHUP or a restart takes it"
                self._tell(f"{path}: it would {lost}, which what is in force does not: {stays}")
                return
        self._in_force = new
        before.users.close()
        self._tell(f"{path}: read again")

    def after_dropping(self) -> None:
        """Says which files cannot be read any more now that this is another user: a change of those goes unseen."""
        lost = [path for path in self._files if not os.access(path, os.R_OK)]
        if lost:
            self._tell(f"{', '.join(lost)}: root alone may read it, so a change of it needs a restart of the exporter")
        self._seen = _look(self._files)

    def _load(self) -> InForce:
        if self._path is None:
            return InForce(WebConfig())
        from sctune.exporters.prometheus.web.config import parse

        config = parse(_read(self._path), self._path, os.path.dirname(os.path.abspath(self._path)))
        if config.http2_wanted:
            self._tell(f"{self._path}: http2: HTTP/1.1 alone is spoken here, which every client of HTTP/2 speaks too")
        tls = config.tls
        files = (self._path, *filter(None, (tls.cert_file, tls.key_file, tls.client_ca_file) if tls else ()))
        if files != self._files:
            # Seen from before they are read, too; the configuration itself has been read by now.
            self._files, self._seen = files, (self._seen[0], *_look(files[1:]))
        return InForce(config)


def _lost(before: WebConfig, new: WebConfig) -> str:
    """What the new one would do that the one before keeps from being done, or ""."""
    if before.protects and not new.protects:
        return "let in whoever comes"
    return "speak without TLS" if before.tls is not None and new.tls is None else ""


def _look(files: tuple[str, ...]) -> _Seen:
    """What tells one state of the files from another."""
    return tuple(map(_state, files))


def _state(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError as error:
        return (error.errno or 0,)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise UserError(f"{path}: cannot read the web configuration: {reason}", "check the path given with --web-config") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UserError(f"{path}: not a regular file", "check the path given with --web-config")
        try:
            data = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise UserError(f"{path}: cannot read the web configuration: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise UserError(f"{path}: larger than 1 MiB, so surely not a web configuration", "check the path given with --web-config")
    return data
