#!/usr/bin/python
# Copyright: the authors of sctune
# SPDX-License-Identifier: Apache-2.0
"""A profile of sctune's, applied or undone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: profile
short_description: Tune a storage host by a profile of sctune
version_added: 0.1.0
description:
  - Applies a profile to a host, all of it or nothing, or undoes what was applied of it.
  - What is done is what C(sctune apply-profile) and C(sctune rollback) do, with their journal. Either can be used on the host as
    well.
  - Where a part of the host cannot be looked at, the task fails, since nobody knows then whether the host is as the profile has it.
options:
  name:
    description:
      - The profile. C(sctune profiles) lists those of the host.
    type: str
    required: true
  state:
    description:
      - V(present) makes what is in force, and the files that keep it, as the profile has it.
      - V(absent) undoes every transaction of this profile that is not rolled back, the newest first.
    type: str
    choices: [present, absent]
    default: present
  set:
    description:
      - Other values for settings of the profile, by their names. V(leave) leaves a setting alone.
      - Booleans are refused, since YAML reads V(on) as one. Put them in quotes.
      - A V(flush_speed) of V(measured:FOLDER) is measured once. While the profile is applied, the speed that was found then counts.
        Check mode measures too where there is none, since the plan depends on it.
    type: dict
    default: {}
  scope:
    description:
      - Whether the values in force are changed, the files that keep them, or both.
    type: str
    choices: [all, live, persist]
    default: all
  via:
    description:
      - Have this program make and keep what it can.
    type: str
    choices: [tuned]
  force:
    description:
      - With O(state=absent), undo also what somebody has changed since it was applied. Otherwise that is left, with a warning.
    type: bool
    default: false
  allow_incomplete:
    description:
      - Do not fail where a part of the host could not be looked at. It is still told, as a warning and in RV(unread).
    type: bool
    default: false
extends_documentation_fragment:
  - sctune.storage.host
attributes:
  check_mode:
    description: Nothing is changed. What would be is told.
    support: full
  diff_mode:
    description: The values in force and the files, before and after, of the plan that is carried out.
    support: full
"""

EXAMPLES = r"""
- name: Tune the storage controllers
  sctune.storage.profile:
    name: eucalyptus-sc
    set:
      flush_speed: 400MiB/s
      vm.swappiness: leave

- name: See what a node controller's profile would change
  sctune.storage.profile:
    name: eucalyptus-nc
  check_mode: true
  diff: true

- name: Give back what it was before
  sctune.storage.profile:
    name: eucalyptus-sc
    state: absent
"""

