"""iscsid.conf is edited where a value counts, and nowhere else. What counts is judged by the parser of the probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.initiator import INTERVAL, REPLACEMENT, TIMEOUT
from sctune.probes.iscsid_conf import CONFIGURATION, parse, timeouts_of
from sctune.tuning.iscsi.conf_edit import current, diff, edit, read
from sctune.tuning.iscsi.settings import SETTINGS
from tests.unit.iscsi_hosts import VM

if TYPE_CHECKING:
    from pathlib import Path

ISCSI = VM.parent / "iscsi"
FILES = {
    "debian-2.1.8": VM / "healthy" / "iscsid.conf.txt",
    "2.0.873": ISCSI / "iscsid-2.0.873.conf",
    "eucalyptus": ISCSI / "iscsid-eucalyptus-4.4.conf",
}
ROOT = {REPLACEMENT: 7200, INTERVAL: 0, TIMEOUT: 0}
SECRET = b"Zq7swordfish"
CHAP = (
    b"node.session.auth.authmethod = CHAP\n"
    b"node.session.auth.username = someone\n"
    b"node.session.auth.password = " + SECRET + b"\n"
    b"#node.session.auth.password_in = " + SECRET + b"\n"
    b"node.session.auth.password_in=" + SECRET + b"\n"
)


def text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def counts(content: bytes) -> tuple[int | None, int | None, int | None]:
    """The three timeouts that open-iscsi reads."""
    found = timeouts_of(parse(text(content)))
    return found.replacement_timeout, found.noop_interval, found.noop_timeout


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_real_files_change_on_three_lines(file: Path) -> None:
    before = file.read_bytes()
    made = edit(before, ROOT)
    assert counts(made.content) == (7200, 0, 0)
    old, new = before.split(b"\n"), made.content.split(b"\n")
    changed = {b: a for a, b in zip(old, new, strict=True) if a != b}
    assert set(changed) == {f"{name} = {value}".encode() for name, value in ROOT.items()}
    assert made.notes == ()
    assert dict(made.lines) == {name: new.index(f"{name} = {value}".encode()) + 1 for name, value in ROOT.items()}
    assert edit(made.content, ROOT).content == made.content


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_real_files_with_dos_line_ends_keep_them(file: Path) -> None:
    before = file.read_bytes().replace(b"\n", b"\r\n")
    made = edit(before, ROOT | {"node.session.err_timeo.host_reset_timeout": 61})
    assert counts(made.content) == (7200, 0, 0)
    assert made.content.count(b"\n") == made.content.count(b"\r\n")
    assert b"node.session.err_timeo.host_reset_timeout = 61\r\n" in made.content


def test_the_last_of_several_lines_is_changed_and_the_others_are_named() -> None:
    before = f"{REPLACEMENT} = 1\n{REPLACEMENT}=2\n{REPLACEMENT} = 3\n{REPLACEMENT} =\n".encode()
    made = edit(before, {REPLACEMENT: 9})
    assert made.content == f"{REPLACEMENT} = 1\n{REPLACEMENT}=2\n{REPLACEMENT} = 9\n{REPLACEMENT} =\n".encode()
    assert counts(made.content)[0] == 9
    assert made.notes == (
        f"line 1 sets {REPLACEMENT} too; open-iscsi takes the last, line 3",
        f"line 2 sets {REPLACEMENT} in a form that open-iscsi skips",
        f"line 4 sets {REPLACEMENT} in a form that open-iscsi skips",
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{REPLACEMENT} = 120", f"{REPLACEMENT} = 9\n"),  # the last line lacks its end: it does not count yet
        (f"{REPLACEMENT}=120\n", f"{REPLACEMENT} = 9\n"),
        (f"  {REPLACEMENT}=120\r\n", f"  {REPLACEMENT} = 9\r\n"),
        (f"\t{REPLACEMENT}\t=\t120  # two minutes\r\n", f"\t{REPLACEMENT}\t=\t9  # two minutes\r\n"),
        (f"{REPLACEMENT} = off\n", f"{REPLACEMENT} = 9\n"),
        (f"{REPLACEMENT} = 120s\n", f"{REPLACEMENT} = 9\n"),
        (f"{REPLACEMENT} = -1\n", f"{REPLACEMENT} = 9\n"),
        (f"{REPLACEMENT} = 09 # as it is\n", f"{REPLACEMENT} = 09 # as it is\n"),
        (f"#{REPLACEMENT} = 120\n", f"{REPLACEMENT} = 9\n"),
        (f"  ## {REPLACEMENT}=120\r\nx = 1\r\n", f"  {REPLACEMENT} = 9\r\nx = 1\r\n"),
        (f"# {REPLACEMENT} = 120\n# {REPLACEMENT} = 15\n", f"# {REPLACEMENT} = 120\n{REPLACEMENT} = 9\n"),
        (f"# {REPLACEMENT} = 9\n# {REPLACEMENT} = 15\n", f"{REPLACEMENT} = 9\n# {REPLACEMENT} = 15\n"),
        (f"# {REPLACEMENT} = 120 is the default.\n", f"# {REPLACEMENT} = 120 is the default.\n{REPLACEMENT} = 9\n"),
        (f"# {REPLACEMENT} * 2 = 240\n", f"# {REPLACEMENT} * 2 = 240\n{REPLACEMENT} = 9\n"),
        (f"#x{REPLACEMENT} = 1\n", f"#x{REPLACEMENT} = 1\n{REPLACEMENT} = 9\n"),
        ("", f"{REPLACEMENT} = 9\n"),
        ("# no end", f"{REPLACEMENT} = 9\n# no end"),
        ("node.startup = automatic", f"{REPLACEMENT} = 9\nnode.startup = automatic"),
    ],
)
def test_where_a_value_goes(before: str, after: str) -> None:
    made = edit(before.encode(), {REPLACEMENT: 9}).content
    assert made.decode() == after
    assert counts(made)[0] == 9


def test_a_line_that_did_not_count_does_not_begin_to() -> None:
    """What is added comes before the line that lacks its end."""
    before = f"{INTERVAL} = 3\n{INTERVAL} = 4".encode()
    made = edit(before, {REPLACEMENT: 9})
    assert counts(made.content) == (9, 3, None)
    assert made.content.endswith(b" = 4")


def test_a_line_that_is_too_long_is_left() -> None:
    long = f"{REPLACEMENT} = 5".encode() + b" " * 2100 + b"x\n"
    made = edit(long, {REPLACEMENT: 9})
    assert made.content == long + f"{REPLACEMENT} = 9\n".encode()


def test_no_file() -> None:
    made = edit(None, {REPLACEMENT: -1}, header="Written by a test.")
    assert made.content == f"# Written by a test.\n{REPLACEMENT} = -1\n".encode()
    assert edit(None, {}).content == b""
    assert diff(None, made.content, CONFIGURATION) == (
        "--- /dev/null",
        f"+++ {CONFIGURATION}",
        "@@ -0,0 +1,2 @@",
        "+# Written by a test.",
        f"+{REPLACEMENT} = -1",
    )


def test_all_negative_timeouts_are_one() -> None:
    before = f"{REPLACEMENT} = -7\n".encode()
    assert edit(before, {REPLACEMENT: -1}).content == before


def test_secrets_survive_and_are_not_shown() -> None:
    before = CHAP + f"{REPLACEMENT} = 120".encode()
    after = edit(before, ROOT).content
    assert [line for line in after.split(b"\n") if b"auth" in line] == CHAP.strip().split(b"\n")
    for old, new in ((before, after), (None, after), (before, b""), (after, before)):
        shown = "\n".join(diff(old, new, CONFIGURATION))
        assert SECRET.decode() not in shown
        assert REPLACEMENT in shown


def test_the_difference_shows_a_missing_line_end() -> None:
    before = f"{REPLACEMENT} = 9".encode()
    shown = diff(before, edit(before, {REPLACEMENT: 9}).content, CONFIGURATION)
    assert shown[3:] == ("-\\ No newline at end of file",)


def test_the_difference_shows_no_line_that_stays() -> None:
    before = FILES["2.0.873"].read_bytes()
    shown = diff(before, edit(before, {REPLACEMENT: 7200}).content, CONFIGURATION)
    assert shown[2:] == ("@@ -15 +15 @@", f"-{REPLACEMENT} = 120", f"+{REPLACEMENT} = 7200")


names = st.sampled_from([REPLACEMENT, INTERVAL, TIMEOUT, "node.conn[0].timeo.login_timeout", "node.startup", "x.y"])
values = st.sampled_from(["120", "0", "-1", "off", "5 # five", "12x", "", "automatic", "9" * 30])
blanks = st.sampled_from(["", " ", "\t", "  "])
ends = st.sampled_from(["\n", "\r\n", " \n", "\r\r\n"])
settings_lines = st.builds(
    lambda mark, indent, name, before, after, value, end: f"{indent}{mark}{name}{before}={after}{value}{end}",
    st.sampled_from(["", "", "", "#", "# ", "## "]), blanks, names, blanks, blanks, values, ends,
)  # fmt: skip
other_lines = st.sampled_from(
    ["\n", "# prose\n", "#\n", "nonsense\n", "=\n", " = 3\n", "node.startup automatic\n", "\v\f\n", "é\n"]
)
files = st.builds(
    lambda lines, cut: "".join(lines)[: None if not cut else -1].encode(),
    st.lists(settings_lines | other_lines, max_size=12),
    st.booleans(),
)
wishes = st.dictionaries(st.sampled_from([REPLACEMENT, INTERVAL, TIMEOUT]), st.integers(-1, 10**6), min_size=1).map(
    lambda wish: {name: max(value, SETTINGS[name].least) for name, value in wish.items()}
)


@given(files, wishes)
def test_any_file_gets_what_is_wanted_and_keeps_the_rest(content: bytes, wish: dict[str, int]) -> None:
    made = edit(content, wish).content
    before, after = parse(text(content)), parse(text(made))
    found = timeouts_of(after)
    got = {REPLACEMENT: found.replacement_timeout, INTERVAL: found.noop_interval, TIMEOUT: found.noop_timeout}
    for name, value in wish.items():
        assert got[name] == value or (name == REPLACEMENT and value < 0 and (got[name] or 0) < 0)
    others = {name: value for name, value in before.values.items() if name not in wish}
    assert {name: value for name, value in after.values.items() if name not in wish} == others
    # Every line of something else is there as it was, and in its order; a setting changes or adds one line.
    old, new = (
        [line for line in whole.split(b"\n") if not any(name.encode() in line for name in wish)] for whole in (content, made)
    )
    assert [line for line in old if line] == [line for line in new if line]
    assert made.count(b"\n") - content.count(b"\n") <= len(wish)
    lost = [line for line in content.split(b"\n") if line not in made.split(b"\n")]
    assert len(lost) <= len(wish)
    assert edit(made, wish).content == made


@given(files)
def test_lines_are_read_as_the_probe_reads_them(content: bytes) -> None:
    lines, expected = read(content), parse(text(content))
    assert b"".join(line.raw for line in lines) == content
    for name in SETTINGS:
        assert current(lines, name) == expected.values.get(name) or name not in expected.values


@given(st.binary(max_size=300), wishes)
def test_any_bytes(content: bytes, wish: dict[str, int]) -> None:
    made = edit(content, wish).content
    assert edit(made, wish).content == made
    assert set(wish) <= {line.name for line in read(made)}
