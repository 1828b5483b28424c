from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import FileKind
from sctune.probes.iscsid_conf import c_integer, parse, probe_configuration, probe_records, timeouts_of
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import VM, file_stat, unavailable

CONF = "/etc/iscsi/iscsid.conf"
NODES = "/etc/iscsi/nodes"
IQN = "iqn.2009-06.com.eucalyptus.lab:store1"
FOLDER = FileKind.DIRECTORY


def recorded(name: str) -> str:
    return (VM / "healthy" / name).read_text()


def test_the_file_debian_installs() -> None:
    answer = probe_configuration(FakeHost(files={CONF: recorded("iscsid.conf.txt")}))
    assert not isinstance(answer, Unavailable)
    found = answer.timeouts
    assert (found.replacement_timeout, found.noop_interval, found.noop_timeout, found.login_timeout) == (120, 5, 5, 15)
    assert found.startup == "manual"
    assert not found.chap
    assert not answer.secret
    assert answer.ignored == ()


# Of the lines that are not comments in etc/iscsid.conf of the open-iscsi repository, tag 2.0.873 (EL6 and EL7: 6.2.0.873).
OF_2_0_873 = """iscsid.startup = /sbin/iscsid
node.startup = manual
node.leading_login = No
node.session.timeo.replacement_timeout = 120
node.conn[0].timeo.login_timeout = 15
node.conn[0].timeo.logout_timeout = 15
node.conn[0].timeo.noop_out_interval = 5
node.conn[0].timeo.noop_out_timeout = 5
node.session.xmit_thread_priority = -20
node.session.iscsi.FastAbort = Yes
"""


def test_the_file_of_open_iscsi_2_0_873() -> None:
    settings = parse(OF_2_0_873)
    found = timeouts_of(settings)
    assert (found.replacement_timeout, found.noop_interval, found.noop_timeout, found.login_timeout) == (120, 5, 5, 15)
    assert found.startup == "manual"
    assert (settings.ignored, settings.secret, found.chap) == ([], False, False)


def test_what_is_commented_out_is_not_set() -> None:
    text = "#node.session.timeo.replacement_timeout = 15\n # node.startup = automatic\n"
    found = timeouts_of(parse(text))
    assert found.replacement_timeout is None
    assert found.startup is None


def test_a_recorded_node_record() -> None:
    text = recorded("node-record.txt").split("# END RECORD")[0] + "# END RECORD\n"
    path = f"{NODES}/{IQN}/127.0.0.1,3260,1/default"
    (record,) = probe_records(FakeHost(files={path: text}))  # type: ignore[misc]
    assert (record.path, record.target, record.portal, record.interface) == (path, IQN, "127.0.0.1:3260", "default")
    assert record.timeouts.chap
    assert record.timeouts.replacement_timeout == 120
    assert record.secret
    assert record.exposed is None


ISCSI = VM.parent / "iscsi"
EL = "/var/lib/iscsi/nodes"


def test_records_of_open_iscsi_2_0_873_in_both_layouts() -> None:
    first, second = (ISCSI / name for name in ("record-2.0.873.txt", "record-without-group-2.0.873.txt"))
    files = {f"{EL}/{IQN}/192.0.2.5,3260,1/default": first.read_text(), f"{EL}/{IQN}/192.0.2.6,3260": second.read_text()}
    records = probe_records(FakeHost(files=dict(files)))
    assert not isinstance(records, Unavailable)
    assert [(one.target, one.portal, one.interface, one.transport) for one in records] == [
        (IQN, "192.0.2.5:3260", "default", "tcp"),
        (IQN, "192.0.2.6:3260", "default", "tcp"),
    ]
    assert [(one.secret, one.timeouts.chap) for one in records] == [(True, True), (False, False)]
    assert [one.timeouts.replacement_timeout for one in records] == [30, 120]
    assert {(one.timeouts.noop_interval, one.timeouts.noop_timeout, one.timeouts.login_timeout) for one in records} == {(5, 5, 30)}
    assert {one.timeouts.startup for one in records} == {"manual"}


