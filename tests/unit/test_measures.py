"""The numbers for monitoring: of a healthy host, of a recorded one, and none of what was not looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sctune.config.model import Config, Quotas
from sctune.doctor import fetch
from sctune.inventory import Inventory
from sctune.measures import measures
from sctune.model.measure import MeasureUnit
from sctune.registry import load_checks
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.synthetic import storage_controller
from tests.unit.whole_hosts import whole

GIB = 1 << 30


def looked(host: FakeHost, config: Config | None = None) -> Inventory:
    inventory = Inventory(host, config or Config(), strict=True)
    fetch(inventory, load_checks(), also=("chains",))
    return inventory


def named(inventory: Inventory) -> dict[str, float]:
    return {one.name + (f":{one.of}" if one.of else ""): one.value for one in measures(inventory)}


def test_a_storage_controller_with_nothing_wrong() -> None:
    inventory = looked(storage_controller(40))
    found = {one.name: one for one in measures(inventory)}
    assert found["volumes"].value == 40
    assert (found["loops"].value, found["loops"].maximum) == (40, 256)
    assert found["loops"].warning == pytest.approx(204.8)
    assert found["loops"].critical == pytest.approx(243.2)
    assert found["targets"].value == 40
    used, space = found["store_used"], inventory.stores[0].space  # type: ignore[index]
    assert used.unit is MeasureUnit.BYTES
    assert used.value == space.total - space.free  # type: ignore[union-attr]
    assert used.warning == pytest.approx(0.85 * (space.total - space.free + space.available))  # type: ignore[union-attr]
    assert found["store_unwritten"].warning == space.available  # type: ignore[union-attr]


def test_names_are_the_same_whatever_is_wrong() -> None:
    assert named(looked(storage_controller(1))).keys() == named(looked(storage_controller(200))).keys()


def test_a_host_with_nothing_of_ours_has_few() -> None:
    assert named(looked(FakeHost())).keys() <= {"volumes", "loops", "sessions", "snapshots", "snapshot_used"}


@pytest.mark.parametrize(("state", "name", "least"), [("thin-full", "thin_data:lab-thin/pool0", 0.8), ("healthy", "snapshots", 1)])
def test_recorded_hosts(state: str, name: str, least: float) -> None:
    found = named(looked(whole(state)))
    assert found[name] >= least
    assert found["sessions"] == 2


def test_what_was_not_asked_for_is_not_asked_for_now() -> None:
    host = storage_controller(3)
    inventory = Inventory(host, Config(), strict=True)
    inventory.fetch(["loops"])
    before = set(inventory.parts)
    assert set(named(inventory)) == {"loops"}
    assert set(inventory.parts) == before


@pytest.mark.parametrize("part", ["loops", "stores", "lvm", "dm", "tgt", "sessions", "chains", "cloud"])
def test_what_could_not_be_read_has_no_number(part: str) -> None:
    inventory = looked(storage_controller(3))
    all_of_them = named(inventory)
    inventory.parts[part] = Unavailable(reason=Reason.DENIED, what=part)
    found = named(inventory)
    assert found.items() <= all_of_them.items(), "a number is made up"
    gone = {
        "loops": "loops",
        "lvm": "snapshots",
        "tgt": "targets",
        "sessions": "sessions",
        "chains": "volumes",
    }.get(part)
    assert gone is None or gone not in found


def test_a_limit_of_the_configuration_bounds_loops() -> None:
    found = {one.name: one for one in measures(looked(storage_controller(3), Config(loop_limit=10)))}
    assert (found["loops"].maximum, found["loops"].warning) == (10, 8)


def test_quotas() -> None:
    config = Config(quotas=Quotas(total=100 * GIB, source="x.yaml"))
    found = {one.name: one for one in measures(looked(storage_controller(3), config))}
    total = found["quota_volumes"]
    assert total.warning == 90 * GIB
    assert total.critical == 100 * GIB + 1
    assert 0 < total.value < total.warning
    assert "quota_snapshots" not in found


def test_a_store_that_does_not_answer_has_no_number() -> None:
    inventory = looked(storage_controller(3))
    (store, *_) = inventory.stores  # type: ignore[misc]
    inventory.parts["stores"] = (replace(store, space=Unavailable(reason=Reason.TIMEOUT, what="x")),)
    assert not [one for one in measures(inventory) if one.name.startswith("store")]
