"""Packing and unpacking of device-mapper's ioctls, against answers laid out as linux/dm-ioctl.h and drivers/md/dm-ioctl.c do."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from dataclasses import dataclass, field

import pytest

from sctune.host import dmioctl
from sctune.probes.dm_text import parse_report, parse_status

CONTROL = 77
HEADER = "=IIIIIIiIIIQ"  # version[3], data_size, data_start, target_count, open_count, flags, event_nr, padding, dev
NAME_AT = struct.calcsize(HEADER)
SIZE = 312  # sizeof(struct dm_ioctl)

Line = tuple[int, int, str, str]


@dataclass
class FakeKernel:
    """Devices by name, each with its status and its table. `gone` were removed after they were listed."""

    status: dict[bytes, list[Line]] = field(default_factory=dict)
    table: dict[bytes, list[Line]] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    asked: list[tuple[int, bytes, int]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def ioctl(self, descriptor: int, request: int, buffer: bytearray) -> int:
        assert descriptor == CONTROL
        fields = struct.unpack_from(HEADER, buffer)
        assert fields[0] == 4
        assert fields[3] == len(buffer)
        assert fields[4] >= SIZE
        assert fields[4] % 8 == 0
        flags = fields[7]
        name = bytes(buffer[NAME_AT : NAME_AT + 128]).rstrip(b"\0")
        self.asked.append((request, name, flags))
        self.sizes.append(len(buffer))
        if request == 0xC138FD02:
            data, count = name_list(list(self.status)), 0
        else:
            assert request == 0xC138FD0C
            if name in self.gone:
                raise OSError(errno.ENXIO, "No such device or address")
            lines = (self.table if flags & 0x10 else self.status)[name]
            data, count = target_list(lines), len(lines)
        start = fields[4]
        if start + len(data) > len(buffer):
            struct.pack_into("=I", buffer, 28, flags | 0x100)  # DM_BUFFER_FULL_FLAG; the data are cut
            buffer[start:] = data[: len(buffer) - start]
            return 0
        struct.pack_into("=I", buffer, 12, start + len(data))
        struct.pack_into("=I", buffer, 20, count)
        buffer[start : start + len(data)] = data
        return 0


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def name_list(names: list[bytes]) -> bytes:
    """struct dm_name_list: dev, the distance to the next entry (0: the last), the name, event number and flags."""
    if not names:
        return struct.pack("=QI4x", 0, 0)
    entries = [padded(struct.pack("=QI", (253 << 8) | number, 0) + name + b"\0") + bytes(8) for number, name in enumerate(names)]
    linked = []
    for entry in entries:
        following = 0 if entry is entries[-1] else len(entry)
        linked.append(entry[:8] + struct.pack("=I", following) + entry[12:])
    return b"".join(linked)


def target_list(lines: list[Line]) -> bytes:
    """struct dm_target_spec: start, length, status, the next one's distance from the first, type[16]; then the text."""
    data = b""
    for start, length, kind, text in lines:
        body = padded(bytes(40) + os.fsencode(text) + b"\0")
        spec = struct.pack("=QQiI16s", start, length, 0, len(data) + len(body), kind.encode())
        data += spec + body[40:]
    return data


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    made = FakeKernel()
    monkeypatch.setattr(fcntl, "ioctl", made.ioctl)
    monkeypatch.setattr(os, "listdir", lambda path: ["sda", "dm-0"] if path == "/sys/block" else [])
    monkeypatch.setattr(os, "open", lambda path, flags: CONTROL if path == "/dev/mapper/control" else 1 / 0)
    monkeypatch.setattr(os, "close", lambda descriptor: None)
    return made


