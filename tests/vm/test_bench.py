"""A benchmark on a host with device-mapper: an LV on a loop device, and a target on the tgtd that serves volumes;
nothing of it is left, in LVM neither, also when it is killed, and no volume has changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .crowd import make_crowd
from .verdict import SCTUNE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Machine

pytestmark = pytest.mark.thorough

BENCH = f"{SCTUNE} bench --config /dev/null --in /var/lib/eucalyptus --size '48 MiB' --runtime 1 --runs 1"
LEFT = (
    "ls -A /var/lib/eucalyptus | grep bench; ls -A /var/lib/sctune 2>/dev/null; losetup -a | grep bench; dmsetup ls | grep bench;"
    "lvm vgs --noheadings 2>&1 | grep bench; ls -A /etc/lvm/backup /etc/lvm/archive | grep bench;"
    "tgtadm --lld iscsi --op show --mode target | grep sctune:bench; pgrep -x fio; true"
)
# The volumes and the COW store, not the snapshot's file: the copy to it runs all the while.
STATE = (
    "dmsetup table | sort; losetup -a | sort; tgtadm --lld iscsi --op show --mode target; md5sum /var/lib/eucalyptus/volumes/vol-*"
)


def test_all_layers_and_nothing_left(boot: Callable[..., Machine]) -> None:
    with boot() as machine:
        make_crowd(machine, (), sound=1)
        before = machine.check(STATE, timeout=120.0)
        done = machine.run(f"{BENCH} --format json", timeout=300.0)
        assert done.status == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        layers = {one["layer"]: one for one in found["layers"]}
        assert list(layers) == ["file", "loop", "lv", "target"]
        for name in ("file", "loop", "lv"):
            assert all(job["runs"] for job in layers[name]["jobs"]), layers[name]
        assert layers["lv"]["below"] == "loop"
        assert layers["lv"]["address"].startswith("/dev/mapper/sctunebench")
        assert next(job for job in layers["target"]["jobs"] if job["job"] == "random-read")["runs"]
        assert machine.run(LEFT).stdout == ""

        machine.check(f"({BENCH} --runtime 60 --layer lv >/dev/null 2>&1 & echo $! >/run/pid); sleep 1")
        machine.check(
            "for n in $(seq 200); do pgrep -f 'filename=/dev/mapper/[s]ctunebench' >/dev/null && exit 0; sleep 0.5; done; exit 1",
            timeout=150.0,
        )
        machine.check("pkill -KILL -f 'sctune [b]ench'; sleep 3")
        assert "sctunebench" in machine.run(LEFT).stdout
        again = machine.run(f"{SCTUNE} bench --config /dev/null --clean", timeout=120.0)
        assert (again.status, again.stderr) == (0, "")
        assert "Removed what a killed benchmark left in" in again.stdout
        assert machine.run(LEFT).stdout == ""
        assert machine.check(STATE, timeout=120.0) == before
