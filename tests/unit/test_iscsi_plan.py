"""What a plan says of iscsid.conf, records, sessions and multipath, and what it would do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.config.model import Config
from sctune.errors import UserError
from sctune.initiator import INTERVAL, REPLACEMENT, TIMEOUT
from sctune.inventory import Inventory
from sctune.probes.iscsid_conf import CONFIGURATION, parse, timeouts_of
from sctune.tuning.iscsi.items import Decision, IscsiItem, Place
from sctune.tuning.iscsi.plan import IscsiPlan, operations, plan
from sctune.tuning.iscsi.settings import Wanted, wanted, wanted_of
from sctune.tuning.iscsi.topology import PathCount
from sctune.tuning.iscsi.view import View, look, record_text
from sctune.tuning.load import catalogue, joined
from sctune.tuning.operations import FileState, RunTool, WriteFile, WriteValue
from sctune.tuning.schema import Section
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import IQN, VM, connection, disk, record, session, unavailable, under

SYSFS = "/sys/class/iscsi_session/session1/recovery_tmo"
RECORD = f"/etc/iscsi/nodes/{IQN}/10.0.0.5,3260,1/default"
DEBIAN = (VM / "healthy" / "iscsid.conf.txt").read_bytes()


def state(content: bytes = DEBIAN) -> FileState:
    return FileState(content=content, mode=0o640, uid=0, gid=7, label="system_u:object_r:etc_t:s0")


def want(**values: int) -> tuple[Wanted, ...]:
    names = {"replacement": REPLACEMENT, "interval": INTERVAL, "timeout": TIMEOUT}
    return tuple(wanted(names.get(name, name), value, why="a test", source="a test") for name, value in values.items())


ROOT = want(replacement=7200, interval=0, timeout=0)
MULTI = want(replacement=15, interval=5, timeout=10)


def text_of(replacement: int | None = 120, interval: int | None = 5, timeout: int | None = 5) -> str:
    values = {REPLACEMENT: replacement, INTERVAL: interval, TIMEOUT: timeout}
    return "".join(f"{name} = {value}\n" for name, value in values.items() if value is not None)


def view(**parts: Any) -> View:
    """A host with Debian's file, a record and a session of a single path, all at 120/5/5."""
    text = parts.pop("text", text_of())
    given: dict[str, Any] = {
        "configuration": state(),
        "records": (record_text(record(timeouts_of(parse(text))), text, (REPLACEMENT, INTERVAL, TIMEOUT)),),
        "sessions": (session(),),
        "block": (disk(),),
        "dm": (),
        "multipath": unavailable(Reason.ABSENT),
    }
    return View(**(given | parts))


def made(host: View, values: tuple[Wanted, ...] = ROOT, **options: Any) -> IscsiPlan:
    return plan(host, values, profile="test", **options)


def decisions(items: tuple[IscsiItem, ...], place: Place) -> dict[str, Decision]:
    return {item.key: item.decision for item in items if item.place is place}


def only(items: tuple[IscsiItem, ...], place: Place, key: str = REPLACEMENT) -> IscsiItem:
    (item,) = (item for item in items if item.place is place and item.key == key)
    return item


def test_all_places_change_in_order() -> None:
    what = made(view())
    assert decisions(what.items, Place.FILE) == dict.fromkeys((REPLACEMENT, INTERVAL, TIMEOUT), Decision.CHANGE)
    assert decisions(what.items, Place.RECORD) == dict.fromkeys((REPLACEMENT, INTERVAL, TIMEOUT), Decision.CHANGE)
    assert decisions(what.items, Place.SESSION) == {
        REPLACEMENT: Decision.CHANGE,
        INTERVAL: Decision.NEXT_LOGIN,
        TIMEOUT: Decision.NEXT_LOGIN,
    }
    file, *tools, live = operations(what)
    assert isinstance(file, WriteFile)
    assert file.after is not None
    assert file.before == state()
    assert (file.path, file.after.mode, file.after.uid, file.after.gid, file.after.label) == (
        CONFIGURATION, 0o640, 0, 7, "system_u:object_r:etc_t:s0",
    )  # fmt: skip
    node = ("iscsiadm", "-m", "node", "-T", IQN, "-p", "10.0.0.5:3260", "-I", "default", "-o", "update", "-n")
    assert tools == [
        RunTool(
            setting=f"{IQN},10.0.0.5:3260,default/{name}",
            argv=(*node, name, "-v", new),
            undo=((*node, name, "-v", old),),
            check={RECORD: f"{name} = {new}"},
        )
        for name, new, old in ((REPLACEMENT, "7200", "120"), (INTERVAL, "0", "5"), (TIMEOUT, "0", "5"))
    ]
    assert live == WriteValue(setting="session1/recovery_tmo", path=SYSFS, value="7200", before="120")
    assert what.pending


