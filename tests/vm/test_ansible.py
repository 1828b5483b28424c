"""The Ansible collection against a real host: its kernel's settings, its udev, its systemd. Ansible runs beside the machine, and
every command goes through its agent."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.ansible.running import play, plays, program
from tests.unit.certificates import certificates
from tests.wheels import built, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ansible.running import Played

    from .machine import Machine

pytestmark = pytest.mark.thorough  # every task is an interpreter that an emulated processor starts
SECONDS = 300.0
# A unit may not look into a home, where another interpreter may lie.
PYTHON = "/usr/bin/python3"
# The certificate is that of a name; nothing is told to who does not speak TLS.
SCRAPE = (
    "! curl -sS -m 30 -f http://127.0.0.1:10198/metrics 2>/dev/null && for _ in 1 2 3 4; do curl -sS -m 30 -f "
    "--cacert /etc/sctune/ca.crt https://localhost:10198/metrics | grep -q ^sctune_ && exit 0; sleep 5; done; exit 1"
)
# Between Ansible and the agent: a line of JSON each way.
ENTER = """
import base64, json, socket, sys
asked = {"command": sys.argv[1], "input": base64.b64encode(sys.stdin.buffer.read()).decode()}
with socket.socket(socket.AF_UNIX) as agent:
    agent.connect(sys.argv[2])
    agent.sendall(json.dumps(asked).encode() + b"\\n")
    answer = json.loads(agent.makefile().readline())
sys.stdout.write(answer["stdout"])
sys.stderr.write(answer["stderr"])
sys.exit(answer["status"])
"""
STATE = (
    "cd /proc/sys/vm && cat dirty_ratio dirty_bytes dirty_background_ratio dirty_background_bytes swappiness; "
    "cat /proc/sys/net/ipv4/tcp_slow_start_after_idle /sys/block/vda/queue/scheduler /sys/block/vda/queue/nr_requests; "
    "cd /etc && find sysctl.d udev/rules.d tmpfiles.d modprobe.d | sort"
)


class Door:
    """Lets Ansible into the machine, one command at a time."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.path = str(folder / "door")
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()
        script = folder / "enter.py"
        script.write_text(ENTER)
        self.enter = program(folder / "enter", f'exec {sys.executable} -I {script} "$1" {self.path}')

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            with caller, caller.makefile() as lines:
                asked = json.loads(lines.readline())
                caller.sendall(json.dumps(self._run(asked["command"], asked["input"])).encode() + b"\n")

    def _run(self, command: str, given: str) -> dict[str, object]:
        with self.lock:
            # An argument of a process is 128 KiB at most, and a wheel is longer.
            self.machine.check(": > /run/ansible-input")
            for start in range(0, len(given), 96_000):
                self.machine.check(f"printf %s {given[start : start + 96_000]} | base64 -d >> /run/ansible-input")
            done = self.machine.run(f"({command}) < /run/ansible-input", timeout=SECONDS)
            return {"status": done.status, "stdout": done.stdout, "stderr": done.stderr}

    def close(self) -> None:
        self.listener.close()


@pytest.fixture(scope="module")
def door(boot: Callable[..., Machine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A machine with systemd, into which Ansible may."""
    with boot(systemd=True) as machine:
        made = Door(machine, tmp_path_factory.mktemp("door"))
        yield made
        made.close()


def test_a_host_is_set_up_tuned_watched_and_given_back(door: Door, tmp_path: Path) -> None:
    machine = door.machine
    version = machine.check(f"{PYTHON} --version").split()[1]
    if not version.startswith("{}.{}.".format(*sys.version_info)):
        pytest.skip(f"the wheels would be for another Python than Debian's {version}")
    wheel = built(tmp_path)
    (tmp_path / "tls").mkdir()
    certificates(tmp_path / "tls")
    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}\n")
    (tmp_path / "wheels").mkdir()
    packed(tmp_path / "wheels")
    variables = {
        "ansible_connection": "inside",
        "inside_enter": door.enter,
        "ansible_python_interpreter": PYTHON,
        "ansible_remote_tmp": "/run/ansible",
        "storage_host_package": str(wheel),
        "storage_host_wheelhouse": shutil.make_archive(str(tmp_path / "wheels"), "gztar", tmp_path / "wheels"),
        "storage_host_extras": [],
        "storage_host_python": PYTHON,
        "storage_host_profile": "storage-controller",
        "storage_host_exporter_listen": ["127.0.0.1:10198"],
        "storage_host_exporter_files": {
            "web.yml": str(web),
            **{name: str(tmp_path / "tls" / name) for name in ("server.crt", "server.key", "ca.crt")},
        },
    }
    inventory = {"children": {"storage_controllers": {"hosts": {"sc1": variables}}}}

    def run(*options: str) -> Played:
        done = play(tmp_path, "sctune.storage.cloud", inventory, *options, seconds=1800.0)
        assert done.status == 0, done.output
        return done

    before = machine.check(STATE)
    first = run()
    assert {"Install the wheel into it", "Tune the host", "Enable and start the units"} <= set(first.changed)
    after = machine.check(STATE)
    assert after != before
    assert "sysctl.d/90-sctune-storage-controller.conf" in after
    assert first.of("Findings by host").result["msg"][1].startswith("sc1 ")
    assert machine.check("stat -c %a:%U /etc/sctune/server.key") == "600:root\n"
    assert "PRIVATE KEY" not in first.output
    units = "sctune-collector.socket sctune-exporter.socket sctune-doctor.timer"
    assert machine.check(f"systemctl is-enabled {units}; systemctl is-active {units}").split() == ["enabled"] * 3 + ["active"] * 3
    machine.check(SCRAPE, timeout=SECONDS)

    assert run().changed == []
    assert machine.check(STATE) == after

    call = {"name": "storage-controller", "executable": "/usr/local/sbin/sctune"}
    tasks = [
        {"name": title, "sctune.storage.profile": call | arguments} | more
        for title, arguments, more in (
            ("plan", {"set": {"vm.swappiness": 7}}, {"check_mode": True}),
            ("absent", {"state": "absent"}, {}),
            ("again", {"state": "absent"}, {}),
        )
    ]
    last = play(tmp_path, plays(*tasks), inventory, "--diff", seconds=SECONDS)
    assert (last.status, last.changed) == (0, ["plan", "absent"]), last.output
    assert "-vm.swappiness = 10\n+vm.swappiness = 7\n" in last.output
    assert last.of("absent").result["transactions"] == [1]
    assert machine.check(STATE) == before
