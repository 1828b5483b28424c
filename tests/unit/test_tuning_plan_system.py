"""Plans: huge pages, governors, modules, loop devices, tgt; who else has a word; warnings."""

from __future__ import annotations

import pytest

from sctune.config.model import Config
from sctune.host.base import Process
from sctune.inventory import Inventory
from sctune.model.loop import LoopState
from sctune.model.tgt_tuning import TgtVersion
from sctune.probes.tgt_parameters import parse as parse_parameters
from sctune.tuning.model import Decision, Options, Plan
from sctune.tuning.operations import RunTool
from sctune.tuning.plan import operations, plan
from sctune.tuning.schema import Profile, Section
from sctune.unavailable import Reason, Unavailable
from tests.unit.tuned_kernel import Disk, Kernel
from tests.unit.tuning_plans import (
    GIB,
    IQN,
    MIB,
    MINE,
    apply,
    item,
    loop_device,
    made,
    named,
    profile,
    sysctl,
    tgt_state,
)

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
    assert item(found, "vm.swappiness").reason == "tuned runs, and its profile ours sets vm.swappiness (to 30)"
    (conflict,) = found.conflicts
    assert conflict.startswith(
        "tuned runs, and its profile ours sets vm.swappiness (to 30), dirty_ratio (to 40), elevator (to none), "
        "transparent_hugepages (to never), governor (to schedutil) otherwise"
    )
    assert "--via tuned" in conflict
    assert "`tuned-adm off`" in conflict
    kept = {file.path: (file.after or b"").decode() for file in found.files}
    assert "vm.swappiness" not in kept[MINE]
    assert set(kept) == {MINE, "/etc/udev/rules.d/90-sctune-mine.rules"}
    assert "scheduler" not in kept["/etc/udev/rules.d/90-sctune-mine.rules"]
    idle = planned_beside_tuned(text, wanted, runs=False)
    assert all(one.decision is Decision.CHANGE for one in idle.items)
    assert idle.conflicts == ()


def test_a_tuned_that_wants_the_same_stands_in_nobodys_way() -> None:
    found = planned_beside_tuned("[sysctl]\nvm.swappiness=10\n", sysctl("vm.swappiness", "10"))
    assert item(found, "vm.swappiness").decision is Decision.CHANGE
    assert found.conflicts == ()


def test_what_is_so_only_until_tuned_sets_it_again_is_a_conflict_too() -> None:
    inventory = with_tuned("[sysctl]\nvm.swappiness=30\n").inventory()
    found = planned_beside_tuned("[sysctl]\nvm.swappiness=30\n", sysctl("vm.swappiness", "60"))
    assert inventory.host.read("/proc/sys/vm/swappiness") == "60\n"
    assert item(found, "vm.swappiness").decision is Decision.ALREADY
    (conflict,) = found.conflicts
    assert "vm.swappiness (to 30)" in conflict


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
