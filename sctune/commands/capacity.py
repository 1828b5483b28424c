"""`sctune capacity`."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.report.atomic import Output
from sctune.report.format import Plain
from sctune.report.sanitize import clean

if TYPE_CHECKING:
    from sctune.capacity.history import Series
    from sctune.capacity.survey import Question
    from sctune.inventory import Inventory
    from sctune.model.capacity import Capacity

NO_QUOTA = "No quotas of an account"
_MAX_HISTORY = 64 * 1024 * 1024


def run_capacity(
    *,
    from_path: str | None,
    root: str | None,
    question: Question,
    format: Plain,
    output: str | None,
    policy: str | None,
    config_path: str | None,
) -> int:
    """Looks, works out what fits, writes it; with `policy` the quota policy goes to a file of its own, or alone to standard output
    ("-")."""
    from sctune.capacity.survey import PARTS, survey
    from sctune.config.load import load as load_config
    from sctune.host.choose import open_host
    from sctune.inventory import Inventory

    destination = Output(output)
    beside = None if policy is None else Output(policy)
    config = load_config(config_path)
    host = open_host(from_path, root)
    try:
        inventory = Inventory(host, config)
        inventory.fetch(PARTS)
        capacity = survey(inventory, question)
    finally:
        host.close()
    quota = capacity.quota
    if beside is not None and quota is not None:
        beside.write(quota.document.encode())
    if policy != "-" or output not in (None, "-"):
        destination.write(rendered(capacity, inventory, format, is_terminal=destination.is_terminal))
    if beside is not None and quota is None:
        sys.stderr.write(f"sctune: no quota policy was written: {clean(_why_none(capacity))}\n")
        return ExitCode.FAILED
    if capacity.unknown:
        return ExitCode.INCOMPLETE
    return ExitCode.OK if capacity.stores or capacity.groups else ExitCode.FAILED


def _why_none(capacity: Capacity) -> str:
    return next((note for note in capacity.notes if note.startswith(NO_QUOTA)), NO_QUOTA)


def rendered(capacity: Capacity, inventory: Inventory, format: Plain, *, is_terminal: bool) -> bytes:
    """The answer's bytes."""
    identity, clock, source = inventory.identity, inventory.clock, inventory.host.source
    if format is Plain.JSON:
        from sctune.report.capacity_json import render as render_json

        return render_json(capacity, identity=identity, clock=clock, source=source).encode()
    from sctune.report.capacity_text import render
    from sctune.report.layout import encode, style_for

    style = style_for(is_terminal=is_terminal, environment=os.environ)
    text = render(capacity, identity=identity, clock=clock, source=source, style=style)
    if not capacity.stores and not capacity.groups and not capacity.unknown:
        text += "\nNo volume store, and no VG with volumes: nothing to fill.\n"
    return encode(text, getattr(sys.stdout, "encoding", None) or "utf-8")


def read_history(path: str) -> tuple[Series, ...]:
    """The history in a file. Raises UserError for one that is not there or is none."""
    from sctune.capacity.history import HistoryError, parse

    hint = "Write lines time,used_bytes, or save the answer of Prometheus' /api/v1/query_range."
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise IsADirectoryError(0, "it is a folder")
            data = file.read(_MAX_HISTORY + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise UserError(f"cannot read the history {clean(path)}: {str(reason).lower()}", hint) from None
    if len(data) > _MAX_HISTORY:
        raise UserError(f"the history {clean(path)} is larger than 64 MiB", "Ask for fewer points: a few hundred are enough.")
    try:
        return parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UserError(f"the history {clean(path)} is no UTF-8 text", hint) from None
    except HistoryError as error:
        raise UserError(f"the history {clean(path)}: {clean(str(error))}", hint) from None
