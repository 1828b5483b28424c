"""The script asks nothing of tools that EL 6 (2010) has not: coreutils 8.4, util-linux 2.17, findutils 4.4, gawk 3.1.7, GNU grep
2.6, sed 4.2, procps 3.2.8, bash 4.1; nothing of a shell that dash has not; nothing of awk that mawk and busybox have not.

What a version has is told by its release notes: NEWS of coreutils and gawk, Documentation/releases of util-linux, proc(5).
"""

from __future__ import annotations

import re
from functools import cache

import pytest

from sctune.script.generate import script

OPTIONS = {
    "awk": ("-v",),
    "cat": (),
    "date": (),
    "dmesg": (),
    "getconf": (),
    "grep": (),
    "head": ("-c",),  # POSIX has -n alone; busybox and every coreutils have it
    "id": ("-u",),
    "kill": ("-KILL", "-STOP"),
    "losetup": ("-a",),
    "ls": ("-ld",),
    "mv": (),
    "rm": ("-f",),
    "sed": ("-n", "-e"),
    "sleep": (),
    "stat": ("-L", "-c", "-f"),
    "tr": ("-d",),
    "uname": ("-n", "-r"),
}
"""The tools that the script takes for granted or tries, and their options that it uses."""

TOO_NEW = {
    r"\btimeout\b.* (-k|--kill-after)": ("timeout -k 1 8 lvs", "coreutils 8.5"),
    r"\btimeout\b.* --foreground": ("timeout --foreground 8 lvs", "coreutils 8.13"),
    r"\btimeout\b.* --preserve-status": ("timeout --preserve-status 8 lvs", "coreutils 8.21"),
    r"\brealpath\b": ('realpath "$FILE"', "coreutils 8.15"),
    r"\bnumfmt\b": ("numfmt --to=iec", "coreutils 8.21"),
    r"\bstat\b.* '[^']*%[mWw]": ("stat -c '%m' /", "coreutils 8.6: the mount point; 8.31 and a kernel with statx: the birth"),
    r"\bstat\b.* --cached": ("stat --cached=never /", "coreutils 8.32"),
    r"\bstatus=(none|progress)\b": ("dd if=a of=b status=none", "coreutils 8.20, 8.24"),
    r"\biflag=\S*(count|skip)_bytes": ("dd iflag=count_bytes count=5", "coreutils 8.16"),
    r"\bdf\b.* --output": ("df --output=avail /", "coreutils 8.21"),
    r"\b(head|tail|cut|comm|paste)\b.* (-z|--zero-terminated)\b": ("head -z -n 1", "coreutils 8.25"),
    r"\bid\b.* (-z|--zero)\b": ("id -z", "coreutils 8.22"),
    r"\bdate\b.* --debug": ("date --debug", "coreutils 8.26"),
    r"\benv\b.* (-S|-C|--chdir|--split-string)\b": ("env -C / ls", "coreutils 8.28, 8.30"),
    r"\bls\b.* (--zero|--hyperlink|--time=birth)": ("ls --zero", "coreutils 8.28 to 9.0"),
    r"\breadlink +-\w+ +\S+ +[^\s|;)>&]": ("readlink -f a b", "coreutils 8.21: several at once"),
    r"\bfindmnt\b": ("findmnt -n /", "util-linux 2.18"),
    r"\blsblk\b": ("lsblk", "util-linux 2.19"),
    r"\bmountpoint\b": ("mountpoint /", "util-linux 2.20; before, of sysvinit"),
    r"(?<![-\w])dmesg +-": ("dmesg --ctime", "util-linux 2.20: all but -c, -n, -r, -s"),
    r"\blosetup\b.* (-l|-O|-n|-J|--list|--output|--noheadings|--json)\b": ("losetup --list", "util-linux 2.21 and later"),
    r"\bprlimit\b": ("prlimit --pid 1", "util-linux 2.21"),
    r"\blslocks\b": ("lslocks", "util-linux 2.22"),
    r"\bnsenter\b": ("nsenter -t 1 -m ls", "util-linux 2.23"),
    r"\bsetpriv\b": ("setpriv --reuid 1 ls", "util-linux 2.24"),
    r"\bpgrep\b.* -a\b": ("pgrep -a tgtd", "procps-ng 3.3"),
    r"\bps\b.* (-o|o)\S* *\S*etimes": ("ps -o etimes= -p 1", "procps-ng 3.3"),
    r"\bsed\b.* (-E|-z|--null-data|--debug)\b": ("sed -E s/a/b/", "-E: undocumented before sed 4.3; -z: 4.2.2"),
    r"\bgrep\b.* -\w*P": ("grep -oP x", "where grep was built with PCRE"),
    r"\bsystemctl\b.* (--value|--json)": ("systemctl show --value", "systemd 230"),
    r"\bip\b.* (-j|-json|-br)\b": ("ip -br addr", "iproute2 of 2015 and later"),
    r"\bss\b ": ("ss -tln", "not in every busybox; /proc/net/tcp tells it"),
}
"""What looks like an option or a tool that EL 6 has not: an example, and since when it is there."""

