"""What a cloud's logs say of uploads, kept from scrape to scrape: each reads only what was logged since the last one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.cloud_log import LogClass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.model.cloud_log import CloudLog
    from sctune.unavailable import Unavailable

BEGUN, DONE, FAILED, DELETED = LogClass.UPLOADING, LogClass.UPLOADED, LogClass.UPLOAD_FAILED, LogClass.DELETE_REQUESTED
_KINDS = (BEGUN, DONE, FAILED, DELETED)
OVERLAP = 60.0
"""Seconds that are read twice: a line may be written later than its time says."""
KEPT = 30.0
"""Seconds for which nothing is read again."""
_SAME = 60.0
"""Seconds within which messages about the failed upload of one snapshot are about the same upload: parts, then the whole."""


class UploadLog:
    """The last moment of each thing that was said of each snapshot, in seconds since the epoch; and how many uploads have ended
    since the first reading."""

    def __init__(self) -> None:
        self._last: dict[str, dict[LogClass, float]] = {}
        self.read_at: float | None = None
        self.done = 0
        self.failed = 0
        self.unread: tuple[Unavailable, ...] = ()
        """The logs that the last reading could not read."""

    def seconds(self, now: float, window: float) -> float | None:
        """How far back is to be read now; None: what was read a moment ago is good enough."""
        if self.read_at is None or now < self.read_at:
            return window
        ago = now - self.read_at
        return None if ago < KEPT else min(window, ago + OVERLAP)

    def add(self, log: CloudLog, now: float, window: float, *, past: bool) -> None:
        """What a reading found. The first one counts nothing but with `past`: what it finds happened before anybody looked."""
        counting = past or self.read_at is not None
        for event in sorted(log.events, key=lambda one: one.last):
            if event.kind not in _KINDS or not event.id:
                continue
            before = self._last.setdefault(event.id, {}).get(event.kind)
            if before is not None and event.last <= before:
                continue
            self._last[event.id][event.kind] = event.last
            if counting and event.kind is DONE:
                self.done += 1
            elif counting and event.kind is FAILED and (before is None or event.last - before > _SAME):
                self.failed += 1
        self._last = {name: said for name, said in self._last.items() if max(said.values()) >= now - window}
        self.read_at, self.unread = now, log.unread

    def moments(self, kind: LogClass) -> dict[str, float]:
        """When it was last said of each snapshot that nobody asked to delete since."""
        return {name: said[kind] for name, said in self._last.items() if kind in said and not _deleted(said)}

    def last(self, kind: LogClass) -> float | None:
        """When it was last said of any snapshot, deleted ones too."""
        return max((said[kind] for said in self._last.values() if kind in said), default=None)

    def running(self, started: float | None) -> tuple[str, ...]:
        """The snapshots whose upload has begun and not ended. `started` is when the service was started: an upload that a restart
        cut off is not taken up again."""
        return tuple(
            name
            for name, when in self.moments(BEGUN).items()
            if when > self._ended(name, (DONE, FAILED)) and (started is None or when >= started)
        )

    def _ended(self, name: str, kinds: Iterable[LogClass]) -> float:
        return max((self._last[name].get(kind, 0.0) for kind in kinds), default=0.0)


def _deleted(said: dict[LogClass, float]) -> bool:
    return said.get(DELETED, 0.0) >= max(when for kind, when in said.items() if kind is not DELETED) if len(said) > 1 else False
