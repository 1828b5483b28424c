"""Hosts that are entered by a program: it gets a line of shell, and passes on what stands in its input and what comes out."""

from __future__ import annotations

import subprocess
from shlex import quote

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: inside
short_description: Hosts of the tests
description: [A program enters the host and runs a line of shell there.]
author: [The authors of sctune (@sctune)]
options:
  enter:
    description: The program. Exit status 255 says that the host cannot be reached, as of ssh.
    required: true
    vars: [{name: inside_enter}]
"""


class Connection(ConnectionBase):
    transport = "inside"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        argv = [self.get_option("enter"), cmd]
        done = subprocess.run(argv, input=in_data or b"", capture_output=True, check=False)
        if done.returncode == 255:
            raise AnsibleConnectionFailure(done.stderr.decode(errors="replace"))
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path, out_path):
        with open(in_path, "rb") as file:
            code, _, err = self.exec_command(f"cat > {quote(out_path)}", in_data=file.read())
        if code:
            raise AnsibleConnectionFailure(err.decode(errors="replace"))

    def fetch_file(self, in_path, out_path):
        _, out, _ = self.exec_command(f"cat {quote(in_path)}")
        with open(out_path, "wb") as file:
            file.write(out)

    def close(self):
        self._connected = False
