"""What the checks of tgt and of loop devices claim, seen on the real thing."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from sctune.config.model import Config, Thresholds
from tests.live.conftest import MIB, run, wait_for
from tests.live.diagnosis import faults, look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.conftest import Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.spawns]

SYNCING = ("fdatasync(", "fsync(", "sync_file_range(")


def calls_during_a_flush(tgt: Tgt, iqn: str, trace: Path) -> list[str]:
    """The writing system calls of tgtd while an initiator writes, writes with FUA, and flushes (SYNCHRONIZE CACHE)."""
    kinds = "trace=pwrite64,io_submit,fdatasync,fsync,sync_file_range"
    tracer = subprocess.Popen(
        ["strace", "-f", "-e", kinds, "-o", str(trace), "-p", str(tgt.process.pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with open(f"/proc/{tgt.process.pid}/status") as status:
            wait_for(lambda: f"TracerPid:\t{tracer.pid}" in (status.seek(0), status.read())[1])
        time.sleep(0.3)  # its other threads
        said = run(
            "qemu-io", "-f", "raw", "-n", "-c", "write 0 4k", "-c", "write -f 4k 4k", "-c", "flush", f"iscsi://{tgt.portal}/{iqn}/1"
        )
        assert said.count("wrote 4096/4096") == 2
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    return [line.split(None, 1)[1] for line in trace.read_text().splitlines() if "(" in line]


def test_rdwr_flushes_what_it_is_told_to(tgt: Tgt, loops: Loops, tmp_path: Path) -> None:
    iqn = tgt.target(loops.attach(loops.file("one")), bstype="rdwr")[1]
    calls = calls_during_a_flush(tgt, iqn, tmp_path / "trace")
    assert sum(call.startswith("pwrite64(") for call in calls) == 2
    assert sum(call.startswith(SYNCING) for call in calls) >= 2, "one for the write with FUA, one for the flush"
    assert not any(code == "TGT_AIO_UNSAFE_FLUSH" for code, _, _ in faults(look(), iqn))


def test_aio_says_it_flushed_and_did_not(tgt: Tgt, loops: Loops, tmp_path: Path) -> None:
    iqn = tgt.target(loops.attach(loops.file("one")), bstype="aio")[1]
    calls = calls_during_a_flush(tgt, iqn, tmp_path / "trace")
    assert sum(call.startswith("io_submit(") for call in calls) == 2
    assert not any(call.startswith(SYNCING) for call in calls), calls
    assert ("TGT_AIO_UNSAFE_FLUSH", "lun", f"{iqn}/1") in faults(look(), iqn)


def dirty_bytes() -> int:
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Dirty:"))


def left_dirty(device: str, size: int) -> int:
    """How much more memory is dirty after `size` bytes were written with O_DIRECT to a device."""
    os.sync()
    before = dirty_bytes()
    run("dd", "if=/dev/zero", f"of={device}", "bs=1M", f"count={size // MIB}", "oflag=direct", "status=none")
    return dirty_bytes() - before


def test_direct_io_through_a_buffered_loop_stays_in_memory(loops: Loops) -> None:
    """What LOOP_BUFFERED says: O_DIRECT on the device reaches its file's page cache, not the disk."""
    size = 256 * MIB
    path = loops.file("one", size)
    with open(path, "r+b") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    device = loops.attach(path)
    if run("losetup", "--noheadings", "--output", "DIO", device).strip() == "1":
        run("losetup", "--direct-io=off", device)
    assert left_dirty(device, size) > size // 2
    run("losetup", "--direct-io=on", device)
    assert left_dirty(device, size) < size // 8
    os.sync()


@pytest.fixture
def far(tgt: Tgt) -> Iterator[tuple[str, str]]:
    """A network namespace with one link to this host, on which tgtd listens. Yields its name and the portal."""
    name, link, here, there = "sctune-far", "sctune-near0", "198.51.100.1", "198.51.100.2"
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "far0", "netns", name)
        run("ip", "addr", "add", f"{here}/30", "dev", link)
        run("ip", "link", "set", link, "up")
        run("ip", "-n", name, "addr", "add", f"{there}/30", "dev", "far0")
        run("ip", "-n", name, "link", "set", "far0", "up")
        portal = f"{here}:33278"
        tgt.admin("--op", "new", "--mode", "portal", "--param", f"portal={portal}")
        yield name, portal
    finally:
        run("ip", "link", "delete", link, check=False)
        run("ip", "netns", "delete", name, check=False)


def test_an_initiator_that_is_gone_holds_its_volume(tgt: Tgt, loops: Loops, far: tuple[str, str]) -> None:
    name, portal = far
    iqn = tgt.target(loops.attach(loops.file("one")), acl="198.51.100.2")[1]
    initiator = subprocess.Popen(
        ["ip", "netns", "exec", name, "iscsi-perf", "-t", "120", f"iscsi://{portal}/{iqn}/1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: "I_T nexus:" in tgt.admin("--op", "show", "--mode", "target").split("LUN information")[0])
        assert not any(code == "TARGET_INITIATOR_DEAD" for code, _, _ in faults(look(), iqn))
        run("ip", "-n", name, "link", "set", "far0", "down")
        dead = ("TARGET_INITIATOR_DEAD", "target", iqn)
        wait_for(lambda: dead in faults(look(), iqn), seconds=60)
        (finding,) = (one for one in look().findings if one.code == "TARGET_INITIATOR_DEAD" and one.subject.id == iqn)
        run("sh", "-c", finding.remedy.commands[0])
        assert "I_T nexus:" not in tgt.admin("--op", "show", "--mode", "target").split("LUN information")[0]
        assert dead not in faults(look(), iqn)
    finally:
        initiator.kill()
        initiator.wait()


def test_a_tgtd_that_works_hard(tgt: Tgt) -> None:
    """A LUN without a disk, so that nothing but its own work holds it up. Where other tests take the processors it gets no whole
    one: hence a lower limit, of which one without work has nothing."""
    iqn = tgt.target("none", bstype="null", acl="ALL")[1]
    os.setpriority(os.PRIO_PROCESS, tgt.process.pid, -15)
    config = Config(thresholds=Thresholds(tgt_cpu=0.4))

    def busy() -> list[object]:
        return [one.evidence for one in look(config).findings if one.code == "TGT_CPU_SATURATED"]

    assert busy() == []
    argv = ["iscsi-perf", "-t", "120", "-m", "64", "-b", "1", f"iscsi://{tgt.portal}/{iqn}/1"]
    initiators = [
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(3)
    ]
    try:
        wait_for(busy, seconds=60)
    finally:
        for initiator in initiators:
            initiator.kill()
            initiator.wait()
    assert busy() == []
