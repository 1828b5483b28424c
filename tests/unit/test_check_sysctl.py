from __future__ import annotations

import pytest

from sctune.checks import sysctl as topic
from sctune.model.sysctl import SysctlLine, SysctlState
from sctune.model.tuned import TunedOption, TunedProfile, TunedUnit
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit.serving_hosts import chain, chains, codes, look, look_at

NO_TUNED = Unavailable(reason=Reason.ABSENT, what="tuned")
SWAPPINESS = ("SYSCTL_OVERRIDDEN", "warning", "vm.swappiness")
LAYERED = ("SYSCTL_OVERRIDDEN", "info", "vm.swappiness")


def line(key: str, value: str | None, file: str = "/etc/sysctl.d/50-a.conf", number: int = 1) -> SysctlLine:
    return SysctlLine(key=key, value=value, file=file, line=number, vendor=file.startswith("/usr/lib/"))


def state(*lines: SysctlLine, live: dict[str, str] | None = None, **facts: object) -> SysctlState:
    fields: dict[str, object] = {"unread_at_boot": (), "unreadable": (), "applied": True, **facts}
    return SysctlState(lines=lines, live=live or {}, **fields)  # type: ignore[arg-type]


def found(settings: SysctlState, **parts: object) -> list[tuple[str, str, str]]:
    return codes(topic.run(look_at({"sysctl": settings, "tuned_profile": NO_TUNED, **parts})))


def test_a_later_file_of_the_administrator_wins() -> None:
    lines = (line("vm.swappiness", "10"), line("vm.swappiness", "40", "/etc/sysctl.d/80-b.conf", 3))
    settings = state(*lines, live={"vm.swappiness": "40"})
    assert found(settings) == [LAYERED]
    (finding,) = topic.run(look(sysctl=settings, tuned_profile=NO_TUNED)).findings
    assert "/etc/sysctl.d/50-a.conf:1 sets vm.swappiness to 10, and /etc/sysctl.d/80-b.conf:3" in finding.summary
    assert finding.remedy.commands == (
        "sed -i --follow-symlinks '1s/^/# /' /etc/sysctl.d/50-a.conf    # if 40 is meant",
        "sed -i --follow-symlinks '3s/^/# /' /etc/sysctl.d/80-b.conf && sysctl -w vm.swappiness=10    # if 10 is meant",
    )


def test_a_package_that_overrides_the_administrator_is_outdone_and_not_edited() -> None:
    lines = (line("vm.swappiness", "10"), line("vm.swappiness", "40", "/usr/lib/sysctl.d/80-b.conf"))
    (finding,) = topic.run(look(sysctl=state(*lines, live={"vm.swappiness": "40"}), tuned_profile=NO_TUNED)).findings
    assert (finding.code, finding.severity, finding.subject.id) == SWAPPINESS
    assert finding.remedy.commands[1] == (
        "printf '%s\\n' vm.swappiness=10 > /etc/sysctl.d/zz-vm.swappiness.conf && sysctl -w vm.swappiness=10    # if 10 is meant"
    )


@pytest.mark.parametrize(
    "lines",
    [
        # what sysctl.d is for: a package's default, and the administrator's word
        (line("vm.swappiness", "60", "/usr/lib/sysctl.d/50-default.conf"), line("vm.swappiness", "10", "/etc/sysctl.d/90-x.conf")),
        (line("vm.swappiness", "60", "/usr/lib/sysctl.d/50-a.conf"), line("vm.swappiness", "10", "/usr/lib/sysctl.d/90-x.conf")),
        (line("vm.swappiness", "10"), line("vm.swappiness", "0xa", "/etc/sysctl.d/90-x.conf")),
        # a file that was added to
        (line("vm.swappiness", "60"), line("vm.swappiness", "10", number=9)),
        (line("vm.swappiness", "10"),),
        (),
    ],
)
def test_no_fault(lines: tuple[SysctlLine, ...]) -> None:
    assert found(state(*lines, live={"vm.swappiness": "10"})) == []


def test_bytes_and_ratio_are_one_setting() -> None:
    lines = (line("vm.dirty_bytes", "629145600"), line("vm.dirty_ratio", "30", "/etc/sysctl.d/80-b.conf"))
    live = {"vm.dirty_bytes": "0", "vm.dirty_ratio": "30"}
    assert found(state(*lines, live=live)) == [("SYSCTL_OVERRIDDEN", "warning", "vm.dirty_bytes")]
    # in one file too
    lines = (line("vm.dirty_bytes", "629145600"), line("vm.dirty_ratio", "30", number=2))
    assert found(state(*lines, live=live)) == [("SYSCTL_OVERRIDDEN", "warning", "vm.dirty_bytes")]


