"""dm-multipath's status and the check of it.

Status and table lines were recorded in the test machine (Linux 6.1, multipath-tools 0.9.4, two portals of tgt, one unreachable);
the composed ones follow drivers/md/dm-mpath.c.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.checks import multipath
from sctune.findings import Cause, Subject, SubjectKind
from sctune.host.base import DmQuery
from sctune.model.dm import DmDevice, DmTarget, MultipathPath, MultipathStatus
from sctune.probes.dm import probe
from sctune.probes.dm_multipath import parse
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import SESSION, disk, run, session, unavailable

(CHECK,) = multipath.CHECKS
TABLE = "0 0 2 1 service-time 0 1 2 8:16 1 1 service-time 0 1 2 8:48 1 1"
GOOD = "2 0 0 0 2 1 A 0 1 2 8:16 A 0 0 1 E 0 1 2 8:48 A 0 0 1 "
ONE_LOST = "2 0 0 0 2 1 A 0 1 2 8:16 A 0 0 1 E 0 1 2 8:48 F 1 0 1 "
WWID = Subject(kind=SubjectKind.DISK, id="360000000000000000e00000000020001")


def path(minor: int, *, active: bool = True, failures: int = 0) -> MultipathPath:
    return MultipathPath(device=(8, minor), active=active, failures=failures)


def test_recorded_lines() -> None:
    assert parse(GOOD, TABLE) == MultipathStatus(paths=(path(16), path(48)), queues=False)
    assert parse(ONE_LOST, TABLE).paths == (path(16), path(48, active=False, failures=1))


def test_queueing_is_a_feature_of_the_table_and_selectors_say_what_they_like() -> None:
    found = parse("2 1 0 0 1 1 D 2 7 100 2 0 8:0 A 3 65:240 F 4", "2 queue_if_no_path retain_attached_hw_handler 1 alua 1 1")
    assert found.queues
    assert found.paths == (path(0, failures=3), MultipathPath(device=(65, 240), active=False, failures=4))
    assert parse("2 0 0 0 0 0", "0 0 0 0").paths == ()


@pytest.mark.parametrize(
    "text", ["", "2 0", "2 0 0 0 1 1 X 0 0 0", "2 0 0 0 1 1 A 0 1 0 8-16 A 0", "2 0 0 0 99999999 1", GOOD[:40]]
)
def test_what_is_no_status_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="multipath"):
        parse(text, TABLE)


@given(st.text(), st.lists(st.sampled_from(["0", "1", "2", "A", "F", "8:16", "E", "²", "9" * 30])).map(" ".join))
def test_any_text_is_a_status_or_refused(text: str, words: str) -> None:
    for status, table in ((text, TABLE), (words, words), (GOOD, text)):
        try:
            parse(status, table)
        except ValueError as error:
            assert "multipath" in str(error)


def test_the_probe_joins_both_reports() -> None:
    files: dict[str, Any] = {
        "/sys/block/dm-2/dm/name": "mpatha\n",
        "/sys/block/dm-2/dm/uuid": "mpath-" + WWID.id + "\n",
        "/sys/block/dm-2/dm/suspended": "0\n",
        "/sys/block/dm-2/size": "2097152\n",
        "/sys/block/dm-2/dev": "253:2\n",
    }
    answers = {
        DmQuery.TABLE: f"mpatha: 0 2097152 multipath {TABLE}\n",
        DmQuery.STATUS: f"mpatha: 0 2097152 multipath {ONE_LOST}\n",
    }
    devices = probe(FakeHost(files=files, dm_answers=dict(answers)))
    assert not isinstance(devices, Unavailable)
    assert not isinstance(devices[0].targets, Unavailable)
    (target,) = devices[0].targets
    assert isinstance(target.status, MultipathStatus)
    assert target.underlying == ((8, 16), (8, 48))
    answers[DmQuery.STATUS] = "mpatha: 0 2097152 multipath 2 0\n"
    devices = probe(FakeHost(files=files, dm_answers=dict(answers)))
    assert not isinstance(devices, Unavailable)
    assert isinstance(devices[0].targets, Unavailable)
    assert devices[0].targets.reason is Reason.MALFORMED


def mapped(*paths: MultipathPath, queues: bool = False, targets: object = None) -> DmDevice:
    status = MultipathStatus(paths=paths, queues=queues)
    return DmDevice(
        name="mpatha",
        kernel_name="dm-2",
        uuid="mpath-" + WWID.id,
        device=(253, 2),
        size=1 << 30,
        suspended=False,
        targets=targets or (DmTarget(start=0, length=1 << 30, kind="multipath", status=status),),  # type: ignore[arg-type]
    )


def test_a_path_that_failed() -> None:
    block = (replace(disk("sdb"), device=(8, 16)), replace(disk("sdd", state="transport-offline"), device=(8, 48), session=1))
    parts: dict[str, Any] = {"dm": (mapped(path(16), path(48, active=False)),), "block": block}
    (finding,) = run(CHECK, sessions=(session(state="FREE"),), **parts).findings
    assert finding.identity == ("MULTIPATH_PATH_FAILED", WWID)
    assert finding.summary == "mpatha: 1 of 2 paths failed; 1 path is left"
    assert dict(finding.evidence)["failed"] == ("sdd transport-offline",)
    assert dict(finding.evidence)["portals"] == ("10.0.0.5:3260",)
    assert finding.caused_by == Cause(code="ISCSI_SESSION_FAILED", subject=SESSION)
    (alone,) = run(CHECK, sessions=(session(),), **parts).findings
    assert alone.caused_by is None


@pytest.mark.parametrize(("queues", "words"), [(True, "I/O waits"), (False, "I/O fails")])
def test_no_path_left(queues: bool, words: str) -> None:
    (finding,) = run(CHECK, dm=(mapped(path(16, active=False), queues=queues),)).findings
    assert words in finding.summary
    assert dict(finding.evidence)["failed"] == ("8:16, which is gone",)


def test_sound_maps_none_and_those_that_cannot_be_seen() -> None:
    sound = run(CHECK, dm=(mapped(path(16), path(48)),))
    assert (sound.examined, sound.findings, sound.unexamined) == (2, (), ())
    assert run(CHECK, dm=()).not_applicable
    hidden = run(CHECK, dm=(mapped(targets=unavailable(Reason.DENIED, "dmsetup status")),))
    assert (hidden.examined, [item.reason for item in hidden.unexamined]) == (0, [Reason.DENIED])
    with pytest.raises(CannotLook):
        run(CHECK, dm=unavailable(Reason.TIMEOUT))
