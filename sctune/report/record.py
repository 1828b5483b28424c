"""The doctor's last result, kept for whoever asks later: the exporter, and an operator who comes too late.

It is not for everybody (0640): findings name files, initiators and accounts. A site that wants a group
to read it says so with chgrp(1) once: the file's owner is kept.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sctune.errors import UserError
from sctune.report.atomic import Output
from sctune.report.json import render

if TYPE_CHECKING:
    from sctune.model.report import Report

PATH = "/var/lib/sctune/doctor.json"
_MODE = 0o640


def record(report: Report, path: str = PATH) -> None:
    """Writes the report, as `--format json` prints it, whole or not at all. Raises UserError."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot keep the result in {path}: {os.strerror(error.errno or 0).lower()}", "Run it as root.") from error
    Output(path, mode=_MODE).write(render(report).encode())
