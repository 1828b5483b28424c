"""The processes that matter to a storage host, picked from the process table."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from sctune.model.process import Copy, CopyTool, Processes
from sctune.records import replace
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sctune.host.base import Host, Process

_ISCSID_PID_FILES = ("/run/iscsid.pid", "/var/run/iscsid.pid")
_NAMESPACE = "/proc/self/ns/pid"
_FIRST_NAMESPACE = "pid:[4026531836]"
"""The namespace that a kernel starts with has a fixed number (Linux, include/linux/proc_ns.h: PROC_PID_INIT_INO)."""
_GUESTS = ("qemu-system-", "qemu-kvm", "qemu-dm")
"""QEMU as Debian (cut to qemu-system-x86), Red Hat and Xen name it; `kvm` is Debian's other name."""
_CLOUD_DATABASE = "/var/lib/eucalyptus/db/"
_NAME_LENGTH = 15  # the kernel's TASK_COMM_LEN without its NUL
_LVM_KINDS = ("pv", "vg", "lv")
_LVM_BASICS = ("s", "scan", "display", "create", "change", "remove", "rename", "resize", "extend", "reduce", "convert", "move")
_LVM_RARE = (
    "ck",
    "split",
    "merge",
    "export",
    "import",
    "importclone",
    "mknodes",
    "cfgbackup",
    "cfgrestore",
    "mdiskscan",
    "mdevices",
)
_LVM_VERBS = frozenset((*_LVM_BASICS, *_LVM_RARE))
# As the kernel cuts them. tlp and cpupower set once at boot and leave no daemon.
_TUNERS = ("power-profiles-", "auto-cpufreq", "bpftune", "atuned")
_SLASHES = re.compile(r"/(?:\.?/)+")


def probe(host: Host) -> Processes | Unavailable:
    """The process table, sorted by what each is to us. Zombies are nobody's daemon and are left out."""
    table = host.processes()
    if isinstance(table, Unavailable):
        return table
    pid = _iscsid_pid(host) if any(_is(process, "iscsid") for process in table) else None
    found = select(table, iscsid_pid=pid)
    return replace(found, contained=True) if _contained(host) else found


def _contained(host: Host) -> bool:
    """Whether we are in a container with a process namespace of its own. Not before Linux 3.8, which has no such link."""
    namespace = host.readlink(_NAMESPACE)
    return not isinstance(namespace, Unavailable) and namespace != _FIRST_NAMESPACE


def _iscsid_pid(host: Host) -> int | None:
    for path in _ISCSID_PID_FILES:
        text = host.read(path)
        if isinstance(text, str) and text.strip().isdecimal() and len(text) < _NAME_LENGTH:
            return int(text)
    return None


def select(table: Iterable[Process], *, iscsid_pid: int | None = None) -> Processes:
    """Picks from a process table. `iscsid_pid` is what iscsid's pid file holds.

    A daemonised iscsid forks a logger of the same name which outlives it (open-iscsi, usr/log.c): without the pid file nothing
    tells them apart, and both are kept. tgtd's helper is a child of tgtd and dies with it.
    """
    alive = [process for process in table if process.state not in ("Z", "X", "x")]
    tgtd = [process for process in alive if _is(process, "tgtd")]
    tgtd_pids = {process.pid for process in tgtd}
    return Processes(
        tgtd=tuple(process for process in tgtd if process.ppid not in tgtd_pids),
        iscsid=tuple(process for process in alive if _is(process, "iscsid") and _is_main_iscsid(process, iscsid_pid)),
        tuned=tuple(process for process in alive if _is_tuned(process)),
        eucalyptus=tuple(process for process in alive if _is_eucalyptus(process)),
        copies=tuple(copy for process in alive if (copy := copy_of(process)) is not None),
        tgtadm=tuple(process for process in alive if _is(process, "tgtadm")),
        lvm=tuple(process for process in alive if _is_lvm(process.name)),
        tuners=tuple(process for process in alive if process.name in _TUNERS),
        guests=tuple(process for process in alive if process.name.startswith(_GUESTS) or process.name == "kvm"),
        databases=tuple(process for process in alive if _is_cloud_database(process)),
    )


def _is(process: Process, name: str) -> bool:
    return process.name == name


def _is_lvm(name: str) -> bool:
    """A command (lvs, vgcreate …), not a daemon such as lvmpolld."""
    return name == "lvm" or (name[:2] in _LVM_KINDS and name[2:] in _LVM_VERBS)


def _is_main_iscsid(process: Process, pid: int | None) -> bool:
    if pid is None or process.pid == pid:
        return True
    # In the foreground it logs by itself and writes no pid file.
    return any(argument in ("-f", "--foreground") for argument in process.argv[1:])


