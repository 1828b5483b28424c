"""The format of a capture: browsable, atomic, and harmless whoever made it."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import tarfile
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sctune.errors import UserError
from sctune.host import unpack
from sctune.host.answers import Answers
from sctune.host.base import Clock, Completed, FileEntry, FileKind, FileStat, HostIdentity, Source
from sctune.host.bundle import encode, is_plain, read_bundle, write_bundle
from sctune.host.bundle_decode import decode
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

STAT = FileStat(kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=77, mtime=1.5, mode=0o660, uid=0, rdevice=(7, 3))


def sample() -> Answers:
    return Answers(
        identity=HostIdentity(name="sc1", kernel="6.1.0", privileged=True),
        clock=Clock(now=1_800_000_000.25, boot=100.5),
        source=Source.LIVE,
        version="0.1.0",
        files={
            "/proc/meminfo": "MemTotal: 1 kB\n",
            "/sys/none": Unavailable(reason=Reason.ABSENT, what="/sys/none", detail="No such file or directory"),
            "/proc/../etc/passwd": "not plain\n",
            "/proc/a\nb": "newline\n",
            "/x": "a file first\n",
            "/x/y": "a folder later\n",
        },
        lists={"/sys/block": ("loop0", "a\tb\udcff%")},
        stats={"/dev/loop3": STAT},
        folders={"/vol umes": (FileEntry(name="vol-1", stat=STAT),), "/none": ()},
        commands={
            ("lvm", "--config", "a b", ""): Completed(
                argv=("lvm", "--config", "a b", ""), status=5, stdout="{}\n", stderr="oops\n", seconds=0.5
            )
        },
    )


def members(answers: Answers | None = None) -> dict[str, bytes]:
    return dict(encode(sample() if answers is None else answers))


def tar_of(
    content: Iterable[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT, extra: Callable[[tarfile.TarFile], None] | None = None
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        if extra is not None:
            extra(tar)
        for name, data in content:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def refused(path: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        read_bundle(str(path))
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def test_a_person_can_browse_it() -> None:
    found = members()
    assert found["files/proc/meminfo"] == b"MemTotal: 1 kB\n"
    header = json.loads(found["capture.json"])
    assert header == {
        "schema": 1,
        "sctune": "0.1.0",
        "host": {"name": "sc1", "kernel": "6.1.0", "privileged": True},
        "clock": {"now": 1800000000.25, "boot": 100.5},
        "source": "live",
    }
    index = found["index.tsv"].decode()
    assert "read\t/sys/none\tabsent\t/sys/none\tNo such file or directory\t\n" in index
    assert "list\t/sys/block\tok\tloop0\ta%09b%FF%25\n" in index
    assert "stat\t/dev/loop3\tok\tblock\t0\t0\t5\t77\t1.5\t660\t0\t7:3\n" in index
    assert "list_files\t/vol umes\tok\t1\nentry\t/vol umes\tok\tvol-1\tblock\t" in index
    assert "run\tlvm --config a%20b \tok\t5\t0.5\t0004\n" in index
    assert found["output/0004.out"] == b"{}\n"
    assert found["output/0004.err"] == b"oops\n"
    assert index.endswith("\nend\n")
    assert list(found)[-1] == "index.tsv"


def test_names_that_cannot_be_files_are_kept_beside() -> None:
    found = members()
    assert {name for name in found if name.startswith("files/")} == {"files/proc/meminfo", "files/x/y"}
    assert decode(found, "x") == sample()


@pytest.mark.parametrize(
    "path", ["/a/../b", "/../a", "a", "//a", "/a/", "/", "/a//b", "/a/./b", "/a\n", "/\udcff", "/" + "a" * 300, ""]
)
def test_odd_paths_are_no_file_names(path: str) -> None:
    assert not is_plain(path)


def test_one_folder_around_it_is_taken_off(tmp_path: Path) -> None:
    for prefix in ("", "./", "sc1/", "./sc1/"):
        place = tmp_path / "c.tar"
        place.write_bytes(tar_of((prefix + name, data) for name, data in members().items()))
        assert read_bundle(str(place)) == sample()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_kind_of_tar_is_read(tmp_path: Path, form: int) -> None:
    place = tmp_path / "c.tar.gz"
    place.write_bytes(gzip.compress(tar_of(members().items(), form)))
    assert read_bundle(str(place)) == sample()


def test_hostile_members_are_harmless(tmp_path: Path) -> None:
    def hostile(tar: tarfile.TarFile) -> None:
        for name, kind, link in (
            ("files/etc/shadow", tarfile.SYMTYPE, "/etc/shadow"),
            ("files/etc/gshadow", tarfile.LNKTYPE, "/etc/gshadow"),
            ("files/dev/sda", tarfile.BLKTYPE, ""),
            ("files/fifo", tarfile.FIFOTYPE, ""),
            ("files/folder", tarfile.DIRTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            tar.addfile(member)
        for name in ("/etc/sctune-hostile", "../../etc/sctune-hostile", "files/../../etc/sctune-hostile", "files//etc/x"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))

    place = tmp_path / "c.tar"
    place.write_bytes(tar_of(members().items(), extra=hostile))
    before = sorted(os.listdir(tmp_path))
    answers = read_bundle(str(place))
    assert sorted(os.listdir(tmp_path)) == before
    assert not os.path.exists("/etc/sctune-hostile")
    for path in ("/etc/shadow", "/etc/gshadow", "/dev/sda", "/fifo", "/folder", "/etc/sctune-hostile", "/etc/x"):
        assert path not in answers.files
    assert answers.files["/proc/meminfo"] == "MemTotal: 1 kB\n"


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    write_bundle(sample(), f"{tmp_path}/c/")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "c" / "files" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "c" / "files" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "c" / "files" / "fifo")
    assert "secret" not in repr(read_bundle(f"{tmp_path}/c"))
    (tmp_path / "c" / "index.tsv").unlink()
    (tmp_path / "c" / "index.tsv").symlink_to(tmp_path / "secret")
    assert "cut off" in refused(tmp_path / "c").message


def claimed(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header that claims more than follows."""
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "head",
    [
        claimed("files/huge", 10**12),
        claimed("files/large", unpack.LARGEST_MEMBER + 1),
        claimed("files/negative", -(2**40)),
        claimed("x", 2**33, tarfile.XHDTYPE),
        claimed("x", 2**33, tarfile.XGLTYPE),
        claimed("x", 2**33, tarfile.GNUTYPE_LONGNAME),
        claimed("x", 50 * 2**20, tarfile.GNUTYPE_LONGLINK),
        claimed("skipped", 2**40),
    ],
)
def test_a_claim_costs_no_memory(tmp_path: Path, head: bytes) -> None:
    place = tmp_path / "c.tar.gz"
    place.write_bytes(gzip.compress(head + bytes(80 * 2**20), compresslevel=1))
    tracemalloc.start()
    try:
        refused(place)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "LARGEST_CAPTURE", 2**20)
    place = tmp_path / "c.tar.gz"
    place.write_bytes(gzip.compress(tar_of((f"files/{n}", bytes(100_000)) for n in range(30))))
    assert "larger" in refused(place).message
    monkeypatch.setattr(unpack, "_LARGEST_STREAM", 2**20)
    place.write_bytes(gzip.compress(tar_of((f"elsewhere/{n}", bytes(100_000)) for n in range(30))))
    assert "unpacks to more" in refused(place).message
    place.write_bytes(gzip.compress(tar_of((f"files/{n}", b"") for n in range(3000))))
    refused(place)


