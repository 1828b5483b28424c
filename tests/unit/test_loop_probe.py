from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import FileKind, FileStat
from sctune.model.loop import LoopDevice, LoopState
from sctune.paths import normalise
from sctune.probes.loop import candidates, probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.serving_hosts import STORE
from tests.unit.storage_hosts import DATA, a_file, denied, load_tree, recorded, timeout


def attach(host: FakeHost, number: int, text: str, **attributes: str) -> FakeHost:
    folder = f"/sys/block/loop{number}"
    values = {"offset": "0", "sizelimit": "0", "autoclear": "0", "dio": "0"} | attributes
    host.files[f"{folder}/loop/backing_file"] = text
    host.files[f"{folder}/size"] = values.pop("size", "2048") + "\n"
    host.files[f"{folder}/ro"] = values.pop("ro", "0") + "\n"
    for name, value in values.items():
        host.files[f"{folder}/loop/{name}"] = value + "\n"
    return host


def state(host: FakeHost) -> LoopState:
    found = probe(host)
    assert isinstance(found, LoopState)
    return found


def device(host: FakeHost) -> LoopDevice:
    (found,) = state(host).devices
    return found


def test_healthy_host_of_the_test_machine() -> None:
    found = state(recorded("healthy"))
    assert [(d.name, d.backing_file, d.size) for d in found.devices] == [
        ("loop0", f"{STORE}/vol-391D44BE", 1024**3 + 4 * 1024**2),
        ("loop1", f"{STORE}/vol-A110E8ED", 2 * 1024**3 + 4 * 1024**2),
        ("loop2", f"{STORE}/vol-391D44BEMsmGAIzx", 512 * 1024**2),
    ]
    assert all(isinstance(d.backing, FileStat) and d.backing.size == d.size and not d.deleted for d in found.devices)
    assert (found.nodes, found.max_loop, found.control) == (8, 8, True)
    assert found.devices[1].device == (7, 1)


def test_deleted_backing_file_of_the_test_machine() -> None:
    first, second = state(recorded("backing-deleted")).devices
    assert (first.backing_file, first.deleted) == (f"{STORE}/vol-391D44BE", True)
    assert isinstance(first.backing, Unavailable)
    assert first.backing.reason is Reason.ABSENT
    assert not second.deleted


def test_one_file_on_two_loop_devices_of_the_test_machine() -> None:
    identities = [
        (d.backing.device, d.backing.inode) for d in state(recorded("duplicate-pv")).devices if isinstance(d.backing, FileStat)
    ]
    assert len(identities) == 3
    assert len(set(identities)) == 2


def test_a_recording_with_sysfs_attributes_of_another_kernel() -> None:
    host = FakeHost()
    load_tree(host, (DATA / "block" / "sys-loop-3.1.txt").read_text())
    names = [d.backing_file.rpartition("/")[2] for d in state(host).devices]
    assert names == ["vol-391D44BE", "vol-A110E8ED", "vol-BF53A672", "snap-57C3C3E8"]


def test_the_mark_is_told_from_a_file_really_named_so() -> None:
    host = attach(FakeHost(), 0, "/store/x (deleted)\n")
    host.stats["/store/x (deleted)"] = a_file(1 << 20)
    assert (device(host).backing_file, device(host).deleted) == ("/store/x (deleted)", False)


def test_a_deleted_file_that_was_named_like_the_mark() -> None:
    assert (device(attach(FakeHost(), 0, "/store/x (deleted) (deleted)\n")).backing_file) == "/store/x (deleted)"
    assert device(attach(FakeHost(), 0, "/store/x (deleted) (deleted)\n")).deleted


def test_a_deleted_file_whose_name_another_file_took() -> None:
    host = attach(FakeHost(), 0, "/store/x (deleted)\n")
    host.stats["/store/x"] = a_file(5, inode=77)
    found = device(host)
    assert found.deleted
    assert isinstance(found.backing, FileStat)
    assert found.backing.inode == 77


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("//var/lib/eucalyptus/volumes/vol-1\n", "/var/lib/eucalyptus/volumes/vol-1"),
        ("/store/with space\n", "/store/with space"),
        ("/store/new\nline\n", "/store/new\nline"),
        ("/store/ends in line end\n\n", "/store/ends in line end\n"),
        ("/store/trail \n", "/store/trail "),
        ("/store/\udcff\udcfe\n", "/store/\udcff\udcfe"),
        ("/store/back\\slash\n", "/store/back\\slash"),
    ],
)
def test_names_as_a_real_kernel_shows_them(text: str, path: str) -> None:
    # Seen on Linux 6.18 with real loop devices: nothing is escaped, one line end is added.
    assert candidates(text) == (path,)


def test_an_idle_node_is_no_attached_loop() -> None:
    host = attach(FakeHost(), 3, "/store/a\n")
    host.files["/sys/block/loop4/size"] = "0\n"
    assert [d.number for d in state(host).devices] == [3]
    assert state(host).nodes == 2


