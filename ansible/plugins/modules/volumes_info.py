#!/usr/bin/python
# Copyright: the authors of sctune
# SPDX-License-Identifier: Apache-2.0
"""The volumes of a host and how they are."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volumes_info
short_description: List the volumes of a storage host and their states
version_added: 0.1.0
description:
  - Returns each volume's chain, from its file to who uses it, as C(sctune volumes) does. Changes nothing.
  - What cannot be looked at is in RV(unread). A volume for which that matters has the state C(unknown).
options:
  patterns:
    description:
      - Only volumes with a name like one of these, in which C(*) and C(?) stand for anything. An id, file, device, C(VG/LV),
        target, initiator or address counts as a name.
    type: list
    elements: str
    default: []
  states:
    description:
      - Only volumes in one of these states.
    type: list
    elements: str
    choices: [broken, orphaned, leaked, degraded, unknown, copying, attached, ready]
    default: []
  all:
    description:
      - The host's own LVs and loop devices too.
    type: bool
    default: false
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
- name: List the volumes that do not work
  sctune.storage.volumes_info:
    states: [broken, degraded]
  register: bad

- name: Stop where there are any
  ansible.builtin.assert:
    that:
      - bad.volumes | length == 0
      - not bad.incomplete
"""

RETURN = r"""
volumes:
  description: The volumes as C(sctune volumes --format json) has them. Sizes are in bytes.
  returned: always
  type: list
  elements: dict
  sample:
    - id: vol-391D44BE
      kind: volume
      backend: eucalyptus-overlay
      state: attached
      why: []
      size_bytes: 1073741824
summary:
  description: How many volumes of those listed are in each state.
  returned: always
  type: dict
  sample: {broken: 0, attached: 2, ready: 1}
incomplete:
  description: Whether a part of the host could not be looked at.
  returned: always
  type: bool
unread:
  description: What could not be looked at, and why.
  returned: always
  type: list
  elements: dict
  sample: []
others:
  description: How many of the host's own LVs and loop devices are not listed.
  returned: always
  type: int
  sample: 0
host:
  description: Its name and kernel.
  returned: always
  type: dict
  sample: {name: sc1, kernel: 6.1.0, source: live}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sctune.storage.plugins.module_utils.sctune import OPTIONS, Sctune

STATES = ["broken", "orphaned", "leaked", "degraded", "unknown", "copying", "attached", "ready"]


def main():
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "patterns": {"type": "list", "elements": "str", "default": []},
            "states": {"type": "list", "elements": "str", "choices": STATES, "default": []},
            "all": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    arguments = [word for state in module.params["states"] for word in ("--state", state)]
    if module.params["all"]:
        arguments.append("--all")
    code, found, said = Sctune(module).document("volumes", *arguments, after=module.params["patterns"])
    if code not in (0, 1, 3):
        module.fail_json(msg=f"sctune volumes: {said or f'exit code {code}'}", rc=code)
    module.exit_json(
        changed=False,
        volumes=found["volumes"],
        others=found["others"],
        summary=found["summary"],
        incomplete=code == 3 or bool(found["unread"]),
        unread=found["unread"],
        host=found["host"],
    )


if __name__ == "__main__":
    main()
