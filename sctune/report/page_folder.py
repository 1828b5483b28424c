"""A folder of pages: index.html and one file a host, each there whole or not at all."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.report.atomic import Output
from sctune.report.sanitize import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

INDEX = "index.html"
_LONGEST = 100
_ODD = re.compile(r"[^A-Za-z0-9_.@+-]")


def is_folder(path: str | None) -> bool:
    """Whether it is a folder that is meant, even where only one host is named."""
    return path not in (None, "-") and (path.endswith("/") or os.path.isdir(path))


def file_names(addresses: Sequence[str]) -> dict[str, str]:
    """A file's name for each host, another for each, also where a file system takes small letters for large ones. Nothing in them
    is anything to a shell, to a URL or as a path, and they begin as no index, option or hidden file does."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for address in addresses:
        stem = f"host-{_ODD.sub('-', address.removeprefix('ssh://'))[:_LONGEST]}"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names[address] = f"{name}.html"
    return names


class PageFolder:
    """Where the pages go. It is looked at when it is named, so that a wrong name costs no look at a host."""

    def __init__(self, path: str | None) -> None:
        """Makes the folder where there is none. Raises UserError where nothing can be written."""
        if path in (None, "-"):
            raise UserError("several hosts are a folder of HTML pages", "Add --output FOLDER.")
        if os.path.lexists(path) and not os.path.isdir(path):
            raise UserError(
                f"cannot write {clean(path)}: it is no folder, and several hosts are one of HTML pages", "Name a folder."
            )
        try:
            os.makedirs(path, exist_ok=True)
        except (OSError, ValueError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a path"
            raise UserError(f"cannot make {clean(path)}: {reason.lower()}", "Name another folder.") from None
        self.path = path
        Output(os.path.join(path, INDEX))

    def write(self, name: str, text: str) -> None:
        """One page. Raises as `Output.write`."""
        Output(os.path.join(self.path, name)).write(text.encode())
