"""`sctune doctor`."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.records import replace
from sctune.report.atomic import Output
from sctune.report.exit import exit_code
from sctune.report.format import FailOn, Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.check import Check
    from sctune.config.model import Config
    from sctune.inventory import Inventory
    from sctune.model.baseline import Baseline
    from sctune.model.report import Report
    from sctune.registry import Registry
    from sctune.report.bench_file import Recorded
    from sctune.report.html.scene import Scene


def run_doctor(
    *,
    from_path: str | None,
    root: str | None,
    names: Sequence[str],
    format: Format,
    output: str | None,
    fail_on: FailOn,
    config_path: str | None,
    baseline: str | None = None,
    bench: str | None = None,
    since: str | None = None,
    quiet: bool = False,
    verbose: bool = False,
    record: bool = False,
    begun: Inventory | None = None,
) -> int:
    """Looks (or goes on with a look that was begun), judges, writes the report. What is wrong with the request is said before the
    host is looked at."""
    from sctune.config.load import load as load_config
    from sctune.doctor import diagnose
    from sctune.headstart import begin
    from sctune.host.choose import open_host
    from sctune.inventory import Inventory
    from sctune.progress import progress
    from sctune.registry import load as load_registry

    _suits(format, quiet=quiet, bench=bench)
    if names:
        choose(load_registry(), names)
    if record and (from_path or root or names):
        raise UserError(
            "--record keeps a whole look at this machine", "Leave out --from, --root and --check, or write with --output."
        )
    destination = Output(output)
    earlier = _earlier(baseline)
    measured = _measured(bench)
    config = reading_back(begun.config if begun else load_config(config_path), since)
    host = begun.host if begun else open_host(from_path, root)
    try:
        trace = None
        if verbose:
            from sctune.host.tracing import TracingHost
            from sctune.report.trace import Trace

            trace = Trace()
            host = TracingHost(host, trace.tell)
            trace.begin(from_path or root or "this machine", config)
        # A whole run needs these answers whatever the checks are: they come while the checks are loaded.
        inventory = begun or (Inventory(host, config) if names else begin(host, config))
        with nullcontext() if quiet or verbose else progress(inventory):
            registry = load_registry()
            _load_the_rest(format)
            report = diagnose(host, config, choose(registry, names), inventory=inventory)
        if format is Format.NAGIOS:
            from sctune.measures import measures

            report = replace(report, measures=measures(inventory))
        drawn = None
        if format is Format.HTML:
            report, drawn = shown(inventory, report, registry)
        if trace is not None:
            trace.end(registry)
    finally:
        host.close()
    if record:
        _keep(report, registry)
    if earlier is not None:
        report = compared(report, earlier, registry)
    destination.write(
        rendered(
            report, format, registry, is_terminal=destination.is_terminal, fail_on=fail_on, quiet=quiet, scene=drawn, bench=measured
        )
    )
    if format is Format.NAGIOS:
        from sctune.report.nagios import state

        return state(report, fail_on)
    return exit_code(report, fail_on)


def _keep(report: Report, registry: Registry) -> None:
    """Keeps the result, and tells the journal what has changed; that it could not be told is a line on standard error and no
    failure of the doctor."""
    from sctune.report.record import record
    from sctune.report.telling import tell

    record(report)
    wrong = tell(report, {code.code: check.name for check, code in registry.codes()})
    if wrong:
        from sctune.failure import warn

        warn(wrong)


def _suits(format: Format, *, quiet: bool, bench: str | None) -> None:
    """Raises UserError for what the format has no place for."""
    if quiet and format is not Format.TEXT:
        raise UserError(f"--quiet is for text, and --format {format.value} asks for a whole document", "Leave one of them out.")
    if bench is not None and format is not Format.HTML:
        raise UserError(f"--bench is drawn in HTML, and --format {format.value} has no place for it", "Add --format html.")


def reading_back(config: Config, since: str | None) -> Config:
    """The configuration, with logs read as far back as the command line says. Raises UserError for what is no age."""
    if since is None:
        return config
    from sctune.config.sizes import Unreadable, parse_age

    try:
        seconds = parse_age(since)
    except Unreadable as error:
        raise UserError(f"--since: {error}", "Name how far back logs are read, e.g. --since 7d.") from None
    return replace(config, thresholds=replace(config.thresholds, log_seconds=seconds))


def shown(inventory: Inventory, report: Report, registry: Registry) -> tuple[Report, Scene]:
    """What of the look is drawn beside its findings; and the report, with what was left behind looking for that."""
    from sctune.commands.looking import of_volumes
    from sctune.doctor import abandoned, fetch
    from sctune.report.html.scene import PARTS, scene

    fetch(inventory, (), also=PARTS)
    run = {check.check for check in report.checks}
    judged = all(check.name in run for check in of_volumes(registry.checks))
    drawn = scene(inventory, report.findings, {code.code: code for _, code in registry.codes()}, judged=judged)
    return replace(report, abandoned=tuple(sorted({*report.abandoned, *abandoned(inventory)}))), drawn


def _earlier(path: str | None) -> Baseline | None:
    if path is None:
        return None
    from sctune.report.earlier import read_baseline

    return read_baseline(path)


def _measured(path: str | None) -> Recorded | None:
    if path is None:
        return None
    from sctune.report.bench_file import read_bench

    return read_bench(path)


def compared(report: Report, baseline: Baseline, registry: Registry) -> Report:
    """The report, made printable, with what has changed since the earlier run."""
    from sctune.baseline import compare
    from sctune.report.sanitize import clean_report

    clean = clean_report(report)
    finds = {code.code: check.name for check, code in registry.codes()}
    return replace(clean, comparison=compare(clean, baseline, finds=finds))


def _load_the_rest(format: Format) -> None:
    """Loads now what is needed after the last answer: nothing is waited for yet, and then everybody waits."""
    import sctune.chain
    import sctune.probes.lvm_json
    import sctune.probes.lvm_messages

    if format is Format.JSON:
        import sctune.report.json
    elif format is Format.JUNIT:
        import sctune.report.junit
    elif format is Format.NAGIOS:
        import sctune.measures
        import sctune.report.nagios
    elif format is Format.HTML:
        import sctune.report.html.render
        import sctune.report.html.scene
    else:
        import sctune.report.text  # noqa: F401


def choose(registry: Registry, names: Sequence[str]) -> tuple[Check, ...]:
    """The checks of these names, all where none is named. Raises UserError for a name that is no check's."""
    if not names:
        return registry.checks
    chosen: dict[str, Check] = {}
    for name in names:
        check = registry.find_check(name)
        if check is None:
            raise UserError(f"there is no check {name!r}", _hint(registry, name))
        chosen[check.name] = check
    return tuple(check for check in registry.checks if check.name in chosen)


