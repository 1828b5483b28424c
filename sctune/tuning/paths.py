"""The files that keep a profile's settings over a restart."""

from __future__ import annotations

import re

SYSCTL_FOLDER = "/etc/sysctl.d"
UDEV_FOLDER = "/etc/udev/rules.d"
TMPFILES_FOLDER = "/etc/tmpfiles.d"
MODPROBE_FOLDER = "/etc/modprobe.d"
FOLDERS = (SYSCTL_FOLDER, UDEV_FOLDER, TMPFILES_FOLDER, MODPROBE_FOLDER)
NUMBER = 90
"""After what packages bring, and before 99, which administrators have for their last word."""
OURS = re.compile(r"(?:[0-9]{2}-)?sctune-([a-z0-9-]+)\.(?:conf|rules)\Z")
"""The names of the files that a profile of sctune's is kept by."""


def sysctl_path(profile: str) -> str:
    """By sysctl.d(5)."""
    return f"{SYSCTL_FOLDER}/{NUMBER}-sctune-{profile}.conf"


def udev_path(profile: str) -> str:
    """By udev(7), after the rules that make a device's properties."""
    return f"{UDEV_FOLDER}/{NUMBER}-sctune-{profile}.rules"


def tmpfiles_path(profile: str) -> str:
    """By tmpfiles.d(5)."""
    return f"{TMPFILES_FOLDER}/sctune-{profile}.conf"


def modprobe_path(profile: str) -> str:
    """By modprobe.d(5)."""
    return f"{MODPROBE_FOLDER}/sctune-{profile}.conf"


def tuned_name(profile: str) -> str:
    """What a profile is called in tuned."""
    return f"sctune-{profile}"


def tuned_path(folder: str, profile: str) -> str:
    """By tuned.conf(5): a folder of the profile's name in one of those where tuned looks."""
    return f"{folder}/{tuned_name(profile)}/tuned.conf"


def paths_of(profile: str) -> tuple[str, ...]:
    """All of them."""
    return (sysctl_path(profile), udev_path(profile), tmpfiles_path(profile), modprobe_path(profile))
