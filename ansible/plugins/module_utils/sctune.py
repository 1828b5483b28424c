"""What the modules share: running the host's sctune, and telling its answers apart.

An exit code of sctune says one of four things: all is fine, something was found, not everything could be looked at, or it did not
do what was asked. Only the last is a failure of the command, and becomes one line of error.
"""

from __future__ import annotations

import json

FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin")
SCHEMA = 1
OPTIONS = {
    "executable": {"type": "str", "default": "sctune"},
    "config": {"type": "path"},
}


class Sctune:
    """The host's command."""

    def __init__(self, module):
        self.module = module
        name = module.params["executable"]
        path = name if "/" in name else module.get_bin_path(name, opt_dirs=list(FOLDERS))
        if path is None:
            module.fail_json(msg=f"{name} is not installed on this host: it is neither in PATH nor in {', '.join(FOLDERS)}")
        self.path = path

    def run(self, command, *arguments, after=()):
        """Exit code, standard output, standard error. What is `after` is no option, whatever it begins with."""
        argv = [self.path, command, *arguments]
        if self.module.params["config"] and command not in ("rollback", "history"):
            argv += ["--config", self.module.params["config"]]
        if after:
            argv += ["--", *after]
        try:
            return self.module.run_command(argv, environ_update={"LC_ALL": "C.UTF-8"}, handle_exceptions=False)
        except OSError as error:
            self.module.fail_json(msg=f"cannot run {self.path}: {error.strerror}")

    def document(self, command, *arguments, after=(), **values):
        """Exit code, the JSON that it wrote, and what it said of it on standard error, in one line. Ends the module, with
        `values`, where it wrote none."""
        code, out, err = self.run(command, *arguments, "--format", "json", after=after)
        try:
            found = json.loads(out)
        except ValueError:
            self.fail(command, code, err or out, **values)
        schema = found.get("schema") if isinstance(found, dict) else None
        if schema != SCHEMA:
            self.module.fail_json(
                msg=f"sctune {command} answers in structure {schema}, and the collection reads {SCHEMA}: they do not fit",
                **values,
            )
        return code, found, one_line(err)

    def fail(self, command, code, err, **values):
        """Ends the module with what the command said."""
        said = one_line(err) or f"exit code {code}, without a word"
        self.module.fail_json(msg=f"sctune {command}: {said}", rc=code, **values)


def one_line(err):
    """What sctune said on standard error, its hint included, without its name. Of a traceback the last line."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    if any(line.startswith("Traceback ") for line in lines):
        return lines[-1]
    return "; ".join(line[len("sctune: ") :] if line.startswith("sctune: ") else line for line in lines)


def some(things, most=3):
    """The first few of a list, in words."""
    more = len(things) - most
    return "; ".join(things[:most]) + (f"; and {more} more" if more > 0 else "")
