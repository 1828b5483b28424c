"""Debian's own tuned: a profile applied through it, read back, applied again, rolled back to the byte; and refused beside it."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pytest

from .kernel import MachineUnavailable, find_program
from .verdict import SCTUNE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .machine import Completed, Machine

pytestmark = pytest.mark.thorough  # tuned takes its time in the machine

SITE = """summary: for this machine # 1
sysctl:
  vm.dirty_bytes: {value: 64 MiB, why: bytes are given back by the ratio, source: this test}
  vm.swappiness: {value: 7, why: no default, source: this test}
  net.core.somaxconn: {value: 5000, only: raise, why: a bound, source: this test}
  net.ipv4.tcp_rmem: {value: 4096 131072 16777216, only: raise, why: three numbers, source: this test}
block:
  deadline: {attribute: scheduler, value: [mq-deadline, deadline], when: {kind: virtio}, why: no default, source: this test}
  ahead: {attribute: read_ahead_kb, value: 999, only: raise, when: {kind: [virtio, loop]}, why: rounded, source: this test}
  requests: {attribute: nr_requests, value: 100, when: {kind: virtio}, why: after the scheduler, source: this test}
  small: {attribute: max_sectors_kb, value: 128, when: {kind: virtio, rotational: true}, why: below its limit, source: this test}
system:
  transparent_hugepage: {value: never, why: no default, source: this test}
