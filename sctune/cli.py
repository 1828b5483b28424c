"""The command line. Each command imports its body when it is run, so that a command costs what it uses and no more."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from sctune.model.volume import VolumeState  # noqa: TC001 - typer reads annotations when it runs
from sctune.report.format import FailOn, Format, Plain, VolumeSort

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    name="sctune",
    # rich and pydantic cost more than the command itself.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    # The scripts for shells come from _SCTUNE_COMPLETE=source_bash; options that install them would be in everybody's --help.
    add_completion="_SCTUNE_COMPLETE" in os.environ,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Doctor for Linux hosts that serve block volumes: loop devices, LVM, tgt, open-iscsi.",
)


Body: TypeAlias = Callable[[], int]
"""What a command does, ready to be called: typer only parses. It would turn Ctrl-C and a reader that has gone into exit codes
of its own."""


def run(arguments: Sequence[str]) -> int:
    """Parses the command line and runs the command. Returns its exit code; errors are raised."""
    try:
        chosen: Body | int | None = app(args=list(arguments), prog_name="sctune", standalone_mode=False)
    except SystemExit as left:
        if isinstance(left.__context__, BrokenPipeError):
            raise left.__context__ from None
        raise
    if callable(chosen):
        return chosen()
    return chosen or 0


def _print_version(wanted: bool) -> None:
    if wanted:
        from sctune.version import VERSION

        typer.echo(f"sctune {VERSION}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


_From = Annotated[
    str | None, typer.Option("--from", metavar="PATH", help="Look at a capture (file or folder) instead of this machine.")
]
_Root = Annotated[
    str | None, typer.Option("--root", metavar="DIR", help="Look at a file tree, e.g. a mounted image; runs no command.")
]
_OutputFile = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Write there, whole or not at all; - is standard output.")
]
_Configuration = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="Configuration (default: /etc/sctune/sctune.yaml where there is one)."),
]


@app.command()
def doctor(
    *,
    from_path: _From = None,
    root: _Root = None,
    check: Annotated[
        list[str] | None,
        typer.Option("--check", metavar="NAME", help="Only this check; may be given again. sctune checks lists them."),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="For people, programs, CI servers or monitoring.")] = Format.TEXT,
    output: _OutputFile = None,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="The least severity that makes the exit code 1.")] = FailOn.WARNING,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", metavar="FILE", help="An earlier --format json: show what changed; only what is new or worse fails."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what fails the run; nothing where all is well.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say on standard error what is read and how long it takes.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="AGE", help="How far back a cloud's logs are read: 90m, 24h, 7d (default: a day)."),
    ] = None,
    config: _Configuration = None,
) -> Body:
    """Say what is wrong with a host.

    What it means, why it matters and what to do about it. Changes nothing on the host.

    Exit code: 0 nothing at or above --fail-on; 1 something is; 2 wrong usage or configuration; 3 nothing was found, but not
    everything could be examined. With --format nagios a plug-in's: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    """
    from sctune.commands.doctor import run_doctor

    return partial(
        run_doctor,
        from_path=from_path,
        root=root,
        names=tuple(check or ()),
        format=format,
        output=output,
        fail_on=fail_on,
        config_path=config,
        baseline=baseline,
        since=since,
        quiet=quiet,
        verbose=verbose,
    )


@app.command()
def volumes(
    patterns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATTERN]...",
            help="Only volumes with a name like this (* and ?): id, file, device, VG/LV, target, initiator, address.",
        ),
    ] = None,
    *,
    state: Annotated[list[VolumeState] | None, typer.Option("--state", help="Only in this state; may be given again.")] = None,
    sort: Annotated[VolumeSort, typer.Option("--sort", help="By name, by state (worst first), or largest first.")] = VolumeSort.ID,
    everything: Annotated[bool, typer.Option("--all", help="The host's own LVs and loop devices too.")] = False,
    wide: Annotated[bool, typer.Option("--wide", help="Cut no name, however narrow the terminal.")] = False,
    from_path: _From = None,
    root: _Root = None,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: _OutputFile = None,
    config: _Configuration = None,
) -> Body:
    """List the volumes, a row each, and how they are.

    Exit code: 0 done; 1 nothing matches the patterns; 2 wrong usage or configuration; 3 a part of the host could not be looked at.
    """
    from sctune.commands.volumes import run_volumes

    return partial(
        run_volumes,
        patterns=tuple(patterns or ()),
        states=tuple(state or ()),
        sort=sort,
        everything=everything,
        wide=wide,
        from_path=from_path,
        root=root,
        format=format,
        output=output,
        config_path=config,
    )


@app.command()
def chain(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A volume, snapshot, backing file, device, VG/LV, target or session.")
    ],
    *,
    interval: Annotated[
        float | None,
        typer.Option("--interval", metavar="SECONDS", min=0.1, max=3600, help="Count I/O over this time, not since boot."),
    ] = None,
    from_path: _From = None,
    root: _Root = None,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: _OutputFile = None,
    config: _Configuration = None,
) -> Body:
    """Show one volume's chain, from its file to who uses it.

    Every link with where it was read and what it counts, what is broken or missing, and the commands that show the same by hand.

    Exit code: 0 done; 1 there is none of that name; 2 wrong usage or configuration; 3 a part of it could not be looked at.
    """
    from sctune.commands.chain import run_chain

    return partial(
        run_chain,
        name,
        interval=interval,
        from_path=from_path,
        root=root,
        format=format,
        output=output,
        config_path=config,
    )


