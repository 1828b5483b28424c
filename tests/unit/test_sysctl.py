from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import FileKind, FileStat
from sctune.model.sysctl import SETTINGS, SysctlLine, SysctlState
from sctune.probes.sysctl import normalise, parse, probe
from sctune.sysctl import decide, decide_knob, knob_of, matches, numbers, same_value
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

BOOTED = {"/run/systemd/system": FileStat(kind=FileKind.DIRECTORY, size=0, allocated=0, device=1, inode=1, mtime=0.0)}

# Tried with systemd 252 and procps 4.0.2 in a mount namespace. `systemd-sysctl --cat-config` and `sysctl --system` both said:
# 10-early, 50-default (/etc), 60-pattern, 70-masked (empty), 80-site, 90-vendor, 99-sysctl; procps then /etc/sysctl.conf. And
# systemd's log: "Not setting net/ipv4/tcp_rmem (explicit setting exists)", "Overwriting earlier assignment of vm/swappiness".
TRIED: dict[str, str | Unavailable] = {
    "/usr/lib/sysctl.d/50-default.conf": "vm.swappiness = 1\nvm.dirty_ratio=11\n",
    "/usr/lib/sysctl.d/70-masked.conf": "vm.swappiness = 7\n",
    "/usr/lib/sysctl.d/90-vendor.conf": "vm.swappiness = 2\n",
    "/usr/local/lib/sysctl.d/80-site.conf": "vm.swappiness = 8\n",
    "/run/sysctl.d/60-pattern.conf": "net.ipv4.tcp_*mem = 4096 87380 6291456\n-net.ipv4.tcp_rmem\n; comment\nnonsense line\n",
    "/etc/sysctl.d/10-early.conf": "vm.swappiness = 3\n",
    "/etc/sysctl.d/50-default.conf": "vm/dirty_ratio = 12\n-net.core.somaxconn=5000\n",
    "/etc/sysctl.d/70-masked.conf": "",
    "/etc/sysctl.d/99-sysctl.conf": "vm.swappiness = 6\nnet.core.rmem_max=16777216\n",
    "/etc/sysctl.d/ignored.txt": "vm.swappiness = 9\n",
    "/etc/sysctl.conf": "vm.swappiness = 6\nnet.core.rmem_max=16777216\n",
    "/proc/sys/vm/swappiness": "6\n",
    "/proc/sys/net/ipv4/tcp_rmem": "4096\t131072\t33554432\n",
}


def state(host: FakeHost) -> SysctlState:
    found = probe(host)
    assert isinstance(found, SysctlState)
    return found


def winners(found: SysctlState) -> dict[str, tuple[str, str]]:
    return {item.winner.key: (item.winner.value, item.winner.line.place) for item in decide(found.lines)}


def test_as_systemd_and_procps_apply_them() -> None:
    found = state(FakeHost(files=TRIED, stats=dict(BOOTED)))
    files = list(dict.fromkeys(line.file for line in found.lines))
    assert files == [
        "/etc/sysctl.d/10-early.conf",
        "/etc/sysctl.d/50-default.conf",
        "/run/sysctl.d/60-pattern.conf",
        "/usr/local/lib/sysctl.d/80-site.conf",
        "/usr/lib/sysctl.d/90-vendor.conf",
        "/etc/sysctl.d/99-sysctl.conf",
    ]
    assert winners(found) == {
        "vm.dirty_ratio": ("12", "/etc/sysctl.d/50-default.conf:1"),
        "vm.swappiness": ("6", "/etc/sysctl.d/99-sysctl.conf:1"),
        "net.core.somaxconn": ("5000", "/etc/sysctl.d/50-default.conf:2"),
        "net.core.rmem_max": ("16777216", "/etc/sysctl.d/99-sysctl.conf:2"),
        "net.ipv4.tcp_wmem": ("4096 87380 6291456", "/run/sysctl.d/60-pattern.conf:1"),
    }
    assert (found.unread_at_boot, found.applied) == ((), True)
    assert found.live == {"vm.swappiness": "6", "net.ipv4.tcp_rmem": "4096\t131072\t33554432"}
    assert [line.file for line in found.lines if line.vendor] == ["/usr/lib/sysctl.d/90-vendor.conf"]


def test_procps_reads_sysctl_conf_last_and_systemd_without_a_link_not_at_all() -> None:
    files = {path: text for path, text in TRIED.items() if "99-sysctl" not in path}
    by_procps = state(FakeHost(files=files))
    assert by_procps.lines[-1].file == "/etc/sysctl.conf"
    assert by_procps.unread_at_boot == ()
    by_systemd = state(FakeHost(files=files, stats=dict(BOOTED)))
    assert winners(by_systemd)["vm.swappiness"] == ("2", "/usr/lib/sysctl.d/90-vendor.conf:1")
    assert [line.key for line in by_systemd.unread_at_boot] == ["vm.swappiness", "net.core.rmem_max"]


def test_a_container_applies_nothing() -> None:
    mark = {"/.dockerenv": BOOTED["/run/systemd/system"]}
    assert not state(FakeHost(files=TRIED, stats={**mark})).applied
    assert state(FakeHost(files=TRIED, stats={**mark, **BOOTED})).applied


