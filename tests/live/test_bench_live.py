"""A real benchmark: loop devices, a target of a real tgtd, real fio; and nothing left of it, however it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from sctune.commands.bench import run_bench
from sctune.report.format import Plain
from sctune.tuning.machine import machine
from tests.live.conftest import run, wait_for

if TYPE_CHECKING:
    from tests.live.conftest import Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("fio") is None, reason="needs fio")]
SCHEMA: dict[str, Any] = json.loads((resources.files("sctune.report") / "bench.schema.json").read_text(encoding="utf-8"))

PROGRAM = """
import json, sys
from sctune.bench.model import Layer
from sctune.commands.bench import run_bench
from sctune.failure import report_failure
from sctune.report.format import Plain
from sctune.tuning.machine import machine
given = json.loads(sys.argv[1])
root = given.pop("root")
given["layers"] = tuple(map(Layer, given["layers"]))
try:
    code = run_bench(**given, format=Plain.JSON, machine=machine(root=root), root=root)
except BaseException as error:
    code = report_failure(error)
sys.exit(code)
"""


def arguments(tmp_path: Path, **given: object) -> list[str]:
    """A benchmark in a process of its own, whose notes and lock lie in the test's folder."""
    root = tmp_path / "root"
    for folder in ("var/lib", "run"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    store = tmp_path / "store"
    store.mkdir(exist_ok=True)
    wanted: dict[str, object] = {
        "volume": None,
        "folder": str(store),
        "clean": False,
        "size": 32 << 20,
        "runtime": 1,
        "runs": 1,
        "layers": [],
        "read_only": False,
        "direct_io": None,
        "rate": None,
        "control_port": 0,
        "yes": False,
        "output": None,
        "config_path": "/dev/null",
        "root": str(root),
    }
    return [sys.executable, "-c", PROGRAM, json.dumps(wanted | given)]


def left_behind(tmp_path: Path) -> list[str]:
    """Everything of a benchmark that is still there."""
    found = [str(path) for path in (tmp_path / "store").iterdir()]
    found += [str(path) for path in (tmp_path / "root/var/lib").iterdir()]
    found += [line for line in run("losetup", "--all").splitlines() if str(tmp_path) in line]
    # One that somebody still holds open is detached for losetup, and there for everybody else.
    if not any("/dev/loop" in line for line in found):
        for known in Path("/sys/block").glob("loop*/loop/backing_file"):
            with suppress(OSError):  # it went just now
                found += [f"{known}: {known.read_text()}"] if str(tmp_path) in known.read_text() else []
    processes = run("ps", "-ww", "-eo", "args").splitlines()
    return found + [line for line in processes if line.startswith("fio ") and str(tmp_path) in line]


def measured(tmp_path: Path, **given: object) -> dict[str, Any]:
    done = subprocess.run(arguments(tmp_path, **given), capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    return found


def layers(found: dict[str, Any]) -> dict[str, Any]:
    return {one["layer"]: one for one in found["layers"]}


def test_a_loop_device_without_direct_io_is_the_cache(tmp_path: Path, tgt: Tgt) -> None:
    found = layers(measured(tmp_path, control_port=tgt.control_port, direct_io=False))
    assert left_behind(tmp_path) == []
    assert "Target" not in tgt.admin("--op", "show", "--mode", "target")
    assert found["file"]["verdict"] == "base"
    assert all(job["runs"] for job in found["file"]["jobs"])
    assert found["loop"]["facts"]["direct_io"] is False
    assert found["loop"]["verdict"] == "cache", found["loop"]["reasons"]
    assert any("direct I/O off" in one for one in found["loop"]["reasons"])
    target = {job["job"]: job for job in found["target"]["jobs"]}
    assert target["random-read"]["operations_per_second"] > 0
    assert found["target"]["facts"]["backing_type"] == "rdwr"
    if not os.path.exists("/sys/class/misc/device-mapper"):
        assert found["lv"]["verdict"] == "unmeasured"


def test_one_with_direct_io_keeps_nothing_back(tmp_path: Path) -> None:
    found = layers(measured(tmp_path, direct_io=True, layers=["file", "loop"]))
    assert left_behind(tmp_path) == []
    assert found["loop"]["facts"]["direct_io"] is True
    assert not any("direct writes left" in one for one in found["loop"]["reasons"])


def started(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    """Until it measures a loop device."""

    def measures() -> bool:
        assert process.poll() is None, process.stderr
        return any(
            "--filename=/dev/loop" in line for line in run("ps", "-ww", "-eo", "args").splitlines() if line.startswith("fio ")
        )

    wait_for(measures, 60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_in_the_middle(tmp_path: Path, number: signal.Signals) -> None:
    given = arguments(tmp_path, runtime=30, layers=["loop"])
    process = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    started(tmp_path, process)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said == b"sctune: interrupted\n"
    assert left_behind(tmp_path) == []


def test_killed_and_cleaned_by_the_next(tmp_path: Path, tgt: Tgt) -> None:
    """SIGKILL leaves all of it but fio, which goes with its parent; the note says what, and the next run removes it."""
    given = arguments(tmp_path, runtime=30, layers=["target"], control_port=tgt.control_port)
    process = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def exported() -> bool:
        return "sctune:bench-" in tgt.admin("--op", "show", "--mode", "target") and "iscsi-perf" in run("ps", "-eo", "comm")

    wait_for(exported, 60)
    process.kill()
    process.communicate(timeout=60)
    assert len(left_behind(tmp_path)) == 3  # the folder, the note, the loop device
    wait_for(lambda: "iscsi-perf" not in run("ps", "-eo", "comm"))
    done = subprocess.run(arguments(tmp_path, clean=True), capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Removed what a killed benchmark left in" in done.stdout
    assert left_behind(tmp_path) == []
    assert "Target" not in tgt.admin("--op", "show", "--mode", "target")
    again = subprocess.run(arguments(tmp_path, clean=True), capture_output=True, text=True, check=False, timeout=60)
    assert again.stdout == "Nothing is left of any benchmark.\n"


def test_a_full_disk(tmp_path: Path) -> None:
    """The room is there when it begins, and then it is not."""
    store = tmp_path / "small"
    store.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64m", "none", str(store))
    try:
        given = arguments(tmp_path, folder=str(store), size=32 << 20)
        done = subprocess.run(given, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert "too little room: 32 MiB would leave less than 1 GiB" in done.stderr
        assert list(store.iterdir()) == []
    finally:
        run("umount", str(store))
    assert left_behind(tmp_path) == []


def test_a_disk_that_fills_up_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room was there when it was looked for; the file that could not be written whole is removed."""
    store = tmp_path / "store"
    for folder in (store, tmp_path / "root/var/lib", tmp_path / "root/run"):
        folder.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", "size=24m", "none", str(store))
    monkeypatch.setattr("sctune.bench.plan._no_room", lambda _space, _size: None)
    try:
        given = json.loads(arguments(tmp_path, output=str(tmp_path / "out.json"))[-1])
        root = given["root"]
        given["layers"] = ()
        assert run_bench(**given, format=Plain.JSON, machine=machine(root=root)) == 3
        found = layers(json.loads((tmp_path / "out.json").read_text()))
        assert {one["verdict"] for one in found.values()} == {"unmeasured"}
        assert "no space left on device" in found["file"]["reasons"][0].lower()
        assert left_behind(tmp_path) == []
    finally:
        run("umount", str(store))


def test_fio_dies(tmp_path: Path) -> None:
    """What it was doing is not measured, the rest is, and the exit code says that it is not all."""
    process = subprocess.Popen(arguments(tmp_path, runtime=3, layers=["loop"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    started(tmp_path, process)
    lines = run("ps", "-ww", "-eo", "pid,args").splitlines()
    pid = next(int(line.split()[0]) for line in lines if line.split()[1] == "fio" and "--filename=/dev/loop" in line)
    os.kill(pid, signal.SIGKILL)
    out, said = process.communicate(timeout=120)
    assert process.returncode == 3, said
    (loop,) = json.loads(out)["layers"]
    assert [bool(job["runs"]) for job in loop["jobs"]] == [False, True, True, True, True]
    assert any("synchronous writes" in one for one in loop["reasons"])
    assert left_behind(tmp_path) == []


def test_a_volume_is_only_read(tmp_path: Path, loops: Loops, tgt: Tgt) -> None:
    """Its bytes are the same afterwards, and one in use is asked about first."""
    file = loops.file("vol-11111111", 32 << 20)
    file.write_bytes(os.urandom(32 << 20))
    before = file.read_bytes()
    device = loops.attach(file)
    tgt.target(device)
    found = measured(tmp_path, volume=device, folder=None, size=None)
    assert file.read_bytes() == before
    seen = layers(found)
    assert [one["job"] for one in seen["loop"]["jobs"]] == ["read-latency", "random-read", "sequential-read"]
    assert seen["target"]["tool"] == "iscsi-perf"
    assert all(one["runs"] for one in seen["target"]["jobs"])
    assert found["scratch"] is False
    assert list((tmp_path / "store").iterdir()) == []


def test_a_volume_in_use_takes_a_yes(tmp_path: Path, loops: Loops) -> None:
    device = loops.attach(loops.file("vol-22222222", 32 << 20))
    run("mkfs.ext4", "-q", device)
    point = tmp_path / "mounted"
    point.mkdir()
    run("mount", device, str(point))
    try:
        given = arguments(tmp_path, volume=device, folder=None, size=None)
        done = subprocess.run(given, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert f"a mount at {point}" in done.stderr
        assert "--yes" in done.stderr
        found = measured(tmp_path, volume=device, folder=None, size=None, yes=True)
        assert found["options"]["rate_bytes_per_second"] == 64 << 20
        assert any("took I/O away" in one for one in found["notes"])
    finally:
        run("umount", str(point))
