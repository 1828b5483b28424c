"""HTML reports of recorded, of large and of hostile hosts, and the page as the tree that a parser makes of it."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sctune.config.load import load as load_config
from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.choose import open_host
from sctune.inventory import Inventory
from sctune.model.capacity import SafeLimit
from sctune.records import replace
from sctune.registry import load
from sctune.report.bench_file import read_bench
from sctune.report.html.render import render
from sctune.report.html.scene import Scene, scene
from tests.synthetic import storage_controller

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.findings import Code
    from sctune.host.base import Host
    from sctune.model.report import Report
    from sctune.report.bench_file import Recorded

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
XHTML = "{http://www.w3.org/1999/xhtml}"
OURS = {(SafeLimit, "limit")}
"""Fields whose words are ours, as those of enumerations are."""
NASTY = (
    "<script>alert(1)</script>",
    "\"><img src='http://192.0.2.1/x' onerror=alert(1)>",
    "</style></title></textarea><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}&lt;&#60;]]>",
    "javascript:alert(1)",
    "\u202egnp.exe \u2066 \u200f שלום",
    "a\x00b\x1b[2J\x07\n\ud800\udcff\ufffe",
    "x" * 10_000,
    "体" * 200,
    " ",
)
"""Names that anybody may give to a file in a store."""


@cache
def codes() -> dict[str, Code]:
    return {code.code: code for _, code in load().codes()}


def look(host: Host, config: Config | None = None) -> tuple[Report, Scene]:
    """What the doctor found, and what is drawn beside it."""
    chosen = config or Config()
    inventory = Inventory(host, chosen, strict=True)
    report = diagnose(host, chosen, inventory=inventory, strict=True)
    return report, scene(inventory, report.findings, codes())


@cache
def recorded(name: str) -> tuple[Report, Scene]:
    """A recorded host; configurations are named by their path, which differs."""
    folder = SCENARIOS / name
    archive = folder / "host.tar.gz"
    file = folder / "sctune.yaml"
    config = load_config(str(file)) if file.exists() else Config()
    report, drawn = look(open_host(str(archive if archive.exists() else folder), None), config)
    return report, replace(drawn, files=tuple(Path(one).name for one in drawn.files))


@cache
def large(volumes: int) -> tuple[Report, Scene]:
    """A healthy host of that many volumes."""
    return look(storage_controller(volumes))


def page(seen: tuple[Report, Scene | None], bench: Recorded | None = None) -> str:
    return render(*seen, codes(), bench)


@cache
def benchmark() -> Recorded:
    """A real one, short, on a busy machine: a file, a loop device without direct I/O and a target; no device-mapper."""
    return read_bench(str(SCENARIOS.parent / "data" / "bench" / "report.json"))


def tree(text: str) -> ET.Element:
    """The page as XML has it, which is stricter than HTML: every element is closed, every attribute quoted."""
    return ET.fromstring(text)


def poisoned(value: Any, poison: Callable[[str], str]) -> Any:
    """The same records with every text in them replaced, but for the words of enumerations."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return poison(value)
    if isinstance(value, tuple):
        return tuple(poisoned(item, poison) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if (type(value), field.name) not in OURS]
        changed = {name: poisoned(getattr(value, name), poison) for name in names}
        return replace(value, **changed)
    return value
