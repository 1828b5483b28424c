"""Certificates for the tests of the web side, made by openssl: a CA, a server, and clients."""

from __future__ import annotations

import functools
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path


@functools.cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="sctune-certificates-"))
    import atexit

    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca")
    signed = ("-CA", "ca.crt", "-CAkey", "ca.key")
    for name, names in (("server", "DNS:localhost,IP:127.0.0.1"), ("other", "DNS:localhost"), ("client", "DNS:prometheus.example")):
        openssl("req", "-x509", *key, *signed, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}",
                "-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE")  # fmt: skip
    openssl("ec", "-in", "server.key", "-out", "locked.key", "-aes128", "-passout", "pass:x")
    return folder


def certificates(folder: Path) -> None:
    """Puts ca, server, other, client (.crt and .key) and locked.key into this folder."""
    for file in _made().iterdir():
        shutil.copy(file, folder)


def server_files(folder: Path, more: str = "") -> str:
    """The same, and a web configuration with TLS; `more` are lines of its TLS section."""
    certificates(folder)
    config = folder / "web.yml"
    config.write_text(f"tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{more}")
    return str(config)


def client(folder: Path, name: str | None = None) -> ssl.SSLContext:
    """A client's context that trusts the CA, with a certificate of its own where it is named."""
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    if name is not None:
        context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    return context
