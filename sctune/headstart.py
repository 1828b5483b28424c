"""The plain `sctune doctor`, and `sctune apply-profile`, without a detour.

It is typed more than anything else, and cron and monitoring run it. It waits for LVM more than for anything, so LVM is asked
before the checks are loaded; and the library that reads command lines costs a tenth of the whole run (bench/doctor.py), so
it is not loaded for a command line that says nothing but what becomes of the report.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as typing has it, which takes as long to load as the interpreter
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sctune.config.model import Config
    from sctune.host.ahead import Ahead
    from sctune.host.base import Host
    from sctune.inventory import Inventory

_SPAWN = 0.05
"""Seconds to wait at most until LVM has been started; where it is not installed, none of it matters."""
FORMATS = ("text", "json", "junit", "nagios", "html")
FAIL_ON = ("info", "warning", "critical", "never")
"""The words of report.format.Format and FailOn, which are enumerations and cost more to load than to be said again."""


def read_plain(arguments: Sequence[str]) -> tuple[str, str, str | None] | None:
    """The command line as (format, fail_on, output), where it is so plain that its own libraries are not needed to read it; None
    for any other, a wrong one included: that is for the command line's parser to say."""
    if not arguments or arguments[0] != "doctor":
        return None
    said = {"--format": "text", "--fail-on": "warning", "--output": ""}
    rest = list(arguments[1:])
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        if not equals and rest:
            value = rest.pop(0)
        if option not in said or not value or value.startswith("-"):
            return None
        said[option] = value
    if said["--format"] not in FORMATS or said["--fail-on"] not in FAIL_ON:
        return None
    return said["--format"], said["--fail-on"], said["--output"] or None


def read_plain_apply(arguments: Sequence[str]) -> tuple[str, bool, bool, str | None] | None:
    """`apply-profile` as (name, dry run, yes, configuration), where nothing else is said; None for any other command line."""
    if not arguments or arguments[0] != "apply-profile":
        return None
    names: list[str] = []
    dry_run, yes, config = False, False, None
    rest = list(arguments[1:])
    while rest:
        word = rest.pop(0)
        if word == "--dry-run":
            dry_run = True
        elif word in ("--yes", "-y"):
            yes = True
        elif word == "--config" and rest and rest[0] and not rest[0].startswith("-"):
            config = rest.pop(0)
        elif word and not word.startswith("-"):
            names.append(word)
        else:
            return None
    return (names[0], dry_run, yes, config) if len(names) == 1 else None


def run_apply(name: str, dry_run: bool, yes: bool, config: str | None) -> int:
    """Plans and applies on this machine, for people: what `cli_tuning.apply_profile` makes of such a command line."""
    from sctune.commands.apply_profile import run_apply_profile
    from sctune.report.format import Plain

    return run_apply_profile(
        name,
        dry_run=dry_run,
        given=(),
        live=True,
        persist=True,
        via=None,
        yes=yes,
        from_path=None,
        root=None,
        format=Plain.TEXT,
        output=None,
        config_path=config,
    )


def run(format: str, fail_on: str, output: str | None) -> int:
    """Runs it: on this machine, all checks, with the host's own configuration."""
    from sctune.host import ahead

    read_ahead = ahead.begin()
    begun = None
    try:
        begun = start(read_ahead)
        from sctune.commands.doctor import run_doctor
        from sctune.report.format import FailOn, Format

        return run_doctor(
            from_path=None,
            root=None,
            names=(),
            format=Format(format),
            output=output,
            fail_on=FailOn(fail_on),
            config_path=None,
            begun=begun,
        )
    finally:
        if begun is not None:
            begun.host.close()
        if read_ahead is not None:
            read_ahead.close()


def start(read_ahead: Ahead | None = None) -> Inventory | None:
    """Begins the look at this machine. What is wrong with the configuration is left for the command to say."""
    from sctune.config.load import load
    from sctune.errors import UserError

    try:
        config = load(None)
    except UserError:
        return None
    from sctune.host.live import LiveHost

    host = LiveHost(ahead=read_ahead)
    return begin(host, config, asked=lambda: host.tool_started.wait(_SPAWN))


def begin(host: Host, config: Config, *, asked: Callable[[], object] = lambda: None) -> Inventory:
    """Starts the look: the answers that take longest are on their way while the checks are still being loaded.

    LVM takes longest of all and is asked first; `asked` waits until that is so. What LVM must be told about is read before
    anything else runs: a thread that makes many short system calls beside a main thread that is busy with imports waits for
    the interpreter after each of them.
    """
    from sctune.inventory import FIRST, Inventory

    inventory = Inventory(host, config)
    sys.setswitchinterval(0.0005)  # for the same reason, ten times as often as usual
    _ = inventory.sessions, inventory.devices
    inventory.start(FIRST[:1])
    asked()
    # The process table is read by a child that would take LVM's processor; it has time until the checks are loaded.
    inventory.start(FIRST[1:-1])
    return inventory
