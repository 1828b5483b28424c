"""The heap of eucalyptus-cloud's JVM: what its arguments say, and what it is where they say nothing. Pure.

`eucalyptus-cloud` makes the JVM inside itself (JNI): the heap it chooses by itself is in no process' arguments. Its option
`-X ARG` (`--jvm-args`) hands the JVM `-XARG`, so `-Xmx4g` reads as it does for java(1) and `--jvm-args=mx4g` is the same. The last
one counts.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from sctune.model.cloud import JvmHeap
from sctune.model.units import GIB, KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE = re.compile(r"(?:mx|X:MaxHeapSize=)(\d{1,15})([kKmMgGtT]?)", re.ASCII)
_UNITS = {"": 1, "k": KIB, "m": MIB, "g": GIB, "t": 1024 * GIB}
_FIXED = ((4, 0, 1 * GIB), (4, 2, 2 * GIB))


def heap_of(words: Sequence[str]) -> JvmHeap | None:
    """The largest heap that a command line sets; None where it sets none."""
    found: JvmHeap | None = None
    before = ""
    for word in words:
        argument = ""
        if before in ("-X", "--jvm-args"):
            argument = word
        elif word.startswith("--jvm-args="):
            argument = word.partition("=")[2]
        elif word.startswith("-X") and len(word) > 2:
            argument = word[2:]
        size = _SIZE.fullmatch(argument)
        if size is not None:
            found = JvmHeap(size=int(size[1]) * _UNITS[size[2].lower()], word=f"-X{argument}")
        before = word
    return found


def default_heap(version: str, memory: int) -> int | None:
    """What eucalyptus-cloud takes where nothing is set, of a machine with `memory` bytes; None for a version that is not known.

    Before 4.0 1 GiB, in 4.0 and 4.1 2 GiB (eucalyptus-bootstrap.h: jvm_default_opts); from 4.2 on half of the memory in whole GiB,
    rounded up, 2 GiB below 4 and 16 GiB above 32 (eucalyptus-bootstrap.c: java_init)."""
    release = re.match(r"(\d{1,3})\.(\d{1,3})", version, re.ASCII)
    if release is None:
        return None
    for major, minor, size in _FIXED:
        if (int(release[1]), int(release[2])) < (major, minor):
            return size
    if memory < 4 * GIB:
        return 2 * GIB
    return 16 * GIB if memory > 32 * GIB else math.ceil(memory / GIB / 2) * GIB
