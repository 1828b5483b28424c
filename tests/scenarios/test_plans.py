"""Recorded hosts as `sctune apply-profile --dry-run` and `sctune verify-profile` tell programs of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sctune.__main__ import main
from tests.scenarios.test_scenarios import SCENARIOS
from tests.scenarios.test_volumes import arguments
from tests.unit import profile_schemas

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("profile", ["storage-controller", "iscsi-root"])
@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_json_is_valid_and_both_say_the_same(folder: Path, profile: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["apply-profile", profile, "--dry-run", "--format", "json", *arguments(folder)])
    plan = profile_schemas.applied(capfd.readouterr().out)
    assert code == (4 if plan["pending"] else 1 if plan["unread"] else 0)
    code = main(["verify-profile", profile, "--format", "json", *arguments(folder)])
    found = profile_schemas.verified(capfd.readouterr().out)
    assert code == (1 if found["differences"] else 3 if found["unread"] else 0)
    assert found["unread"] == plan["unread"]
    assert (code == 1) == bool(plan["pending"] or plan["conflicts"])
