from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.probes.mounts import find_mount, parse, probe, probe_host, unescape
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.storage_hosts import DATA, mount

if TYPE_CHECKING:
    from sctune.model.store import Mount


def recorded_mounts() -> tuple[Mount, ...]:
    found = parse((DATA / "mounts" / "mountinfo.txt").read_text())
    assert not isinstance(found, Unavailable)
    return found


def test_recorded_table() -> None:
    points = {m.point: m for m in recorded_mounts()}
    assert points["/var/lib/eucalyptus"] == mount(options=("rw", "relatime"))
    assert points["/mnt/with space"].filesystem == "overlay"
    assert points["/mnt/back\\slash"].device == (0, 22)
    assert points["/x"].source == "src with space"
    assert points["/y"].device == (7, 8)


def test_superblock_options_are_joined() -> None:
    line = "36 35 98:0 / /data rw,noatime master:1 - ext4 /dev/sda1 ro,errors=remount-ro\n"
    found = parse(line)
    assert not isinstance(found, Unavailable)
    assert found[0].options == ("rw", "noatime", "ro", "errors=remount-ro")


def test_optional_fields_of_any_number() -> None:
    for fields in ("", "shared:1 ", "shared:1 master:2 propagate_from:3 "):
        found = parse(f"36 35 98:0 / /data rw {fields}- nfs4 server:/a rw\n")
        assert not isinstance(found, Unavailable)
        assert (found[0].source, found[0].network) == ("server:/a", True)


def test_a_source_that_is_empty_or_a_hyphen() -> None:
    found = parse("36 35 98:0 / /data rw - tmpfs - rw\n")
    assert not isinstance(found, Unavailable)
    assert found[0].source == "-"


def test_half_a_table_is_no_table() -> None:
    found = parse("36 35 98:0 / /data rw - ext4 /dev/sda1 rw\n36 35 98:")
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.MALFORMED


OURS = "40 39 8:1 / / ro - ext4 /dev/sda1 rw\n41 40 8:2 / /srv ro - ext4 /dev/sda2 rw\n"


def test_a_service_reads_the_hosts_table_and_not_what_it_is_kept_from() -> None:
    host = FakeHost(files={"/proc/self/mountinfo": OURS, "/proc/1/mountinfo": OURS.replace(" ro ", " rw ")})
    found = probe_host(host)
    assert not isinstance(found, Unavailable)
    assert [one.options for one in found] == [("rw",), ("rw",)]
    assert found != probe(host)


@pytest.mark.parametrize("first", [OURS.replace("8:1 ", "8:9 "), "what is no table\n", None])
def test_where_the_first_process_tells_nothing_of_our_files(first: str | None) -> None:
    host = FakeHost(files={"/proc/self/mountinfo": OURS})
    if first is not None:
        host.files["/proc/1/mountinfo"] = first
    assert probe_host(host) == probe(host)
    assert not isinstance(probe(host), Unavailable)


def test_no_table_at_all() -> None:
    found = probe(FakeHost())
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.ABSENT


def test_the_longest_mount_point_wins() -> None:
    found = find_mount(recorded_mounts(), "/var/lib/eucalyptus/volumes")
    assert found is not None
    assert found.point == "/var/lib/eucalyptus"
    root = find_mount(recorded_mounts(), "/var/lib/eucalyptus2")
    assert root is not None
    assert root.point == "/"


def test_the_later_of_two_at_one_point_wins() -> None:
    below, above = mount("/a", source="below"), mount("/a", source="above")
    assert find_mount((mount("/"), below, above), "/a/b") is above


def test_nothing_covers_a_path() -> None:
    assert find_mount((mount("/a"),), "/b") is None


@given(st.text())
def test_any_text_is_parsed_or_malformed(text: str) -> None:
    assert isinstance(parse(text), tuple | Unavailable)


@given(st.text())
def test_unescape_never_raises(text: str) -> None:
    assert isinstance(unescape(text), str)


@given(st.text(st.characters(codec="utf-8")))
def test_unescape_undoes_the_kernels_escapes(name: str) -> None:
    escaped = "".join(f"\\{ord(c):03o}" if c in " \t\n\\#" else c for c in name)
    assert unescape(escaped) == name
