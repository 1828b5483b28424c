"""Lines for whoever reads the log: standard error, which systemd keeps."""

from __future__ import annotations

import sys
from contextlib import suppress

from sctune.report.sanitize import clean


def tell(line: str) -> None:
    """Writes one line. A log that cannot be written to stops nothing."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"sctune: {clean(line)}\n")
        sys.stderr.flush()