RETURN = r"""
changes:
  description: What was or would be changed, a line each.
  returned: always
  type: list
  elements: str
  sample: ["vm.swappiness: 60 -> 10", "/etc/sysctl.d/90-sctune-eucalyptus-sc.conf"]
transactions:
  description: The numbers under which C(sctune history) has what was applied or rolled back.
  returned: always
  type: list
  elements: int
  sample: [1]
conflicts:
  description: Why the plan cannot be carried out. The task fails where there are any.
  returned: O(state=present)
  type: list
  elements: str
  sample: []
unread:
  description: What could not be looked at.
  returned: always
  type: list
  elements: str
  sample: []
left:
  description: What is not undone because somebody has changed it since.
  returned: O(state=absent)
  type: list
  elements: str
  sample: ["vm.swappiness: it is 30, and we had set 10"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sctune.storage.plugins.module_utils.plans import changes_of, of_profile, of_rollback, settled
from ansible_collections.sctune.storage.plugins.module_utils.sctune import OPTIONS, Sctune, some

OPEN = ("applied", "interrupted", "partly rolled back")
MEASURED = "measured:"
SCOPES = {"all": [], "live": ["--live-only"], "persist": ["--persist-only"]}


def main():
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "set": {"type": "dict", "default": {}},
            "scope": {"type": "str", "choices": ["all", "live", "persist"], "default": "all"},
            "via": {"type": "str", "choices": ["tuned"]},
            "force": {"type": "bool", "default": False},
            "allow_incomplete": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    sctune = Sctune(module)
    (present if module.params["state"] == "present" else absent)(module, sctune)


def present(module, sctune):
    """The plan is made once: the run that carries it out tells it, too."""
    name, check = module.params["name"], module.check_mode
    arguments = [name, "--dry-run" if check else "--yes", *SCOPES[module.params["scope"]], *_set(module, sctune)]
    if module.params["via"]:
        arguments += ["--via", module.params["via"]]
    code, plan, said = sctune.document("apply-profile", *arguments)
    for warning in plan["warnings"]:
        module.warn(warning)
    applied = plan["applied"] or {}
    changed = bool(plan["pending"]) if check else applied.get("ending") == "applied"
    result = {
        "changed": changed,
        "changes": changes_of(plan),
        "transactions": [applied["transaction"]] if applied.get("transaction") else [],
        "conflicts": plan["conflicts"],
        "unread": plan["unread"],
    }
    if module._diff:
        result["diff"] = of_profile(plan)
    if plan["conflicts"]:
        module.fail_json(msg=f"{name} is not applied, since the plan has conflicts: {some(plan['conflicts'])}", **result)
    if not check:
        if plan["applied"] is None:
            module.fail_json(msg=f"{name} is not applied: {said}", rc=code, **result)
        if applied["ending"] in ("undone", "partly undone"):
            rest = "everything is as it was before" if applied["ending"] == "undone" else "not all of it is undone: sctune rollback"
            why = f"{applied['failed']} could not be changed: {applied['reason']}" if applied["failed"] else applied["reason"]
            module.fail_json(msg=f"{name} is not applied: {why}; {rest}", **dict(result, changed=applied["ending"] != "undone"))
        if applied["remaining"]:
            module.fail_json(msg=f"{name} is applied, and the host is still otherwise: {some(applied['remaining'])}", **result)
    _incomplete(module, result, f"whether the host is as {name} has it is not known")
    module.exit_json(**result)


def absent(module, sctune):
    """Every transaction of the profile's, the newest first."""
    name, check, force = module.params["name"], module.check_mode, module.params["force"]
    history = sctune.document("history")[1]
    found = [one for one in history["transactions"] if one["profile"] == name and _is_open(one, force)]
    result = {"changed": False, "changes": [], "transactions": [], "left": [], "unread": []}
    result["unread"] = [f"transaction {one['id']}: {one['reason']}" for one in history["unread"]]
    texts = {change["path"]: _text(change["path"]) for one in found for change in one["changes"] if change["action"] == "make"}
    differences, newer, failed = [], [], []
    for one in reversed(found):
        options = [str(one["id"]), "--dry-run" if check else "--yes", *(["--force"] if force else [])]
        plan = sctune.document("rollback", *options, **result)[1]
        if plan["transaction"] is None:
            continue  # somebody was faster
        if check:
            plan = settled(plan, newer)
            newer.append(plan)
        differences += of_rollback(plan, texts.get)
        result["changed"] = True
        result["transactions"].append(plan["transaction"])
        for step in plan["steps"]:
            line = f"{step['setting']}: {step['detail']}" if step["detail"] else step["setting"]
            if step["outcome"] in ("restore", "back"):
                result["changes"].append(_undone(step))
            elif step["outcome"] == "left":
                result["left"].append(line)
            elif step["outcome"] == "failed":
                failed.append(line)
        if plan["unwritten"]:
            failed.append(f"the journal: {plan['unwritten']}")
    if module._diff:
        result["diff"] = differences
    if result["left"]:
        module.warn(f"left as somebody has changed it since (force undoes that too): {some(result['left'])}")
    if failed:
        module.fail_json(msg=f"{name} is not undone: {some(failed)}", **result)
    _incomplete(module, result, f"whether all of {name} is undone is not known")
    module.exit_json(**result)


def _set(module, sctune):
    """--set, as given, but for a speed that was measured before."""
    given = module.params["set"]
    for key, value in given.items():
        if isinstance(value, bool):
            module.fail_json(msg=f"set: {key} is a boolean to YAML; write the word in quotes")
        if not isinstance(value, (str, int, float)):
            module.fail_json(msg=f"set: {key} has to be text or a number")
    if str(given.get("flush_speed", "")).startswith(MEASURED):
        name = module.params["name"]
        found = sctune.document("verify-profile", name)[1]
        known = [one.partition("=")[2] for one in found["set"] if one.startswith("flush_speed=")]
        given = dict(given, **({"flush_speed": known[0]} if known else {}))
    return [word for key, value in given.items() for word in ("--set", f"{key}={value}")]


def _is_open(one, force):
    return one["state"] in OPEN or (force and any(change["undone"] == "left" for change in one["changes"]))


def _undone(step):
    return f"{step['setting']}: {step['after']} -> {step['before']}" if step["action"] == "set" else step["path"]


def _incomplete(module, result, so):
    if not result["unread"]:
        return
    what = f"could not be looked at: {some(result['unread'])}"
    if not module.params["allow_incomplete"]:
        module.fail_json(msg=f"{what}; {so}", **result)
    module.warn(what)


def _text(path):
    """A file of sctune's own, which holds no secrets. One that cannot be shown is shown as nothing."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
