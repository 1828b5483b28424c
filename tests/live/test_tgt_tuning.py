"""NOP-Ins of a real tgtd are applied, rolled back, and left alone on another tgtd that has the target's number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.host.live import LiveHost
from sctune.inventory import Inventory
from sctune.records import replace
from sctune.tuning.calls import Calls
from sctune.tuning.execute import Applied, Ending, Request, apply
from sctune.tuning.journal import Journal
from sctune.tuning.load import catalogue, joined
from sctune.tuning.model import Options
from sctune.tuning.outcome import Outcome
from sctune.tuning.plan import operations, plan
from sctune.tuning.rollback import RolledBack, rollback
from sctune.tuning.schema import Section
from sctune.tuning.writer import LiveWriter
from tests.live.conftest import start_tgtd

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.tuning.operations import Operation
    from tests.live.conftest import Tgt

pytestmark = pytest.mark.live


def planned() -> tuple[Operation, ...]:
    """What storage-controller's settings of tgt come to on this machine."""
    whole = joined("storage-controller", catalogue())
    profile = replace(whole, settings=whole.of(Section.TGT))
    with LiveHost() as host:
        return operations(plan(Inventory(host, Config()), profile, Options(persist=False)))


def do(folder: Path, wanted: tuple[Operation, ...]) -> Applied:
    journal = Journal(str(folder / "journal"), Calls())
    return apply(wanted, writer=LiveWriter(), journal=journal, request=Request(profile="t", user="root"), lock=str(folder / "lock"))


def undo(folder: Path) -> RolledBack:
    return rollback(None, writer=LiveWriter(), journal=Journal(str(folder / "journal"), Calls()), lock=str(folder / "lock"))


def nop(tgt: Tgt, tid: int) -> set[str]:
    shown = tgt.admin("--op", "show", "--mode", "target", "--tid", str(tid))
    return {line for line in shown.split("\n") if line.startswith("nop_")}


def test_nop_ins_are_set_and_taken_back(tgt: Tgt, tmp_path: Path) -> None:
    tid, _ = tgt.target("")
    assert nop(tgt, tid) == {"nop_interval=0", "nop_count=0"}
    done = do(tmp_path, planned())
    assert done.ending is Ending.APPLIED, done
    assert nop(tgt, tid) == {"nop_interval=5", "nop_count=5"}
    assert planned() == ()
    assert {word.outcome for _, word in undo(tmp_path).undone} == {Outcome.BACK}
    assert nop(tgt, tid) == {"nop_interval=0", "nop_count=0"}


def test_what_somebody_changed_since_is_left(tgt: Tgt, tmp_path: Path) -> None:
    tid, _ = tgt.target("")
    do(tmp_path, planned())
    tgt.admin("--op", "update", "--mode", "target", "--tid", str(tid), "--name", "nop_interval", "--value", "9")
    done = undo(tmp_path)
    assert done.exit_code == 1
    assert sorted(word.outcome for _, word in done.undone) == sorted((Outcome.LEFT, Outcome.BACK))
    assert nop(tgt, tid) == {"nop_interval=9", "nop_count=0"}


def test_another_tgtd_is_left_alone(tgt: Tgt, tmp_path: Path) -> None:
    tgt.target("")
    do(tmp_path, planned())
    tgt.kill()
    later = start_tgtd(tgt.control_port)
    try:
        tid, _ = later.target("")
        for name in ("nop_count", "nop_interval"):
            later.admin("--op", "update", "--mode", "target", "--tid", str(tid), "--name", name, "--value", "5")
        done = undo(tmp_path)
        assert {word.outcome for _, word in done.undone} == {Outcome.GONE}
        assert nop(later, tid) == {"nop_interval=5", "nop_count=5"}
    finally:
        later.kill()
