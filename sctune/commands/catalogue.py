"""What `sctune explain` and `sctune checks` have in common."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from sctune.report.layout import Page, encode, style_for

if TYPE_CHECKING:
    from sctune.findings import Code


def new_page() -> Page:
    """A page for standard output."""
    return Page(style=style_for(is_terminal=sys.stdout.isatty(), environment=os.environ))


def write(page: Page) -> None:
    """Prints a page. Raises OSError where standard output cannot take it."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(encode(page.text(), encoding).decode(encoding))
    sys.stdout.flush()


def severity_words(code: Code) -> str:
    """ "warning or critical"; for advice also when it is which."""
    told = " or ".join(severity.value for severity in code.severities)
    return f"{told} (advice: a warning only where the configuration wants it)" if code.advice else told
