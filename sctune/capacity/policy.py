"""Quotas of an account as a policy document of Eucalyptus' identity service (EIAM), and what such a document must be.

Source: Eucalyptus IAM Guide, Quotas (effect Limit, only NumericLessThanEquals, keys ec2:quota-…; at accounts and users, group
ignored); VolumeNumberQuotaKey.java, VolumeTotalSizeQuotaKey.java, SnapshotNumberQuotaKey.java; euca2ools PutAccountPolicy,
PutUserPolicy (-a/-u, -p, -f).
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from sctune.model.capacity import AccountQuota

POLICY_NAME = "ebs-quota"
TEMPLATE = "quota_policy.json.j2"
VERSION = "2011-04-01"
KEYS = {
    "ec2:quota-volumenumber": frozenset({"ec2:CreateVolume", "ec2:RunInstances"}),
    "ec2:quota-volumetotalsize": frozenset({"ec2:CreateVolume", "ec2:RunInstances"}),
    "ec2:quota-snapshotnumber": frozenset({"ec2:CreateSnapshot"}),
}
"""The quota keys written here, each with the actions it applies to."""
_NUMBER = re.compile(r"[1-9][0-9]{0,9}\Z")


def account_quota(
    *, volumes: int, gib: int, snapshots: int, accounts: int | None, account: str = "ACCOUNT", file: str = "FILE"
) -> AccountQuota:
    """The document of these numbers, each at least 1, and the commands that attach it to an account or to one of its users."""
    document = _rendered(volumes=volumes, gib=gib, snapshots=snapshots)
    wrong = problems(json.loads(document))
    if wrong:
        raise AssertionError(f"{TEMPLATE}: {wrong[0]}")
    name = shlex.quote(file)
    return AccountQuota(
        accounts=accounts,
        volumes=volumes,
        gib=gib,
        snapshots=snapshots,
        document=document,
        commands=(
            f"euare-accountuploadpolicy -a {shlex.quote(account)} -p {POLICY_NAME} -f {name}",
            f"euare-useruploadpolicy -u USER -p {POLICY_NAME} -f {name}    # for one user of the account",
        ),
    )


def _rendered(**numbers: int) -> str:
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # noqa: S701 -- JSON, of whole numbers
    text = (files("sctune.capacity") / TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(text).render(name=POLICY_NAME, version=VERSION, **numbers)


def problems(document: Any) -> tuple[str, ...]:
    """What is wrong with a quota policy, () for one that Eucalyptus takes."""
    if not isinstance(document, dict) or set(document) != {"Version", "Statement"}:
        return ("not a mapping of Version and Statement",)
    found = [] if document["Version"] == VERSION else [f"Version is not {VERSION}"]
    statements = document["Statement"]
    if not isinstance(statements, list) or not statements:
        return (*found, "Statement is no list of statements")
    names = [statement.get("Sid") if isinstance(statement, dict) else None for statement in statements]
    if len(set(map(str, names))) != len(names):
        found.append("a Sid is there twice")
    for number, statement in enumerate(statements):
        found.extend(f"Statement[{number}]: {problem}" for problem in _statement(statement))
    return tuple(found)


def _statement(statement: Any) -> tuple[str, ...]:
    if not isinstance(statement, dict) or set(statement) != {"Sid", "Effect", "Action", "Resource", "Condition"}:
        return ("not Sid, Effect, Action, Resource and Condition",)
    found = []
    if not isinstance(statement["Sid"], str) or not statement["Sid"].isalnum():
        found.append("Sid is no name of letters and digits")
    if statement["Effect"] != "Limit":
        found.append("Effect is not Limit")
    if statement["Resource"] != "*":
        found.append("Resource is not *")
    condition = statement["Condition"]
    limits = condition.get("NumericLessThanEquals") if isinstance(condition, dict) and len(condition) == 1 else None
    if not isinstance(limits, dict) or len(limits) != 1:
        return (*found, "Condition is not one quota under NumericLessThanEquals")
    key, value = next(iter(limits.items()))
    if key not in KEYS:
        return (*found, f"{key} is no quota of volumes or snapshots")
    if not isinstance(value, str) or not _NUMBER.match(value):
        found.append(f"{key} is no whole number from 1 on, written as text")
    action = statement["Action"]
    actions = {action} if isinstance(action, str) else set(action) if isinstance(action, list) else set()
    if not actions or not actions <= KEYS[key]:
        found.append(f"{key} does not apply to {', '.join(sorted(map(str, actions))) or 'no action'}")
    return tuple(found)
