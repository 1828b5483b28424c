"""The answers that follow from what sos asked. What cannot be read of one command leaves the others whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.host.base import Clock, HostIdentity
from sctune.host.redact import redact_text
from sctune.host.sos import devices, listing, processes, sessions, space
from sctune.host.sos.archive import Missing
from sctune.host.sos.manifest import Output
from sctune.host.sos.times import boot_time, parse_ctime
from sctune.records import dataclass, field
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import FilesystemSpace, Process
    from sctune.host.sos.listing import Listing
    from sctune.host.sos.manifest import Asked

_KEY = re.compile(r"([\w.\-/*@:]+) = ?(.*)", re.ASCII)
_TABLE = re.compile(r"(.+?): (\d+) (\d+) (\S+) ?(.*)")
_DEVICE = re.compile(r"(?<!\S)(\d{1,7}):(\d{1,7})(?!\S)", re.ASCII)
_LOSETUP = re.compile(r"/dev/(loop\d{1,7}): \[[^\]]*\](?::\d+)? \((.*)\)((?:, (?:offset|sizelimit|encryption) .*)?)", re.ASCII)
_CUT = 62
"""Old losetup cuts a name there (LO_NAME_SIZE), and ends it with a star."""
_RELEASE = re.compile(r"(\d{1,4})\.(\d{1,4})", re.ASCII)
_LOOP_CONTROL = "10:237\n"
"""A fixed number (LOOP_CTRL_MINOR, include/linux/miscdevice.h)."""
_QUARTER = 900


@dataclass(slots=True, kw_only=True)
class Facts:
    """Texts and listings by path, and the answers that have no path."""

    files: dict[str, str | Unavailable] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    nodes: Listing = field(default_factory=listing.Listing)
    spaces: dict[str, FilesystemSpace] | Unavailable = field(default_factory=dict)
    processes: tuple[Process, ...] | Unavailable
    clock: Clock
    identity: HostIdentity


def gather(asked: Asked) -> Facts:
    """All that an archive says."""
    clock, offset = _clock(asked)
    facts = Facts(processes=_processes(asked, clock, offset), clock=clock, identity=_identity(asked), spaces=_spaces(asked))
    facts.files["/proc/uptime"] = (
        f"{clock.boot:.2f} 0.00\n" if clock.boot else _unknown("/proc/uptime", "neither boot nor date is told")
    )
    _settings(asked, facts)
    facts.nodes = _listing(asked, "/dev")
    _devices(asked, facts)
    _sessions(asked, facts)
    return facts


def _unknown(what: str, detail: str, reason: Reason = Reason.NOT_COLLECTED) -> Unavailable:
    return Unavailable(reason=reason, what=what, detail=detail)


def _line(asked: Asked, *words: str) -> str:
    """The first line of what a command said, "" where it failed."""
    said = asked.output(*words)
    return said.text.strip().partition("\n")[0].strip() if isinstance(said, Output) and said.status == 0 else ""


def _clock(asked: Asked) -> tuple[Clock, float]:
    """The clocks, and the time zone in seconds east of UTC. Without date(1) it is when the archive's files were written."""
    local, utc = parse_ctime(_line(asked, "date")), parse_ctime(_line(asked, "date", "--utc"))
    offset = round((local - utc) / _QUARTER) * _QUARTER if local is not None and utc is not None else 0.0
    now = utc if utc is not None else asked.archive.written
    stat = asked.archive.text_of("proc/stat")
    booted = None if isinstance(stat, Missing) else boot_time(stat)
    return Clock(now=now, boot=max(0.0, now - booted) if booted is not None else 0.0), offset


def _identity(asked: Asked) -> HostIdentity:
    words = _line(asked, "uname", "-a").split()
    name = _line(asked, "hostname") or (words[1] if len(words) > 2 else "")
    return HostIdentity(name=name or "unknown", kernel=words[2] if len(words) > 2 else "unknown", privileged=True)


