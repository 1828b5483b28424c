"""Several hosts as HTML: a page a host and one of all of them, harmless whatever a host is called."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sctune.fleet
from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.host.bundle import read_bundle
from sctune.host.ssh import SshHost, checked_address
from sctune.model.fleet import Fleet, HostLook
from sctune.report.html.render import render_fleet
from sctune.report.page_folder import INDEX, file_names
from sctune.unavailable import Reason, Unavailable
from tests.unit import reports
from tests.unit.html_pages import NASTY, SCENARIOS, XHTML, poisoned, tree
from tests.unit.test_fleet import GONE, WHOLE, fleet, seen
from tests.unit.test_html import of_class, safe, sound, words

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from pathlib import Path

    from sctune.host.ssh import SshLook

NAMES = file_names([look.address for look in WHOLE.hosts])
LINKS = {look.address: NAMES[look.address] for look in WHOLE.hosts if not isinstance(look.outcome, Unavailable)}
FILE = re.compile(r"host-[A-Za-z0-9_.@+-]*\.html")


def without_links(root: ET.Element) -> list[str]:
    """The links to files beside the page, which are taken out of it; each is but a name."""
    found = [one for one in root.iter(f"{XHTML}a") if not one.attrib["href"].startswith("#")]
    names = [one.attrib.pop("href") for one in found]
    assert all(FILE.fullmatch(name) for name in names)
    return names


def table(root: ET.Element, section: str) -> list[list[str]]:
    part = next(one for one in root.iter(f"{XHTML}section") if one.get("id") == section)
    return [[words(cell) for cell in row] for row in part.iter(f"{XHTML}tr")][1:]


def test_the_page_of_all_says_what_the_table_of_the_text_says() -> None:
    root = tree(render_fleet(WHOLE, LINKS))
    sound(root)
    assert set(without_links(root)) == set(LINKS.values())
    safe(root)
    rows = table(root, "hosts")
    assert [row[0].split()[0] for row in rows] == ["root@sc2", "sc5", "sc4", "admin@sc3", "sc1.example.org", "sc6"]
    assert [row[1] for row in rows] == ["critical", "critical", "unreachable", "incomplete", "ok", "ok"]
    assert rows[2][2:6] == ["?", "?", "?", "?"]
    assert table(root, "unreached") == [["sc4", "no answer in time", "no answer in 60 s"]]
    assert any("admin@sc3" in row[0] for row in table(root, "unseen"))
    assert "6 hosts in 3.2 s: 2 critical, 1 unreachable, 1 incomplete, 2 ok." in words(root)
    assert words(next(of_class(root, "verdict"))).endswith("Next: Start with root@sc2")


@pytest.mark.parametrize(
    ("hosts", "level"),
    [
        ((seen("a", reports.healthy()),), "No fault found"),
        ((seen("a", reports.healthy()), HostLook(address="b", outcome=GONE)), "Not every host could be looked at"),
        ((HostLook(address="b", outcome=GONE),), "Not every host could be looked at"),
        ((seen("a", reports.ordinary_user()),), "Not everything could be seen"),
    ],
)
def test_what_is_not_known_is_not_called_well(hosts: tuple[HostLook, ...], level: str) -> None:
    root = tree(render_fleet(fleet(*hosts), {}))
    sound(root)
    safe(root)
    assert words(next(of_class(root, "verdict"))).startswith(level)


@pytest.mark.parametrize("name", NASTY, ids=lambda name: f"{name[:12]!a}")
def test_hostile_names(name: str) -> None:
    looks = tuple(HostLook(address=name, outcome=poisoned(look.outcome, lambda _: name)) for look in WHOLE.hosts)
    gone = HostLook(address=name, outcome=Unavailable(reason=Reason.FAILED, what=name, detail=name))
    names = file_names([name])
    root = tree(render_fleet(Fleet(version="1", started=0.0, seconds=1.0, hosts=(*looks, gone)), names))
    without_links(root)
    safe(root)
    sound(root)


@given(st.lists(st.text(max_size=300), unique=True, max_size=8))
def test_any_name_becomes_a_files_name_of_its_own(addresses: list[str]) -> None:
    names = file_names(addresses)
    assert list(names) == addresses
    assert len({name.casefold() for name in names.values()}) == len(addresses)
    assert all(FILE.fullmatch(name) and len(name) < 130 for name in names.values())


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("sc1", "host-sc1.html"),
        ("root@sc2.example.org", "host-root@sc2.example.org.html"),
        ("ssh://root@[2001:db8::1]:2222/", "host-root@-2001-db8--1--2222-.html"),
        ("index", "host-index.html"),
    ],
)
def test_the_name_of_a_page(address: str, name: str) -> None:
    assert file_names([checked_address(address)]) == {address: name}


def test_names_that_differ_in_what_a_file_may_not_have() -> None:
    assert list(file_names(["a:1", "a%1", "A-1"]).values()) == ["host-a-1.html", "host-a-1-2.html", "host-A-1-3.html"]


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three hosts, of which one is down; the addresses that were looked at."""
    asked: list[str] = []

    def look_at(address: str, look: SshLook) -> SshHost | Unavailable:
        asked.append(address)
        if address == "down":
            return Unavailable(reason=Reason.FAILED, what=address, detail="<b>refused</b>")
        scenario = "storage-controller-faults" if address == "ill" else "storage-controller-healthy"
        return SshHost(read_bundle(str(SCENARIOS / scenario / "host.tar.gz")))

    monkeypatch.setattr(sctune.fleet, "look_at", look_at)
    return asked