def test_an_xz_dictionary_costs_no_memory(tmp_path: Path) -> None:
    place = tmp_path / "c.tar.xz"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
    data = bytearray(lzma.compress(tar_of(members().items()), format=lzma.FORMAT_XZ, filters=filters))
    assert read_bundle(_written(place, bytes(data))) == sample()
    # The block's header: LZMA2 (0x21), one byte of properties, the dictionary's size; 40 stands for 4 GiB - 1.
    at = data.index(b"\x21\x01", 12)
    data[at + 2] = 40
    start, size = 12, (data[12] + 1) * 4
    import zlib

    data[start + size - 4 : start + size] = zlib.crc32(data[start : start + size - 4]).to_bytes(4, "little")
    assert "emory" in refused(_place(place, bytes(data))).message


def _written(place: Path, data: bytes) -> str:
    return str(_place(place, data))


def _place(place: Path, data: bytes) -> Path:
    place.write_bytes(data)
    return place


@pytest.mark.parametrize("packed", ["tar", "gz", "xz"])
def test_every_cut_is_noticed(tmp_path: Path, packed: str) -> None:
    answers = Answers(
        identity=HostIdentity(name="a", kernel="b", privileged=False),
        clock=Clock(now=1.0, boot=1.0),
        source=Source.LIVE,
        files={"/proc/a": "x\n" * 200},
    )
    raw = tar_of(encode(answers))
    data = {"tar": raw, "gz": gzip.compress(raw), "xz": lzma.compress(raw)}[packed]
    end = raw.rindex(b"end\n") + 4 if packed == "tar" else len(data)
    for length in range(0, end, max(1, end // 60)):
        refused(_place(tmp_path / "c", data[:length]))
    assert read_bundle(_written(tmp_path / "c", data)) == answers


@given(
    data=st.binary(max_size=2000), head=st.sampled_from([b"", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"{", claimed("capture.json", 20)])
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_with_one_error(tmp_path: Path, data: bytes, head: bytes) -> None:
    refused(_place(tmp_path / "c", head + data))


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_flipped_byte_never_makes_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(gzip.compress(tar_of(members().items()), mtime=0))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_bundle(_written(tmp_path / "c", bytes(raw)))
    except UserError as error:
        assert error.hint


LINES = st.lists(
    st.tuples(
        st.sampled_from(
            ["read", "list", "stat", "list_files", "entry", "space", "run", "dm", "tgt", "processes", "lstat_mtime", "x"]
        ),
        st.sampled_from(["/a", "status", "target 0 -", "target 0", "-", "%zz", "%41", ""]),
        st.sampled_from(["ok", "absent", "denied", "huh", ""]),
        st.lists(
            st.sampled_from(["0001", "0002", "1", "nan", "inf", "-1", "block", "7:3", "a", "9" * 5000, "1e999", ""]), max_size=9
        ),
    ).map(lambda row: "\t".join((*row[:3], *row[3]))),
    max_size=6,
)


@given(LINES)
def test_any_index_is_read_or_refused(lines: list[str]) -> None:
    content = {**members(), "index.tsv": ("\n".join([*lines, "end", ""])).encode(), "output/0001.out": b"1\t2\n"}
    try:
        decode(content, "x")
    except UserError as error:
        assert error.message.startswith("x is damaged: index.tsv, line ")


HEADERS: list[Any] = [
    [],
    None,
    1,
    {},
    {"schema": "1"},
    {"schema": 0},
    {"host": {"name": 1}},
    {"host": []},
    {"host": {"name": "a", "kernel": "b", "privileged": 1}},
    {"clock": {"now": "x", "boot": 1}},
    {"clock": {"now": 1e999, "boot": 1}},
    {"clock": {"now": 10**400, "boot": 1}},
    {"source": "moon"},
    {"sctune": None},
]


@pytest.mark.parametrize("change", HEADERS)
def test_a_wrong_header_is_refused(change: Any) -> None:
    good = json.loads(members()["capture.json"])
    header = {**good, **change} if isinstance(change, dict) and change else change
    with pytest.raises(UserError, match=r"capture\.json"):
        decode({**members(), "capture.json": json.dumps(header).encode()}, "x")
    with pytest.raises(UserError, match=r"capture\.json"):
        decode({**members(), "capture.json": b"[" * 100_000}, "x")


def test_a_newer_schema_says_to_update() -> None:
    header = {**json.loads(members()["capture.json"]), "schema": 2}
    with pytest.raises(UserError, match="newer sctune") as caught:
        decode({**members(), "capture.json": json.dumps(header).encode()}, "x")
    assert "Update" in caught.value.hint


def test_a_missing_output_is_refused() -> None:
    content = members()
    del content["output/0004.out"]
    with pytest.raises(UserError, match=r"output/0004\.out is missing"):
        decode(content, "x")


def test_a_sos_archive_is_known(tmp_path: Path) -> None:
    for name in ("sosreport-sc1-2026/sos_commands/lvm2/lvs", "sos_reports/manifest.json"):
        place = tmp_path / "sos.tar.xz"
        place.write_bytes(lzma.compress(tar_of([(name, b"x")])))
        with pytest.raises(unpack.SosFound):
            read_bundle(str(place))


def test_cost_grows_with_the_number_of_members(tmp_path: Path) -> None:
    import time

    def seconds(count: int) -> float:
        answers = sample()
        answers.files = {f"/sys/block/loop{n}/size": "x" * 512 for n in range(count)}
        write_bundle(answers, f"{tmp_path}/c.tar.gz")
        began = time.process_time()
        assert len(read_bundle(f"{tmp_path}/c.tar.gz").files) == count
        return time.process_time() - began

    seconds(100)
    assert seconds(5000) < 30 * max(seconds(500), 0.02)
