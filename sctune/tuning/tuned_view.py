"""What of tuned a plan depends on that is to be carried out through it: whether it runs, what it has active, where it looks for
profiles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.probes.tuned_profile import AFTERWARDS, main_settings
from sctune.records import dataclass
from sctune.tuning.paths import tuned_name, tuned_path
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.inventory import Inventory

FOLDERS = ("/etc/tuned", "/etc/tuned/profiles")
"""Where administrators have profiles of their own; the second since tuned 2.24 (profile_dirs in tuned-main.conf)."""
MODE = "/etc/tuned/profile_mode"
ACTIVE = "/etc/tuned/active_profile"
_NO = ("0", "false", "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedView:
    """`problem`: why nothing can be done through tuned here, "" where it can; `unsure` what had to be taken for granted. `active`
    is the name (or names) of its profile, `mode` how it was chosen: manual, auto, "" where that is not written. `path` is the
    file of our profile. `reapplies`: it applies the administrator's sysctl files after its own settings."""

    problem: str
    unsure: str
    active: str
    mode: str
    path: str
    reapplies: bool


def look(inventory: Inventory, profile: str) -> TunedView:
    """Asks the host."""
    host = inventory.host
    main = known(main_settings(host)) or {}
    tuned = inventory.tuned
    active = tuned.profile if not isinstance(tuned, Unavailable) else ""
    problem, unsure = _problem(inventory)
    later = (known(host.read(AFTERWARDS)) or "").strip()
    if later and not active and not problem:
        problem = f"tuned has no profile but {later} in {AFTERWARDS}, and `tuned-adm off`, which would undo this, forgets it"
    return TunedView(
        problem=problem,
        unsure=unsure,
        active=active,
        mode=(known(host.read(MODE)) or "").strip(),
        path=tuned_path(_folder(main.get("profile_dirs", "")), profile),
        reapplies=main.get("reapply_sysctl", "1") not in _NO,
    )


def _problem(inventory: Inventory) -> tuple[str, str]:
    """(why it cannot be done through tuned, what had to be taken for granted)."""
    tuned = inventory.tuned
    if isinstance(tuned, Unavailable):
        if tuned.reason is Reason.ABSENT:
            return "tuned is not installed here", ""
        said = f"whether tuned runs could not be told ({tuned})"
        return ("", said) if tuned.reason is Reason.NOT_COLLECTED else (said, "")
    if not tuned.running:
        return "tuned does not run here, so that nothing would take the profile up: start it first (systemctl start tuned)", ""
    return "", ""


def _folder(configured: str) -> str:
    """The administrator's folder that counts most: of those that tuned is told to look into, the last wins."""
    own = [one.rstrip("/") for one in re.split(r"[,;\s]+", configured) if one.startswith("/etc/")]
    return own[-1] if own else FOLDERS[0]


def ours(host: Host) -> tuple[str, ...]:
    """The files of profiles that sctune has put where tuned looks for them."""
    found: list[str] = []
    for folder in FOLDERS:
        names = host.list(folder)
        for name in () if isinstance(names, Unavailable) else names:
            path = f"{folder}/{name}/tuned.conf"
            if name.startswith(tuned_name("")) and isinstance(host.read(path), str):
                found.append(path)
    return tuple(found)
