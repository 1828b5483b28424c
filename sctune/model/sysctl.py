"""The kernel's settings as files ask for them (sysctl.d(5), sysctl.conf(5)), and as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.unavailable import Unavailable

SETTINGS = (
    "vm.dirty_ratio",
    "vm.dirty_bytes",
    "vm.dirty_background_ratio",
    "vm.dirty_background_bytes",
    "vm.dirty_expire_centisecs",
    "vm.dirty_writeback_centisecs",
    "vm.swappiness",
    "fs.aio-max-nr",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_wmem",
)
"""The settings that matter to a host that serves volumes: writeback, swapping, asynchronous I/O, iSCSI's sockets. No other is
looked at: some of the rest change by themselves (vm.min_free_kbytes), and some are secrets (net.ipv4.tcp_fastopen_key)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SysctlLine:
    """One line of a file. `key` has dots, and may be a pattern; `value` None excludes the key from patterns. `line` from 1 on.
    `vendor`: the file came with a package (below /usr/lib or /lib), which the administrator's are there to override."""

    key: str
    value: str | None
    file: str
    line: int
    vendor: bool = False

    @property
    def place(self) -> str:
        """File and line, as grep(1) prints them."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SysctlState:
    """`lines` in the order in which they are applied at boot: the last one of a key wins. `unread_at_boot` are those of
    /etc/sysctl.conf where nothing applies that file at boot. `live` are the values in force, by key; what the kernel does not
    have is not in it. `unreadable` are files that could not be read. `applied` is False in a container, whose files nobody
    applies: its kernel is the host's."""

    lines: tuple[SysctlLine, ...]
    unread_at_boot: tuple[SysctlLine, ...]
    live: Mapping[str, str]
    unreadable: tuple[Unavailable, ...]
    applied: bool
