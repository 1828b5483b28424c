"""The commands about tuning: the profiles, and what one would change. They are parsed here; see `sctune.cli`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from sctune.cli_options import Body, Configuration, From, OutputFile, Root  # noqa: TC001 - typer reads annotations when it runs
from sctune.report.format import Plain
from sctune.tuning.via import Via  # noqa: TC001 - likewise


def profiles(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="This one, with all its settings and why.")] = None,
    *,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: OutputFile = None,
) -> Body:
    """List the profiles, or show one.

    Those of the package and those of the site, in /etc/sctune/profiles.d.

    Exit code: 0 done; 1 a profile of the site is broken; 2 there is none of that name, or it is broken.
    """
    from sctune.commands.profiles import run_profiles

    return partial(run_profiles, name, format=format, output=output)


def apply_profile(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A profile; sctune profiles lists them.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Another value for a setting; leave takes it out. Also flush_speed=400MiB/s, or measured:FOLDER there.",
        ),
    ] = None,
    live_only: Annotated[bool, typer.Option("--live-only", help="Only what is in force now, no file that keeps it.")] = False,
    persist_only: Annotated[
        bool, typer.Option("--persist-only", help="Only the files: it counts from the next restart on.")
    ] = False,
    via: Annotated[
        Via | None,
        typer.Option("--via", help="Have tuned make and keep what it can, as a profile of its own that it takes up."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    from_path: From = None,
    root: Root = None,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: OutputFile = None,
    config: Configuration = None,
) -> Body:
    """Tune this host by a profile.

    Shows for each setting and device what it is, what it would be, and why, or why it is left alone; asks; changes what is in force
    and the files that keep it, or nothing. sctune rollback undoes it.

    Exit code: 0 done, or nothing to do; 1 refused, undone after a failure, or a part of the host could not be looked at; 2 wrong
    usage, profile or configuration; 4 changes are pending (--dry-run).

    Where tuned runs and sets the same things otherwise, it is refused: --via tuned or `tuned-adm off` settles that.
    """
    if live_only and persist_only:
        raise typer.BadParameter("it does not go with --live-only", param_hint="--persist-only")
    if via is not None and (live_only or persist_only):
        raise typer.BadParameter(
            f"what {via} makes it keeps too: it goes with neither --live-only nor --persist-only", param_hint="--via"
        )
    from sctune.commands.apply_profile import run_apply_profile

    return partial(
        run_apply_profile,
        name,
        dry_run=dry_run,
        given=tuple(given or ()),
        live=not persist_only,
        persist=not live_only,
        via=via,
        yes=yes,
        from_path=from_path,
        root=root,
        format=format,
        output=output,
        config_path=config,
    )


def verify_profile(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A profile; sctune profiles lists them.")],
    *,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="As for apply-profile; default: as it was applied to this machine."),
    ] = None,
    via: Annotated[
        Via | None, typer.Option("--via", help="As for apply-profile; default: as it was applied to this machine.")
    ] = None,
    from_path: From = None,
    root: Root = None,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: OutputFile = None,
    config: Configuration = None,
) -> Body:
    """Say whether a host is as a profile has it.

    What is in force, and the files that keep it. Changes nothing.

    Exit code: 0 it is; 1 it is not; 2 wrong usage, profile or configuration; 3 not everything could be read.
    """
    from sctune.commands.verify_profile import run_verify_profile

    return partial(
        run_verify_profile,
        name,
        given=tuple(given or ()),
        via=via,
        from_path=from_path,
        root=root,
        format=format,
        output=output,
        config_path=config,
    )
