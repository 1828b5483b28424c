"""Giving up root for good: what speaks to the network has no right that an intruder could use.

Every step is checked by its effect, and nothing is served where one did not have it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import pwd
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.records import dataclass

if TYPE_CHECKING:
    from typing import Any

# linux/prctl.h
_SET_PDEATHSIG = 1
_CAPBSET_DROP = 24
_SET_NO_NEW_PRIVS = 38
_GET_NO_NEW_PRIVS = 39
_CAP_AMBIENT = 47
_CAP_AMBIENT_CLEAR_ALL = 4
_SET_DUMPABLE = 4
_LAST_CAPABILITY = 63
"""The kernel counts them in 64 bits; those it does not know are refused with EINVAL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user to become, by number, with its own group."""

    name: str
    uid: int
    gid: int


def account(name: str) -> Account:
    """The user of this name. Raises UserError where there is none, or where it is root."""
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):
        raise UserError(f"there is no user {name!r} to serve as", "name another one with --user") from None
    if found.pw_uid == 0 or found.pw_gid == 0:
        raise UserError(f"the user {name!r} has root's user or group number", "name one without rights with --user")
    return Account(name=name, uid=found.pw_uid, gid=found.pw_gid)


def drop_to(who: Account) -> None:
    """Becomes this user, without any other group and any capability, now and for every program started later. Raises UserError
    where that could not be had; the process must end then."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        for capability in range(_LAST_CAPABILITY + 1):
            if not _prctl(libc, _CAPBSET_DROP, capability, unknown_is_fine=True):
                break
        _prctl(libc, _CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, unknown_is_fine=True)
        os.setgroups([])
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
        _prctl(libc, _SET_NO_NEW_PRIVS, 1)
        _prctl(libc, _SET_DUMPABLE, 0)
    except OSError as error:
        raise UserError(f"cannot become {who.name}: {error.strerror or error}", "nothing is served as root") from None
    if not _is_dropped(libc, who):
        raise UserError(f"cannot give up root for {who.name}", "nothing is served as root")


def die_with_parent(parent: int) -> None:
    """Has the kernel end this process when its parent, whose pid is given, ends, also by SIGKILL."""
    libc = ctypes.CDLL(None, use_errno=True)
    _prctl(libc, _SET_PDEATHSIG, 15)
    if os.getppid() != parent:
        os._exit(0)  # it ended before we asked


def _is_dropped(libc: Any, who: Account) -> bool:
    if os.getresuid() != (who.uid,) * 3 or os.getresgid() != (who.gid,) * 3 or os.getgroups():
        return False
    none = ctypes.c_ulong(0)
    if libc.prctl(_GET_NO_NEW_PRIVS, none, none, none, none) != 1:
        return False
    for get_root in (os.setuid, os.setgid):
        try:
            get_root(0)
        except PermissionError:
            continue
        return False
    return True


def _prctl(libc: Any, option: int, argument: int, *, unknown_is_fine: bool = False) -> bool:
    none = ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(argument), none, none, none) == 0:
        return True
    number = ctypes.get_errno()
    if unknown_is_fine and number == errno.EINVAL:
        return False
    raise OSError(number, os.strerror(number))
