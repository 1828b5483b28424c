"""What ssh is given, and what is made of what comes back."""

from __future__ import annotations

import gzip
import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.errors import UserError
from sctune.host.ssh import SshHost, SshLook, arguments, checked_address, look_at, program
from sctune.host.ssh_complaint import SSH_FAILED, told
from sctune.host.ssh_stream import GZIP, PLAIN, Broken, answers, noise
from sctune.script.generate import script
from sctune.unavailable import Reason, Unavailable

TEXT = b"sctune-script\t1\t0.1.0\nhost\tsc1\t2.6.32\t0\nclock\t1800000000\t100.5\t100\n=\t/proc/uptime\t1 1\nend\n"
SHORT = SshLook(script="true")


@pytest.mark.parametrize(
    "address",
    [
        "sc1",
        "root@sc1",
        "sc1.example.org",
        "admin+x@192.0.2.7",
        "2001:db8::1",
        "fe80::1%eth0",
        "ssh://root@[2001:db8::1]:2222",
        "ssh://sc1:22/",
    ],
)
def test_what_ssh_takes_for_a_host(address: str) -> None:
    assert checked_address(address) == address
    assert arguments(address, SHORT)[-3:] == ["--", address, "sh -s"]


@pytest.mark.parametrize(
    "address",
    [*["", "-oProxyCommand=id", "-", "--", "root@-oProxyCommand=id", "@sc1", "root@", "-l@sc1", "ssh://-x"],
     *["sc1 id", "sc1;id", "$(id)", "`id`", "a|b", "a'b", "sc1\n", "sc1\0", "a&b", "x" * 256, "é"]],
)  # fmt: skip
def test_what_is_no_host(address: str) -> None:
    with pytest.raises(UserError):
        arguments(address, SHORT)


@given(st.text(max_size=40))
def test_no_address_is_an_option_or_more_than_a_word(text: str) -> None:
    try:
        line = arguments(text, SHORT)
    except UserError:
        return
    assert line.count("--") == 1
    assert line[line.index("--") + 1 :] == [text, "sh -s"]
    assert not text.startswith("-")
    assert not set(text) & set(" \t\r\n\0'\"\\$`;&|<>(){}*?!#")
    assert "@-" not in text


def test_nothing_is_asked_of_anybody_and_sudo_neither() -> None:
    assert "BatchMode=yes" in arguments("sc1", SHORT)
    assert arguments("sc1", SshLook(script="", sudo=True))[-1] == "sudo -n sh -s"


@pytest.mark.spawns
@given(st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1), max_size=3))
def test_stores_come_through_as_they_are(stores: list[str]) -> None:
    look = SshLook(script='for WORD in "$@"; do printf "%s\\0" "$WORD"; done', stores=tuple(stores))
    done = subprocess.run(["sh", "-s"], input=program(look), capture_output=True, check=True)
    expected = ["-o", "-", "-t", "50", *(word for store in stores for word in ("-s", store))]
    assert done.stdout.decode().split("\0")[:-1] == expected


