"""A sos archive is read whole or refused in one line, whoever made it; nothing of it lands on the disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sctune.errors import UserError
from sctune.host.choose import open_host
from sctune.host.sos.archive import Archive, Missing, read_archive, wanted
from sctune.unavailable import Reason, Unavailable

from .sos_archives import TOP, host, members, tar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# The archives are our own; Python 3.11.2 of Debian 12 has no filters, and those that have one want to be told.
TRUSTED: dict[str, Any] = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
COMMANDS = {"hostname": "sc1\n", "uname -a": "Linux sc1 5.14.0-1 #1 SMP x\n"}


@pytest.mark.parametrize(
    ("name", "compressed"),
    [("a.tar", bytes), ("a.tar.gz", gzip.compress), ("a.tar.bz2", bz2.compress), ("a.tar.xz", lzma.compress)],
)
def test_every_form_is_read(tmp_path: Path, name: str, compressed: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).write_bytes(compressed(tar(members(COMMANDS))))
    found = open_host(str(tmp_path / name), None)
    assert (found.identity().name, found.identity().kernel) == ("sc1", "5.14.0-1")
    assert sorted(os.listdir(tmp_path)) == [name]


def test_an_unpacked_one_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(
        tar(members(COMMANDS, {"etc/lvm/lvm.conf": "x\n", "etc/mtab": "-> ../proc/mounts", "proc/mounts": "m\n"}))
    )
    with tarfile.open(tmp_path / "a.tar") as packed:
        packed.extractall(tmp_path, **TRUSTED)
    one, other = open_host(str(tmp_path / "a.tar"), None), open_host(str(tmp_path / TOP), None)
    for path in ("/etc/lvm/lvm.conf", "/etc/mtab", "/etc/none"):
        assert one.read(path) == other.read(path)
    assert one.identity() == other.identity()


def test_one_without_a_folder_around_it(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar(members(COMMANDS), top=""))
    assert open_host(str(tmp_path / "a.tar"), None).identity().name == "sc1"


@pytest.mark.parametrize("compressed", [gzip.compress, bz2.compress, lzma.compress])
def test_one_that_is_cut_off_is_refused(tmp_path: Path, compressed: Callable[[bytes], bytes]) -> None:
    whole = compressed(tar(members({**COMMANDS, "dmesg": os.urandom(200_000).hex()})))
    for size in (len(whole) // 2, len(whole) - 20):
        (tmp_path / "a").write_bytes(whole[:size])
        with pytest.raises(UserError) as caught:
            open_host(str(tmp_path / "a"), None)
        assert "\n" not in caught.value.message
        assert caught.value.hint


def test_a_plain_tar_that_is_cut_off_in_a_file_is_refused(tmp_path: Path) -> None:
    whole = tar(members({**COMMANDS, "dmesg": "x" * 100_000}))
    (tmp_path / "a").write_bytes(whole[:60_000])
    with pytest.raises(UserError, match="cut off"):
        open_host(str(tmp_path / "a"), None)


def test_links_lead_nowhere_outside(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("outside\n")
    found = host(
        tmp_path,
        COMMANDS,
        {
            "etc/up": f"-> ../../../../..{secret}",
            "etc/absolute": f"-> {secret}",
            "etc/round": "-> round",
            "etc/good": "-> ../proc/1/mountinfo",
            "proc/1/mountinfo": "good\n",
            "etc/root": "-> /proc/1/mountinfo",
        },
    )
    for name in ("up", "absolute", "round"):
        assert isinstance(found.read(f"/etc/{name}"), Unavailable)
    assert found.read("/etc/good") == found.read("/etc/root") == "good\n"
    # The same in an unpacked one, where the links are real.
    with tarfile.open(tmp_path / "sosreport.tar") as packed:
        packed.extractall(tmp_path / "out", **TRUSTED)
    folder = open_host(str(tmp_path / "out" / TOP), None)
    for name in ("up", "absolute", "round"):
        assert isinstance(folder.read(f"/etc/{name}"), Unavailable)
    assert folder.read("/etc/good") == "good\n"


def test_hostile_members_are_passed_over(tmp_path: Path) -> None:
    packed = io.BytesIO(tar(members(COMMANDS)))
    with tarfile.open(fileobj=packed, mode="a") as archive:
        for name, kind in (
            (f"{TOP}/dev/sda", tarfile.BLKTYPE),
            (f"{TOP}/etc/fifo", tarfile.FIFOTYPE),
            (f"{TOP}/../../etc/passwd", tarfile.REGTYPE),
            ("/etc/shadow", tarfile.REGTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type = kind
            archive.addfile(member)
    (tmp_path / "a").write_bytes(packed.getvalue())
    found = open_host(str(tmp_path / "a"), None)
    for path in ("/etc/fifo", "/etc/passwd", "/etc/shadow", "/dev/sda"):
        assert isinstance(found.read(path), Unavailable)
    assert sorted(os.listdir(tmp_path)) == ["a"]


def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    found = host(tmp_path, {**COMMANDS, "dmesg": "x" * (5 << 20)}, {"etc/large": "y" * (5 << 20)})
    for answer in (found.read("/etc/large"), found.kernel_log()):
        assert isinstance(answer, Unavailable)
    assert found.read("/etc/large").reason is Reason.FAILED  # type: ignore[union-attr]


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sctune.host.sos import archive

    monkeypatch.setattr(archive, "_LARGEST_KEPT", 1 << 20)
    (tmp_path / "a").write_bytes(tar(members(COMMANDS, {f"etc/{n}": "x" * 500_000 for n in range(5)})))
    with pytest.raises(UserError, match="larger than 1 MiB"):
        open_host(str(tmp_path / "a"), None)
    monkeypatch.setattr(archive, "_MOST_NAMES", 100)
    (tmp_path / "b").write_bytes(tar(members(COMMANDS, {f"etc/{n}": "" for n in range(200)})))
    with pytest.raises(UserError, match="more than 100 names"):
        open_host(str(tmp_path / "b"), None)


@given(st.binary(max_size=400), st.integers(0, 6000))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_damage_is_one_line_or_a_host(tmp_path: Path, noise: bytes, where: int) -> None:
    whole = tar(members(COMMANDS, {"etc/fstab": "x\n" * 100}))
    path = tmp_path / "a"
    path.write_bytes(whole[:where] + noise + whole[where + len(noise) :])
    try:
        found = open_host(str(path), None)
    except UserError as error:
        assert "\n" not in error.message
    else:
        assert isinstance(found.identity().name, str)


_NAMES = st.lists(st.sampled_from(["a", "b", "etc", "..", "."]), min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(_NAMES, _NAMES, max_size=8), _NAMES)
def test_every_link_ends_in_the_archive(links: dict[str, str], name: str) -> None:
    archive = Archive()
    for one, target in links.items():
        archive.add_link(one, target)
    place = archive.place(name)
    assert isinstance(place, Missing) or ".." not in place.split("/")


def test_of_processes_the_mount_tables_alone_are_kept() -> None:
    assert wanted("proc/1/mountinfo")
    assert wanted("proc/meminfo")
    assert not wanted("proc/1/environ")
    assert not wanted("var/log/messages")


def test_names_in_a_folder() -> None:
    archive = Archive()
    archive.add("etc/lvm/lvm.conf", b"")
    archive.add_link("etc/x", "lvm")
    assert archive.names_in("etc") == ("lvm", "x")
    assert archive.names_in("etc/x") == ("lvm.conf",)
    assert archive.names_in("etc/none") is Missing.ABSENT


def test_a_file_that_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "sos_commands").mkdir()
    (tmp_path / "sos_commands" / "x").mkdir()
    with pytest.raises(UserError, match="nothing in sos_commands"):
        read_archive(str(tmp_path))