def test_nothing_is_done_where_all_is_so() -> None:
    values = want(replacement=120, interval=5, timeout=5)
    what = made(view(), values)
    assert {item.decision for item in what.items} == {Decision.ALREADY}
    assert operations(what) == ()
    assert what.difference() == ()
    assert all(row.agree for row in what.rows)


def test_a_plan_after_it_was_done_is_empty() -> None:
    first = made(view())
    assert first.file is not None
    after = view(
        configuration=first.file.after,
        text=text_of(7200, 0, 0),
        sessions=(session(connection(noop_interval=0, noop_timeout=0), recovery_timeout=7200),),
    )
    assert operations(made(after)) == ()
    assert all(row.agree for row in made(after).rows)


def test_live_only_and_persist_only() -> None:
    assert [type(one) for one in operations(made(view(), persist=False))] == [WriteValue]
    assert [type(one) for one in operations(made(view(), live=False))] == [WriteFile, RunTool, RunTool, RunTool]


@pytest.mark.parametrize("condition", ["FAILED", "FREE"])
def test_a_session_that_is_down_waits(condition: str) -> None:
    what = made(view(sessions=(session(state=condition),)))
    item = only(what.items, Place.SESSION)
    assert item.decision is Decision.NOT_NOW
    assert f"the session is {condition}" in item.why
    assert "EBUSY" in item.why
    assert not any(isinstance(one, WriteValue) for one in operations(what))


def test_for_ever_is_off_to_the_kernel() -> None:
    what = made(view(), want(replacement=-1))
    (live,) = (one for one in operations(what) if isinstance(one, WriteValue))
    assert (live.value, live.before) == ("off", "120")
    back = made(view(sessions=(session(recovery_timeout=-1),)), want(replacement=0))
    (live,) = (one for one in operations(back) if isinstance(one, WriteValue))
    assert (live.value, live.before) == ("0", "off")


def test_a_record_that_does_not_say_it_has_the_default() -> None:
    what = made(view(text=text_of(None)))
    item = only(what.items, Place.RECORD)
    assert (item.current, item.decision) == (120, Decision.CHANGE)
    assert "open-iscsi's default, 120 s, holds" in item.why
    assert isinstance(item.operation, RunTool)
    assert item.operation.undo[0][-1] == "120"
    same = made(view(text=text_of(None)), want(replacement=120))
    assert only(same.items, Place.RECORD).decision is Decision.ALREADY


def test_a_default_is_written_into_the_file_that_does_not_say_it() -> None:
    what = made(view(configuration=state(b"")), want(replacement=120))
    item = only(what.items, Place.FILE)
    assert (item.current, item.decision) == (120, Decision.CHANGE)
    assert what.difference()[3:] == (f"+{REPLACEMENT} = 120",)


def test_no_file() -> None:
    what = made(view(configuration=None))
    assert what.file is not None
    assert what.file.before is None
    assert what.file.after is not None
    assert (what.file.after.mode, what.file.after.content.splitlines()[0]) == (
        0o600,
        b"# Written by sctune apply-profile test. There was no iscsid.conf before.",
    )


def test_a_host_that_is_no_initiator() -> None:
    what = made(view(configuration=None, records=(), sessions=()), paths=PathCount.SEVERAL)
    assert {item.decision for item in what.items} == {Decision.ABSENT}
    assert (operations(what), what.refusals) == ((), ())


