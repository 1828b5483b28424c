"""What is never written to, what is not read, and a clean-up that does not come to its end."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.bench import cleaning, notes
from sctune.bench.existing import layers_of
from sctune.bench.ground import as_others, check_folder, served
from sctune.bench.making import objection
from sctune.bench.model import Layer, Place, Served
from sctune.bench.scratch import Scratch
from sctune.host.base import FileKind, FileStat
from sctune.model.lio import LioTarget
from sctune.records import replace
from sctune.tuning.calls import Calls
from sctune.tuning.machine import machine
from sctune.tuning.writer import Refused
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

OWN = "/var/lib/volumes/.sctune-bench-00ff00ff00ff00ff/volume"
PLACE = Place(layer=Layer.LOOP, address="/dev/loop3", size=1 << 30, device="loop3")
ABSENT = Unavailable(reason=Reason.ABSENT, what="LVM")
LATE = Unavailable(reason=Reason.TIMEOUT, what="/proc/self/mountinfo")


def host_with(**parts: Any) -> Any:
    """An inventory of a few parts."""
    device = SimpleNamespace(name="loop3", device=(7, 3), holders=(), size=1 << 30)
    loop = SimpleNamespace(name="loop3", backing_file=OWN, direct_io=True, device=(7, 3))
    usual = {
        "devices": (device,),
        "mounts": (),
        "lvm": ABSENT,
        "loops": SimpleNamespace(devices=(loop,)),
        "tgt": ABSENT,
        "dm": ABSENT,
    }
    return SimpleNamespace(**(usual | parts))


def test_its_own_loop_device_is_written_to() -> None:
    assert objection(PLACE, host_with(), own=OWN) == ""
    file = Place(layer=Layer.FILE, address=OWN, size=1)
    assert objection(file, host_with(devices=LATE), own=OWN) == ""


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"mounts": (SimpleNamespace(device=(7, 3), point="/mnt"),)}, "/dev/loop3 is mounted at /mnt"),
        ({"devices": (SimpleNamespace(name="loop3", device=(7, 3), holders=("dm-0",)),)}, "in use by dm-0"),
        (
            {"lvm": SimpleNamespace(physical_volumes=(SimpleNamespace(device=(7, 3), vg="data"),))},
            "/dev/loop3 is a PV of data",
        ),
        ({"loops": SimpleNamespace(devices=(SimpleNamespace(name="loop3", backing_file="/x"),))}, "is on /x, and not on"),
        ({"loops": LATE}, "no file that is known"),
        ({"devices": ()}, "/dev/loop3 is gone"),
        ({"devices": LATE}, "cannot tell who uses /dev/loop3"),
        ({"mounts": LATE}, "cannot tell what is mounted"),
    ],
)
def test_what_is_somebody_elses_is_not(parts: dict[str, Any], said: str) -> None:
    assert said in objection(PLACE, host_with(**parts), own=OWN)


FOLDER = FileStat(kind=FileKind.DIRECTORY, size=0, allocated=0, device=1, inode=2, mtime=0.0, mode=0o755)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (replace(FOLDER, mode=0o777), "anybody may change what is in /x"),
        (replace(FOLDER, kind=FileKind.FILE), "/x is no folder"),
        (Unavailable(reason=Reason.TIMEOUT, what="/x"), "cannot use /x: timeout"),
    ],
)
def test_folders_that_are_not_used(found: FileStat | Unavailable, said: str) -> None:
    with pytest.raises(Refused) as error:
        check_folder("/x", found)
    assert error.value.message == said
    check_folder("/x", replace(FOLDER, mode=0o1777))
    check_folder("/x", FOLDER)


def test_direct_io_as_the_others_have_it() -> None:
    def loops(*on: bool) -> Any:
        return host_with(
            loops=SimpleNamespace(
                devices=tuple(SimpleNamespace(backing_file=f"/v/{at}", direct_io=one) for at, one in enumerate(on))
            )
        )

    assert [as_others(loops(*on), "/v") for on in ((), (True,), (True, False), (True, True, False))] == [False, True, False, True]


def daemon(address: str, **parts: Any) -> Any:
    portal = SimpleNamespace(address=address, port=3260, tpgt=1)
    one = SimpleNamespace(control_port=0, portals=(portal,), targets=(), **parts)
    return host_with(tgt=SimpleNamespace(daemons=(one,), unanswered=(), targets=()))


def test_a_target_needs_a_tgtd_that_loopback_reaches() -> None:
    assert isinstance(served(daemon("0.0.0.0"), 0), Served)
    assert served(daemon("10.0.0.5"), 0) == "tgtd listens on no address that 127.0.0.1 reaches"
    assert served(daemon("127.0.0.1"), 3) == "no tgtd answers on control port 3"
    assert served(host_with(), 0) == "no tgtd runs"


BY_LIO = LioTarget(
    iqn="iqn.x:2",
    tag=1,
    enabled=True,
    authentication=False,
    generate_acls=False,
    demo_write_protect=True,
    account="",
    portals=(),
    luns=(),
    acls=(),
)


def chain(**parts: Any) -> Any:
    usual: dict[str, Any] = {"file": None, "loops": (), "dm": None, "snapshots": (), "exports": (), "disks": (), "copies": ()}
    return SimpleNamespace(**(usual | parts))


def export(**parts: Any) -> Any:
    usual: dict[str, Any] = {"iqn": "iqn.x:1", "driver": "iscsi", "accounts": (), "acls": ("ALL",), "control_port": 0}
    return SimpleNamespace(target=SimpleNamespace(**(usual | parts)), lun=SimpleNamespace(number=1), nexuses=())


@pytest.mark.parametrize(
    ("parts", "layer", "said"),
    [
        ({"exports": (export(accounts=("chap",)),)}, Layer.TARGET, "demands CHAP"),
        ({"exports": (export(acls=("10.0.0.7",)),)}, Layer.TARGET, "takes no initiator from 127.0.0.1"),
        ({"exports": (SimpleNamespace(target=BY_LIO, lun=None, nexuses=()),)}, Layer.TARGET, "lets initiators in by their names"),
        ({"dm": SimpleNamespace(kernel_name="dm-0", suspended=True)}, Layer.LV, "is suspended: whoever reads it hangs"),
        (
            {
                "disks": (
                    SimpleNamespace(
                        session=SimpleNamespace(state="FAILED"), disk=SimpleNamespace(name="sdb", device_state="blocked")
                    ),
                )
            },
            Layer.DISK,
            "/dev/sdb: its session is FAILED",
        ),
    ],
)
def test_what_cannot_be_read_without_harm_is_left_out(parts: dict[str, Any], layer: Layer, said: str) -> None:
    found = layers_of(chain(**parts), daemon("127.0.0.1"), size=1 << 30, wanted=())
    assert said in dict(found.left_out)[layer]
    assert layer not in [place.layer for place in found.places]


def test_a_volume_s_layers_and_what_was_never_written() -> None:
    loop = SimpleNamespace(name="loop3", size=1 << 30, device=(7, 3))
    file = SimpleNamespace(path="/v/vol-1", apparent=1 << 30, allocated=1 << 28)
    found = layers_of(chain(file=file, loops=(loop,), exports=(export(),)), daemon("127.0.0.1"), size=1 << 40, wanted=())
    assert [place.layer for place in found.places] == [Layer.FILE, Layer.LOOP, Layer.TARGET]
    assert {place.size for place in found.places} == {1 << 30}
    assert (found.never_written, found.users, found.left_out) == (0.75, (), ())
    assert found.places[-1].address == "iscsi://127.0.0.1:3260/iqn.x:1/1"


class Stubborn:
    """Tools that all fail."""

    def do(self, *argv: str, seconds: float = 0) -> str:
        raise Refused(f"{argv[0]}: it does not go")


def test_what_does_not_go_is_said_and_stays_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "_PATIENCE", 0.0)
    (tmp_path / "var/lib").mkdir(parents=True)
    store = tmp_path / "store"
    scratch = Scratch(id="00ff" * 4, store=str(store), control_port=0)
    os.makedirs(scratch.folder, mode=0o700)
    (store / scratch.folder / "volume").touch()
    writer = machine(root=str(tmp_path)).writer
    notes.write(scratch, writer)
    loop = SimpleNamespace(name="loop3", backing_file=scratch.file)
    target = SimpleNamespace(iqn=scratch.iqn, control_port=0, tid=32001)
    host = SimpleNamespace(stat_files=lambda _paths: (FOLDER,), list=lambda _path: ABSENT)
    look = host_with(
        loops=SimpleNamespace(devices=(loop,)),
        tgt=SimpleNamespace(targets=(target,), unanswered=()),
        dm=(SimpleNamespace(name=scratch.dm_name),),
        host=host,
    )
    tools: Any = Stubborn()
    found = cleaning.clean(scratch, tools=tools, calls=Calls(), writer=writer, look=lambda: look)
    assert found == ("tgtadm: it does not go", "dmsetup: it does not go", "losetup: it does not go")
    assert (tmp_path / notes.path_of(scratch.id)[1:]).exists()
    nothing = host_with(loops=ABSENT, host=host)
    assert cleaning.clean(scratch, tools=tools, calls=Calls(), writer=writer, look=lambda: nothing) == ()
    assert list(store.iterdir()) == []
    assert list((tmp_path / "var/lib").iterdir()) == []


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """Who may write in the store put it there."""
    (tmp_path / "var/lib").mkdir(parents=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "volume").write_text("precious")
    scratch = Scratch(id="00ff" * 4, store=str(tmp_path))
    os.symlink(other, scratch.folder)
    look = host_with(loops=ABSENT, host=SimpleNamespace(stat_files=lambda _paths: (FOLDER,), list=lambda _path: ABSENT))
    tools: Any = Stubborn()
    writer = machine(root=str(tmp_path)).writer
    found = cleaning.clean(scratch, tools=tools, calls=Calls(), writer=writer, look=lambda: look)
    assert found == (f"{scratch.folder}: it is not the folder that sctune made",)
    assert (other / "volume").read_text() == "precious"


def test_copies_of_the_metadata_of_its_vg_alone_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As LVM called them on Debian, made by a command that was not the benchmark's."""
    (tmp_path / "var/lib").mkdir(parents=True)
    scratch = Scratch(id="f04fbf5c460ac82c", store=str(tmp_path / "store"))
    backup, archive = tmp_path / "backup", tmp_path / "archive"
    monkeypatch.setattr(cleaning, "_COPIES", (str(backup), str(archive), "/gone"))
    ours = {backup: (scratch.vg,), archive: (f"{scratch.vg}_00000-1224216759.vg", f"{scratch.vg}_00001-7.vg")}
    others = ("data", "sctunebench0", f"{scratch.vg}x", f"{scratch.vg}_00000-1.vg.kept", f"x{scratch.vg}", f"data_{scratch.vg}")
    for folder, names in ours.items():
        folder.mkdir()
        for name in (*names, *others):
            (folder / name).touch()

    def listed(path: str) -> Any:
        return ABSENT if path == "/gone" else tuple(os.listdir(path))

    look = host_with(loops=ABSENT, host=SimpleNamespace(stat_files=lambda _paths: (ABSENT,), list=listed))
    tools: Any = Stubborn()
    writer = machine(root=str(tmp_path)).writer
    assert cleaning.clean(scratch, tools=tools, calls=Calls(), writer=writer, look=lambda: look) == ()
    assert {frozenset(os.listdir(folder)) for folder in ours} == {frozenset(others)}
    denied = Unavailable(reason=Reason.DENIED, what=str(archive))
    look = host_with(loops=ABSENT, host=SimpleNamespace(stat_files=lambda _paths: (ABSENT,), list=lambda _path: denied))
    found = cleaning.clean(scratch, tools=tools, calls=Calls(), writer=writer, look=lambda: look)
    assert set(found) == {f"copies of the metadata of {scratch.vg}: {denied}"}
