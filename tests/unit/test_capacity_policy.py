"""Quota policies: the document is one that Eucalyptus takes, and the checker of it refuses others."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctune.capacity.policy import account_quota, problems

NUMBERS = st.integers(min_value=1, max_value=1 << 30)


# The first template loads the library for it.
@settings(deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS)
def test_the_document_holds_the_numbers(volumes: int, gib: int, snapshots: int) -> None:
    quota = account_quota(volumes=volumes, gib=gib, snapshots=snapshots, accounts=None)
    document = json.loads(quota.document)
    assert problems(document) == ()
    held = {}
    for statement in document["Statement"]:
        held.update(statement["Condition"]["NumericLessThanEquals"])
    assert held == {
        "ec2:quota-volumenumber": str(volumes),
        "ec2:quota-volumetotalsize": str(gib),
        "ec2:quota-snapshotnumber": str(snapshots),
    }


def test_the_document_is_that_of_the_documentation() -> None:
    # The structure of the sample in the IAM guide, with a statement for each of our keys.
    document = json.loads(account_quota(volumes=20, gib=200, snapshots=40, accounts=1).document)
    assert document["Version"] == "2011-04-01"
    assert document["Statement"][0] == {
        "Sid": "volumes",
        "Effect": "Limit",
        "Action": ["ec2:CreateVolume", "ec2:RunInstances"],
        "Resource": "*",
        "Condition": {"NumericLessThanEquals": {"ec2:quota-volumenumber": "20"}},
    }
    assert document["Statement"][2]["Action"] == "ec2:CreateSnapshot"


def test_commands() -> None:
    quota = account_quota(volumes=1, gib=1, snapshots=1, accounts=1, file="/tmp/a b.json")
    assert quota.commands[0] == "euare-accountuploadpolicy -a ACCOUNT -p ebs-quota -f '/tmp/a b.json'"
    assert quota.commands[1].startswith("euare-useruploadpolicy -u USER -p ebs-quota -f '/tmp/a b.json'")


def test_a_number_of_nothing_is_a_defect() -> None:
    with pytest.raises(AssertionError):
        account_quota(volumes=0, gib=1, snapshots=1, accounts=None)


def good() -> Any:
    return json.loads(account_quota(volumes=20, gib=200, snapshots=40, accounts=1).document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("Version",), "2012-10-17"),
        (("Statement",), []),
        (("Statement",), {}),
        (("Statement", 0, "Sid"), "volumesize"),
        (("Statement", 0, "Sid"), "a b"),
        (("Statement", 0, "Effect"), "Allow"),
        (("Statement", 0, "Action"), "ec2:CreateSnapshot"),
        (("Statement", 0, "Action"), []),
        (("Statement", 0, "Action"), 5),
        (("Statement", 0, "Resource"), "arn:aws:ec2:::volume/*"),
        (("Statement", 0, "Condition"), {}),
        (("Statement", 0, "Condition"), {"NumericLessThan": {"ec2:quota-volumenumber": "20"}}),
        (("Statement", 0, "Condition", "NumericLessThanEquals"), {"ec2:quota-volumenumber": 20}),
        (("Statement", 0, "Condition", "NumericLessThanEquals"), {"ec2:quota-volumenumber": "0"}),
        (("Statement", 0, "Condition", "NumericLessThanEquals"), {"ec2:quota-volumenumber": "1.5"}),
        (("Statement", 0, "Condition", "NumericLessThanEquals"), {"s3:quota-bucketnumber": "20"}),
        (("Statement", 0), "x"),
    ],
)
def test_what_is_no_quota_policy(path: tuple[str | int, ...], value: object) -> None:
    document = copy.deepcopy(good())
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert problems(document)


def test_what_is_no_document_at_all() -> None:
    assert problems([])
    assert problems({"Version": "2011-04-01"})
