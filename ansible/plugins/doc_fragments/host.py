"""The options that all modules of this collection have."""

from __future__ import annotations


class ModuleDocFragment:
    """Found by its name: C(sctune.storage.host)."""

    DOCUMENTATION = r"""
options:
  executable:
    description:
      - The command on the host. A name is looked for in E(PATH), then in C(/usr/local/sbin), C(/usr/local/bin) and C(/usr/sbin).
    type: str
    default: sctune
  config:
    description:
      - A configuration in place of C(/etc/sctune/sctune.yaml).
    type: path
requirements:
  - sctune on the host, as the role M(sctune.storage.storage_host) installs it
author:
  - The authors of sctune (@sctune)
"""
