from __future__ import annotations

import dataclasses

import pytest

from sctune.checks import profile as drift
from sctune.checks import tuned as topic
from sctune.host.base import Process
from sctune.model.block import BlockDevice, BlockKind
from sctune.model.sysctl import SysctlLine, SysctlState
from sctune.model.system import CpuGovernors, HugePages, Tuned
from sctune.model.tuned import TunedOption, TunedProfile, TunedUnit
from sctune.probes.processes import select
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit.serving_hosts import NO_PROCESSES, block, chain, chains, codes, look_at

KIB = 1024
ABSENT = Unavailable(reason=Reason.ABSENT, what="x")
FILE = "/etc/tuned/storage/tuned.conf"


def unit(kind: str, settings: dict[str, str], *, name: str = "", devices: str = "", conditional: bool = False) -> TunedUnit:
    options = tuple(TunedOption(key=key, value=value, file=FILE) for key, value in settings.items())
    return TunedUnit(name=name or kind, type=kind, devices=devices, conditional=conditional, options=options)


def profile(*units: TunedUnit, unread: tuple[Unavailable, ...] = ()) -> TunedProfile:
    return TunedProfile(name="storage", units=units, reapply_sysctl=True, unread=unread)


def line(key: str, value: str, file: str = "/etc/sysctl.d/90-net.conf") -> SysctlLine:
    return SysctlLine(key=key, value=value, file=file, line=1, vendor=file.startswith("/usr/lib"))


def state(*lines: SysctlLine, live: dict[str, str] | None = None, conf: tuple[SysctlLine, ...] = ()) -> SysctlState:
    return SysctlState(lines=lines, unread_at_boot=conf, live=live or {}, unreadable=(), applied=True)


def parts(active: TunedProfile | Unavailable, settings: SysctlState | None = None, **facts: object) -> dict[str, object]:
    return {
        "tuned": Tuned(profile="storage", running=True),
        "tuned_profile": active,
        "sysctl": settings or state(),
        "block": (),
        "disk_ids": {},
        "huge_pages": ABSENT,
        "governors": ABSENT,
        **facts,
    }


def conflicts(active: TunedProfile, settings: SysctlState, **facts: object) -> list[tuple[str, str, str]]:
    return codes(topic.run_conflict(look_at(parts(active, settings, **facts))))


def drifts(active: TunedProfile, settings: SysctlState | None = None, **facts: object) -> list[tuple[str, str, str]]:
    return codes(drift.of_tuned(look_at(parts(active, settings, **facts))))


SWAPPINESS = profile(unit("sysctl", {"vm.swappiness": "10"}))
SOMAXCONN = profile(unit("sysctl", {"net.core.somaxconn": ">2048"}))


@pytest.mark.parametrize(("value", "fires"), [("10", False), ("0xa", False), ("30", True)])
def test_a_file_and_the_profile(value: str, fires: bool) -> None:
    found = conflicts(SWAPPINESS, state(line("vm.swappiness", value), live={"vm.swappiness": value}))
    assert found == ([("TUNED_CONFLICT", "warning", "vm.swappiness")] if fires else [])


@pytest.mark.parametrize(("value", "fires"), [("4096", False), ("2048", False), ("2047", True)])
def test_a_value_that_is_only_raised(value: str, fires: bool) -> None:
    assert bool(conflicts(SOMAXCONN, state(line("net.core.somaxconn", value)))) is fires


def test_bytes_in_a_file_and_a_ratio_in_the_profile() -> None:
    ratio = profile(unit("sysctl", {"vm.dirty_ratio": "40"}))
    settings = state(line("vm.dirty_bytes", "629145600"), live={"vm.dirty_bytes": "629145600", "vm.dirty_ratio": "0"})
    assert conflicts(ratio, settings) == [("TUNED_CONFLICT", "warning", "vm.dirty_ratio")]
    # said once: not as drift too
    assert drifts(ratio, settings) == []


def test_what_a_package_sets_gives_way_to_tuned() -> None:
    assert conflicts(SWAPPINESS, state(line("vm.swappiness", "60", "/usr/lib/sysctl.d/50-default.conf"))) == []
    assert conflicts(SWAPPINESS, state()) == []


