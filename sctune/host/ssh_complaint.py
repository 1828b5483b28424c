"""Why OpenSSH, sudo or a shell did not let us look: their words in one clear line. Pure.

OpenSSH's client prints its errors in English whatever the locale is, and ends with 255 for its own (ssh(1), EXIT STATUS). What a
server sends at a login (banner, lecture of sudo) is on the same stream, so what is not known is told by its last line.
"""

from __future__ import annotations

import re

from sctune.host.redact import redact_text
from sctune.unavailable import Reason

SSH_FAILED = 255
_LAST = 65536
_LONGEST = 200

_NOT_REACHED = "^(?:ssh: connect to host|channel [0-9]+: open failed: connect failed).*"

_SSH = (
    ("remote host identification has changed", Reason.DENIED, "its host key is not the one that is known here"),
    ("revoked host key|host key .* (?:is )?revoked", Reason.DENIED, "its host key is revoked"),
    ("host key verification failed", Reason.DENIED, "its host key is not known here: connect once with ssh and look at it"),
    (r": permission denied \(([a-z0-9@.,-]+)\)\.?\s*$", Reason.DENIED, "it does not accept the keys that are here ({0})"),
    ("too many authentication failures", Reason.DENIED, "it gave up on us before the right key was tried"),
    ("could not resolve hostname ([^ :]*)", Reason.ABSENT, "there is no address for the name {0}"),
    (f"{_NOT_REACHED}connection refused", Reason.FAILED, "nothing answers for ssh there (connection refused)"),
    (f"{_NOT_REACHED}no route to host", Reason.FAILED, "there is no route to it"),
    (f"{_NOT_REACHED}network is unreachable", Reason.FAILED, "its network cannot be reached from here"),
    (f"{_NOT_REACHED}timed out|^connection .*timed out", Reason.TIMEOUT, "no answer to the connection"),
    ("unable to negotiate .*: (no matching .* found)", Reason.FAILED, "its ssh and this one have nothing in common: {0}"),
    ("bad configuration option|bad owner or permissions on|[0-9]+ bad config", Reason.FAILED, "ssh rejects its settings here"),
    ("^(?:[a-z_]+: )*connection (?:to .* )?(?:reset|closed|aborted)|broken pipe", Reason.FAILED, "the connection broke"),
)  # fmt: skip
_FAR = (
    ("sorry, you must have a tty", Reason.DENIED, "sudo wants a terminal there (requiretty)"),
    ("sudo: .*password|sudo: no tty present", Reason.DENIED, "sudo wants a password there"),
    ("sudo: .*(?:no new privileges|setuid)", Reason.DENIED, "sudo cannot become root there"),
    ("not in the sudoers file|not allowed to (?:execute|run)|may not run sudo", Reason.DENIED, "sudo lets this user not run sh"),
    (r"sudo: (?:command )?not found|unknown command:? '?sudo", Reason.ABSENT, "there is no sudo"),
    ("account is (?:currently )?not available", Reason.DENIED, "this account may not log in"),
    ("sctune-capture: (.*)", Reason.FAILED, "{0}"),
    (r"\bsh['’]?: (?:command )?not found|\bsh: no such file|unknown command:? '?sh\b", Reason.ABSENT, "there is no sh"),
)  # fmt: skip


def told(stderr: str, stdout: str, status: int) -> tuple[Reason, str] | None:
    """What the complaint that matters most means; else the last line of it, where something failed. None where there is none."""
    for text in (stderr[-_LAST:], "" if status == SSH_FAILED else stdout[-_LAST:]):
        for pattern, reason, words in _SSH if status == SSH_FAILED else _FAR:
            matches = list(re.finditer(pattern, text, re.IGNORECASE | re.MULTILINE))
            if matches:  # the last: a banner comes first
                return reason, words.format(*(redact_text(part.strip())[:_LONGEST] for part in matches[-1].groups()))
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if lines and status != 0:
        return Reason.FAILED, redact_text(lines[-1].removeprefix("ssh: "))[:_LONGEST]
    return None
