"""The report for programs: the schema holds, and the schema is not so wide that it holds for anything."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.check import Unexamined
from sctune.findings import Severity, SubjectKind, evidence
from sctune.host.base import Source
from sctune.model.report import Report, Role, Status
from sctune.report.json import document, render
from sctune.unavailable import Reason
from tests.unit import reports
from tests.unit.golden import compare

SCHEMA: dict[str, Any] = json.loads((resources.files("sctune.report") / "doctor.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)

CASES = {
    "healthy": reports.healthy(),
    "one": reports.one_fault(),
    "two-hundred": reports.two_hundred(),
    "ordinary-user": reports.ordinary_user(),
    "causes": reports.causes(),
    "nothing-here": reports.nothing_here(),
    "hostile": reports.hostile(),
    "host": reports.report(reports.whole_host()),
}


def read(report: Report) -> dict[str, Any]:
    value = json.loads(render(report).encode().decode("utf-8"))
    assert isinstance(value, dict)
    return value


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("case", CASES)
def test_reports_are_valid(case: str) -> None:
    VALIDATOR.validate(read(CASES[case]))


def test_golden(request: pytest.FixtureRequest) -> None:
    compare(request, "causes.json", render(reports.causes()))


def test_ends_with_one_line_break() -> None:
    assert render(reports.healthy()).endswith("}\n")


def test_enumerations_of_schema_and_code_agree() -> None:
    definitions = SCHEMA["$defs"]
    assert set(definitions["subject"]["properties"]["kind"]["enum"]) == set(SubjectKind)
    assert set(definitions["finding"]["properties"]["severity"]["enum"]) == set(Severity)
    assert set(definitions["check"]["properties"]["status"]["enum"]) == set(Status)
    assert set(SCHEMA["properties"]["summary"]["properties"]) == set(Status)
    assert set(definitions["check"]["properties"]["unexamined"]["items"]["properties"]["reason"]["enum"]) == set(Reason)
    assert set(SCHEMA["properties"]["host"]["properties"]["roles"]["items"]["enum"]) == set(Role)
    assert set(SCHEMA["properties"]["host"]["properties"]["source"]["enum"]) == set(Source)


@pytest.mark.parametrize(
    "path",
    [("schema",), ("host",), ("host", "kernel"), ("summary",), ("summary", "unknown"), ("started",), ("checks", 0, "status")]
    + [("findings", 0, key) for key in ("code", "severity", "check", "subject", "evidence", "caused_by", "remedy", "doc", "muted")],
)
def test_a_missing_key_is_refused(path: tuple[str | int, ...]) -> None:
    value: Any = read(reports.causes())
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    assert list(VALIDATOR.iter_errors(value))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("schema",), 2),
        (("started",), "2025-11-22 17:50"),
        (("findings", 0, "severity"), "error"),
        (("findings", 0, "code"), "lower-case"),
        (("findings", 0, "subject", "id"), ""),
        (("findings", 0, "evidence"), {}),
        (("findings", 0, "evidence"), {"source": "x", "nested": {}}),
        (("checks", 0, "examined"), -1),
        (("checks", 3, "reason"), None),
        (("summary", "ok"), 1.5),
    ],
)
def test_a_wrong_value_is_refused(path: tuple[str | int, ...], wrong: object) -> None:
    value: Any = read(reports.causes())
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = wrong
    assert list(VALIDATOR.iter_errors(value))


def test_structure() -> None:
    value = read(reports.causes())
    assert value["host"] == {
        "name": "sc1.example.org",
        "kernel": "6.1.0-56-amd64",
        "roles": ["storage-controller"],
        "backends": ["eucalyptus-overlay 3.3+"],
        "source": "live",
    }
    assert value["started"] == "2025-11-22T17:50:12Z"
    assert value["duration_seconds"] == 0.42
    assert value["summary"] == {"ok": 1, "info": 1, "warning": 0, "critical": 3, "unknown": 2, "not_applicable": 0}
    lost = value["findings"][0]
    assert lost["caused_by"] == {"code": "TGT_DOWN", "subject": {"kind": "process", "id": "tgtd"}}
    assert lost["muted"] is None
    assert lost["doc"] == "docs/codes/TGT_EXPORT_LOST.md"
    assert value["checks"][3]["unexamined"] == [
        {"what": "lvm fullreport", "reason": "timeout", "detail": "no answer within 8 s"},
    ]


def test_evidence_keeps_its_types() -> None:
    finding = replace(
        reports.deleted(),
        evidence=evidence(
            source="/proc", size=1 << 62, ratio=0.25, flag=False, missing=None, names=("a", "b"), bad=float("nan"), zero=0, none=()
        ),
    )
    value = read(reports.report(finding))
    VALIDATOR.validate(value)
    assert value["findings"][0]["evidence"] == {
        "size": 1 << 62,
        "ratio": 0.25,
        "flag": False,
        "missing": None,
        "names": ["a", "b"],
        "bad": None,
        "zero": 0,
        "none": [],
        "source": "/proc",
    }


@given(st.floats())
def test_any_clock(started: float) -> None:
    VALIDATOR.validate(document(replace(reports.healthy(), started=started)))


def test_unexamined_things_of_every_reason() -> None:
    items = tuple(Unexamined(what="x", reason=reason) for reason in Reason)
    VALIDATOR.validate(read(reports.report(checks=(reports.check("a", Status.UNKNOWN, 0, unexamined=items, reason="x: denied"),))))
