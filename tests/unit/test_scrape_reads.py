"""A scrape reads less of a host than another look, and finds the same."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.exporters.prometheus.kept_lvm import KeptLvm
from sctune.exporters.prometheus.local_source import _tune_allocator
from sctune.exporters.prometheus.look_inventory import LookInventory
from sctune.host.children import Nursery
from sctune.host.live import LiveHost
from sctune.host.resident import Residents
from sctune.host.scraped import ScrapedHost
from sctune.inventory import Inventory
from sctune.unavailable import Reason, Unavailable
from tests.unit.collecting import SCENARIOS, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTS = sorted(path.parent.name for path in SCENARIOS.glob("*/host.tar.gz"))
ABSENT = Unavailable(reason=Reason.ABSENT, what="/sys/block/loop9/queue/scheduler")
SETTING, SIZE, OTHER, GONE = (
    f"/sys/block/{name}" for name in ("loop1/queue/scheduler", "loop1/size", "sda/queue/scheduler", "loop9/queue/scheduler")
)


@pytest.mark.parametrize("name", HOSTS)
def test_sizes_that_are_known_are_those_that_would_be_read(name: str) -> None:
    host = recorded(name)
    plain = Inventory(host, Config(), strict=True)
    scraped = LookInventory(host, Config(), KeptLvm(lambda: plain))
    assert scraped.devices == plain.devices
    assert scraped.backings == plain.backings


@pytest.fixture
def residents() -> Iterator[Residents]:
    nursery = Nursery()
    yield Residents(nursery)
    nursery.close()


@pytest.mark.spawns
def test_a_loop_devices_queue_is_read_now_and_then_and_what_samples_are_made_of_each_time(
    residents: Residents, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def answer(_: LiveHost, path: str) -> str | Unavailable:
        read.append(path)
        return ABSENT if path == GONE else "512\n"

    monkeypatch.setattr(LiveHost, "read", answer)
    monkeypatch.setattr(ScrapedHost, "_attribute", answer)
    now = 1000.0
    kept: dict[str, tuple[float, str]] = {}
    for seconds, expected in (
        (0.0, [SETTING, SIZE, OTHER, GONE]),
        (299.0, [SIZE, OTHER, GONE]),
        (2.0, [SETTING, SIZE, OTHER, GONE]),
    ):
        now += seconds
        read.clear()
        host = ScrapedHost(children=residents, budget=4.0, queues=kept)
        with monkeypatch.context() as patched:
            patched.setattr("sctune.host.scraped.time.monotonic", lambda: now)  # noqa: B023 -- called at once
            assert [host.read(path) for path in (SETTING, SIZE, OTHER, GONE)] == ["512\n", "512\n", "512\n", ABSENT]
        assert read == expected


@pytest.mark.spawns
def test_a_loop_devices_attributes_are_what_any_other_look_reads(residents: Residents) -> None:
    scraped, plain = ScrapedHost(children=residents, budget=4.0), LiveHost(children=residents)
    names = [name for name in os.listdir("/sys/block") if name.startswith("loop")][:3]
    for name in (*names, "loop999999"):
        for attribute in ("size", "ro", "loop/backing_file", "queue/scheduler", "loop", "nothing"):
            path = f"/sys/block/{name}/{attribute}"
            assert scraped.read(path) == plain.read(path)


def test_one_heap_for_all_threads_where_the_c_library_has_such_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Glibc:
        def __init__(self) -> None:
            self.set: dict[int, int] = {}

        def mallopt(self, parameter: int, value: int) -> int:
            self.set[parameter] = value
            return 1

    glibc = Glibc()
    for library in (glibc, object()):
        monkeypatch.setattr("ctypes.CDLL", lambda _, library=library: library)
        _tune_allocator()
    assert glibc.set == {-8: 1, -3: 128 << 10}
