from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.model.system import Tuned
from sctune.model.tuned import TunedOption, TunedProfile, TunedUnit
from sctune.probes.tuned_conf import expand, merge, parse
from sctune.probes.tuned_profile import probe
from sctune.tuned import Wanted, sysctls_of, wanted
from sctune.tuned_devices import matches
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from collections.abc import Mapping

LIB, ETC = "/usr/lib/tuned", "/etc/tuned"
# The settings of tuned 2.20's profiles of these names (Debian 12), without their words.
THROUGHPUT = r"""#
# tuned configuration
#
[main]
summary=throughput

[variables]
thunderx_cpuinfo_regex=CPU part\s+:\s+(0x0?516)|(0x0?af)\b

[cpu]
governor=performance
energy_perf_bias=performance

[vm.thunderx]
type=vm
uname_regex=aarch64
cpuinfo_regex=${thunderx_cpuinfo_regex}
transparent_hugepages=never

[disk]
# a comment
readahead=>4096

[sysctl]
vm.dirty_ratio = 40
vm.dirty_background_ratio = 10
vm.swappiness=10
net.core.somaxconn=>2048
"""
GUEST = "[main]\ninclude=throughput-performance\n\n[sysctl]\nvm.dirty_ratio = 30\nvm.swappiness = 30   # more\n"
RUNNING = Tuned(profile="virtual-guest", running=True)
FILES: dict[str, str | Unavailable] = {
    f"{LIB}/throughput-performance/tuned.conf": THROUGHPUT,
    f"{LIB}/virtual-guest/tuned.conf": GUEST,
    f"{ETC}/tuned-main.conf": "# reapply_sysctl = 0\ndaemon = 1\nreapply_sysctl = 1\n",
}


def load(files: Mapping[str, str | Unavailable] | None = None, tuned: Tuned = RUNNING) -> TunedProfile:
    found = probe(FakeHost(files={**FILES, **(files or {})}), tuned=tuned)
    assert isinstance(found, TunedProfile)
    return found


def settings(profile: TunedProfile) -> dict[str, str]:
    return {item.key: item.bound + item.value for item in sysctls_of(profile)}


def units(*texts: str) -> dict[str, dict[str, str | None]]:
    sections = []
    for number, text in enumerate(texts):
        parsed = parse(text, f"f{number}")
        assert not isinstance(parsed, Unavailable)
        sections.append(parsed)
    return {unit.name: {option.key: option.value for option in unit.options} for unit in merge(sections)}


def test_a_profile_and_what_it_includes() -> None:
    profile = load()
    assert (profile.name, profile.reapply_sysctl, profile.unread) == ("virtual-guest", True, ())
    assert settings(profile) == {
        "vm.dirty_ratio": "30",
        "vm.dirty_background_ratio": "10",
        "vm.swappiness": "30",
        "net.core.somaxconn": ">2048",
    }
    by_name = {unit.name: unit for unit in profile.units}
    assert list(by_name) == ["cpu", "disk", "sysctl"]  # the third is for ARM, and this a kernel of Debian for amd64
    assert by_name["disk"].options == (
        TunedOption(key="readahead", value=">4096", file=f"{LIB}/throughput-performance/tuned.conf"),
    )
    origins = {item.key: item.file for item in sysctls_of(profile)}
    assert origins["vm.swappiness"] == f"{LIB}/virtual-guest/tuned.conf"
    assert origins["vm.dirty_background_ratio"] == f"{LIB}/throughput-performance/tuned.conf"


def test_the_administrators_profile_hides_the_packages_and_may_include_it() -> None:
    own = "[main]\ninclude=virtual-guest\n[sysctl]\nvm.swappiness=5\n"
    assert settings(load({f"{ETC}/virtual-guest/tuned.conf": own}))["vm.swappiness"] == "5"
    assert settings(load({f"{ETC}/virtual-guest/tuned.conf": own}))["vm.dirty_ratio"] == "30"
    assert settings(load({f"{ETC}/profiles/virtual-guest/tuned.conf": "[sysctl]\nvm.swappiness=1\n"})) == {"vm.swappiness": "1"}
    assert "vm.dirty_ratio" in settings(load({"/usr/lib/tuned/profiles/virtual-guest/tuned.conf": GUEST}))


