"""CLOUD_OPTS of /etc/eucalyptus/eucalyptus.conf: what eucalyptus-cloud is started with.

The file is one of shell assignments, which systemd reads too (EnvironmentFile=, systemd.exec(5)); the last assignment counts. Of
what stands there nothing is kept but the heap.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sctune.jvm import heap_of
from sctune.model.cloud import CloudOptions
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host

PATH = "/etc/eucalyptus/eucalyptus.conf"
_NAME = "CLOUD_OPTS="


def probe(host: Host) -> CloudOptions | Unavailable:
    """What matters of the options."""
    text = host.read(PATH)
    return text if isinstance(text, Unavailable) else parse(text)


def parse(text: str) -> CloudOptions | Unavailable:
    """The options of the file's last CLOUD_OPTS; none where it has no such line."""
    words: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        assignment = line.strip().removeprefix("export ")
        if not assignment.startswith(_NAME):
            continue
        try:
            values = shlex.split(assignment.removeprefix(_NAME), comments=True)
            words = shlex.split(values[0]) if values else []
        except ValueError as error:
            return Unavailable(reason=Reason.MALFORMED, what=PATH, detail=f"line {number}: {error}")
    return CloudOptions(heap=heap_of(words))
