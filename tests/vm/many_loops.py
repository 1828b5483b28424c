"""Runs inside the test machine: attaches COUNT loop devices, read-only, to files of 4 KiB of their own in FOLDER.

By ioctl (loop(4)), in one process: losetup would be started once for each.
"""

import fcntl
import os
import struct
import sys

LOOP_CTL_GET_FREE = 0x4C82
LOOP_CONFIGURE = 0x4C0A
# struct loop_config (linux/loop.h): descriptor, block size, struct loop_info64, reserved.
_READ_ONLY = 1
_INFO = struct.Struct("=QQQQQIIII64s64s32s2Q")
_RESERVED = 64


def attach(control: int, path: str) -> None:
    """One more loop device."""
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(file, 4096)
    device = os.open(f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}", os.O_RDONLY)
    info = _INFO.pack(0, 0, 0, 0, 0, 0, 0, 0, _READ_ONLY, path.encode(), b"", b"", 0, 0)
    fcntl.ioctl(device, LOOP_CONFIGURE, struct.pack("=II", file, 0) + info + bytes(_RESERVED))
    os.close(device)
    os.close(file)


folder, count = sys.argv[1], int(sys.argv[2])
os.makedirs(folder, exist_ok=True)
control = os.open("/dev/loop-control", os.O_RDWR)
for number in range(count):
    attach(control, f"{folder}/{number}")
