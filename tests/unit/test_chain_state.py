from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sctune.backends.eucalyptus import ERA_31, EucalyptusOverlay
from sctune.chain_state import Unexported, unexported
from sctune.model.chain import Chain, Export
from sctune.model.process import Copy, CopyTool
from sctune.model.target import Lun, Target, TgtState
from tests.unit.serving_hosts import DAS, GIB, chain, lv
from tests.unit.storage_hosts import absent, denied, dm, idle_tgtd, loop, processes, tgtd, timeout

if TYPE_CHECKING:
    from sctune.unavailable import Unavailable

STARTED = 500.0
RUNNING = processes(tgtd(STARTED))


def attached(activated: object = 1000.0, **links: object) -> Chain:
    """An overlay volume with its loop device and an active LV, exported by nobody."""
    facts: dict[str, object] = {"loops": (loop(0),), "lv": lv("euca-vol-00000001", GIB), "dm": dm(activated=activated)}
    return chain(**{**facts, **links})  # type: ignore[arg-type]


def an_export() -> Export:
    lun = Lun(
        number=1,
        kind="disk",
        size_text="1074 MB",
        block_size=512,
        online=True,
        read_only=False,
        thin_provisioning=False,
        backing_type="rdwr",
        backing_path="/dev/vg/euca-vol-00000001",
        backing_flags="",
    )
    target = Target(
        tid=1,
        iqn="iqn.2009-06.com.eucalyptus.lab:store1",
        driver="iscsi",
        state="ready",
        control_port=0,
        nexuses=(),
        luns=(lun,),
        accounts=(),
        outgoing_accounts=(),
        acls=(),
    )
    return Export(target=target, lun=lun)


def a_copy() -> Copy:
    return Copy(process=tgtd(1.0, pid=9), tool=CopyTool.DD, source="/dev/vg/euca-snap", destination="/s/snap-1")


def inactive() -> dict[str, object]:
    from dataclasses import replace

    return {"lv": replace(lv("euca-vol-00000001", GIB), active=False), "dm": None}


def test_an_export_is_an_export_whoever_answers() -> None:
    assert unexported(attached(exports=(an_export(),)), timeout("tgtd"), denied("processes")) is Unexported.EXPORTED


@pytest.mark.parametrize("tgt", [idle_tgtd(), timeout("tgtd"), denied("tgtd"), absent("tgtd")])
def test_a_volume_with_nothing_attached_is_at_rest(tgt: TgtState | Unavailable) -> None:
    assert unexported(chain(), tgt, RUNNING) is Unexported.AT_REST


def test_time_tells_lost_from_leaked() -> None:
    assert unexported(attached(STARTED - 1), idle_tgtd(), RUNNING) is Unexported.LOST
    assert unexported(attached(STARTED + 1), idle_tgtd(), RUNNING) is Unexported.LEAKED
    assert unexported(attached(STARTED), idle_tgtd(), RUNNING) is Unexported.LEAKED


def test_an_inactive_lv_was_not_exported_by_anybody() -> None:
    assert unexported(attached(**inactive()), idle_tgtd(), RUNNING) is Unexported.LEAKED


def test_a_copy_is_a_reason_to_be_attached() -> None:
    assert unexported(attached(copies=(a_copy(),)), idle_tgtd(), RUNNING) is Unexported.COPYING


def test_tgtd_that_does_not_answer_may_export_it() -> None:
    assert unexported(attached(), timeout("tgtd"), RUNNING) is Unexported.UNKNOWN
    assert unexported(attached(), denied("tgtd"), RUNNING) is Unexported.UNKNOWN
    assert unexported(attached(), idle_tgtd(unanswered=(timeout("socket.1"),)), RUNNING) is Unexported.UNKNOWN


def test_without_any_tgtd_nothing_is_called_lost_or_leaked() -> None:
    down = TgtState(daemons=(), unanswered=(), stale=(0,))
    assert unexported(attached(), down, processes()) is Unexported.UNSERVED
    assert unexported(attached(), absent("tgtd"), processes()) is Unexported.UNSERVED


def test_one_of_two_daemons_died() -> None:
    assert unexported(attached(), idle_tgtd(stale=(1,)), RUNNING) is Unexported.UNKNOWN


def test_several_daemons() -> None:
    both = processes(tgtd(500.0), tgtd(900.0, pid=101))
    assert unexported(attached(400.0), idle_tgtd(), both) is Unexported.LOST
    assert unexported(attached(700.0), idle_tgtd(), both) is Unexported.UNKNOWN
    assert unexported(attached(1000.0), idle_tgtd(), both) is Unexported.LEAKED


def test_what_time_needs_and_does_not_have() -> None:
    assert unexported(attached(None), idle_tgtd(), RUNNING) is Unexported.UNKNOWN
    assert unexported(attached(), idle_tgtd(), processes()) is Unexported.UNKNOWN
    assert unexported(attached(), idle_tgtd(), denied("processes")) is Unexported.UNKNOWN
    assert unexported(attached(lv=None, dm=None), idle_tgtd(), RUNNING) is Unexported.UNKNOWN


def test_eucalyptus_31_keeps_every_volume_attached() -> None:
    old = EucalyptusOverlay(era=ERA_31)
    assert unexported(attached(STARTED + 1, backend=old), idle_tgtd(), RUNNING) is Unexported.AT_REST
    assert unexported(attached(backend=old, **inactive()), idle_tgtd(), RUNNING) is Unexported.AT_REST
    # It exports every volume too: one that is older than tgtd lost its export.
    assert unexported(attached(STARTED - 1, backend=old), idle_tgtd(), RUNNING) is Unexported.LOST


def test_lvs_of_a_shared_vg_are_active_at_rest() -> None:
    at_rest = attached(STARTED - 1, loops=(), backend=DAS)
    assert unexported(at_rest, idle_tgtd(), RUNNING) is Unexported.AT_REST
    assert unexported(at_rest, timeout("tgtd"), RUNNING) is Unexported.UNKNOWN
