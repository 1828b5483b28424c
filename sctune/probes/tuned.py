"""tuned's active profile, and whether its daemon runs to enforce it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.system import Tuned
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.process import Processes

_ACTIVE = ("/etc/tuned/active_profile", "/etc/tune-profiles/active-profile")
"""tuned 2, and the 0.2 of Red Hat Enterprise Linux 6."""


def probe(host: Host, *, processes: Processes | Unavailable) -> Tuned | Unavailable:
    """The profile's name, "" where none is set. Absent where tuned has left no file and does not run.

    `tuned-adm profile` writes the file also when no daemon is there to apply it, so the file alone says little.
    """
    if isinstance(processes, Unavailable):
        return Unavailable(reason=processes.reason, what="tuned's process", detail=processes.detail, pids=processes.pids)
    running = bool(processes.tuned)
    profile: str | None = None
    for path in _ACTIVE:
        text = host.read(path)
        if isinstance(text, str):
            profile = " ".join(text.split())
            break
        if text.reason is not Reason.ABSENT:
            return text
    if profile is None and not running:
        return Unavailable(reason=Reason.ABSENT, what=_ACTIVE[0], detail="tuned is not installed")
    return Tuned(profile=profile or "", running=running)
