"""`sctune chain`."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.commands.looking import Judged
    from sctune.model.tree import Link
    from sctune.model.tree_io import TreeIo
    from sctune.model.volume import VolumeRow


def run_chain(
    name: str,
    *,
    interval: float | None,
    from_path: str | None,
    root: str | None,
    format: Plain,
    output: str | None,
    config_path: str | None,
) -> int:
    """Looks, finds the chain, shows it. Returns 1 where there is none of that name, 3 where a part of it could not be looked at."""
    from sctune.chain_find import find, find_remote, suggestions
    from sctune.chain_io import count
    from sctune.chain_tree import remote_tree, tree
    from sctune.commands.looking import look
    from sctune.guest_disks import guest_index
    from sctune.host.base import Source
    from sctune.remote import remote_volumes
    from sctune.unavailable import Unavailable, known
    from sctune.volume_state import VolumeStates
    from sctune.volumes import PARTS, remote_row, row, unread_parts

    if interval is not None and math.isnan(interval):
        raise UserError("--interval is not a number", "Give seconds, such as 5.")
    if interval is not None and (from_path is not None or root is not None):
        raise UserError("--interval needs a live machine: a capture was looked at once", "Leave it out.")
    destination = Output(output)
    with look(from_path=from_path, root=root, config_path=config_path, parts=PARTS) as judged:
        inventory = judged.inventory
        chains = inventory.chains
        found = () if isinstance(chains, Unavailable) else find(name, inventory, chains)
        elsewhere = find_remote(name, inventory, remote_volumes(inventory))
        unread = tuple(unread_parts(inventory))
        if not found and not elsewhere:
            seen = known(chains)
            _say_missing(name, suggestions(name, seen) if seen else (), partial=bool(unread))
            return ExitCode.INCOMPLETE if unread else ExitCode.FAILED
        index = guest_index(inventory)
        states = VolumeStates(inventory, judged.findings, judged.codes)
        shown = [(row(chain, states, index), tree(chain, inventory, judged.findings, judged.codes)) for chain in found]
        shown += [
            (remote_row(volume, states), remote_tree(volume, inventory, judged.findings, judged.codes)) for volume in elsewhere
        ]
        links = [link for _, tops in shown for link in tops]
        live = inventory.host.source is Source.LIVE
        io = count(inventory.host, links, interval=interval if live else None)
        _write(destination, judged, shown, io, format=format)
    return ExitCode.INCOMPLETE if any(one.unseen for one, _ in shown) else ExitCode.OK


def _write(
    destination: Output,
    judged: Judged,
    shown: Sequence[tuple[VolumeRow, Sequence[Link]]],
    io: TreeIo,
    *,
    format: Plain,
) -> None:
    inventory = judged.inventory
    if format is Plain.JSON:
        from sctune.report.chain_json import render as render_json

        text = render_json(shown, io, identity=inventory.identity, source=inventory.host.source, clock=inventory.clock)
        destination.write(text.encode())
        return
    from sctune.report.chain_text import render

    style = destination.style
    destination.write_text("\n".join(render(one, links, io, style=style) for one, links in shown))


def _say_missing(name: str, meant: Sequence[str], *, partial: bool) -> None:
    from sctune.report.sanitize import clean

    hint = f" Did you mean {', '.join(clean(one) for one in meant)}?" if meant else " sctune volumes --all lists what there is."
    unsure = " Not everything could be looked at, so it may be there all the same." if partial else ""
    sys.stderr.write(f"sctune: nothing here is called {clean(name)!r}.{unsure}{hint}\n")
