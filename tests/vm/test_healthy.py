"""Sound hosts that serve no volumes: the doctor says nothing above info of them (docs/precision.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .crowd import script, untrue
from .hosts import ordinary
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Machine

HOSTS = {"debian-plain": (ordinary.plain, ordinary.PLAIN), "desktop-composed": (ordinary.desktop, ordinary.DESKTOP)}


# The desktop is for the thorough run: systemd takes a minute to start.
@pytest.mark.parametrize("name", ["debian-plain", pytest.param("desktop-composed", marks=pytest.mark.thorough)])
def test_nothing_above_info(name: str, boot: Callable[..., Machine], keep: Callable[[Machine, str], None]) -> None:
    make, facts = HOSTS[name]
    with boot(systemd=True) as machine:
        script(machine, make())
        assert not untrue(machine, facts)
        verdict = examine(machine)
        keep(machine, name)
    assert [(finding["code"], finding["subject"]["id"], finding["summary"]) for finding in verdict.above_info()] == []
    assert verdict.status == 0, verdict.unexamined()
    assert verdict.document["host"]["roles"] == ["generic"]
