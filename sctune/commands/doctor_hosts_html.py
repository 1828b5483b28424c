"""`sctune doctor --host --format html`: a page a host, and one of all of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.report.atomic import Output
from sctune.report.page_folder import INDEX, PageFolder, file_names, is_folder
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.inventory import Inventory
    from sctune.model.fleet import Fleet
    from sctune.model.report import Report
    from sctune.registry import Registry


class HostPages:
    """Where the pages of some hosts go. One host alone is one file, as of this machine, but where a folder is named."""

    def __init__(self, addresses: Sequence[str], output: str | None) -> None:
        """Raises UserError where nothing can be written."""
        self._folder: PageFolder | None = None
        self._file: Output | None = None
        if len(addresses) > 1 or is_folder(output):
            self._folder = PageFolder(output)
        else:
            self._file = Output(output)
        self._names = file_names(addresses)
        self._text = ""
        self._written: dict[str, str] = {}
        self._failure: UserError | None = None
        self._one_by_one = threading.Lock()

    def drawn(self, address: str, inventory: Inventory, report: Report, registry: Registry) -> Report:
        """Makes a host's page while its answers are at hand, in the thread that looked: there may be hundreds of hosts, and no
        answers are kept. The report, with what was left behind looking for more."""
        from sctune.commands.doctor import shown
        from sctune.report.html.render import render

        codes = {code.code: code for _, code in registry.codes()}
        with self._one_by_one:
            report, scene = shown(inventory, report, registry)
            text = render(report, scene, codes)
            if self._folder is None:
                self._text = text
            elif self._failure is None:
                try:
                    self._folder.write(self._names[address], text)
                    self._written[address] = self._names[address]
                except UserError as error:
                    # What is wrong is the folder, not the host.
                    self._failure = error
        return report

    def finish(self, fleet: Fleet) -> None:
        """Writes what is of all of them, after the pages that it leads to. Raises as `Output.write`."""
        from sctune.report.html.render import render_fleet

        if self._failure is not None:
            raise self._failure
        if self._folder is not None:
            links = {
                look.address: self._written[look.address]
                for look in fleet.hosts
                if look.address in self._written and not isinstance(look.outcome, Unavailable)
            }
            self._folder.write(INDEX, render_fleet(fleet, links))
        elif self._file is not None:
            self._file.write((self._text or render_fleet(fleet, {})).encode())
