"""`sctune volumes` and `sctune chain` on real loop devices and a real tgtd: what is listed, what is counted while it is used."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.conftest import run, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.conftest import Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.spawns]


def sctune(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "sctune", *arguments, "--format", "json"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode in (0, 3), done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def links(value: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for link in value:
        yield link
        yield from links(link["above"])


def layer(value: dict[str, Any], name: str) -> dict[str, Any]:
    assert len(value["chains"]) == 1
    return next(link for link in links(value["chains"][0]["links"]) if link["layer"] == name)


@pytest.fixture
def used(tgt: Tgt, loops: Loops) -> Iterator[tuple[str, str]]:
    """A target on a loop device, and an initiator that reads from it. Yields the device and the IQN."""
    device = loops.attach(loops.file("one"))
    iqn = tgt.target(device)[1]
    initiator = subprocess.Popen(
        ["iscsi-perf", "-t", "120", f"iscsi://{tgt.portal}/{iqn}/1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: "I_T nexus:" in tgt.admin("--op", "show", "--mode", "target").split("LUN information")[0])
    yield device, iqn
    initiator.send_signal(signal.SIGCONT)
    initiator.kill()
    initiator.wait()


def test_listed_with_who_is_logged_in(used: tuple[str, str], loops: Loops) -> None:
    device, iqn = used
    (volume,) = sctune("volumes", iqn)["volumes"]
    assert (volume["loops"], volume["file"]) == ([device], str(loops.folder / "one"))
    assert volume["state"] in ("attached", "unknown")  # unknown where LVM may not be asked
    assert [session["addresses"] for export in volume["exports"] for session in export["sessions"]] == [["127.0.0.1"]]


def test_shown_by_any_name(used: tuple[str, str], loops: Loops) -> None:
    device, iqn = used
    for name in (device, device[5:], str(loops.folder / "one"), iqn, f"{iqn}/1"):
        value = sctune("chain", name)
        assert layer(value, "loop")["name"] == device
        assert layer(value, "file")["facts"]["size"] == 64 * 2**20
        assert layer(value, "lun")["io"]["reads"]["completed"] > 0
        assert layer(value, "nexus")["facts"]["address"] == ["127.0.0.1"]


def test_counted_since_it_was_made(loops: Loops) -> None:
    device = loops.attach(loops.file("one"))
    before = layer(sctune("chain", device), "loop")["io"]
    run("dd", "if=/dev/zero", f"of={device}", "bs=1M", "count=8", "oflag=direct")
    after = layer(sctune("chain", device), "loop")["io"]
    assert after["writes"]["bytes"] - before["writes"]["bytes"] == 8 * 2**20


def test_counted_over_an_interval(used: tuple[str, str]) -> None:
    device, iqn = used
    writer = subprocess.Popen(
        ["sh", "-c", f"while :; do dd if=/dev/zero of={device} bs=64k count=512 oflag=direct,dsync 2>/dev/null; done"],
        start_new_session=True,
    )
    try:
        value = sctune("chain", iqn, "--interval", "1")
    finally:
        subprocess.run(["kill", "-KILL", "--", f"-{writer.pid}"], check=True)
        writer.wait()
    assert 1.0 <= value["interval_seconds"] < 5
    loop, lun = layer(value, "loop")["io"], layer(value, "lun")["io"]
    assert loop["writes"]["per_second"] > 0
    assert loop["writes"]["latency_seconds"] > 0
    assert 0 < loop["busy_ratio"] <= 1
    assert lun["reads"]["per_second"] > 0
    assert lun["writes"]["per_second"] == 0


def test_a_file_that_was_deleted_is_a_missing_link(loops: Loops) -> None:
    path = loops.file("one")
    device = loops.attach(path)
    path.unlink()
    value = sctune("chain", device)
    assert value["chains"][0]["volume"]["why"] == ["LOOP_BACKING_DELETED"]
    assert layer(value, "file")["mark"] == "missing"
    assert [found["code"] for found in layer(value, "loop")["findings"]][:1] == ["LOOP_BACKING_DELETED"]
