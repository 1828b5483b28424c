"""The report as HTML in a real browser, Debian's chromium: it asks for nothing, breaks no rule of its own policy, and axe-core
finds no fault in it for who reads by keyboard or screen reader. Screens of a desk, a telephone, in the dark, and paper.

Where the browser or Playwright is missing the tests are skipped and say why; with ``SCTUNE_REQUIRE_BROWSER=1`` they fail instead.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from sctune.model.fleet import Fleet, HostLook
from sctune.report.html.render import render, render_fleet
from sctune.report.page_folder import file_names
from tests.unit import reports
from tests.unit.html_pages import NASTY, benchmark, large, page, poisoned, recorded
from tests.unit.test_fleet import WHOLE
from tests.unit.test_html_fleet import LINKS
from tests.unit.test_text import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.spawns

CHROMIUM = "/usr/bin/chromium"
LOOKS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 900}},
    "telephone": {"viewport": {"width": 320, "height": 640}, "has_touch": True},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "paper": {"viewport": {"width": 718, "height": 1000}},
}
HOSTS = ("storage-controller-faults", "storage-controller-healthy", "limits-together", "lvm-unresponsive", "session-left-on-node")
UNFOLD = "document.querySelectorAll('details').forEach(one => { one.open = true })"
FITS = "document.documentElement.scrollWidth <= window.innerWidth"
READABLE = """[...document.querySelectorAll('.scroll')].filter(one => !one.querySelector('.figures:not(.hosts)'))
    .filter(one => one.scrollWidth > one.clientWidth)
    .map(one => `${one.scrollWidth} in ${one.clientWidth}: ${one.innerText.slice(0, 60)}`)"""
RULES = "axe.run(document, {resultTypes: ['violations', 'incomplete']}).then(found => found.violations.map(one => "
RULES += "`${one.id}: ${one.help}: ` + one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')))"


def _missing(why: str) -> None:
    if os.environ.get("SCTUNE_REQUIRE_BROWSER") == "1":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for all tests of a process."""
    if not os.access(CHROMIUM, os.X_OK):
        _missing(f"there is no {CHROMIUM}: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("there is no Playwright: pip install 'sctune[test]'")
    home = tmp_path_factory.mktemp("chromium")
    environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, env=environment)
        yield found
        found.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core itself, as one script."""
    try:
        return (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    except ModuleNotFoundError:
        _missing("there is no axe-core: pip install 'sctune[test]'")
        raise


class Opened:
    """A page in the browser, what it asked for, and what the browser had to say of it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.asked: list[str] = []  # the page itself, and what it wanted beside
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))


@contextmanager
def opened(browser: Any, text: str, folder: Path, look: str = "desk", fragment: str = "") -> Iterator[Opened]:
    file = folder / "report.html"
    file.write_text(text, encoding="utf-8")
    context = browser.new_context(offline=True, **LOOKS[look])
    try:
        seen = Opened(context.new_page())
        if look == "paper":
            seen.page.emulate_media(media="print")
        seen.page.goto(f"file://{file}{fragment}")
        yield seen
    finally:
        context.close()


def is_clean(seen: Opened, axe: str) -> None:
    assert len(seen.asked) == 1
    assert seen.said == []
    assert seen.page.evaluate(FITS), "it has to be scrolled sideways"
    seen.page.evaluate(UNFOLD)
    assert seen.page.evaluate(FITS), "unfolded it has to be scrolled sideways"
    assert seen.page.evaluate(READABLE) == [], "a table of words has to be scrolled sideways"
    seen.page.evaluate(axe)
    assert seen.page.evaluate(RULES) == []
    assert seen.said == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("host", HOSTS)
def test_recorded_hosts(browser: Any, axe: str, tmp_path: Path, host: str, look: str) -> None:
    with opened(browser, page(recorded(host)), tmp_path, look) as seen:
        is_clean(seen, axe)


@pytest.mark.parametrize("look", LOOKS)
def test_a_benchmark(browser: Any, axe: str, tmp_path: Path, look: str) -> None:
    with opened(browser, page(recorded("storage-controller-healthy"), benchmark()), tmp_path, look, "#bench") as seen:
        is_clean(seen, axe)
        for gauge in seen.page.locator("#bench svg").all():
            box = gauge.bounding_box()
            assert box["width"] > 150 and 10 < box["height"] < 40
            bar = gauge.locator("rect").nth(1).bounding_box()
            assert 0 < bar["width"] <= box["width"]


