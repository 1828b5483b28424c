"""What a real kernel refuses in the middle of applying a profile, and hosts on which only a part can be written at all: nothing is
left half done, and one line says why."""

from __future__ import annotations

import base64
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .verdict import SCTUNE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .machine import Completed, Machine

WHY = "why: no default, source: this test"
QUEUE = f"""block:
  none: {{attribute: scheduler, value: [none], when: {{kind: virtio}}, {WHY}}}
  ahead: {{attribute: read_ahead_kb, value: %s, when: {{kind: virtio}}, {WHY}}}
"""
PROFILES = {
    # -1 passes every check but the kernel's (mm/page_alloc.c: min_free_kbytes has a minimum).
    "sysctls": "summary: refused\nsysctl:\n"
    + "".join(
        f"  {key}: {{value: {value}, {WHY}}}\n"
        for key, value in (("vm.dirty_bytes", "64 MiB"), ("vm.swappiness", 7), ("vm.min_free_kbytes", -1))
    ),
    # No more than fits into 32 bits (block/blk-sysfs.c).
    "queues": f"summary: refused\nsysctl:\n  vm.swappiness: {{value: 7, {WHY}}}\n{QUEUE % 5000000000}",
    "sound": f"summary: all of it can be had\nsysctl:\n  vm.dirty_bytes: {{value: 64 MiB, {WHY}}}\n{QUEUE % 1000}",
}
STATE = (
    "cd /proc/sys/vm && cat dirty_ratio dirty_bytes dirty_background_ratio dirty_background_bytes swappiness min_free_kbytes; "
    "cd /sys/block/vda/queue && cat scheduler nr_requests read_ahead_kb max_sectors_kb; "
    "cd /etc && find sysctl.d udev/rules.d tmpfiles.d modprobe.d | sort | xargs -n1 stat -c '%n %a %u %s'"
)
USER = "setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent"


@pytest.fixture(scope="module")
def host(boot: Callable[..., Machine]) -> Iterator[Machine]:
    """A machine with these profiles, whose programs everybody may run."""
    with boot() as machine:
        machine.check("mkdir -p /etc/sctune/profiles.d")
        for name, text in PROFILES.items():
            encoded = base64.b64encode(text.encode()).decode()
            machine.check(f"echo {encoded} | base64 -d > /etc/sctune/profiles.d/{name}.yaml")
        # The interpreter, its environment or the project may lie in a folder that is its owner's alone.
        for folder in {*Path(sys.executable).resolve().parents, *Path(sys.executable).parents, *Path(__file__).resolve().parents}:
            machine.check(f"chmod a+x {shlex.quote(str(folder))}")
        yield machine


def sctune(machine: Machine, arguments: str, *, within: str = "", read_only: tuple[str, ...] = ()) -> Completed:
    """The command, where these folders take no writes."""
    command = f"{within} {SCTUNE} {arguments}"
    if read_only:
        mounts = " && ".join(f"mount --bind {one} {one} && mount -o remount,bind,ro {one}" for one in read_only)
        command = f"unshare -m sh -c '{mounts} && exec {command}'"
    done = machine.run(command, timeout=120.0)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def apply(machine: Machine, options: str, *, within: str = "", read_only: tuple[str, ...] = ()) -> Completed:
    return sctune(machine, f"apply-profile --config /dev/null {options}", within=within, read_only=read_only)


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        (
            "sysctls",
            "vm.min_free_kbytes could not be changed: /proc/sys/vm/min_free_kbytes does not take -1: invalid argument",
        ),
        (
            "queues",
            "vda/read_ahead_kb could not be changed: /sys/block/vda/queue/read_ahead_kb does not take 5000000000: invalid argument",
        ),
    ],
)
def test_what_the_kernel_refuses_in_the_middle_undoes_all(host: Machine, profile: str, told: str) -> None:
    before = host.check(STATE)
    done = apply(host, f"{profile} --yes")
    assert (done.status, done.stderr) == (1, "")
    assert " ".join(done.stdout.split()) == f"{told} Everything is as it was before."
    assert host.check(STATE) == before


def test_the_history_has_them(host: Machine) -> None:
    entries = json.loads(sctune(host, "history --format json").stdout)["transactions"]
    assert [(one["profile"], one["state"]) for one in entries] == [(name, "failed and undone") for name in ("sysctls", "queues")]
    assert entries[0]["failed"] == "/proc/sys/vm/min_free_kbytes does not take -1: invalid argument"
    # The values before the refused one had been changed, and were given back.
    undone = {one["setting"]: one["undone"] for one in entries[1]["changes"]}
    assert {undone[name] for name in ("vm.swappiness", "vda/scheduler")} == {"back"}


def test_a_read_only_etc_is_a_conflict_and_what_is_in_force_goes_without(host: Machine) -> None:
    before = host.check(STATE)
    done = apply(host, "sound --yes", read_only=("/etc",))
    assert done.status == 1
    assert done.stderr.splitlines()[0] == "sctune: nothing was changed: the plan has conflicts"
    assert "/etc/sysctl.d/90-sctune-sound.conf cannot be written: /etc is mounted read-only" in " ".join(done.stdout.split())
    assert host.check(STATE) == before
    done = apply(host, "sound --yes --live-only", read_only=("/etc",))
    assert (done.status, done.stderr) == (0, "")
    assert "Applied: 3 changes" in done.stdout
    assert host.check("cat /proc/sys/vm/dirty_bytes /sys/block/vda/queue/read_ahead_kb").split() == [str(64 << 20), "1000"]
    host.check("echo 512 > /sys/block/vda/queue/read_ahead_kb")
    done = sctune(host, "verify-profile sound --config /dev/null --format json")
    assert (done.status, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert (document["live"], document["persist"]) == (True, False)
    assert document["differences"] == ["block.ahead: vda has 512, to be 1000"]
    assert sctune(host, "rollback --yes --force").status == 0
    assert host.check(STATE) == before


def test_a_container_changes_nothing_of_its_hosts_kernel(host: Machine) -> None:
    before = host.check(STATE)
    done = apply(host, "sound --yes --live-only", read_only=("/sys", "/proc/sys"))
    assert (done.status, done.stderr) == (0, "")
    assert "Nothing was to do" in done.stdout
    assert host.check(STATE) == before


def test_an_ordinary_user_sees_the_plan_and_changes_nothing(host: Machine) -> None:
    before = host.check(STATE)
    done = apply(host, "sound --dry-run", within=USER)
    assert (done.status, done.stderr) == (4, "")
    assert "3 values and 2 files would change" in done.stdout
    done = apply(host, "sound --yes", within=USER)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "sctune: nothing was changed: applying takes root",
        "Run it as root, or see the plan with --dry-run.",
    ]
    assert host.check(STATE) == before
