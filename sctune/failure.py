"""What an operator sees when a command cannot go on: one line that says why, a hint, and the right exit code.

A traceback is for developers: it is printed where SCTUNE_DEBUG=1 is set.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.report.sanitize import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEBUG = "SCTUNE_DEBUG"


def report_failure(error: BaseException, arguments: Sequence[str] = ()) -> int:
    """Prints what went wrong on standard error and says with what to exit. `arguments` are the command line's: a plug-in of Nagios
    has its own place to say it (standard output) and its own exit status (3)."""
    if isinstance(error, BrokenPipeError):
        _give_up_stdout()
        return ExitCode.BROKEN_PIPE
    if os.environ.get(_DEBUG) == "1":
        _say(_traceback(error))
    code, lines = _told(error)
    if _is_plugin(arguments):
        from sctune.report.nagios import State, failure

        _print(failure(lines[0].removeprefix("sctune: "), " ".join(lines[1:])))
        return State.UNKNOWN
    _say(*lines)
    return code


def _told(error: BaseException) -> tuple[ExitCode, list[str]]:
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED, ["sctune: interrupted"]
    if isinstance(error, UserError):
        return ExitCode.USAGE, [f"sctune: {clean(error.message)}", *filter(None, [clean(error.hint)])]
    if _is_usage_error(error):
        return ExitCode.USAGE, _usage(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EBADF) and not error.filename:
        # No file named: it is standard output that could not take it.
        _give_up_stdout()
        return ExitCode.USAGE, [f"sctune: cannot write standard output: {os.strerror(error.errno).lower()}"]
    return ExitCode.DEFECT, [
        f"sctune: defect in sctune, please report: {type(error).__name__}: {clean(str(error))}",
        f"Nothing is said about the host. {_DEBUG}=1 in the environment shows where it happened.",
    ]


def _is_plugin(arguments: Sequence[str]) -> bool:
    """Whether the doctor was asked to be one, as far as a command line tells that could not be read."""
    if not arguments or arguments[0] != "doctor":
        return False
    return any(
        word == "--format=nagios" or (word == "nagios" and before == "--format")
        for before, word in zip(("", *arguments), arguments, strict=False)
    )


def warn(message: str) -> None:
    """One line on standard error of what is wrong beside the result; it fails nothing."""
    _say(f"sctune: warning: {clean(message)}")


def open_closed_streams() -> None:
    """Gives a program started with closed standard streams (`>&-`) the null device in their place: else the next file it opens
    would become its standard output, and be written to."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _is_usage_error(error: BaseException) -> bool:
    """typer's own errors, which are of different modules in its versions (it took Click in with 0.26)."""
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _usage(error: BaseException) -> list[str]:
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "sctune")
    message = clean(str(error.format_message()))  # type: ignore[attr-defined]
    return [f"{command}: {message[:1].lower()}{message[1:].rstrip('.')}", f"Try '{command} --help'."]


def _traceback(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error)).rstrip("\n")


def _say(*lines: str) -> None:
    # Standard error may be closed or full; there is nobody left to tell then.
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()


def _print(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        sys.stdout.write(text)
        sys.stdout.flush()


def _give_up_stdout() -> None:
    """What is still buffered has nowhere to go: without this the interpreter would complain about it on its way out."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
