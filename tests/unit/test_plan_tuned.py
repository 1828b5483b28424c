"""What of a profile tuned is given to hold, and what its own parser makes of it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Process
from sctune.tuning.model import Decision, Options
from sctune.tuning.operations import RunTool, WriteValue
from sctune.tuning.plan import operations, plan
from sctune.tuning.plan_tuned import _PLAIN
from sctune.tuning.via import Via
from sctune.unavailable import Reason, Unavailable
from tests.unit.golden import compare
from tests.unit.tuned_kernel import Disk, Kernel
from tests.unit.tuning_plans import CATALOGUE, host_of_everything, item, named, profile, sysctl

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.tuning.model import Plan
    from sctune.tuning.schema import Profile

TUNED = "/usr/lib/python3/dist-packages/tuned"
PYTHON = "/usr/bin/python3"
DAEMON = Process(
    pid=9,
    ppid=1,
    name="tuned",
    state="S",
    argv=("/usr/bin/python3", "/usr/sbin/tuned", "-l"),
    started=1.0,
    cpu_seconds=0,
    uid=0,
)
ACTIVE = {"/etc/tuned/active_profile": "balanced\n", "/etc/tuned/profile_mode": "auto\n"}
# Loads a profile as the daemon does, and prints its units with what its plug-ins would know of them.
LOADER = """
import importlib, json, sys
from tuned.hardware.device_matcher import DeviceMatcher
from tuned.profiles import Factory, Loader, Locator, Merger
from tuned.profiles.variables import Variables
loader = Loader(Locator([sys.argv[1]]), Factory(), Merger(), None, Variables())
summary = loader.profile_locator.get_profile_attrs(sys.argv[2], ["summary"], [""])[2]
units = []
for unit in loader.load(sys.argv[2]).units.values():
    plugin = importlib.import_module("tuned.plugins.plugin_" + unit.type)
    classes = [one for one in vars(plugin).values() if getattr(one, "__module__", "") == plugin.__name__]
    known = [key for one in classes if hasattr(one, "_get_config_options") for key in one._get_config_options()]
    mine = [name for name in sys.argv[3:] if DeviceMatcher().match(unit.devices, name)]
    told = {"type": unit.type, "enabled": unit.enabled, "options": unit.options, "known": known, "devices": mine}
    units.append(told)
print(json.dumps({"summary": summary, "units": units}))
"""

needs_tuned = pytest.mark.skipif(not os.path.isdir(TUNED), reason="tuned is not installed")


def through(kernel: Kernel, wanted: Profile, *, active: dict[str, str] | None = None, runs: bool = True) -> Plan:
    """The plan of a profile that goes through a tuned that runs."""
    kernel.extra |= ACTIVE if active is None else active
    inventory = kernel.inventory()
    inventory.host.table = (DAEMON,) if runs else ()  # type: ignore[attr-defined]
    return plan(inventory, wanted, Options(via=Via.TUNED))


def conf(found: Plan) -> str:
    """The file of tuned's profile."""
    (file,) = (one for one in found.files if one.path.endswith("/tuned.conf"))
    return (file.after or b"").decode()


def loaded(text: str, folder: Path, *devices: str) -> dict[str, Any]:
    """What tuned itself reads in it."""
    (folder / "sctune-x").mkdir(exist_ok=True)
    (folder / "sctune-x/tuned.conf").write_text(text)
    argv = [PYTHON, "-c", LOADER, str(folder), "sctune-x", *devices]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env={"PATH": "/usr/bin", "HOME": "/"})
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def everything() -> Kernel:
    kernel = host_of_everything()
    kernel.files = {}
    return kernel


