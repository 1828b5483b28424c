"""`sctune volumes`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.model.volume import VolumeState
    from sctune.report.format import VolumeSort


def run_volumes(
    *,
    patterns: Sequence[str],
    states: Sequence[VolumeState],
    sort: VolumeSort,
    everything: bool,
    wide: bool,
    from_path: str | None,
    root: str | None,
    format: Plain,
    output: str | None,
    config_path: str | None,
) -> int:
    """Looks and lists. Returns 3 where a part could not be looked at, else 1 where patterns were given and nothing matches."""
    from sctune.commands.looking import look
    from sctune.volumes import PARTS, matching, sort_rows, volumes

    destination = Output(output)
    with look(from_path=from_path, root=root, config_path=config_path, parts=PARTS) as judged:
        inventory = judged.inventory
        listed = volumes(inventory, judged.findings, judged.codes, everything=everything)
        rows = matching(listed.rows, patterns) if patterns else listed.rows
        found = bool(rows) or not patterns
        if states:
            rows = tuple(row for row in rows if row.state in states)
        rows = sort_rows(rows, sort)
        if format is Plain.JSON:
            from sctune.report.volumes_json import render as render_json

            text = render_json(
                rows,
                others=listed.others,
                unread=listed.unread,
                identity=inventory.identity,
                source=inventory.host.source,
                clock=inventory.clock,
            )
            destination.write(text.encode())
        else:
            from sctune.report.layout import columns
            from sctune.report.volumes_text import render

            style = destination.style
            # A table may use all of the terminal's width, which a paragraph does not.
            room = columns(is_terminal=destination.is_terminal, environment=os.environ) or style.width
            text = render(
                rows,
                others=listed.others,
                hidden=len(listed.rows) - len(rows),
                unread=listed.unread,
                style=style,
                width=None if wide or not destination.is_terminal else room,
            )
            destination.write_text(text)
    if listed.unread:
        return ExitCode.INCOMPLETE  # what was asked for may be there all the same
    return ExitCode.OK if found else ExitCode.FAILED
