from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Completed, FileKind
from sctune.model.system import Unit
from sctune.probes.units import UNITS, parse, probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import file_stat, unavailable

ARGV = ("systemctl", "show", "--property=Id,LoadState,ActiveState,SubState,UnitFileState,MainPID", *UNITS)
BOOTED = {"/run/systemd/system": file_stat(0o755, kind=FileKind.DIRECTORY)}
# systemd 252 of Debian 12 in a test machine: iscsid runs, multipathd's command failed, tuned is masked, iscsi is an alias.
SHOWN = (Path(__file__).parent.parent / "data" / "units" / "systemctl-show-252.txt").read_text()


def completed(stdout: str, status: int = 0, stderr: str = "") -> Completed:
    return Completed(argv=ARGV, status=status, stdout=stdout, stderr=stderr, seconds=0.1)


def host(answer: Completed | Unavailable) -> FakeHost:
    return FakeHost(stats=dict(BOOTED), commands={ARGV: answer})


def test_recorded_units() -> None:
    units = probe(host(completed(SHOWN)))
    assert not isinstance(units, Unavailable)
    by_name = {unit.name: unit for unit in units}
    assert set(by_name) == set(UNITS) - {"iscsi.service"}
    assert by_name["tgtd.service"] == Unit(
        name="tgtd.service", load="not-found", active="inactive", sub="dead", enabled="", main_pid=0
    )
    assert (by_name["iscsid.service"].active, by_name["iscsid.service"].sub) == ("active", "running")
    assert by_name["iscsid.service"].main_pid > 0
    assert by_name["multipathd.service"].active == "failed"
    assert by_name["tuned.service"].load == "masked"
    assert by_name["tgt.service"].load == "loaded"


def test_one_command_for_all() -> None:
    asked = host(completed(SHOWN))
    probe(asked)
    assert asked.asked == [ARGV]


def test_without_systemd_nothing_is_asked() -> None:
    plain = FakeHost()
    answer = probe(plain)
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.ABSENT
    assert plain.asked == []


@pytest.mark.parametrize(
    ("answer", "reason", "detail"),
    [
        (completed("", 1, "Failed to connect to bus: No such file or directory\n"), Reason.FAILED, "Failed to connect to bus"),
        (completed("", 1), Reason.FAILED, "exit status 1"),
        (completed("hello\n"), Reason.MALFORMED, "no unit"),
        (unavailable(Reason.TIMEOUT), Reason.TIMEOUT, ""),
    ],
)
def test_why_not(answer: Completed | Unavailable, reason: Reason, detail: str) -> None:
    found = probe(host(answer))
    assert isinstance(found, Unavailable)
    assert found.reason is reason
    assert detail in found.detail


@given(st.text() | st.lists(st.sampled_from(["Id=a", "MainPID=٣", "MainPID=-1", "Id=", "\n", "=", "LoadState"])).map("\n".join))
def test_any_text_gives_units_or_malformed(text: str) -> None:
    found = parse(text)
    assert isinstance(found, tuple) or found.reason is Reason.MALFORMED
