"""The counters of a chain's links: since they were made, and over an interval in which things come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune import chain_io
from sctune.chain_io import count
from sctune.model.io import IoCounters, IoRates, LunIo, LunRates
from sctune.model.tree import Layer, Link
from sctune.probes.disk_io import read_io
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

if TYPE_CHECKING:
    import pytest

DISK = Link(layer=Layer.DISK, name="/dev/sda", device="sda")
LUN = Link(layer=Layer.LUN, name="LUN 1", lun=(0, 1, 1))
SILENT = Unavailable(reason=Reason.TIMEOUT, what="tgtd")


def stat(reads: int) -> str:
    """/sys/block/sda/stat of kernels since 5.5."""
    return f"{reads} 0 {reads * 8} {reads} 0 0 0 0 0 {reads} {reads} 0 0 0 0 0 0\n"


def host(reads: int) -> FakeHost:
    return FakeHost(files={"/sys/block/sda/stat": stat(reads)})


def test_the_fake_is_read() -> None:
    (counted,) = read_io(host(7), ("sda",))
    assert isinstance(counted, IoCounters) and counted.reads.completed == 7


def test_since_it_was_made() -> None:
    io = count(host(7), (DISK,))
    assert io.seconds is None
    counted = io.devices["sda"]
    assert isinstance(counted, IoCounters) and counted.reads.bytes == 7 * 4096


def later(machine: FakeHost, text: str | None) -> object:
    def wait(_: float) -> None:
        if text is None:
            del machine.files["/sys/block/sda/stat"]
        else:
            machine.files["/sys/block/sda/stat"] = text

    return wait


def after(text: str | None) -> object:
    machine = host(7)
    return count(machine, (DISK,), interval=1.0, sleep=later(machine, text)).devices["sda"]  # type: ignore[arg-type]


def test_over_an_interval() -> None:
    rates = after(stat(9))
    assert isinstance(rates, IoRates) and rates.reads.ios > 0


def test_a_device_that_was_made_anew_tells_nothing() -> None:
    assert after(stat(2)) is None


def test_a_device_that_is_gone_says_so() -> None:
    gone = after(None)
    assert isinstance(gone, Unavailable) and gone.reason is Reason.ABSENT


def lun_io(**more: object) -> LunIo:
    facts: dict[str, object] = {name: 0 for name in LunIo.__dataclass_fields__}
    facts |= {"control_port": 0, "tid": 1, "lun": 1, "sid": 1, **more}
    return LunIo(**facts)  # type: ignore[arg-type]


def luns(monkeypatch: pytest.MonkeyPatch, *answers: object) -> object:
    told = iter(answers)
    monkeypatch.setattr(chain_io, "read_luns", lambda _host, _port: next(told))
    interval = 1.0 if len(answers) > 1 else None
    return count(FakeHost(), (LUN,), interval=interval, sleep=lambda _: None).luns[0, 1, 1]


def test_a_lun_has_its_own_counts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert luns(monkeypatch, (lun_io(lun=2), lun_io(tid=2), lun_io(reads=3))) == (lun_io(reads=3),)


def test_a_lun_whose_session_is_gone_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert luns(monkeypatch, (lun_io(reads=3),), ()) is None


def test_a_lun_over_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = luns(monkeypatch, (lun_io(reads=3),), (lun_io(reads=5),))
    assert isinstance(rates, LunRates) and rates.reads > 0


def test_a_tgtd_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert luns(monkeypatch, SILENT, (lun_io(),)) is SILENT
    assert luns(monkeypatch, (lun_io(),), SILENT) is SILENT
