"""The units, judged by systemd itself; sockets that it passes and what it is told; addresses."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from sctune.errors import UserError
from sctune.exporters.prometheus.systemd import Notifier, passed_sockets
from sctune.exporters.prometheus.web.listen import exposed, listen, listen_at, read_address, written

UNITS = Path(__file__).resolve().parents[2] / "packaging" / "systemd"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")


@needs_systemd
@pytest.mark.spawns
@pytest.mark.parametrize(("unit", "most"), [("sctune-collector.service", 3.0), ("sctune-exporter.service", 1.5)])
def test_exposure(unit: str, most: float) -> None:
    argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNITS / unit)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= most


@needs_systemd
@pytest.mark.spawns
def test_the_units_are_what_systemd_understands(tmp_path: Path) -> None:
    for unit in UNITS.glob("sctune-*"):
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/sctune", "/bin/true"))
    units = [str(tmp_path / unit.name) for unit in UNITS.glob("sctune-*.service")]
    argv = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    ours = [line for line in done.stderr.splitlines() if "sctune" in line]
    assert ours == []


def test_the_default_address_is_one() -> None:
    from sctune.exporters.prometheus.web.listen import DEFAULT

    assert f"ListenStream={DEFAULT}\n" in (UNITS / "sctune-exporter.socket").read_text()


def test_sockets_that_are_passed() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web", "OTHER": "x"}
    (adopted,) = passed_sockets(environment, first=listener.detach())
    assert environment == {"OTHER": "x"}
    assert not adopted.get_inheritable()
    assert exposed([adopted]) == ()
    adopted.close()


@pytest.mark.parametrize("environment", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": "x", "LISTEN_FDS": "1"}])
def test_sockets_that_are_for_somebody_else(environment: dict[str, str]) -> None:
    assert passed_sockets(environment) == []


def test_a_socket_that_cannot_be_used(tmp_path: Path) -> None:
    environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with pytest.raises(UserError, match="web was passed"):
        passed_sockets(dict(environment), first=datagram.detach())
    with open(tmp_path / "file", "w") as file, pytest.raises(UserError, match="no socket"):
        passed_sockets(dict(environment), first=file.fileno())


def test_what_the_service_manager_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}
        notifier = Notifier(environment)
        assert notifier.every == 30.0
        assert not environment  # no child tells in our name
        notifier.ready()
        notifier.alive()
        notifier.stopping()
        assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]
    notifier.alive()  # nobody listens any more
    Notifier({}).ready()
    assert Notifier({}).every is None
    assert Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}).every is None


@pytest.mark.parametrize("text", ["", "x", "localhost", "1.2.3.4", "1.2.3.4:x", "1.2.3.4:65536",
                                  "::1:80", "host.example:80", "[1.2.3.4]:80", "[::1]", "/" + "a" * 200])  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UserError, match="--listen"):
        read_address(text)


def test_who_can_reach_an_address() -> None:
    listeners = listen(map(read_address, ("127.0.0.1:0", "0.0.0.0:0", "localhost:0")))
    assert [address.partition(":")[0] for address in exposed(listeners)] == ["0.0.0.0"]
    for listener in listeners:
        listener.close()


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="cannot listen on"):
        listen([read_address(f"127.0.0.1:{taken.getsockname()[1]}")])
    with listen_at(str(tmp_path / "x")) as held:
        assert written(held) == str(tmp_path / "x")
        assert os.stat(tmp_path / "x").st_mode & 0o777 == 0o660
        with pytest.raises(UserError, match="in use"):
            listen_at(str(tmp_path / "x"))
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UserError):
        listen_at(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "precious"