def _hint(registry: Registry, name: str) -> str:
    found = registry.find_code(name)
    if found is not None:
        check, code = found
        return f"{code.code} is what the check {check.name} finds: --check {check.name}"
    return registry.suggestion(name)


def rendered(
    report: Report,
    format: Format,
    registry: Registry,
    *,
    is_terminal: bool,
    fail_on: FailOn = FailOn.WARNING,
    quiet: bool = False,
    scene: Scene | None = None,
    bench: Recorded | None = None,
) -> bytes:
    """The report's bytes; `scene` and `bench` are what HTML shows beside it. JSON, XML and HTML are UTF-8; text for
    people is in the encoding of the terminal or locale."""
    if format is Format.JSON:
        from sctune.report.json import render as render_json

        return render_json(report).encode()
    if format is Format.JUNIT:
        from sctune.report.junit import render as render_junit

        return render_junit(report, fail_on, finds={code.code: check.name for check, code in registry.codes()}).encode()
    if format is Format.HTML:
        from sctune.report.html.render import render as render_html

        return render_html(report, scene, {code.code: code for _, code in registry.codes()}, bench).encode()
    import sys

    from sctune.report.layout import encode, style_for

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if format is Format.NAGIOS:
        from sctune.report.nagios import render as render_nagios

        return encode(render_nagios(report, fail_on), encoding)
    from sctune.report.text import render, render_quiet

    codes = {code.code: code for _, code in registry.codes()}
    style = style_for(is_terminal=is_terminal, environment=os.environ)
    text = render_quiet(report, fail_on, style=style, codes=codes) if quiet else render(report, style=style, codes=codes)
    return encode(text, encoding)
