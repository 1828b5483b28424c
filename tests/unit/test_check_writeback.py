from __future__ import annotations

import dataclasses

import pytest

from sctune.checks import writeback as topic
from sctune.config.model import Config
from sctune.host.base import Process
from sctune.model.system import Memory, Writeback
from sctune.model.target import TgtState
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit.serving_hosts import DENIED, GIB, IDLE_TGT, MIB, NO_PROCESSES, chain, chains, codes, look

HEALTHY = Writeback(
    dirty_ratio=0.2,
    dirty_bytes=0,
    background_ratio=0.1,
    background_bytes=0,
    limit=4 * GIB,
    background_limit=2 * GIB,
    expire=30.0,
    interval=5.0,
)


TGTD = Process(pid=9, ppid=1, name="tgtd", state="S", argv=("tgtd",), started=1.0, cpu_seconds=0.0, uid=0)
WITH_TGTD = dataclasses.replace(NO_PROCESSES, tgtd=(TGTD,))


def by_bytes(limit: int) -> Writeback:
    return dataclasses.replace(
        HEALTHY, dirty_ratio=0.0, dirty_bytes=limit, background_ratio=0.0, background_bytes=limit // 2, limit=limit
    )


def by_ratio(ratio: float, limit: int | None) -> Writeback:
    return dataclasses.replace(HEALTHY, dirty_ratio=ratio, limit=limit)


def test_kernel_defaults_on_a_host_of_24_gib_are_fine() -> None:
    result = topic.run(look(writeback=HEALTHY))
    assert (result.examined, result.findings, result.unexamined, result.not_applicable) == (1, (), (), None)


def test_a_laptop_gets_no_advice() -> None:
    host = look(writeback=by_ratio(0.01, MIB), chains=chains(chain("vg/root", ours=False)))
    result = topic.run(host)
    assert result.not_applicable
    assert not result.findings


@pytest.mark.parametrize(
    "parts",
    [
        {"processes": WITH_TGTD},
        {"tgt": TgtState(daemons=(), unanswered=(Unavailable(reason=Reason.TIMEOUT, what="tgtd"),), stale=())},
        {"chains": chains(chain("vg/disk", ours=False, exports=("export",)))},
        {"lio": ("iqn.2003-01.org.linux-iscsi:disk",)},
    ],
)
def test_who_serves(parts: dict[str, object]) -> None:
    host = look(writeback=HEALTHY, chains=chains(), tgt=IDLE_TGT)
    assert topic.run(host).not_applicable
    host.inventory.parts.update(parts)
    assert topic.run(host).examined == 1


def test_tgtd_that_may_not_be_asked() -> None:
    with pytest.raises(CannotLook) as caught:
        topic.run(look(writeback=HEALTHY, chains=chains(), tgt=DENIED))
    assert caught.value.unavailable is DENIED
    assert topic.run(look(writeback=HEALTHY, chains=chains(), tgt=DENIED, processes=WITH_TGTD)).examined == 1


def test_low() -> None:
    result = topic.run(look(writeback=by_ratio(0.01, 64 * MIB - 1)))
    assert codes(result) == [("VM_DIRTY_LIMIT_LOW", "info", "vm.dirty_ratio")]
    (finding,) = result.findings
    assert finding.remedy.commands[0] == "sysctl -w vm.dirty_background_bytes=314572800 vm.dirty_bytes=629145600"


def test_low_at_the_edge() -> None:
    assert codes(topic.run(look(writeback=by_ratio(0.01, 64 * MIB)))) == []


def test_low_by_bytes_is_told_of_the_setting_in_force() -> None:
    assert codes(topic.run(look(writeback=by_bytes(16 * MIB)))) == [
        ("VM_DIRTY_BYTES_IN_FORCE", "info", "vm.dirty_bytes"),
        ("VM_DIRTY_LIMIT_LOW", "info", "vm.dirty_bytes"),
    ]


def test_little_memory_is_no_setting() -> None:
    assert codes(topic.run(look(writeback=by_ratio(0.2, 20 * MIB)))) == []
    memory = Memory(total=100 * MIB, available=None, free=0, dirty=0, writeback=0)
    assert codes(topic.run(look(writeback=by_ratio(0.19, 20 * MIB), memory=memory))) == []