"""
RATIO = "summary: a ratio\nsysctl:\n  vm.dirty_ratio: {value: 33, why: it ends the bytes, source: this test}\n"
# What the kernel has, and every file that tuned or sctune writes.
STATE = (
    "cd /proc/sys/vm && cat dirty_ratio dirty_bytes dirty_background_ratio dirty_background_bytes swappiness; "
    "cd /proc/sys/net && cat core/somaxconn ipv4/tcp_rmem; "
    "cd /sys/block/vda/queue && cat scheduler nr_requests read_ahead_kb max_sectors_kb; cat /sys/block/loop0/queue/read_ahead_kb; "
    "cat /sys/kernel/mm/transparent_hugepage/enabled; "
    "cd /etc && find tuned sysctl.d udev/rules.d tmpfiles.d modprobe.d | sort && "
    "find tuned sysctl.d udev/rules.d tmpfiles.d modprobe.d -type f | sort | xargs stat -c '%a %u %g' | uniq -c && "
    "find tuned sysctl.d udev/rules.d tmpfiles.d modprobe.d -type f | sort | xargs sha256sum"
)
START = "tuned -l -d -P; for i in $(seq 60); do tuned-adm active >/dev/null 2>&1 && exit 0; sleep 1; done; exit 1"
SECONDS = 240.0


def sctune(machine: Machine, arguments: str) -> Completed:
    done = machine.run(f"{SCTUNE} {arguments}", timeout=SECONDS)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def apply(machine: Machine, options: str = "") -> Completed:
    return sctune(machine, f"apply-profile ours --yes --config /dev/null {options}")


def rolled_back(machine: Machine) -> str:
    done = sctune(machine, "rollback --yes")
    assert done.status == 0, done.stdout + done.stderr
    return machine.check(STATE)


@pytest.fixture(scope="module")
def tuned(boot: Callable[..., Machine]) -> Iterator[Machine]:
    """A machine with tuned, which has chosen a profile by itself."""
    try:
        for name in ("tuned", "dbus-daemon"):
            find_program(name, name)
    except MachineUnavailable as error:
        if os.environ.get("SCTUNE_REQUIRE_VM") == "1":
            raise
        pytest.skip(str(error))
    with boot() as machine:
        files = (("ours", SITE), ("ratio", RATIO))
        machine.check("mkdir -p /etc/sctune/profiles.d /run/dbus /run/tuned && truncate -s 64M /var/tmp/one")
        for name, text in files:
            encoded = base64.b64encode(text.encode()).decode()
            machine.check(f"echo {encoded} | base64 -d > /etc/sctune/profiles.d/{name}.yaml")
        machine.check("modprobe loop && losetup /dev/loop0 /var/tmp/one && dbus-daemon --system --fork")
        yield machine


def test_without_a_tuned_that_runs_nothing_is_done_through_it(tuned: Machine) -> None:
    before = tuned.check(STATE)
    done = apply(tuned, "--via tuned")
    assert (done.status, done.stdout) == (1, "")
    assert "tuned does not run here" in done.stderr.splitlines()[0]
    assert tuned.check(STATE) == before


def test_through_tuned_from_a_profile_that_it_chose_itself(tuned: Machine) -> None:
    tuned.check(START, timeout=SECONDS)
    before = tuned.check(STATE)
    assert tuned.check("cat /etc/tuned/profile_mode") == "auto\n"
    done = apply(tuned, "--via tuned")
    assert done.status == 0, done.stdout + done.stderr
    now = tuned.check("cat /etc/tuned/active_profile /etc/tuned/profile_mode; cd /proc/sys; cat vm/dirty_bytes vm/swappiness")
    assert now.split() == ["sctune-ours", "manual", str(64 << 20), "7"]
    queue = tuned.check("cd /sys/block/vda/queue; cat nr_requests read_ahead_kb max_sectors_kb scheduler").split()
    assert queue[:3] == ["100", "996", "128"]
    assert "[mq-deadline]" in queue
    assert tuned.check("cat /proc/sys/net/core/somaxconn /sys/block/loop0/queue/read_ahead_kb").split() == ["5000", "996"]
    assert "[never]" in tuned.check("cat /sys/kernel/mm/transparent_hugepage/enabled")
    assert tuned.check("ls /etc/sysctl.d /etc/udev/rules.d /etc/tmpfiles.d | grep sctune; true") == ""
    applied = tuned.check(STATE)
    again = apply(tuned, "--via tuned")
    assert (again.status, "Nothing was to do" in again.stdout) == (0, True), again.stdout + again.stderr
    verified = sctune(tuned, "verify-profile ours --config /dev/null")
    assert (verified.status, verified.stdout) == (0, "ours: conforms, as transaction 1 applied it (--via tuned)\n")
    assert tuned.check(STATE) == applied
    assert rolled_back(tuned) == before


def test_beside_a_tuned_that_sets_the_same_otherwise_it_is_refused(tuned: Machine) -> None:
    tuned.check("tuned-adm profile throughput-performance", timeout=SECONDS)
    before = tuned.check(STATE)
    done = apply(tuned)
    assert done.status == 1
    told = " ".join(done.stdout.split())
    assert "its profile throughput-performance sets vm.dirty_ratio (to 40), vm.swappiness (to 10)" in told
    assert "--via tuned" in told
    assert "`tuned-adm off`" in told
    assert tuned.check(STATE) == before


def test_a_tuned_that_was_killed_has_forgotten_and_the_journal_has_not(tuned: Machine) -> None:
    before = tuned.check(STATE)  # with throughput-performance, chosen by hand
    assert tuned.check("cat /etc/tuned/profile_mode") == "manual\n"
    assert apply(tuned, "--via tuned").status == 0
    tuned.check("kill -9 $(cat /run/tuned/tuned.pid); sleep 1")
    tuned.check(START, timeout=SECONDS)
    assert sctune(tuned, "verify-profile ours --config /dev/null").status == 0
    assert rolled_back(tuned) == before


def test_from_a_tuned_that_is_switched_off(tuned: Machine) -> None:
    tuned.check("tuned-adm off", timeout=SECONDS)
    before = tuned.check(STATE)
    assert apply(tuned, "--via tuned").status == 0
    assert tuned.check("cat /proc/sys/vm/dirty_bytes") == f"{64 << 20}\n"
    assert rolled_back(tuned) == before


def test_what_tuned_itself_does_not_give_back(tuned: Machine) -> None:
    """What the journal is for: were tuned to give back both, less would do."""
    pair = "cd /proc/sys/vm && cat dirty_ratio dirty_bytes"
    tuned.check("mkdir -p /etc/tuned/a /etc/tuned/b")
    for name, line in (("a", f"vm.dirty_bytes={64 << 20}"), ("b", "vm.dirty_ratio=33")):
        tuned.check(f"printf '[main]\\nsummary=x\\n[sysctl]\\n{line}\\n' > /etc/tuned/{name}/tuned.conf")
    tuned.check("echo 20 > /proc/sys/vm/dirty_ratio && tuned-adm profile a && tuned-adm off", timeout=SECONDS)
    assert tuned.check(pair).split() == ["0", str(64 << 20)]
    tuned.check("tuned-adm profile b && tuned-adm off", timeout=SECONDS)
    assert tuned.check(pair).split() == ["0", "0"]
    # And through sctune, bytes being in force before.
    tuned.check(f"echo {32 << 20} > /proc/sys/vm/dirty_bytes; rm -r /etc/tuned/a /etc/tuned/b")
    before = tuned.check(STATE)
    done = sctune(tuned, "apply-profile ratio --via tuned --yes --config /dev/null")
    assert done.status == 0, done.stdout + done.stderr
    assert tuned.check(pair).split() == ["33", "0"]
    assert rolled_back(tuned) == before


def test_what_tuned_cannot_make_undoes_all(tuned: Machine) -> None:
    before = tuned.check(STATE)
    # tuned loads it after the active profile, on top of it.
    text = r"[main]\nsummary=x\n[sysctl]\nvm.swappiness=33\n"
    tuned.check(f"mkdir -p /etc/tuned/mine && printf '{text}' > /etc/tuned/mine/tuned.conf")
    tuned.check("tuned-adm profile balanced && echo mine > /etc/tuned/post_loaded_profile", timeout=SECONDS)
    tuned.check("kill $(cat /run/tuned/tuned.pid); while pidof -x tuned; do sleep 1; done; true", timeout=SECONDS)
    tuned.check(START, timeout=SECONDS)
    loaded = tuned.check(STATE)
    done = apply(tuned, "--via tuned")
    assert done.status == 1
    assert "vm.swappiness could not be changed: /proc/sys/vm/swappiness reads 33 and was to be 7" in " ".join(done.stdout.split())
    assert "Everything is as it was before." in done.stdout
    assert tuned.check(STATE) == loaded
    assert before != loaded
