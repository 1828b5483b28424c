"""The exporter's collectors on this very machine, while its tgtd answers nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sctune.config.model import Config
from sctune.exporters.prometheus.local_source import local_source
from sctune.exporters.prometheus.options import Options
from sctune.exporters.prometheus.source import Wanted
from sctune.host.live import LiveHost
from tests.live.conftest import GIB, MIB

if TYPE_CHECKING:
    from sctune.exporters.prometheus.engine import Engine
    from tests.live.conftest import Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.spawns]

VOLUME = "vol-391D44BE"
INTERVAL = 0.1
# tgtd is waited for once, for 3 s; a second time would be 6.
ONCE_SECONDS = 5.0


def scrape(source: Engine) -> dict[tuple[str, ...], float]:
    """The samples by metric and labels."""
    time.sleep(2 * INTERVAL)
    families = text_string_to_metric_families(source.scrape(Wanted(timeout=20.0)).decode())
    samples = [sample for family in families for sample in family.samples]
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in samples}


def test_a_stopped_tgtd_fails_what_is_its_own_and_is_waited_for_once(tgt: Tgt, loops: Loops) -> None:
    device = loops.attach(loops.file(VOLUME, GIB + 4 * MIB))
    stray = loops.attach(loops.file("stray")).removeprefix("/dev/")
    tgt.target(device)
    config = Config(stores=(str(loops.folder),), backend="eucalyptus-overlay")
    ready = ("sctune_volume_layer_ready", "target", VOLUME)
    sessions = ("sctune_volume_sessions", VOLUME)
    told: list[str] = []
    with LiveHost() as host:
        source = local_source(host, Options(config=config, interval=INTERVAL, deadline=15.0), tell=told.append)
        before = scrape(source)
        assert (before[ready], before[sessions]) == (1, 0)
        tgt.stop()
        began = time.monotonic()
        silent = scrape(source)
        assert time.monotonic() - began < ONCE_SECONDS
        tgt.resume()
        after = scrape(source)
    success = "sctune_scrape_collector_success"
    failed = {name for metric, *rest in silent if metric == success and silent[metric, *rest] == 0 for name in rest}
    assert failed == {"targets", "luns"}, told
    assert ready not in silent
    assert sessions not in silent
    assert silent["sctune_volume_state", "unknown", VOLUME] == 1
    assert silent["sctune_volume_layer_ready", "loop", VOLUME] == 1
    assert silent["sctune_volume_size_bytes", VOLUME] == before["sctune_volume_size_bytes", VOLUME]
    # A cloud's volume is in use whoever exports it; what is nobody's may be exported.
    assert silent["sctune_loop_orphaned", device.removeprefix("/dev/")] == 0
    assert ("sctune_loop_orphaned", stray) not in silent
    assert before["sctune_loop_orphaned", stray] == 1
    assert (after[ready], after[sessions]) == (1, 0)
