"""Flushes that bstype aio only says it did, and which layers make that matter."""

from __future__ import annotations

from typing import Any

import pytest

from sctune.checks import target_flush
from sctune.host.base import FileKind
from sctune.model.block import BlockDevice, BlockKind
from sctune.records import replace
from sctune.unavailable import CannotLook, Reason
from tests.unit.serving_hosts import loop
from tests.unit.storage_hosts import loops
from tests.unit.tgt_hosts import HUNG, IQN, NO_TGT, daemon, facts, gone, look, lun, only, run, stat, state, target, there

FLUSH = target_flush.CHECKS[0]
LV = "/dev/vg/lv"


def block(name: str, device: tuple[int, int], **values: Any) -> BlockDevice:
    defaults: dict[str, Any] = {
        "kind": BlockKind.DISK, "size": 1 << 30, "read_only": False, "removable": False, "rotational": False, "scheduler": None,
        "schedulers": (), "read_ahead": None, "nr_requests": None, "write_cache": "write through", "logical_block_size": 512,
        "slaves": (), "holders": (),
    }  # fmt: skip
    return BlockDevice(name=name, device=device, **(defaults | values))


DM = block("dm-0", (253, 0), kind=BlockKind.DM, write_cache="write back", slaves=("loop0",))
LOOP_BLOCK = block("loop0", (7, 0), kind=BlockKind.LOOP, write_cache=None)
SDA = block("sda", (8, 0))


def judge(bstype: str = "aio", *, direct: bool = False, disk: BlockDevice = SDA, **facts_of_lun: Any) -> Any:
    """An LV on a loop device on a file on the first partition of sda."""
    device = replace(loop(0, 1 << 30), direct_io=direct, backing=stat(device=(8 << 8) | 1))
    return run(
        FLUSH,
        tgt=state(daemon(target(lun(backing_path=LV, backing_type=bstype, **facts_of_lun)))),
        backings=(there(LV, stat=stat(FileKind.BLOCK, rdevice=(253, 0))),),
        loops=loops(device),
        block=(DM, LOOP_BLOCK, disk),
    )


def test_a_buffered_loop_device_under_aio() -> None:
    finding = only(judge())
    assert (finding.code, str(finding.severity), finding.subject.id) == ("TGT_AIO_UNSAFE_FLUSH", "critical", f"{IQN}/1")
    assert "page cache" in str(facts(finding)["volatile"])
    assert finding.remedy.commands[1].endswith(f"--bstype rdwr -b {LV}")


def test_a_direct_loop_device_is_as_good_as_its_disk() -> None:
    assert judge(direct=True).findings == ()
    assert facts(only(judge(direct=True, disk=replace(SDA, write_cache="write back"))))["volatile"] == (
        "the write cache of the disk /dev/sda",
    )
    unknown = judge(direct=True, disk=replace(SDA, write_cache=None))
    assert (unknown.findings, [item.reason for item in unknown.unexamined]) == ((), [Reason.FAILED])


@pytest.mark.parametrize("harmless", [{"bstype": "rdwr"}, {"read_only": True}])
def test_what_flushes_or_never_writes(harmless: Any) -> None:
    result = judge(**harmless)
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_nothing_to_judge() -> None:
    assert run(FLUSH, tgt=state(daemon())).not_applicable == "tgtd serves no disk"
    assert [item.reason for item in run(FLUSH, tgt=state(unanswered=(HUNG,))).unexamined] == [Reason.TIMEOUT]
    with pytest.raises(CannotLook):
        run(FLUSH, tgt=NO_TGT)
    lost = run(FLUSH, tgt=state(daemon(target(lun(backing_type="aio")))), backings=(gone(),))
    assert (lost.findings, len(lost.unexamined)) == ((), 1)


def test_texts_and_needs() -> None:
    assert set(FLUSH.needs) <= set(look().inventory.parts)