@app.command()
def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="A finding's code, e.g. LOOP_LIMIT_NEAR.")]) -> Body:
    """Explain a finding.

    What it means, why it matters, its thresholds, how to see it by hand, the remedy, and where the knowledge is from.
    """
    from sctune.commands.explain import run_explain

    return partial(run_explain, code)


@app.command()
def checks() -> Body:
    """List the checks and what they find."""
    from sctune.commands.checks import run_checks

    return run_checks


@app.command()
def capacity(
    *,
    from_path: Annotated[
        str | None, typer.Option("--from", metavar="PATH", help="Look at a capture (file or folder) instead of this machine.")
    ] = None,
    root: Annotated[
        str | None, typer.Option("--root", metavar="DIR", help="Look at a file tree, e.g. a mounted image; runs no command.")
    ] = None,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write there, whole or not at all; - is standard output.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", metavar="GIB", min=1, max=1 << 24, help="Of further volumes; default: as the largest here."),
    ] = None,
    snapshots_per_volume: Annotated[
        float,
        typer.Option("--snapshots-per-volume", metavar="R", min=0, max=1000, help="Snapshots kept of each volume."),
    ] = 1.0,
    history: Annotated[
        str | None,
        typer.Option("--history", metavar="FILE", help="How the store filled: CSV time,used_bytes, or an answer of Prometheus."),
    ] = None,
    accounts: Annotated[
        int | None,
        typer.Option("--accounts", metavar="N", min=1, max=1 << 24, help="Quotas of an account, N of which share what is safe."),
    ] = None,
    account_volumes: Annotated[
        int | None, typer.Option("--account-volumes", metavar="N", min=1, max=1 << 30, help="The account's volumes, by number.")
    ] = None,
    account_gib: Annotated[
        int | None, typer.Option("--account-gib", metavar="N", min=1, max=1 << 30, help="The account's volumes, in GiB.")
    ] = None,
    account_snapshots: Annotated[
        int | None, typer.Option("--account-snapshots", metavar="N", min=1, max=1 << 30, help="The account's snapshots, by number.")
    ] = None,
    iam_policy: Annotated[
        str | None,
        typer.Option("--iam-policy", metavar="FILE", help="Write the account's quotas as a policy; - prints it and nothing else."),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="FILE", help="Configuration (default: /etc/sctune/sctune.yaml where there is one)."),
    ] = None,
) -> Body:
    """Say what fits.

    How the stores are filled, what they promise, how many more volumes and snapshots they take, when they are full, and the
    largest limits of the cloud that they can honour. Changes nothing.

    Exit code: 0 done; 1 nothing here that holds volumes; 2 wrong usage or configuration; 3 done, but not everything could be
    told.
    """

    if math.isnan(snapshots_per_volume):  # which is between any two bounds
        raise typer.BadParameter("a number is wanted", param_hint="--snapshots-per-volume")

    def body() -> int:
        from sctune.capacity.survey import Question
        from sctune.commands.capacity import read_history, run_capacity

        wanted = accounts
        if iam_policy is not None and (accounts, account_volumes, account_gib, account_snapshots) == (None,) * 4:
            wanted = 1
        return run_capacity(
            from_path=from_path,
            root=root,
            question=Question(
                size=None if size is None else size << 30,
                snapshots_per_volume=snapshots_per_volume,
                history=() if history is None else read_history(history),
                accounts=wanted,
                account_volumes=account_volumes,
                account_gib=account_gib,
                account_snapshots=account_snapshots,
                policy_file=iam_policy if iam_policy not in (None, "-") else "FILE",
            ),
            format=format,
            output=output,
            policy=iam_policy,
            config_path=config,
        )

    return body


@app.command()
def capture(
    *,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="The file to write; secrets are left out.")
    ] = None,
    script: Annotated[
        bool, typer.Option("--script", help="Print a shell script that does it on a host that cannot run sctune; -o writes it.")
    ] = False,
    config: Annotated[str | None, typer.Option("--config", metavar="FILE", help="Configuration to use.")] = None,
) -> Body:
    """Record what the doctor sees.

    Writes a file that doctor --from reads on any machine. Secrets are replaced before they are kept.

    Exit code: 0 done; 1 failed; 2 wrong usage or configuration; 3 done, but not everything could be read.
    """
    if script:
        if config is not None:
            raise typer.BadParameter("it does not go with --script, which knows no configuration", param_hint="--config")
        from sctune.commands.capture import run_script

        return partial(run_script, output)
    if output is None:
        raise typer.BadParameter("name the file to write", param_hint="--output")
    from sctune.commands.capture import run_capture

    return partial(run_capture, output, config)


config_app = typer.Typer(rich_markup_mode=None, help="Check, show or begin a configuration.")
app.add_typer(config_app, name="config")
_ConfigFile = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="This file instead of /etc/sctune/sctune.yaml and /etc/sctune/conf.d."),
]


@config_app.command("check")
def config_check(config: _ConfigFile = None) -> Body:
    """Say whether it is correct, and what is not, with its place.

    Exit code: 0 correct; 2 not.
    """
    from sctune.commands.config import run_check

    return partial(run_check, config)


@config_app.command("show")
def config_show(
    *,
    origin: Annotated[bool, typer.Option("--origin", help="Say beside each value which file and line it is from.")] = False,
    config: _ConfigFile = None,
) -> Body:
    """Print what is in force, defaults included."""
    from sctune.commands.config import run_show

    return partial(run_show, config, origin=origin)


@config_app.command("sample")
def config_sample() -> Body:
    """Print a commented sample of every key."""
    from sctune.commands.config import run_sample

    return run_sample