def test_tuned_reads_sysctl_conf_where_systemd_does_not() -> None:
    conf = (line("vm.swappiness", "30", "/etc/sysctl.conf"),)
    assert conflicts(SWAPPINESS, state(conf=conf)) == [("TUNED_CONFLICT", "warning", "vm.swappiness")]


def test_the_remedy() -> None:
    settings = state(line("vm.swappiness", "30"), live={"vm.swappiness": "30"})
    (finding,) = topic.run_conflict(look_at(parts(SWAPPINESS, settings))).findings
    assert finding.remedy.commands == (
        "sed -i --follow-symlinks '1s/^/# /' /etc/sysctl.d/90-net.conf && tuned-adm profile storage    # if the profile is meant",
    )
    assert "/etc/sysctl.d/90-net.conf:1 sets vm.swappiness to 30" in finding.summary


def test_two_tuners() -> None:
    table = tuple(
        Process(pid=pid, ppid=1, name=name, state="S", argv=(name,), started=1.0, cpu_seconds=0.0, uid=0)
        for pid, name in enumerate(("tuned", "power-profiles-", "thermald", "irqbalance"), 10)
    )
    processes = select(table)
    assert [process.name for process in processes.tuners] == ["power-profiles-"]
    found = topic.run_conflict(look_at(parts(ABSENT, processes=processes)))
    assert codes(found) == [("TUNED_CONFLICT", "warning", "power-profiles-daemon")]
    assert found.findings[0].remedy.commands == ("systemctl disable --now power-profiles-daemon",)
    # a desktop without tuned
    alone = dataclasses.replace(processes, tuned=())
    with pytest.raises(CannotLook) as caught:
        topic.run_conflict(look_at(parts(ABSENT, tuned=ABSENT, processes=alone)))
    assert caught.value.unavailable is ABSENT


@pytest.mark.parametrize(("live", "fires"), [("10", False), ("60", True)])
def test_a_setting_that_drifted(live: str, fires: bool) -> None:
    found = drifts(SWAPPINESS, state(live={"vm.swappiness": live}))
    assert found == ([("PROFILE_DRIFT", "warning", "vm.swappiness")] if fires else [])


def test_a_setting_the_kernel_does_not_have_is_not_judged() -> None:
    result = drift.of_tuned(look_at(parts(SWAPPINESS, state())))
    assert (result.examined, result.findings) == (0, ())


DISK = unit("disk", {"readahead": ">4096"})


def sda(**facts: object) -> BlockDevice:
    kind = facts.pop("kind", BlockKind.DISK)
    assert isinstance(kind, BlockKind)
    name = facts.pop("name", "sda")
    return block(str(name), kind, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "device", "fires"),
    [
        ({"readahead": ">4096"}, sda(read_ahead=4096 * KIB), False),
        ({"readahead": ">4096"}, sda(read_ahead=8192 * KIB), False),
        ({"readahead": ">4096"}, sda(read_ahead=4092 * KIB), True),
        ({"readahead": "4096"}, sda(read_ahead=8192 * KIB), True),
        ({"readahead": "777"}, sda(read_ahead=776 * KIB), False),  # the kernel counts in pages
        ({"readahead": "8192 s"}, sda(read_ahead=4096 * KIB), False),
        ({"readahead": "<128"}, sda(read_ahead=256 * KIB), True),
        ({"readahead": "0"}, sda(read_ahead=0), False),
        ({"readahead": "much"}, sda(read_ahead=0), False),
        ({"readahead_multiply": "4"}, sda(read_ahead=0), False),
        ({"elevator": "mq-deadline"}, sda(scheduler="mq-deadline"), False),
        ({"elevator": "mq-deadline"}, sda(scheduler="none"), True),
        ({"elevator": "deadline"}, sda(scheduler="mq-deadline"), False),
        ({"elevator": "noop"}, sda(scheduler="none"), False),  # was never there to be set
        ({"elevator": "none,mq-deadline"}, sda(scheduler="mq-deadline"), True),
        ({"elevator": "bfq"}, sda(scheduler=None, schedulers=()), False),
        ({"readahead": "4096"}, sda(removable=True), False),
        ({"readahead": "4096"}, sda(session=1), False),
        ({"readahead": "4096"}, sda(name="dm-0", kind=BlockKind.DM), False),
        ({"readahead": "4096"}, sda(name="loop0", kind=BlockKind.LOOP), False),
    ],
)
def test_disks(settings: dict[str, str], device: BlockDevice, fires: bool) -> None:
    found = drifts(profile(unit("disk", settings)), block=(device,))
    assert found == ([("PROFILE_DRIFT", "warning", "sda")] if fires else [])


