"""The schemas of what `sctune apply-profile` and `sctune verify-profile` print for programs."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema


def _validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((resources.files("sctune.report") / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


APPLY, VERIFY = _validator("apply-profile"), _validator("verify-profile")


def applied(text: str) -> dict[str, Any]:
    """A document of apply-profile, which is as its schema says."""
    document: dict[str, Any] = json.loads(text)
    APPLY.validate(document)
    return document


def verified(text: str) -> dict[str, Any]:
    """The same of verify-profile."""
    document: dict[str, Any] = json.loads(text)
    VERIFY.validate(document)
    return document
