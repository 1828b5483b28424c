"""A file tree answers from its files, never from this machine, and says where it cannot know."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sctune.host.base import Clock, DmQuery, FileKind, FileStat, Source, TgtMode
from sctune.host.root import RootHost
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from pathlib import Path


def reason(answer: object) -> Reason:
    assert isinstance(answer, Unavailable), answer
    return answer.reason


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in ("etc/iscsi", "proc/sys/kernel", "sys/block/sda", "var/lib/volumes", "dev", "run"):
        (root / folder).mkdir(parents=True)
    (root / "etc/hostname").write_text("sc1\n")
    (root / "proc/sys/kernel/osrelease").write_text("3.10.0-1160.el7\n")
    (root / "proc/uptime").write_text("1234.50 99.0\n")
    (root / "sys/block/sda/size").write_text("2048\n")
    (root / "var/lib/volumes/vol-1").write_bytes(bytes(4096))
    (root / "etc/iscsi/bytes").write_bytes(b"a\xffb")
    (tmp_path / "outside").write_text("outside")
    return root


def test_files_of_the_tree(tree: Path) -> None:
    host = RootHost(str(tree))
    assert host.source is Source.ROOT
    assert host.read("/sys/block/sda/size") == "2048\n"
    assert host.read("/etc/iscsi/bytes") == "a\udcffb"
    assert host.list("/sys/block") == ("sda",)
    assert reason(host.read("/etc/none")) is Reason.ABSENT
    assert reason(host.list("/etc/none")) is Reason.ABSENT
    assert reason(host.read("/etc/hostname/x")) is Reason.ABSENT
    assert reason(host.read("/etc")) is Reason.FAILED
    assert reason(host.read("/etc/a\0b")) is Reason.FAILED
    assert reason(host.readlink("/etc/hostname")) is Reason.FAILED
    found = host.stat("/var/lib/volumes/vol-1")
    assert isinstance(found, FileStat)
    assert (found.kind, found.size) == (FileKind.FILE, 4096)
    assert host.stat_files(["/var/lib/volumes/vol-1"]) == (found,)
    entries = host.list_files("/var/lib/volumes")
    assert not isinstance(entries, Unavailable)
    assert [(entry.name, entry.stat) for entry in entries] == [("vol-1", found)]


def test_identity_and_clock_are_the_trees(tree: Path) -> None:
    os.utime(tree / "etc/hostname", (100, 100))
    os.utime(tree / "proc/uptime", (5000.5, 5000.5))
    host = RootHost(str(tree))
    assert (host.identity().name, host.identity().kernel) == ("sc1", "3.10.0-1160.el7")
    assert host.clock() == Clock(now=5000.5, boot=1234.5)


def test_a_bare_tree_has_no_name_and_no_clock(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    host = RootHost(str(tmp_path))
    assert (host.identity().name, host.identity().kernel) == ("unknown", "unknown")
    assert host.clock() == Clock(now=0.0, boot=0.0)


@pytest.mark.parametrize("uptime", ["", "x y", "nan 1", "inf", "-5", "1e400"])
def test_a_wrong_uptime_is_no_clock(tree: Path, uptime: str) -> None:
    (tree / "proc/uptime").write_text(uptime)
    assert RootHost(str(tree)).clock().boot == 0.0


def test_what_a_tree_cannot_know_is_not_collected(tree: Path) -> None:
    host = RootHost(str(tree))
    for answer in (
        host.run(["lvm", "x"], timeout=1),
        host.dm(DmQuery.TABLE),
        host.tgt(TgtMode.TARGET),
        host.processes(),
        host.space("/var"),
        host.stat("/dev/sda"),
        host.list("/dev/disk/by-id"),
        host.stat_files(["/var/../dev/sda"])[0],
        host.readlink("/dev/disk/by-id/x"),
        host.lstat_mtime("/dev/sda"),
        host.list_files("/dev"),
        host.read("/run/x"),  # /run is empty in this tree: nobody has looked into the running system's
    ):
        assert reason(answer) is Reason.NOT_COLLECTED


def test_an_image_without_proc_and_sys_has_no_empty_host(tmp_path: Path) -> None:
    for folder in ("etc", "proc", "sys"):
        (tmp_path / folder).mkdir()
    host = RootHost(str(tmp_path))
    assert reason(host.list("/sys/block")) is Reason.NOT_COLLECTED
    assert reason(host.read("/proc/mounts")) is Reason.NOT_COLLECTED
    assert reason(host.read("/etc/tgt/targets.conf")) is Reason.ABSENT


def test_links_stay_in_the_tree(tree: Path) -> None:
    outside = tree.parent / "outside"
    (tree / "etc/absolute").symlink_to("/etc/hostname")
    (tree / "etc/up").symlink_to("../../../../../../etc/hostname")
    (tree / "etc/folder").symlink_to("/sys/block")
    (tree / "etc/chain").symlink_to("folder/sda/size")
    (tree / "etc/away").symlink_to(outside)
    (tree / "etc/away2").symlink_to("../../outside")
    (tree / "etc/loop").symlink_to("loop")
    (tree / "etc/loop2").symlink_to("loop2/x")
    (tree / "etc/todev").symlink_to("/dev/sda")
    host = RootHost(str(tree))
    assert host.read("/etc/absolute") == "sc1\n"
    assert host.read("/etc/up") == "sc1\n"
    assert host.read("/etc/chain") == "2048\n"
    assert host.list("/etc/folder") == ("sda",)
    assert host.readlink("/etc/folder") == "/sys/block"
    assert isinstance(host.lstat_mtime("/etc/away"), float)
    for path in ("/etc/away", "/etc/away2", "/../outside", "/etc/../../outside", str(outside)):
        assert reason(host.read(path)) is Reason.ABSENT
        assert reason(host.stat(path)) is Reason.ABSENT
    assert reason(host.stat("/etc/todev")) is Reason.NOT_COLLECTED
    assert host.readlink("/etc/todev") == "/dev/sda"
    assert reason(host.read("/etc/loop")) is Reason.FAILED
    assert reason(host.read("/etc/loop2")) is Reason.FAILED


def test_special_and_huge_files_do_not_hold_us_up(tree: Path) -> None:
    os.mkfifo(tree / "etc/fifo")
    with open(tree / "etc/huge", "wb") as file:
        file.truncate(2**40)
    host = RootHost(str(tree))
    assert reason(host.read("/etc/fifo")) is Reason.FAILED
    assert reason(host.read("/etc/huge")) is Reason.FAILED


PARTS = st.sampled_from(["etc", "a", "b", "..", ".", "", "link", "up", "hostname"])


@given(
    path=st.lists(PARTS, max_size=8).map("/".join),
    targets=st.tuples(*[st.lists(PARTS, min_size=1, max_size=5)] * 2),
    absolute=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
def test_no_path_leads_out(
    tmp_path_factory: pytest.TempPathFactory, path: str, targets: tuple[list[str], ...], absolute: bool
) -> None:
    base = tmp_path_factory.mktemp("tree")
    (base / "hostname").write_text("outside")
    (base / "a").mkdir()
    (base / "a" / "hostname").write_text("outside")
    root = base / "root"
    (root / "etc" / "b").mkdir(parents=True)
    (root / "etc" / "hostname").write_text("inside")
    for name, target in zip(("link", "up"), targets, strict=True):
        (root / "etc" / name).symlink_to(("/" if absolute else "") + "/".join(target) or ".")
    answer = RootHost(str(root)).read(path)
    assert isinstance(answer, Unavailable) or answer == "inside"
