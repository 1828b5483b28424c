"""Reads /etc/sctune/sctune.yaml and /etc/sctune/conf.d/*.yaml, or the file named with --config.

Strict: what is not understood is an error with its place, and all errors of all files are told at once.

This is the configuration of the sctune that runs, not of the host it looks at: with `--from` it is still the local file.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from sctune.config.model import Config
from sctune.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_PATH = "/etc/sctune/sctune.yaml"
DROP_INS = "/etc/sctune/conf.d"
_MAX_BYTES = 1024 * 1024


def load(path: str | None) -> Config:
    """The configuration. Raises UserError for a file that is named and absent, unreadable, unsafe or wrong.

    Without a path and without a file at the usual places everything has its default, and no YAML library is imported.
    """
    sources = read_sources(path)
    return parse_all(sources)[0] if sources else Config()


def read_sources(path: str | None) -> tuple[tuple[str, bytes], ...]:
    """The files that make up the configuration with their content, the first of least weight: the one that is named and no other,
    or else the default one and those of conf.d beside it, which need not be there."""
    if path is not None:
        data = read_file(path, optional=False)
        return ((path, data),) if data is not None else ()
    found = ((file, read_file(file, optional=True)) for file in (DEFAULT_PATH, *_drop_ins()))
    return tuple((file, data) for file, data in found if data is not None)


def _drop_ins() -> tuple[str, ...]:
    """The files of conf.d in the order of their names."""
    try:
        names = sorted(name for name in os.listdir(DROP_INS) if not name.startswith("."))
        status = os.stat(DROP_INS)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise UserError(f"{DROP_INS}: cannot read the configuration: {error.strerror}", "make it readable (mode 0755)") from None
    files = tuple(f"{DROP_INS}/{name}" for name in names if name.endswith((".yaml", ".yml")))
    if files:
        refuse_writable(DROP_INS, status)
    return files


def read_file(path: str, *, optional: bool) -> bytes | None:
    """A file's content, None where an optional one is not there. Raises UserError where it cannot or must not be read."""
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
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3):
        return  # --config /dev/null: no configuration, not even the default one
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: not a regular file", "write the configuration to a file and name that with --config")
    refuse_writable(path, status)


def refuse_writable(path: str, status: os.stat_result) -> None:
    """Raises UserError where this runs as root and somebody else may change the file or folder."""
    import shlex

    if os.geteuid() != 0:
        return
    others = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != 0)
    if status.st_uid != 0 or others:
        who = f"user {status.st_uid}" if status.st_uid != 0 else "others than root"
        quoted = shlex.quote(path)
        raise UserError(
            f"{path}: {who} may change this {'folder' if stat.S_ISDIR(status.st_mode) else 'file'}, so it is not used as root",
            f"chown root:root {quoted} && chmod go-w {quoted}",
        )


def parse(data: bytes, file: str) -> Config:
    """The configuration in one file's content; `file` is for messages. Raises UserError that names every problem."""
    return parse_all(((file, data),))[0]


def parse_all(sources: Sequence[tuple[str, bytes]]) -> tuple[Config, Mapping[str, str]]:
    """The configuration in the content of several files, and where each value was given: dotted key -> FILE:LINE.
    Raises UserError that names every problem of all of them."""
    from sctune.config.document import Reader, compose
    from sctune.config.merge import merge
    from sctune.config.schema import read_config

    files = tuple(file for file, _ in sources)
    documents, broken = [], []
    for file, data in sources:
        try:
            documents.append(compose(data, file))
        except UserError as error:
            broken.append(error.message)
    root = merge(documents)
    reader = Reader()
    config = read_config(reader, root, files) if root is not None else Config(files=files)
    order = {file: place for place, file in enumerate(files)}
    problems = sorted(reader.problems, key=lambda one: (order.get(one.file, 0), one.line, one.column))
    wrong = [f"{one.file}:{one.line}:{one.column}: {one.key + ': ' if one.key else ''}{one.message}" for one in problems]
    if broken or wrong:
        raise UserError("\n".join(broken + wrong), "correct the file, or name another one with --config")
    return config, reader.origins
