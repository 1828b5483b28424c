"""Lines for whoever reads the log: standard error, which systemd keeps."""

from __future__ import annotations

import sys
from contextlib import suppress

from sctune.host.redact import redact_text
from sctune.report.sanitize import clean


def tell(line: str) -> None:
    """Writes one line, without a secret that an answer had in it: why a collector fails is told in the answer's own words. A log
    that cannot be written to stops nothing."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"sctune: {clean(redact_text(line))}\n")
        sys.stderr.flush()
