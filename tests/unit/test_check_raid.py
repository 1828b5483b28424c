"""RAID arrays: md's sysfs as it was recorded on a virtual machine (mdadm 4.2, Linux 6.1), and LVM's word."""

from __future__ import annotations

import pytest

from sctune.checks.raid import CHECKS
from sctune.model.block import BlockKind
from sctune.probes.raid import parse_progress, probe
from sctune.unavailable import CannotLook
from tests.fakes import FakeHost
from tests.unit.serving_hosts import chains
from tests.unit.storage_hosts import absent, block, codes, denied, only, run

(CHECK,) = CHECKS
SOUND = {
    "level": "raid1",
    "raid_disks": "2",
    "degraded": "0",
    "array_state": "clean",
    "sync_action": "idle",
    "sync_completed": "none",
    "metadata_version": "1.2",
    "dev-loop4/state": "in_sync",
}
FAILED = SOUND | {"degraded": "1", "dev-loop5/state": "faulty"}
REBUILT = FAILED | {"sync_action": "recover", "sync_completed": "24064 / 96256", "dev-loop6/state": "spare"}


def arrays(attributes: dict[str, str]) -> object:
    host = FakeHost(files={f"/sys/block/md7/md/{name}": f"{text}\n" for name, text in attributes.items()})
    return probe(host, (block("md7", BlockKind.MD),))


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        (FAILED, "lacks 1 of its 2 members; loop5 failed"),
        (REBUILT, "is being rebuilt: 25% done"),
        (FAILED | {"array_state": "broken"}, "work"),
    ],
)
def test_an_array_that_lacks_a_member(attributes: dict[str, str], words: str) -> None:
    finding = only(run(CHECK, raid=arrays(attributes), lvm=absent("lvm"), chains=chains()))
    assert finding.code == "RAID_DEGRADED"
    assert words in finding.summary


def test_sound_and_foreign_arrays() -> None:
    for attributes in (SOUND, SOUND | {"array_state": "inactive", "metadata_version": "external:imsm"}):
        assert codes(run(CHECK, raid=arrays(attributes), lvm=absent("lvm"), chains=chains())) == []


def test_none_and_unknown() -> None:
    assert run(CHECK, raid=(), lvm=absent("lvm"), chains=chains()).not_applicable
    assert run(CHECK, raid=(), lvm=denied("lvm"), chains=chains()).unexamined
    with pytest.raises(CannotLook):
        run(CHECK, raid=denied("/sys"), lvm=absent("lvm"), chains=chains())


def test_progress() -> None:
    assert [parse_progress(text) for text in ("none", "1 / 4", "x / 4", "1 / 0")] == [None, 0.25, None, None]
