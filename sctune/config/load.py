"""Reads /etc/sctune/sctune.yaml, or the file named with --config. Strict: what is not understood is an error with its place.

This is the configuration of the sctune that runs, not of the host it looks at: with `--from` it is still the local file.
"""

from __future__ import annotations

import os
import stat

from sctune.config.model import Config
from sctune.errors import UserError

DEFAULT_PATH = "/etc/sctune/sctune.yaml"
_MAX_BYTES = 1024 * 1024


def load(path: str | None) -> Config:
    """The configuration. Raises UserError for a file that is named and absent, unreadable, unsafe or wrong.

    Without a path and without the default file everything has its default, and no YAML library is imported.
    """
    data = _read(DEFAULT_PATH if path is None else path, optional=path is None)
    if data is None:
        return Config()
    return parse(data, DEFAULT_PATH if path is None else path)


def _read(path: str, *, optional: bool) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        if optional:
            return None
        raise UserError(f"{path}: no such configuration file", "check the path given with --config") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a path"
        hint = "make it readable (it holds no secrets: mode 0644), or name another file with --config"
        raise UserError(f"{path}: cannot read the configuration: {reason}", hint) from None
    try:
        _refuse_unsafe(path, os.fstat(descriptor))
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot read the configuration: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(data) > _MAX_BYTES:
        raise UserError(f"{path}: larger than 1 MiB, so surely not a configuration", "check the path given with --config")
    return data


def _refuse_unsafe(path: str, status: os.stat_result) -> None:
    """As root, no file that somebody else may write: it names folders and files that root then looks at."""
    import shlex

    if stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3):
        return  # --config /dev/null: no configuration, not even the default one
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: not a regular file", "write the configuration to a file and name that with --config")
    if os.geteuid() != 0:
        return
    others = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != 0)
    if status.st_uid != 0 or others:
        who = f"user {status.st_uid}" if status.st_uid != 0 else "others than root"
        quoted = shlex.quote(path)
        raise UserError(
            f"{path}: {who} may change this file, so it is not used as root",
            f"chown root:root {quoted} && chmod go-w {quoted}",
        )


def parse(data: bytes, file: str) -> Config:
    """The configuration in a file's content; `file` is for messages. Raises UserError that names every problem."""
    from sctune.config.document import Reader, compose
    from sctune.config.schema import read_config

    root = compose(data, file)
    if root is None:
        return Config(files=(file,))
    reader = Reader()
    config = read_config(reader, root, file)
    if reader.problems:
        problems = sorted(reader.problems, key=lambda problem: (problem.line, problem.column))
        raise UserError(
            "\n".join(
                f"{file}:{item.line}:{item.column}: {item.key + ': ' if item.key else ''}{item.message}" for item in problems
            ),
            "correct the file, or name another one with --config",
        )
    return config