def test_low_against_a_declared_speed() -> None:
    config = Config(flush_speed=200.0 * MIB)
    assert codes(topic.run(look(config, writeback=by_ratio(0.01, 200 * MIB - 1)))) == [
        ("VM_DIRTY_LIMIT_LOW", "info", "vm.dirty_ratio")
    ]
    assert codes(topic.run(look(config, writeback=by_ratio(0.01, 200 * MIB)))) == []


def test_wanted_advice_is_a_warning() -> None:
    config = Config(wanted=frozenset({"VM_DIRTY_LIMIT_LOW", "VM_DIRTY_LIMIT_EXCESSIVE"}))
    assert codes(topic.run(look(config, writeback=by_ratio(0.01, MIB)))) == [("VM_DIRTY_LIMIT_LOW", "warning", "vm.dirty_ratio")]
    assert codes(topic.run(look(config, writeback=by_ratio(0.4, 100 * GIB)))) == [
        ("VM_DIRTY_LIMIT_EXCESSIVE", "warning", "vm.dirty_ratio")
    ]


def test_excessive_by_size() -> None:
    assert codes(topic.run(look(writeback=by_ratio(0.2, 16 * GIB)))) == []
    result = topic.run(look(writeback=by_ratio(0.2, 16 * GIB + 1)))
    assert codes(result) == [("VM_DIRTY_LIMIT_EXCESSIVE", "info", "vm.dirty_ratio")]
    assert "546 MiB/s" in result.findings[0].summary
    assert "flush_speed" in result.findings[0].remedy.text


def test_excessive_by_declared_speed() -> None:
    config = Config(flush_speed=100.0 * MIB)
    assert codes(topic.run(look(config, writeback=by_ratio(0.2, 3000 * MIB)))) == []
    result = topic.run(look(config, writeback=by_ratio(0.2, 3000 * MIB + 4096)))
    assert codes(result) == [("VM_DIRTY_LIMIT_EXCESSIVE", "warning", "vm.dirty_ratio")]
    assert result.findings[0].remedy.commands == (
        "sysctl -w vm.dirty_background_bytes=314572800 vm.dirty_bytes=629145600",
        "printf '%s\\n' vm.dirty_background_bytes=314572800 vm.dirty_bytes=629145600 > /etc/sysctl.d/90-volume-writeback.conf",
    )


def test_a_fast_disk_may_have_a_large_limit() -> None:
    assert codes(topic.run(look(Config(flush_speed=2.0 * GIB), writeback=by_ratio(0.2, 50 * GIB)))) == []


@pytest.mark.parametrize("speed", [10.0 * MIB, 400.0 * MIB, 5.0 * GIB])
def test_what_is_advised_is_in_order_itself(speed: float) -> None:
    config = Config(flush_speed=speed)
    result = topic.run(look(config, writeback=by_ratio(0.4, 10**13)))
    (finding,) = result.findings
    advised = int(finding.remedy.commands[0].rpartition("=")[2])
    again = topic.run(look(config, writeback=by_bytes(advised)))
    assert [code for code, _, _ in codes(again)] == ["VM_DIRTY_BYTES_IN_FORCE"]


def test_bytes_in_force() -> None:
    assert codes(topic.run(look(writeback=by_bytes(600 * MIB)))) == [("VM_DIRTY_BYTES_IN_FORCE", "info", "vm.dirty_bytes")]
    background = dataclasses.replace(HEALTHY, background_bytes=MIB)
    assert codes(topic.run(look(writeback=background))) == [("VM_DIRTY_BYTES_IN_FORCE", "info", "vm.dirty_background_bytes")]


def test_a_limit_that_is_not_known() -> None:
    result = topic.run(look(writeback=by_ratio(0.01, None)))
    assert (result.examined, codes(result)) == (1, [])
    assert len(result.unexamined) == 1


def test_settings_that_could_not_be_read() -> None:
    unread = Unavailable(reason=Reason.DENIED, what="/proc/sys/vm/dirty_ratio")
    with pytest.raises(CannotLook):
        topic.run(look(writeback=unread))
