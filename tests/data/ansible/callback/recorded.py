"""Writes what came of each task into a file, an object a line."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: recorded
type: notification
short_description: For tests
description: [Writes results into the file that RECORDED names.]
author: [The authors of sctune (@sctune)]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "recorded"
    CALLBACK_NEEDS_ENABLED = True

    def _add(self, result, how):
        told = {"host": result._host.get_name(), "task": result._task.get_name(), "how": how, "result": result._result}
        with open(os.environ["RECORDED"], "a") as file:
            file.write(json.dumps(told, default=str) + "\n")

    def v2_runner_on_ok(self, result):
        self._add(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._add(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_skipped(self, result):
        self._add(result, "skipped")

    def v2_runner_on_unreachable(self, result):
        self._add(result, "unreachable")
