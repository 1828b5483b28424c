"""The files of a process, as proc(5) describes them; the arguments and names as psutil, which others use, tells them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctune.host import jobs
from sctune.host.proc import ProcessStat, harmless, parse_cmdline, parse_stat, parse_uid, title_words, whole_name
from sctune.host.redact import redact_argv
from tests.unit.test_redact import ARGUMENTS

# The kernel's own line of a process that calls itself "a ) (b" (prctl(2), PR_SET_NAME), Linux 6.1; the end is left out.
ODD = "4321 (a ) (b) S 17 4321 17 0 -1 4194304 200 0 0 0 12 30 0 0 20 0 3 0 987654 8617984 900 18446744073709551615 1 1 0 0 0 0"


def test_a_name_may_hold_brackets_and_blanks() -> None:
    assert parse_stat(ODD) == ProcessStat(name="a ) (b", state="S", ppid=17, cpu=42, threads=3, started=987654)


@pytest.mark.parametrize("text", ["", "1 (x", "1 (x) S 1", "1 x) " + "1 " * 30, "1 (x) " + "y " * 30])
def test_what_is_no_stat(text: str) -> None:
    assert parse_stat(text) is None


def test_the_effective_user_counts() -> None:
    assert parse_uid("Name:\tsudo\nUid:\t1000\t0\t0\t0\nGid:\t1\t1\t1\t1\n") == 0
    assert parse_uid("Name:\tx\n") is None
    assert parse_uid("Uid:\n") is None


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("", ()),
        ("tgtd\0-f\0", ("tgtd", "-f")),
        ("dd\0\0of=x y\0", ("dd", "", "of=x y")),
        ("nginx: worker process", ("nginx:", "worker", "process")),
        ("sshd: root [priv]\0", ("sshd:", "root", "[priv]")),
    ],
)
def test_arguments(text: str, argv: tuple[str, ...]) -> None:
    assert parse_cmdline(text) == argv


def test_a_name_that_the_kernel_cut() -> None:
    assert whole_name("eucalyptus-clou", ("/usr/sbin/eucalyptus-cloud", "-h")) == "eucalyptus-cloud"
    assert whole_name("eucalyptus-clou", ("/usr/bin/python3",)) == "eucalyptus-clou"
    assert whole_name("tgtd", ("/usr/sbin/tgtd-wrapper",)) == "tgtd"
    assert whole_name("eucalyptus-clou", ()) == "eucalyptus-clou"


@given(st.text())
def test_any_text(text: str) -> None:
    parse_stat(text)
    parse_uid(text)
    assert isinstance(title_words(parse_cmdline(text)), tuple)


def test_an_empty_end_is_an_argument() -> None:
    assert parse_cmdline("a\0\0") == ("a", "")


@pytest.mark.parametrize("form", sorted(ARGUMENTS))
def test_arguments_with_a_secret_are_not_harmless(form: str) -> None:
    assert not harmless(tuple(ARGUMENTS[form]("zQ7hunter")))


@pytest.mark.parametrize("argv", [("tgtd", "-f"), ("/usr/sbin/sshd", "-D"), ("dd", "if=/dev/x", "of=/y"), ()])
def test_ordinary_arguments_are_harmless(argv: tuple[str, ...]) -> None:
    assert harmless(argv)


_PIECES = (
    *("pass", "word", "-p", "tgt", "adm", "iscsi", "iscsiadm", "secret", "key", "token", "private", "=", ":", " ", "//", "@", "/"),
    *("crypt ", "internal_hash:", "journal_mac:", "DHHC-1:", "root=iscsi:", "incominguser ", "-v", "--va", "a", "B", "\u017f", "'"),
    *("\n", "\t", "\\", '"', "secret,data=", "PRIVATE KEY", "-----BEGIN ", "-----", "ldap_integration_configuration", "{", ","),
)


@given(st.lists(st.lists(st.sampled_from(_PIECES), max_size=6).map("".join), max_size=6).map(tuple))
@settings(max_examples=500, deadline=None)
def test_nothing_is_taken_out_of_what_is_harmless(argv: tuple[str, ...]) -> None:
    if harmless(argv):
        assert redact_argv(argv) == argv


@pytest.mark.spawns
def test_the_table_tells_what_the_processes_are() -> None:
    secret = "zQ7neverTell"
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()", "--password", secret],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        asleep = time.monotonic() + 10  # it has written, and on a busy machine has yet to begin to read
        while " S " not in Path(f"/proc/{child.pid}/stat").read_text() and time.monotonic() < asleep:
            time.sleep(0.01)
        table = {item[0]: item for item in jobs.processes(()) if len(item) > 1}
        skipped = {item[0] for item in jobs.processes((child.pid,))}
    finally:
        child.communicate(b"")
    assert child.pid not in skipped
    _, ppid, name, state, argv, started, cpu, uid, threads = table[child.pid]
    assert (ppid, state, uid, threads) == (os.getpid(), "S", os.geteuid(), 1)
    assert name.startswith("python")
    assert argv[1:3] == ("-c", "import sys; print(1, flush=True); sys.stdin.read()")
    assert secret not in repr(argv)
    assert table[os.getpid()][5] <= started
    assert cpu < 60.0
    assert not any(item[1] == 2 for item in table.values())
