"""LVs of Cinder against what LIO serves and has saved, from the recorded host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sctune.checks import cinder_targets, lio_luns, target_drift, targets
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable
from tests.unit import tgt_hosts
from tests.unit.chain_hosts import ABSENT, device, lv, report
from tests.unit.lio_hosts import FILE_IQN, VOLUME, VOLUME_ID, VOLUME_IQN
from tests.unit.test_check_lio import group, look, saved, serving, state
from tests.unit.tgt_hosts import NO_TGT

if TYPE_CHECKING:
    from sctune.model.lio import LioState
    from sctune.model.lio_saved import LioSaved

(CHECK,) = cinder_targets.CHECKS
(DRIFT,) = target_drift.CHECKS
(ZEROS,) = lio_luns.CHECKS
LUNS, BACKING = targets.CHECKS
NODE = f"/dev/lio/{VOLUME}"
NO_NODE = Unavailable(reason=Reason.ABSENT, what=NODE)
FILE = "/etc/rtslib-fb-target/saveconfig.json"
NO_LV: dict[str, Any] = {"lvm": report(), "dm": (), "block": ()}


def kept(*, target: bool = True, store: bool = True, node: bool = False) -> LioSaved:
    """What is saved, of the volume's only these; its device is not there unless `node`."""
    whole = saved()
    stores = (
        one if one.name != VOLUME_IQN or node else replace(one, stat=NO_NODE)
        for one in whole.backstores
        if store or one.name != VOLUME_IQN
    )
    return replace(whole, backstores=tuple(stores), targets=tuple(one for one in whole.targets if target or one.iqn != VOLUME_IQN))


def host(given: LioState | Unavailable | None = None, **parts: Any) -> Any:
    return look(given, **({"cinder": ABSENT, "tgt": NO_TGT, "tgt_configuration": ABSENT, "lio": ABSENT} | parts))


def said(given: LioState | Unavailable | None = None, **parts: Any) -> list[str]:
    result = CHECK.run(host(given, **parts))
    assert {(one.code, one.severity.value, one.subject.id) for one in result.findings} <= {
        ("CINDER_TARGET_DRIFT", "warning", VOLUME_ID)
    }
    return [one.summary.removeprefix(f"{VOLUME_ID}: ") for one in result.findings]


def test_a_sound_host() -> None:
    result = CHECK.run(host())
    assert (result.examined, result.findings, result.unexamined, result.not_applicable) == (1, (), (), None)


def test_saved_without_lv() -> None:
    """It was deleted, and LIO's configuration not saved after: at each boot its restore leaves it out."""
    file = serving(group(FILE_IQN))
    parts: dict[str, Any] = NO_LV | {"lio_saved": kept()}
    assert said(file, **parts) == [f"saveconfig.json has its target, and there is no LV {VOLUME}"]
    (finding,) = CHECK.run(host(file, **parts)).findings
    assert f"cp -p {FILE} /root/" in finding.remedy.commands
    # One fault, one code.
    assert DRIFT.run(host(file, **parts)).findings == ()


def test_a_target_without_lv() -> None:
    """After a boot: the restore made the target, and not its LUN."""
    (acl,) = group(VOLUME_IQN).acls
    bare = serving(group(VOLUME_IQN, luns=(), acls=(replace(acl, session=None),)), group(FILE_IQN))
    words = f"there is no LV {VOLUME}"
    assert said(bare, **NO_LV, lio_saved=kept()) == [f"LIO and saveconfig.json have its target, and {words}"]
    assert said(bare, **NO_LV, lio_saved=kept(target=False, store=False)) == [f"LIO has its target, and {words}"]
    (missing,) = LUNS.run(host(bare, **NO_LV, lio_saved=kept())).findings
    assert missing.caused_by is not None
    assert (missing.caused_by.code, missing.caused_by.subject.id) == ("CINDER_TARGET_DRIFT", VOLUME_ID)
    seen = serving(group(VOLUME_IQN, luns=()), group(FILE_IQN))
    (zeros,) = ZEROS.run(host(seen, **NO_LV, lio_saved=kept())).findings
    assert zeros.caused_by is not None
    # With the LV there, each of the others stands for itself.
    for check, given in ((LUNS, bare), (ZEROS, seen)):
        (alone,) = check.run(host(given)).findings
        assert alone.caused_by is None


def test_a_storage_object_that_nothing_serves() -> None:
    held = replace(state(), targets=(group(FILE_IQN),))
    without = kept(target=False, store=False)
    assert said(held, lio_saved=without) == ["LIO has its storage object, which holds the LV open, and no target serves it"]
    # Where the target is saved, what runs differs from that: TARGET_CONFIG_DRIFT.
    assert said(held, lio_saved=kept(node=True)) == []
    assert len(DRIFT.run(host(held, lio_saved=kept(node=True))).findings) == 1
    assert said(serving(group(FILE_IQN)), **NO_LV, lio_saved=kept(target=False)) == [
        f"saveconfig.json has its storage object, and there is no LV {VOLUME}"
    ]


def test_what_is_there_under_the_name_is_not_missed() -> None:
    """A device that is no LV, or that udev lost the link of; an LV that LVM was kept away from."""
    assert said(**NO_LV, lio_saved=kept()) == []
    assert said(serving(), **NO_LV, lio_saved=kept(node=True)) == []
    assert said(serving(), **NO_LV | {"lvm": report(excluded=("sdb",))}, lio_saved=kept()) == []


@pytest.mark.parametrize("part", ["lio_state", "lio_saved", "lvm"])
def test_what_could_not_be_looked_at_is_not_ok(part: str) -> None:
    blind = Unavailable(reason=Reason.DENIED, what=part)
    parts: dict[str, Any] = {part: blind}
    result = CHECK.run(host(parts.pop("lio_state", None), **parts))
    assert ([one.what for one in result.unexamined], result.findings) == ([part], ())
    held = replace(state(), targets=())
    assert said(held, lio_saved=Unavailable(reason=Reason.DENIED, what=FILE)) == []


def test_another_host() -> None:
    lvs = lv("lio", "data", 0)
    parts: dict[str, Any] = {"lvm": report(lvs), "dm": (device(lvs),), "lio_saved": ABSENT}
    assert CHECK.run(host(serving(group(FILE_IQN)), **parts)).not_applicable
    blind = Unavailable(reason=Reason.DENIED, what="/sys/kernel/config/target/core")
    assert CHECK.run(host(blind, **parts)).not_applicable
    named = CHECK.run(host(blind, **parts | {"lio": (VOLUME_IQN,)}))
    assert [one.what for one in named.unexamined] == [blind.what]


def test_beside_tgt_both_are_judged() -> None:
    served = tgt_hosts.target(tgt_hosts.lun(0), tgt_hosts.lun(), iqn="iqn.2010-10.org.openstack:" + VOLUME[:-1] + "9")
    result = CHECK.run(
        host(tgt=tgt_hosts.state(tgt_hosts.daemon(served)), processes=tgt_hosts.processes(tgt_hosts.process()), units=())
    )
    assert result.examined == 2
