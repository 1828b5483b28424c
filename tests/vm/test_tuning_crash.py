"""Applying and rolling back on a real kernel, with real node records: killed at every step, and with the power cut at random."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Machine

CHECKOUT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.thorough  # four minutes each
TUNING = f"cd {CHECKOUT} && PYTHONPATH={CHECKOUT} {sys.executable} -m tests.vm.tuning"
CUTS = 4


def test_killed_at_every_step(boot: Callable[..., Machine]) -> None:
    with boot() as machine:
        machine.check(f"{TUNING} prepare")
        applied, undone = map(int, machine.check(f"{TUNING} every", timeout=500.0).split())
    print("steps of apply and of rollback:", applied, undone)
    assert applied > 40
    assert undone > 25


def test_power_cuts(boot: Callable[..., Machine], tmp_path: Path) -> None:
    """Files are as they were; values are as the boot makes them."""
    chance = random.Random(4)
    with boot(disk=tmp_path) as machine:
        machine.check(f"{TUNING} prepare && sync")
        before = machine.check(f"{TUNING} state")
        interrupted = 0
        for _ in range(CUTS):
            machine.check(f"({TUNING} work) >/run/work 2>&1 &")
            time.sleep(chance.uniform(2.0, 5.0))
            machine.reset()
            interrupted += (
                machine.run(f"grep -c record /var/lib/sctune/journal/*.journal | tail -n 1; {TUNING} state").stdout != before
            )
            machine.check(f"{TUNING} back")
            machine.check("echo none > /sys/block/vda/queue/scheduler")
            assert machine.check(f"{TUNING} state") == before
