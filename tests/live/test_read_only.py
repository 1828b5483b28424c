"""doctor changes nothing: shown by strace, for sctune and for every tool it runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Loops, Tgt

pytestmark = [pytest.mark.live, pytest.mark.spawns]

CHANGING = (
    "creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,chmod,fchmod,fchmodat,"
    "chown,fchown,lchown,fchownat,truncate,ftruncate,fallocate,mknod,mknodat,utimensat,setxattr,lsetxattr,fsetxattr,removexattr,"
    "mount,umount2,swapon,swapoff,init_module,finit_module,delete_module,settimeofday,clock_settime,sethostname,bind,listen,setns"
)
WATCHED = f"open,openat,openat2,flock,fcntl,ioctl,{CHANGING}"

READ_ONLY_IOCTLS = (
    "TCGETS",  # is it a terminal
    "FIONREAD",
    "FIOCLEX",
    "FIONBIO",  # our own sockets wait no longer than we say
    "TIOCGWINSZ",
    "BLKGETSIZE",  # and BLKGETSIZE64
    "BLKSSZGET",
    "BLKPBSZGET",
    "BLKRAGET",
    "BLKBSZGET",
    "BLKROGET",
    "BLKALIGNOFF",
    "BLKIOMIN",
    "BLKIOOPT",
    "DM_VERSION",
    "DM_LIST_DEVICES",
    "DM_TABLE_STATUS",
    "DM_DEV_STATUS",
    "DM_TABLE_DEPS",
    "DM_LIST_VERSIONS",
)


def trace(tmp_path: Path, *arguments: str) -> list[str]:
    """The watched system calls of one run, of all its children too; the first run of the interpreter warms its caches."""
    output = tmp_path / "strace"
    command = [sys.executable, "-I", "-m", "sctune", *arguments]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    subprocess.run(
        ["strace", "-f", "-qq", "-s", "200", "-o", str(output), "-e", f"trace={WATCHED}", *command],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return output.read_text(errors="replace").splitlines()


def offences(lines: list[str]) -> list[str]:
    """The calls that change something, hold a lock or open for writing."""
    return [line for line in lines if not harmless(line)]


def harmless(line: str) -> bool:
    call = line.split(None, 1)[1] if " " in line else line
    if call.startswith(("---", "+++", "<...")):
        return True
    name = call.split("(", 1)[0]
    if name in ("open", "openat", "openat2"):
        flags = set(re.findall(r"O_[A-Z]+", call))
        if not flags & {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"}:
            return True
        # The control node answers questions only to who opened it for writing; which questions is judged by the ioctls.
        return '"/dev/null"' in call or '"/dev/tty"' in call or '"/dev/mapper/control"' in call
    if name == "fcntl":
        return "F_SETLK" not in call and "F_OFD_SETLK" not in call and "F_SETLEASE" not in call
    if name == "ioctl":
        return any(allowed in call for allowed in READ_ONLY_IOCTLS)
    # A call that was refused because the thing is not there changed nothing, but was meant to.
    return False


def test_the_judge_can_tell(tmp_path: Path) -> None:
    output = tmp_path / "strace"
    script = f"echo x > {tmp_path}/written; rm {tmp_path}/written; flock {tmp_path} true"
    subprocess.run(["strace", "-f", "-qq", "-o", str(output), "-e", f"trace={WATCHED}", "sh", "-c", script], check=True)
    found = "\n".join(offences(output.read_text().splitlines()))
    for call in ("O_CREAT", "unlink", "flock"):
        assert call in found


@pytest.mark.parametrize("format_", ["text", "json"])
def test_doctor_writes_nothing_and_holds_no_lock(tmp_path: Path, loops: Loops, tgt: Tgt, format_: str) -> None:
    device = loops.attach(loops.file("vol-0A0B0C0D"))
    subprocess.run(["pvcreate", "-q", device], check=True, stdout=subprocess.DEVNULL)
    tgt.target(device)
    hints = "/run/lvm/hints"
    before = os.stat(hints).st_mtime_ns if os.path.exists(hints) else None
    lines = trace(tmp_path, "doctor", "--format", format_)
    assert any("/sys/block" in line for line in lines)
    assert any(f'"{device}"' in line for line in lines), "LVM was asked about the device, so its children are in the trace"
    assert offences(lines) == []
    assert (os.stat(hints).st_mtime_ns if os.path.exists(hints) else None) == before


def test_sctune_itself_opens_no_loop_device(tmp_path: Path, loops: Loops) -> None:
    """An open device turns a `losetup -d` beside us into a lazy one; only LVM, which must read labels, opens them."""
    device = loops.attach(loops.file("file"))
    lines = trace(tmp_path, "doctor")
    lvm = {line.split()[0] for line in lines if "/etc/lvm/" in line}
    opened = {line.split()[0] for line in lines if f'"{device}"' in line}
    assert opened <= lvm
