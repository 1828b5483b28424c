"""A host over the system's OpenSSH client: nothing of ours runs there but a script that comes over standard input and is gone.

ssh is run as it is set up here: its configuration, keys, agent, jump hosts and shared connections. It never asks anybody anything.
One connection brings the script and takes the answers back; they are then a capture in memory, masked before they left the host.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.host.base import Source
from sctune.host.capture import CaptureHost
from sctune.host.command import run_command
from sctune.host.redact import redact_text
from sctune.host.script_text import decode_text
from sctune.host.ssh_complaint import told
from sctune.host.ssh_stream import LARGEST, Broken, answers, noise
from sctune.records import dataclass, replace
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Completed

_MARGIN = 10
"""Seconds of a host's deadline that the script leaves for the connection and the way back."""
LEAST_SECONDS = 15
_ADDRESS = re.compile(r"(?:ssh://)?(?:[A-Za-z0-9_][A-Za-z0-9_.+@-]*@)?[A-Za-z0-9_\[:][A-Za-z0-9_.:%\]\[-]*/?")
"""What ssh may be given. Everything is left out that a shell would take for more than a word: ssh puts names into command lines of
its configuration (ProxyCommand, Match exec), and what begins with a dash would be an option."""
_OPTIONS = (
    "-T",  # a terminal would change what comes back
    "-x",
    "-a",
    *("-o", "BatchMode=yes"),
    *("-o", "ConnectTimeout=10"),  # for the server's first word, too
    *("-o", "ClearAllForwardings=yes"),
    *("-o", "RemoteCommand=none"),
)
_TELLING = 120
_HINT = "Name it as for ssh: [USER@]HOST, ssh://[USER@]HOST:PORT, or a Host of ~/.ssh/config."


@dataclass(frozen=True, slots=True, kw_only=True)
class SshLook:
    """How hosts are looked at: whether as root by sudo, when a host is given up (seconds), folders that hold volumes beside the
    usual ones, and the text of the capture script."""

    script: str
    sudo: bool = False
    seconds: float = 60.0
    stores: tuple[str, ...] = ()


class SshHost(CaptureHost):
    """What a host answered over SSH, all at once."""

    source = Source.SSH


def checked_address(text: str) -> str:
    """`text` where it is [USER@]HOST or ssh://[USER@]HOST[:PORT]. Raises UserError."""
    if len(text) > 255 or not _ADDRESS.fullmatch(text):
        raise UserError(f"{text[:80]!r} is no host", _HINT)
    return text


def arguments(address: str, look: SshLook) -> list[str]:
    """The command line of ssh. Nothing on it depends on more than the address: the script brings its own options."""
    return ["ssh", *_OPTIONS, "--", checked_address(address), "sudo -n sh -s" if look.sudo else "sh -s"]


def program(look: SshLook) -> bytes:
    """What is sent: the script as one compound command, so that a shell has read the whole of it before it runs any of it, and what
    was cut off on its way is a mistake and not half a script."""
    limit = max(LEAST_SECONDS - _MARGIN, int(look.seconds) - _MARGIN)
    given = ["-o", "-", "-t", str(limit), *(word for store in look.stores for word in ("-s", store))]
    return f"{{\nset -- {shlex.join(given)}\n{look.script}\n}}\n".encode("utf-8", "surrogateescape")


def look_at(address: str, look: SshLook) -> SshHost | Unavailable:
    """Connects, asks everything, and holds the answers; or says in one line why it could not."""
    done = run_command(
        arguments(address, look),
        timeout=look.seconds,
        given=program(look),
        variables=os.environ,
        limit=LARGEST,
    )
    if isinstance(done, Unavailable):
        return _not_run(address, done)
    text = answers(done.stdout.encode("utf-8", "surrogateescape"))
    if isinstance(text, Broken):
        return _unreachable(address, done, text)
    try:
        return SshHost(decode_text(text, "what came back"))
    except UserError as error:
        return Unavailable(reason=Reason.MALFORMED, what=address, detail=error.message)


def _not_run(address: str, why: Unavailable) -> Unavailable:
    if why.reason is Reason.ABSENT:
        return Unavailable(reason=Reason.FAILED, what=address, detail="there is no ssh here: install OpenSSH's client")
    return replace(why, what=address)


def _unreachable(address: str, done: Completed, broken: Broken) -> Unavailable:
    before = noise(done.stdout.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
    known = None if broken.begun else told(done.stderr, before, done.status)
    if known is not None:
        reason, detail = known
        return Unavailable(reason=reason, what=address, detail=detail)
    said = "" if broken.begun else _last_line(before)
    return Unavailable(reason=Reason.FAILED, what=address, detail=broken.why + (f"; it printed: {said}" if said else ""))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return redact_text(lines[-1])[:_TELLING] if lines else ""
