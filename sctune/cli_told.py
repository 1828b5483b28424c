"""What the command line says of itself, as records: the man pages and docs/commands.md are written from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer.main

from sctune.cli import app
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

# What no --help tells.
ABOUT = "doctor, tuner and meter for hosts that serve block volumes"
EXITS = (
    ("2", "The command line or the configuration is wrong."),
    ("3", "Not everything could be examined, or sctune itself failed and says so."),
    ("130", "Ctrl-C."),
    ("141", "Whoever read the output has gone."),
)
COMMON = ((("--version",), "Print the version."), (("-h", "--help"), "Of each command, too."))
ENVIRONMENT = (("NO_COLOR", "No colour, on a terminal either."), ("COLUMNS", "The width of text."))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An argument, which has no names, or an option. *value* is what stands for its value; a flag has none."""

    names: tuple[str, ...]
    value: str
    help: str
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command by the words that call it, such as `sctune config check`; *commands* are those it consists of."""

    name: str
    title: str
    description: str
    exits: tuple[tuple[str, str], ...]
    arguments: tuple[Parameter, ...]
    options: tuple[Parameter, ...]
    commands: tuple[Command, ...]

    @property
    def described(self) -> tuple[Parameter, ...]:
        """Its arguments and options, as far as there is something to say of them."""
        return tuple(one for one in (*self.arguments, *self.options) if one.help)


def tell() -> Command:
    """The whole program. Of it alone, arguments and options are those that COMMON tells."""
    return _command("sctune", typer.main.get_command(app))


def _command(name: str, command: Any) -> Command:
    title, description, codes = _texts(command.help)
    parameters = [(one.param_type_name, _parameter(one)) for one in command.params if not getattr(one, "hidden", False)]
    inner = getattr(command, "commands", {})
    return Command(
        name=name,
        title=title,
        description=description,
        exits=codes,
        arguments=tuple(one for kind, one in parameters if kind == "argument"),
        options=tuple(one for kind, one in parameters if kind != "argument" and one.help),
        commands=tuple(_command(f"{name} {word}", one) for word, one in inner.items()),
    )


def _parameter(parameter: Any) -> Parameter:
    argument = parameter.param_type_name == "argument"
    flag = not argument and parameter.is_flag
    default = parameter.default
    return Parameter(
        names=() if argument else (*parameter.opts, *parameter.secondary_opts),
        value="" if flag else _value(parameter),
        help=parameter.help or "",
        default="" if argument or flag or default in (None, (), []) else str(getattr(default, "value", default)),
    )


def _value(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    choices = getattr(parameter.type, "choices", None)
    return "|".join(str(choice) for choice in choices) if choices else str(parameter.type.name).upper()


def _texts(text: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """A command's title, its description, and its exit codes, which --help tells in a sentence."""
    title, _, rest = text.strip().partition("\n\n")
    description: list[str] = []
    codes: tuple[tuple[str, str], ...] = ()
    for paragraph in re.split(r"\n\s*\n", rest):
        if paragraph.startswith("Exit code: "):
            codes = tuple(_exits(" ".join(paragraph.removeprefix("Exit code: ").split())))
        elif paragraph:
            description.append(paragraph)
    return title, "\n\n".join(description), codes


def _exits(sentence: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r";\s+(?=\d+ )", sentence):
        code, _, text = part.partition(" ")
        yield code, text if ". " in text else text.removesuffix(".")
