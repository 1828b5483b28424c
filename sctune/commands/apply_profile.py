"""`sctune apply-profile`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.tuning.model import Plan


def run_apply_profile(
    name: str,
    *,
    dry_run: bool,
    given: tuple[str, ...],
    live: bool,
    persist: bool,
    from_path: str | None,
    root: str | None,
    format: Plain,
    output: str | None,
    config_path: str | None,
) -> int:
    """Plans and shows the plan. Returns 4 where anything would change, 1 where nothing would and something is unknown."""
    from sctune.config.load import load as load_config
    from sctune.host.choose import open_host
    from sctune.inventory import Inventory
    from sctune.progress import progress
    from sctune.tuning.load import catalogue, joined, override
    from sctune.tuning.model import Options
    from sctune.tuning.plan import operations, plan

    if not dry_run:
        raise UserError("apply-profile only shows what it would change, so far", "add --dry-run")
    destination = Output(output)
    found = override(joined(name, catalogue()), given)
    config = load_config(config_path)
    host: Host = open_host(from_path, root)
    try:
        inventory = Inventory(host, config)
        with progress(inventory):
            made = plan(
                inventory,
                found.profile,
                Options(live=live, persist=persist, flush_speed=found.flush_speed, given=given),
            )
        identity, source = inventory.identity, host.source
    finally:
        host.close()
    if format is Plain.JSON:
        from sctune.report.plan_json import render as render_json

        destination.write(render_json(made, identity=identity, source=source).encode())
    else:
        from sctune.report.layout import encode, style_for
        from sctune.report.plan_text import render

        style = style_for(is_terminal=destination.is_terminal, environment=os.environ)
        destination.write(encode(render(made, identity=identity, style=style), sys.stdout.encoding or "utf-8"))
    if operations(made):
        return ExitCode.PENDING
    return _unknown(made)


def _unknown(made: Plan) -> ExitCode:
    """What could not be looked at is not "nothing to do"."""
    return ExitCode.FAILED if made.unread else ExitCode.OK
