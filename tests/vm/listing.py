"""`sctune volumes` and `sctune chain` in a machine: each volume is listed as what was done to it, a sound one's tree is whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .verdict import DOCTOR_SECONDS, SCTUNE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .machine import Machine

SOUND = ("ready", "attached", "copying")


def listed(machine: Machine, options: str = "") -> dict[str, dict[str, Any]]:
    """The volumes by id."""
    done = machine.run(f"{SCTUNE} volumes --format json {options}", timeout=DOCTOR_SECONDS)
    assert done.status in {0, 3}, f"exit status {done.status}: {done.stderr}"
    return {one["id"]: one for one in json.loads(done.stdout)["volumes"]}


def broken_links(machine: Machine, volume: str) -> list[str]:
    """The links of a volume's tree that are marked."""
    done = machine.run(f"{SCTUNE} chain --format json '{volume}'", timeout=DOCTOR_SECONDS)
    assert done.status in {0, 3}, f"exit status {done.status}: {done.stderr}"
    chains = json.loads(done.stdout)["chains"]
    assert [chain["volume"]["id"] for chain in chains] == [volume]
    every = list(_links(chains[0]["links"]))
    assert all(link["io"] for link in every if link["layer"] in {"loop", "disk"}), every
    return [f"{volume}: {link['layer']} {link['name']} is {link['mark']}" for link in every if link["mark"] != "fine"]


def _links(links: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for link in links:
        yield link
        yield from _links(link["above"])


def unsound(volumes: Mapping[str, dict[str, Any]], ids: Iterable[str]) -> list[str]:
    """Those of these volumes that are not listed as sound."""
    states = {name: volumes[name]["state"] if name in volumes else "not listed" for name in ids}
    return [f"{name} is {state}" for name, state in states.items() if state not in SOUND]
