"""The web configuration file: who may ask, and over which TLS. The format is that of node_exporter (exporter-toolkit's
web.config.yml), so that a site has one file for all its exporters.

Strict: a key that is not known, a value of another kind and what this server cannot do are errors with their place, never passed
over: each of these keys is there to keep somebody out. Secrets are never quoted. Pure.

Source: https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sctune.config.document import Misread, Reader, compose, got, value_of
from sctune.config.values import text
from sctune.errors import UserError
from sctune.exporters.prometheus.web.rules import RateLimit, TlsSettings, WebConfig
from sctune.exporters.prometheus.web.tls_names import CIPHERS, CURVES, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    import yaml

_HINT = "docs/exporter-web.md lists the keys"
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}\Z")
_LARGEST_COST = 16
"""2^16 rounds take four seconds; what is larger is a mistake that stops every scrape."""
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\Z")
_HEADER_VALUE = re.compile(r"[\t -~]{1,2000}\Z")
_HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
_AUTH_TYPES = {
    "NoClientCert": False,
    "VerifyClientCertIfGiven": None,
    "RequireAndVerifyClientCert": True,
}
_UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert")


def parse(data: bytes, file: str, folder: str) -> WebConfig:
    """A file's content. Names of files in it are relative to `folder`. Raises UserError with all that is wrong and where."""
    try:
        root = compose(data, file)
    except UserError as error:
        raise UserError(error.message, _HINT) from None
    reader = Reader()
    found: dict[str, Any] = {}
    if root is not None:
        found = reader.section(
            root,
            "",
            {
                "tls_server_config": lambda node, path: _tls(reader, node, path, folder),
                "http_server_config": lambda node, path: _http(reader, node, path),
                "basic_auth_users": lambda node, path: reader.table(node, path, _hash),
                "rate_limit": lambda node, path: _rate_limit(reader, node, path),
            },
        )
    for name in found.get("basic_auth_users", {}):
        if ":" in name or not name.isprintable():
            assert root is not None  # noqa: S101
            reader.add(root, "basic_auth_users", "a user's name has no colon and no control characters")
    if reader.problems:
        lines = [f"{one.file}:{one.line}:{one.column}: {one.key}: {one.message}" for one in reader.problems]
        raise UserError("; ".join(lines), _HINT)
    headers, http2 = found.get("http_server_config", ({}, False))
    tls = found.get("tls_server_config")
    if tls is None and "Strict-Transport-Security" in headers:
        raise UserError(f"{file}: http_server_config.headers.Strict-Transport-Security needs a tls_server_config", _HINT)
    return WebConfig(
        tls=tls,
        headers=headers,
        users=found.get("basic_auth_users", {}),
        rate_limit=found.get("rate_limit"),
        http2_wanted=http2,
    )


def _tls(reader: Reader, node: yaml.Node, path: str, folder: str) -> TlsSettings | None:
    def file(inner: yaml.Node, _: str) -> str:
        name = text(inner, "the name of a file")
        if not name or "\0" in name:
            raise Misread("expected the name of a file")
        return name if name.startswith("/") else f"{folder}/{name}"

    fields: dict[str, Callable[[yaml.Node, str], object]] = {
        "cert_file": file,
        "key_file": file,
        "client_ca_file": file,
        "client_auth_type": _auth_type,
        "client_allowed_sans": lambda inner, where: frozenset(reader.items(inner, where, _san)),
        "min_version": _version,
        "max_version": _version,
        "cipher_suites": lambda inner, where: reader.items(inner, where, _cipher),
        "prefer_server_cipher_suites": _boolean,
        "curve_preferences": _curve,
        "cert": _inline("cert_file"),
        "key": _inline("key_file"),
        "client_ca": _inline("client_ca_file"),
    }
    before = len(reader.problems)
    found: dict[str, Any] = reader.section(node, path, fields)
    if len(reader.problems) > before:
        return None
    if not found:
        return None  # a section whose lines are all comments
    for name in ("cert_file", "key_file"):
        if name not in found:
            raise Misread(f"{name} is missing")
    demanded = found.get("client_auth_type", False)
    if demanded is not False and "client_ca_file" not in found:
        raise Misread("client_auth_type asks for a certificate: client_ca_file has to say who may have signed it")
    if demanded is False and "client_ca_file" in found:
        raise Misread("client_ca_file is given and client_auth_type is not: nobody would be asked for a certificate")
    if found.get("client_allowed_sans") and demanded is not True:
        raise Misread("client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert")
    if VERSIONS.index(found.get("min_version", "TLS12")) > VERSIONS.index(found.get("max_version", "TLS13")):
        raise Misread("min_version is above max_version")
    renamed = {
        "client_auth_type": "client_certificate",
        "cipher_suites": "ciphers",
        "prefer_server_cipher_suites": "server_preference",
        "curve_preferences": "curve",
    }
    return TlsSettings(**{renamed.get(name, name): value for name, value in found.items()})


