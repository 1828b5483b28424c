"""Recorded hosts: what `sctune capacity` says of each. A scenario with a `capacity.txt` is compared with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sctune.capacity.survey import Question, survey
from sctune.config.load import load as load_config
from sctune.config.model import Config
from sctune.host.choose import open_host
from sctune.inventory import Inventory
from sctune.report.capacity_json import document
from sctune.report.capacity_text import render
from sctune.report.layout import style_for
from tests.scenarios.test_scenarios import HERE, SCENARIOS
from tests.unit.test_capacity_report import VALIDATOR

if TYPE_CHECKING:
    from pathlib import Path

READ = ("storage-controller-healthy", "eucalyptus-das", "eucalyptus-overlay-3.2", "cinder-lvm-thin", "store-95", "limits-together")
"""The hosts whose report people have read."""


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_what_fits(folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    # The report names the configuration's file: by a relative path, or lines would be broken by how long this checkout's path is.
    monkeypatch.chdir(HERE)
    folder = folder.relative_to(HERE)
    archive = folder / "host.tar.gz"
    config = load_config(str(folder / "sctune.yaml")) if (folder / "sctune.yaml").exists() else Config()
    inventory = Inventory(open_host(str(archive if archive.exists() else folder), None), config, strict=True)
    capacity = survey(inventory, Question())
    known = {"identity": inventory.identity, "clock": inventory.clock, "source": inventory.host.source}
    VALIDATOR.validate(json.loads(json.dumps(document(capacity, **known), allow_nan=False)))  # type: ignore[arg-type]
    text = render(capacity, style=style_for(is_terminal=False, environment={"COLUMNS": "80"}), **known)  # type: ignore[arg-type]
    if folder.name not in READ:
        return
    path = HERE / folder / "capacity.txt"
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
    for store in capacity.stores:
        assert sum(share.allocated for share in store.shares) == pytest.approx(store.used, abs=1 << 20)
