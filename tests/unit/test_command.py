"""Running tools: one environment, both outputs, every deadline kept."""

from __future__ import annotations

import os
import time

import pytest

from sctune.host import command
from sctune.host.base import Completed
from sctune.host.command import run_command
from sctune.unavailable import Reason, Unavailable

pytestmark = pytest.mark.spawns


def sh(script: str, timeout: float = 10.0) -> Completed | Unavailable:
    return run_command(["sh", "-c", script], timeout=timeout)


def test_outputs_are_apart_and_any_status_is_an_answer() -> None:
    answer = sh("echo out; echo err >&2; exit 5")
    assert isinstance(answer, Completed)
    assert (answer.stdout, answer.stderr, answer.status) == ("out\n", "err\n", 5)


def test_a_signal_is_a_negative_status() -> None:
    answer = sh("kill -9 $$")
    assert isinstance(answer, Completed)
    assert answer.status == -9


def test_the_environment_is_ours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVM_SYSTEM_DIR", "/tmp/evil")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    answer = sh("env")
    assert isinstance(answer, Completed)
    names = {line.split("=")[0] for line in answer.stdout.splitlines()}
    assert "LVM_SYSTEM_DIR" not in names
    assert "LC_ALL=C.UTF-8" in answer.stdout.splitlines()


def test_there_is_no_input() -> None:
    answer = sh("cat; echo end")
    assert isinstance(answer, Completed)
    assert answer.stdout == "end\n"


def test_the_deadline_kills_the_whole_group(tmp_path: os.PathLike[str]) -> None:
    mark = os.path.join(tmp_path, "mark")
    began = time.monotonic()
    answer = sh(f"(sleep 1; touch {mark}) & sleep 30", timeout=0.3)
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.TIMEOUT
    assert answer.pids == ()
    assert time.monotonic() - began < 2
    time.sleep(1.2)
    assert not os.path.exists(mark)


def test_a_tool_that_closes_its_outputs_and_stays_is_killed_too() -> None:
    began = time.monotonic()
    answer = sh("exec >&- 2>&-; sleep 30", timeout=0.3)
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.TIMEOUT
    assert time.monotonic() - began < 2


def test_a_tool_that_is_not_there_is_absent() -> None:
    answer = run_command(["sctune-nonesuch"], timeout=1)
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.ABSENT


def test_a_tool_that_may_not_be_run_is_denied(tmp_path: os.PathLike[str]) -> None:
    tool = os.path.join(tmp_path, "tool")
    with open(tool, "w") as file:
        file.write("#!/bin/sh\n")
    answer = run_command([tool], timeout=1)
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.DENIED


def test_endless_output_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "OUTPUT_LIMIT", 1_000_000)
    answer = sh("yes")
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.FAILED


def test_large_output_on_both_sides_does_not_block() -> None:
    answer = sh("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2")
    assert isinstance(answer, Completed)
    assert (len(answer.stdout), len(answer.stderr)) == (3_000_000, 3_000_000)


def test_bytes_that_are_no_text_survive() -> None:
    answer = sh("printf '\\377'")
    assert isinstance(answer, Completed)
    assert os.fsencode(answer.stdout) == b"\xff"


def test_a_tool_that_nobody_waits_for_any_more_is_ended(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    mark = os.path.join(tmp_path, "pid")

    def interrupted(*_: object) -> None:
        while not os.path.exists(mark) or not os.path.getsize(mark):
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_await_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sh(f"echo $$ > {mark}; exec sleep 30")
    with open(mark) as file, pytest.raises(ProcessLookupError):
        os.kill(int(file.read()), 0)
