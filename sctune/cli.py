"""The command line. Each command imports its body when it is run, so that a command costs what it uses and no more."""

from __future__ import annotations

import os
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from sctune import cli_bench, cli_exporter, cli_journal, cli_metrics, cli_tuning, cli_volumes
from sctune.cli_options import (  # noqa: TC001 - typer reads annotations when it runs
    Body,
    Configuration,
    From,
    HostLists,
    Hosts,
    HostTimeout,
    Jobs,
    OutputFile,
    Root,
    Sudo,
)
from sctune.report.format import FailOn, Format

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


def run(arguments: Sequence[str]) -> int:
    """Parses the command line and runs the command. Returns its exit code; errors are raised."""
    try:
        chosen: Body | int | None = _with(arguments)(args=list(arguments), prog_name="sctune", standalone_mode=False)
    except SystemExit as left:
        if isinstance(left.__context__, BrokenPipeError):
            raise left.__context__ from None
        raise
    if callable(chosen):
        return chosen()
    return chosen or 0


def _with(arguments: Sequence[str]) -> typer.Typer:
    """The application; where the first word is a command, with that alone: to make the other eighteen takes as long as loading
    typer does."""
    for command in app.registered_commands:
        name = command.name or (command.callback.__name__.replace("_", "-") if command.callback is not None else "")
        if arguments and name == arguments[0] and "_SCTUNE_COMPLETE" not in os.environ:
            alone = copy(app)
            alone.registered_commands, alone.registered_groups = [command], []
            return alone
    return app


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


@app.command()
def doctor(
    *,
    from_path: From = None,
    root: Root = None,
    host: Hosts = None,
    hosts: HostLists = None,
    sudo: Sudo = False,
    jobs: Jobs = None,
    timeout: HostTimeout = None,
    check: Annotated[
        list[str] | None,
        typer.Option("--check", metavar="NAME", help="Only this check; may be given again. sctune checks lists them."),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="For people, programs, CI or monitoring.")] = Format.TEXT,
    output: OutputFile = None,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="The least severity that makes the exit code 1.")] = FailOn.WARNING,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", metavar="FILE", help="An earlier --format json: show what changed; only what is new or worse fails."
        ),
    ] = None,
    bench: Annotated[
        str | None,
        typer.Option(
            "--bench", metavar="FILE", help="What sctune bench --format json wrote: draw it in the report (--format html)."
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
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Also keep the result in /var/lib/sctune/doctor.json, for the exporter, and tell the journal what has changed.",
        ),
    ] = False,
    config: Configuration = None,
) -> Body:
    """Say what is wrong with a host.

    What it means, why it matters and what to do about it. Changes nothing on the host.

    Exit code: 0 nothing at or above --fail-on; 1 something is; 2 wrong usage or configuration; 3 nothing was found, but not
    everything could be examined. With --format nagios a plug-in's: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    """
    if host or hosts:
        refused = {
            "--from": from_path,
            "--root": root,
            "--baseline": baseline,
            "--bench": bench,
            "--verbose": verbose,
            "--record": record,
        }
        for option, given in refused.items():
            if given:
                raise typer.BadParameter("it does not go with --host", param_hint=option)
        from sctune.commands.doctor_hosts import run_doctor_hosts

        return partial(
            run_doctor_hosts,
            hosts=tuple(host or ()),
            lists=tuple(hosts or ()),
            sudo=sudo,
            jobs=8 if jobs is None else jobs,
            seconds=60.0 if timeout is None else timeout,
            names=tuple(check or ()),
            format=format,
            output=output,
            fail_on=fail_on,
            config_path=config,
            since=since,
            quiet=quiet,
        )
    for option, given in {"--sudo": sudo, "--jobs": jobs is not None, "--timeout": timeout is not None}.items():
        if given:
            raise typer.BadParameter("it is for --host", param_hint=option)
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
        bench=bench,
        since=since,
        quiet=quiet,
        verbose=verbose,
        record=record,
    )


app.command()(cli_volumes.volumes)
app.command()(cli_volumes.chain)


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


app.command()(cli_volumes.capacity)
app.command()(cli_metrics.metrics)
app.command()(cli_tuning.profiles)
app.command("apply-profile")(cli_tuning.apply_profile)
app.command("verify-profile")(cli_tuning.verify_profile)
app.command()(cli_journal.rollback)
app.command()(cli_journal.history)
app.command()(cli_bench.bench)
app.command()(cli_exporter.exporter)
app.command()(cli_exporter.collector)


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
