"""The role, run for real on hosts that are namespaces: from a host without sctune to one that is tuned, and back."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.wheels import built, packed

from .namespaces import namespace
from .running import play, plays
from .test_profile import FILE, OURS, SLOW_START, WMEM, put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .namespaces import Namespace
    from .running import Played

pytestmark = pytest.mark.live
CLOUD = "sctune.storage.cloud"
PYTHON = str(Path(sys.base_prefix, "bin/python3"))
TARGETS = "etc/prometheus/targets/sctune-hosts.json"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Namespace]:
    with namespace(tmp_path, "sc1") as host:
        put(host, OURS)
        yield host


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Namespace]:
    with namespace(tmp_path, "watch") as host:
        yield host


def test_from_nothing_to_a_tuned_host_and_back(tmp_path: Path, storage: Namespace, watch: Namespace) -> None:
    wheel = built(tmp_path)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    packed(wheels)
    archive = shutil.make_archive(str(tmp_path / "wheels"), "gztar", wheels)
    variables = {
        "storage_host_package": str(wheel),
        "storage_host_wheelhouse": archive,
        "storage_host_extras": [],
        "storage_host_python": PYTHON,
        "storage_host_profile": "ours",
        "storage_host_config": {"flush_speed": "400 MiB/s"},
        "storage_host_labels": {"cloud": "north"},
    }
    groups = {
        "storage_controllers": {"hosts": {"sc1": storage.variables(sys.executable)}},
        # Not in this run, and yet scraped.
        "node_controllers": {"hosts": {"nc1": {"storage_host_address": "192.0.2.9", "storage_host_port": 9}}},
        "prometheus": {"hosts": {"watch": watch.variables(sys.executable)}},
    }

    def run(*options: str, **more: object) -> Played:
        done = play(tmp_path, CLOUD, {"children": groups, "vars": variables | more}, "--limit", "sc1", "--diff", *options)
        assert done.status == 0, done.output
        return done

    before = storage.check(f"sysctl -n {SLOW_START} {WMEM}")
    fresh = run("--check")
    assert "/usr/local/sbin/sctune is not there yet" in fresh.output
    assert fresh.of("Findings by host").result["msg"][1].endswith(" | the doctor did not run")
    assert not list((storage.root / "opt").iterdir())
    assert not (watch.root / TARGETS).exists()

    first = run()
    assert {"Install the wheel into it", "Write the command", "Write the configuration", "Tune the host"} <= set(first.changed)
    assert storage.check("/usr/local/sbin/sctune --version").startswith("sctune ")
    assert storage.check(f"sysctl -n {SLOW_START} {WMEM}").split() == ["0", "4096", "16384", "16777216"]
    assert "ExecStart=/usr/local/sbin/sctune doctor " in (storage.root / "etc/systemd/system/sctune-doctor.service").read_text()
    assert "flush_speed: 400 MiB/s" in (storage.root / "etc/sctune/sctune.yaml").read_text()
    assert json.loads((watch.root / TARGETS).read_text()) == [
        {"targets": ["sc1:10197"], "labels": {"role": "storage-controller", "cloud": "north"}},
        {"targets": ["192.0.2.9:9"], "labels": {"role": "node-controller", "cloud": "north"}},
    ]
    assert [row.split(" | ")[0].strip() for row in first.of("Findings by host").result["msg"]] == ["host", "sc1"]

    second = run("--tags", "setup")
    assert second.changed == []

    absent = {"sctune.storage.profile": {"name": "ours", "state": "absent"}}
    assert play(tmp_path, plays(absent, hosts="sc1"), {"children": groups}).changed == ["sctune.storage.profile"]
    assert storage.check(f"sysctl -n {SLOW_START} {WMEM}") == before
    assert not (storage.root / FILE).exists()
