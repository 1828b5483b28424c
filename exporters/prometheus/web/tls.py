"""A TLS context as a web configuration has it, and whether a client's certificate names somebody who may ask."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from sctune.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.exporters.prometheus.web.rules import TlsSettings

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


def context_for(settings: TlsSettings) -> ssl.SSLContext:
    """Reads certificate, key and CA. Raises UserError that names the file that is missing or wrong."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.min_version]
    context.maximum_version = _VERSIONS[settings.max_version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_ECDH_USE
    if settings.server_preference:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    # Tickets would let a client come back that a changed configuration keeps out, and a scraper keeps its connection anyway.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    context.set_alpn_protocols(["http/1.1"])
    if settings.ciphers:
        context.set_ciphers(":".join(settings.ciphers))
    if settings.curve is not None:
        _set_curve(context, settings.curve)
    for path in (settings.cert_file, settings.key_file, settings.client_ca_file):
        if path is not None:
            _refuse_unreadable(path)
    try:
        # A key with a password would have OpenSSL ask for it on the terminal.
        context.load_cert_chain(settings.cert_file, settings.key_file, password=_no_password)
    except ssl.SSLError as error:
        raise UserError(
            f"{settings.cert_file} and {settings.key_file}: {_reason(error)}", "PEM, of one pair, no password"
        ) from None
    except OSError as error:
        raise UserError(f"{settings.cert_file} and {settings.key_file}: {error.strerror or error}") from None
    if settings.client_ca_file is not None:
        try:
            context.load_verify_locations(settings.client_ca_file)
        except (ssl.SSLError, OSError) as error:
            raise UserError(f"{settings.client_ca_file}: {_reason(error)}", "it has to hold certificates of CAs in PEM") from None
        if not context.get_ca_certs():
            raise UserError(f"{settings.client_ca_file}: no certificate of a CA in it", "it has to hold certificates of CAs in PEM")
        context.verify_mode = ssl.CERT_REQUIRED if settings.client_certificate else ssl.CERT_OPTIONAL
    return context


def names_of(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """The names of a client's certificate (Subject Alternative Name: DNS, e-mail, IP address, URI), as getpeercert() gives them."""
    if not certificate:
        return frozenset()
    kinds = ("DNS", "email", "IP Address", "URI")
    return frozenset(name for kind, name in certificate.get("subjectAltName", ()) if kind in kinds)


def _set_curve(context: ssl.SSLContext, curve: str) -> None:
    try:
        context.set_ecdh_curve(curve)
    except ValueError:
        raise UserError(f"curve_preferences: this OpenSSL cannot be limited to {curve}", "choose another curve, or none") from None


def _refuse_unreadable(path: str) -> None:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise UserError(f"{path}: cannot read it: {error.strerror}", "the exporter needs it for TLS") from None


def _no_password() -> str:
    raise UserError("the key file has a password", "an exporter starts without anybody: give a key without one")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "not what it should be").lower().replace("_", " ")
        return "certificate and key do not belong together" if "mismatch" in reason else reason
    return error.strerror or "cannot read it"
