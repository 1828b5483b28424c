from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.model.system import CpuGovernors, HugePages, Memory
from sctune.probes import governor
from sctune.probes.memory import bracketed, parse_memory, probe_huge_pages, probe_memory
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

DATA = os.path.join(os.path.dirname(__file__), "..", "data", "host")
THP = "/sys/kernel/mm/transparent_hugepage"
CPU = "/sys/devices/system/cpu"


def recorded(name: str) -> str:
    with open(os.path.join(DATA, name), encoding="utf-8") as stream:
        return stream.read()


def test_recorded_meminfo() -> None:
    assert probe_memory(FakeHost(files={"/proc/meminfo": recorded("healthy-proc-meminfo.txt")})) == Memory(
        total=2014140 * 1024, available=1925324 * 1024, free=1908720 * 1024, dirty=0, writeback=0
    )


def test_before_memavailable() -> None:
    text = "".join(line for line in recorded("healthy-proc-meminfo.txt").splitlines(True) if not line.startswith("MemAvailable"))
    found = parse_memory(text)
    assert isinstance(found, Memory)
    assert found.available is None


@pytest.mark.parametrize("text", ["", "MemTotal: 5 kB\n", "MemTotal: five kB\nMemFree: 1 kB\nDirty: 0 kB\nWriteback: 0 kB\n"])
def test_malformed_meminfo(text: str) -> None:
    found = parse_memory(text)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.MALFORMED


def test_unread_meminfo_stays_unread() -> None:
    denied = Unavailable(reason=Reason.DENIED, what="/proc/meminfo")
    assert probe_memory(FakeHost(files={"/proc/meminfo": denied})) is denied


@given(st.text())
def test_parsers_never_raise(text: str) -> None:
    assert isinstance(parse_memory(text), Memory | Unavailable)
    assert (bracketed(text) or "") in text


@pytest.mark.parametrize("folder", [THP, "/sys/kernel/mm/redhat_transparent_hugepage"])
def test_huge_pages(folder: str) -> None:
    files: dict[str, str | Unavailable] = {
        f"{folder}/enabled": "always [madvise] never\n",
        f"{folder}/defrag": "always defer defer+madvise [madvise] never\n",
    }
    assert probe_huge_pages(FakeHost(files=files)) == HugePages(enabled="madvise", defrag="madvise")


def test_huge_pages_unknown() -> None:
    absent = probe_huge_pages(FakeHost())
    assert isinstance(absent, Unavailable)
    assert absent.reason is Reason.ABSENT
    odd = probe_huge_pages(FakeHost(files={f"{THP}/enabled": "always madvise never\n"}))
    assert isinstance(odd, Unavailable)
    assert odd.reason is Reason.MALFORMED
    denied = Unavailable(reason=Reason.DENIED, what=f"{THP}/enabled")
    assert probe_huge_pages(FakeHost(files={f"{THP}/enabled": denied})) is denied
    assert probe_huge_pages(FakeHost(files={f"{THP}/enabled": "[never]\n"})) == HugePages(enabled="never", defrag=None)


def test_governors_by_policy() -> None:
    files: dict[str, str | Unavailable] = {
        f"{CPU}/cpu0/topology/core_id": "0\n",
        f"{CPU}/cpu1/topology/core_id": "1\n",
        f"{CPU}/cpuidle/current_driver": "none\n",
        f"{CPU}/cpufreq/policy0/scaling_governor": "powersave\n",
        f"{CPU}/cpufreq/policy1/scaling_governor": "performance\n",
    }
    assert governor.probe(FakeHost(files=files)) == CpuGovernors(governors=("performance", "powersave"), cpus=2)


def test_governors_of_old_kernels() -> None:
    files: dict[str, str | Unavailable] = {
        f"{CPU}/cpu0/cpufreq/scaling_governor": "ondemand\n",
        f"{CPU}/cpu1/online": "0\n",
    }
    assert governor.probe(FakeHost(files=files)) == CpuGovernors(governors=("ondemand",), cpus=2)


def test_no_governors_in_a_virtual_machine() -> None:
    assert governor.probe(FakeHost(files={f"{CPU}/cpu0/topology/core_id": "0\n"})) == CpuGovernors(governors=(), cpus=1)


def test_governors_unknown() -> None:
    absent = governor.probe(FakeHost())
    assert isinstance(absent, Unavailable)
    denied = Unavailable(reason=Reason.DENIED, what="scaling_governor")
    assert governor.probe(FakeHost(files={f"{CPU}/cpu0/cpufreq/scaling_governor": denied})) is denied
