"""The inventory of a scrape: what may be asked while somebody waits, and nothing that starts a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.inventory import Inventory

if TYPE_CHECKING:
    from sctune.config.model import Config
    from sctune.host.base import Host


class Looks:
    """Makes one look after another at one host."""

    def __init__(self, host: Host, config: Config) -> None:
        self._host = host
        self._config = config

    def look(self) -> Inventory:
        """A new look."""
        return Inventory(self._host, self._config)