def test_several_profiles_and_one_loaded_afterwards() -> None:
    own = {f"{ETC}/mine/tuned.conf": "[sysctl]\nvm.swappiness=1\n", f"{ETC}/last/tuned.conf": "[sysctl]\nvm.dirty_ratio=7\n"}
    profile = load({**own, f"{ETC}/post_loaded_profile": "last\n"}, Tuned(profile="virtual-guest mine", running=True))
    assert profile.name == "virtual-guest mine last"
    assert settings(profile)["vm.swappiness"] == "1"
    assert settings(profile)["vm.dirty_ratio"] == "7"


def test_who_does_not_run_enforces_nothing() -> None:
    for tuned in (Tuned(profile="virtual-guest", running=False), Tuned(profile="", running=True)):
        answer = probe(FakeHost(files=FILES), tuned=tuned)
        assert isinstance(answer, Unavailable)
        assert answer.reason is Reason.ABSENT
    # `daemon = 0`: it applies the profile at boot and ends
    once = load({f"{ETC}/tuned-main.conf": "daemon = 0\n"}, Tuned(profile="virtual-guest", running=False))
    assert once.name == "virtual-guest"
    assert not load({f"{ETC}/tuned-main.conf": "reapply_sysctl=0\n"}).reapply_sysctl


def test_what_is_missing_is_told() -> None:
    missing = probe(FakeHost(files=FILES), tuned=Tuned(profile="nothing", running=True))
    assert isinstance(missing, Unavailable)
    own = {f"{ETC}/mine/tuned.conf": "[main]\ninclude=absent,-optional,${f:exec:x},virtual-guest\n[sysctl]\nvm.swappiness=1\n"}
    profile = load(own, Tuned(profile="mine", running=True))
    assert [item.what for item in profile.unread] == ["tuned profile absent", "tuned profile ${f:exec:x}"]
    assert settings(profile)["vm.dirty_ratio"] == "30"
    denied = Unavailable(reason=Reason.DENIED, what=f"{LIB}/throughput-performance/tuned.conf")
    assert load({f"{LIB}/throughput-performance/tuned.conf": denied}).unread == (denied,)
    broken = load({f"{LIB}/throughput-performance/tuned.conf": "no section\n"})
    assert [item.reason for item in broken.unread] == [Reason.MALFORMED]
    unread = Unavailable(reason=Reason.NOT_COLLECTED, what="tuned")
    assert probe(FakeHost(), tuned=unread) is unread


def test_a_name_leads_out_of_no_folder() -> None:
    asked = load({f"{ETC}/mine/tuned.conf": "[main]\ninclude=../../etc/shadow\n"}, Tuned(profile="mine", running=True))
    assert [item.detail for item in asked.unread] == ["no name of a profile"]


def test_circles_end() -> None:
    own = {f"{ETC}/a/tuned.conf": "[main]\ninclude=b\n", f"{ETC}/b/tuned.conf": "[main]\ninclude=a\n[sysctl]\nvm.swappiness=1\n"}
    profile = load(own, Tuned(profile="a", running=True))
    assert (settings(profile), profile.unread) == ({"vm.swappiness": "1"}, ())


def test_merging() -> None:
    first = "[disk]\nreadahead=1\nelevator=none\n[sysctl]\na=1\nb=2\n"
    assert units(first, "[disk]\nelevator=bfq\n")["disk"] == {"readahead": "1", "elevator": "bfq"}
    assert units(first, "[disk]\nreplace=1\nelevator=bfq\n")["disk"] == {"elevator": "bfq"}
    assert units(first, "[sysctl]\ndrop=a\nc=3\n")["sysctl"] == {"b": "2", "c": "3"}
    assert "disk" not in units(first, "[disk]\nenabled=false\n")
    assert list(units("[b]\nx=1\n[a]\npriority=-5\nx=1\n")) == ["a", "b"]


def test_sections_for_some_processors() -> None:
    sections = parse(THROUGHPUT + "[x]\ntype=vm\nuname_regex=x86_64\n[y]\ntype=vm\nuname_regex=5[.]1\n", "f")
    assert not isinstance(sections, Unavailable)

    def conditional(machine: str) -> dict[str, bool]:
        return {unit.name: unit.conditional for unit in merge([sections], machine) if unit.type == "vm"}

    assert conditional("") == {"vm.thunderx": True, "x": True, "y": True}
    assert conditional("x86_64") == {"x": False, "y": True}
    assert conditional("aarch64") == {"vm.thunderx": True, "y": True}
    files = {**FILES, "/proc/sys/kernel/arch": "aarch64\n"}
    found = probe(FakeHost(files=files), tuned=RUNNING)
    assert isinstance(found, TunedProfile)
    assert "vm.thunderx" in [unit.name for unit in found.units]


