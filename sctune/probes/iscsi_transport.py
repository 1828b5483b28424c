"""Whether the kernel can speak iSCSI over TCP: loaded, or there to be loaded and not forbidden. Files alone tell.

Built in, iscsi_tcp is in /sys/class/iscsi_transport as a loaded one is. iscsiadm loads it by itself with libkmod and keeps to
`blacklist` (open-iscsi, usr/transport.c: KMOD_PROBE_APPLY_BLACKLIST; tried with 2.1.8), other than `modprobe iscsi_tcp`, which
heeds a blacklist for aliases only. Files of modprobe.d: modprobe.d(5); a name in an earlier folder hides the same in later ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.initiator import TcpTransport
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

MODULE = "iscsi_tcp"
_FOLDERS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
_NOTHING = frozenset(
    f"{folder}{name}" for folder in ("", "/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/") for name in ("true", "false", ":")
)
"""What an `install` line says to have nothing loaded."""


def probe(host: Host) -> TcpTransport | Unavailable:
    """iscsi_tcp on this host."""
    loaded = host.list("/sys/class/iscsi_transport")
    if isinstance(loaded, Unavailable):
        if loaded.reason is not Reason.ABSENT:
            return loaded
    elif "tcp" in loaded:
        return TcpTransport(loaded=True)
    release = host.identity().kernel
    kernels = host.list("/lib/modules")
    if isinstance(kernels, Unavailable) and kernels.reason is not Reason.ABSENT:
        return kernels
    if isinstance(kernels, Unavailable) or not kernels:
        return TcpTransport(loaded=False)
    module = False
    if release in kernels:
        text = host.read(f"/lib/modules/{release}/modules.dep")
        if isinstance(text, Unavailable):
            return text
        module = in_modules(text)
    forbidden = _forbidden(host) if module else ""
    return forbidden if isinstance(forbidden, Unavailable) else TcpTransport(loaded=False, module=module, forbidden=forbidden)


def in_modules(text: str) -> bool:
    """Whether modules.dep(5) names the module, compressed or not."""
    for line in text.split("\n"):
        name = line.partition(":")[0].rpartition("/")[2]
        if name.partition(".")[0].replace("-", "_") == MODULE and ".ko" in name:
            return True
    return False


def _forbidden(host: Host) -> str | Unavailable:
    words = host.read("/proc/cmdline")
    for word in words.split() if isinstance(words, str) else ():
        if word.startswith("modprobe.blacklist=") and MODULE in word.partition("=")[2].replace("-", "_").split(","):
            return f"/proc/cmdline: {word}"
    seen: set[str] = set()
    for folder in _FOLDERS:
        names = host.list(folder)
        for name in () if isinstance(names, Unavailable) else names:
            if not name.endswith(".conf") or name in seen:
                continue
            seen.add(name)
            text = host.read(f"{folder}/{name}")
            if isinstance(text, Unavailable):
                if text.reason is not Reason.ABSENT:
                    return text
            elif line := forbids(text):
                return f"{folder}/{name}: {line}"
    return ""


def forbids(text: str) -> str:
    """The first line of a file of modprobe.d that keeps iscsiadm from loading it, "" where none does."""
    for line in text.replace("\\\n", " ").split("\n"):
        words = line.split()
        if len(words) < 2 or words[1].replace("-", "_") != MODULE:
            continue
        if words[0] == "blacklist" or (words[0] == "install" and len(words) > 2 and words[2] in _NOTHING):
            return " ".join(words[:3])
    return ""