def test_what_cannot_be_read_is_told() -> None:
    denied = Unavailable(reason=Reason.DENIED, what="/etc/sysctl.d/10-early.conf")
    found = state(FakeHost(files={**TRIED, "/etc/sysctl.d/10-early.conf": denied}))
    assert found.unreadable == (denied,)
    # In a file tree a link to /dev/null cannot be followed; it masks all the same.
    masked = FakeHost(files={**TRIED, "/etc/sysctl.d/10-early.conf": Unavailable(reason=Reason.NOT_COLLECTED, what="")})
    masked.links["/etc/sysctl.d/10-early.conf"] = "/dev/null"
    assert state(masked).unreadable == ()


def test_without_proc_nothing_is_known() -> None:
    unknown: dict[str, str | Unavailable] = {
        f"/proc/sys/{key.replace('.', '/')}": Unavailable(reason=Reason.NOT_COLLECTED, what=key) for key in SETTINGS
    }
    assert isinstance(probe(FakeHost(files=unknown)), Unavailable)
    assert state(FakeHost()) == SysctlState(lines=(), unread_at_boot=(), live={}, unreadable=(), applied=True)


def test_lines() -> None:
    text = "# c\n;c\n\n vm.swappiness=10 \n-vm.dirty_ratio = 5\n-fs.aio-max-nr\nvm.x\nnet/ipv4/conf/eth0.1/rp_filter = 1\n=3\n-\n"
    assert [(line.line, line.key, line.value) for line in parse(text, "f")] == [
        (4, "vm.swappiness", "10"),
        (5, "vm.dirty_ratio", "5"),
        (6, "fs.aio-max-nr", None),
        (8, "net.ipv4.conf.eth0/1.rp_filter", "1"),
    ]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("vm.swappiness", "vm.swappiness"),
        ("vm/swappiness", "vm.swappiness"),
        ("net.ipv4.conf.eth0/1.forwarding", "net.ipv4.conf.eth0/1.forwarding"),
        ("net/ipv4/conf/eth0.1/forwarding", "net.ipv4.conf.eth0/1.forwarding"),
        ("one", "one"),
    ],
)
def test_separators(key: str, name: str) -> None:
    assert normalise(key) == name


@pytest.mark.parametrize(
    ("pattern", "key", "does"),
    [
        ("vm.swappiness", "vm.swappiness", True),
        ("vm.dirty_*", "vm.dirty_ratio", True),
        ("vm.*", "vm.dirty_ratio", True),
        ("*", "vm.dirty_ratio", False),
        ("net.*", "net.core.rmem_max", False),
        ("net.*.rmem_max", "net.core.rmem_max", True),
        ("net.core.[rw]mem_max", "net.core.wmem_max", True),
    ],
)
def test_patterns(pattern: str, key: str, does: bool) -> None:
    assert matches(pattern, key) is does


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10", "10", True),
        ("0x10", "16", True),
        ("010", "8", True),
        ("4096\t87380 6291456", "4096 87380 6291456", True),
        ("4096 87380", "4096 87380 1", False),
        ("cubic", "cubic", True),
        ("09", "9", False),
        ("", "", True),
        ("-1", "-1", True),
    ],
)
def test_values(one: str, other: str, same: bool) -> None:
    assert same_value(one, other) is same


def lines(*settings: tuple[str, str | None]) -> tuple[SysctlLine, ...]:
    return tuple(
        SysctlLine(key=key, value=value, file=f"/etc/sysctl.d/{n}.conf", line=1) for n, (key, value) in enumerate(settings)
    )


def test_two_names_of_one_knob() -> None:
    pair = knob_of("vm.dirty_bytes")
    decided = decide_knob(lines(("vm.dirty_bytes", "629145600"), ("vm.dirty_ratio", "30")), pair)
    assert decided is not None
    assert decided.winner.key == "vm.dirty_ratio"
    assert [loser.key for loser in decided.losers] == ["vm.dirty_bytes"]
    # 0 is what the other one of the two reads as anyhow.
    decided = decide_knob(lines(("vm.dirty_bytes", "629145600"), ("vm.dirty_ratio", "0")), pair)
    assert decided is not None
    assert (decided.winner.key, decided.losers) == ("vm.dirty_bytes", ())


def test_the_same_value_again_overrides_nothing() -> None:
    decided = decide_knob(lines(("vm.swappiness", "10"), ("vm.swappiness", "0xa")), ("vm.swappiness",))
    assert decided is not None
    assert decided.losers == ()


def test_an_excluded_key_is_set_by_nobody() -> None:
    assert decide_knob(lines(("vm.swappiness", "10"), ("vm.swappiness", None)), ("vm.swappiness",)) is None
    assert decide_knob(lines(("vm.*", "10"), ("vm.swappiness", None)), ("vm.swappiness",)) is None


@given(st.text(alphabet="vm.dirtyswapne/=-#;*[]0x1 \n\0é"), st.text())
def test_no_text_breaks_a_parser(text: str, other: str) -> None:
    for raw in (text, other):
        for line in parse(raw, "f"):
            assert line.key
            assert 1 <= line.line <= raw.count("\n") + 1
            matches(line.key, "vm.swappiness")
            numbers(line.value or "")
