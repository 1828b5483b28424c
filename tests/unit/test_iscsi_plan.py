"""What a plan says of iscsid.conf, records, sessions and multipath, and what it would do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.config.model import Config
from sctune.errors import UserError
from sctune.initiator import INTERVAL, REPLACEMENT, TIMEOUT
from sctune.inventory import Inventory
from sctune.probes.iscsid_conf import CONFIGURATION
from sctune.tuning.iscsi.items import Decision, Place
from sctune.tuning.iscsi.plan import operations
from sctune.tuning.iscsi.settings import wanted, wanted_of
from sctune.tuning.iscsi.topology import PathCount
from sctune.tuning.iscsi.view import look, record_text
from sctune.tuning.load import catalogue, joined
from sctune.tuning.operations import RunTool, WriteFile, WriteValue
from sctune.tuning.schema import Section
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import IQN, connection, disk, record, session, unavailable
from tests.unit.iscsi_plans import DEBIAN, RECORD, SYSFS, decisions, made, only, state, text_of, view, want


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
