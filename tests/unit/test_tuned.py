from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Process
from sctune.model.system import Tuned
from sctune.probes.tuned import probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import NO_PROCESSES, unavailable

DAEMON = Process(pid=9, ppid=1, name="tuned", state="S", argv=("tuned",), started=1.0, cpu_seconds=0.0, uid=0)
RUNNING = replace(NO_PROCESSES, tuned=(DAEMON,))
ACTIVE = "/etc/tuned/active_profile"


def test_profile_and_daemon() -> None:
    host = FakeHost(files={ACTIVE: "virtual-guest my-storage\n"})
    assert probe(host, processes=RUNNING) == Tuned(profile="virtual-guest my-storage", running=True)
    # tuned-adm writes the file without a daemon, too.
    assert probe(host, processes=NO_PROCESSES) == Tuned(profile="virtual-guest my-storage", running=False)


def test_an_empty_file_or_none_with_a_daemon_is_no_profile() -> None:
    assert probe(FakeHost(files={ACTIVE: "\n"}), processes=NO_PROCESSES) == Tuned(profile="", running=False)
    assert probe(FakeHost(), processes=RUNNING) == Tuned(profile="", running=True)


def test_the_older_place() -> None:
    host = FakeHost(files={"/etc/tune-profiles/active-profile": "enterprise-storage\n"})
    assert probe(host, processes=RUNNING) == Tuned(profile="enterprise-storage", running=True)


def test_no_tuned_is_absent() -> None:
    answer = probe(FakeHost(), processes=NO_PROCESSES)
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.ABSENT


@pytest.mark.parametrize("reason", [Reason.DENIED, Reason.TIMEOUT, Reason.NOT_COLLECTED])
def test_what_cannot_be_read_is_not_guessed(reason: Reason) -> None:
    for answer in (
        probe(FakeHost(files={ACTIVE: unavailable(reason, ACTIVE)}), processes=NO_PROCESSES),
        probe(FakeHost(files={ACTIVE: "balanced\n"}), processes=unavailable(reason)),
    ):
        assert isinstance(answer, Unavailable)
        assert answer.reason is reason


@given(st.text())
def test_any_file_gives_a_line(text: str) -> None:
    answer = probe(FakeHost(files={ACTIVE: text}), processes=RUNNING)
    assert isinstance(answer, Tuned)
    assert "\n" not in answer.profile