def test_the_first_section_that_matches_has_the_disk() -> None:
    first = unit("disk", {"readahead": "128"}, name="disk_a", devices="sda")
    second = unit("disk", {"readahead": "4096"})
    devices = (sda(read_ahead=128 * KIB), sda(name="sdb", read_ahead=128 * KIB))
    assert drifts(profile(first, second), block=devices) == [("PROFILE_DRIFT", "warning", "sdb")]
    # One that only tuned can tell whom it is for may have any.
    assert drifts(profile(unit("disk", {}, name="disk_a", conditional=True), second), block=devices) == []


def test_a_disk_with_two_differences_is_one_finding_by_its_lasting_name() -> None:
    active = profile(unit("disk", {"readahead": "4096", "elevator": "bfq"}))
    found = drift.of_tuned(look_at(parts(active, block=(sda(),), disk_ids={"sda": "ata-WDC_1"})))
    assert codes(found) == [("PROFILE_DRIFT", "warning", "ata-WDC_1")]
    assert found.findings[0].summary == (
        "sda read-ahead is 128 KiB, tuned's profile storage says 4 MiB; sda scheduler is none, tuned's profile storage says bfq"
    )


@pytest.mark.parametrize(
    ("settings", "pages", "fires"),
    [
        ({"transparent_hugepages": "always"}, HugePages(enabled="always", defrag="madvise"), False),
        ({"transparent_hugepages": "always"}, HugePages(enabled="never", defrag="madvise"), True),
        ({"transparent_hugepage": "never"}, HugePages(enabled="always", defrag="madvise"), True),
        ({"transparent_hugepages": "always"}, HugePages(enabled="never", defrag=None, at_boot="never"), False),
        ({"transparent_hugepage.defrag": "always"}, HugePages(enabled="never", defrag="madvise"), True),
        ({"transparent_hugepage.defrag": "always"}, HugePages(enabled="never", defrag=None), False),
    ],
)
def test_huge_pages(settings: dict[str, str], pages: HugePages, fires: bool) -> None:
    found = drifts(profile(unit("vm", settings)), huge_pages=pages)
    assert found == ([("PROFILE_DRIFT", "warning", "transparent_hugepage")] if fires else [])
    conditional = unit("vm", {**settings}, name="vm.x", conditional=True)
    assert drifts(profile(unit("vm", settings), conditional), huge_pages=pages) == []


@pytest.mark.parametrize(
    ("wanted", "governors", "fires"),
    [
        ("performance", ("performance",), False),
        ("performance", ("performance", "powersave"), True),
        ("conservative|powersave", ("powersave",), False),
        ("conservative|powersave", ("schedutil",), True),
        ("performance", (), False),
    ],
)
def test_governors(wanted: str, governors: tuple[str, ...], fires: bool) -> None:
    found = drifts(profile(unit("cpu", {"governor": wanted})), governors=CpuGovernors(governors=governors, cpus=4))
    assert found == ([("PROFILE_DRIFT", "warning", "scaling_governor")] if fires else [])


def test_what_could_not_be_read_is_told() -> None:
    missing = Unavailable(reason=Reason.DENIED, what="/usr/lib/tuned/x/tuned.conf")
    for run in (drift.of_tuned, topic.run_conflict):
        result = run(look_at(parts(profile(unread=(missing,)))))
        assert [item.reason for item in result.unexamined] == [Reason.DENIED]
        with pytest.raises(CannotLook):
            run(look_at(parts(Unavailable(reason=Reason.ABSENT, what="tuned"))))


def test_a_laptop_may_be_tuned_as_it_likes() -> None:
    laptop = {"chains": chains(chain("vg/root", ours=False)), "processes": NO_PROCESSES}
    settings = state(line("vm.swappiness", "30"), live={"vm.swappiness": "30"})
    assert drift.of_tuned(look_at(parts(SWAPPINESS, settings, **laptop))).not_applicable
    assert topic.run_conflict(look_at(parts(SWAPPINESS, settings, **laptop))).not_applicable