def sctune_doctor(*arguments: str) -> int:
    from sctune.__main__ import main

    return main(["doctor", "--format", "html", "--config", "/dev/null", *arguments])


def test_a_folder_of_pages(three: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "pages"
    hosts = ("--host", "well", "--host", "ill", "--host", "down")
    assert sctune_doctor(*hosts, "--output", str(folder)) == ExitCode.FINDINGS
    assert sorted(os.listdir(folder)) == ["host-ill.html", "host-well.html", INDEX]
    index = tree((folder / INDEX).read_text())
    assert {"host-ill.html", "host-well.html"} == set(without_links(index))
    safe(index)
    assert ["down", "failed", "<b>refused</b>"] in table(index, "unreached")
    ill = tree((folder / "host-ill.html").read_text())
    safe(ill)
    sound(ill)
    assert next(one for one in ill.iter(f"{XHTML}section") if one.get("id") == "chains") is not None
    (folder / "mine.txt").write_text("mine")
    assert sctune_doctor(*hosts, "--output", str(folder)) == ExitCode.FINDINGS
    assert (folder / "mine.txt").read_text() == "mine"
    assert not [name for name in os.listdir(folder) if name.startswith(".")]


def test_one_host_is_one_file_as_this_machine_would_be(three: list[str], tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    assert sctune_doctor("--host", "ill", "--output", str(file)) == ExitCode.FINDINGS
    root = tree(file.read_text())
    safe(root)
    sound(root)
    assert "looked at over ssh" in words(root)
    assert sctune_doctor("--host", "down", "--output", str(file)) == ExitCode.INCOMPLETE
    assert table(tree(file.read_text()), "unreached") == [["down", "failed", "<b>refused</b>"]]
    assert sctune_doctor("--host", "ill", "--output", f"{tmp_path}/pages/") == ExitCode.FINDINGS
    assert sorted(os.listdir(tmp_path / "pages")) == ["host-ill.html", INDEX]


@pytest.mark.parametrize("where", [(), ("--output", "-"), ("--output", "{}/file"), ("--output", "/proc/nothing/x")])
def test_where_no_folder_can_be_is_said_before_a_host_is_looked_at(
    three: list[str], tmp_path: Path, where: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    assert sctune_doctor("--host", "a", "--host", "b", *(word.format(tmp_path) for word in where)) == ExitCode.USAGE
    assert "folder" in capsys.readouterr().err.lower()
    assert three == []
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_fails_meanwhile_is_no_defect_of_a_host(
    three: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: object, name: str, text: str) -> None:
        raise UserError("cannot write x: no space left on device")

    monkeypatch.setattr("sctune.report.page_folder.PageFolder.write", full)
    assert sctune_doctor("--host", "well", "--host", "ill", "--output", str(tmp_path / "pages")) == ExitCode.USAGE
    assert "no space left on device" in capsys.readouterr().err