@needs_tuned
@pytest.mark.spawns
@pytest.mark.parametrize("name", sorted(CATALOGUE.profiles))
def test_tuned_loads_each_profile_as_it_is_meant(name: str, tmp_path: Path) -> None:
    from sctune.tuning.tuned_render import render

    kernel, wanted = everything(), named(name)
    found = through(kernel, wanted)
    files = [one for one in found.files if one.path.endswith("/tuned.conf")]
    iscsi_alone = name.startswith("iscsi-") or name == "eucalyptus-nc"
    assert (not files) is iscsi_alone
    text = conf(found) if files else render(wanted, ()).decode()
    document = loaded(text, tmp_path, *kernel.disks)
    assert document["summary"] == wanted.summary
    told: dict[tuple[str, str], str] = {}
    owned: set[str] = set()
    for unit in document["units"]:
        assert unit["enabled"]
        if unit["type"] == "disk":
            mine = [device for device in unit["devices"] if device not in owned]
            owned |= set(mine)
            assert unit["options"].pop("dynamic") == "0"
            told |= {(device, option): value for device in mine for option, value in unit["options"].items()}
        else:
            told |= {("", option): value for option, value in unit["options"].items()}
        if unit["known"]:  # a plug-in that takes any option knows none by name
            assert set(unit["options"]) <= set(unit["known"])
    names = {"scheduler": "elevator", "read_ahead_kb": "readahead"}
    for one in found.items:
        if one.decision not in (Decision.CHANGE, Decision.ALREADY) or not one.kept_by.endswith("/tuned.conf"):
            continue
        if one.setting.attribute is not None:
            key = (one.subject, names[one.setting.attribute])
        else:
            alone = {"transparent_hugepage": "transparent_hugepages", "cpu_governor": "governor"}
            key = ("", alone.get(one.setting.name, one.setting.name))
        assert told.pop(key).lstrip("<>") == one.wanted, key
    assert told.keys() <= {("", "force_latency"), ("", "net.core.somaxconn"), ("nvme0n1", "readahead")}


def test_a_profile_of_tuned_as_people_read_it(request: pytest.FixtureRequest) -> None:
    compare(request, "tuned-storage-controller.conf", conf(through(everything(), named("storage-controller"))))


def test_nothing_is_kept_twice() -> None:
    kernel = everything()
    kernel.files = {"/etc/sysctl.d/90-sctune-storage-controller.conf": "vm.swappiness = 10\n"}
    found = through(kernel, named("storage-controller"))
    assert {one.path: one.after is None for one in found.files} == {
        "/etc/sysctl.d/90-sctune-storage-controller.conf": True,
        "/etc/tuned/sctune-storage-controller/tuned.conf": False,
    }
    assert found.conflicts == ()


def test_what_tuned_cannot_say_stays_with_sctune() -> None:
    kernel = Kernel(disks={"sda": Disk(scheduler="none")})
    wanted = profile(
        "sysctl:\n  vm.swappiness: {value: 10}\n  kernel.core_pattern: {value: '|/usr/bin/x %p # $1'}\n"
        "module:\n  loop.max_loop: {value: 64}\n"
    )
    kernel.sysctl["kernel.core_pattern"] = "core"
    found = through(kernel, wanted)
    assert [one.path for one in found.files] == [
        "/etc/sysctl.d/90-sctune-mine.conf",
        "/etc/modprobe.d/sctune-mine.conf",
        "/etc/tuned/sctune-mine/tuned.conf",
    ]
    assert "core_pattern" not in conf(found)
    assert item(found, "kernel.core_pattern").kept_by == "/etc/sysctl.d/90-sctune-mine.conf"
    values = {one.setting: one.later for one in operations(found) if isinstance(one, WriteValue)}
    assert values == {"vm.swappiness": True, "kernel.core_pattern": False}


def test_a_profile_of_which_tuned_holds_nothing_leaves_it_alone() -> None:
    found = through(Kernel(), profile("module:\n  loop.max_loop: {value: 64}\n"))
    assert found.activation is None
    assert [one.path for one in found.files] == ["/etc/modprobe.d/sctune-mine.conf"]
    assert "nothing of this profile is tuned's to hold" in found.warnings[0]


def test_disks_that_differ_stand_before_their_kind() -> None:
    kernel = Kernel(
        disks={
            "sda": Disk(scheduler="none"),
            "sdb": Disk(rotational=False, scheduler="none"),
            "sdc": Disk(schedulers=("none", "kyber"), scheduler="none"),
            "dm-0": Disk(schedulers=()),
        }
    )
    wanted = profile(
        "block:\n  a: {attribute: scheduler, value: [mq-deadline, deadline]}\n"
        "  b: {attribute: read_ahead_kb, value: 4096, only: raise, when: {kind: disk, rotational: true}}\n"
        "  c: {attribute: nr_requests, value: 100, when: {kind: disk}}\n"
    )
    text = conf(through(kernel, wanted))
    sections = {part.split("]")[0]: part for part in text.split("\n[")[1:]}
    assert "devices=sda\n" in sections["disk_1"]
    assert "readahead=>4096" in sections["disk_1"]
    assert "elevator=mq-deadline" in sections["disk_1"]
    assert "devices=sdc\n" in sections["disk_2"]
    assert "elevator" not in sections["disk_2"]
    assert "devices=sd*\n" in sections["disk_disk"]
    assert "readahead" not in sections["disk_disk"]
    assert "disk_dm" not in sections
    assert list(sections)[-1] == "sysfs"
    assert "/sys/block/sda/queue/nr_requests=100\n" in sections["sysfs"]


