"""Plans: what each decision is made of, and that what is done can be undone, on a kernel that behaves as the real one."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctune.config.model import Config
from sctune.host.base import Process
from sctune.inventory import Inventory
from sctune.model.block import BlockKind
from sctune.model.loop import LoopDevice, LoopState
from sctune.model.target import Target, TgtDaemon, TgtState
from sctune.model.tgt_tuning import TgtVersion
from sctune.probes.tgt_parameters import parse as parse_parameters
from sctune.tuning.load import catalogue, joined, override
from sctune.tuning.model import Decision, Item, Options, Plan
from sctune.tuning.numbers import above, below
from sctune.tuning.operations import FileState, RunTool, WriteFile, WriteValue
from sctune.tuning.plan import operations, plan
from sctune.tuning.profile import read
from sctune.tuning.schema import Attribute, Bound, Profile, Section, Setting, Value, When
from sctune.unavailable import Reason, Unavailable
from tests.unit.tuned_kernel import MEMORY, Disk, Kernel

IQN = "iqn.2009-06.com.eucalyptus.store:store1"

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.tuning.operations import Operation

GIB = 1 << 30
MIB = 1 << 20
CATALOGUE = catalogue(site_folder="/nowhere")
MINE = "/etc/sysctl.d/90-sctune-mine.conf"


def loop_device(name: str, *, direct_io: bool, read_only: bool = False) -> LoopDevice:
    return LoopDevice(
        name=name,
        number=int(name[4:]),
        backing_file=f"/srv/{name}",
        deleted=False,
        backing=Unavailable(reason=Reason.NOT_COLLECTED, what="/srv"),
        size=GIB,
        offset=0,
        sizelimit=0,
        autoclear=False,
        direct_io=direct_io,
        read_only=read_only,
        logical_block_size=512,
    )


def tgt_state(port: int) -> TgtState:
    target = Target(
        tid=7,
        iqn=IQN,
        driver="iscsi",
        state="ready",
        control_port=port,
        nexuses=(),
        luns=(),
        accounts=(),
        outgoing_accounts=(),
        acls=(),
    )
    daemon = TgtDaemon(control_port=port, state="ready", targets=(target,), portals=(), accounts=(), backing_types=())
    return TgtState(daemons=(daemon,), unanswered=(), stale=())


def profile(text: str, name: str = "mine") -> Profile:
    lines = text.replace("}\n", ", why: because, source: a book}\n")
    return read(f"summary: for tests\n{lines}".encode(), f"/p/{name}.yaml", name)


def named(name: str, *given: str) -> Profile:
    return override(joined(name, CATALOGUE), given).profile


def made(kernel: Kernel, wanted: Profile, options: Options | None = None, config: Config | None = None) -> Plan:
    return plan(kernel.inventory(config), wanted, options or Options())


def item(found: Plan, key: str, subject: str = "") -> Item:
    (one,) = (item for item in found.items if item.setting.key == key and subject in ("", item.subject))
    return one


def apply(kernel: Kernel, found: Plan) -> tuple[Operation, ...]:
    done = operations(found)
    for operation in done:
        kernel.do(operation)
    return done


def sysctl(name: str, value: str, bound: str = "") -> Profile:
    only = f", only: {bound}" if bound else ""
    return profile(f"sysctl:\n  {name}: {{value: {value}{only}}}\n")


# --- one setting at a time


def test_a_value_is_changed_or_is_so_already() -> None:
    kernel = Kernel()
    found = made(kernel, sysctl("vm.swappiness", "10"))
    (write, file) = operations(found)
    assert write == WriteValue(setting="vm.swappiness", path="/proc/sys/vm/swappiness", value="10", before="60")
    assert isinstance(file, WriteFile)
    assert (file.path, file.before) == (MINE, None)
    assert file.after is not None
    assert b"\nvm.swappiness = 10\n" in file.after.content
    assert b"for the profile mine" in file.after.content
    assert (file.after.mode, file.after.uid, file.after.gid) == (0o644, 0, 0)
    assert item(made(Kernel(), sysctl("vm.swappiness", "60")), "vm.swappiness").decision is Decision.ALREADY


def test_white_space_and_zero_are_values() -> None:
    assert item(made(Kernel(), sysctl("net.ipv4.tcp_wmem", "4096 16384 4194304")), "net.ipv4.tcp_wmem").decision is Decision.ALREADY
    found = made(Kernel(), sysctl("vm.swappiness", "0"))
    assert (item(found, "vm.swappiness").decision, item(found, "vm.swappiness").wanted) == (Decision.CHANGE, "0")


def test_what_the_kernel_does_not_have_is_left_out_of_the_file_too() -> None:
    found = made(Kernel(), sysctl("kernel.sched_min_granularity_ns", "1"))
    assert item(found, "kernel.sched_min_granularity_ns").decision is Decision.ABSENT
    assert operations(found) == ()
    assert found.files == ()


def test_what_cannot_be_read_is_not_called_absent() -> None:
    kernel = Kernel()
    inventory = kernel.inventory()
    path = "/proc/sys/vm/swappiness"
    inventory.host.files[path] = Unavailable(reason=Reason.DENIED, what=path)  # type: ignore[attr-defined]
    found = plan(inventory, sysctl("vm.swappiness", "10"), Options())
    assert item(found, "vm.swappiness").decision is Decision.UNKNOWN
    assert operations(found) == ()
    assert found.unread == (f"{path}: denied",)


@pytest.mark.parametrize(
    ("bound", "value", "decision", "wanted"),
    [
        ("raise", "2048", Decision.BEYOND, "2048"),
        ("raise", "4096", Decision.ALREADY, "4096"),
        ("raise", "8192", Decision.CHANGE, "8192"),
        ("lower", "2048", Decision.CHANGE, "2048"),
        ("lower", "8192", Decision.BEYOND, "8192"),
    ],
)
def test_bounds(bound: str, value: str, decision: Decision, wanted: str) -> None:
    found = made(Kernel(), sysctl("net.core.somaxconn", value, bound))
    one = item(found, "net.core.somaxconn")
    assert (one.decision, one.wanted) == (decision, wanted)
    assert bool(operations(found)) is (decision is not Decision.BEYOND)


def test_of_several_numbers_each_is_bounded_by_itself() -> None:
    kernel = Kernel()
    kernel.sysctl["net.ipv4.tcp_rmem"] = "8192 131072 6291456"
    found = made(kernel, sysctl("net.ipv4.tcp_rmem", "4096 131072 16777216", "raise"))
    assert item(found, "net.ipv4.tcp_rmem").wanted == "8192 131072 16777216"
    apply(kernel, found)
    assert operations(made(kernel, sysctl("net.ipv4.tcp_rmem", "4096 131072 16777216", "raise"))) == ()


def test_a_raised_value_that_somebody_raised_further_keeps_its_line() -> None:
    kernel = Kernel()
    wanted = sysctl("net.core.somaxconn", "8192", "raise")
    apply(kernel, made(kernel, wanted))
    kernel.sysctl["net.core.somaxconn"] = "16384"
    found = made(kernel, wanted)
    assert item(found, "net.core.somaxconn").decision is Decision.BEYOND
    assert operations(found) == ()


@pytest.mark.parametrize(
    ("ratio", "bytes_", "key", "value", "shown"),
    [
        ("20", "0", "vm.dirty_bytes", "629145600", "20 (vm.dirty_ratio)"),
        ("0", "0", "vm.dirty_bytes", "629145600", "0 (vm.dirty_ratio)"),
        ("0", "8192", "vm.dirty_bytes", "629145600", "8192"),
        ("0", "8192", "vm.dirty_ratio", "40", "8192 (vm.dirty_bytes)"),
        ("0", "8192", "vm.dirty_ratio", "0", "8192 (vm.dirty_bytes)"),
        ("20", "0", "vm.dirty_ratio", "0", "20"),
        ("20", "0", "vm.dirty_ratio", "40", "20"),
    ],
)
def test_ratio_and_bytes_are_one_setting(ratio: str, bytes_: str, key: str, value: str, shown: str) -> None:
    for name in (key, key.replace("dirty_", "dirty_background_")):
        kernel = Kernel()
        for pair in ("dirty", "dirty_background"):
            kernel.sysctl |= {f"vm.{pair}_ratio": ratio, f"vm.{pair}_bytes": bytes_}
        before = kernel.snapshot()
        found = made(kernel, sysctl(name, value), Options(persist=False))
        one = item(found, name)
        assert (one.decision, one.current) == (
            Decision.CHANGE,
            shown.replace("dirty_", "dirty_background_") if name != key else shown,
        )
        apply(kernel, found)
        other = name.replace("bytes", "ratio") if name.endswith("bytes") else name.replace("ratio", "bytes")
        assert (kernel.sysctl[name], kernel.sysctl[other]) == (value, "0")
        assert operations(made(kernel, sysctl(name, value), Options(persist=False))) == ()
        for operation in reversed(operations(found)):
            kernel.undo(operation)
        assert kernel.snapshot() == before


# --- devices


def test_devices_are_chosen_by_what_they_are() -> None:
    kernel = Kernel(
        disks={
            "sda": Disk(),
            "sdb": Disk(rotational=False),
            "sdc": Disk(path="../devices/platform/host9/session4/target9:0:0/9:0:0:1/block"),
            "dm-0": Disk(schedulers=()),
            "loop3": Disk(rotational=False, scheduler="mq-deadline"),
            "sr0": Disk(),
        }
    )

    def chosen(when: str) -> set[str]:
        found = made(kernel, profile(f"block:\n  a: {{attribute: read_ahead_kb, value: 9999, when: {when}}}\n"))
        return {one.subject for one in found.items if one.decision is Decision.CHANGE}

    assert chosen("{kind: disk}") == {"sda", "sdb", "sdc"}
    assert chosen("{kind: [disk, dm], rotational: true}") == {"sda", "sdc", "dm-0"}
    assert chosen("{transport: iscsi}") == {"sdc"}
    assert chosen("{kind: disk, transport: ata}") == {"sda", "sdb"}
    assert chosen("{}") == {"sda", "sdb", "sdc", "dm-0", "loop3"}
    assert chosen("{driver: sd}") == set()


def test_drivers_are_those_of_the_device_and_of_what_it_hangs_on() -> None:
    kernel = Kernel(disks={"sda": Disk()})
    inventory = kernel.inventory()
    links = inventory.host.links  # type: ignore[attr-defined]
    links["/sys/devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/driver"] = "../../bus/scsi/drivers/sd"
    links["/sys/devices/pci0000:00/ata1/driver"] = "../bus/pci/drivers/ahci"
    for driver, found in (("sd", 1), ("ahci", 1), ("megaraid_sas", 0)):
        wanted = profile(f"block:\n  a: {{attribute: read_ahead_kb, value: 9999, when: {{driver: {driver}}}}}\n")
        assert sum(one.decision is Decision.CHANGE for one in plan(inventory, wanted, Options()).items) == found


def test_schedulers() -> None:
    kernel = Kernel(
        disks={
            "sda": Disk(scheduler="none"),
            "sdb": Disk(),
            "sdc": Disk(schedulers=("noop", "deadline", "cfq"), scheduler="cfq"),
            "sdd": Disk(schedulers=("none", "kyber"), scheduler="kyber"),
            "dm-0": Disk(schedulers=()),
        }
    )
    found = made(kernel, profile("block:\n  a: {attribute: scheduler, value: [mq-deadline, deadline]}\n"))
    assert {one.subject: (one.decision, one.wanted) for one in found.items} == {
        "sda": (Decision.CHANGE, "mq-deadline"),
        "sdb": (Decision.ALREADY, "mq-deadline"),
        "sdc": (Decision.CHANGE, "deadline"),
        "sdd": (Decision.ABSENT, "mq-deadline"),
        "dm-0": (Decision.NO_ELEVATOR, "mq-deadline"),
    }


def test_a_scheduler_is_given_back_with_its_number_of_requests() -> None:
    kernel = Kernel(disks={"sda": Disk(scheduler="none", nr_requests=40, tags=64)})
    before = kernel.snapshot()
    done = apply(kernel, made(kernel, profile("block:\n  a: {attribute: scheduler, value: mq-deadline}\n")))
    assert kernel.disks["sda"].nr_requests == 128
    for operation in reversed(done):
        kernel.undo(operation)
    assert kernel.snapshot() == before


def test_limits_of_the_hardware() -> None:
    kernel = Kernel(disks={"sda": Disk(scheduler="none"), "sdb": Disk(), "sdc": Disk(max_sectors_kb=1024)})
    text = "block:\n  a: {attribute: nr_requests, value: 512}\n  b: {attribute: max_sectors_kb, value: 4096}\n"
    found = made(kernel, profile(text))
    told = {(one.subject, one.setting.name): (one.decision, one.wanted) for one in found.items}
    assert told[("sda", "a")] == (Decision.HARDWARE, "512")
    assert told[("sdb", "a")] == (Decision.CHANGE, "512")
    assert told[("sdb", "b")] == (Decision.CHANGE, "1024")
    assert told[("sdc", "b")] == (Decision.HARDWARE, "1024")
    apply(kernel, found)
    assert operations(made(kernel, profile(text))) == ()


def test_a_number_of_requests_is_set_after_the_scheduler_that_brings_another() -> None:
    text = "block:\n  a: {attribute: nr_requests, value: 512}\n  b: {attribute: scheduler, value: mq-deadline}\n"
    kernel = Kernel(disks={"sda": Disk(scheduler="none", nr_requests=40), "sdb": Disk(scheduler="none", tags=600, nr_requests=512)})
    before = kernel.snapshot()
    found = made(kernel, profile(text))
    attributes = [one.setting.rpartition("/")[2] for one in operations(found)[:4]]
    assert attributes == ["scheduler", "scheduler", "nr_requests", "nr_requests"]
    done = apply(kernel, found)
    assert [disk.nr_requests for disk in kernel.disks.values()] == [512, 512]
    assert operations(made(kernel, profile(text))) == ()
    for operation in reversed(done):
        kernel.undo(operation)
    assert kernel.snapshot() == before
    fresh = Kernel(disks={"sda": Disk(scheduler="none", nr_requests=40)})
    rules = next((one.after or b"").decode() for one in found.files)
    fresh.udev(rules, "sda")
    assert (fresh.disks["sda"].scheduler, fresh.disks["sda"].nr_requests) == ("mq-deadline", 512)


def test_of_two_settings_for_one_attribute_the_later_counts() -> None:
    kernel = Kernel(disks={"sda": Disk()})
    found = made(
        kernel, profile("block:\n  a: {attribute: read_ahead_kb, value: 256}\n  b: {attribute: read_ahead_kb, value: 512}\n")
    )
    assert item(found, "block.a", "sda").decision is Decision.NOT_SELECTED
    assert "block.b says 512" in item(found, "block.a", "sda").reason
    assert item(found, "block.b", "sda").decision is Decision.CHANGE


# --- huge pages, governors, modules, loop devices, tgt


def test_huge_pages_and_governors_are_kept_by_tmpfiles() -> None:
    kernel = Kernel(governors={"policy0": "powersave", "policy4": "performance"})
    found = made(kernel, profile("system:\n  transparent_hugepage: {value: always}\n  cpu_governor: {value: performance}\n"))
    assert item(found, "system.transparent_hugepage").decision is Decision.CHANGE
    assert item(found, "system.cpu_governor", "policy0").decision is Decision.CHANGE
    assert item(found, "system.cpu_governor", "policy4").decision is Decision.ALREADY
    (file,) = found.files
    assert file.path == "/etc/tmpfiles.d/sctune-mine.conf"
    lines = (file.after or b"").decode().splitlines()
    assert "w /sys/kernel/mm/transparent_hugepage/enabled - - - - always" in lines
    assert "w /sys/devices/system/cpu/cpufreq/policy*/scaling_governor - - - - performance" in lines


def test_the_kernels_command_line_has_huge_pages() -> None:
    kernel = Kernel(extra={"/proc/cmdline": "ro transparent_hugepage=never quiet\n"})
    found = made(kernel, profile("system:\n  transparent_hugepage: {value: always}\n"))
    one = item(found, "system.transparent_hugepage")
    assert (one.decision, one.reason) == (Decision.PINNED, "the kernel was started with transparent_hugepage=never")
    assert operations(found) == ()
    same = made(Kernel(extra=kernel.extra), profile("system:\n  transparent_hugepage: {value: never}\n"))
    assert item(same, "system.transparent_hugepage").decision is Decision.CHANGE


def test_no_cpufreq_is_no_fault() -> None:
    found = made(Kernel(), profile("system:\n  cpu_governor: {value: performance}\n"))
    assert item(found, "system.cpu_governor").decision is Decision.ABSENT
    assert found.unread == ()


def test_a_module_takes_its_parameter_when_it_is_loaded() -> None:
    wanted = profile("module:\n  loop.max_loop: {value: 256}\n")
    kernel = Kernel(extra={"/sys/module/loop/parameters/max_loop": "8\n"})
    found = made(kernel, wanted)
    assert item(found, "module.loop.max_loop").decision is Decision.NEXT_LOAD
    apply(kernel, found)
    assert "options loop max_loop=256" in kernel.files["/etc/modprobe.d/sctune-mine.conf"].splitlines()
    assert operations(made(kernel, wanted)) == ()


def test_what_is_only_done_on_request() -> None:
    found = made(Kernel(), named("storage-controller"))
    assert item(found, "loop.direct_io").decision is Decision.NOT_SELECTED
    assert "--set loop.direct_io=on" in item(found, "loop.direct_io").reason


LOOPS = LoopState(
    devices=(
        loop_device("loop0", direct_io=False),
        loop_device("loop1", direct_io=True),
        loop_device("loop2", direct_io=False, read_only=True),
    ),
    nodes=3,
    max_loop=0,
    control=True,
)


def test_direct_io_of_loop_devices_is_losetups_work() -> None:
    inventory = Kernel().inventory()
    inventory.parts["loops"] = LOOPS
    found = plan(inventory, named("storage-controller", "loop.direct_io=on"), Options())
    assert {one.subject: one.decision for one in found.items if one.setting.section is Section.LOOP} == {
        "loop0": Decision.CHANGE,
        "loop1": Decision.ALREADY,
    }
    (tool,) = (one for one in operations(found) if isinstance(one, RunTool))
    assert tool.argv == ("losetup", "--direct-io=on", "/dev/loop0")
    assert tool.undo == (("losetup", "--direct-io=off", "/dev/loop0"),)
    assert tool.check == {"/sys/block/loop0/loop/dio": "1"}
    assert item(found, "loop.direct_io", "loop0").kept_by == ""


def test_old_kernels_have_no_direct_io_of_loop_devices() -> None:
    host = Kernel().host()
    host.kernel = "3.10.0-1160.el7.x86_64"
    inventory = Inventory(host, Config(), strict=True)
    inventory.parts["loops"] = LOOPS
    found = plan(inventory, named("storage-controller", "loop.direct_io=on"), Options())
    assert item(found, "loop.direct_io").decision is Decision.ABSENT


def beside_tgt(interval: int | None, count: int | None, *given: str, version: str = "1.0.85", port: int = 0) -> Plan:
    text = "".join(f"{name}={value}\n" for name, value in (("nop_interval", interval), ("nop_count", count)) if value is not None)
    inventory = Kernel().inventory()
    inventory.parts["tgt"] = tgt_state(port)
    inventory.parts["tgt_parameters"] = (parse_parameters(text, control_port=port, iqn=IQN),)
    inventory.parts["tgt_version"] = TgtVersion(version=version, package="")
    return plan(inventory, named("storage-controller", *given), Options(persist=False))


def test_nop_ins_are_switched_on_in_the_order_that_cuts_no_connection() -> None:
    found = beside_tgt(0, 0, port=2)
    tools = [one for one in operations(found) if isinstance(one, RunTool)]
    head = ("tgtadm", "-C", "2", "--lld", "iscsi", "--mode", "target", "--op", "update", "--tid", "7", "--name")
    assert [one.argv for one in tools] == [(*head, "nop_count", "--value", "5"), (*head, "nop_interval", "--value", "5")]
    assert [one.undo for one in tools] == [((*head, "nop_count", "--value", "0"),), ((*head, "nop_interval", "--value", "0"),)]
    off = [one for one in operations(beside_tgt(5, 5, "tgt.nop_interval=0", "tgt.nop_count=0")) if isinstance(one, RunTool)]
    assert [one.argv[-3] for one in off] == ["nop_interval", "nop_count"]


def test_nop_ins_are_left_alone_where_they_do_harm() -> None:
    def decisions(found: Plan) -> set[Decision]:
        return {one.decision for one in found.items if one.setting.section is Section.TGT}

    assert decisions(beside_tgt(5, 5)) == {Decision.ALREADY}
    assert decisions(beside_tgt(None, None)) == {Decision.ABSENT}
    assert decisions(beside_tgt(0, 0, version="1.0.66")) == {Decision.UNSAFE}
    assert decisions(beside_tgt(0, 0, version="unknown")) == {Decision.UNKNOWN}
    assert item(beside_tgt(0, 5, "tgt.nop_count=0"), "tgt.nop_interval").decision is Decision.UNSAFE
    assert decisions(made(Kernel(), named("storage-controller"))) == {Decision.NOT_SELECTED}


# --- who else has a word


def test_a_file_that_is_read_later_is_found() -> None:
    late = {"/etc/sysctl.d/99-local.conf": "# mine\nvm.dirty_ratio = 10\n"}
    found = made(Kernel(extra=late), sysctl("vm.dirty_bytes", "629145600"))
    (conflict,) = found.conflicts
    assert conflict.startswith("/etc/sysctl.d/99-local.conf:2 sets vm.dirty_ratio to 10 and is read after 90-sctune-mine.conf")
    agrees = {"/etc/sysctl.d/99-local.conf": "vm.dirty_bytes = 629145600\n"}
    assert made(Kernel(extra=agrees), sysctl("vm.dirty_bytes", "629145600")).conflicts == ()
    early = {"/etc/sysctl.d/10-local.conf": "vm.dirty_ratio = 10\n"}
    assert made(Kernel(extra=early), sysctl("vm.dirty_bytes", "629145600")).conflicts == ()
    live = made(Kernel(extra=late), sysctl("vm.dirty_bytes", "629145600"), Options(persist=False))
    assert live.conflicts == ()


def test_a_second_profile_is_found() -> None:
    other = {"/etc/udev/rules.d/90-sctune-enterprise-storage.rules": "# x\n"}
    (conflict,) = made(Kernel(extra=other), sysctl("vm.swappiness", "10")).conflicts
    assert "90-sctune-enterprise-storage.rules" in conflict


def with_tuned(text: str) -> Kernel:
    return Kernel(
        disks={"sda": Disk(scheduler="none")},
        governors={"policy0": "powersave"},
        extra={"/etc/tuned/active_profile": "ours\n", "/etc/tuned/ours/tuned.conf": text},
    )


def planned_beside_tuned(text: str, wanted: Profile, *, runs: bool = True) -> Plan:
    inventory = with_tuned(text).inventory()
    daemon = Process(
        pid=9,
        ppid=1,
        name="tuned",
        state="S",
        argv=("/usr/bin/python3", "/usr/sbin/tuned", "-l"),
        started=1.0,
        cpu_seconds=0,
        uid=0,
    )
    inventory.host.table = (daemon,) if runs else ()  # type: ignore[attr-defined]
    return plan(inventory, wanted, Options())


def test_what_a_running_tuned_sets_is_left_to_it() -> None:
    text = "[sysctl]\nvm.swappiness=30\n[vm]\ndirty_ratio=40\ntransparent_hugepages=never\n"
    text += "[cpu]\ngovernor=schedutil\n[disk]\nelevator=none\n"
    wanted = profile(
        "sysctl:\n  vm.swappiness: {value: 10}\n  vm.dirty_bytes: {value: 629145600}\n  net.core.somaxconn: {value: 1}\n"
        "system:\n  transparent_hugepage: {value: always}\n  cpu_governor: {value: performance}\n"
        "block:\n  a: {attribute: scheduler, value: mq-deadline}\n  b: {attribute: read_ahead_kb, value: 4096}\n"
    )
    found = planned_beside_tuned(text, wanted)
    assert {one.setting.key: one.decision for one in found.items} == {
        "vm.swappiness": Decision.PINNED,
        "vm.dirty_bytes": Decision.PINNED,
        "net.core.somaxconn": Decision.CHANGE,
        "system.transparent_hugepage": Decision.PINNED,
        "system.cpu_governor": Decision.PINNED,
        "block.a": Decision.PINNED,
        "block.b": Decision.CHANGE,
    }
    assert "tuned-adm off" in item(found, "vm.swappiness").reason
    kept = {file.path: (file.after or b"").decode() for file in found.files}
    assert "vm.swappiness" not in kept[MINE]
    assert set(kept) == {MINE, "/etc/udev/rules.d/90-sctune-mine.rules"}
    assert "scheduler" not in kept["/etc/udev/rules.d/90-sctune-mine.rules"]
    idle = planned_beside_tuned(text, wanted, runs=False)
    assert all(one.decision is Decision.CHANGE for one in idle.items)


def test_a_tuned_that_wants_the_same_stands_in_nobodys_way() -> None:
    found = planned_beside_tuned("[sysctl]\nvm.swappiness=10\n", sysctl("vm.swappiness", "10"))
    assert item(found, "vm.swappiness").decision is Decision.CHANGE


@pytest.mark.parametrize("reason", [Reason.DENIED, Reason.TIMEOUT, Reason.NOT_COLLECTED])
def test_where_nobody_knows_whether_tuned_runs(reason: Reason) -> None:
    inventory = Kernel().inventory()
    inventory.parts["tuned"] = Unavailable(reason=reason, what="tuned's process")
    found = plan(inventory, sysctl("vm.swappiness", "10"), Options())
    guessed = reason is Reason.NOT_COLLECTED  # a file tree: nothing is applied to it
    assert item(found, "vm.swappiness").decision is (Decision.CHANGE if guessed else Decision.PINNED)
    assert any("whether tuned runs could not be told" in one for one in found.unread)


def test_a_read_only_sysfs_is_said_and_nothing_is_half_done() -> None:
    mountinfo = "20 1 0:20 / /sys ro,nosuid - sysfs sysfs ro\n21 1 0:21 / /proc rw - proc proc rw\n"
    mountinfo += "22 21 0:21 /sys /proc/sys ro - proc proc rw\n"
    kernel = Kernel(disks={"sda": Disk()}, extra={"/proc/self/mountinfo": mountinfo})
    found = made(kernel, profile("sysctl:\n  vm.swappiness: {value: 10}\nblock:\n  a: {attribute: read_ahead_kb, value: 4096}\n"))
    assert {one.decision for one in found.items} == {Decision.READ_ONLY}
    assert "/proc/sys is mounted read-only" in item(found, "vm.swappiness").reason
    assert operations(found) == ()


# --- warnings


def test_more_dirty_data_than_can_be_written_in_time() -> None:
    wanted = named("enterprise-storage")
    found = made(Kernel(memory=256 * GIB), wanted, Options(flush_speed=500 * MIB))
    (warning,) = found.warnings
    assert "210 s to write at the declared 500 MiB/s" in warning
    assert made(Kernel(memory=16 * GIB), wanted, Options(flush_speed=500 * MIB)).warnings == ()
    (warning,) = made(Kernel(memory=256 * GIB), wanted).warnings
    assert "Declare how fast this host writes" in warning
    assert made(Kernel(memory=8 * GIB), wanted).warnings == ()
    assert made(Kernel(memory=256 * GIB), named("storage-controller")).warnings == ()
    declared = made(Kernel(memory=256 * GIB), wanted, config=Config(flush_speed=500.0 * MIB))
    assert "declared 500 MiB/s" in declared.warnings[0]


# --- the whole


def host_of_everything() -> Kernel:
    return Kernel(
        disks={
            "sda": Disk(scheduler="none"),
            "sdb": Disk(rotational=False),
            "nvme0n1": Disk(rotational=False, scheduler="mq-deadline", path="../devices/pci0000:00/nvme/nvme0"),
            "vda": Disk(scheduler="mq-deadline"),
            "dm-0": Disk(schedulers=(), path="../devices/virtual/block"),
            "loop0": Disk(rotational=False, scheduler="mq-deadline", path="../devices/virtual/block"),
        },
        governors={"policy0": "powersave"},
        huge_pages="never",
        files={
            "/etc/sysctl.d/90-sctune-enterprise-storage.conf": "vm.dirty_ratio = 3\n",
            "/etc/iscsi/iscsid.conf": "node.session.timeo.replacement_timeout = 33\n",
        },
    )


@pytest.mark.parametrize("name", sorted(CATALOGUE.profiles))
def test_applied_twice_a_profile_changes_nothing_and_undone_nothing_is_left(name: str) -> None:
    kernel = host_of_everything()
    before = kernel.snapshot()
    wanted = named(name)
    done = apply(kernel, made(kernel, wanted))
    assert done
    again = made(kernel, wanted)
    assert operations(again) == ()
    assert {one.decision for one in again.items} <= set(Decision) - {Decision.CHANGE}
    for operation in reversed(done):
        kernel.undo(operation)
    assert kernel.snapshot() == before


def test_live_and_persist_are_apart() -> None:
    kernel = host_of_everything()
    wanted = named("storage-controller")
    live = operations(made(kernel, wanted, Options(persist=False)))
    files = operations(made(kernel, wanted, Options(live=False)))
    assert all(isinstance(one, WriteValue) for one in live)
    assert all(isinstance(one, WriteFile) for one in files)
    assert operations(made(kernel, wanted)) == live + files


def test_a_file_that_nothing_needs_any_more_goes() -> None:
    kernel = Kernel()
    apply(kernel, made(kernel, sysctl("vm.swappiness", "10")))
    (gone,) = operations(made(kernel, profile("")))
    assert isinstance(gone, WriteFile)
    assert (gone.path, gone.after) == (MINE, None)
    assert isinstance(gone.before, FileState)


# --- properties

_RATIO = st.one_of(st.tuples(st.integers(0, 100), st.just(0)), st.tuples(st.just(0), st.integers(8192, 1 << 40)))


def _disks() -> st.SearchStrategy[dict[str, Disk]]:
    elevators = st.sampled_from(
        [(), ("none",), ("none", "mq-deadline"), ("none", "mq-deadline", "kyber", "bfq"), ("noop", "deadline", "cfq")]
    )

    @st.composite
    def disk(draw: st.DrawFn) -> Disk:
        schedulers = draw(elevators)
        tags = draw(st.integers(4, 256))
        scheduler = draw(st.sampled_from(schedulers or ("none",)))
        return Disk(
            rotational=draw(st.booleans()),
            schedulers=schedulers,
            scheduler=scheduler,
            read_ahead_kb=draw(st.integers(0, 200)) * 64,
            nr_requests=draw(st.integers(4, tags if scheduler == "none" else 1024)),
            tags=tags,
            max_sectors_kb=draw(st.integers(64, 512)),
            max_hw_sectors_kb=draw(st.integers(512, 4096)),
            path=draw(st.sampled_from([Disk().path, "../devices/platform/host9/session4/target9:0:0/9:0:0:1/block"])),
        )

    names = st.sampled_from(["sda", "sdb", "vda", "nvme0n1", "dm-0", "dm-7", "md0", "loop0", "loop12", "sr0"])
    return st.dictionaries(names, disk(), max_size=5)


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    kernel = Kernel(
        disks=draw(_disks()),
        huge_pages=draw(st.sampled_from(["always", "madvise", "never"])),
        governors=draw(st.dictionaries(st.sampled_from(["policy0", "policy3"]), st.sampled_from(["powersave", "performance"]))),
        page_kib=draw(st.sampled_from([4, 16, 64])),
    )
    for pair in ("dirty", "dirty_background"):
        ratio, bytes_ = draw(_RATIO)
        kernel.sysctl |= {f"vm.{pair}_ratio": str(ratio), f"vm.{pair}_bytes": str(bytes_)}
    kernel.sysctl["vm.swappiness"] = str(draw(st.integers(0, 200)))
    if draw(st.booleans()):
        kernel.files[MINE] = draw(st.sampled_from(["", "# a comment\n", "vm.swappiness = 3\n", "vm.dirty_ratio=7\nrubbish"]))
    return kernel


def _setting(
    section: Section,
    name: str,
    values: Iterable[str],
    *,
    attribute: Attribute | None = None,
    bound: Bound | None = None,
    when: When | None = None,
) -> Setting:
    return Setting(
        section=section,
        name=name,
        value=Value(choices=tuple(values)),
        why="w",
        source="s",
        profile="mine",
        place="x:1",
        attribute=attribute,
        bound=bound,
        when=when or When(),
    )


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    bounds = st.sampled_from([None, Bound.RAISE, Bound.LOWER])
    kinds = st.lists(st.sampled_from([kind for kind in BlockKind if kind is not BlockKind.OTHER]), unique=True).map(tuple)
    whens = st.builds(
        When,
        kinds=kinds,
        rotational=st.sampled_from([None, True, False]),
        transports=st.sampled_from([(), ("iscsi",), ("ata", "usb")]),
    )
    settings: list[Setting] = []
    for pair in ("dirty", "dirty_background"):
        match draw(st.integers(0, 2)):
            case 1:
                settings.append(_setting(Section.SYSCTL, f"vm.{pair}_ratio", [str(draw(st.integers(0, 100)))]))
            case 2:
                settings.append(_setting(Section.SYSCTL, f"vm.{pair}_bytes", [str(draw(st.integers(8192, 1 << 40)))]))
    if draw(st.booleans()):
        settings.append(_setting(Section.SYSCTL, "vm.swappiness", [str(draw(st.integers(0, 200)))], bound=draw(bounds)))
    schedulers = st.lists(st.sampled_from(["none", "noop", "mq-deadline", "deadline", "bfq"]), unique=True, min_size=1, max_size=3)
    made: list[Setting] = []
    if draw(st.booleans()):
        made.append(_setting(Section.BLOCK, "s", draw(schedulers), attribute=Attribute.SCHEDULER, when=draw(whens)))
    for attribute, least, most in (
        (Attribute.READ_AHEAD_KB, 0, 9000),
        (Attribute.NR_REQUESTS, 4, 2048),
        (Attribute.MAX_SECTORS_KB, 64, 8192),
    ):
        if draw(st.booleans()):
            value = [str(draw(st.integers(least, most)))]
            made.append(
                _setting(
                    Section.BLOCK,
                    attribute.value.replace("_", "-"),
                    value,
                    attribute=attribute,
                    bound=draw(bounds),
                    when=draw(whens),
                )
            )
    settings += draw(st.permutations(made))
    if draw(st.booleans()):
        settings.append(_setting(Section.SYSTEM, "transparent_hugepage", [draw(st.sampled_from(["always", "madvise"]))]))
    if draw(st.booleans()):
        settings.append(_setting(Section.SYSTEM, "cpu_governor", ["ondemand", "performance"]))
    return Profile(name="mine", file="/p/mine.yaml", summary="s", settings=tuple(settings))


@settings(max_examples=100, deadline=None)
@given(kernels(), profiles())
def test_any_plan_is_done_once_and_undone_whole(kernel: Kernel, wanted: Profile) -> None:
    before = kernel.snapshot()
    done = apply(kernel, made(kernel, wanted))
    kernel.written = 0
    assert operations(made(kernel, wanted)) == ()
    for operation in reversed(done):
        kernel.undo(operation)
    assert kernel.snapshot() == before


@settings(max_examples=100, deadline=None)
@given(kernels(), profiles())
def test_udevs_rules_alone_bring_the_same(kernel: Kernel, wanted: Profile) -> None:
    """A device that comes later gets by the rules what one that is there gets by the plan."""
    only = replace(wanted, settings=wanted.of(Section.BLOCK))
    rules = next(((file.after or b"").decode() for file in made(kernel, only).files if file.path.endswith(".rules")), "")
    for name in kernel.disks:
        kernel.udev(rules, name)
    assert operations(made(kernel, only, Options(persist=False))) == ()


@given(st.integers(0, 100000), st.integers(0, 200000))
def test_patterns_compare_numbers(bound: int, number: int) -> None:
    def matches(pattern: str) -> bool:
        return any(fnmatchcase(str(number), one) for one in pattern.split("|"))

    assert matches(below(bound)) is (number < bound)
    assert matches(above(bound)) is (number > bound)


def test_memory_of_the_kernel_in_these_tests() -> None:
    assert MEMORY == 64 * GIB