def test_a_device_that_disappears_while_it_is_read_is_no_error() -> None:
    host = attach(FakeHost(), 0, "/store/a\n")
    del host.files["/sys/block/loop0/loop/offset"]
    assert state(host).devices == ()
    host = attach(FakeHost(), 0, "")  # the kernel has let go of the file, the folder is still there
    assert state(host).devices == ()


class Passing(FakeHost):
    """sysfs while a device is being detached or attached: the first `seen` answers for a path come one after another, then
    what `files` say."""

    def __init__(self, seen: dict[str, list[str | Unavailable]]) -> None:
        super().__init__()
        self.seen = {f"/sys/block/{path}": answers for path, answers in seen.items()}

    def read(self, path: str) -> str | Unavailable:
        return self.seen[path].pop(0) if self.seen.get(path) else super().read(path)


GONE = Unavailable(reason=Reason.ABSENT, what="gone")


@pytest.mark.parametrize("attribute", ["loop/sizelimit", "loop/autoclear", "size", "ro"])
def test_a_device_that_is_attached_again_while_it_is_read_is_read_again(attribute: str) -> None:
    """The attribute is missing for a moment, and then all are there: it was another file's device in between."""
    host = attach(attach(Passing({f"loop0/{attribute}": [GONE]}), 0, "/store/a\n"), 1, "/store/b\n")
    assert [d.backing_file for d in state(host).devices] == ["/store/a", "/store/b"]


def test_a_device_without_size_that_has_let_go_of_its_file_is_not_there() -> None:
    """drivers/block/loop.c, __loop_clr_fd: offset and size are zeroed before the folder in sysfs goes away."""
    host = attach(attach(Passing({"loop0/size": ["0\n", "0\n"], "loop0/loop/backing_file": ["/store/a\n", ""]}), 0, ""), 1, "/b\n")
    assert [d.backing_file for d in state(host).devices] == ["/b"]


def test_a_device_on_an_empty_file_is_there() -> None:
    (found,) = state(attach(FakeHost(), 0, "/store/empty\n", size="0\n")).devices
    assert found.size == 0


def test_a_path_longer_than_a_page_is_an_attached_device_without_a_name() -> None:
    host = attach(FakeHost(), 0, "")
    host.files["/sys/block/loop0/loop/backing_file"] = Unavailable(
        reason=Reason.FAILED, what="backing_file", detail="File name too long"
    )
    assert device(host).backing_file == ""
    assert isinstance(device(host).backing, Unavailable)


def test_refusal_and_nonsense_are_told() -> None:
    host = attach(FakeHost(), 0, "/a\n")
    host.files["/sys/block/loop0/loop/backing_file"] = denied("backing_file")
    assert probe(host) == denied("backing_file")
    found = probe(attach(FakeHost(), 0, "/a\n", sizelimit="many"))
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.MALFORMED


def test_a_host_without_the_loop_driver() -> None:
    host = FakeHost(files={"/sys/block/sda/size": "1\n"})
    found = probe(host)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.ABSENT
    host.stats["/dev/loop-control"] = FileStat(kind=FileKind.OTHER, size=0, allocated=0, device=5, inode=1, mtime=0.0)
    assert state(host) == LoopState(devices=(), nodes=0, max_loop=None, control=True)


def test_attributes_that_old_kernels_do_not_have() -> None:
    host = attach(FakeHost(), 0, "/a\n")
    del host.files["/sys/block/loop0/loop/dio"]
    assert (device(host).direct_io, device(host).logical_block_size) == (False, 512)


def test_max_part_shifts_the_minor_number() -> None:
    # Seen in the VM: with max_part=7 loop1 is 7:8.
    host = attach(FakeHost(), 1, "/a\n")
    host.files["/sys/module/loop/parameters/max_part"] = "7\n"
    assert device(host).device == (7, 8)


def test_a_backing_file_that_hangs_is_kept_with_its_reason() -> None:
    host = attach(FakeHost(), 0, "/dead/a\n")
    host.stats["/dead/a"] = timeout("/dead/a")
    assert device(host).backing == timeout("/dead/a")
    assert not device(host).deleted


@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
def test_any_text_gives_normal_paths(text: str) -> None:
    found = candidates("/" + text)
    assert 1 <= len(found) <= 2
    assert all(path.startswith("/") and not path.startswith("//") for path in found)
    assert normalise(found[0]) == found[0]


@given(st.text(max_size=40), st.text(max_size=10), st.text(max_size=10))
def test_no_attribute_raises(backing: str, number: str, size: str) -> None:
    host = attach(FakeHost(), 0, backing, offset=number, sizelimit=number, autoclear=number, size=size)
    assert isinstance(probe(host), LoopState | Unavailable)