NO_SHELL = {
    r"(^|[\s;|&])\[\[ ": ("[[ $A = b ]]", "bash, ksh"),
    r"<<<": ("cat <<<x", "bash, ksh"),
    r"\$'": ("printf $'a'", "POSIX of 2024; dash has it not"),
    r"\$\{\w+(//?|\^|,|:-?\d)": ("${A//a/b}", "bash"),
    r"^\s*function\s": ("function f {", "bash, ksh"),
    r"^\s*(local|declare|typeset|source|pushd|shopt|mapfile)\s": ("local A=1", "not POSIX"),
    r"\bread(?: -r)* -[tdnau]": ("read -t 1 A", "bash, busybox"),
    r"\becho -": ("echo -e a", "every shell does something else"),
    r"(?<![<>&0-9])&>": ("ls &>/dev/null", "bash; others run it in the background"),
    r"<\(": ("cat <(ls)", "bash, ksh"),
    r"\w+\+?=\(": ("A=(1 2)", "bash, ksh"),
    r"\[ [^]]* == ": ('[ "$A" == b ]', "bash; dash refuses it"),
    r"\bprintf\b +'?%q": ("printf %q a", "bash"),
    r"\bwait -n\b": ("wait -n", "bash 4.3"),
    r"\bset -o pipefail": ("set -o pipefail", "POSIX of 2024"),
    r"\bsleep +\d+[smhd]": ("sleep 1m", "coreutils alone"),
}
"""What dash, busybox or bash 4.1 as sh cannot do."""

NO_AWK = {
    r"\b(gensub|strftime|systime|mktime|asorti?|patsplit|toupper\(\$0,)\(?": ("gensub(/a/, 1)", "gawk, partly mawk"),
    r"[^\\\"]\{[0-9]+(,[0-9]*)?\}": ("/[0-9]{3}/", "gawk 3.1.7 without --re-interval, mawk before 1.3.4 of 2020"),
    r"\\[yBw<>sS]": (r"/\yx/", "gawk"),
    r"\[\[:": ("/[[:space:]]/", "mawk before 1.3.4"),
    r"\bnextfile\b": ("nextfile", "not in mawk before 1.3.4 of 2012"),
    r"\bswitch\b|\bBEGINFILE\b|\bdelete +\w+ *(;|$)|\bFPAT\b|\bRT\b": ("switch (x) {", "gawk 4"),
    r"\blength +[a-z]+\b(?! *\()": ("length arr", "of an array: gawk, busybox"),
}
"""What mawk 1.3.3, busybox and gawk 3.1.7 do not share."""


@cache
def text() -> str:
    return script("0.1.0")


def awk_programs() -> list[str]:
    return re.findall(r"^[A-Z_]+='\n(BEGIN.*?)'$", text(), re.MULTILINE | re.DOTALL)


def shell_lines() -> list[str]:
    """The script without comments and without its awk programs."""
    bare = text()
    for program in awk_programs():
        bare = bare.replace(program, "")
    return [line for line in bare.split("\n") if not line.lstrip().startswith("#")]


def used(tool: str) -> set[str]:
    """The options that a tool is called with, of all lines."""
    call = re.compile(rf"(?:^|[\s;|&({{!]){tool}((?:\s+-{{1,2}}[A-Za-z][\w-]*(?:=\S*)?)+)")
    return {option for line in shell_lines() for found in call.finditer(line) for option in found[1].split()}


@pytest.mark.parametrize("tool", OPTIONS)
def test_only_options_that_old_tools_have_too(tool: str) -> None:
    """A further option goes into OPTIONS once its release notes say that EL 6 has it."""
    assert used(tool) <= set(OPTIONS[tool])


def test_the_calls_are_seen() -> None:
    assert used("stat") == {"-L", "-c", "-f"}
    assert used("ls") == {"-ld"}


@pytest.mark.parametrize(("pattern", "why"), [(pattern, why) for pattern, (_, why) in {**TOO_NEW, **NO_SHELL}.items()])
def test_nothing_newer_than_el6(pattern: str, why: str) -> None:
    assert [line for line in shell_lines() if re.search(pattern, line)] == [], why


@pytest.mark.parametrize(("pattern", "why"), [(pattern, why) for pattern, (_, why) in NO_AWK.items()])
def test_nothing_that_one_awk_has_alone(pattern: str, why: str) -> None:
    assert len(awk_programs()) == text().count("='\nBEGIN") > 0
    assert [line for program in awk_programs() for line in program.split("\n") if re.search(pattern, line)] == [], why


@pytest.mark.parametrize(
    ("pattern", "example"), [(pattern, example) for pattern, (example, _) in {**TOO_NEW, **NO_SHELL, **NO_AWK}.items()]
)
def test_each_is_refused(pattern: str, example: str) -> None:
    assert re.search(pattern, example)