def _is_tuned(process: Process) -> bool:
    """tuned is a script: `python3 -Es /usr/sbin/tuned -l -P`. Not tuned-adm, which only talks to it."""
    if process.name == "tuned":
        return True
    if "python" not in process.name:
        return False
    script = next((argument for argument in process.argv[1:] if not argument.startswith("-")), "")
    return os.path.basename(script) == "tuned"


def _is_eucalyptus(process: Process) -> bool:
    """eucalyptus-cloud and its JVM, the C components' httpd (by its configuration file), eucanetd."""
    name = process.name
    if name.startswith("eucalyptus-") or name == "eucanetd":
        return True
    if "httpd" in name or "apache" in name:
        return any(os.path.basename(argument) in ("httpd-nc.conf", "httpd-cc.conf") for argument in process.argv)
    if name == "java":
        return any(argument.startswith("-Deuca.") or argument.startswith("com.eucalyptus.") for argument in process.argv)
    return bool(process.argv) and os.path.basename(process.argv[0])[:_NAME_LENGTH] == "eucalyptus-clou"


def _is_cloud_database(process: Process) -> bool:
    """The PostgreSQL server that the Cloud Controller starts: `postgres -D /var/lib/eucalyptus/db/data …` (eucalyptus,
    clc/modules/postgresql/conf/scripts/setup_db.groovy). Its workers have titles of their own instead of these arguments."""
    if process.name not in ("postgres", "postmaster"):
        return False
    return any(normalise(argument.removeprefix("-D")).startswith(_CLOUD_DATABASE) for argument in process.argv[1:])


def copy_of(process: Process) -> Copy | None:
    """The copy this process is, if it is one: dd, gunzip (a script around `gzip -d`) or tar."""
    arguments = process.argv[1:]
    name = process.name
    if name == "busybox" and arguments:
        name, arguments = arguments[0], arguments[1:]
    if name == "dd":
        source, destination = parse_dd(arguments)
        tool = CopyTool.DD
    elif name == "gunzip" or (name == "gzip" and _has_flag(arguments, "d", "--decompress", "--uncompress")):
        source, destination = parse_gunzip(arguments)
        tool = CopyTool.GUNZIP
    elif name == "tar":
        source, destination = parse_tar(arguments)
        tool = CopyTool.TAR
    else:
        return None
    return Copy(process=process, tool=tool, source=normalise(source), destination=normalise(destination))


def parse_dd(arguments: Sequence[str]) -> tuple[str, str]:
    """if= and of= of dd(1); the last of each counts."""
    source = destination = ""
    for argument in arguments:
        if argument.startswith("if="):
            source = argument[3:]
        elif argument.startswith("of="):
            destination = argument[3:]
    return source, destination


def parse_gunzip(arguments: Sequence[str]) -> tuple[str, str]:
    """The file and what it becomes, "" with -c (standard output)."""
    source = next((argument for argument in arguments if not argument.startswith("-")), "")
    if not source or _has_flag(arguments, "c", "--stdout", "--to-stdout"):
        return source, ""
    for ending, instead in ((".gz", ""), (".tgz", ".tar"), (".z", ""), (".Z", "")):
        if source.endswith(ending):
            return source, source.removesuffix(ending) + instead
    return source, ""


def parse_tar(arguments: Sequence[str]) -> tuple[str, str]:
    """Extracting: archive and folder; creating: first file and archive. The first argument may lack its dash."""
    mode = archive = folder = ""
    names: list[str] = []
    pending: list[str] = []
    for index, argument in enumerate(arguments):
        if pending:
            flag = pending.pop(0)
            archive, folder = (argument, folder) if flag == "f" else (archive, argument)
        elif argument.startswith("--"):
            key, _, value = argument.partition("=")
            mode = {"--extract": "x", "--get": "x", "--create": "c"}.get(key, mode)
            archive = value if key == "--file" else archive
            folder = value if key == "--directory" else folder
        elif (argument.startswith("-") and len(argument) > 1) or index == 0:
            for letter in argument.lstrip("-"):
                if letter in "xc":
                    mode = letter
                elif letter in "fC":
                    pending.append(letter)
        else:
            names.append(argument)
    if mode == "x":
        return archive, folder
    return (names[0] if names else ""), (archive if mode == "c" else "")


def _has_flag(arguments: Sequence[str], letter: str, *long: str) -> bool:
    return any(
        argument in long or (argument.startswith("-") and not argument.startswith("--") and letter in argument)
        for argument in arguments
    )


def normalise(path: str) -> str:
    """One slash where a cloud writes two (`//var/lib/…`), and no `/./`. `..` is left alone: a link may lie before it."""
    return _SLASHES.sub("/", path)