def test_a_disk_that_gets_nothing_is_left_out_of_its_kind() -> None:
    kernel = Kernel(disks={"sda": Disk(scheduler="none"), "sdb": Disk(schedulers=("none", "kyber"), scheduler="none")})
    text = conf(through(kernel, profile("block:\n  a: {attribute: scheduler, value: mq-deadline, when: {kind: disk}}\n")))
    assert "devices=sd*,!sdb\n" in text


def test_both_names_of_the_limits_of_dirty_pages_are_given_back() -> None:
    kernel = Kernel()
    found = operations(through(kernel, sysctl("vm.dirty_bytes", "64 MiB")))
    assert [(one.setting, one.value, one.before) for one in found if isinstance(one, WriteValue)] == [
        ("vm.dirty_bytes", str(64 << 20), "0"),
        ("vm.dirty_ratio", "0", "20"),
    ]
    kernel = Kernel()
    kernel.sysctl |= {"vm.dirty_bytes": "4096000", "vm.dirty_ratio": "0"}
    found = operations(through(kernel, sysctl("vm.dirty_ratio", "40")))
    assert [(one.setting, one.restore) for one in found if isinstance(one, WriteValue)] == [
        ("vm.dirty_ratio", (("/proc/sys/vm/dirty_bytes", "4096000"),)),
        ("vm.dirty_bytes", None),
    ]


@pytest.mark.parametrize(
    ("active", "mode", "back", "checked"),
    [
        ("balanced\n", "auto\n", ("tuned-adm", "auto_profile"), {"sctune-mine", "manual"}),
        ("a b\n", "manual\n", ("tuned-adm", "profile", "a", "b"), {"sctune-mine", "manual"}),
        ("", "manual\n", ("tuned-adm", "off"), {"sctune-mine"}),
        ("old\n", None, ("tuned-adm", "profile", "old"), {"sctune-mine"}),
    ],
)
def test_what_was_active_is_taken_up_again(active: str, mode: str | None, back: tuple[str, ...], checked: set[str]) -> None:
    files = {"/etc/tuned/active_profile": active} | ({} if mode is None else {"/etc/tuned/profile_mode": mode})
    found = through(Kernel(), sysctl("vm.swappiness", "10"), active=files)
    tool = operations(found)[-1]
    assert isinstance(tool, RunTool)
    assert tool.argv == ("tuned-adm", "profile", "sctune-mine")
    assert tool.undo == (back,)
    assert set(tool.whole.values()) == checked


def test_taken_up_already_it_is_read_anew_only_where_something_changes() -> None:
    kernel = Kernel()
    first = through(kernel, sysctl("vm.swappiness", "10"))
    kernel.sysctl["vm.swappiness"] = "10"
    kernel.files["/etc/tuned/sctune-mine/tuned.conf"] = conf(first)
    there = {"/etc/tuned/active_profile": "sctune-mine\n", "/etc/tuned/profile_mode": "manual\n"}
    assert operations(through(kernel, sysctl("vm.swappiness", "10"), active=there)) == ()
    (value, tool) = operations(through(kernel, sysctl("vm.swappiness", "20"), active=there))[::2]
    assert isinstance(value, WriteValue)
    assert isinstance(tool, RunTool)
    assert tool.whole == {}
    assert tool.undo == (("tuned-adm", "profile", "sctune-mine"),)


def test_a_line_of_the_administrator_that_tuned_applies_afterwards_is_a_conflict() -> None:
    early = {"/etc/sysctl.d/10-local.conf": "vm.swappiness = 60\nnet.core.somaxconn = 9000\n"}
    wanted = profile("sysctl:\n  vm.swappiness: {value: 10}\n  net.core.somaxconn: {value: 5000, only: raise}\n")
    (conflict,) = through(Kernel(extra=dict(early)), wanted).conflicts
    assert conflict.startswith("/etc/sysctl.d/10-local.conf:1 sets vm.swappiness to 60, and tuned applies that file after its own")
    off = {"/etc/tuned/tuned-main.conf": "reapply_sysctl = 0\n"}
    assert through(Kernel(extra=early | off), wanted).conflicts == ()
    packages = {"/usr/lib/sysctl.d/10-local.conf": "vm.swappiness = 60\n"}
    assert through(Kernel(extra=packages), wanted).conflicts == ()


