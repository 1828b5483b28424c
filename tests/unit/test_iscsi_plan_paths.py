"""The iSCSI plan and paths: multipathd, values that contradict the paths, how long an outage is survived."""

from __future__ import annotations

from typing import Any

import pytest

from sctune.initiator import REPLACEMENT
from sctune.probes.iscsid_conf import CONFIGURATION
from sctune.tuning.iscsi.items import Decision, Place
from sctune.tuning.iscsi.plan import IscsiPlan, operations
from sctune.tuning.iscsi.topology import PathCount
from sctune.tuning.operations import WriteValue
from sctune.unavailable import Reason, Unavailable
from tests.unit.iscsi_hosts import IQN, session, unavailable, under
from tests.unit.iscsi_plans import DEBIAN, MULTI, ROOT, made, multipath, only, state, text_of, view, want


def test_multipathd_is_not_fought() -> None:
    what = made(multipath(sessions=(session(recovery_timeout=5),)), MULTI, paths=PathCount.SEVERAL)
    item = only(what.items, Place.SESSION)
    assert item.decision is Decision.MULTIPATH
    assert item.why == (
        "a path of mpatha: multipathd gives it 5 s (multipath-tools' default) and would do so again; "
        "set fast_io_fail_tmo 15 in multipath.conf, then multipathd reconfigure"
    )
    assert not any(isinstance(one, WriteValue) for one in operations(what))
    assert what.refusals == ()
    row = next(row for row in what.rows if row.key == REPLACEMENT)
    assert (row.file, row.record, row.session, row.multipath, row.wanted) == (120, 120, 5, 5, 15)
    assert not row.agree


def test_multipathd_with_the_wanted_value() -> None:
    conf = "overrides {\n fast_io_fail_tmo 15\n}\n"
    item = only(made(multipath(conf, sessions=(session(recovery_timeout=15),)), MULTI).items, Place.SESSION)
    assert item.decision is Decision.ALREADY
    item = only(made(multipath(conf), MULTI).items, Place.SESSION)
    assert (item.decision, "multipathd reconfigure" in item.why) == (Decision.MULTIPATH, True)


def test_multipathd_that_leaves_sessions_alone() -> None:
    item = only(made(multipath("overrides {\n fast_io_fail_tmo off\n}\n"), MULTI).items, Place.SESSION)
    assert item.decision is Decision.CHANGE


def test_values_that_multipath_cannot_have() -> None:
    item = only(made(multipath(), want(replacement=-1)).items, Place.SESSION)
    assert "no_path_retry" in item.why


def test_unknown_multipath_is_unknown() -> None:
    host = view(**(under(2) | {"multipath": unavailable(Reason.DENIED, "/etc/multipath.conf")}))
    item = only(made(host, MULTI).items, Place.SESSION)
    assert item.decision is Decision.UNKNOWN
    assert "denied" in item.why


def test_values_for_one_path_are_refused_under_multipath() -> None:
    what = made(multipath(), ROOT, paths=PathCount.ONE)
    assert [str(one) for one in what.refusals] == [
        f"test is for disks with a single path, and multipath lies above sda ({IQN} at 10.0.0.5:3260) under mpatha: a dead path "
        "would be given up 7200 s after it is lost, and I/O would wait so long though another path works. "
        "iscsi-multipath has values for such a host; --set paths=any applies it nevertheless"
    ]
    assert operations(what) == ()
    assert operations(made(multipath(), ROOT, paths=PathCount.ANY))


def test_values_for_multipath_are_refused_for_one_path() -> None:
    what = made(view(), MULTI, paths=PathCount.SEVERAL)
    assert [str(one) for one in what.refusals] == [
        f"test is for disks under multipath, and nothing lies above sda ({IQN} at 10.0.0.5:3260): I/O to what has no other path "
        "would fail 30 s after the path is lost. iscsi-root and iscsi-default have values for such a host; "
        "--set paths=any applies it nevertheless"
    ]
    assert not what.pending
    assert made(view(sessions=(session(disks=()),)), MULTI, paths=PathCount.SEVERAL).refusals == ()


@pytest.mark.parametrize("paths", [PathCount.ONE, PathCount.SEVERAL])
def test_paths_that_cannot_be_told_are_no_consent(paths: PathCount) -> None:
    denied = unavailable(Reason.DENIED, "device-mapper")
    for host in (view(block=denied), view(sessions=denied)):
        (refusal,) = made(host, ROOT, paths=paths).refusals
        assert "be told" in str(refusal)
        assert "denied" in str(refusal)


def test_half_off_is_refused() -> None:
    (refusal,) = made(view(), want(interval=0)).refusals
    assert str(refusal) == (
        f"test would leave noop_out_interval 0 and noop_out_timeout 5 in {CONFIGURATION}: open-iscsi takes a single 0 for "
        "a mistake and sends NOP-Outs with 5 s. Set both to 0, or neither"
    )
    assert made(view(), want(interval=0, timeout=9)).refusals
    assert made(view(text=text_of(120, 0, 0), configuration=state(DEBIAN)), want(timeout=7)).refusals
    assert not made(view(), want(interval=3)).refusals


# How long an outage is survived.


def survived(what: IscsiPlan) -> list[tuple[Any, Any, Any]]:
    return [(one.before, one.now, one.after_login) for one in what.survivals]


def test_the_outage_survived_by_one_path() -> None:
    what = made(view())
    assert survived(what) == [(130.0, 7210.0, 7200.0)]
    assert what.survivals[0].words == (
        f"{session().identity} (sda) survives an outage of 130 s; when this is applied 7210 s; after its next login at least 7200 s"
    )
    assert survived(made(view(), live=False)) == [(130.0, 130.0, 7200.0)]
    assert survived(made(view(), persist=False)) == [(130.0, 7210.0, 130.0)]
    assert survived(made(view(), want(replacement=-1))) == [(130.0, float("inf"), float("inf"))]
    assert "any length" in made(view(), want(replacement=-1)).survivals[0].words


def test_the_outage_survived_without_a_record() -> None:
    """Whoever made the session makes it again."""
    assert survived(made(view(records=()))) == [(130.0, 7210.0, 7210.0)]


def test_the_outage_survived_under_multipath() -> None:
    conf = "defaults {\n no_path_retry 10\n polling_interval 5\n}\n"
    what = made(multipath(conf, sessions=(session(recovery_timeout=5),)), MULTI)
    # 5 + 5 + 5 and ten checks of 5 s; after the next login NOP-Outs of 5 + 10, and fast_io_fail_tmo still 5.
    assert survived(what) == [(65.0, 65.0, 70.0)]
    assert what.survivals[0].what == "mpatha"


def test_an_unknown_time_is_no_time() -> None:
    host = view(**(under(2) | {"multipath": unavailable(Reason.DENIED, "/etc/multipath.conf")}))
    (one,) = made(host, MULTI).survivals
    assert isinstance(one.before, Unavailable)
    assert "an unknown time" in one.words


# Reading it.
