"""What the profile that tuned enforces sets, read from the profile's own files.

Sources: tuned.conf(5), tuned-profiles(7), tuned-main.conf(5); tuned's profiles/locator.py and consts.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.tuned import TunedProfile
from sctune.probes.tuned_conf import MACHINES, Section, includes, merge, parse
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.system import Tuned

MAIN = "/etc/tuned/tuned-main.conf"
FOLDERS = ("/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned")
"""Where a profile's folder is looked for, the strongest first: the administrator's before the packages'. The folders named
profiles are those of tuned from 2.24 on."""
AFTERWARDS = "/etc/tuned/post_loaded_profile"  # loaded after the active one, on top of it
_NAME = re.compile(r"[a-zA-Z0-9_.-]+\Z")
_MOST_FILES = 64


def probe(host: Host, *, tuned: Tuned | Unavailable) -> TunedProfile | Unavailable:
    """The settings of the active profile. Absent where no profile is set, or nobody enforces it."""
    if isinstance(tuned, Unavailable):
        return tuned
    main = main_settings(host)
    if isinstance(main, Unavailable):
        return main
    if not tuned.running and main.get("daemon", "1") not in ("0", "false", "no"):
        return Unavailable(reason=Reason.ABSENT, what="tuned", detail="it does not run, so that no profile is in force")
    if not tuned.profile:
        return Unavailable(reason=Reason.ABSENT, what="/etc/tuned/active_profile", detail="tuned has no profile")
    later = host.read(AFTERWARDS)
    names = tuned.profile.split() + (later.split() if isinstance(later, str) else [])
    files: list[tuple[Section, ...]] = []
    unread: list[Unavailable] = []
    _load(host, names, files, unread, set())
    if not files and unread:
        return unread[0]
    return TunedProfile(
        name=" ".join(names),
        units=merge(files, _machine(host)),
        reapply_sysctl=main.get("reapply_sysctl", "1") not in ("0", "false", "no"),
        unread=tuple(unread),
    )


def _machine(host: Host) -> str:
    """The processor by its name in uname(1): the kernel's own word (since Linux 6.1), else as distributions name kernels."""
    told = host.read("/proc/sys/kernel/arch")
    if isinstance(told, str):
        return told.strip()
    suffix = re.split(r"[.-]", host.identity().kernel)[-1]
    name = {"amd64": "x86_64", "arm64": "aarch64"}.get(suffix, suffix)
    return name if name in MACHINES else ""


def main_settings(host: Host) -> dict[str, str] | Unavailable:
    """The lines `name = value` of tuned-main.conf; none where there is no such file."""
    text = host.read(MAIN)
    if isinstance(text, Unavailable):
        return {} if text.reason is Reason.ABSENT else text
    settings: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith("#"):
            settings[name.strip()] = value.strip().lower()
    return settings


def _load(host: Host, names: list[str], files: list[tuple[Section, ...]], unread: list[Unavailable], seen: set[str]) -> None:
    """Appends the files of these profiles, what each includes before itself. A profile that includes one of its own name means
    the next folder's."""
    for name in names:
        path, text = _find(host, name.removeprefix("-"), seen)
        if isinstance(text, Unavailable):
            if not (text.reason is Reason.ABSENT and (name.startswith("-") or path in seen)):
                unread.append(text)
            continue
        if len(seen) >= _MOST_FILES:
            unread.append(
                Unavailable(reason=Reason.FAILED, what=path, detail=f"more than {_MOST_FILES} profiles include each other")
            )
            return
        seen.add(path)
        sections = parse(text, path)
        if isinstance(sections, Unavailable):
            unread.append(sections)
            continue
        _load(host, list(includes(sections)), files, unread, seen)
        files.append(sections)


def _find(host: Host, name: str, seen: set[str]) -> tuple[str, str | Unavailable]:
    """Path and text of a profile's file. Where all of its name were read already, the path of one of them and absent."""
    if not _NAME.match(name):
        detail = "a variable or function, which only tuned can tell" if "$" in name else "no name of a profile"
        return name, Unavailable(reason=Reason.NOT_COLLECTED, what=f"tuned profile {name[:60]}", detail=detail)
    read = ""
    for folder in FOLDERS:
        path = f"{folder}/{name}/tuned.conf"
        if path in seen:
            read = path
            continue
        text = host.read(path)
        if isinstance(text, str) or text.reason is not Reason.ABSENT:
            return path, text
    return read or name, Unavailable(reason=Reason.ABSENT, what=f"tuned profile {name}", detail="in none of tuned's folders")
