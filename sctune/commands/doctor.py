"""`sctune doctor`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.report.atomic import Output
from sctune.report.exit import exit_code
from sctune.report.format import FailOn, Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.check import Check
    from sctune.exitcodes import ExitCode
    from sctune.inventory import Inventory
    from sctune.model.report import Report
    from sctune.registry import Registry


def run_doctor(
    *,
    from_path: str | None,
    root: str | None,
    names: Sequence[str],
    format: Format,
    output: str | None,
    fail_on: FailOn,
    config_path: str | None,
    begun: Inventory | None = None,
) -> ExitCode:
    """Looks (or goes on with a look that was begun), judges, writes the report. What is wrong with the request is said before the
    host is looked at."""
    from sctune.config.load import load as load_config
    from sctune.doctor import diagnose
    from sctune.headstart import begin
    from sctune.host.choose import open_host
    from sctune.registry import load as load_registry

    if names:
        choose(load_registry(), names)
    destination = Output(output)
    config = begun.config if begun else load_config(config_path)
    host = begun.host if begun else open_host(from_path, root)
    try:
        # A whole run needs these answers whatever the checks are: they come while the checks are loaded.
        inventory = begun or (None if names else begin(host, config))
        registry = load_registry()
        _load_the_rest(format)
        report = diagnose(host, config, choose(registry, names), inventory=inventory)
    finally:
        host.close()
    destination.write(rendered(report, format, registry, is_terminal=destination.is_terminal))
    return exit_code(report, fail_on)


def _load_the_rest(format: Format) -> None:
    """Loads now what is needed after the last answer: nothing is waited for yet, and then everybody waits."""
    import sctune.chain
    import sctune.probes.lvm_json
    import sctune.probes.lvm_messages

    if format is Format.JSON:
        import sctune.report.json
    else:
        import sctune.report.text  # noqa: F401


def choose(registry: Registry, names: Sequence[str]) -> tuple[Check, ...]:
    """The checks of these names, all where none is named. Raises UserError for a name that is no check's."""
    if not names:
        return registry.checks
    chosen: dict[str, Check] = {}
    for name in names:
        check = registry.find_check(name)
        if check is None:
            raise UserError(f"there is no check {name!r}", _hint(registry, name))
        chosen[check.name] = check
    return tuple(check for check in registry.checks if check.name in chosen)


def _hint(registry: Registry, name: str) -> str:
    found = registry.find_code(name)
    if found is not None:
        check, code = found
        return f"{code.code} is what the check {check.name} finds: --check {check.name}"
    return registry.suggestion(name)


def rendered(report: Report, format: Format, registry: Registry, *, is_terminal: bool) -> bytes:
    """The report's bytes. JSON is UTF-8; text is in the encoding of the terminal or locale."""
    if format is Format.JSON:
        from sctune.report.json import render as render_json

        return render_json(report).encode()
    import sys

    from sctune.report.layout import encode, style_for
    from sctune.report.text import render

    codes = {code.code: code for _, code in registry.codes()}
    text = render(report, style=style_for(is_terminal=is_terminal, environment=os.environ), codes=codes)
    return encode(text, getattr(sys.stdout, "encoding", None) or "utf-8")
