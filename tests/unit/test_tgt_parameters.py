"""Target parameters and tgt's version: real output of 1.0.85, and whatever else may come."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Completed, TgtMode
from sctune.host.redact import redact_file
from sctune.model.target import Target, TgtDaemon, TgtState
from sctune.model.tgt_tuning import TargetParameters, TgtVersion
from sctune.probes import tgt_parameters, tgt_version
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

REAL = (Path(__file__).resolve().parent.parent / "data" / "tgt" / "parameters-1.0.85.txt").read_text()


def target(tid: int) -> Target:
    return Target(
        tid=tid, iqn=f"iqn.x:{tid}", driver="iscsi", state="ready", control_port=0, nexuses=(), luns=(), accounts=(),
        outgoing_accounts=(), acls=(),
    )  # fmt: skip


def state(*targets: Target) -> TgtState:
    daemon = TgtDaemon(control_port=0, state="ready", targets=targets, portals=(), accounts=(), backing_types=())
    return TgtState(daemons=(daemon,), unanswered=(), stale=())


def answers(*texts: str | Unavailable) -> FakeHost:
    return FakeHost(tgt_answers={(TgtMode.TARGET, 0, tid): text for tid, text in enumerate(texts, 1)})


def test_real_output() -> None:
    found = tgt_parameters.parse(REAL, control_port=0, iqn="iqn.x:1")
    assert isinstance(found, TargetParameters)
    assert (found.nop_interval, found.max_queue_cmd, found.max_recv_data_segment_length) == (0, 128, 8192)
    assert (found.initial_r2t, found.immediate_data, found.header_digest) == (True, True, "None")
    assert ("ErrorRecoveryLevel", "0") in found.others
    assert len(found.others) == 11


def test_an_old_tgt_tells_less() -> None:
    found = tgt_parameters.parse("MaxBurstLength=1\n", control_port=0, iqn="iqn.x:1")
    assert isinstance(found, TargetParameters)
    assert (found.max_burst_length, found.nop_interval, found.initial_r2t) == (1, None, None)


@given(st.text())
def test_any_text_is_parameters_or_malformed(text: str) -> None:
    found = tgt_parameters.parse(text, control_port=0, iqn="iqn.x:1")
    assert isinstance(found, TargetParameters) or found.reason is Reason.MALFORMED


def test_each_target_is_asked_and_one_that_is_gone_is_left_out() -> None:
    gone = Unavailable(reason=Reason.FAILED, what="tgtd", detail="can't find the target")
    found = tgt_parameters.probe(answers(REAL, gone, REAL), tgt=state(target(1), target(2), target(3)))
    assert not isinstance(found, Unavailable)
    assert [item.iqn for item in found] == ["iqn.x:1", "iqn.x:3"]


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.DENIED, Reason.NOT_COLLECTED])
def test_a_daemon_that_does_not_answer_ends_the_asking(reason: Reason) -> None:
    silent = Unavailable(reason=reason, what="tgtd")
    assert tgt_parameters.probe(answers(REAL, silent), tgt=state(target(1), target(2))) == silent


def test_without_tgt_there_are_none() -> None:
    absent = Unavailable(reason=Reason.ABSENT, what="tgtd")
    assert tgt_parameters.probe(FakeHost(), tgt=absent) == absent


def ran(*argv: str, stdout: str = "", status: int = 0) -> tuple[tuple[str, ...], Completed]:
    return argv, Completed(argv=argv, status=status, stdout=stdout, stderr="", seconds=0.0)


STATUS = """Package: tgt-rbd
Status: install ok installed
Version: 1:9.9-1

Package: tgt
Status: install ok installed
Architecture: amd64
Version: 1:1.0.85-1+deb12u1
Description: a target
 Version: 3

Package: other
Version: 2
"""


def test_version_and_package_by_dpkgs_own_file() -> None:
    host = FakeHost(files={"/var/lib/dpkg/status": STATUS})
    assert tgt_version.probe(host) == TgtVersion(version="1.0.85", package="1:1.0.85-1+deb12u1")
    assert host.asked == []
    # A capture keeps no more of it than is asked.
    kept = redact_file("/var/lib/dpkg/status", STATUS)
    assert tgt_version.parse_status(kept) == "1:1.0.85-1+deb12u1"
    assert "tgt-rbd" not in kept
    assert "other" not in kept


def test_a_file_too_large_to_read_and_a_package_that_was_removed() -> None:
    debian = ran("dpkg-query", "--show", "--showformat", "${Version}", "tgt", stdout="1:1.0.85-1+deb12u1")
    large = Unavailable(reason=Reason.FAILED, what="/var/lib/dpkg/status", detail="larger than 4 MiB")
    host = FakeHost(files={"/var/lib/dpkg/status": large}, commands=dict([debian]))
    assert tgt_version.probe(host) == TgtVersion(version="1.0.85", package="1:1.0.85-1+deb12u1")
    assert tgt_version.parse_status(STATUS.replace("install ok installed", "deinstall ok config-files")) == ""


@given(st.text())
def test_any_text_of_dpkg(text: str) -> None:
    tgt_version.parse_status(f"Package: tgt\n{text}")
    tgt_version.parse_status(text)
    tgt_version.upstream(text)


def test_red_hat_calls_it_otherwise_and_a_built_one_has_no_package() -> None:
    red_hat = ran("rpm", "--query", "--queryformat", "%{VERSION}-%{RELEASE}", "scsi-target-utils", stdout="1.0.55-4.el7")
    version = ran("tgtadm", "--version", stdout="1.0.55\n")
    assert tgt_version.probe(FakeHost(commands=dict([version, red_hat]))) == TgtVersion(version="1.0.55", package="1.0.55-4.el7")
    assert tgt_version.probe(FakeHost(commands=dict([version]))) == TgtVersion(version="1.0.55", package="")


def test_no_tgtadm_is_absent_and_other_words_are_malformed() -> None:
    absent = tgt_version.probe(FakeHost())
    assert isinstance(absent, Unavailable)
    assert absent.reason is Reason.ABSENT
    odd = tgt_version.probe(FakeHost(commands=dict([ran("tgtadm", "--version", stdout="usage\n", status=1)])))
    assert isinstance(odd, Unavailable)
    assert odd.reason is Reason.MALFORMED


@given(st.text())
def test_any_text_is_a_version_or_none(text: str) -> None:
    assert isinstance(tgt_version.parse_version(text), str)
