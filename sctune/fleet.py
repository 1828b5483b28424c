"""The doctor on several hosts at once, over SSH."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sctune.doctor import diagnose
from sctune.host.command import end_all
from sctune.host.ssh import look_at
from sctune.inventory import Inventory
from sctune.model.fleet import Fleet, HostLook
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable
from sctune.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from sctune.check import Check
    from sctune.config.model import Config
    from sctune.host.ssh import SshHost, SshLook
    from sctune.model.report import Report

    More: TypeAlias = Callable[[str, Inventory, Report], Report]


def look_around(
    addresses: Sequence[str],
    look: SshLook,
    config: Config,
    checks: Sequence[Check],
    *,
    jobs: int,
    each: Callable[[HostLook], object] = lambda _: None,
    more: More | None = None,
) -> Fleet:
    """Looks at all of them, `jobs` at a time; a host that cannot be looked at keeps none of the others. `each` is told of every
    outcome as it comes, in the thread that has it; before, `more` is given a host's inventory and report, and returns the report
    that counts."""
    began, started = time.monotonic(), time.time()

    def one(address: str) -> HostLook:
        seen = HostLook(address=address, outcome=_outcome(address, look, config, checks, more))
        each(seen)
        return seen

    pool = ThreadPoolExecutor(max_workers=max(1, min(jobs, len(addresses))), thread_name_prefix="host")
    try:
        looks = pool.map(one, addresses)
        _load_the_rest()
        hosts = tuple(looks)
    except BaseException:
        # Somebody gave up: no thread starts another connection, and those that wait for one are let go.
        pool.shutdown(wait=False, cancel_futures=True)
        end_all()
        raise
    pool.shutdown()
    return Fleet(version=VERSION, started=started, seconds=time.monotonic() - began, hosts=hosts)


def _load_the_rest() -> None:
    """Loads what the first answers will want while they are on their way."""
    from importlib import import_module
    from pkgutil import iter_modules

    import sctune.probes

    for module in iter_modules(sctune.probes.__path__):
        import_module(f"sctune.probes.{module.name}")
    import_module("sctune.chain")


def _outcome(address: str, look: SshLook, config: Config, checks: Sequence[Check], more: More | None) -> Report | Unavailable:
    """One host's report. What goes wrong with one host is told as that host's: the others' reports are not lost for it."""
    try:
        return _examined(address, look, config, checks, more)
    except Exception as error:
        detail = f"defect in sctune, please report: {type(error).__name__}: {error}"
        return Unavailable(reason=Reason.FAILED, what=address, detail=detail)


def _examined(address: str, look: SshLook, config: Config, checks: Sequence[Check], more: More | None) -> Report | Unavailable:
    """Where an inventory of the host is at hand: a form of the report that shows more than findings takes it from here."""
    began = time.monotonic()
    host = look_at(address, look)
    if isinstance(host, Unavailable):
        return host

    def again() -> SshHost | None:
        left = look.seconds - (time.monotonic() - began)
        found = look_at(address, replace(look, seconds=left)) if left > 0 else None
        return None if isinstance(found, Unavailable) else found

    inventory = Inventory(host, config)
    report = diagnose(host, config, checks, inventory=inventory, again=again)
    report = replace(report, seconds=time.monotonic() - began)
    return more(address, inventory, report) if more is not None else report