def test_changed_by_hand() -> None:
    settings = state(line("net.ipv4.tcp_rmem", "4096 87380 16777216"), live={"net.ipv4.tcp_rmem": "4096\t87380\t6291456"})
    assert found(settings) == [("SYSCTL_OVERRIDDEN", "warning", "net.ipv4.tcp_rmem")]
    (finding,) = topic.run(look(sysctl=settings, tuned_profile=NO_TUNED)).findings
    assert finding.remedy.commands == ("sysctl -w 'net.ipv4.tcp_rmem=4096 87380 16777216'",)
    settings = state(line("vm.dirty_bytes", "629145600"), live={"vm.dirty_bytes": "0", "vm.dirty_ratio": "20"})
    (finding,) = topic.run(look(sysctl=settings, tuned_profile=NO_TUNED)).findings
    assert finding.summary.startswith("vm.dirty_ratio is 20, but /etc/sysctl.d/50-a.conf:1 sets vm.dirty_bytes")


def test_white_space_is_no_difference() -> None:
    assert found(state(line("net.ipv4.tcp_rmem", "4096 87380 1"), live={"net.ipv4.tcp_rmem": "4096\t87380\t1"})) == []


def test_what_the_kernel_does_not_have_is_not_judged() -> None:
    assert found(state(line("net.core.rmem_max", "1"), live={})) == []


def test_an_order_other_than_ours_is_not_called_a_fault() -> None:
    """An init script of its own may read /etc/sysctl.conf first: what is in force tells."""
    lines = (line("vm.swappiness", "10"), line("vm.swappiness", "40", "/etc/sysctl.conf"))
    assert found(state(*lines, live={"vm.swappiness": "40"})) == [LAYERED]
    assert found(state(*lines, live={"vm.swappiness": "10"})) == [SWAPPINESS]
    assert "50-a" in topic.run(look(sysctl=state(*lines, live={"vm.swappiness": "40"}), tuned_profile=NO_TUNED)).findings[0].summary


def test_sysctl_conf_that_nobody_reads() -> None:
    conf = (line("vm.swappiness", "10", "/etc/sysctl.conf", 7),)
    assert found(state(unread_at_boot=conf, live={"vm.swappiness": "60"})) == [SWAPPINESS]
    assert found(state(unread_at_boot=conf, live={"vm.swappiness": "10"})) == []  # somebody applies it
    # Another file says what is in force; and tuned reads it.
    other = line("vm.swappiness", "60")
    assert found(state(other, unread_at_boot=conf, live={"vm.swappiness": "60"})) == []
    profile = TunedProfile(name="x", units=(), reapply_sysctl=True, unread=())
    assert found(state(unread_at_boot=conf, live={"vm.swappiness": "60"}), tuned_profile=profile) == []


def test_what_tuned_sets_is_not_somebodys_hand() -> None:
    option = TunedOption(key="vm.swappiness", value="30", file="/usr/lib/tuned/x/tuned.conf")
    unit = TunedUnit(name="sysctl", type="sysctl", devices="", conditional=False, options=(option,))
    profile = TunedProfile(name="x", units=(unit,), reapply_sysctl=False, unread=())
    settings = state(line("vm.swappiness", "10"), live={"vm.swappiness": "30"})
    assert found(settings) == [SWAPPINESS]
    assert found(settings, tuned_profile=profile) == []


def test_a_file_that_could_not_be_read_may_say_anything() -> None:
    denied = Unavailable(reason=Reason.DENIED, what="/etc/sysctl.d/99-z.conf")
    settings = state(line("vm.swappiness", "10"), live={"vm.swappiness": "60"}, unreadable=(denied,))
    result = topic.run(look(sysctl=settings, tuned_profile=NO_TUNED))
    assert (codes(result), [item.reason for item in result.unexamined]) == ([], [Reason.DENIED])


def test_no_file_sets_anything() -> None:
    assert topic.run(look(sysctl=state(), tuned_profile=NO_TUNED)).not_applicable


def test_containers_and_laptops() -> None:
    settings = state(line("vm.swappiness", "10"), live={"vm.swappiness": "60"}, applied=False)
    assert topic.run(look(sysctl=settings, tuned_profile=NO_TUNED)).not_applicable
    settings = state(line("vm.swappiness", "10"), live={"vm.swappiness": "60"})
    laptop = look(sysctl=settings, tuned_profile=NO_TUNED, chains=chains(chain("vg/root", ours=False)))
    assert topic.run(laptop).not_applicable
    with pytest.raises(CannotLook):
        topic.run(look(sysctl=Unavailable(reason=Reason.NOT_COLLECTED, what="/etc/sysctl.d"), tuned_profile=NO_TUNED))
