"""The manual pages, written from what the program says of itself: `python manpages.py FOLDER` makes FOLDER/man8, man5 and man7.

sctune(8) and sctune-COMMAND(8) are the texts of --help, sctune.yaml(5) what the configuration says of its keys, sctune-codes(7)
what `sctune explain` says of each code. Nothing else is written here but what none of them says.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main

from sctune.cli import app
from sctune.config.describe import KEYS, threshold_lines
from sctune.findings import Risk
from sctune.registry import assemble, built_in
from sctune.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.check import Check
    from sctune.findings import Code

FILES = (
    ("/etc/sctune/sctune.yaml", "What is wanted of this host: sctune.yaml(5)."),
    ("/etc/sctune/conf.d/*.yaml", "More of the same, read in the order of their names."),
    ("/etc/sctune/profiles.d/*.yaml", "Tuning profiles of the site."),
    ("/etc/sctune/checks.d/*.py", "Checks of the site."),
    ("/var/lib/sctune/journal", "What was applied, and how it was before: sctune-history(8), sctune-rollback(8)."),
    ("/var/lib/sctune/applied.json", "What of it is in force."),
    ("/var/lib/sctune/doctor.json", "What the doctor found last, for the exporter."),
    ("/var/lib/sctune/told.json", "What systemd's journal was told of that."),
    ("/var/lib/sctune/bench", "Notes on benchmarks that have not cleaned up yet."),
)
UNITS = (
    ("sctune-doctor.timer", "Looks at this host every hour and keeps the result for the exporter."),
    ("sctune-exporter.socket", "Serves samples to Prometheus on 127.0.0.1:10197, by a process without rights."),
    ("sctune-collector.socket", "Looks at the host for that process; to be enabled with it."),
)
EXITS = (
    ("2", "The command line or the configuration is wrong."),
    ("3", "Not everything could be examined, or sctune itself failed and says so."),
    ("130", "Ctrl-C."),
    ("141", "Whoever read the output has gone."),
)
READING = """
sctune reads /etc/sctune/sctune.yaml and then /etc/sctune/conf.d/*.yaml in the order of their names, or only the file named with
`--config`. Sections are joined, lists add up, and of a single value the later file's counts. Without any of them everything has its
default. As root sctune refuses a file or folder that others than root may write.

They are read strictly: a key that is not known, a value of the wrong kind and a key given twice are errors, and `sctune config
check` tells all of them, each with its place. `sctune config show --origin` says what is in force, and where each value is from.

Sizes are a number and a unit: 100 GiB, or 500 GB. Speeds are a size a second: 400 MiB/s. Ratios are 0.8 or 80 %. Times are plain
numbers of seconds.
"""


def plain(text: str) -> str:
    """Text as roff shows it as it is: no escape, no macro call, and hyphens that can be copied into a shell."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in lines)


def prose(text: str) -> str:
    """One paragraph. What is between backquotes is bold."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        return plain("`".join(parts))
    made = "".join(f"\\fB{plain(part)}\\fR" if number % 2 else plain(part).removeprefix("\\&") for number, part in enumerate(parts))
    return "\\&" + made if made.startswith((".", "'")) else made


def paragraphs(text: str) -> str:
    """Paragraphs with an empty line between them, the first without a macro: it follows a heading."""
    return "\n.PP\n".join(prose(part) for part in re.split(r"\n\s*\n", text.strip()))


def section(heading: str, *lines: str) -> str:
    """A section, or nothing where it would have no text."""
    body = [line for line in lines if line]
    return "\n".join([f".SH {heading}", *body]) if body else ""


def items(rows: Iterable[tuple[str, str]]) -> str:
    """Terms, written as they are to be printed, each with its text, of which a line is a paragraph."""
    return "\n".join(f".TP\n{term}\n" + "\n.IP\n".join(map(prose, text.split("\n"))) for term, text in rows)


def verbatim(lines: Iterable[str]) -> str:
    """Lines as they are to be typed."""
    return "\n".join([".PP", ".RS 4", ".EX", *(plain(line) for line in lines), ".EE", ".RE"])


def bold(text: str) -> str:
    """A term that is typed as it is."""
    return f"\\fB{plain(text)}\\fR"


def page(name: str, number: int, title: str, *parts: str, see: Iterable[str] = ()) -> str:
    """A whole page."""
    books = {5: "File Formats", 7: "Miscellaneous", 8: "System Administration"}
    # preconv reads this line: the texts have characters that are not ASCII.
    head = (
        f'.\\" -*- coding: UTF-8 -*-\n.nr HY 0\n.TH {plain(name.upper())} {number} "" "sctune {VERSION}" "{books[number]}"\n.ad l'
    )
    also = ",\n".join(f"{bold(other.partition('(')[0])}({other.partition('(')[2]}" for other in see)
    parts = (section("NAME", f"{plain(name)} \\- {plain(title)}"), *parts, section("SEE ALSO", also))
    return "\n".join([head, *(part for part in parts if part)]) + "\n"


def metavar(parameter: Any) -> str:
    """What stands for a parameter's value."""
    if parameter.metavar:
        return str(parameter.metavar)
    choices = getattr(parameter.type, "choices", None)
    return "|".join(str(choice) for choice in choices) if choices else str(parameter.type.name).upper()


def options(command: Any) -> Iterable[tuple[str, str]]:
    """The options and arguments of a command, as terms."""
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or not parameter.help:
            continue
        if parameter.param_type_name == "argument":
            yield f"\\fI{plain(metavar(parameter))}\\fR", parameter.help
            continue
        term = ", ".join(bold(name) for name in (*parameter.opts, *parameter.secondary_opts))
        default = ""
        if not parameter.is_flag:
            term += f" \\fI{plain(metavar(parameter))}\\fR"
            if parameter.default not in (None, (), []):
                default = f" Default: {getattr(parameter.default, 'value', parameter.default)}."
        yield term, parameter.help + default


def told(command: Any) -> tuple[str, str, str]:
    """A command's title, its description, and its exit codes."""
    title, _, rest = command.help.strip().partition("\n\n")
    description, codes = [], ""
    for paragraph in re.split(r"\n\s*\n", rest):
        if paragraph.startswith("Exit code: "):
            codes = " ".join(paragraph.removeprefix("Exit code: ").split())
        elif paragraph:
            description.append(paragraph)
    return title, "\n\n".join(description), codes


def exits(codes: str) -> str:
    """Exit codes, which --help tells in a sentence, as a list."""
    rows = (part.partition(" ") for part in re.split(r";\s+(?=\d+ )", codes))
    return items((bold(code), text) for code, _, text in rows) if codes else ""


def synopsis(name: str, command: Any) -> str:
    """The line that begins a page. An argument's brackets are in its metavar."""
    arguments = [f"\\fI{plain(metavar(one))}\\fR" for one in command.params if one.param_type_name == "argument"]
    return " ".join((bold(name), *(["[\\fIoption\\fR ...]"] if any(options(command)) else []), *arguments))


def command_page(name: str, command: Any) -> str:
    """sctune-NAME(8)."""
    title, description, codes = told(command)
    short = title.rstrip(".")
    title = short[0].lower() + short[1:]
    commands = getattr(command, "commands", {})
    if not commands:
        return page(
            f"sctune-{name}",
            8,
            title,
            section("SYNOPSIS", synopsis(f"sctune {name}", command)),
            section("DESCRIPTION", paragraphs(description or command.help.split("\n\n")[0])),
            section("OPTIONS", items(options(command))),
            section("EXIT STATUS", exits(codes)),
            see=("sctune(8)", "sctune.yaml(5)", "sctune-codes(7)"),
        )
    lines = "\n.br\n".join(synopsis(f"sctune {name} {inner}", one) for inner, one in commands.items())
    parts = []
    for inner, one in commands.items():
        title_, description_, codes_ = told(one)
        said = f"{title_}\n\n{description_}" + (f"\n\nExit code: {codes_}" if codes_ else "")
        parts.append("\n".join(part for part in (f".SS sctune {name} {inner}", paragraphs(said), items(options(one))) if part))
    return page(
        f"sctune-{name}",
        8,
        title,
        section("SYNOPSIS", lines),
        section("COMMANDS", *parts),
        see=("sctune(8)", "sctune.yaml(5)"),
    )


def main_page(group: Any) -> str:
    """sctune(8)."""
    commands = ((f"{bold('sctune-' + name)}(8)", told(one)[0]) for name, one in group.commands.items())
    common = ((bold("--version"), "Print the version."), (f"{bold('-h')}, {bold('--help')}", "Of each command, too."))
    codes = ((bold(code), what) for code, what in EXITS)
    environment = ((bold("NO_COLOR"), "No colour, on a terminal either."), (bold("COLUMNS"), "The width of text."))
    return page(
        "sctune",
        8,
        "doctor, tuner and meter for hosts that serve block volumes",
        section("SYNOPSIS", f"{bold('sctune')} \\fIcommand\\fR [\\fIoption\\fR ...]\n.br\n{bold('sctune --version')}"),
        section("DESCRIPTION", paragraphs(group.help)),
        section("COMMANDS", items(commands)),
        section("OPTIONS", items(common)),
        section("EXIT STATUS", "Each command's page has its own. Of all:", items(codes)),
        section("ENVIRONMENT", items(environment)),
        section("FILES", items((f"\\fI{plain(path)}\\fR", what) for path, what in FILES)),
        section("UNITS", "None of them is enabled by installing the package.", items((bold(unit), what) for unit, what in UNITS)),
        see=(*(f"sctune-{name}(8)" for name in group.commands), "sctune.yaml(5)", "sctune-codes(7)"),
    )


def configuration_page() -> str:
    """sctune.yaml(5)."""
    keys = []
    for name, key in KEYS.items():
        keys += [f".SS {name}", prose(key.help)]
        if key.example:
            keys.append(verbatim(key.example))
        else:
            keys.append(items((bold(line), what) for line, what in threshold_lines()))
    return page(
        "sctune.yaml",
        5,
        "what sctune is to expect of a host",
        section("DESCRIPTION", paragraphs(READING)),
        section("KEYS", *keys),
        see=("sctune(8)", "sctune-config(8)"),
    )


def code_part(check: Check, code: Code) -> str:
    """One code, as `sctune explain` has it."""
    severity = "advice" if code.advice else " or ".join(severity.value for severity in code.severities)
    disturbs = "disturbs service" if code.risk is Risk.DISRUPTIVE else "does not disturb service"
    rows = [("Severity", f"{severity}; found by the check {check.name}"), ("Meaning", code.meaning), ("Why it matters", code.why)]
    rows += [("Thresholds", code.thresholds)] if code.thresholds else []
    rows += [(f"Remedy ({disturbs})", code.remedy)]
    parts = [f".SS {code.code}", prose(code.title), items((bold(term), text) for term, text in rows)]
    if code.see:
        parts += [".TP", bold("By hand"), ".EX", *(plain(line) for line in code.see), ".EE"]
    return "\n".join(parts)


def codes_page() -> str:
    """sctune-codes(7)."""
    found = sorted(assemble(built_in()).codes(), key=lambda pair: pair[1].code)
    return page(
        "sctune-codes",
        7,
        "what the doctor of sctune finds",
        section("DESCRIPTION", prose(f"The {len(found)} codes of findings, each for one fault or piece of advice for ever.")),
        section("CODES", *(code_part(check, code) for check, code in found)),
        see=("sctune(8)", "sctune-doctor(8)", "sctune-explain(8)"),
    )


def pages() -> dict[str, str]:
    """File name -> page."""
    group: Any = typer.main.get_command(app)
    made = {"man8/sctune.8": main_page(group), "man5/sctune.yaml.5": configuration_page(), "man7/sctune-codes.7": codes_page()}
    made.update((f"man8/sctune-{name}.8", command_page(name, one)) for name, one in group.commands.items())
    return made


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(textwrap.dedent(__doc__).strip().split("\n", 1)[0])
    for file, text in pages().items():
        target = Path(sys.argv[1], file)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
