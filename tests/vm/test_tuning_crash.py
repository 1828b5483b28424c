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
MORE = 6


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
        # A cut may come between two of what is applied and rolled back again and again: then there is one more.
        while len(states) < cuts or (not BROKEN_OFF & set(states) and len(states) < cuts + MORE):
            machine.check(f"({TUNING} work) >/run/work 2>&1 &")
            time.sleep(chance.uniform(2.0, 5.0))
            machine.reset()
            told = json.loads(machine.check(f"{SCTUNE} history --format json"))
            assert told["unread"] == []
            states.append(told["transactions"][-1]["state"] if told["transactions"] else "none yet")
            machine.check(f"{TUNING} back")
            machine.check("echo none > /sys/block/vda/queue/scheduler")
            assert machine.check(f"{TUNING} state") == before
    assert BROKEN_OFF & set(states), states
