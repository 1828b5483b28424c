"""Applying and rolling back on a real kernel, with real node records: killed at every step, and with the power cut at random."""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .verdict import SCTUNE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Machine

CHECKOUT = Path(__file__).resolve().parents[2]
TUNING = f"cd {CHECKOUT} && PYTHONPATH={CHECKOUT} {sys.executable} -m tests.vm.tuning"
BROKEN_OFF = {"interrupted", "partly rolled back"}


@pytest.mark.thorough  # a minute and more
def test_killed_at_every_step(boot: Callable[..., Machine]) -> None:
    with boot() as machine:
        machine.check(f"{TUNING} prepare")
        applied, undone = map(int, machine.check(f"{TUNING} every", timeout=500.0).split())
    print("steps of apply and of rollback:", applied, undone)
    assert applied > 40
    assert undone > 25


@pytest.mark.parametrize("cuts", [2, pytest.param(8, marks=pytest.mark.thorough)])
def test_power_cuts(boot: Callable[..., Machine], tmp_path: Path, cuts: int) -> None:
    """Files are as they were; values are as the boot makes them."""
    chance = random.Random(cuts)
    with boot(disk=tmp_path) as machine:
        machine.check(f"{TUNING} prepare && sync")
        before = machine.check(f"{TUNING} state")
        states: list[str] = []
        for _ in range(cuts):
            machine.check(f"({TUNING} work) >/run/work 2>&1 &")
            time.sleep(chance.uniform(2.0, 5.0))
            machine.reset()
            told = json.loads(machine.check(f"{SCTUNE} history --format json"))
            assert told["unread"] == []
            states += [one["state"] for one in told["transactions"][-1:]]
            machine.check(f"{TUNING} back")
            machine.check("echo none > /sys/block/vda/queue/scheduler")
            assert machine.check(f"{TUNING} state") == before
    # Or the power was never cut in the middle of anything.
    assert BROKEN_OFF & set(states), states
