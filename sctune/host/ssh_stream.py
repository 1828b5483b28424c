"""What comes back over SSH: the script's answers behind a mark, with whatever a login prints around them. Pure.

    NOISE <line end> sctune-stream TAB gzip <line end> BYTES NOISE

The mark is a line of its own; the script's own text does not hold it, so a shell that shows what it reads does not send it.
"""

from __future__ import annotations

import zlib

from sctune.records import dataclass

GZIP = b"\nsctune-stream\tgzip\n"
PLAIN = b"\nsctune-stream\tplain\n"
_BEGINS = b"sctune-script\t"
_END = b"\nend\n"
LARGEST = 128 * 1024 * 1024
"""Bytes of answers, unpacked: ten thousand volumes are 40 MB."""
_GZIP_WINDOW = 31  # zlib's word for "with the header and checksum of gzip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """There is no whole answer: `begun` is whether its mark was seen, `why` what is wrong with it."""

    begun: bool
    why: str


def answers(stream: bytes) -> bytes | Broken:
    """The text of the script's answers, without what stands around it."""
    at, mark = stream.find(GZIP), GZIP
    if at < 0:
        at, mark = stream.find(PLAIN), PLAIN
    if at < 0:
        return Broken(begun=False, why="no answer came back")
    body = stream[at + len(mark) :]
    text = _unpacked(body) if mark is GZIP else body
    if isinstance(text, Broken):
        return text
    if not text:
        return Broken(begun=True, why="the connection ended before the first answer")
    if not text.startswith(_BEGINS):
        return Broken(begun=True, why="what came back is not what was asked for")
    end = text.rfind(_END)
    if end < 0:
        return Broken(begun=True, why="the connection ended before the last answer")
    return text[: end + len(_END)]


def noise(stream: bytes) -> bytes:
    """What was printed before the answers, or instead of them."""
    return min((stream.partition(mark)[0] for mark in (GZIP, PLAIN)), key=len)


def _unpacked(body: bytes) -> bytes | Broken:
    """The one member that `body` begins with; what is behind it does not matter."""
    packer = zlib.decompressobj(_GZIP_WINDOW)
    try:
        text = packer.decompress(body, LARGEST + 1)
    except zlib.error:
        return Broken(begun=True, why="the answers were damaged on their way")
    if len(text) > LARGEST:
        return Broken(begun=True, why=f"the answers are larger than {LARGEST // 2**20} MiB")
    if not packer.eof:
        return Broken(begun=True, why="the connection ended before the last answer")
    return text