def test_what_iscsiadm_2_0_873_shows_is_read_as_its_file_is() -> None:
    """It prints `<empty>` where the file has no line."""
    shown, kept = (parse((ISCSI / name).read_text()) for name in ("show-2.0.873.txt", "record-2.0.873.txt"))
    assert (timeouts_of(shown), shown.secret, shown.ignored) == (timeouts_of(kept), True, [])
    unset = parse("node.session.auth.password = <empty>\nnode.session.auth.password_in = <empty>\nnode.startup = <empty>\n")
    assert (unset.secret, timeouts_of(unset).startup) == (False, None)


def test_published_records_of_el6_and_el7() -> None:
    six, seven = ("published-6.2.0-873.10.el6.txt", "published-6.2.0.873-21.el7.txt")
    portals = {six: "192.168.0.200,3260,1", seven: "172.25.0.11,3260,1"}
    targets = {six: "iqn.2014-07.com.tecmint:tgt1", seven: "iqn.2016-05.com.example.com.remotedisk1"}
    files = {f"{EL}/{targets[name]}/{portals[name]}/default": (ISCSI / name).read_text() for name in (six, seven)}
    records = probe_records(FakeHost(files=dict(files)))
    assert not isinstance(records, Unavailable)
    assert [(one.target, one.portal, one.interface, one.transport) for one in records] == [
        (targets[six], "192.168.0.200:3260", "default", "tcp"),
        (targets[seven], "172.25.0.11:3260", "default", "tcp"),
    ]
    # What they do not show is not set.
    assert {(one.timeouts.startup, one.timeouts.replacement_timeout, one.secret) for one in records} == {("automatic", None, False)}


def test_a_folder_where_a_record_should_be_is_not_taken_for_none() -> None:
    path = f"{EL}/{IQN}/192.0.2.6,3260"
    answer = probe_records(FakeHost(files={path: unavailable(Reason.FAILED, path)}))
    assert isinstance(answer, Unavailable)
    assert (answer.reason, answer.what) == (Reason.FAILED, path)


# What iscsiadm 2.1.8 printed for a record with these lines: 120 and 30 (both lines skipped with a warning), 7, 0, and 13.
TRAPS = """node.session.timeo.replacement_timeout=33
node.conn[0].timeo.noop_out_interval =7 # x
  node.conn[0].timeo.noop_out_timeout = off
node.session.timeo.replacement_timeout = 12
node.session.timeo.replacement_timeout = 13
node.conn[0].timeo.login_timeout = 99"""


def test_lines_are_read_as_open_iscsi_reads_them() -> None:
    settings = parse(TRAPS)
    found = timeouts_of(settings)
    assert found.replacement_timeout == 13
    assert (found.noop_interval, found.noop_timeout) == (7, 0)
    assert found.login_timeout is None
    assert settings.ignored == ["node.session.timeo.replacement_timeout", "node.conn[0].timeo.login_timeout"]


def test_a_line_that_is_too_long_is_skipped() -> None:
    assert timeouts_of(parse("node.startup = automatic" + " " * 2100 + "x\n")).startup is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("120", 120), ("-1", -1), ("0", 0), ("off", 0), ("15 # s", 15), ("+7", 7), ("4294967295", -1), ("9" * 30, -1)],
)
def test_numbers_are_those_of_strtoul(text: str, number: int) -> None:
    assert c_integer(text) == number


@given(st.from_regex(r"[ \t]{0,3}[+-]?[0-9]{0,30}[a-z]{0,3}", fullmatch=True))
def test_numbers_are_those_of_the_c_library(text: str) -> None:
    library = ctypes.CDLL(None)
    library.strtoul.restype = ctypes.c_ulong
    library.strtoul.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
    assert c_integer(text) == ctypes.c_int(library.strtoul(text.encode(), None, 10)).value


