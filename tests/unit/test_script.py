"""The script for hosts that cannot run sctune: it asks what the probes ask, masks what is secret, and what it writes is read."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctune.errors import UserError
from sctune.host.bundle import read_bundle
from sctune.host.capture import CaptureHost
from sctune.host.guest_xml import reduce
from sctune.host.index import quote_words
from sctune.host.masking import MASK
from sctune.host.questions import covers, without_devices
from sctune.host.script_text import decode_text
from sctune.probes.cloud_log import DEBUG, ERROR, FAULT_LOGS, NODE_LOG, OUTPUT
from sctune.probes.cloud_log_lines import STORAGE
from sctune.probes.processes import probe as processes
from sctune.probes.tgt_load import probe as tgt_load
from sctune.script.generate import script
from sctune.script.kept import FILE, kept, text_of
from sctune.script.plan import LOSETUP, OF_A_DISK, plan
from sctune.unavailable import Reason, Unavailable
from tests.unit.test_guest_xml import DISK_44, STATUS, VOLUME_44
from tests.unit.test_redact import ARGUMENTS, FILES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.script.plan import Plan

SMART = sorted((Path(__file__).parents[1] / "data" / "smart").glob("*.json"))
SCENARIOS = sorted(
    path for path in (Path(__file__).parents[1] / "scenarios").glob("*/host.tar.gz") if not path.parent.name.startswith("sos-")
)
"""Captures; what sos recorded is keyed by what sos asked."""
# What the script finds out from what the host says: includes of targets.conf, the daemon's process, nodes that LUNs name.
FOUND_OUT = ("/var/lib/cinder/volumes", "/proc/", "/dev/")
HEAD = "sctune-script\t1\t0.1.0\nhost\tsc1\t2.6.32-754.el6.x86_64\t0\nclock\t1800000000\t100.5\t100\n"


NOT_OF_THE_SCRIPT = (
    # What captures made before tgt's paragraph was read from dpkg's own file hold.
    "dpkg-query ",
)


@pytest.fixture(scope="module")
def questions() -> Plan:
    return plan()


def test_the_plan_that_is_kept_is_what_the_probes_ask(questions: Plan) -> None:
    """Where this fails, a probe asks something new: `make script` keeps that."""
    assert kept() == questions
    assert FILE.read_text(encoding="utf-8") == text_of(questions)


def decoded(body: str) -> CaptureHost:
    return CaptureHost(decode_text((HEAD + body + "end\n").encode("utf-8", "surrogateescape"), "x.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.parent.name)
def test_whatever_a_probe_asked_on_a_recorded_host_the_script_asks_too(path: Path, questions: Plan) -> None:
    """Where this fails, a probe picks names that the sample host has none of: add one to FOLDERS and NAMES (script/sample.py)."""
    asked = read_bundle(str(path))
    kinds: dict[str, Iterable[str]] = {
        "read": asked.files,
        "list": asked.lists,
        "readlink": asked.links,
        "stat": asked.stats,
        "lstat_mtime": asked.mtimes,
    }
    known = {without_devices(words) for words in questions.commands}
    missed = [
        (kind, name)
        for kind, answers in kinds.items()
        for name in answers
        if not name.startswith(FOUND_OUT) or (name.startswith("/proc/") and not name.split("/")[2].isdecimal())
        if not any(covers(pattern.replace("@KERNEL@", "*"), name) for pattern in questions.paths[kind])
    ]
    missed = [item for item in missed if not item[1].startswith("/etc/tgt/conf.d/")]
    # Where fstab names a store that is not mounted, links on the way to it are read: a question of that host's own paths.
    missed = [item for item in missed if not (item[0] == "readlink" and item[1].startswith("/var"))]
    missed += [
        ("run", " ".join(words)[:80])
        for words in asked.commands
        if without_devices(words) not in {*known, LOSETUP} and words[:-1] not in OF_A_DISK
    ]
    missed = [item for item in missed if not item[1].startswith(NOT_OF_THE_SCRIPT)]
    assert not missed


def test_every_question_is_in_the_script(questions: Plan) -> None:
    text = script("0.1.0")
    for words in questions.commands:
        assert quote_words(without_devices(words)) in text
    for words in OF_A_DISK:
        assert f'"{quote_words(words)} /dev/$NAME" {quote_words(words)} "/dev/$NAME"' in text
    assert "@" not in {line[:1] for line in text.splitlines()}


def test_no_secret_of_sysfs_is_asked_for(questions: Plan) -> None:
    assert not [pattern for patterns in questions.paths.values() for pattern in patterns if "password" in pattern]


def test_a_command_is_found_whatever_devices_the_host_has() -> None:
    first = ("lvm", "fullreport", "--config", 'devices{a=1 global_filter=["a|^/dev/sd(a)[0-9]*$|","r|.*|"]} global{b=2}')
    second = ("lvm", "fullreport", "--driverloaded", "n", "--config", 'devices{use_devicesfile=0 filter=["r|.*|"] a=1} global{b=2}')
    assert without_devices(first) == without_devices(second)
    assert without_devices(("lvm", "fullreport")) != without_devices(first)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/sys/block/loop*/size", "/sys/block/loop0/size", True),
        ("/sys/block/loop*/size", "/sys/block/sda/size", False),
        ("/sys/block/*/size", "/sys/block/.x/size", False),
        ("/sys/block/*", "/sys/block/a/b", False),
        ("/sys/block/*", "/sys/block/sd*", True),
    ],
)
def test_patterns_are_those_of_the_shell(pattern: str, path: str, expected: bool) -> None:
    assert covers(pattern, path) is expected


def test_what_was_looked_for_and_not_told_is_not_there() -> None:
    host = decoded("=\t/sys/block/loop0/size\t8\nasked\tread\t/sys/block/loop*/size\n")
    assert host.read("/sys/block/loop0/size") == "8\n"
    gone, never = host.read("/sys/block/loop1/size"), host.read("/sys/block/sda/size")
    assert isinstance(gone, Unavailable)
    assert isinstance(never, Unavailable)
    assert (gone.reason, never.reason) == (Reason.ABSENT, Reason.NOT_COLLECTED)


def test_a_last_line_without_end_is_kept_so() -> None:
    host = decoded("read\t/etc/a\n|one\n|two\n.\t0\t-\nread\t/etc/b\n|one\n.\t0\nread\t/etc/c\n.\t0\n")
    assert (host.read("/etc/a"), host.read("/etc/b"), host.read("/etc/c")) == ("one\ntwo", "one\n", "")


def test_what_hung_is_a_timeout_with_the_process_that_is_left() -> None:
    host = decoded("run\tlvm version\n@\t1.00\n|half a li\n\n!\ttimeout\t8\t12,13\nrun\tb\n@\t1.00\n.\t3\n>oops\n@\t1.50\n")
    hung, done = host.run(("lvm", "version"), timeout=1.0), host.run(("b",), timeout=1.0)
    assert isinstance(hung, Unavailable)
    assert (hung.reason, hung.pids) == (Reason.TIMEOUT, (12, 13))
    assert not isinstance(done, Unavailable)
    assert (done.status, done.stderr, done.seconds) == (3, "oops\n", 0.5)


def test_a_stat_tells_what_the_file_is() -> None:
    (found,) = decoded("stat\t/dev/x\n|61b0 0 0 512 5 77 1666195172 0 fd 3 /dev/x\n.\t0\n").stat_files(("/dev/x",))
    assert not isinstance(found, Unavailable)
    assert (found.rdevice, found.inode, found.mode) == ((253, 3), 77, 0o660)


def test_two_readings_of_a_daemons_time_are_a_load() -> None:
    body = (
        "ps\t7\t1\tS\t0\t1\t100\t0\ttgtd\nprocesses\tok\n"
        "=\t/proc/uptime\t100.00 1.00\n=\t/proc/7/task/7/schedstat\t1000000000 1 1\n"
        "=\t/proc/./uptime\t104.00 1.00\n=\t/proc/7/schedstat\t4000000000 1 1\n"
        "no\tread\t/proc/7/task/7/stat\tabsent\n"
    )
    host = decoded(body)
    (load,) = tgt_load(host, processes=processes(host))  # type: ignore[misc]
    assert (load.pid, load.share, load.seconds) == (7, 0.75, 4.0)


@given(cut=st.integers(0, 200))
def test_every_cut_is_noticed(cut: int) -> None:
    whole = (HEAD + "=\t/a\tb\nrun\tx\n|y\n.\t0\nend\n").encode()
    if cut < len(whole):
        with pytest.raises(UserError):
            decode_text(whole[:cut], "x.txt")


_WORDS = (
    "read",
    "run",
    "stat",
    "files",
    "space",
    "tgt",
    "dm",
    "ps",
    "args",
    "no",
    "asked",
    "list",
    "=",
    "links",
    "stats",
    "kernel_log",
    "log",
)
_FIELDS = st.one_of(
    st.text(max_size=8), st.sampled_from(["0", "-1", "/a/../b", "absent", "target 0 -", "9" * 30, "status", "1 2", "%00", "*" * 9])
)


@given(
    rows=st.lists(st.tuples(st.sampled_from([*_WORDS, "|", ">", "@", ".", "!", ""]), st.lists(_FIELDS, max_size=9)), max_size=12)
)
@settings(max_examples=300)
def test_any_lines_are_read_or_refused(rows: list[tuple[str, list[str]]]) -> None:
    body = "".join("\t".join((word, *fields)) + "\n" for word, fields in rows)
    try:
        decode_text((HEAD + body + "end\n").encode("utf-8", "replace"), "x.txt")
    except UserError as error:
        assert "x.txt" in error.message


@given(data=st.binary(max_size=300))
def test_any_bytes_are_refused_with_one_error(data: bytes) -> None:
    with pytest.raises(UserError):
        decode_text(b"sctune-script\t1\t" + data, "x.txt")


@lru_cache
def program(name: str) -> str:
    """A program of awk in the script."""
    return script("0.1.0").split(f"\n{name}='", 1)[1].split("'\n", 1)[0]


def masked(text: str, awk: str, which: str = "MASKING") -> str:
    """A text as the script would record it."""
    source = program(which)
    ending = "\n=0\n" if which == "MASKING" else ""
    done = subprocess.run(
        [*awk.split(), source], input=text + ending, capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
    )
    return done.stdout


MARK = "\x014711."


def masked_together(texts: list[str], awk: str) -> list[str]:
    """Several texts as the script would record them in one go, apart again."""
    words = [*awk.split(), "-v", f"many={MARK}", program("MASKING")]
    stream = "".join(f"{MARK}read\t/x\n{text}\n=0\n" for text in texts)
    done = subprocess.run(words, input=stream, capture_output=True, text=True, check=True, env={"LC_ALL": "C"})
    return done.stdout.split("read\t/x\n")[1:]


# Traditional, gawk has no interval expressions, as 3.1.7 (EL 6) had none.
AWKS = [
    pytest.param(awk, marks=pytest.mark.skipif(not shutil.which(awk.split()[0]), reason=f"no {awk}"))
    for awk in ("mawk", "busybox awk", "gawk", "gawk --traditional")
]


@pytest.mark.spawns
@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("form", sorted(FILES))
def test_no_file_keeps_its_secret(form: str, awk: str) -> None:
    path, write = FILES[form]
    if path.rpartition("/")[2].startswith(("password", "dhchap", "shadow")):
        return  # never read at all
    for secret in ("zQ7secret", "zQ7 with blanks", 'zQ7"quoted', "zQ7#hash"):
        assert "zQ7" not in masked(write(secret), awk)


@pytest.mark.spawns
@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("form", sorted(ARGUMENTS))
def test_no_process_keeps_its_secret(form: str, awk: str) -> None:
    lines = masked("\001#42\n" + "\n".join(ARGUMENTS[form]("zQ7hunter")) + "\n\n", awk, "ARGUMENTS")
    assert lines.startswith("args\t42\t")
    assert "zQ7" not in lines
    assert "zQ7" not in masked(" ".join(ARGUMENTS[form]("zQ7hunter")) + "\n", awk) or form == "qemu"


@pytest.mark.spawns
@pytest.mark.parametrize("awk", AWKS)
def test_several_texts_at_once_are_each_what_it_is_alone(awk: str) -> None:
    """A secret that is cut off at the end of one (an open quote, a key, a line that goes on) hides nothing of the next."""
    texts = [write("zQ7secret") for _, write in FILES.values()]
    texts += ['password = "zQ7', "-----BEGIN PRIVATE KEY-----\nzQ7\n", "incominguser u zQ7 \\", "", "no line end", "a\n\n", "b\n"]
    assert masked_together(texts, awk) == [masked(text, awk) for text in texts]


@pytest.mark.spawns
@pytest.mark.parametrize("awk", AWKS)
def test_a_complaint_between_two_texts(awk: str) -> None:
    words = [*awk.split(), "-v", f"many={MARK}", program("MASKING")]
    stream = f"{MARK}tgt\tx\nbody\n\n=22\n{MARK}>tgtadm: no --password zQ7\n{MARK}>again\n{MARK}tgt\ty\n\n=0\n"
    done = subprocess.run(words, input=stream, capture_output=True, text=True, check=True, env={"LC_ALL": "C"})
    assert done.stdout == "tgt\tx\n|body\n.\t22\n>tgtadm: no --password ********\n>again\ntgt\ty\n.\t0\n"


@pytest.mark.spawns
@pytest.mark.parametrize("awk", AWKS)
def test_what_is_no_secret_stays(awk: str) -> None:
    text = "node.session.auth.authmethod = CHAP\n\nnode.session.auth.password = \n|pipe\ttab\n"
    assert masked(text, awk) == "".join(f"|{line}\n" for line in text.split("\n")[:-1]) + ".\t0\n"
    assert masked("no line end", awk) == "|no line end\n.\t0\t-\n"
    assert masked("", awk) == ".\t0\n"


@pytest.mark.spawns
@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("file", SMART, ids=lambda file: file.stem)
def test_what_a_disk_says_stays_whole(file: Path, awk: str) -> None:
    """All of it is one line."""
    line = json.dumps(json.loads(file.read_text()), separators=(",", ":"))
    assert masked(line + "\n", awk) == f"|{line}\n.\t0\n"


@pytest.mark.spawns
@pytest.mark.parametrize("awk", AWKS)
def test_only_the_value_is_masked(awk: str) -> None:
    """The names stay: that there is a secret, and where, is what the doctor judges."""
    text = "node.session.auth.password = zQ7\nnode.session.auth.password_in = zQ7\n#discovery.sendtargets.auth.password = zQ7\n"
    assert masked(text, awk) == (
        "|node.session.auth.password = ********\n|node.session.auth.password_in = ********\n"
        "|#discovery.sendtargets.auth.password = ********\n.\t0\n"
    )


def disks(text: str, awk: str) -> str:
    """What the script keeps of a text that describes guests."""
    words = [*awk.split(), program("DISKS")]
    return subprocess.run(words, input=text, capture_output=True, text=True, check=True, env={"LC_ALL": "C"}).stdout


GUEST_XML = {
    "status": STATUS,
    "definition": STATUS[STATUS.index("<domain type") : STATUS.index("</domstatus>")],
    "one line": STATUS.replace("\n", " "),
    "volume": VOLUME_44,
    "disk": DISK_44,
}
LOG = (
    "2015-06-01 10:11:12  INFO | the first line of many\n"
    "2015-06-01 10:11:13 ERROR | Could not create loopback device for /x/vol-391D44BE. Please check\n"
    "2015-06-01 10:11:14 DEBUG 000000042 TGTWrapper | executed: tgtadm --password zQ7secret\n"
    "Tue Jun 2 10:11:12 2015 ERROR [A:b] [c.d(E.java):1] Failed to attach volume vol-391D44BE iscsi,tgt,,,"
    + "QmFzZTY0"
    * 12
    + ",,h\n"
    "com.eucalyptus.X: Failed to create volume vol-391D44BE\n"
    "\tat java.lang.Thread.run(Thread.java:745)\n"
    "Caused by: x: Total Volume Size Limit Exceeded\n"
    "  ERR-2000 2015-06-03 10:11:12 not wanted here\n"
)


@pytest.mark.spawns
@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("form", sorted(GUEST_XML))
def test_of_guests_it_keeps_the_disks_and_nothing_else(form: str, awk: str) -> None:
    source = program("DISKS")
    done = subprocess.run(
        [*awk.split(), source], input=GUEST_XML[form], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
    )
    assert reduce(done.stdout) == reduce(GUEST_XML[form]) != MASK + "\n"
    for secret in ("zQ7", "passwd", "commandline", "192.0.2.9", "pts", "mirror", "uuid"):
        assert secret not in done.stdout


@pytest.mark.spawns
@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("cut", range(0, len(STATUS), 97))
def test_of_a_part_of_such_a_text_it_keeps_no_secret(cut: int, awk: str) -> None:
    for text in (STATUS[:cut], STATUS[cut:], "<!DOCTYPE x>" + STATUS):
        kept = disks(text, awk)
        assert "zQ7" not in kept
        assert "<!" not in kept


@pytest.mark.spawns
@pytest.mark.parametrize("awk", AWKS)
def test_a_log_is_what_is_wanted_of_it(awk: str) -> None:
    program = script("0.1.0").split("\nLOG_LINES='", 1)[1].split("'\n", 1)[0]
    words = [*awk.split(), "-v", f"wanted={STORAGE.pattern}", program]
    done = subprocess.run(words, input=LOG, capture_output=True, text=True, check=True, env={"LC_ALL": "C"})
    assert "zQ7" not in done.stdout
    assert "QmFzZTY0QmFz" not in done.stdout
    assert "not wanted" not in done.stdout
    text = HEAD + "log\t/var/log/x\t+0200\t1\n" + "".join(f"|{line}\n" for line in done.stdout.splitlines()) + ".\t0\nend\n"
    found = decode_text(text.encode(), "x.txt").logs["/var/log/x"]
    assert not isinstance(found, Unavailable)
    assert (found.begins, found.whole) == (1433146272.0, True)
    assert [(line.text.partition(" vol-")[0][:40], line.last, line.continued) for line in found.lines] == [
        ("Caused by: x: Total Volume Size Limit Ex", 1433232672.0, True),
        ("com.eucalyptus.X: Failed to create volum", 1433232672.0, True),
        ("Failed to attach volume", 1433232672.0, False),
        ("Could not create loopback device for /x/", 1433146273.0, False),
    ]


def test_a_log_with_a_wrong_zone_is_refused() -> None:
    for key in ("/x", "/x\t+0200", "/x\tCEST\t1", "/x\t+9900\t1"):
        with pytest.raises(UserError):
            decode_text((HEAD + f"log\t{key}\n|2015-06-01 10:11:12 x\n.\t0\nend\n").encode(), "x.txt")
    refused = decode_text((HEAD + "no\tlog\t/x\tdenied\tPermission denied\nend\n").encode(), "x.txt").logs["/x"]
    assert isinstance(refused, Unavailable)


def test_the_script_asks_for_the_logs() -> None:
    text = script("0.1.0")
    for path in (OUTPUT, DEBUG, ERROR, NODE_LOG, *FAULT_LOGS.values()):
        assert f"\nlog_ {path} " in text
