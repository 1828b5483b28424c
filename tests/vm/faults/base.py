"""What a fault is: how it is made, and what is found then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.vm.hosts import overlay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.vm.hosts.overlay import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A finding: its code, its severity, and the id of its subject."""

    code: str
    severity: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFault:
    """A fault that belongs to one volume (Eucalyptus 3.3+).

    *breaks* are the shell lines that make it, run after every volume of the host is built and attached. *expects* is what the
    doctor finds then above info. A volume that is not *attached* is built, but neither exported nor logged in to: for faults
    that begin with another export. *facts* are shell conditions that hold then by the word of kernel and tools alone. What makes
    LVM or udev wait is *late*, after all others.
    """

    name: str
    breaks: Callable[[Volume], list[str]]
    expects: Callable[[Volume], tuple[Expected, ...]]
    facts: Callable[[Volume], list[str]] = field(default=lambda _volume: [])
    attached: bool = True
    late: bool = False
    gib: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFault:
    """A fault of the whole host, which stands alone with a few volumes.

    *before* are lines run before anything is built (another file system below the store, say), *build* makes the sound host and
    its volumes (default: Eucalyptus 3.3+), *breaks* the fault, *until* is a shell condition to wait for at most *seconds*.
    *options* are further options of the doctor. *scratch_bytes* is the size of the disk under the volume store. *systemd*: the
    machine needs it as its first process. A *rare* one is left to the thorough run, since another of its kind stands for it.
    """

    name: str
    breaks: Callable[[Sequence[Volume]], list[str]]
    expects: Callable[[Sequence[Volume]], tuple[Expected, ...]]
    facts: Callable[[Sequence[Volume]], list[str]] = field(default=lambda _volumes: [])
    before: tuple[str, ...] = ()
    build: Callable[[Sequence[Volume]], list[str]] = overlay.host
    until: str = ""
    seconds: float = 60.0
    options: str = ""
    volumes: int = 2
    scratch_bytes: int = 64 << 30
    systemd: bool = False
    rare: bool = False
