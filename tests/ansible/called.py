"""A module of the collection, called in this process, with a host's command that says what a test wants."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from .running import COLLECTION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Answer = tuple[int, object, str]
"""Exit code, standard output (JSON where it is no text), standard error."""


class Ended(Exception):
    """A module that came to its end."""

    def __init__(self, failed: bool, result: dict[str, Any]) -> None:
        super().__init__(result)
        self.failed = failed
        self.result = result


@dataclass
class Module:
    """What AnsibleModule is to a module. `answers` are given one after another; `asked` has what was run."""

    params: dict[str, Any]
    answers: list[Answer]
    check_mode: bool = False
    _diff: bool = True
    asked: list[list[str]] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def get_bin_path(self, name: str, opt_dirs: Sequence[str] = ()) -> str:
        return name

    def run_command(self, argv: list[str], **_options: object) -> tuple[int, str, str]:
        self.asked.append(argv[1:])
        code, out, err = self.answers.pop(0)
        return code, out if isinstance(out, str) else json.dumps(out), err

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def exit_json(self, **result: Any) -> None:
        raise Ended(False, result)

    def fail_json(self, **result: Any) -> None:
        raise Ended(True, result)


@dataclass
class Called:
    """How a call ended."""

    failed: bool
    result: dict[str, Any]
    asked: list[list[str]]
    warned: list[str]

    @property
    def message(self) -> str:
        """Its error, of one line."""
        assert self.failed
        text = self.result["msg"]
        assert isinstance(text, str)
        assert "\n" not in text
        return text


class Collection:
    """The collection's code, importable as on a host."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        place = folder / "ansible_collections/sctune"
        place.mkdir(parents=True)
        (place / "storage").symlink_to(COLLECTION)
        monkeypatch.syspath_prepend(str(folder))
        for name in [one for one in sys.modules if one.partition(".")[0] == "ansible_collections"]:
            monkeypatch.delitem(sys.modules, name)
        self.monkeypatch = monkeypatch

    def load(self, name: str) -> Any:
        """A file below plugins, by its dotted name."""
        return importlib.import_module(f"ansible_collections.sctune.storage.plugins.{name}")

    def call(self, module: str, *answers: Answer, check: bool = False, **params: object) -> Called:
        """A module, with what is not given left at its default."""
        code = self.load(f"modules.{module}")
        made: list[Module] = []

        def module_of(argument_spec: dict[str, dict[str, Any]], supports_check_mode: bool) -> Module:
            assert supports_check_mode
            defaults = {name: option.get("default") for name, option in argument_spec.items()}
            assert set(params) <= set(defaults)
            made.append(Module(params=defaults | params, answers=list(answers), check_mode=check))
            return made[0]

        self.monkeypatch.setattr(code, "AnsibleModule", module_of)
        with pytest.raises(Ended) as ended:
            code.main()
        assert made[0].answers == [], "asked for less than was thought"
        return Called(failed=ended.value.failed, result=ended.value.result, asked=made[0].asked, warned=made[0].warned)


@pytest.fixture
def collection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Collection:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Collection(monkeypatch, tmp_path)
