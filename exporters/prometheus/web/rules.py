"""What a web configuration says: who may ask, and over which TLS. Read by `web.config`, which needs a YAML parser; without a file
there is nothing to parse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """tls_server_config. `client_certificate`: False none is asked for, None it is verified if one is given, True it must be given.
    `ciphers` are OpenSSL's names for TLS 1.2, () its default; `curve` is OpenSSL's name or None."""

    cert_file: str
    key_file: str
    client_certificate: bool | None = False
    client_ca_file: str | None = None
    client_allowed_sans: frozenset[str] = frozenset()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    ciphers: tuple[str, ...] = ()
    server_preference: bool = True
    curve: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `burst` requests at once, and one more every `interval` seconds."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """The whole file. `users` has a bcrypt hash for each name; nobody is asked for a password where it is empty."""

    tls: TlsSettings | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, bytes] = field(default_factory=dict)
    rate_limit: RateLimit | None = None
    http2_wanted: bool = False

    @property
    def protects(self) -> bool:
        """Whether it keeps anybody out."""
        return bool(self.users) or (self.tls is not None and self.tls.client_certificate is True)
