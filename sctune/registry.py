"""Which checks there are: found, not listed.

Built in are the modules of the package `sctune.checks`. A site adds its own as *.py files in /etc/sctune/checks.d. Each defines
`CHECKS`, a tuple of `Check`. The folder belongs to the machine sctune runs on, never to a host that is looked at, so it is
read here and not through a Host.

A module that cannot be used (an error in it, a name or code that is taken, a file that others may write) becomes a check
that carries its name and always says "unknown" with the reason: it is reported like any other, and never silently left out.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from sctune.check import Check
from sctune.records import dataclass
from sctune.unavailable import CannotLook, Reason, Unavailable

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from sctune.check import Look
    from sctune.findings import Code

SITE_FOLDER = "/etc/sctune/checks.d"

_NOT_OURS_TO_WRITE = 0o022


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module of checks: where it is, what it defines, and what is wrong with it ("" where nothing is)."""

    origin: str
    checks: tuple[Check, ...] = ()
    broken: str = ""

    @property
    def name(self) -> str:
        """The name a broken module is reported under: that of its file."""
        base = self.origin.rsplit("/", 1)[-1].rsplit(".", 1)
        return base[0] if base[-1] == "py" else self.origin.rsplit(".", 1)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The checks in the order of their names, those that stand for broken modules included."""

    checks: tuple[Check, ...]
    broken: tuple[Module, ...] = ()

    def find_check(self, name: str) -> Check | None:
        """The check of this name."""
        return next((check for check in self.checks if check.name == name), None)

    def find_code(self, code: str) -> tuple[Check, Code] | None:
        """A catalogue entry and the check that finds it. Case does not matter, nor `-` for `_`."""
        wanted = code.upper().replace("-", "_")
        return next(((check, entry) for check, entry in self.codes() if entry.code == wanted), None)

    def codes(self) -> Iterator[tuple[Check, Code]]:
        """All catalogue entries with the check that finds them."""
        return ((check, code) for check in self.checks for code in check.codes)

    def close_to(self, wrong: str) -> tuple[str, ...]:
        """Names of checks and codes that look like `wrong`, at most three, in the spelling of what was asked for first."""
        import difflib

        names = [check.name for check in self.checks]
        codes = [code.code for _, code in self.codes()]
        asked_code = wrong.isupper() or "_" in wrong
        for known in (codes, names) if asked_code else (names, codes):
            given = wrong.upper().replace("-", "_") if known is codes else wrong.lower().replace("_", "-")
            inside = [name for name in known if given and given in name]
            near = difflib.get_close_matches(given, known, n=3, cutoff=0.75) or difflib.get_close_matches(given, known, n=3)
            matches = list(dict.fromkeys([*near, *inside]))
            if matches:
                return tuple(matches[:3])
        return ()

    def suggestion(self, wrong: str) -> str:
        """What to tell somebody who asked for a check or code that there is none of."""
        close = self.close_to(wrong)
        meant = f"Did you mean {' or '.join(close)}? " if close else ""
        return f"{meant}`sctune checks` lists all."


@cache
def load(site_folder: str = SITE_FOLDER) -> Registry:
    """Imports every module of checks, once a run. Raises nothing."""
    return assemble([*built_in(), *site(site_folder)])


def load_checks() -> tuple[Check, ...]:
    """All checks, broken modules among them as checks that say "unknown"."""
    return load().checks


def find_code(code: str) -> Code | None:
    """A catalogue entry by its code."""
    found = load().find_code(code)
    return found[1] if found else None


def assemble(modules: Iterable[Module]) -> Registry:
    """Joins modules. The first who takes a name or a code has it: built-in modules come first, so no site file replaces one."""
    names: dict[str, str] = {}
    codes: dict[str, str] = {}
    checks: list[Check] = []
    broken: list[Module] = []
    for given in modules:
        module = given
        if not module.broken:
            clash = _clash(module.checks, names, codes)
            if clash:
                module = Module(origin=module.origin, broken=clash)
        if module.broken:
            broken.append(module)
            continue
        for check in module.checks:
            names[check.name] = module.origin
            codes.update((code.code, module.origin) for code in check.codes)
        checks.extend(module.checks)
    for module in broken:
        checks.append(_stand_in(module, taken=names))
        names[checks[-1].name] = module.origin
    return Registry(checks=tuple(sorted(checks, key=lambda check: check.name)), broken=tuple(broken))


def built_in() -> list[Module]:
    """The modules of the package `sctune.checks`."""
    import pkgutil

    import sctune.checks as package

    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return [_import(f"{package.__name__}.{name}") for name in names if not name.startswith("_")]


def site(folder: str) -> list[Module]:
    """The site's files. A folder that is not there holds none."""
    import os

    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".py") and name[0] not in "._")
        open_to_others = _writable_by_others(os.stat(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        return [Module(origin=folder, broken=f"cannot be read: {error.strerror}")]
    if open_to_others:
        return [Module(origin=f"{folder}/{name}", broken=f"not loaded: {folder} {open_to_others}") for name in names]
    return [_load_file(f"{folder}/{name}") for name in names]


def _import(name: str) -> Module:
    import importlib

    try:
        module = importlib.import_module(name)
        return Module(origin=name, checks=_declared(vars(module)))
    except Exception as error:
        return Module(origin=name, broken=_describe(error))


def _load_file(path: str) -> Module:
    """Compiles and runs one file. Not through the import system, which would leave a __pycache__ in the site's folder."""
    import os
    from types import ModuleType

    try:
        with open(path, "rb") as file:
            # Of the open file: what is judged is what is run.
            open_to_others = _writable_by_others(os.fstat(file.fileno()))
            if open_to_others:
                return Module(origin=path, broken=f"not loaded: the file {open_to_others}")
            source = file.read()
        module = ModuleType("sctune_site_" + os.path.basename(path)[:-3].replace("-", "_"))
        module.__file__ = path
        # dataclasses look their own module up there.
        sys.modules[module.__name__] = module
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 - this is what the folder is for
        return Module(origin=path, checks=_declared(vars(module)))
    except (Exception, SystemExit) as error:
        return Module(origin=path, broken=_describe(error))


def _writable_by_others(found: os.stat_result) -> str:
    """Why code found there must not be run, or "": whoever may write it may become who runs the doctor."""
    import os

    if found.st_uid not in (0, os.geteuid()):
        return f"belongs to user {found.st_uid}, not to root"
    if found.st_mode & _NOT_OURS_TO_WRITE:
        return "may be written by others (chmod go-w)"
    return ""


def _declared(namespace: dict[str, object]) -> tuple[Check, ...]:
    checks = namespace.get("CHECKS")
    if not isinstance(checks, tuple) or not all(isinstance(check, Check) for check in checks):
        raise TypeError("CHECKS is not a tuple of Check")
    return checks


def _clash(checks: Sequence[Check], names: dict[str, str], codes: dict[str, str]) -> str:
    """What of a module is taken already, by another module or by itself."""
    own: dict[str, Code] = {}
    seen: set[str] = set()
    for check in checks:
        if check.name in names:
            return f"the check {check.name} is already defined by {names[check.name]}"
        if check.name in seen:
            return f"the check {check.name} is defined twice"
        seen.add(check.name)
        for code in check.codes:
            if code.code in codes:
                return f"the code {code.code} is already defined by {codes[code.code]}"
            if own.setdefault(code.code, code) is not code:
                return f"the code {code.code} is defined twice"
    return ""


def _stand_in(module: Module, *, taken: dict[str, str]) -> Check:
    name = module.name.replace("_", "-").lower()
    if name in taken:
        name = module.origin

    def run(_: Look) -> NoReturn:
        raise CannotLook(Unavailable(reason=Reason.FAILED, what=module.origin, detail=module.broken))

    return Check(name=name, title=f"checks of {module.origin}", codes=(), needs=(), run=run)


def _describe(error: BaseException) -> str:
    where = ""
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith("<") and file != __file__:
            where = f" (line {traceback.tb_lineno} of {file.rsplit('/', 1)[-1]})"
        traceback = traceback.tb_next
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} (line {error.lineno})"
    return f"{type(error).__name__}: {error}{where}"
