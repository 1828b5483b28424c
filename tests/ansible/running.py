"""ansible-core, run as an operator runs it, on an inventory of our own and with the checkout's collection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTION = CHECKOUT / "ansible"
PLUGINS = CHECKOUT / "tests/data/ansible"
PROGRAMS = Path(sys.executable).parent
SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of one task on one host. `how`: ok, changed, failed, ignored, skipped, unreachable."""

    host: str
    task: str
    how: str
    result: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How a run of ansible-playbook ended."""

    status: int
    output: str
    told: tuple[Told, ...]

    def of(self, task: str, host: str | None = None) -> Told:
        """What came of a task, whose name is unique, on a host or on the only one. A role's name may stand before it."""
        (found,) = (one for one in self.told if one.task.rpartition(" : ")[2] == task and host in (None, one.host))
        return found

    def how(self) -> dict[str, int]:
        """How many tasks ended how."""
        return {how: sum(one.how == how for one in self.told) for how in sorted({one.how for one in self.told})}

    @property
    def changed(self) -> list[str]:
        return [one.task.rpartition(" : ")[2] for one in self.told if one.how == "changed"]

    @property
    def failed(self) -> list[tuple[str, str, object]]:
        return [(one.host, one.task, one.result.get("msg")) for one in self.told if one.how in ("failed", "unreachable")]


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the caller's: no configuration, no collections, no folder in a home. `home` is made what it needs to be."""
    place = home / "ansible_collections/sctune/storage"
    if not place.exists():
        place.parent.mkdir(parents=True)
        place.symlink_to(COLLECTION)
        (home / "ansible.cfg").touch()
    return {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOME": str(home / ".ansible"),
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(home),
        "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS / "connection"),
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "recorded",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }


def run(
    home: Path, *argv: str, where: Path | None = None, seconds: float = SECONDS, **more: str
) -> subprocess.CompletedProcess[str]:
    """One of Ansible's programs; both streams are in `stdout`."""
    return subprocess.run(
        (str(PROGRAMS / argv[0]), *argv[1:]),
        cwd=where or home,
        env=environment(home, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )


def play(home: Path, playbook: object, hosts: Mapping[str, object], *options: str, seconds: float = SECONDS) -> Played:
    """Runs a playbook: a list of plays, or the name of one of the collection's. `hosts` is an inventory as a mapping, JSON of the
    structure of a YAML inventory's `all`."""
    inventory = home / "hosts.yml"
    inventory.write_text(json.dumps({"all": hosts}))
    name = playbook if isinstance(playbook, str) else str(home / "playbook.yml")
    if not isinstance(playbook, str):
        (home / "playbook.yml").write_text(json.dumps(playbook))
    recorded = home / "recorded"
    recorded.unlink(missing_ok=True)
    done = run(home, "ansible-playbook", "--inventory", str(inventory), name, *options, seconds=seconds, RECORDED=str(recorded))
    lines = recorded.read_text().splitlines() if recorded.exists() else []
    return Played(status=done.returncode, output=done.stdout, told=tuple(Told(**json.loads(line)) for line in lines))


def plays(*tasks: Mapping[str, object], hosts: str = "all") -> list[Mapping[str, object]]:
    """A playbook of one play."""
    return [{"hosts": hosts, "gather_facts": False, "tasks": list(tasks)}]


def program(path: Path, *lines: str) -> str:
    """A shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return str(path)


def here(**more: object) -> dict[str, object]:
    """The variables of a host that is this machine."""
    return {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **more}


def recorded(folder: Path, scenario: str) -> dict[str, object]:
    """The variables of a host that is a recorded one: its `sctune` looks at the record."""
    record = CHECKOUT / "tests/scenarios" / scenario / "host.tar.gz"
    line = f'command=$1; shift; exec {sys.executable} -m sctune "$command" --from {record} "$@"'
    return here(storage_host_command=program(folder / scenario / "sctune", f"export PYTHONPATH={CHECKOUT}", line))