def test_the_words_of_dmsetup(kernel: FakeKernel) -> None:
    kernel.status = {
        b"vg-lv": [(0, 2048, "linear", ""), (2048, 4096, "linear", "")],
        b"vg-snap": [(0, 6144, "snapshot", "16/8192 16")],
    }
    kernel.table = {
        b"vg-lv": [(0, 2048, "linear", "7:1 2048"), (2048, 4096, "linear", "7:2 2048")],
        b"vg-snap": [(0, 6144, "snapshot", "253:1 253:2 P 8")],
    }
    assert dmioctl.report(table=False) == "vg-lv: 0 2048 linear \nvg-lv: 2048 4096 linear \nvg-snap: 0 6144 snapshot 16/8192 16\n"
    assert dmioctl.report(table=True) == (
        "vg-lv: 0 2048 linear 7:1 2048\nvg-lv: 2048 4096 linear 7:2 2048\nvg-snap: 0 6144 snapshot 253:1 253:2 P 8\n"
    )


def test_our_own_parser_reads_it(kernel: FakeKernel) -> None:
    kernel.status = {b"vg-pool": [(0, 6144, "thin-pool", "1 20/512 30/96 - rw discard_passdown queue_if_no_space - 1024 ")]}
    (line,) = parse_report(dmioctl.report(table=False))["vg-pool"]
    assert parse_status(line.kind, line.text) is not None


def test_nothing_is_asked_that_writes(kernel: FakeKernel) -> None:
    kernel.status = kernel.table = {b"pool": [(0, 8, "thin-pool", "")]}
    dmioctl.report(table=False)
    dmioctl.report(table=True)
    no_flush = 1 << 11
    assert {(request, flags) for request, _, flags in kernel.asked} == {
        (0xC138FD02, 0),
        (0xC138FD0C, no_flush),
        (0xC138FD0C, no_flush | 0x10),
    }


def test_many_devices_and_long_tables_need_a_larger_buffer(kernel: FakeKernel) -> None:
    many = [(8 * number, 8, "linear", f"7:{number} 2048") for number in range(2000)]
    kernel.table = {f"vg-lv{number:04d}".encode(): [(0, 8, "linear", "7:0 0")] for number in range(2000)}
    kernel.table[b"striped"] = many
    kernel.status = kernel.table
    lines = dmioctl.report(table=True).splitlines()
    assert len(lines) == 4000
    assert lines[0] == "striped: 0 8 linear 7:0 2048"
    assert lines[1999] == "striped: 15992 8 linear 7:1999 2048"
    assert lines[-1] == "vg-lv1999: 0 8 linear 7:0 0"
    assert len(set(kernel.sizes)) > 1


def test_an_answer_without_end_is_refused(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dmioctl, "_LARGEST", 20000)
    kernel.status = {b"huge": [(0, 8, "linear", "x" * 30000)]}
    with pytest.raises(OSError, match="larger than"):
        dmioctl.report(table=False)


def test_no_devices_at_all(kernel: FakeKernel) -> None:
    assert dmioctl.report(table=False) == ""


def test_the_control_node_stays_closed_on_a_host_without_devices(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening it would load the module."""
    monkeypatch.setattr(os, "listdir", lambda _: ["sda"])
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    assert dmioctl.report(table=True) == ""


def test_a_device_that_is_removed_meanwhile_is_not_there(kernel: FakeKernel) -> None:
    kernel.status = {b"one": [(0, 8, "linear", "")], b"two": [(0, 8, "linear", "")]}
    kernel.gone = {b"one"}
    assert dmioctl.report(table=False) == "two: 0 8 linear \n"


def test_a_device_without_a_table_is_there(kernel: FakeKernel) -> None:
    kernel.status = {b"empty": []}
    assert dmioctl.report(table=False) == "empty: \n"


@pytest.mark.parametrize("kind", ["crypt", "integrity"])
def test_keys_are_never_told(kernel: FakeKernel, kind: str) -> None:
    kernel.table = kernel.status = {b"secret": [(0, 8, kind, "aes-xts-plain64 0123456789abcdef 0 8:1 0")]}
    assert dmioctl.report(table=True) == f"secret: 0 8 {kind} \n"


def test_names_that_are_no_text_survive(kernel: FakeKernel) -> None:
    name = b"vg-\xff \\x20" + b"n" * 100
    kernel.status = {name: [(0, 8, "linear", "")]}
    assert dmioctl.report(table=False) == os.fsdecode(name) + ": 0 8 linear \n"


def test_another_error_is_an_error(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    with pytest.raises(PermissionError):
        dmioctl.report(table=False)
