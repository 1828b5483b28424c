"""Every page is in the index and in the site's navigation, no link leads nowhere, and the README shows what is true."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sctune.__main__ import main
from sctune.registry import assemble, built_in
from tests.markdown import ROOT, anchors, broken, documents, hook, links, prose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The pages of single codes stand in codes/README.md, which tests/unit/test_codepages.py compares.
PAGES = sorted(
    name
    for name in (path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    if not name.startswith("codes/") or name == "codes/README.md"
)
KINDS = ["Tutorial", "How-to", "Reference", "Explanation"]


def navigation() -> list[Any]:
    nav: list[Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    return nav


def leaves(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    else:
        for inner in part.values() if isinstance(part, dict) else part:
            yield from leaves(inner)


def test_the_navigation_names_every_page_once() -> None:
    assert sorted(leaves(navigation())) == PAGES


def test_the_index_names_the_pages_of_the_navigation_in_its_order() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (\S+?): .*\n((?:(?!## ).*\n)*)", index, re.MULTILINE)
    assert [kind for kind, _ in sections] == KINDS
    named = {
        kind: [page for row in text.splitlines() if row.startswith("| [") for page in links(row)[:1]] for kind, text in sections
    }
    assert named == {kind: list(leaves(part)) for one in navigation()[1:] for kind, part in one.items()}


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_link_leads_nowhere(path: Path) -> None:
    assert broken(path.read_text(encoding="utf-8"), path) == []


def test_a_link_that_leads_nowhere_is_seen() -> None:
    page = DOCS / "guide.md"
    text = "# A `b` --c\n[x](#a-b---c) [`y`](bench.md#as-charts) [z](../bench/README.md) <https://example.org>\n"
    assert broken(text, page) == []
    assert broken("[x](#a) [`y`](bench.md#nothing) [z](no.md) [w](../../no-checkout)", page) == [
        "#a: there is no such heading",
        "bench.md#nothing: there is no such heading",
        "no.md: there is no such file",
        "../../no-checkout: outside the project",
    ]
    assert links("```\n[no](no.md)\n```\n`[no](no.md)` [yes](a.md)\n[name]: b.md\n") == ["a.md", "b.md"]
    assert anchors("# One\n## One\n```\n# no\n```\n### [Two](x.md)\n") == {"one", "one-1", "two"}
    assert prose("a\n```\nb\n```\nc\n") == "a\n\nc\n"


def test_the_site_has_the_anchors_of_the_forge_and_no_link_out_of_it() -> None:
    config: dict[str, Any] = {"mdx_configs": {}}
    assert (
        hook().on_config(config)["mdx_configs"]["toc"]["slugify"]("What has changed: --baseline", "-")
        == "what-has-changed---baseline"
    )
    shown = hook().without_outside("[a](../bench/README.md#x) [b](../README.md) [c](lvm.md)", "codes/README.md")
    assert shown == "[a](../bench/README.md#x) [b](../README.md) [c](lvm.md)"
    shown = hook().without_outside("[a](../bench/README.md#x) [c](lvm.md)", "guide.md")
    assert shown == "a (`bench/README.md` of the project) [c](lvm.md)"


def runs(text: str) -> list[tuple[str, str, int]]:
    """The runs of the doctor that a page shows with their exit code: command, output, exit code."""
    found = re.findall(r"```\n\$ sctune (doctor --from [^\n]*)\n(.*?)\$ echo \$\?\n(\d+)\n```", text, re.DOTALL)
    return [(command, said, int(code)) for command, said, code in found]


def test_what_the_readme_shows_is_what_the_doctor_says(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ((command, said, code),) = runs(README)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    empty = tmp_path / "sctune.yaml"
    empty.touch()
    assert main([*shlex.split(command), "--config", str(empty)]) == code
    output = capfd.readouterr().out
    place = 0
    parts = said.split("[...]\n")
    for number, part in enumerate(parts):
        assert part in output[place:], f"the README shows what the doctor does not say (any more):\n{part}"
        assert number or output.startswith(part)
        place = output.index(part, place) + len(part)
    assert output.endswith(parts[-1])


def test_the_readme_shows_the_run_of_make_doctor() -> None:
    ((command, _, _),) = runs(README)
    example = re.search(r"^EXAMPLE \?= (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert example is not None
    assert command == f"doctor --from {example[1]}"


def test_the_readme_counts_rightly() -> None:
    found = assemble(built_in())
    codes = list(found.codes())
    assert f"\n{len({check.name for check, _ in codes})} checks, {len(codes)} kinds of finding, " in README
    commands = set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)) | set(re.findall(r"`make ([a-z-]+)", README))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{name}:" in makefile for name in commands)
    assert len(README.splitlines()) <= 120