def test_what_cannot_be_read_is_unknown_and_left() -> None:
    denied = unavailable(Reason.DENIED, "/etc/iscsi/nodes")
    what = made(view(configuration=denied, records=denied, sessions=denied))
    assert {item.decision for item in what.items} == {Decision.UNKNOWN}
    assert operations(what) == ()
    one = record_text(record(), unavailable(Reason.DENIED, RECORD), (REPLACEMENT,))
    assert decisions(made(view(records=(one,))).items, Place.RECORD) == dict.fromkeys(
        (REPLACEMENT, INTERVAL, TIMEOUT), Decision.UNKNOWN
    )


def test_other_lines_of_the_same_name_are_told() -> None:
    what = made(view(configuration=state(DEBIAN + f"{REPLACEMENT}=30\n".encode())))
    assert [note for note in what.notes if REPLACEMENT in note and "skips" in note]


# Under multipath.


def multipath(text: str = "", **changes: Any) -> View:
    return view(**under(2, text), **changes)


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


def test_the_view_of_an_inventory() -> None:
    secret = "Zq7swordfish"
    text = text_of(60) + f"node.session.auth.password = {secret}\nnode.session.queue_depth = <empty>\n"
    host = FakeHost(files={RECORD: text})
    inventory = Inventory(host, Config())
    for name, part in {"sessions": (session(),), "block": (disk(),), "dm": (), "multipath": unavailable(Reason.ABSENT)}.items():
        inventory.parts[name] = part
    seen = look(
        inventory, state(DEBIAN + f"node.session.auth.password = {secret}\n".encode()), (REPLACEMENT, "node.session.queue_depth")
    )
    assert not isinstance(seen.records, Unavailable)
    assert seen.records[0].values == ((REPLACEMENT, "60"),)
    what = made(seen, want(replacement=7200))
    assert only(what.items, Place.RECORD).current == 60
    told = repr((what.items, what.rows, what.survivals, what.notes, what.difference()))
    assert secret not in told
    assert look(Inventory(FakeHost(), Config()), None, ()).records == ()


# The profiles.


@pytest.mark.parametrize(
    ("name", "paths", "values"),
    [
        ("iscsi-root", "one", (7200, 0, 0)),
        ("iscsi-multipath", "several", (15, 5, 10)),
        ("iscsi-default", None, (120, 5, 5)),
        ("eucalyptus-nc", "one", (7200, 0, 0)),
    ],
)
def test_profiles(name: str, paths: str | None, values: tuple[int, int, int]) -> None:
    found = catalogue()
    profile = joined(name, found)
    assert profile.paths == paths
    given = wanted_of(profile.of(Section.ISCSI))
    assert {one.name: one.value for one in given} == dict(zip((REPLACEMENT, INTERVAL, TIMEOUT), values, strict=True))
    assert all(one.why and one.source for one in given)
    if paths is not None:
        assert PathCount(paths)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("node.startup", 1),
        (REPLACEMENT, -2),
        (INTERVAL, -1),
        ("node.session.cmds_max", 100),
        ("node.session.queue_depth", 2000),
    ],
)
def test_values_that_cannot_be(name: str, value: int) -> None:
    with pytest.raises(UserError, match=name.rsplit(".", 1)[1]):
        wanted(name, value, why="a test", source="a test")


numbers = st.integers(0, 9000)


@given(
    st.sampled_from([None, 0, 5, 120, -1]),
    numbers,
    numbers,
    st.sampled_from(["LOGGED_IN", "FAILED", "FREE"]),
    st.binary(max_size=80),
)
def test_undoing_is_the_reverse(recorded: int | None, replacement: int, noop: int, condition: str, content: bytes) -> None:
    """What each operation says was before is what it finds."""
    pair = want(replacement=replacement, interval=noop, timeout=noop)
    host = view(configuration=state(content), text=text_of(recorded), sessions=(session(state=condition),))
    for one in operations(made(host, pair)):
        if isinstance(one, WriteFile):
            assert one.before == state(content)
        elif isinstance(one, WriteValue):
            assert one.before == "120"
            assert condition == "LOGGED_IN"
        else:
            name, value = one.argv[-3], one.argv[-1]
            old = {REPLACEMENT: 120 if recorded is None else recorded}.get(name, 5)
            assert one.undo == ((*one.argv[:-1], str(old)),)
            assert value != str(old)