def test_where_that_tuned_looks_for_profiles() -> None:
    main = {"/etc/tuned/tuned-main.conf": "profile_dirs = /usr/lib/tuned,/usr/lib/tuned/profiles,/etc/tuned,/etc/tuned/profiles\n"}
    found = through(Kernel(extra=main), sysctl("vm.swappiness", "10"))
    assert [one.path for one in found.files] == ["/etc/tuned/profiles/sctune-mine/tuned.conf"]


def test_beside_a_profile_that_went_through_tuned_nothing_is_applied() -> None:
    kernel = Kernel(
        extra={"/etc/tuned/sctune-mine/tuned.conf": "[main]\n", "/etc/tuned/profiles/sctune-other/tuned.conf": "[main]\n"}
    )
    found = plan(kernel.inventory(), sysctl("vm.swappiness", "10"), Options())
    mine, other = found.conflicts
    assert mine.startswith("mine is applied through tuned (/etc/tuned/sctune-mine/tuned.conf)")
    assert other.startswith("another profile is applied: /etc/tuned/profiles/sctune-other/tuned.conf")


@pytest.mark.parametrize(
    ("tuned", "said"),
    [
        (Unavailable(reason=Reason.ABSENT, what="/etc/tuned/active_profile"), "tuned is not installed here"),
        (Unavailable(reason=Reason.TIMEOUT, what="tuned's process"), "whether tuned runs could not be told"),
    ],
)
def test_without_tuned_there_is_no_way_through_it(tuned: Unavailable, said: str) -> None:
    inventory = Kernel().inventory()
    inventory.parts["tuned"] = tuned
    found = plan(inventory, sysctl("vm.swappiness", "10"), Options(via=Via.TUNED))
    assert said in found.refusal


def test_a_tuned_that_does_not_run_or_could_not_be_put_back() -> None:
    assert "tuned does not run here" in through(Kernel(), sysctl("vm.swappiness", "10"), runs=False).refusal
    later = {"/etc/tuned/active_profile": "", "/etc/tuned/post_loaded_profile": "mine\n"}
    assert "forgets it" in through(Kernel(), sysctl("vm.swappiness", "10"), active=later).refusal


def test_what_ends_with_the_profile_that_was_active_is_told() -> None:
    text = "[sysctl]\nvm.swappiness=30\nkernel.sched_x=1\n[vm]\ndirty_bytes=40%\n[disk]\nreadahead=>4096\n[audio]\ntimeout=10\n"
    kernel = Kernel(extra={"/etc/tuned/balanced/tuned.conf": text})
    wanted = profile("sysctl:\n  vm.swappiness: {value: 10}\n  vm.dirty_ratio: {value: 30}\n")
    assert (
        through(kernel, wanted).warnings[-1]
        == "tuned's profile balanced ends, and with it what it sets besides: kernel.sched_x, readahead, timeout"
    )


@given(st.text(st.characters(max_codepoint=127), max_size=20))
def test_plain_values_hold_nothing_that_tuned_would_read_otherwise(text: str) -> None:
    if _PLAIN.fullmatch(text):
        assert not set(text) & set("#$\"'<>\\\n\t")
        assert text == " ".join(text.split())


def test_what_a_file_of_ours_said_stays_where_it_went_beyond() -> None:
    kernel = Kernel()
    kernel.sysctl["net.ipv4.tcp_rmem"] = "8192 131072 33554432"
    wanted = sysctl("net.ipv4.tcp_rmem", "4096 131072 16777216", "raise")
    assert all(not one.path.endswith("tuned.conf") for one in through(kernel, wanted).files)
    kernel.files["/etc/tuned/sctune-mine/tuned.conf"] = "[sysctl]\nnet.ipv4.tcp_rmem=4096 131072 16777216\n"
    assert "net.ipv4.tcp_rmem=4096 131072 16777216\n" in conf(through(kernel, wanted))
