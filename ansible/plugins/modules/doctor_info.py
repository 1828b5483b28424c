#!/usr/bin/python
# Copyright: the authors of sctune
# SPDX-License-Identifier: Apache-2.0
"""What sctune's doctor says of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor_info
short_description: Examine a storage host with sctune's doctor
version_added: 0.1.0
description:
  - Looks at a host as C(sctune doctor) does, and returns what it found and what it could not examine. Changes nothing.
options:
  checks:
    description:
      - Only these checks. C(sctune checks) lists them. All by default.
    type: list
    elements: str
    default: []
  fail_on:
    description:
      - The least severity of a finding that fails the task. Muted findings fail nothing.
      - With V(never), the default, findings are returned and fail nothing.
      - With any other value, the task fails also where no such finding was made and not everything could be examined, unless
        O(allow_incomplete=true), since a check that could not look has not found the host in order.
    type: str
    choices: [info, warning, critical, never]
    default: never
  allow_incomplete:
    description:
      - With O(fail_on), let a host pass of which not everything could be examined.
    type: bool
    default: false
  since:
    description:
      - How far back a cloud's logs are read, such as V(24h) or V(7d).
    type: str
extends_documentation_fragment:
  - sctune.storage.host
attributes:
  check_mode:
    description: It changes nothing, and does the same in check mode.
    support: full
  diff_mode:
    description: There is nothing that differs.
    support: none
"""

EXAMPLES = r"""
- name: Examine the host
  sctune.storage.doctor_info:
  register: doctor

- name: Stop where volumes are in danger
  sctune.storage.doctor_info:
    fail_on: critical

- name: See only what the targets do
  sctune.storage.doctor_info:
    checks: [tgt-daemon, tgt-exports]
"""

RETURN = r"""
findings:
  description: All findings as C(sctune doctor --format json) has them, worst first.
  returned: always
  type: list
  elements: dict
  sample:
    - code: TGT_DOWN
      severity: critical
      check: tgt-daemon
      subject: {kind: process, id: tgtd}
      summary: tgtd does not run
      muted: null
counts:
  description: How many findings there are of each severity. Those that are muted are counted apart.
  returned: always
  type: dict
  sample: {critical: 1, warning: 0, info: 3, muted: 0}
worst:
  description: The first of the worst findings that are not muted, in one line. Null where there is none.
  returned: always
  type: str
  sample: "TGT_DOWN process tgtd: tgtd does not run"
incomplete:
  description: Whether something that a check applies to could not be examined.
  returned: always
  type: bool
unexamined:
  description: What could not be examined, and why.
  returned: always
  type: list
  elements: dict
  sample:
    - {check: lvm-thin-pools, what: lvm fullreport, reason: timeout}
checks:
  description: The checks and their status, which is one of ok, info, warning, critical, unknown and not_applicable.
  returned: always
  type: dict
  sample: {tgt-daemon: critical, loop-limit: ok}
host:
  description: Its name, kernel, roles and the systems that made its volumes.
  returned: always
  type: dict
  sample: {name: sc1, kernel: 6.1.0, roles: [storage-controller], backends: [eucalyptus-overlay 3.3+], source: live}
started:
  description: When the look began, by RFC 3339.
  returned: always
  type: str
  sample: "2026-11-22T19:21:54Z"
sctune_version:
  description: The version of the sctune that looked.
  returned: always
  type: str
  sample: 0.1.0
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sctune.storage.plugins.module_utils.sctune import OPTIONS, Sctune, some

SEVERITIES = ("critical", "warning", "info")


def main():
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "checks": {"type": "list", "elements": "str", "default": []},
            "fail_on": {"type": "str", "choices": ["info", "warning", "critical", "never"], "default": "never"},
            "allow_incomplete": {"type": "bool", "default": False},
            "since": {"type": "str"},
        },
        supports_check_mode=True,
    )
    fail_on = module.params["fail_on"]
    arguments = ["--fail-on", fail_on]
    for check in module.params["checks"]:
        arguments += ["--check", check]
    if module.params["since"]:
        arguments += ["--since", module.params["since"]]
    code, report, said = Sctune(module).document("doctor", *arguments)
    if code not in (0, 1, 3):
        module.fail_json(msg=f"sctune doctor: {said or f'exit code {code}'}", rc=code)
    result = told(report)
    counted = [one for one in result["findings"] if not one["muted"]]
    if code == 1:
        worse = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
        bad = [one_line(one) for one in counted if one["severity"] in worse]
        module.fail_json(
            msg=f"{len(bad)} {'finding' if len(bad) == 1 else 'findings'} at or above {fail_on}: {some(bad)}", **result
        )
    if result["incomplete"] and fail_on != "never" and not module.params["allow_incomplete"]:
        missing = [f"{one['what']} ({one['reason']})" for one in result["unexamined"]]
        module.fail_json(
            msg=f"nothing at or above {fail_on} was found, and not everything could be examined: {some(missing)}", **result
        )
    module.exit_json(**result)


def told(report):
    """What is returned of a report."""
    findings = sorted(report["findings"], key=lambda one: SEVERITIES.index(one["severity"]))
    counted = [one for one in findings if not one["muted"]]
    counts = {severity: sum(one["severity"] == severity for one in counted) for severity in SEVERITIES}
    counts["muted"] = len(findings) - len(counted)
    unexamined = []
    for check in report["checks"]:
        missing = check["unexamined"]
        if not missing and check["status"] == "unknown":
            missing = [{"what": check["check"], "reason": check["reason"] or "unknown"}]
        unexamined += [dict(one, check=check["check"]) for one in missing]
    return {
        "changed": False,
        "findings": findings,
        "counts": counts,
        "worst": one_line(counted[0]) if counted else None,
        "incomplete": bool(unexamined),
        "unexamined": unexamined,
        "checks": {check["check"]: check["status"] for check in report["checks"]},
        "host": report["host"],
        "started": report["started"],
        "sctune_version": report["version"],
    }


def one_line(finding):
    """Code, subject, summary."""
    subject = finding["subject"]
    words = [subject["kind"]] if subject["kind"] == subject["id"] else [subject["kind"], subject["id"]]
    return f"{finding['code']} {' '.join(words)}: {finding['summary']}"


if __name__ == "__main__":
    main()
