"""Which devices LVM may open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.model.block import BlockDevice, BlockKind
from sctune.probes import lvm_accept
from sctune.probes.lvm import Question
from sctune.unavailable import Reason, Unavailable
from tests.unit.lvm_hosts import block, loops
from tests.unit.test_check_lvm import session

if TYPE_CHECKING:
    from collections.abc import Callable

NO_SESSIONS = Unavailable(reason=Reason.ABSENT, what="/sys/class/iscsi_session")


def answers() -> Callable[[BlockDevice], bool]:
    return lambda device: device.name.endswith("9")


def test_nothing_is_left_out_on_a_host_without_sessions() -> None:
    devices = (*loops(0, 1), block("sda", BlockKind.DISK, device_state="running"), block("nvme0n1", BlockKind.NVME))
    assert lvm_accept.excluded(devices, NO_SESSIONS, answers()) == frozenset()


def test_disks_of_lost_sessions_and_all_that_is_stacked_on_them_are_left_out() -> None:
    devices = (
        block("sda", BlockKind.DISK, session=1, device_state="running"),
        block("sdb", BlockKind.DISK, session=2, device_state="running"),
        block("dm-0", BlockKind.DM, slaves=("sdb",)),
        block("dm-1", BlockKind.DM, slaves=("dm-0",)),
        block("dm-2", BlockKind.DM, slaves=("sda",)),
    )
    alive = session()
    assert lvm_accept.excluded(devices, (alive,), answers()) == {"sdb", "dm-0", "dm-1"}
    failed = session("FAILED")
    assert lvm_accept.excluded(devices, (failed,), answers()) == {"sda", "sdb", "dm-0", "dm-1", "dm-2"}


def test_a_multipath_device_is_left_out_only_without_any_path() -> None:
    devices = (
        block("sda", BlockKind.DISK, session=1),
        block("sdb", BlockKind.DISK, session=2),
        block("sdc", BlockKind.DISK, session=2),
        block("dm-9", BlockKind.DM, slaves=("sda", "sdb")),
        block("dm-19", BlockKind.DM, slaves=("sdb", "sdc")),
    )
    assert lvm_accept.excluded(devices, (session(),), answers()) == {"sdb", "sdc", "dm-19"}


@pytest.mark.parametrize("state", ["blocked", "offline", "transport-offline"])
def test_disks_that_the_kernel_holds_back_are_left_out(state: str) -> None:
    assert lvm_accept.excluded((block("sda", BlockKind.DISK, device_state=state),), NO_SESSIONS, answers()) == {"sda"}


def test_where_the_sessions_are_not_known_no_iscsi_disk_is_trusted() -> None:
    devices = (block("sda", BlockKind.DISK), block("sdb", BlockKind.DISK, session=1))
    unknown = Unavailable(reason=Reason.FAILED, what="sessions")
    assert lvm_accept.excluded(devices, unknown, answers()) == {"sdb"}


def accepts(patterns: tuple[str, ...], path: str) -> bool:
    """LVM's rule for one name: the first pattern that matches decides."""
    for pattern in patterns:
        if re.search(pattern[2:-1], path):
            return pattern[0] == "a"
    return True


_NAMES = st.sampled_from(
    [(f"loop{n}", BlockKind.LOOP) for n in (0, 1, 9, 10, 11, 19, 100, 249, 250, 1000)]
    + [(f"sd{x}", BlockKind.DISK) for x in ("a", "b", "z", "aa", "ab", "zz", "aaa")]
    + [("nvme0n1", BlockKind.NVME), ("nvme1n1", BlockKind.NVME), ("vda", BlockKind.VIRTIO), ("xvda", BlockKind.VIRTIO)]
    + [
        ("dm-0", BlockKind.DM),
        ("dm-12", BlockKind.DM),
        ("md0", BlockKind.MD),
        ("dasda", BlockKind.OTHER),
        ("cciss!c0d0", BlockKind.OTHER),
    ]
)


@given(st.dictionaries(_NAMES, st.tuples(st.booleans(), st.booleans())), st.booleans())
def test_exactly_the_devices_that_may_be_opened_are_accepted(
    choice: dict[tuple[str, BlockKind], tuple[bool, bool]], everything: bool
) -> None:
    devices = [block(name, kind, size=size << 20) for (name, kind), (_, size) in choice.items()]
    left_out = {name for (name, _), (out, _) in choice.items() if out}
    patterns = lvm_accept.patterns(devices, left_out, everything=everything)
    for device in devices:
        path = "/dev/" + device.name.replace("!", "/")
        partition = f"{path}p1" if path[-1].isdigit() else f"{path}1"
        if device.name in left_out:
            assert not accepts(patterns, path)
            assert not accepts(patterns, f"/dev/disk/by-path/{device.name}")
        elif device.size > 0:
            assert accepts(patterns, path)
            assert accepts(patterns, partition) or device.kind is BlockKind.DM
        elif not everything:
            assert not accepts(patterns, path)
    assert not accepts(patterns, "/dev/nbd7")


@given(st.sets(st.integers(0, 3000)), st.integers(0, 3000))
def test_folded_numbers_match_exactly_themselves(numbers: set[int], other: int) -> None:
    expression = lvm_accept.alternatives(map(str, numbers))
    assert all(re.fullmatch(expression, str(number)) for number in numbers)
    assert (re.fullmatch(expression, str(other)) is not None and expression != "") == (other in numbers)


def test_the_second_look_sees_devices_made_since() -> None:
    patterns = lvm_accept.patterns(loops(0, 1), frozenset(), everything=True)
    assert accepts(patterns, "/dev/loop77")


def test_ten_thousand_devices_fit_on_a_command_line() -> None:
    patterns = lvm_accept.patterns(loops(*range(0, 30_000, 3)), frozenset())
    assert len(Question(accept=patterns).configuration()) < 120_000


def test_floppy_and_cdrom_drives_are_not_opened() -> None:
    devices = (block("sr0", BlockKind.OTHER), block("fd0", BlockKind.OTHER), *loops(3))
    assert lvm_accept.patterns(devices, frozenset()) == ("a|^/dev/loop(3)(p[0-9]+)?$|", "r|.*|")