def _processes(asked: Asked, clock: Clock, offset: float) -> tuple[Process, ...] | Unavailable:
    what = "process table"
    timed = next((words for words in asked.with_prefix("ps", "axo") if _has(words, "lstart")), None)
    named = next((words for words in asked.with_prefix("ps", "axo") if _has(words, "nlwp")), None)
    if timed is None:
        return _unknown(what, "sos did not ask ps for all of it")
    said = _said(asked, timed)
    other = _said(asked, named) if named is not None else None
    if isinstance(said, Unavailable):
        return said
    if not clock.boot:
        return _unknown(what, "sos did not collect when the host was booted (/proc/stat, date)")
    try:
        return processes.parse(said.text, other.text if isinstance(other, Output) else "", clock, offset)
    except ValueError as error:
        return _unknown(what, str(error), Reason.MALFORMED)


def _has(words: tuple[str, ...], column: str) -> bool:
    return any(column in word.split(",") for word in words)


def _said(asked: Asked, words: tuple[str, ...]) -> Output | Unavailable:
    return asked.output(*words)


def _spaces(asked: Asked) -> dict[str, FilesystemSpace] | Unavailable:
    blocks = _first(asked, ("df", "-al", "-x", "autofs"), ("df", "-al"))
    inodes = _first(asked, ("df", "-ali", "-x", "autofs"), ("df", "-ali"))
    if isinstance(blocks, Unavailable):
        return blocks
    return space.parse(blocks.text, inodes.text) if isinstance(inodes, Output) else inodes


def _first(asked: Asked, *commands: tuple[str, ...]) -> Output | Unavailable:
    """The first of these commands that sos ran; why it has no answer, of the first."""
    answers = [asked.output(*words) for words in commands]
    return next((answer for answer in answers if isinstance(answer, Output)), answers[0])


def _listing(asked: Asked, path: str) -> Listing:
    """A folder and all below it, by the `ls` of whatever version of sos: -lanR, or other options that list the same."""
    others = (words for words in asked.with_prefix("ls") if len(words) == 3 and words[2] == path and {*"lR"} < {*words[1]})
    for words in (("ls", "-lanR", path), *others):
        said = asked.output(*words)
        if isinstance(said, Output):
            return listing.parse(said.text)
    return listing.Listing()


def _settings(asked: Asked, facts: Facts) -> None:
    """`sysctl -a` as the files of /proc/sys. A key's dots are its slashes; a slash in it is a dot of an interface's name."""
    said = asked.output("sysctl", "-a")
    if isinstance(said, Unavailable):
        return
    for line in said.text.split("\n"):
        match = _KEY.fullmatch(line)
        if match is not None and not line.startswith("sysctl:"):
            path = "/proc/sys/" + match[1].translate({ord("."): "/", ord("/"): "."})
            facts.files[path] = redact_text(match[2]) + "\n"


def _devices(asked: Asked, facts: Facts) -> None:
    shown = _listing(asked, "/sys/block")
    names = shown.names.get("/sys/block")
    if names is None and "/sys/block/*/queue/" in asked.specifications:
        copied = asked.archive.names_in("sys/block")
        names = None if isinstance(copied, Missing) else copied
    if names is None:
        return
    facts.lists["/sys/block"] = names
    facts.nodes.links |= {path: target for path, target in shown.links.items() if path.startswith("/sys/block/")}
    for name in names:
        udev = asked.output("udevadm", "info", "-a", f"/dev/{name}")
        attributes = devices.attributes(udev.text) if isinstance(udev, Output) else {}
        facts.files.update(devices.of_udev(name, attributes))
        if attributes:
            facts.files.setdefault(f"/sys/block/{name}/loop/backing_file", _backing(name, attributes))
    if any(name.startswith("loop") for name in names) and _has_loop_control(facts.identity.kernel):
        facts.files["/sys/class/misc/loop-control/dev"] = _LOOP_CONTROL
    _numbers(asked, facts, names)
    _mapped(asked, facts)
    _backing_files(asked, facts)


def _has_loop_control(kernel: str) -> bool:
    """Whether a kernel that has loop devices has /dev/loop-control: the driver makes it since Linux 3.1 (drivers/block/loop.c)."""
    release = _RELEASE.match(kernel)
    return release is not None and (int(release[1]), int(release[2])) >= (3, 1)


