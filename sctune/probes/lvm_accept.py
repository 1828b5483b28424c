"""Which devices LVM may open. Pure.

LVM opens and reads every device that its filters accept. A disk whose iSCSI session is lost answers only when its
replacement timeout has passed, and LVM waits for it in uninterruptible sleep. No reject pattern helps: a device is accepted
where *any* of its names is (lib/filters/filter-regex.c), and udev gives a disk a dozen. So the devices that may be opened are
listed by their kernel names, and everything else is rejected.

Patterns cost: LVM builds one automaton of all of them, and 2,250 patterns, a device each, took 0.4 s longer than one (docs/lvm.md).
Names that differ in their last characters only are therefore folded: loop0 ... loop249 become
`loop([0-9]|1[0-9][0-9]|2[0-4][0-9]|[1-9][0-9])`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.block import BlockKind
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from sctune.model.block import BlockDevice
    from sctune.model.initiator import IscsiSession

_DIGITS = "0123456789"
_NEVER = ("fd", "sr", "scd")
"""Floppy and CD-ROM drives: they hold no PV, and opening one without a medium takes seconds."""
NOT_LISTED = frozenset({"sd*", "dm-*"})
"""What `cannot_list` leaves out, in words that stand for the names nobody knows."""
_ANSWERING_STATES = (None, "", "running")
_LONGEST_RUN = 3


def excluded(
    devices: Iterable[BlockDevice],
    sessions: tuple[IscsiSession, ...] | Unavailable,
    is_multipath: Callable[[BlockDevice], bool],
) -> frozenset[str]:
    """The devices at which a read may hang: SCSI disks that the kernel holds back or has given up, disks of sessions that
    are not LOGGED_IN, and everything stacked on one of these.

    Where the sessions could not be read, no iSCSI disk is trusted. A multipath device is left out only when all its paths
    are: with one path left it answers.
    """
    alive = _alive(sessions)
    devices = tuple(devices)
    out = {
        device.name
        for device in devices
        if device.device_state not in _ANSWERING_STATES or (device.session is not None and device.session not in alive)
    }
    stacked = [device for device in devices if device.slaves]
    grown = bool(out)
    while grown:
        grown = False
        for device in stacked:
            if device.name in out or not any(slave in out for slave in device.slaves):
                continue
            if is_multipath(device) and not all(slave in out for slave in device.slaves):
                continue
            out.add(device.name)
            grown = True
    return frozenset(out)


def _alive(sessions: tuple[IscsiSession, ...] | Unavailable) -> frozenset[int]:
    if isinstance(sessions, Unavailable):
        return frozenset()
    return frozenset(session.number for session in sessions if session.state == "LOGGED_IN")


def patterns(devices: Iterable[BlockDevice], left_out: Collection[str], *, everything: bool = False) -> tuple[str, ...]:
    """Patterns for `devices/filter`: the accepted ones, and last the one that rejects all others.

    Without `everything` each device is named, and idle loop devices (size 0) are not among them. With it, a kind of which no
    device is left out is accepted as a whole, so that devices made since the list was read are seen too.
    """
    families: dict[tuple[str, bool], set[str]] = {}
    whole: dict[str, bool] = {}
    for device in devices:
        if device.name.startswith(_NEVER):
            continue
        stem = _stem(device)
        whole.setdefault(stem, True)
        if device.name in left_out:
            whole[stem] = False
        elif device.size > 0 or everything:
            families.setdefault((stem, device.name[-1] in _DIGITS), set()).add(device.name[len(stem) :])
    accepted = []
    for (stem, numbered), endings in sorted(families.items()):
        if everything and whole[stem]:
            accepted.append(f"a|^/dev/{_escaped(stem)}|")
        else:
            partition = "(p[0-9]+)?" if numbered else "[0-9]*"
            accepted.append(f"a|^/dev/{_escaped(stem)}({alternatives(endings)}){partition}$|")
    if whole.get("dm-", False):
        # LVM calls a device by the first of its names that is accepted: without this, /dev/dm-3.
        accepted.append("a|^/dev/mapper/|")
    return (*accepted, "r|.*|")


def _stem(device: BlockDevice) -> str:
    """What devices of one family have in common: `loop`, `dm-`, `sd`, `nvme0n`. What follows is never empty."""
    if device.kind is BlockKind.DISK:
        return "sd"
    stem = device.name.rstrip(_DIGITS)
    if stem != device.name:
        return stem
    if device.kind is BlockKind.VIRTIO:
        return "xvd" if stem.startswith("xvd") else "vd"
    return stem[:-1]


def alternatives(endings: Iterable[str]) -> str:
    """One regular expression for exactly these strings of letters and digits, short where they are many and alike."""
    by_length: dict[int, set[str]] = {}
    odd = []
    for ending in set(endings):
        if ending.isascii() and ending.isalnum():
            by_length.setdefault(len(ending), set()).add(ending)
        else:
            odd.append(_escaped(ending))
    folded = [part for _, words in sorted(by_length.items()) for part in _fold(words)]
    return "|".join([*folded, *sorted(odd)])


def _fold(words: set[str]) -> Iterator[str]:
    """Strings of one length: those with the same beginnings for several last characters become one alternative."""
    lasts: dict[str, set[str]] = {}
    for word in words:
        lasts.setdefault(word[:-1], set()).add(word[-1])
    heads: dict[frozenset[str], set[str]] = {}
    for head, last in lasts.items():
        heads.setdefault(frozenset(last), set()).add(head)
    for last_set, head_set in sorted(heads.items(), key=lambda item: sorted(item[0])):
        ending = _one_of(last_set)
        if "" in head_set:
            yield ending
            continue
        parts = list(_fold(head_set))
        yield (parts[0] if len(parts) == 1 else f"({'|'.join(parts)})") + ending


def _one_of(characters: frozenset[str]) -> str:
    if len(characters) == 1:
        return next(iter(characters))
    runs = []
    run: list[str] = []
    for character in [*sorted(characters), ""]:
        if run and character and ord(character) == ord(run[-1]) + 1:
            run.append(character)
            continue
        if run:
            runs.append(f"{run[0]}-{run[-1]}" if len(run) >= _LONGEST_RUN else "".join(run))
        run = [character]
    return f"[{''.join(runs)}]"


def _escaped(name: str) -> str:
    """A kernel name as a path in /dev (its "!" is a "/" there), with what a pattern would read as a sign put in brackets."""
    path = name.replace("!", "/")
    return "".join(character if character.isalnum() or character in "/_-" else f"[{character}]" for character in path)


def cannot_list(block: Unavailable, sessions: tuple[IscsiSession, ...] | Unavailable) -> tuple[str, ...] | None:
    """What to do where the block devices are not known: no filter while no session can be dead, else no SCSI disk at all."""
    if isinstance(sessions, Unavailable):
        safe = sessions.reason is Reason.ABSENT
    else:
        safe = all(session.state == "LOGGED_IN" for session in sessions)
    return None if safe or block.reason is Reason.ABSENT else (r"a|^/dev/(loop|vd|xvd|nvme|md)|", "r|.*|")
