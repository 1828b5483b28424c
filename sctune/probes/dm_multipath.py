"""The words of a `multipath` target in `dmsetup status` and `dmsetup table` (Linux, drivers/md/dm-mpath.c, multipath_status).

A list of words is written as how many there are and then the words. Status: list of two numbers, list (always empty), how many
groups, the group in use, and for each group a letter (`A` in use, `E` enabled, `D` disabled), a list of the path selector's, how
many paths, how many words the selector has to say of each; for each path MAJOR:MINOR, `A` or `F`, how often it failed, and
those words. Table: list of features, list of the hardware handler's, and more that is not needed.
"""

from __future__ import annotations

from sctune.model.dm import MultipathPath, MultipathStatus

_MOST = 4096
"""More groups, paths or words than this no map has: a number that says so is no number of such."""


class _Words:
    """Words one after another; ValueError where there is none, or not what it has to be."""

    def __init__(self, text: str) -> None:
        self.words = text.split()
        self.at = 0

    def next(self) -> str:
        if self.at >= len(self.words):
            raise ValueError("multipath: the line ends too early")
        self.at += 1
        return self.words[self.at - 1]

    def number(self, most: int = _MOST) -> int:
        word = self.next()
        if not (word.isascii() and word.isdigit() and len(word) <= 20) or int(word) > most:
            raise ValueError(f"multipath: {word[:60]!r} is not a number that fits")
        return int(word)

    def list(self) -> list[str]:
        return [self.next() for _ in range(self.number())]


def parse(status: str, table: str) -> MultipathStatus:
    """Both lines of one target, without start, length and type. Raises ValueError where they say something else."""
    words = _Words(status)
    words.list()
    words.list()
    groups = words.number()
    words.number()
    paths: list[MultipathPath] = []
    for _ in range(groups):
        if words.next() not in ("A", "E", "D"):
            raise ValueError("multipath: a group in no known state")
        words.list()
        count, told = words.number(), words.number()
        paths.extend(_path(words, told) for _ in range(count))
    return MultipathStatus(paths=tuple(paths), queues="queue_if_no_path" in _Words(table).list())


def _path(words: _Words, told: int) -> MultipathPath:
    major, _, minor = words.next().partition(":")
    state, failures = words.next(), words.number(2**32)
    for _ in range(told):
        words.next()
    if state not in ("A", "F") or not (major.isdecimal() and minor.isdecimal() and len(major) + len(minor) <= 20):
        raise ValueError("multipath: a path in no known state")
    return MultipathPath(device=(int(major), int(minor)), active=state == "A", failures=failures)