def _backing(name: str, attributes: dict[str, str]) -> Unavailable:
    """Why the file behind a loop device is not told: udevadm leaves out what is a path."""
    what = f"/sys/block/{name}/loop/backing_file"
    if attributes.get("size") == "0" and "loop/offset" not in attributes:
        return _unknown(what, "the device has no size", Reason.ABSENT)
    if "loop/offset" in attributes:
        # It is attached: what is told of it counts, as where the kernel itself cannot show the name.
        return _unknown(what, "sos does not collect the file behind a loop device", Reason.FAILED)
    return _unknown(what, "sos does not collect it")


def _numbers(asked: Asked, facts: Facts, names: tuple[str, ...]) -> None:
    """Numbers and sizes by /proc/partitions, where udevadm did not tell them."""
    text = asked.archive.text_of("proc/partitions")
    try:
        known = {} if isinstance(text, Missing) else devices.partitions(text)
    except ValueError:
        return
    for name in names:
        number = known.get(name)
        node = facts.nodes.stats.get(f"/dev/{name}")
        if number is not None:
            facts.files.setdefault(f"/sys/block/{name}/dev", f"{number[0]}:{number[1]}\n")
            facts.files.setdefault(f"/sys/block/{name}/size", f"{number[2] * 2}\n")
        elif node is not None and node.rdevice is not None:
            facts.files.setdefault(f"/sys/block/{name}/dev", f"{node.rdevice[0]}:{node.rdevice[1]}\n")
        if known and number is None and name.startswith("loop"):
            facts.files.setdefault(f"/sys/block/{name}/size", "0\n")


def _mapped(asked: Asked, facts: Facts) -> None:
    """The folders `dm` and `slaves` of device-mapper's devices."""
    said = asked.output("dmsetup", "info", "-c")
    if isinstance(said, Unavailable) or said.status != 0:
        return
    try:
        rows = devices.dm_rows(said.text)
    except ValueError:
        return
    control = facts.nodes.characters.get("/dev/mapper/control")
    if control is not None:
        facts.files["/sys/class/misc/device-mapper/dev"] = control + "\n"
    table = asked.output("dmsetup", "table")
    under = _under(table.text) if isinstance(table, Output) and table.status == 0 else None
    by_number = {facts.files.get(f"/sys/block/{name}/dev"): name for name in facts.lists["/sys/block"]}
    for row in rows:
        folder = f"/sys/block/dm-{row.minor}"
        facts.files[f"{folder}/dm/name"] = row.name + "\n"
        facts.files[f"{folder}/dm/uuid"] = row.uuid + "\n"
        facts.files[f"{folder}/dm/suspended"] = f"{int(row.suspended)}\n"
        facts.files[f"{folder}/dev"] = f"{row.major}:{row.minor}\n"
        if under is not None:
            found = (by_number.get(number + "\n") for number in under.get(row.name, ()))
            facts.lists[f"{folder}/slaves"] = tuple(sorted({name for name in found if name is not None}))


def _under(table: str) -> dict[str, list[str]]:
    """The numbers of the devices that each device's table names."""
    found: dict[str, list[str]] = {}
    for line in table.split("\n"):
        if match := _TABLE.fullmatch(line):
            found.setdefault(match[1], []).extend(":".join(number) for number in _DEVICE.findall(match[5]))
    return found


def _backing_files(asked: Asked, facts: Facts) -> None:
    """The files behind loop devices by `losetup -a`, unless sos copied what the kernel says."""
    said = asked.output("losetup", "-a")
    if isinstance(said, Unavailable):
        return
    for line in said.text.split("\n"):
        match = _LOSETUP.fullmatch(line)
        if match is not None and not (len(match[2]) > _CUT and match[2].endswith("*")):
            facts.files[f"/sys/block/{match[1]}/loop/backing_file"] = match[2] + "\n"


def _sessions(asked: Asked, facts: Facts) -> None:
    said = asked.output("iscsiadm", "-m", "session", "-P", "3")
    folder = "/sys/class/iscsi_session"
    if isinstance(said, Unavailable):
        return
    try:
        tree = sessions.parse(said.text)
    except ValueError as error:
        facts.files[folder] = _unknown("iscsiadm -m session -P 3", str(error), Reason.MALFORMED)
        return
    facts.files |= tree.files
    facts.lists |= tree.lists
