"""losetup's old output, and the loop devices of a kernel that tells nothing of them in sysfs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Completed, FileKind, FileStat
from sctune.probes.loop import probe
from sctune.probes.losetup_text import ARGV, parse
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from sctune.model.loop import LoopState

# Red Hat Enterprise Linux 6, as people recorded it in public notes and test suites ("example of output on rhel-6.7").
RHEL6 = "/dev/loop0: [fd00]:26524 (/root/loop.img)\n/dev/loop1: [fd00]:396428 (/var/tmp/loop0.img)\n"


def test_recorded_output() -> None:
    first, second = parse(RHEL6)
    assert (first.number, first.inode, first.path, first.offset) == (0, 26524, "/root/loop.img", 0)
    assert 0xFD00 in second.devices


def test_options_and_decimal_devices() -> None:
    # Composed from the format of sys-utils/losetup.c.
    (only,) = parse("/dev/loop7: [64768]:12 (/a (b), offset 4), offset 512, sizelimit 1024\n")
    assert (only.path, only.offset, only.sizelimit) == ("/a (b), offset 4", 512, 1024)
    assert 64768 in only.devices


def test_a_cut_name_is_not_known() -> None:
    (only,) = parse(f"/dev/loop7: [fd00]:12 (/{'x' * 61}*)\n")
    assert only.path is None
    (whole,) = parse("/dev/loop7: [fd00]:12 (/x*)\n")
    assert whole.path == "/x*"


@given(
    text=st.one_of(st.text(max_size=80), st.builds("/dev/loop1: [{}]:1 ({})\n".format, st.text(max_size=9), st.text(max_size=70)))
)
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse(text)


def el6(output: str | Unavailable, inode: int = 26524) -> LoopState | Unavailable:
    """A host as kernel 2.6.32 shows it; composed, for there is none here."""
    files: dict[str, str | Unavailable] = {f"/sys/block/loop{n}/size": "2048\n" if n < 2 else "0\n" for n in range(8)}
    files |= {f"/sys/block/loop{n}/ro": "0\n" for n in range(8)}
    stat = FileStat(kind=FileKind.FILE, size=1 << 20, allocated=0, device=0xFD00, inode=inode, mtime=0.0)
    said = output if isinstance(output, Unavailable) else Completed(argv=ARGV, status=0, stdout=output, stderr="", seconds=0.0)
    return probe(FakeHost(files=files, stats={"/root/loop.img": stat}, commands={ARGV: said}, kernel="2.6.32-754.el6.x86_64"))


def test_an_old_kernel_is_asked_by_losetup() -> None:
    state = el6(RHEL6)
    assert not isinstance(state, Unavailable)
    assert [(loop.backing_file, loop.deleted, loop.size) for loop in state.devices] == [
        ("/root/loop.img", False, 1 << 20),
        ("/var/tmp/loop0.img", True, 1 << 20),
    ]


def test_another_file_of_the_same_name_is_not_the_file() -> None:
    state = el6(RHEL6, inode=7)
    assert not isinstance(state, Unavailable)
    assert state.devices[0].deleted


@pytest.mark.parametrize(
    "output",
    [
        RHEL6.partition("\n")[0] + "\n",
        "loop: can't get info on device /dev/loop1: No such device\n",
        Unavailable(reason=Reason.ABSENT, what="losetup", detail="not installed"),
        Unavailable(reason=Reason.NOT_COLLECTED, what="losetup -a"),
    ],
)
def test_what_losetup_does_not_tell_is_unknown_and_not_nothing(output: str | Unavailable) -> None:
    state = el6(output)
    assert isinstance(state, Unavailable)
    assert state.reason is not Reason.ABSENT
