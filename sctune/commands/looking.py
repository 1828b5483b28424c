"""What the commands that look at a host and are no doctor have in common: the look, and the words for what is missing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sctune.check import Check
    from sctune.findings import Code, Finding
    from sctune.host.base import Host
    from sctune.inventory import Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A look and what the checks that speak of volumes found on it, with all catalogue entries by code."""

    inventory: Inventory
    findings: tuple[Finding, ...]
    codes: Mapping[str, Code]


@contextmanager
def look(*, from_path: str | None, root: str | None, config_path: str | None, parts: Iterable[str]) -> Iterator[Judged]:
    """Looks at the host, judges its volumes, and closes it in the end. `parts` are what the command itself reads beside."""
    from sctune.config.load import load as load_config
    from sctune.doctor import diagnose, fetch
    from sctune.headstart import begin
    from sctune.host.base import Source
    from sctune.host.choose import open_host
    from sctune.inventory import Inventory
    from sctune.progress import progress
    from sctune.registry import load as load_registry

    config = load_config(config_path)
    host: Host = open_host(from_path, root)
    try:
        inventory = begin(host, config) if host.source is Source.LIVE else Inventory(host, config)
        with progress(inventory):
            registry = load_registry()
            checks = of_volumes(registry.checks)
            fetch(inventory, checks, also=parts)
            report = diagnose(host, config, checks, inventory=inventory)
        codes = {code.code: code for _, code in registry.codes()}
        yield Judged(inventory=inventory, findings=report.findings, codes=codes)
    finally:
        host.close()


def of_volumes(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks that can say something of a volume's state."""
    return tuple(check for check in checks if any(code.volume is not None for code in check.codes))