@pytest.mark.parametrize("case", CASES)
def test_composed_reports(browser: Any, axe: str, tmp_path: Path, case: str) -> None:
    with opened(browser, render(CASES[case](), None, reports.CODES), tmp_path, "telephone") as seen:
        is_clean(seen, axe)


@pytest.mark.parametrize("look", LOOKS)
def test_several_hosts(browser: Any, axe: str, tmp_path: Path, look: str) -> None:
    with opened(browser, render_fleet(WHOLE, LINKS), tmp_path, look) as seen:
        is_clean(seen, axe)
        link = seen.page.locator("#hosts a").first
        assert link.evaluate("element => element.href").startswith(f"file://{tmp_path}/host-")


@pytest.mark.parametrize("name", NASTY, ids=lambda name: f"{name[:12]!a}")
def test_several_hosts_with_hostile_names(browser: Any, tmp_path: Path, name: str) -> None:
    looks = tuple(HostLook(address=name, outcome=poisoned(look.outcome, lambda _: name)) for look in WHOLE.hosts)
    hosts = Fleet(version="1", started=0.0, seconds=1.0, hosts=looks)
    with opened(browser, render_fleet(hosts, file_names([name])), tmp_path, "telephone") as seen:
        assert seen.said == []
        assert len(seen.asked) == 1
        assert seen.page.evaluate(FITS)
        assert seen.page.evaluate("document.querySelectorAll('script, img, iframe, [onload], [onerror], [style]').length") == 0


@pytest.mark.parametrize("name", NASTY, ids=lambda name: f"{name[:12]!a}")
def test_hostile_names(browser: Any, tmp_path: Path, name: str) -> None:
    text = page(poisoned(recorded("storage-controller-faults"), lambda _: name), poisoned(benchmark(), lambda _: name))
    with opened(browser, text, tmp_path, "telephone") as seen:
        assert seen.said == []
        assert len(seen.asked) == 1
        seen.page.evaluate(UNFOLD)
        assert seen.page.evaluate(FITS)
        assert seen.page.evaluate("document.querySelectorAll('script, img, iframe, [onload], [onerror], [style]').length") == 0


@pytest.mark.parametrize(
    ("planted", "directive"),
    [
        ("<script>document.title = 'run'</script>", "script-src"),
        ("<img src='http://192.0.2.1/x.png' alt=''/>", "img-src"),
        ("<p style='color: red'>styled</p>", "style-src"),
    ],
)
def test_the_policy_holds_and_is_seen_to(browser: Any, tmp_path: Path, planted: str, directive: str) -> None:
    """What the tests above trust: were something in the page that must not be, the browser would refuse it and say so."""
    text = page(recorded("storage-controller-healthy")).replace("<main ", f"{planted}<main ", 1)
    with opened(browser, text, tmp_path) as seen:
        assert any("Content Security Policy" in said and directive in said for said in seen.said), seen.said
        assert seen.page.title() != "run"


def test_a_link_to_a_volume_unfolds_it(browser: Any, tmp_path: Path) -> None:
    with opened(browser, page(large(1000)), tmp_path, fragment="#chain-700") as seen:
        place = seen.page.locator("#chain-700")
        assert place.evaluate("element => element.closest('.volume').open && element.closest('.many').open")
        top = place.evaluate("element => element.getBoundingClientRect().top")
        assert 0 <= top < 900


def test_by_keyboard(browser: Any, tmp_path: Path) -> None:
    """The first key leads past the contents; what unfolds and what scrolls can be reached, and is seen to be."""
    with opened(browser, page(recorded("storage-controller-faults")), tmp_path) as seen:
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.className") == "skip"
        assert seen.page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        seen.page.keyboard.press("Enter")
        assert seen.page.evaluate("document.activeElement.id") == "main"
        reached = set()
        for _ in range(60):
            seen.page.keyboard.press("Tab")
            tag = seen.page.evaluate("document.activeElement.tagName")
            reached.add(tag)
            if tag == "SUMMARY":
                assert seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert {"A", "SUMMARY", "PRE"} <= reached


def test_on_paper_what_a_finding_means_is_printed_and_nothing_is_cut_off(browser: Any, tmp_path: Path) -> None:
    with opened(browser, page(recorded("storage-controller-faults")), tmp_path, "paper") as seen:
        meaning = seen.page.locator(".meaning").first
        assert meaning.evaluate("element => element.checkVisibility({contentVisibilityAuto: true})")
        assert meaning.bounding_box()["height"] > 20
        assert not seen.page.locator("nav").is_visible()
        cut = "[...document.querySelectorAll('.commands, .scroll')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
        assert seen.page.evaluate(cut) == 0
        assert seen.page.pdf(format="A4").startswith(b"%PDF-")
