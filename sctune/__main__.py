"""The command `sctune`, and `python -m sctune`."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # as typing has it, which takes as long to load as the interpreter
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code. Whatever goes wrong ends in one clear line on standard error."""
    if None in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        from sctune.failure import open_closed_streams

        open_closed_streams()
    chosen = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if chosen == ["--version"]:
            # Before any import: scripts and packagers ask this a lot, and it has to answer on a broken installation.
            from sctune.version import VERSION

            sys.stdout.write(f"sctune {VERSION}\n")
            code = 0
        else:
            code = _run(chosen)
        sys.stdout.flush()
    except Exception as error:
        from sctune.failure import report_failure

        return report_failure(error, chosen)
    except KeyboardInterrupt as error:
        from sctune.failure import report_failure

        return report_failure(error, chosen)
    return code


def _run(chosen: list[str]) -> int:
    if chosen[:1] in (["doctor"], ["apply-profile"], ["verify-profile"]):
        # A run lives for half a second and its records hold no cycles: collecting would only cost.
        gc.disable()
    if chosen[:1] == ["doctor"]:
        from sctune.headstart import read_plain
        from sctune.headstart import run as run_plain

        plain = read_plain(chosen)
        if plain is not None:
            return run_plain(*plain)
    if chosen[:1] == ["apply-profile"]:
        from sctune.headstart import read_plain_apply, run_apply

        said = read_plain_apply(chosen)
        if said is not None:
            return run_apply(*said)
    from sctune.cli import run

    return run(chosen)


def entry() -> NoReturn:
    """The command itself: `main`, and out. Taking down the interpreter object by object would cost as much as all the checks, and
    nothing is left to do: the report is written, and the children are ended."""
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # a closed stream: let the interpreter say what it says
    os._exit(code)


if __name__ == "__main__":
    entry()
