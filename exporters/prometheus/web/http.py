"""A request's head, read strictly, and a response's head. Pure.

Only what a scrape needs of HTTP/1.0 and 1.1 (RFC 9112): no request has a use for a body here, so a connection that brings one is
closed after the answer instead of being searched for the next request in it.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_LINE = 8 * 1024
"""Bytes of the request line."""
LONGEST_HEAD = 16 * 1024
"""Bytes of the request line and all headers."""
MOST_HEADERS = 100
_MOST_PARAMETERS = 128

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_TARGET = re.compile(r"[!-~]+\Z")
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class Refused(Exception):
    """A request that is not answered with what it asks for, and the status that says so."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request: `path` is decoded, `query` the parameters in their order, header names are lower case. `keep`: its sender wants to
    use the connection further, and it can be."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    keep: bool

    def all(self, name: str) -> tuple[str, ...]:
        """The values of a parameter that may be given several times."""
        return tuple(value for key, value in self.query if key == name)


def check_length(data: bytes | bytearray) -> None:
    """Raises Refused where so much of a head has come without its end that no more is waited for."""
    line = data.find(b"\r\n")
    if line > LONGEST_LINE or (line < 0 and len(data) > LONGEST_LINE):
        raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG, f"the request line is longer than {LONGEST_LINE} bytes")
    if len(data) > LONGEST_HEAD:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the headers are longer than {LONGEST_HEAD} bytes")


def parse_head(data: bytes) -> Request:
    """A head without the empty line that ends it. Raises Refused for whatever is not well formed."""
    first, *lines = data.decode("latin-1").split("\r\n")
    if len(first) > LONGEST_LINE:
        raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG, f"the request line is longer than {LONGEST_LINE} bytes")
    if len(lines) > MOST_HEADERS:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {MOST_HEADERS} headers")
    method, target, version = _request_line(first)
    headers = _headers(lines)
    if version == "HTTP/1.1" and "host" not in headers:
        raise Refused(HTTPStatus.BAD_REQUEST, "a request without a Host header")
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    path, _, query = _ABSOLUTE.sub("", target, count=1).partition("?")
    try:
        parameters = tuple(parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS))
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, f"more than {_MOST_PARAMETERS} parameters") from None
    return Request(
        method=method,
        path=unquote(path) or "/",
        query=parameters,
        headers=headers,
        keep=not has_body and _keeps(version, headers.get("connection", "")),
    )


def response_head(status: HTTPStatus, headers: Mapping[str, str], *, length: int, keep: bool) -> bytes:
    """The head of a response with a body of `length` bytes."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {length}", f"Connection: {'keep-alive' if keep else 'close'}", "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _request_line(line: str) -> tuple[str, str, str]:
    parts = line.split(" ")
    if len(parts) != 3 or not _TOKEN.match(parts[0]) or not _TARGET.match(parts[1]) or not parts[2].startswith("HTTP/"):
        raise Refused(HTTPStatus.BAD_REQUEST, "not an HTTP request")
    if parts[2] not in ("HTTP/1.0", "HTTP/1.1"):
        raise Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if not parts[1].startswith("/") and not _ABSOLUTE.match(parts[1]):
        raise Refused(HTTPStatus.BAD_REQUEST, "a request for something that is no path")
    return parts[0], parts[1], parts[2]


def _headers(lines: list[str]) -> dict[str, str]:
    """A name given several times has its values joined, as they may be; those that would then say something else are refused."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.match(name) or "\0" in value or "\r" in value or "\n" in value:
            raise Refused(HTTPStatus.BAD_REQUEST, "a header that is not well formed")
        name, value = name.lower(), value.strip(" \t")
        if name in headers:
            if name in ("host", "content-length", "authorization"):
                raise Refused(HTTPStatus.BAD_REQUEST, f"the header {name} is given twice")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def _keeps(version: str, connection: str) -> bool:
    words = {word.strip().lower() for word in connection.split(",")}
    return "close" not in words and (version == "HTTP/1.1" or "keep-alive" in words)
