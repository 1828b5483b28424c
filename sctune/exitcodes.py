"""Exit codes: the contract with scripts and monitoring."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with. Names that share a number are the same outcome in the words of different commands.

    doctor: OK, FINDINGS, USAGE, INCOMPLETE. Other commands that look: OK, FAILED, USAGE, INCOMPLETE.
    """

    OK = 0
    """Nothing at or above --fail-on; done, or nothing to do."""

    FINDINGS = 1
    """doctor: something at or above --fail-on was found."""

    FAILED = 1
    """Any other command: not found, refused, or failed."""

    USAGE = 2
    """The command line or the configuration is wrong, or the output cannot be written where it was asked for."""

    INCOMPLETE = 3
    """Nothing at or above --fail-on was found, but something that applies could not be examined."""

    DEFECT = 3
    """sctune itself failed: nothing can be said of the host, which is what 3 means to a script."""

    PENDING = 4
    """A dry run has changes to make."""

    INTERRUPTED = 130
    """Ctrl-C, as shells report SIGINT."""

    BROKEN_PIPE = 141
    """Whoever read the output has gone, as shells report SIGPIPE: `sctune doctor | head` says the same as `cat | head`."""
