"""A benchmark's JSON is read again as it was written; whatever else a file holds is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctune.errors import UserError
from sctune.host.base import HostIdentity, Source
from sctune.report.bench_file import MAX_BYTES, read_bench
from sctune.report.bench_json import render as render_json
from sctune.report.html.bench import bench
from tests.unit.bench_results import FILE, LOOP, NO_LV, TARGET
from tests.unit.test_bench_report import IDENTITY, report

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDED = Path(__file__).resolve().parent.parent / "data" / "bench" / "report.json"
COMPOSED = render_json(report(FILE, LOOP, NO_LV, TARGET), identity=IDENTITY, source=Source.LIVE)


@pytest.mark.parametrize("text", [COMPOSED, RECORDED.read_text(encoding="utf-8")], ids=["composed", "recorded"])
def test_what_was_written_is_read(text: str, tmp_path: Path) -> None:
    """Written again it is the same, but for medians of figures that were rounded."""
    file = tmp_path / "bench.json"
    file.write_text(text, encoding="utf-8")
    found = read_bench(str(file))
    identity = HostIdentity(name=found.host, kernel=found.kernel, privileged=True)
    again = json.loads(render_json(found.report, identity=identity, source=Source.LIVE))
    assert again["layers"] and close(again, json.loads(text))


def close(one: Any, other: Any) -> bool:
    """Equal, numbers within their rounding."""
    if isinstance(one, dict):
        return set(one) == set(other) and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float):
        return bool(one == pytest.approx(other, rel=1e-3, abs=2e-4))
    return bool(one == other)


def _layer(text: dict[str, Any]) -> dict[str, Any]:
    layer: dict[str, Any] = text["layers"][0]
    return layer


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it.update(schema=0), "it is of schema 0, and this sctune reads 1"),
        (lambda it: it.update(schema=2), "it is of schema 2, and this sctune reads 1"),
        (lambda it: it.update(findings=[]), "unknown field `findings`"),
        (lambda it: it.pop("fio"), "missing required field `fio`"),
        (lambda it: it.update(started="yesterday"), "$.started"),
        (lambda it: it.update(started="2026-02-31T00:00:00Z"), "day is out of range"),
        (lambda it: it["host"].update(source="root"), "$.host.source"),
        (lambda it: _layer(it).update(layer="cow"), "invalid enum value 'cow' - at `$.layers[0].layer`"),
        (lambda it: _layer(it).update(verdict="good"), "verdict"),
        (lambda it: _layer(it)["facts"].update(odd=[1]), "facts"),
        (lambda it: _layer(it)["facts"].update(size_bytes=10**400), "facts"),
        (lambda it: _layer(it)["jobs"][0]["runs"][0].update(operations_per_second=-1), "operations_per_second"),
        (lambda it: _layer(it)["jobs"][0]["runs"][0].update(dirty_after_bytes=0.5), "dirty_after_bytes"),
        (lambda it: _layer(it)["jobs"].append(_layer(it)["jobs"][0]), "is in it twice"),
        (lambda it: it["layers"].append(_layer(it)), "is in it twice"),
    ],
)
def test_anything_else_is_refused(change: Callable[[dict[str, Any]], object], said: str, tmp_path: Path) -> None:
    value = json.loads(COMPOSED)
    change(value)
    refused(tmp_path, json.dumps(value).encode(), said)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 100_000, COMPOSED.encode()[:-40], COMPOSED.replace("3.33", "\\ud800").encode()],
    ids=range(8),
)
def test_no_json(content: bytes, tmp_path: Path) -> None:
    refused(tmp_path, content, "no benchmark of sctune bench: ")


def test_what_is_no_file(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none", "no such file"), (tmp_path, "not a regular file"), (Path("/dev/zero"), "not a regular")):
        with pytest.raises(UserError, match=said):
            read_bench(str(path))
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(UserError, match="larger than 16 MiB"):
        read_bench(str(big))


def refused(folder: Path, content: bytes, said: str) -> None:
    file = folder / "bench.json"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_bench(str(file))
    assert caught.value.message.startswith(f"{file}: no benchmark of sctune bench: ")
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400 + len(str(file))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200)
@given(data=st.data(), value=VALUES)
def test_whatever_stands_anywhere_is_read_or_refused(
    data: st.DataObject, value: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document = json.loads(COMPOSED)
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    place[key] = value
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    try:
        found = read_bench(str(file))
    except UserError as error:
        assert error.message.startswith(f"{file}: ")
    else:
        identity = HostIdentity(name=found.host, kernel=found.kernel, privileged=True)
        assert render_json(found.report, identity=identity, source=Source.LIVE)
        assert bench(found, host="sc1").facts
