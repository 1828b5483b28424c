"""What QEMU may write of the test machine's terminal before it drops any, with nobody reading: it writes 16 bytes at a time."""

from __future__ import annotations

import os
import socket

import pytest

from tests.vm.qemu import make_room

REPORT = 64 << 10  # several times what the doctor says of a host with many faults


def room(end: socket.socket) -> int:
    end.setblocking(False)
    sent = 0
    while sent < REPORT:
        try:
            sent += end.send(b"x" * 16)
        except BlockingIOError:
            break
    return sent


@pytest.mark.skipif(os.geteuid() != 0, reason="how much an ordinary user may have is the system's to say")
def test_a_report_fits_the_terminal() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert room(theirs) < REPORT, "as it is made, a socket is too small: without this nothing below is shown"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        make_room(theirs)
        assert room(theirs) == REPORT
