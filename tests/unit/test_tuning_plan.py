"""Plans: what each decision about kernel settings and devices is made of, on a kernel that behaves as the real one."""

from __future__ import annotations

import pytest

from sctune.tuning.model import Decision, Options
from sctune.tuning.operations import WriteFile, WriteValue
from sctune.tuning.plan import operations, plan
from sctune.unavailable import Reason, Unavailable
from tests.unit.tuned_kernel import Disk, Kernel
from tests.unit.tuning_plans import (
    MINE,
    apply,
    item,
    made,
    profile,
    sysctl,
)

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


def test_without_a_scheduler_the_number_of_requests_is_the_drivers() -> None:
    """Also where it would be lowered: it is told so in the plan that takes the scheduler away, and a second plan has to agree."""
    text = "block:\n  a: {attribute: scheduler, value: none}\n  b: {attribute: nr_requests, value: 4}\n"
    kernel = Kernel(disks={"sda": Disk(scheduler="mq-deadline", nr_requests=4, tags=5)})
    apply(kernel, made(kernel, profile(text)))
    found = made(kernel, profile(text))
    assert {one.setting.name: one.decision for one in found.items} == {"a": Decision.ALREADY, "b": Decision.HARDWARE}
    assert operations(found) == ()


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
