from __future__ import annotations

import pytest

from sctune.checks import processor as topic
from sctune.config.model import Config
from sctune.model.system import CpuGovernors, HugePages
from sctune.probes import governor
from sctune.probes.memory import boot_argument, probe_huge_pages
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.serving_hosts import chain, chains, codes, look, look_at

POLICY = "/sys/devices/system/cpu/cpufreq/policy0"


def cpus(*governors: str, driver: str = "acpi-cpufreq", preferences: tuple[str, ...] = ()) -> CpuGovernors:
    return CpuGovernors(governors=governors, cpus=8, drivers=(driver,) if driver else (), preferences=preferences)


@pytest.mark.parametrize(
    ("facts", "fires"),
    [
        (cpus("performance"), False),
        (cpus("schedutil"), False),
        (cpus("ondemand"), False),
        (cpus("powersave"), True),
        (cpus("performance", "powersave"), True),
        (cpus("powersave", driver=""), True),
        (cpus("powersave", driver="intel_pstate", preferences=("balance_performance",)), True),
        (cpus("powersave", driver="intel_pstate"), True),
        (cpus("powersave", driver="intel_pstate", preferences=("performance",)), False),
        (cpus("powersave", driver="amd-pstate-epp", preferences=("performance",)), False),
        (cpus("powersave", driver="intel_pstate", preferences=("balance_power", "performance")), True),
        # acpi-cpufreq knows no preference
        (cpus("powersave", driver="acpi-cpufreq", preferences=("performance",)), True),
    ],
)
def test_governors(facts: CpuGovernors, fires: bool) -> None:
    result = topic.run_governor(look(governors=facts))
    assert result.examined == 8
    assert codes(result) == ([("CPU_GOVERNOR_POWERSAVE", "info", "scaling_governor")] if fires else [])


def test_the_reason_is_the_drivers() -> None:
    said = [
        topic.run_governor(look(governors=cpus("powersave", driver=driver, preferences=("power",)))).findings[0].summary
        for driver in ("acpi-cpufreq", "intel_pstate")
    ]
    assert "lowest frequency" in said[0]
    assert "intel_pstate raises the frequency only after a while of load with the preference power" in said[1]


def test_virtual_machines_have_no_governor() -> None:
    assert topic.run_governor(look(governors=CpuGovernors(governors=(), cpus=2))).not_applicable


def test_driver_and_preference_are_asked_for_where_they_matter() -> None:
    files: dict[str, str | Unavailable] = {
        "/sys/devices/system/cpu/cpu0/topology/core_id": "0\n",
        f"{POLICY}/scaling_governor": "powersave\n",
        f"{POLICY}/scaling_driver": "intel_pstate\n",
        f"{POLICY}/energy_performance_preference": "balance_performance\n",
    }
    assert governor.probe(FakeHost(files=files)) == CpuGovernors(
        governors=("powersave",), cpus=1, drivers=("intel_pstate",), preferences=("balance_performance",)
    )
    files[f"{POLICY}/scaling_governor"] = "performance\n"
    assert governor.probe(FakeHost(files=files)) == CpuGovernors(governors=("performance",), cpus=1)


@pytest.mark.parametrize(("mode", "fires"), [("always", True), ("madvise", False), ("never", False)])
def test_huge_pages(mode: str, fires: bool) -> None:
    result = topic.run_huge_pages(look(huge_pages=HugePages(enabled=mode, defrag="madvise")))
    assert (result.examined, codes(result)) == (1, [("THP_MODE", "info", "transparent_hugepage")] if fires else [])


def test_huge_pages_of_the_command_line() -> None:
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    files: dict[str, str | Unavailable] = {path: "[always] madvise never\n", "/proc/cmdline": "ro transparent_hugepage=always\n"}
    pages = probe_huge_pages(FakeHost(files=files))
    assert pages == HugePages(enabled="always", defrag=None, at_boot="always")
    (finding,) = topic.run_huge_pages(look(huge_pages=pages)).findings
    assert "take transparent_hugepage=always out there" in finding.remedy.text
    assert boot_argument("a=1 b a=2", "a") == "2"
    assert boot_argument("aa=1 b", "a") is None


def test_wanted_is_a_warning() -> None:
    config = Config(wanted=frozenset({"THP_MODE", "CPU_GOVERNOR_POWERSAVE"}))
    pages, powersave = HugePages(enabled="always", defrag=None), cpus("powersave")
    assert codes(topic.run_huge_pages(look(config, huge_pages=pages)))[0][1] == "warning"
    assert codes(topic.run_governor(look(config, governors=powersave)))[0][1] == "warning"


def test_absent_and_unknown() -> None:
    for reason in (Reason.ABSENT, Reason.DENIED):
        unread = Unavailable(reason=reason, what="x")
        for run, part in ((topic.run_huge_pages, "huge_pages"), (topic.run_governor, "governors")):
            with pytest.raises(CannotLook) as caught:
                run(look_at({part: unread}))
            assert caught.value.unavailable is unread


def test_a_laptop_gets_no_advice() -> None:
    laptop = {"chains": chains(chain("vg/root", ours=False))}
    assert topic.run_governor(look_at({"governors": cpus("powersave"), **laptop})).not_applicable
    assert topic.run_huge_pages(look_at({"huge_pages": HugePages(enabled="always", defrag=None), **laptop})).not_applicable
