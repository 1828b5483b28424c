"""The module profile on hosts with settings of their own: a network namespace each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from .namespaces import namespace
from .running import CHECKOUT, play, plays, program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .namespaces import Namespace

pytestmark = pytest.mark.spawns
SLOW_START, WMEM = "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_wmem"
# Only what is a namespace's own.
OURS = f"""summary: for hosts of this test
sysctl:
  {SLOW_START}: {{value: 0, why: a change, source: this test}}
  {WMEM}: {{value: 4096 16384 16777216, why: three numbers, source: this test}}
"""
FILE = "etc/sysctl.d/90-sctune-ours.conf"
NAMES = ("sc1", "sc2")
PROFILE = "sctune.storage.profile"


def put(host: Namespace, text: str) -> None:
    folder = host.root / "etc/sctune/profiles.d"
    folder.mkdir(parents=True)
    (folder / "ours.yaml").write_text(text)
    (host.root / "etc/sysctl.d").mkdir()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("profile")


@pytest.fixture(scope="module")
def hosts(home: Path) -> Iterator[tuple[Namespace, ...]]:
    with namespace(home, NAMES[0]) as one, namespace(home, NAMES[1]) as other:
        for host in (one, other):
            put(host, OURS)
        yield one, other


@pytest.fixture
def inventory(home: Path, hosts: tuple[Namespace, ...]) -> Mapping[str, object]:
    command = program(home / "sctune", f"export PYTHONPATH={CHECKOUT}", f'exec {sys.executable} -m sctune "$@"')
    return {"hosts": {host.name: host.variables(sys.executable, command=command) for host in hosts}}


def ours(title: str, **arguments: object) -> dict[str, object]:
    return {"name": title, PROFILE: {"executable": "{{ command }}", "name": "ours", **arguments}}


def settings(hosts: tuple[Namespace, ...]) -> list[list[str]]:
    """The values in force, and the file's lines that set something."""
    command = f"sysctl -n {SLOW_START} {WMEM}; sed '/^#/d; /^$/d' /{FILE} 2>/dev/null || :"
    return [host.check(command).replace("\t", " ").splitlines() for host in hosts]


def test_applied_once_and_undone(home: Path, hosts: tuple[Namespace, ...], inventory: Mapping[str, object]) -> None:
    before = settings(hosts)
    applied = ["0", "4096 16384 16777216", f"{SLOW_START} = 0", f"{WMEM} = 4096 16384 16777216"]
    assert before[0] != applied

    shown = play(home, plays(ours("plan"), hosts="sc1"), inventory, "--check", "--diff")
    assert (shown.status, shown.changed) == (0, ["plan"]), shown.output
    assert settings(hosts) == before
    for line in (
        "--- before: values in force",
        f"-{SLOW_START} = 1",
        f"+{SLOW_START} = 0",
        f"+++ after: /{FILE}",
        f"+{SLOW_START} = 0",
    ):
        assert f"{line}\n" in shown.output

    first = play(home, plays(ours("first"), ours("second"), hosts="sc1"), inventory, "--diff")
    assert (first.status, first.changed) == (0, ["first"]), first.output
    assert settings(hosts) == [applied, before[1]]  # and no other host's
    # What was done is what was planned, in words and in the difference.
    for key in ("changes", "diff"):
        assert first.of("first").result[key] == shown.of("plan").result[key]
    assert len(first.of("first").result["transactions"]) == 1
    assert (first.of("second").result["diff"], first.of("second").result["changes"]) == ([], [])

    absent = [ours("shown", state="absent") | {"check_mode": True}, ours("gone", state="absent"), ours("none", state="absent")]
    last = play(home, plays(*absent, hosts="sc1"), inventory, "--diff")
    assert (last.status, last.changed) == (0, ["shown", "gone"]), last.output
    assert settings(hosts) == before
    assert not (hosts[0].root / FILE).exists()
    for key in ("changes", "diff", "transactions"):
        assert last.of("gone").result[key] == last.of("shown").result[key]
    assert f"{SLOW_START}: 0 -> 1" in last.of("gone").result["changes"]
    assert f"-{SLOW_START} = 0\n" in last.output
    assert f"+{SLOW_START} = 1\n" in last.output


def test_what_somebody_changed_is_left(home: Path, hosts: tuple[Namespace, ...], inventory: Mapping[str, object]) -> None:
    before = settings(hosts)
    tasks: list[Mapping[str, object]] = [
        ours("apply", set={WMEM: "leave", SLOW_START: 0}, scope="live"),
        ours("apply more", set={WMEM: "4096 16384 8388608"}, scope="live"),
        ours("plan", state="absent") | {"check_mode": True},
        {"name": "somebody", "ansible.builtin.command": {"argv": ["sysctl", "-w", f"{WMEM}=4096 16384 1048576"]}},
        ours("undo", state="absent"),
        ours("again", state="absent"),
        ours("by force", state="absent", force=True),
    ]
    done = play(home, plays(*tasks, hosts="sc1"), inventory)
    assert done.status == 0, done.output
    assert done.changed == ["apply", "apply more", "plan", "somebody", "undo", "by force"]
    assert done.of("plan").result["left"] == []
    newer, older = done.of("plan").result["transactions"]
    assert newer == older + 1
    assert done.of("undo").result["left"] == [f"{WMEM}: it is 4096 16384 1048576, and we had set 4096 16384 8388608"]
    assert "left as somebody has changed it since" in done.output
    assert settings(hosts) == before


def test_conflicts_and_what_cannot_be_read_fail(home: Path, hosts: tuple[Namespace, ...], inventory: Mapping[str, object]) -> None:
    rival = hosts[0].root / "etc/sysctl.d/99-rival.conf"
    rival.write_text(f"{SLOW_START} = 1\n")
    (hosts[1].root / FILE).mkdir()
    conflicting, unread = settings(hosts)
    done = play(home, plays(ours("apply")), inventory)
    assert (done.status, done.changed, len(done.failed)) == (2, [], 2), done.output
    assert "the plan has conflicts: " in done.of("apply", "sc1").result["msg"]
    assert "99-rival.conf" in done.of("apply", "sc1").result["msg"]
    assert FILE in done.of("apply", "sc2").result["msg"]
    assert "\n" not in done.of("apply", "sc2").result["msg"]
    assert done.of("apply", "sc1").result["changed"] is False
    assert settings(hosts)[0] == conflicting
    # What could be read was changed, and that is told.
    assert done.of("apply", "sc2").result["changed"] is True
    assert settings(hosts)[1] != unread
