"""Who may ask: the web configuration's keys, TLS, certificates, passwords, and a file that changes while it is in force."""

from __future__ import annotations

import base64
import os
import ssl
from typing import TYPE_CHECKING

import bcrypt
import pytest

from sctune.errors import UserError
from sctune.exporters.prometheus.web import settings as settings_module
from sctune.exporters.prometheus.web.config import parse
from sctune.exporters.prometheus.web.settings import Settings

from .certificates import certificates, client, server_files
from .web_server import serving, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.spawns  # openssl makes the certificates

HASH = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
USERS = f"basic_auth_users:\n  alice: {HASH}\n"
TLS = "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n"


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tls_server_conf: {}", "did you mean tls_server_config?"),
        ("tls_server_config:\n  cert_file: a.crt\n", "key_file is missing"),
        (TLS + "  cert: x\n", "give cert_file"),
        (TLS + "  key: SECRET\n", "give key_file"),
        (TLS + "  client_ca: x\n", "give client_ca_file"),
        (TLS + "  min_version: TLS10\n", "TLS10 is broken"),
        (TLS + "  min_version: TLS13\n  max_version: TLS12\n", "min_version is above"),
        (TLS + "  client_auth_type: RequireAnyClientCert\n", "nobody verifies"),
        (TLS + "  client_auth_type: RequestClientCert\n", "nobody verifies"),
        (TLS + "  client_auth_type: RequireAndVerifyClientCert\n", "client_ca_file has to say"),
        (TLS + "  client_ca_file: ca.crt\n", "nobody would be asked"),
        (TLS + "  client_allowed_sans: [x]\n", "RequireAndVerifyClientCert"),
        (TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", "cannot be chosen"),
        (TLS + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n", "expected a secure suite"),
        (TLS + "  curve_preferences: [CurveP256, X25519]\n", "not an order"),
        (TLS + "  curve_preferences: [P256]\n", "CurveP256"),
        (TLS + TLS, "given twice"),
        ("http_server_config:\n  headers: {Server: x}\n", "unknown key"),
        ("http_server_config:\n  headers: {X-Frame-Options: maybe}\n", "deny or sameorigin"),
        ('http_server_config:\n  headers: {X-XSS-Protection: "a\\r\\nb"}\n', "one line"),
        ("http_server_config:\n  headers: {Strict-Transport-Security: max-age=1}\n", "needs a tls_server_config"),
        ("http_server_config: {http2: maybe}\n", "true or false"),
        ("basic_auth_users: {alice: SECRET}\n", "bcrypt hash"),
        ("basic_auth_users: {alice: $2y$31$" + "a" * 53 + "}\n", "cost 31"),
        ("basic_auth_users: {alice: $1$SECRET$abc}\n", "bcrypt hash"),
        ("rate_limit: {interval: fast}\n", "500ms"),
        ("rate_limit: {interval: 1s}\n", "burst is missing"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("- 1\n", "mapping"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError) as raised:
        parse(text.encode(), "web.yml", "/etc/sctune")
    assert words in raised.value.message
    assert raised.value.message.startswith("web.yml")
    assert "SECRET" not in str(raised.value)


def test_what_is_read() -> None:
    text = (
        TLS
        + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: /x/ca.crt\n"
        + "  client_allowed_sans: [prometheus.example]\n"
        + "  min_version: TLS13\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]\n  curve_preferences: [X25519]\n"
        + "  prefer_server_cipher_suites: false\nhttp_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\n"
        + "    Content-Security-Policy:\nbasic_auth_users:\n  alice: "
        + HASH
        + "\nrate_limit: {interval: 1m30s, burst: 5}\n"
    )
    config = parse(text.encode(), "web.yml", "/etc/sctune")
    assert config.tls is not None
    assert (config.tls.cert_file, config.tls.client_ca_file) == ("/etc/sctune/a.crt", "/x/ca.crt")
    assert config.tls.client_certificate is True
    assert config.tls.ciphers == ("ECDHE-RSA-AES256-GCM-SHA384",)
    assert (config.tls.curve, config.tls.server_preference, config.tls.min_version) == ("X25519", False, "TLS13")
    assert config.headers == {"X-Frame-Options": "deny"}
    assert config.users == {"alice": HASH.encode()}
    assert config.rate_limit is not None
    assert (config.rate_limit.interval, config.rate_limit.burst) == (90.0, 5)
    assert config.protects
    assert not parse(b"", "web.yml", "/").protects


def test_tls_and_headers(tmp_path: Path) -> None:
    config = server_files(tmp_path, "http_server_config:\n  headers: {Strict-Transport-Security: max-age=9}\n")
    with serving(config) as served:
        answer = served.ask(tls=client(tmp_path))
        assert answer.status == 200
        assert answer.headers["strict-transport-security"] == "max-age=9"
        with pytest.raises(ConnectionError):  # not in plain words
            assert served.ask().status == 0
            raise ConnectionError
        old = client(tmp_path)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert served.ask(tls=old).status == 200


@pytest.mark.parametrize(("sans", "admitted"), [("", True), ("[prometheus.example]", True), ("[somebody.else]", False)])
def test_client_certificates(tmp_path: Path, sans: str, admitted: bool) -> None:
    more = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"
    config = server_files(tmp_path, more + (f"  client_allowed_sans: {sans}\n" if sans else ""))
    with serving(config) as served:
        if admitted:
            assert served.ask(tls=client(tmp_path, "client")).status == 200
        else:
            assert _refused(served, client(tmp_path, "client"))
        assert _refused(served, client(tmp_path))
        stranger = client(tmp_path)
        os.mkdir(tmp_path / "strange")
        self_signed(tmp_path / "strange")
        stranger.load_cert_chain(tmp_path / "strange/x.crt", tmp_path / "strange/x.key")
        assert _refused(served, stranger)
        assert not [one for one in served.source.asked if one.collect]


def self_signed(folder: Path) -> None:
    import subprocess

    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    argv += ["-keyout", "x.key", "-out", "x.crt", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:prometheus.example"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=60)


def _refused(served: object, context: ssl.SSLContext) -> bool:
    try:
        return served.ask("/metrics?collect[]=lvm", tls=context).status == 0  # type: ignore[attr-defined, no-any-return]
    except OSError:
        return True


def test_passwords(tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users:\n  alice: {HASH}\n")
    with serving(str(config)) as served:
        for headers in (None, basic("alice", "wrong"), basic("bob", "right"), {"Authorization": "Basic %%%"}, basic("alice", "")):
            for target in ("/metrics", "/", "/-/healthy", "/nosuch"):
                answer = served.ask(target, headers=headers)
                assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Basic realm="sctune"')
        assert not served.source.asked
        for _ in range(3):
            assert served.ask(headers=basic("alice", "right")).status == 200
        assert served.ask(headers=basic("alice", "right" + "x" * 100)).status == 401


def test_a_right_password_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bytes] = []
    real = bcrypt.checkpw

    def counting(password: bytes, hashed: bytes) -> bool:
        looked.append(password)
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counting)
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users:\n  alice: {HASH}\n")
    with serving(str(config)) as served:
        for _ in range(5):
            assert served.ask(headers=basic("alice", "right")).status == 200
        assert looked == [b"right"]
        served.ask(headers=basic("bob", "right"))
        served.ask(headers=basic("bob", "right"))
        assert len(looked) == 3  # somebody who is not known costs as much


def test_a_wrong_password_costs_the_same_for_every_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each cost that there is one hash is computed, whoever asks: nobody learns names from the time it takes."""
    looked: list[str] = []

    def counting(password: bytes, hashed: bytes) -> bool:
        looked.append(hashed[4:6].decode())
        return password == b"right" and not hashed.endswith(b"." * 53)

    monkeypatch.setattr(bcrypt, "checkpw", counting)
    config = tmp_path / "web.yml"
    config.write_text(
        "basic_auth_users:\n" + "".join(f"  {n}: $2y${c}${HASH[7:]}\n" for n, c in (("a", "05"), ("b", 10), ("c", 12)))
    )
    with serving(str(config)) as served:
        for name in ("a", "b", "c", "nobody"):
            looked.clear()
            assert served.ask(headers=basic(name, "wrong")).status == 401
            assert sorted(looked) == ["05", "10", "12"]
        looked.clear()
        assert served.ask(headers=basic("nobody", "right")).status == 401
        assert sorted(looked) == ["05", "10", "12"]
        looked.clear()
        for _ in range(3):
            assert served.ask(headers=basic("a", "right")).status == 200
        assert looked == ["05"]  # who is known already is not kept waiting


def test_rate_limit(tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    config.write_text("rate_limit: {interval: 1h, burst: 2}\n")
    with serving(str(config)) as served:
        assert [served.ask("/").status for _ in range(3)] == [200, 200, 429]


def test_a_changed_file_is_in_force_and_a_broken_one_never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "SETTLED", 0.0)
    config = tmp_path / "web.yml"
    config.write_text("")
    with serving(str(config)) as served:
        kept = served.connect()
        assert served.ask().status == 200
        config.write_text(f"basic_auth_users:\n  alice: {HASH}\n")
        assert served.ask().status == 401
        assert served.ask(headers=basic("alice", "right")).status == 200
        config.write_text("basic_auth_users: {alice: SECRET}\n")
        assert served.ask().status == 401
        assert served.ask(headers=basic("alice", "right")).status == 200
        assert served.log[-1].endswith("the web configuration read before stays in force")
        assert "SECRET" not in "".join(served.log)
        told = len(served.log)
        config.unlink()
        assert served.ask().status == 401
        assert served.ask().status == 401
        assert len(served.log) == told + 1  # once for each state of the file
        server_files(tmp_path, USERS)
        kept.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(100) == b""  # a connection that was begun before TLS was demanded
        assert served.ask(headers=basic("alice", "right"), tls=client(tmp_path)).status == 200
        kept.close()


def test_a_new_certificate_is_served_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "SETTLED", 0.0)
    config = server_files(tmp_path)

    def serial() -> object:
        with served.connect() as plain, client(tmp_path).wrap_socket(plain, server_hostname="localhost") as secured:
            certificate = secured.getpeercert()
            assert certificate is not None
            return certificate["serialNumber"]

    with serving(config) as served:
        before = serial()
        os.replace(tmp_path / "other.crt", tmp_path / "server.crt")
        assert serial() == before  # the key is not that of the certificate yet
        assert "do not belong together" in served.log[-1]
        os.replace(tmp_path / "other.key", tmp_path / "server.key")
        until(lambda: serial() != before)


class Clock:
    """Seconds that the test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_changed_file_is_taken_when_it_has_stayed_the_same_for_a_second(tmp_path: Path) -> None:
    config, clock, log = tmp_path / "web.yml", Clock(), list[str]()
    config.write_text(USERS)
    settings = Settings(str(config), log.append, clock=clock)
    config.write_text("")  # as an editor or cp begins
    assert set(settings.current().config.users) == {"alice"}
    clock.now += 0.9
    config.write_text(USERS + f"  bob: {HASH}\n")
    assert set(settings.current().config.users) == {"alice"}
    clock.now += 0.9
    assert set(settings.current().config.users) == {"alice"}
    assert log == []
    clock.now += 0.1
    assert set(settings.current().config.users) == {"alice", "bob"}
    assert log == [f"{config}: read again"]


def test_a_file_that_changes_while_it_is_read_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, clock, log = tmp_path / "web.yml", Clock(), list[str]()
    config.write_text(USERS)
    settings = Settings(str(config), log.append, clock=clock)
    config.write_text(f"basic_auth_users:\n  bob: {HASH}\n")
    settings.current()
    clock.now += 1
    real = settings_module._read

    def torn(path: str) -> bytes:
        data = real(path)
        config.write_text(USERS + "# written meanwhile\n")
        return data

    monkeypatch.setattr(settings_module, "_read", torn)
    assert set(settings.current().config.users) == {"alice"}
    assert log == []


@pytest.mark.parametrize("taken_away", ["", "rate_limit: {interval: 1s, burst: 9}\n"])
def test_protection_is_taken_away_on_demand_alone(tmp_path: Path, taken_away: str) -> None:
    config, clock, log = tmp_path / "web.yml", Clock(), list[str]()
    config.write_text(USERS)
    settings = Settings(str(config), log.append, clock=clock)
    config.write_text(taken_away)
    for _ in range(5):
        assert settings.current().users
        clock.now += 60
    assert log == [
        f"{config}: it would let in whoever comes, which what is in force does not: the web configuration read before stays in "
        "force; SIGHUP or a restart takes it"
    ]
    settings.reload()
    assert not settings.current().users
    assert log[1:] == [f"{config}: read again"]


def test_tls_is_taken_away_on_demand_alone(tmp_path: Path) -> None:
    config, clock, log = server_files(tmp_path, USERS), Clock(), list[str]()
    settings = Settings(config, log.append, clock=clock)
    (tmp_path / "web.yml").write_text(USERS)
    for _ in range(3):
        assert settings.current().context is not None
        clock.now += 60
    assert log == [
        f"{config}: it would speak without TLS, which what is in force does not: the web configuration read before stays in "
        "force; SIGHUP or a restart takes it"
    ]
    settings.reload()
    assert settings.current().context is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: os.unlink(folder / "server.key"), "server.key: cannot read it: No such file"),
        (lambda folder: os.replace(folder / "locked.key", folder / "server.key"), "has a password"),
        (lambda folder: os.replace(folder / "client.key", folder / "server.key"), "do not belong together"),
        (lambda folder: (folder / "server.crt").write_text("x"), "server.crt and"),
        (lambda folder: (folder / "web.yml").unlink(), "cannot read the web configuration"),
    ],
)
def test_what_keeps_it_from_starting(tmp_path: Path, change: object, words: str) -> None:
    config = server_files(tmp_path)
    change(tmp_path)  # type: ignore[operator]
    with pytest.raises(UserError) as raised:
        Settings(config, lambda _: None)
    assert words in str(raised.value)


def test_without_bcrypt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "bcrypt", None)
    certificates(tmp_path)
    (tmp_path / "web.yml").write_text(f"basic_auth_users:\n  alice: {HASH}\n")
    with pytest.raises(UserError, match=r"sctune\[auth\]"):
        Settings(str(tmp_path / "web.yml"), lambda _: None)