@pytest.mark.spawns
def test_half_a_program_does_nothing(tmp_path: Path) -> None:
    whole = program(SshLook(script=f"touch {tmp_path}/made\n" * 50))
    for size in range(10, len(whole) - 1, 97):
        subprocess.run(["sh", "-s"], input=whole[:size], capture_output=True, check=False)
    assert list(tmp_path.iterdir()) == []
    subprocess.run(["sh", "-s"], input=whole, capture_output=True, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@given(st.binary(max_size=200), st.binary(max_size=200), st.booleans())
def test_noise_around_the_answers(before: bytes, after: bytes, packed: bool) -> None:
    if b"sctune-stream" in before:
        return
    mark, body = (GZIP, gzip.compress(TEXT)) if packed else (PLAIN, TEXT)
    # Text that is not packed ends with its last line "end".
    behind = after if packed else after.replace(b"end", b"")
    assert answers(before + mark + body + behind) == TEXT
    assert noise(before + mark + body) == before


@given(st.integers(0, len(TEXT) - 1), st.booleans())
def test_cut_anywhere_it_is_no_answer(size: int, packed: bool) -> None:
    mark, body = (GZIP, gzip.compress(TEXT)) if packed else (PLAIN, TEXT)
    found = answers(mark + body[: min(size, len(body) - 9)])
    assert isinstance(found, Broken)
    assert found.begun


@given(st.binary(max_size=300))
def test_anything_may_come_back(stream: bytes) -> None:
    for data in (stream, GZIP + stream, PLAIN + stream, GZIP + gzip.compress(stream)):
        assert isinstance(answers(data), Broken)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sctune.host.ssh_stream.LARGEST", 1 << 20)
    found = answers(GZIP + gzip.compress(b"sctune-script\t" + bytes(8 << 20)))
    assert isinstance(found, Broken)
    assert "larger than 1 MiB" in found.why


SAID = {
    # As OpenSSH 9.2 and sudo 1.9 say them, and older ones.
    "ssh: Could not resolve hostname nosuch.invalid: Name or service not known\r\n": (
        Reason.ABSENT,
        "there is no address for the name nosuch.invalid",
    ),
    "ssh: connect to host 192.0.2.1 port 22: Connection timed out\r\n": (Reason.TIMEOUT, "no answer to the connection"),
    "Connection timed out during banner exchange\r\nConnection to 127.0.0.1 port 22 timed out\r\n": (
        Reason.TIMEOUT,
        "no answer to the connection",
    ),
    "ssh: connect to host 192.0.2.1 port 22: No route to host\r\n": (Reason.FAILED, "there is no route to it"),
    "channel 0: open failed: connect failed: Connection refused\r\nstdio forwarding failed\r\n": (
        Reason.FAILED,
        "nothing answers for ssh there (connection refused)",
    ),
    "Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. Their offer: ssh-rsa,ssh-dss\r\n": (
        Reason.FAILED,
        "its ssh and this one have nothing in common: no matching host key type found",
    ),
    "kex_exchange_identification: Connection closed by remote host\r\n": (Reason.FAILED, "the connection broke"),
    "client_loop: send disconnect: Broken pipe\r\n": (Reason.FAILED, "the connection broke"),
    "/root/.ssh/config: line 1: Bad configuration option: foo\r\n": (Reason.FAILED, "ssh rejects its settings here"),
    "Your session is timed out after a while. Permission denied (always).\nConnection refused is what others get.\n"
    "root@192.0.2.1: Permission denied (publickey,password).\r\n": (
        Reason.DENIED,
        "it does not accept the keys that are here (publickey,password)",
    ),
    "something new\n": (Reason.FAILED, "something new"),
}
FAR = {
    "sudo: a password is required\n": (Reason.DENIED, "sudo wants a password there"),
    "sudo: no tty present and no askpass program specified\n": (Reason.DENIED, "sudo wants a password there"),
    "sudo: sorry, you must have a tty to run sudo\n": (Reason.DENIED, "sudo wants a terminal there (requiretty)"),
    "eve is not in the sudoers file.  This incident will be reported.\n": (Reason.DENIED, "sudo lets this user not run sh"),
    "Sorry, user eve is not allowed to execute '/bin/sh -s' as root on sc1.\n": (Reason.DENIED, "sudo lets this user not run sh"),
    "bash: sudo: command not found\n": (Reason.ABSENT, "there is no sudo"),
    "sh: 1: sudo: not found\n": (Reason.ABSENT, "there is no sudo"),
    "sctune-capture: there is no awk here\n": (Reason.FAILED, "there is no awk here"),
}


@pytest.mark.parametrize("said", SAID)
def test_what_ssh_says(said: str) -> None:
    assert told(said, "", SSH_FAILED) == SAID[said]


@pytest.mark.parametrize("said", FAR)
def test_what_the_far_side_says(said: str) -> None:
    assert told("We trust you have received the usual lecture.\n" + said, "", 1) == FAR[said]


def test_a_banner_alone_is_no_complaint() -> None:
    assert told("Authorised use only.\n", "", 0) is None


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, commands: str) -> None:
    """An ssh that does this instead."""
    (folder / "ssh").write_text(f"#!/bin/sh\n{commands}\n")
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.spawns
def test_this_machine_through_an_ssh_that_only_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, 'echo "Welcome"; while [ "$1" != -- ]; do shift; done; exec $3')
    host = look_at("sc1", SshLook(script=script("0.1.0")))
    assert isinstance(host, SshHost), host
    assert host.identity().name == os.uname().nodename
    assert "zoneinfo" not in str(host.read("/proc/uptime"))


@pytest.mark.spawns
def test_a_damaged_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, r"cat >/dev/null; printf '\nsctune-stream\tplain\nsctune-script\t1\t0\nend\n'")
    found = look_at("sc1", SHORT)
    assert isinstance(found, Unavailable)
    assert (found.reason, found.what) == (Reason.MALFORMED, "sc1")
    assert found.detail.startswith("what came back is damaged: ")


@pytest.mark.spawns
def test_no_ssh_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = look_at("sc1", SHORT)
    assert isinstance(found, Unavailable)
    assert found.detail == "there is no ssh here: install OpenSSH's client"


@pytest.mark.spawns
def test_what_does_not_end_is_ended_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, f"sleep 77 & echo $! >{tmp_path}/pid; sleep 77")
    found = look_at("sc1", SshLook(script="true", seconds=1.0))
    assert isinstance(found, Unavailable)
    assert (found.reason, found.detail) == (Reason.TIMEOUT, "no answer in 1 s")
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 10
    while _runs(pid):
        assert time.monotonic() < end
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
