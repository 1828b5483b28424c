from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.model.system import Writeback
from sctune.probes.writeback import page_size, parse_meminfo, parse_number, parse_vmstat, probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

DATA = os.path.join(os.path.dirname(__file__), "..", "data", "host")
NAMES = (
    "dirty_ratio",
    "dirty_bytes",
    "dirty_background_ratio",
    "dirty_background_bytes",
    "dirty_expire_centisecs",
    "dirty_writeback_centisecs",
)


def recorded(name: str) -> str:
    with open(os.path.join(DATA, name), encoding="utf-8") as stream:
        return stream.read()


def host(state: str = "healthy", **settings: int | None) -> FakeHost:
    """A recorded host; settings replace a sysctl, None takes it away."""
    sysctl = dict(line.removeprefix("vm.").split(" = ") for line in recorded(f"{state}-sysctl-vm-dirty.txt").splitlines())
    values: dict[str, object] = {**{name: sysctl[name] for name in NAMES}, **settings}
    files: dict[str, str | Unavailable] = {
        f"/proc/sys/vm/{name}": f"{value}\n" for name, value in values.items() if value is not None
    }
    files["/proc/vmstat"] = recorded(f"{state}-proc-vmstat.txt")
    files["/proc/meminfo"] = recorded(f"{state}-proc-meminfo.txt")
    return FakeHost(files=files)


def test_ratio_in_force() -> None:
    assert probe(host("healthy")) == Writeback(
        dirty_ratio=0.2,
        dirty_bytes=0,
        background_ratio=0.1,
        background_bytes=0,
        limit=96458 * 4096,
        background_limit=48170 * 4096,
        expire=30.0,
        interval=5.0,
    )


def test_balloon_does_not_mislead_about_the_page_size() -> None:
    meminfo, vmstat = parse_meminfo(recorded("ballooned-proc-meminfo.txt")), parse_vmstat(recorded("ballooned-proc-vmstat.txt"))
    assert meminfo["MemFree"] / vmstat["nr_free_pages"] > 2 * 4096
    assert page_size(meminfo, vmstat) == 4096


@pytest.mark.parametrize("page", [4096, 8192, 16384, 32768, 65536])
def test_every_page_size(page: int) -> None:
    vmstat = {"nr_mapped": 1000, "nr_anon_pages": 5000, "nr_free_pages": 100000}
    meminfo = {"Mapped": 1010 * page, "AnonPages": 4900 * page, "MemFree": 99000 * page}
    assert page_size(meminfo, vmstat) == page


def test_page_size_is_not_guessed() -> None:
    assert page_size({}, {}) is None
    assert page_size({"Mapped": 4096 * 100}, {"nr_mapped": 0}) is None
    assert page_size({"Mapped": 4096 * 100, "MemFree": 8192 * 100}, {"nr_mapped": 100, "nr_free_pages": 100}) is None


def test_bytes_in_force() -> None:
    found = probe(host(dirty_bytes=629145600, dirty_background_bytes=314572800, dirty_ratio=0, dirty_background_ratio=0))
    assert isinstance(found, Writeback)
    assert (found.bytes_in_force, found.limit, found.background_limit) == (True, 629145600, 314572800)


def test_background_above_the_limit_is_half_of_it_as_in_the_kernel() -> None:
    found = probe(host(dirty_bytes=1000 * 4096, dirty_ratio=0))
    assert isinstance(found, Writeback)
    assert found.background_limit == 500 * 4096


def test_zero_is_a_value() -> None:
    found = probe(host(dirty_ratio=0, dirty_background_ratio=0))
    assert isinstance(found, Writeback)
    assert found.dirty_ratio == 0.0
    assert not found.bytes_in_force


def test_without_vmstat_the_limit_is_not_known() -> None:
    fake = host()
    fake.files["/proc/vmstat"] = Unavailable(reason=Reason.DENIED, what="/proc/vmstat")
    found = probe(fake)
    assert isinstance(found, Writeback)
    assert found.limit is None
    assert found.background_limit is None


def test_settings_that_cannot_be_read() -> None:
    found = probe(host(dirty_bytes=None))
    assert isinstance(found, Unavailable)
    assert (found.reason, found.what) == (Reason.ABSENT, "/proc/sys/vm/dirty_bytes")
    fake = host()
    fake.files["/proc/sys/vm/dirty_ratio"] = "twenty\n"
    found = probe(fake)
    assert isinstance(found, Unavailable)
    assert (found.reason, found.what) == (Reason.MALFORMED, "/proc/sys/vm/dirty_ratio")


def test_expiry_that_the_kernel_does_not_tell() -> None:
    found = probe(host(dirty_expire_centisecs=None, dirty_writeback_centisecs=0))
    assert isinstance(found, Writeback)
    assert (found.expire, found.interval) == (None, 0.0)


@given(st.text(), st.text(), st.text())
def test_never_raises(setting: str, vmstat: str, meminfo: str) -> None:
    files: dict[str, str | Unavailable] = {f"/proc/sys/vm/{name}": setting for name in NAMES}
    fake = FakeHost(files={**files, "/proc/vmstat": vmstat, "/proc/meminfo": meminfo})
    assert isinstance(probe(fake), Writeback | Unavailable)


@given(st.text())
def test_numbers(text: str) -> None:
    number = parse_number(text)
    assert number is None or (number >= 0 and str(number) == text.strip().lstrip("0").rjust(1, "0"))
