"""The page as HTML: one file that asks nobody for anything.

A report quotes names that anybody can make (a file in a store, a volume's id, an initiator's name), and it is opened in a browser
that holds its reader's sessions. So everything is escaped by the templates themselves; there is no script; and what a browser may
do at all is written at the top of the file: nothing but apply this one style sheet, told by its hash.

Source: https://www.w3.org/TR/CSP3/ (meta element, hash-source)
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from sctune.report.html.page import page
from sctune.report.sanitize import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

    from sctune.findings import Code
    from sctune.model.fleet import Fleet
    from sctune.model.report import Report
    from sctune.report.bench_file import Recorded
    from sctune.report.html.fleet import FleetTold
    from sctune.report.html.model import PageTold
    from sctune.report.html.scene import Scene


def render(report: Report, scene: Scene | None, codes: Mapping[str, Code], bench: Recorded | None = None) -> str:
    """The whole file. `scene` None: findings alone. `bench` is a benchmark to be drawn with it."""
    return _rendered("page.html.j2", page(report, scene, codes, bench))


def render_fleet(fleet: Fleet, links: Mapping[str, str]) -> str:
    """The page of several hosts. `links` are the names of the files beside it that are about one host each, by its address."""
    from sctune.report.html.fleet import fleet_page

    return _rendered("fleet.html.j2", fleet_page(fleet, links))


def _rendered(template: str, told: PageTold | FleetTold) -> str:
    from markupsafe import Markup

    style = _style()
    text: str = (
        _environment()
        .get_template(template)
        .render(
            page=told,
            style=Markup(style),  # noqa: S704 -- our own file, and its hash is in the policy
            policy=policy(style),
        )
    )
    return text


def policy(style: str) -> str:
    """What a browser may do with the page."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


@cache
def _style() -> str:
    return (resources.files("sctune.report.html") / "templates" / "style.css").read_text(encoding="utf-8")


def _harmless(value: Any) -> Any:
    """What a template puts out, without control characters: also where whoever made the page forgot to see to it. Markup is what
    another template made of such values."""
    return clean(value) if type(value) is str else value


def prose(text: str) -> Markup:
    """A sentence as HTML: what stands in it between backquotes is what one types. Escaped, as everything is."""
    from markupsafe import Markup

    words = clean(text).split("`")
    if len(words) % 2 == 0:  # one is left over: no pairs
        return Markup.escape(clean(text))
    return Markup().join(Markup("<code>{}</code>").format(word) if odd % 2 else word for odd, word in enumerate(words))


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("sctune.report.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["prose"] = prose
    return made