def test_variables() -> None:
    text = '[variables]\none=10\ntwo=${one}0\nthree=${f:exec:x}\n[sysctl]\na=${two}\nb=${three}\nc=${four}\nd="quoted"\n'
    assert units(text)["sysctl"] == {"a": "100", "b": None, "c": None, "d": "quoted"}
    assert units("[variables]\ninclude=/etc/x\none=1\n[sysctl]\na=${one}\n")["sysctl"] == {"a": None}
    assert expand(None, {}) == ""


@pytest.mark.parametrize(
    ("value", "live", "met"),
    [
        ("10", "10", True),
        ("10", "60", False),
        (">2048", "4096", True),
        (">2048", "2048", True),
        (">2048", "2047", False),
        ("<100", "100", True),
        ("<100", "101", False),
        ("4096 87380 1", "4096\t87380\t1", True),
        (">4096", "4096 87380", True),  # tuned cannot compare it either
    ],
)
def test_forms_of_values(value: str, live: str, met: bool) -> None:
    item = wanted(TunedOption(key="k", value=value, file="f"))
    assert item is not None
    assert item.met_by(live) is met


def test_what_only_tuned_can_tell_is_not_wanted() -> None:
    assert wanted(TunedOption(key="k", value=None, file="f")) is None
    assert wanted(TunedOption(key="k", value="", file="f")) is None
    assert Wanted(key="k", value="5", bound=">", file="f").words == "at least 5"


def unit(kind: str, name: str = "", conditional: bool = False, **options: str) -> TunedUnit:
    found = tuple(TunedOption(key=key.replace("__", "."), value=value, file="f") for key, value in options.items())
    return TunedUnit(name=name or kind, type=kind, devices="", conditional=conditional, options=found)


def profile_of(*members: TunedUnit) -> TunedProfile:
    return TunedProfile(name="p", units=members, reapply_sysctl=True, unread=())


def test_dirty_pages_by_the_vm_plug_in() -> None:
    """Since tuned 2.25; from 2.26 on the bytes are given in per cent, which writes the ratio."""
    assert settings(profile_of(unit("vm", dirty_bytes="40%", dirty_background_bytes="10%"))) == {
        "vm.dirty_ratio": "40",
        "vm.dirty_background_ratio": "10",
    }
    assert settings(profile_of(unit("vm", dirty_bytes="536870912"))) == {"vm.dirty_bytes": "536870912"}
    assert settings(profile_of(unit("vm", dirty_bytes="5 elephants", transparent_hugepages="always"))) == {}


def test_what_is_set_twice_or_under_a_condition_is_not_judged() -> None:
    assert settings(profile_of(unit("sysctl", vm__swappiness="1"), unit("sysctl", "sysctl.x", True, vm__swappiness="2"))) == {}
    assert settings(profile_of(unit("sysctl", vm__swappiness="1"), unit("sysctl", "sysctl.x", vm__swappiness="2"))) == {}
    # of the two names of one knob the later is in force
    assert settings(profile_of(unit("sysctl", vm__dirty_ratio="40", vm__dirty_bytes="67108864"))) == {"vm.dirty_bytes": "67108864"}
    assert settings(profile_of(unit("sysctl", kernel__pid_max="1"))) == {}
    assert sysctls_of(None) == ()


@pytest.mark.parametrize(
    ("devices", "name", "does"),
    [
        ("", "sda", True),
        ("sd*", "sda", True),
        ("sd*", "vda", False),
        ("sd*, vd*", "vda", True),
        ("!sda", "sdb", True),
        ("!sda", "sda", False),
        ("sd* !sda", "sda", False),
    ],
)
def test_lists_of_devices(devices: str, name: str, does: bool) -> None:
    assert matches(devices, name) is does


@given(st.text(), st.text(alphabet="[]main\nvr=${}>#;:%\t xincludepriority0-\0"))
def test_no_text_breaks_the_parser(text: str, other: str) -> None:
    for raw in (text, other, f"[main]\n{other}", f"[variables]\n{other}\n[sysctl]\nvm.swappiness={text}\n"):
        sections = parse(raw, "f")
        assert isinstance(sections, Unavailable) or isinstance(merge([sections, sections]), tuple)
        assert isinstance(probe(FakeHost(files={f"{ETC}/p/tuned.conf": raw}), tuned=Tuned(profile="p", running=True)), object)
