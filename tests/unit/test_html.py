"""The report as HTML: whole, harmless, and the same in what it says."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape

from sctune.check import Unexamined
from sctune.findings import Muted
from sctune.host.base import Source
from sctune.model.applied import Applied, Drift, Kind, Setting, Transaction
from sctune.model.report import Status
from sctune.model.tree import Layer, Link, Mark
from sctune.records import replace
from sctune.report.html.drawing import draw, fit
from sctune.report.html.render import policy, render
from sctune.report.html.tuning import tuning
from sctune.report.html.words import cut
from sctune.report.verdict import verdict
from sctune.unavailable import Reason, Unavailable
from tests.unit import reports
from tests.unit.golden import compare
from tests.unit.html_pages import NASTY, SCENARIOS, XHTML, codes, large, page, poisoned, recorded, tree
from tests.unit.test_cli import run
from tests.unit.test_text import CASES

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from collections.abc import Iterator
    from pathlib import Path

    from sctune.model.report import Report

FAULTY, HEALTHY = "storage-controller-faults", "storage-controller-healthy"
MUTED = Muted(reason="known", until="2026-01-01")
HOSTS = sorted(path.parent.name for pattern in ("*/capture.json", "*/host.tar.gz") for path in SCENARIOS.glob(pattern))


def words(element: ET.Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def of_class(root: ET.Element, name: str) -> Iterator[ET.Element]:
    return (element for element in root.iter() if name in element.get("class", "").split())


def safe(root: ET.Element) -> None:
    """No script, no handler, no style beside the one sheet, no address but of this page."""
    names = {element.tag.removeprefix(XHTML) for element in root.iter()}
    assert not names & {"script", "iframe", "object", "embed", "form", "img", "base", "a:href", "use", "foreignObject", "animate"}
    assert len(list(root.iter(f"{XHTML}style"))) == 1
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.startswith("on") and name not in ("style", "src", "srcset", "action", "formaction"), name
            if name.endswith("href"):
                assert value.startswith("#") or (element.tag == f"{XHTML}link" and value == "data:,"), value


def sound(root: ET.Element) -> None:
    """Every id is there once, and what is referred to is there."""
    ids = Counter(element.get("id") for element in root.iter() if element.get("id"))
    assert not [name for name, number in ids.items() if number > 1]
    for element in root.iter():
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(element.get(name, "").split()) <= set(ids)
        if element.get("href", "").startswith("#"):
            assert element.attrib["href"][1:] in ids


@pytest.mark.parametrize("host", HOSTS)
def test_a_recorded_hosts_page_is_whole_and_safe(host: str) -> None:
    text = page(recorded(host))
    root = tree(text)
    safe(root)
    sound(root)
    assert all(char.isprintable() or char == "\n" for char in text)
    report, drawn = recorded(host)
    said = words(root)
    for finding in report.findings:
        assert finding.code in said
    assert drawn.volumes is not None
    assert len([one for one in root.iter(f"{XHTML}svg") if one.get("class") == "chain"]) == len(drawn.volumes)


@pytest.mark.parametrize("case", CASES)
def test_a_composed_reports_page_says_what_its_text_says(case: str) -> None:
    report = CASES[case]()
    root = tree(render(report, None, reports.CODES))
    safe(root)
    sound(root)
    said = words(root)
    for finding in report.findings:
        assert finding.code in said
        assert finding.muted is None or finding.muted.until in said
    assert not list(root.iter(f"{XHTML}svg"))


def test_the_policy_allows_this_style_sheet_and_nothing_else() -> None:
    root = tree(page(recorded(FAULTY)))
    said = next(one.attrib["content"] for one in root.iter(f"{XHTML}meta") if one.get("http-equiv") == "Content-Security-Policy")
    style = next(root.iter(f"{XHTML}style")).text or ""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert said == f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    assert "url(" not in style and "@import" not in style
    head = root.find(f"{XHTML}head")
    assert head is not None
    # A policy holds for what comes after it.
    names = [one.get("http-equiv") or one.tag.removeprefix(XHTML) for one in head]
    assert names.index("Content-Security-Policy") < names.index("style")


@pytest.mark.parametrize("name", NASTY, ids=lambda name: f"{name[:12]!a}")
@pytest.mark.parametrize("host", [FAULTY, "limits-together"])
def test_hostile_names_everywhere_change_nothing_but_words(host: str, name: str) -> None:
    seen = recorded(host)
    plain = tree(page(seen))
    text = page(poisoned(seen, lambda _: name))
    root = tree(text)
    safe(root)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert {element.tag for element in root.iter()} <= {element.tag for element in plain.iter()}
    assert {key for element in root.iter() for key in element.attrib} <= {key for element in plain.iter() for key in element.attrib}


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=60))
def test_any_name_is_well_formed(name: str) -> None:
    safe(tree(page(poisoned(recorded(FAULTY), lambda old: f"{name}{old}{name}"))))


def test_a_command_is_never_cut_and_stays_the_same() -> None:
    finding = reports.deleted()
    long = f"dd if=/dev/loop0 of='{'<&>' * 900}'"
    finding = replace(finding, remedy=replace(finding.remedy, commands=(long, "sync")))
    root = tree(render(reports.report(finding), None, reports.CODES))
    assert f"{long}\nsync" in ["".join(one.itertext()) for one in of_class(root, "commands")]


def test_long_texts_lose_their_middle() -> None:
    assert cut("x" * 400) == "x" * 400
    assert cut("a" * 300 + "b" * 9_700) == f"{'a' * 240} … {'b' * 60} (10,000 characters)"
    assert fit("x" * 37, 37) == "x" * 37
    assert len(fit("x" * 38, 37)) == 37
    assert fit("体" * 30, 10) == "体体…体体"


def test_thousands_of_findings_of_one_code_are_all_there_and_out_of_the_way() -> None:
    root = tree(render(CASES["two-hundred"](), None, reports.CODES))
    said = words(root)
    for number in range(200):
        assert reports.volume(number).id in said
    cards = [card for card in of_class(root, "card") if "LOOP_LEAKED" in words(card)]
    assert len(cards) == 1
    hidden = next(one for one in cards[0].iter(f"{XHTML}details"))
    assert hidden.get("open") is None
    assert words(next(hidden.iter(f"{XHTML}summary"))).endswith(" more")


def test_a_thousand_volumes_stay_a_few_megabytes_and_collapsed() -> None:
    text = page(large(1000))
    assert len(text.encode()) < 5_000_000
    root = tree(text)
    volumes = list(of_class(root, "volume"))
    assert len(volumes) == 1000
    assert not [one for one in volumes if one.get("open") is not None]
    outer = next(of_class(root, "many"))
    assert outer.get("open") is None


def test_the_broken_link_is_marked_in_the_drawing_in_words_and_in_the_table() -> None:
    root = tree(page(recorded(FAULTY)))
    volume = next(one for one in of_class(root, "volume") if "vol-391D44BE" in words(next(one.iter(f"{XHTML}summary"))))
    assert volume.get("open") is not None
    boxes = [words(box) for box in of_class(volume, "n") if "broken" in box.get("class", "")]
    assert any(box.startswith("LUN") and "BROKEN" in box and "TARGET_LUN_OFFLINE" in box for box in boxes)
    text = next(volume.iter(f"{XHTML}desc"))
    assert "LUN LUN 1 is broken" in (text.text or "")
    rows = [words(row) for row in volume.iter(f"{XHTML}tr")]
    assert any("LUN 1 BROKEN offline" in row for row in rows)
    links = [one.get("href") for one in volume.iter(f"{XHTML}a") if words(one) == "TARGET_LUN_OFFLINE"]
    card = next(one for one in of_class(root, "card") if "TARGET_LUN_OFFLINE" in words(one))
    assert set(links) == {f"#{card.get('id')}"}


@pytest.mark.parametrize("host", [FAULTY, HEALTHY])
def test_golden(host: str, request: pytest.FixtureRequest) -> None:
    """The whole file, but for its style sheet, as it was when a person looked at it in a browser."""
    report, drawn = recorded(host)
    text = page((replace(report, version="VERSION"), drawn))
    style = tree(text).findtext(f".//{XHTML}style") or ""
    text = text.replace(style, "style.css").replace(str(escape(policy(style))), "policy")
    compare(request, f"{host}.html", text)


def test_a_healthy_host() -> None:
    root = tree(page(recorded(HEALTHY)))
    section = next(of_class(root, "verdict"))
    assert section.get("class") == "verdict fine"
    assert words(section).startswith("No fault found")
    assert not [box for box in of_class(root, "n") if box.get("class") != "n"]


def test_what_could_not_be_seen_is_not_called_well() -> None:
    gap = Unexamined(what="LVM", reason=Reason.TIMEOUT, detail="no answer in 5 s")
    one = reports.report(checks=(reports.check("lvm", Status.UNKNOWN, 0, unexamined=(gap,), reason="LVM: timeout"),))
    root = tree(render(one, None, reports.CODES))
    assert next(of_class(root, "verdict")).get("class") == "verdict unknown"
    unseen = next(element for element in root.iter() if element.get("id") == "unseen")
    assert "LVM no answer in time (no answer in 5 s) lvm" in words(unseen)


@pytest.mark.parametrize(
    ("report", "heading", "look"),
    [
        (reports.nothing_here(), "Nothing to judge", "unknown"),
        (reports.one_fault(), "Critical faults", "critical"),
        (reports.two_hundred(), "Warnings", "warning"),
        (reports.only_notes(), "No fault found", "fine"),
        (reports.ordinary_user(), "Not everything could be seen", "unknown"),
        (reports.report(replace(reports.deleted(), muted=MUTED), checks=reports.HEALTHY_CHECKS), "Nothing new", "fine"),
    ],
)
def test_the_verdicts_heading(report: Report, heading: str, look: str) -> None:
    root = tree(render(report, None, reports.CODES))
    section = next(of_class(root, "verdict"))
    assert section.get("class") == f"verdict {look}"
    assert words(section).startswith(heading)


@pytest.mark.parametrize("host", [FAULTY, HEALTHY, "lvm-unresponsive"])
def test_the_command_writes_it_with_the_exit_code_of_any_report(
    host: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    archive, file = str(SCENARIOS / host / "host.tar.gz"), tmp_path / "report.html"
    for options in ([], ["--fail-on", "never"], ["--check", "loop-limit"]):
        text = run(capfd, "doctor", "--from", archive, *options)[0]
        assert run(capfd, "doctor", "--from", archive, *options, "--format", "html", "--output", str(file)) == (text, "", "")
        root = tree(file.read_text(encoding="utf-8"))
        assert bool(list(of_class(root, "volume"))) is ("--check" not in options)
        assert "1 checks" not in words(root)


def test_only_news_fails_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    archive, baseline = str(SCENARIOS / FAULTY / "host.tar.gz"), str(tmp_path / "last.json")
    assert run(capfd, "doctor", "--from", archive, "--format", "json", "--output", baseline)[0] == 1
    code, out, _ = run(capfd, "doctor", "--from", archive, "--baseline", baseline, "--format", "html")
    assert code == 0
    root = tree(out)
    assert words(next(of_class(root, "verdict"))).startswith("Nothing new")
    assert not list(of_class(root, "card"))
    assert "Known from the baseline" in words(root)


def test_without_all_checks_of_volumes_none_is_called_well() -> None:
    report, drawn = recorded(HEALTHY)
    root = tree(page((report, replace(drawn, volumes=None))))
    assert not list(of_class(root, "volume"))
    assert "nobody can say which are well" in words(root)


def test_a_link_that_holds_and_is_warned_of_is_marked_too() -> None:
    root = tree(page(recorded("session-left-on-node")))
    boxes = [words(box) for box in of_class(root, "warned")]
    assert boxes == ["iSCSI session ! WARNING session1 of this host ISCSI_SESSION_LEFTOVER"]
    assert "iSCSI session session1 of this host is warned of" in " ".join(one.text or "" for one in root.iter(f"{XHTML}desc"))


def test_a_baseline_marks_what_is_new() -> None:
    root = tree(render(CASES["baseline"](), None, reports.CODES))
    assert [one for one in of_class(root, "mark") if words(one) == "new"]
    assert "Known from the baseline" in words(root)


def test_the_muted_are_apart_and_marked() -> None:
    root = tree(render(CASES["muted"](), None, reports.CODES))
    section = next(element for element in root.iter() if element.get("id") == "muted")
    for card in of_class(section, "card"):
        assert "Muted" in words(card)
    assert list(of_class(section, "card"))


def test_a_drawing_is_one_trunk_with_branches() -> None:
    def link(layer: Layer, name: str, *above: Link, mark: Mark = Mark.FINE) -> Link:
        return Link(layer=layer, name=name, above=above, mark=mark)

    lv = link(
        Layer.LV, "lv", link(Layer.SNAPSHOT, "s", link(Layer.COW_STORE, "c")), link(Layer.TARGET, "t", mark=Mark.MISSING)
    )  # fmt: skip
    drawing = draw("v", (link(Layer.FILE, "one"), link(Layer.FILE, "two", lv)))
    assert [(node.name, node.x) for node in drawing.nodes] == [("one", 2), ("two", 2), ("lv", 2), ("s", 24), ("c", 24), ("t", 2)]
    assert all(one.y + one.height < other.y for one, other in pairwise(drawing.nodes))
    assert {edge.mark for edge in drawing.edges} == {"fine", "broken", "beside"}
    assert drawing.text == "6 links. iSCSI target t is missing. The table tells each."
    last = drawing.nodes[-1]
    assert drawing.height == last.y + last.height + 2


def test_what_was_applied_and_is_different_now() -> None:
    by = Transaction(number=3, profile="storage-controller", version="0.1", state="applied", time=1.0, options=(), settings=())
    setting = Setting(setting="vm.dirty_ratio", kind=Kind.VALUE, path="/proc/sys/vm/dirty_ratio", wanted="5")
    drift = Drift(setting="vm.swappiness", path="/proc/sys/vm/swappiness", wanted="1", now="60", by=by)
    applied = Applied(transactions=(by,), conforming=(setting,), drifted=(drift,), gone=(), unread=())
    report, drawn = recorded(HEALTHY)
    root = tree(page((report, replace(drawn, applied=applied))))
    section = next(element for element in root.iter() if element.get("id") == "tuning")
    assert "1 setting in force as set, 1 changed since." in words(section)
    assert "vm.swappiness /proc/sys/vm/swappiness 1 60 storage-controller (transaction 3)" in words(section)
    told = tuning(Unavailable(reason=Reason.DENIED, what="/var/lib/sctune/applied.json"))
    assert told is not None and told.unread
    assert tuning(Unavailable(reason=Reason.ABSENT, what="/var/lib/sctune/applied.json")) is None


def test_the_verdict_is_that_of_the_text() -> None:
    report, drawn = recorded(FAULTY)
    from sctune.report.coverage import coverage
    from sctune.report.html.findings import news
    from sctune.report.sanitize import clean_report

    clean = clean_report(report)
    told = verdict(clean, news(clean), coverage(clean)).replace("\x00", " ")
    assert told[1:] in words(next(of_class(tree(page((report, drawn))), "verdict")))


def test_a_finding_leads_to_the_drawing_of_its_volume() -> None:
    root = tree(page(recorded(FAULTY)))
    leads = [one for one in of_class(root, "see-chain")]
    assert leads
    ids = {element.get("id"): element for element in root.iter()}
    for one in leads:
        name = words(one).rpartition(" ")[2]
        assert name in words(ids[one.attrib["href"][1:]])


def test_how_the_host_was_looked_at() -> None:
    said = words(tree(render(reports.report(reports.deleted(), source=Source.ROOT, privileged=False), None, codes())))
    assert "How from a file tree" in said
    assert "ordinary user" not in said
    said = words(tree(render(reports.report(privileged=False), None, codes())))
    assert "How looked at live, as an ordinary user" in said


def test_it_can_be_read_as_plain_text_in_order() -> None:
    """Headings go down by one level at a time, and every section has one."""
    text = page(recorded(FAULTY))
    levels = [int(one) for one in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
