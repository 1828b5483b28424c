"""A real tgtd with real sessions: healthy is not called ill, and each fault is exactly its code on exactly its subject."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config
from sctune.host.live import LiveHost
from sctune.inventory import Inventory
from sctune.unavailable import need
from tests.live.conftest import forget_sockets, run, wait_for
from tests.live.diagnosis import faults, look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.conftest import Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.spawns]

IQN = "iqn.2026-01.org.example"


@pytest.fixture
def session(tgt: Tgt, loops: Loops) -> Iterator[tuple[str, str]]:
    """Two targets on loop devices, the first with an initiator that is logged in. Yields their IQNs."""
    first = tgt.target(loops.attach(loops.file("one")))[1]
    second = tgt.target(loops.attach(loops.file("two")))[1]
    initiator = subprocess.Popen(
        ["iscsi-perf", "-t", "120", f"iscsi://{tgt.portal}/{first}/1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: "I_T nexus:" in tgt.admin("--op", "show", "--mode", "target").split("LUN information")[0])
    # Left to itself it takes all that tgtd's main thread can give, which is a fault of its own.
    initiator.send_signal(signal.SIGSTOP)
    yield first, second
    initiator.kill()
    initiator.wait()


def test_userspace_initiators_see_the_targets(tgt: Tgt, session: tuple[str, str]) -> None:
    listed = run("iscsi-ls", "-s", f"iscsi://{tgt.portal}")
    assert all(iqn in listed for iqn in session)
    assert "VIRTUAL-DISK" in run("iscsi-inq", f"iscsi://{tgt.portal}/{session[1]}/1")


def test_healthy_targets_are_no_fault(tgt: Tgt, session: tuple[str, str], loops: Loops) -> None:
    assert faults(look(), IQN, loops.folder, "tgtd") == set()


def test_a_target_without_its_lun(tgt: Tgt, session: tuple[str, str], loops: Loops) -> None:
    tgt.admin("--op", "delete", "--mode", "logicalunit", "--tid", "2", "--lun", "1")
    assert faults(look(), IQN, loops.folder, "tgtd") == {("TARGET_LUN_MISSING", "target", session[1])}


def test_a_lun_whose_backing_file_is_gone(tgt: Tgt, session: tuple[str, str], loops: Loops) -> None:
    path = loops.file("direct")
    iqn = tgt.target(str(path))[1]
    path.unlink()
    assert faults(look(), IQN, loops.folder, "tgtd") == {("TARGET_BACKING_MISSING", "lun", f"{iqn}/1")}


def test_a_lun_that_is_offline(tgt: Tgt, session: tuple[str, str], loops: Loops) -> None:
    tgt.admin("--op", "update", "--mode", "logicalunit", "--tid", "2", "--lun", "1", "-P", "online=0")
    assert faults(look(), IQN, loops.folder, "tgtd") == {("TARGET_LUN_OFFLINE", "lun", f"{session[1]}/1")}


def test_open_access_matters_where_others_can_reach_it(tgt: Tgt, session: tuple[str, str], loops: Loops) -> None:
    iqn = tgt.target(loops.attach(loops.file("open")), acl="ALL")[1]
    assert faults(look(), IQN, loops.folder) == set(), "its only portal is on loopback"
    tgt.admin("--op", "new", "--mode", "portal", "--param", "portal=0.0.0.0:33277")
    assert {(code, name) for code, _, name in faults(look(), IQN, loops.folder)} == {("TARGET_OPEN_ACCESS", iqn)}
    tgt.admin("--op", "new", "--mode", "account", "--user", "guest", "--password", "notSecret0123")
    tgt.admin("--op", "bind", "--mode", "account", "--tid", "3", "--user", "guest")
    assert faults(look(), IQN, loops.folder) == set(), "CHAP is asked for now"


def test_a_stopped_daemon_is_unresponsive(tgt: Tgt, session: tuple[str, str], loops: Loops) -> None:
    tgt.stop()
    began = time.monotonic()
    report = look()
    assert time.monotonic() - began < 15
    assert {code for code, _, _ in faults(report, IQN, loops.folder, "tgtd")} == {"TGT_UNRESPONSIVE"}
    tgt.resume()
    assert faults(look(), IQN, loops.folder, "tgtd") == set()


def test_a_killed_daemon_is_down(tgt: Tgt, session: tuple[str, str], loops: Loops) -> None:
    tgt.kill()
    assert {code for code, _, _ in faults(look(), IQN, loops.folder, "tgtd")} == {"TGT_DOWN"}
    forget_sockets(tgt.control_port)


def test_parameters_of_every_target_and_the_version(tgt: Tgt, session: tuple[str, str]) -> None:
    tgt.admin("--op", "update", "--mode", "target", "--tid", "2", "-n", "nop_interval", "-v", "5")
    with LiveHost() as host:
        inventory = Inventory(host, Config(), strict=True)
        parameters = need(inventory.tgt_parameters)
        version = need(inventory.tgt_version)
    ours = {item.iqn: item for item in parameters if item.control_port == tgt.control_port}
    assert [ours[iqn].nop_interval for iqn in session] == [0, 5]
    assert ours[session[0]].max_queue_cmd == 128
    assert version.package.partition(":")[2].startswith(version.version) or version.package.startswith(version.version)


def test_a_main_thread_with_all_it_can_do(tgt: Tgt, loops: Loops) -> None:
    """Nobody, who is not waited for; then initiators that ask for as much as they get, for as long as the doctor looks."""
    iqn = tgt.target(loops.attach(loops.file("one")))[1]
    assert share_of(tgt) < 0.3
    url = f"iscsi://{tgt.portal}/{iqn}/1"
    command = ["iscsi-perf", "-t", "30", "-m", "64", url]
    initiators = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    try:
        wait_for(lambda: "IP Address:" in tgt.admin("--op", "show", "--mode", "target"))
        # The initiators, and whatever else runs on this machine, want the processors too.
        wait_for(lambda: share_of(tgt) > 0.5, 20.0)
    finally:
        for initiator in initiators:
            initiator.kill()
            initiator.wait()


def share_of(tgt: Tgt) -> float:
    """The share of a core that its main thread takes."""
    with LiveHost() as host:
        loads = need(Inventory(host, Config(), strict=True).tgt_load)
    (mine,) = [item for item in loads if item.control_port == tgt.control_port]
    assert mine.share is not None
    print(f"tgtd: {mine.share:.0%} in {mine.seconds:.2f} s")
    return mine.share
