"""tgtd against targets.conf, what it keeps unflushed, and how old it is."""

from __future__ import annotations

from typing import Any

import pytest

from sctune.checks import target_drift, target_flush
from sctune.checks import tgt_version as version_module
from sctune.model.tgt_tuning import TgtVersion
from sctune.probes.targets_conf import Block, parse
from sctune.records import replace
from sctune.unavailable import CannotLook, Reason
from tests.unit.tgt_hosts import (
    HUNG,
    IQN,
    NO_TGT,
    codes,
    configured,
    daemon,
    facts,
    look,
    lun,
    only,
    run,
    state,
    target,
    unavailable,
)

(DRIFT,) = target_drift.CHECKS
_, CACHE = target_flush.CHECKS
(VERSION,) = version_module.CHECKS
CLOUDS = "iqn.2009-06.com.eucalyptus.cluster00:store1"


def persisted(*, unread: tuple[str, ...] = (), **values: Any) -> Any:
    """A configuration of the one target that the default host serves."""
    whole = configured(IQN)
    item = replace(whole.targets[0], **({"initiator_addresses": ("10.0.0.9",)} | values))
    return replace(whole, targets=(item,), unread=unread)


def serving(*targets: Any) -> Any:
    return state(daemon(*targets))


def test_as_it_is_configured() -> None:
    result = run(DRIFT, tgt_configuration=persisted())
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())
    everybody = run(DRIFT, tgt=serving(target(acls=("ALL",))), tgt_configuration=configured(IQN))
    assert everybody.findings == ()


@pytest.mark.parametrize(
    ("live", "difference"),
    [
        ({"acls": ("ALL",)}, "lets in ALL, configured 10.0.0.9"),
        ({"luns": (lun(0), lun(backing_path="/srv/other"))}, "disks /srv/other, configured /srv/volumes/1"),
        ({"accounts": ("user",)}, "asks for CHAP, which is not configured"),
    ],
)
def test_what_differs(live: dict[str, Any], difference: str) -> None:
    finding = only(run(DRIFT, tgt=serving(target(**live)), tgt_configuration=persisted()))
    assert (finding.code, str(finding.severity), finding.subject.id) == ("TARGET_CONFIG_DRIFT", "warning", IQN)
    assert facts(finding)["differences"] == (difference,)


def test_targets_on_one_side_alone() -> None:
    result = run(DRIFT, tgt=serving(target(iqn="iqn.live"), target(iqn=CLOUDS)), tgt_configuration=persisted())
    assert codes(result) == [("TARGET_CONFIG_DRIFT", "warning", IQN), ("TARGET_CONFIG_DRIFT", "warning", "iqn.live")]


def test_a_part_that_could_not_be_read_may_configure_anything() -> None:
    result = run(DRIFT, tgt=serving(target(), target(iqn="iqn.live")), tgt_configuration=persisted(unread=("/etc/tgt/conf.d/x",)))
    assert (result.findings, len(result.unexamined)) == ((), 1)


def test_several_addresses_in_a_line_are_not_judged() -> None:
    assert run(DRIFT, tgt_configuration=persisted(initiator_addresses=("10.0.0.9 10.0.0.8",))).findings == ()


def test_nothing_to_compare() -> None:
    assert run(DRIFT, tgt_configuration=configured()).not_applicable is not None
    assert (
        run(DRIFT, tgt=state(daemon(control_port=3)), tgt_configuration=persisted()).not_applicable == "no tgtd on control port 0"
    )
    assert [item.reason for item in run(DRIFT, tgt=state(unanswered=(HUNG,)), tgt_configuration=persisted()).unexamined] == [
        Reason.TIMEOUT
    ]
    for parts in ({"tgt": NO_TGT}, {"tgt_configuration": unavailable(Reason.DENIED)}):
        with pytest.raises(CannotLook):
            run(DRIFT, **parts)
    assert set(DRIFT.needs) <= set(look().inventory.parts)


# --- TARGET_WRITE_CACHE


def test_one_word_for_all_luns_of_a_daemon() -> None:
    tgt = serving(target(lun(), lun(2, read_only=True), lun(3, backing_flags="sync")), target(iqn="iqn.off"))
    off = replace(configured("iqn.off"), targets=tuple(replace(t, write_cache_off=True) for t in configured("iqn.off").targets))
    finding = only(run(CACHE, tgt=tgt, tgt_configuration=off))
    assert (finding.code, str(finding.severity), finding.subject.id) == ("TARGET_WRITE_CACHE", "info", "tgtd")
    assert facts(finding)["luns"] == (f"{IQN}/1",)
    assert run(CACHE, tgt=serving(target(lun(backing_type="aio")))).not_applicable == "no LUN of bstype rdwr"


def test_write_cache_of_targets_conf() -> None:
    blocks: dict[str, Block] = {}
    parse(
        "<target a>\nwrite-cache off\n</target>\n<target b>\n<backing-store /x>\nwrite-cache off\n</backing-store>\n</target>",
        "f",
        blocks,
    )
    assert [blocks[name].record(name).write_cache_off for name in "ab"] == [True, False]


# --- TGT_VERSION_OLD


@pytest.mark.parametrize(
    ("number", "package", "old"),
    [
        ("1.0.92", "", True),
        ("1.0.93", "", False),
        ("1.0.24", "1.0.24-18.el6", True),
        ("1.0.55", "1.0.55-4.el7", True),
        ("1.0.85", "1:1.0.85-1", True),
        ("1.0.85", "1:1.0.85-1+deb12u1", False),
        ("1.1", "", False),
    ],
)
def test_versions(number: str, package: str, old: bool) -> None:
    result = run(VERSION, tgt_version=TgtVersion(version=number, package=package))
    assert codes(result) == ([("TGT_VERSION_OLD", "info", "tgtd")] if old else [])
    assert all("may be patched" in finding.summary for finding in result.findings)


def test_no_tgtd_has_no_version_that_matters() -> None:
    assert run(VERSION, tgt=state(stale=(0,))).not_applicable == "no tgtd runs"
    with pytest.raises(CannotLook):
        run(VERSION, tgt_version=unavailable(Reason.FAILED))
