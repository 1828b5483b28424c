"""Device-mapper by ioctl, in the words of dmsetup(8).

The interface is linux/dm-ioctl.h, major version 4 since Linux 2.6. Only DM_LIST_DEVICES and DM_TABLE_STATUS are ever sent,
the latter with NOFLUSH: without it a thin pool commits its metadata before it answers, which is a write.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

_CONTROL = "/dev/mapper/control"
_LIST_DEVICES = 0xC138FD02
_TABLE_STATUS = 0xC138FD0C
_STATUS_TABLE = 1 << 4
_BUFFER_FULL = 1 << 8
_NOFLUSH = 1 << 11

# version[3], data_size, data_start, target_count, open_count, flags, event_nr, padding, dev, name[128], uuid[129], data[7]
_HEADER = struct.Struct("=3IIIIiIIIQ128s129s7s")
_TARGET = struct.Struct("=QQiI16s")  # sector_start, length, status, next (from the first spec), target_type
_NAME = struct.Struct("=QI")  # dev, next; the name follows
_LARGEST = 64 * 1024 * 1024
_KEYED = frozenset({"crypt", "integrity"})
"""Target types whose table line holds keys: dmsetup hides them, the ioctl does not."""


def report(*, table: bool) -> str:
    """The text of `dmsetup table` (true) or `dmsetup status`, a line a target. Raises OSError (EACCES for all but root)."""
    if not any(name.startswith("dm-") for name in os.listdir("/sys/block")):
        return ""  # opening the control node would load the module
    control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        lines: list[str] = []
        for name in _names(control):
            try:
                lines.extend(_lines(control, name, table=table))
            except OSError as error:
                if error.errno != errno.ENXIO:  # ENXIO: it was removed since it was listed
                    raise
        return "".join(line + "\n" for line in lines)
    finally:
        os.close(control)


def _call(control: int, command: int, name: bytes, flags: int) -> tuple[bytes, int]:
    """The bytes after the header, and target_count. The buffer grows until the answer fits."""
    size = 16384
    while True:
        buffer = bytearray(size)
        _HEADER.pack_into(buffer, 0, 4, 0, 0, size, _HEADER.size, 0, 0, flags, 0, 0, 0, name, b"", b"")
        fcntl.ioctl(control, command, buffer)
        header = _HEADER.unpack_from(buffer)
        if not header[7] & _BUFFER_FULL:
            return bytes(buffer[header[4] : header[3]]), header[5]
        size *= 4
        if size > _LARGEST:
            raise OSError(errno.EMSGSIZE, "device-mapper's answer is larger than 64 MiB")


def _names(control: int) -> list[bytes]:
    data, _ = _call(control, _LIST_DEVICES, b"", 0)
    names: list[bytes] = []
    position = 0
    while position + _NAME.size <= len(data):
        device, following = _NAME.unpack_from(data, position)
        if not device:
            break  # no devices at all: one empty entry
        start = position + _NAME.size
        names.append(data[start : data.index(b"\0", start)])
        if not following:
            break
        position += following
    return sorted(names)


def _lines(control: int, name: bytes, *, table: bool) -> list[str]:
    data, count = _call(control, _TABLE_STATUS, name, _NOFLUSH | (_STATUS_TABLE if table else 0))
    label = os.fsdecode(name)
    lines: list[str] = []
    position = 0
    for _ in range(count):
        start, length, _status, following, kind = _TARGET.unpack_from(data, position)
        text = data[position + _TARGET.size :].split(b"\0", 1)[0]
        name_of_kind = os.fsdecode(kind.rstrip(bytes(1)))
        parameters = "" if table and name_of_kind in _KEYED else os.fsdecode(text)
        lines.append(f"{label}: {start} {length} {name_of_kind} {parameters}")
        position = following
    # A device without a table is there too: dmsetup prints its bare name.
    return lines or [f"{label}: "]