def test_both_layouts_and_both_places() -> None:
    text = "node.name = iqn.a\nnode.conn[0].address = fd00::1\nnode.conn[0].port = 3261\niface.iscsi_ifacename = iface0\n"
    host = FakeHost(
        files={
            f"{NODES}/iqn.a/fd00::1,3261,1/iface0": text,
            f"{NODES}/iqn.b/10.0.0.1,3260": "node.startup = automatic\n",
            f"{NODES}/iqn.b/notes": "no record",
            "/var/lib/iscsi/nodes/iqn.c/10.0.0.2,3260,1/default": "",
        }
    )
    records = probe_records(host)
    assert not isinstance(records, Unavailable)
    assert [(r.target, r.portal, r.interface) for r in records] == [
        ("iqn.a", "[fd00::1]:3261", "iface0"),
        ("iqn.b", "10.0.0.1:3260", "default"),
        ("iqn.c", "10.0.0.2:3260", "default"),
    ]
    assert records[1].timeouts.startup == "automatic"


def test_one_place_reached_by_two_names_is_read_once() -> None:
    files: dict[str, str | Unavailable] = {
        f"{NODES}/iqn.a/10.0.0.1,3260,1/default": "",
        "/var/lib/iscsi/nodes/iqn.a/10.0.0.1,3260,1/default": "",
    }
    stats = {path: file_stat(0o700, inode=7, kind=FOLDER) for path in (NODES, "/var/lib/iscsi/nodes")}
    records = probe_records(FakeHost(files=files, stats=dict(stats)))
    assert not isinstance(records, Unavailable)
    assert len(records) == 1


def test_no_database_is_absent_and_a_refused_one_is_denied() -> None:
    answer = probe_records(FakeHost())
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.ABSENT

    class Refused(FakeHost):
        def list(self, path: str) -> tuple[str, ...] | Unavailable:
            return unavailable(Reason.DENIED, path) if path == NODES else super().list(path)

    answer = probe_records(Refused(files={"/var/lib/iscsi/nodes/iqn.c/10.0.0.2,3260,1/default": ""}))
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.DENIED


def test_a_record_that_cannot_be_read_is_not_dropped_and_one_that_is_gone_is() -> None:
    path = f"{NODES}/iqn.a/10.0.0.1,3260,1/default"
    answer = probe_records(FakeHost(files={path: unavailable(Reason.DENIED, path)}))
    assert isinstance(answer, Unavailable)
    assert (answer.reason, answer.what) == (Reason.DENIED, path)
    assert probe_records(FakeHost(files={path: unavailable(Reason.ABSENT, path)})) == ()


def test_who_may_read_a_secret() -> None:
    path = f"{NODES}/iqn.a/10.0.0.1,3260,1/default"
    files: dict[str, str | Unavailable] = {path: "node.session.auth.password = swordfish\n"}

    def exposed(mode: int, folder: int) -> bool | None:
        stats = {path: file_stat(mode), "/etc/iscsi": file_stat(0o755, kind=FOLDER), NODES: file_stat(folder, kind=FOLDER)}
        (record,) = probe_records(FakeHost(files=files, stats=dict(stats)))  # type: ignore[misc]
        return record.exposed

    assert exposed(0o644, 0o755) is True
    assert exposed(0o644, 0o700) is False
    assert exposed(0o640, 0o755) is False


def test_a_secret_on_a_skipped_line_is_still_a_secret() -> None:
    assert parse("node.session.auth.password=swordfish\n").secret
    assert parse("discovery.sendtargets.auth.password_in = swordfish\n").secret
    assert not parse("#node.session.auth.password = swordfish\n").secret


@given(
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=8).map(lambda text: "Zq7" + text),
    st.sampled_from(["password = ", "password_in = ", "password=", "password =", "username = "]),
)
def test_no_secret_is_kept(secret: str, key: str) -> None:
    text = f"node.session.auth.{key}{secret}\nnode.session.auth.authmethod = CHAP\n"
    path = f"{NODES}/iqn.a/10.0.0.1,3260,1/default"
    host = FakeHost(files={CONF: text, path: text}, stats={CONF: file_stat(0o644)})
    kept = repr((probe_configuration(host), probe_records(host)))
    assert secret not in kept


@given(st.text())
def test_any_text_gives_settings(text: str) -> None:
    host = FakeHost(files={CONF: text, f"{NODES}/iqn.a/10.0.0.1,3260,1/default": text, f"{NODES}/iqn.b/,": text})
    assert not isinstance(probe_configuration(host), Unavailable)
    assert not isinstance(probe_records(host), Unavailable)
