"""The commands about volumes: the list, one chain, what fits. They are parsed here; see `sctune.cli`."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated

import typer

from sctune.cli_options import Body, Configuration, From, OutputFile, Root  # noqa: TC001 - typer reads annotations when it runs
from sctune.model.volume import VolumeState  # noqa: TC001 - likewise
from sctune.report.format import Plain, VolumeSort


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
    from_path: From = None,
    root: Root = None,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: OutputFile = None,
    config: Configuration = None,
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


def chain(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A volume, snapshot, backing file, device, VG/LV, target or session.")
    ],
    *,
    interval: Annotated[
        float | None,
        typer.Option("--interval", metavar="SECONDS", min=0.1, max=3600, help="Count I/O over this time, not since boot."),
    ] = None,
    from_path: From = None,
    root: Root = None,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: OutputFile = None,
    config: Configuration = None,
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


def capacity(
    *,
    from_path: From = None,
    root: Root = None,
    format: Annotated[Plain, typer.Option("--format", help="For people or programs.")] = Plain.TEXT,
    output: OutputFile = None,
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
    config: Configuration = None,
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
