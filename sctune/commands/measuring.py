"""`--set flush_speed=measured:FOLDER`: how fast this host writes, found out before a plan is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.tuning.load import FLUSH_SPEED, MEASURED
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.host.flushing import FlushSpeed

_MIB = 1024 * 1024


def to_measure(text: str) -> bool:
    """Whether a --set asks for it."""
    key, _, value = text.partition("=")
    return key.strip() == FLUSH_SPEED and value.strip().startswith(MEASURED)


def measured(
    given: tuple[str, ...],
    *,
    live: bool,
    tell: Callable[[str], None],
    measure: Callable[[str], FlushSpeed | Unavailable] | None = None,
) -> tuple[str, ...]:
    """The same --set options with the speed in the place of the folder it is to be measured in: the number is what is journalled,
    so that who verifies measures nothing. Raises UserError where the host is another than this one, or it could not be measured."""
    return tuple(_measured(text, live=live, tell=tell, measure=measure) for text in given)


def _measured(
    text: str, *, live: bool, tell: Callable[[str], None], measure: Callable[[str], FlushSpeed | Unavailable] | None
) -> str:
    if not to_measure(text):
        return text
    folder = text.partition("=")[2].strip().removeprefix(MEASURED)
    if not folder.startswith("/"):
        hint = f"such as {FLUSH_SPEED}={MEASURED}/var/lib/eucalyptus/volumes"
        raise UserError(f"--set {text}: expected a folder after {MEASURED}", hint)
    if not live:
        hint = f"Give a number: {FLUSH_SPEED}=400MiB/s"
        raise UserError(f"--set {text}: only the machine that sctune runs on can be measured", hint)
    from sctune.host.flushing import measure_flush

    found = (measure or measure_flush)(folder)
    if isinstance(found, Unavailable):
        hint = f"Name another folder, or a number: {FLUSH_SPEED}=400MiB/s"
        raise UserError(f"the flush speed could not be measured: {found}", hint)
    speed = max(1, int(found.speed / _MIB))
    tell(f"measured in {folder}: {found.written // _MIB} MiB written and flushed in {found.seconds:.1f} s, {speed} MiB/s")
    return f"{FLUSH_SPEED}={speed}MiB/s"
