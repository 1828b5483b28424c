"""What is said on the collector's socket: one request and one reply a connection, both of bounded size.

The collector runs as root and is asked by a process that speaks to the network, so a request can say three things and no more: the
format, how long the asker waits, and names of collectors. Each field has a fixed width; whatever else is sent is refused unread.

    request   "sctune1\\n", format (0 text, 1 OpenMetrics), meaning of the names (0 none, 1 collect, 2 exclude), their number, the
              timeout in milliseconds (u32); then 32 bytes a name, filled with NUL
    reply     "sctune1\\n", outcome (0 samples, 1 asked wrongly, 2 unanswered), length (u32); then the samples, or why not in UTF-8

Numbers are in network order. Pure.
"""

from __future__ import annotations

import re
import struct
from enum import IntEnum
from typing import Any

from sctune.exporters.prometheus.source import Unanswered, Wanted

MAGIC = b"sctune1\n"
NAME_BYTES = 32
MOST_NAMES = 64
MOST_SECONDS = 600.0
"""Longer than any Prometheus waits for a scrape in practice."""
LARGEST_REPLY = 256 * 1024 * 1024
LARGEST_MESSAGE = 1024

_REQUEST = struct.Struct("!8sBBHI")
_REPLY = struct.Struct("!8sBI")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")

REQUEST_HEAD = _REQUEST.size
REPLY_HEAD = _REPLY.size


class Outcome(IntEnum):
    """What a reply holds."""

    SAMPLES = 0
    ASKED_WRONGLY = 1
    UNANSWERED = 2


class Malformed(ValueError):
    """Not what this protocol says, and why."""


def is_name(text: str) -> bool:
    """Whether a collector could have this name."""
    return _NAME.match(text) is not None


def request(wanted: Wanted) -> bytes:
    """The bytes that ask for it. Raises Unanswered for what cannot be asked: names that no collector has, or too many."""
    if wanted.collect and wanted.exclude:
        raise Unanswered("collect[] and exclude[] do not go together", asked_wrongly=True)
    names = wanted.collect or wanted.exclude
    if len(names) > MOST_NAMES:
        raise Unanswered(f"more than {MOST_NAMES} collectors named", asked_wrongly=True)
    for name in names:
        if not is_name(name):
            raise Unanswered(f"unknown collector {name[:NAME_BYTES]!r}", asked_wrongly=True)
    meaning = 1 if wanted.collect else 2 if wanted.exclude else 0
    milliseconds = round(max(0.001, min(wanted.timeout, MOST_SECONDS)) * 1000)
    head = _REQUEST.pack(MAGIC, int(wanted.openmetrics), meaning, len(names), milliseconds)
    return head + b"".join(name.encode("ascii").ljust(NAME_BYTES, b"\0") for name in names)


def names_bytes(head: bytes) -> int:
    """How many bytes of names follow the first `REQUEST_HEAD` bytes of a request. Raises Malformed."""
    magic, format, meaning, count, milliseconds = _unpack(_REQUEST, head)
    if magic != MAGIC:
        raise Malformed("not a request of sctune")
    if format > 1 or meaning > 2 or count > MOST_NAMES or bool(count) != bool(meaning):
        raise Malformed("a request with a field out of its range")
    if not 1 <= milliseconds <= MOST_SECONDS * 1000:
        raise Malformed("a request with a timeout out of its range")
    return int(count) * NAME_BYTES


def wanted(head: bytes, names: bytes) -> Wanted:
    """What a request asks for: its first `REQUEST_HEAD` bytes, and the names that follow them. Raises Malformed."""
    if names_bytes(head) != len(names):
        raise Malformed("a request with another number of names than it says")
    _, format, meaning, _, milliseconds = _unpack(_REQUEST, head)
    read = tuple(_name(names[start : start + NAME_BYTES]) for start in range(0, len(names), NAME_BYTES))
    return Wanted(
        collect=read if meaning == 1 else (),
        exclude=read if meaning == 2 else (),
        timeout=milliseconds / 1000,
        openmetrics=format == 1,
    )


def reply(outcome: Outcome, body: bytes) -> bytes:
    """The first `REPLY_HEAD` bytes of a reply; `body` is sent behind them."""
    return _REPLY.pack(MAGIC, outcome, len(body))


def message(text: str) -> bytes:
    """Why there are no samples, as a reply's body."""
    return text.encode("utf-8", "replace")[:LARGEST_MESSAGE]


def read_reply(head: bytes) -> tuple[Outcome, int]:
    """A reply's outcome and the number of bytes that follow its head. Raises Malformed."""
    magic, outcome, length = _unpack(_REPLY, head)
    if magic != MAGIC:
        raise Malformed("not a reply of sctune's collector")
    if outcome > Outcome.UNANSWERED:
        raise Malformed(f"a reply with the unknown outcome {outcome}")
    most = LARGEST_REPLY if outcome == Outcome.SAMPLES else LARGEST_MESSAGE
    if length > most:
        raise Malformed(f"a reply of {length} bytes")
    return Outcome(outcome), int(length)


def _unpack(form: struct.Struct, head: bytes) -> tuple[Any, ...]:
    if len(head) != form.size:
        raise Malformed(f"{len(head)} bytes where {form.size} are due")
    return form.unpack(head)


def _name(field: bytes) -> str:
    text = field.rstrip(b"\0")
    if b"\0" in text or not text.isascii() or not is_name(text.decode("ascii")):
        raise Malformed("a request with a name that no collector has")
    return text.decode("ascii")