def _http(reader: Reader, node: yaml.Node, path: str) -> tuple[dict[str, str], bool]:
    def headers(inner: yaml.Node, where: str) -> dict[str, str]:
        given: dict[str, Any] = reader.section(inner, where, {name: _header(words) for name, words in _HEADERS.items()})
        return {name: value for name, value in given.items() if value}

    found: dict[str, Any] = reader.section(node, path, {"http2": _boolean, "headers": headers})
    return found.get("headers", {}), found.get("http2", False)


def _rate_limit(reader: Reader, node: yaml.Node, path: str) -> RateLimit | None:
    found: dict[str, Any] = reader.section(node, path, {"interval": _duration, "burst": _count})
    interval = found.get("interval", 0.0)
    if not interval:
        return None
    if not found.get("burst"):
        raise Misread("burst is missing: a limit without it lets nobody in")
    return RateLimit(interval=interval, burst=found["burst"])


def _header(words: tuple[str, ...]) -> Callable[[yaml.Node, str], object]:
    def read(node: yaml.Node, _: str) -> str:
        value = value_of(node)
        value = "" if value is None else str(value)
        if value and not _HEADER_VALUE.match(value):
            raise Misread("expected one line of printable ASCII")
        if value and words and value.lower() not in words:
            raise Misread(f"expected {' or '.join(words)}, got {got(node)}")
        return value

    return read


def _hash(node: yaml.Node, _: str) -> bytes:
    value = value_of(node)
    match = _BCRYPT.match(value) if isinstance(value, str) else None
    if match is None:
        raise Misread("expected a password's bcrypt hash ($2y$…), as `htpasswd -nBC 10 ''` makes it")
    if not 4 <= int(match[1]) <= _LARGEST_COST:
        raise Misread(f"a bcrypt hash of cost {int(match[1])}: make one from 4 to {_LARGEST_COST}")
    return str(value).encode("ascii")


def _auth_type(node: yaml.Node, _: str) -> bool | None:
    value = text(node, "a policy for client certificates")
    if value in _UNVERIFIED:
        raise Misread(f"{value} takes certificates that nobody verifies, which is not offered: use RequireAndVerifyClientCert")
    if value not in _AUTH_TYPES:
        raise Misread(f"expected {', '.join(_AUTH_TYPES)}, got {got(node)}")
    return _AUTH_TYPES[value]


def _version(node: yaml.Node, _: str) -> str:
    value = text(node, "a version of TLS")
    if value in ("TLS10", "TLS11"):
        raise Misread(f"{value} is broken and not offered: use TLS12 or TLS13")
    if value not in VERSIONS:
        raise Misread(f"expected TLS12 or TLS13, got {got(node)}")
    return value


def _cipher(node: yaml.Node, _: str) -> str:
    value = text(node, "the name of a cipher suite")
    if value.startswith(("TLS_AES_", "TLS_CHACHA20_")):
        raise Misread(f"{value} is of TLS 1.3, whose suites cannot be chosen: leave it out")
    if value not in CIPHERS:
        raise Misread(f"expected a secure suite of TLS 1.2 ({', '.join(CIPHERS)}), got {got(node)}")
    return CIPHERS[value]


def _curve(node: yaml.Node, _: str) -> str | None:
    names = [text(one, "the name of a curve") for one in node.value] if isinstance(node.value, list) else None
    if names is None:
        raise Misread(f"expected a list, got {got(node)}")
    if len(names) > 1:
        raise Misread("one curve can be chosen here, not an order of several: give one, or leave it out")
    for name in names:
        if name not in CURVES:
            raise Misread(f"expected {', '.join(CURVES)}, got {name!r}")
        return CURVES[name]
    return None


def _inline(instead: str) -> Callable[[yaml.Node, str], object]:
    def read(_node: yaml.Node, _: str) -> object:
        raise Misread(f"certificates and keys are read from files only: write it to one and give {instead}")

    return read


def _san(node: yaml.Node, _: str) -> str:
    value = text(node, "a name of a certificate's subject")
    if not value:
        raise Misread("expected a name of a certificate's subject")
    return value


def _boolean(node: yaml.Node, _: str) -> bool:
    value = value_of(node)
    if not isinstance(value, bool):
        raise Misread(f"expected true or false, got {got(node)}")
    return value


def _count(node: yaml.Node, _: str) -> int:
    value = value_of(node)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Misread(f"expected a whole number, got {got(node)}")
    return value


def _duration(node: yaml.Node, _: str) -> float:
    """Prometheus' way to write one: 1s, 500ms, 1m30s, or 0."""
    value = value_of(node)
    if value == 0 and not isinstance(value, bool):
        return 0.0
    match = _DURATION.match(value) if isinstance(value, str) and value else None
    if match is None:
        raise Misread(f"expected a duration such as 500ms or 1m30s, got {got(node)}")
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
