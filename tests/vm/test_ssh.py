"""A host with LVM, device-mapper and sessions, looked at over ssh: directly, over a connection that is shared, and through another
host. What is found is what a local look finds. Server and client are OpenSSH's, on the machine's loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .crowd import make_crowd, script
from .faults.volumes import VOLUME_FAULTS
from .verdict import SCTUNE, Verdict, examine, steady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .faults.base import Expected
    from .machine import Machine

pytestmark = pytest.mark.thorough  # each look is one over ssh by an emulated processor
NAMES = ("backing-deleted", "lv-suspended", "snapshot-invalid", "lun-offline", "session-given-up")
SECONDS = 240.0
FOLDER = "/run/ssh-test"
SERVER = (
    "Port 2222",
    "ListenAddress 127.0.0.1",
    f"HostKey {FOLDER}/host",
    f"AuthorizedKeysFile {FOLDER}/key.pub",
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin yes",
    "PidFile none",
)
CLIENT = (
    "Host far shared jumped",
    "  HostName 127.0.0.1",
    "  Port 2222",
    "  User root",
    f"  IdentityFile {FOLDER}/key",
    f"  UserKnownHostsFile {FOLDER}/known",
    "  HostKeyAlias us",
    "Host shared",
    "  ControlMaster auto",
    f"  ControlPath {FOLDER}/control",
    "  ControlPersist 300",
    "Host jumped",
    "  ProxyJump far",
)


@pytest.fixture(scope="module")
def broken(boot: Callable[..., Machine]) -> Iterator[tuple[Machine, list[Expected]]]:
    """A storage controller with five faults that has an sshd, and a client that knows it by three names."""
    faults = [fault for fault in VOLUME_FAULTS if fault.name in NAMES]
    assert len(faults) == len(NAMES)
    with boot() as machine:
        volumes = make_crowd(machine, faults, sound=1)
        lines = [
            f"mkdir -p /run/sshd {FOLDER} /root/.ssh; chmod 700 /root/.ssh",
            f"for name in host key; do ssh-keygen -q -t ed25519 -N '' -f {FOLDER}/$name; done",
            f"printf 'us %s\\n' \"$(cat {FOLDER}/host.pub)\" > {FOLDER}/known",
            f"printf '%s\\n' {' '.join(repr(line) for line in SERVER)} > {FOLDER}/sshd_config",
            f"printf '%s\\n' {' '.join(repr(line) for line in CLIENT)} > /root/.ssh/config",
            f"/usr/sbin/sshd -f {FOLDER}/sshd_config",
            "ssh -o BatchMode=yes far true",
        ]
        script(machine, lines)
        yield machine, [one for fault in faults for one in fault.expects(volumes[fault.name])]


@pytest.mark.parametrize("name", ["far", "shared", "jumped"])
def test_what_a_local_look_finds(broken: tuple[Machine, list[Expected]], name: str) -> None:
    machine, expected = broken
    local = examine(machine)
    assert local.missing(expected) + local.surplus(expected) == []
    asked = f"{SCTUNE} doctor --host {name} --format json --timeout {SECONDS:g} --fail-on never"
    done = machine.run(asked, timeout=SECONDS + 30)
    (host,) = json.loads(done.stdout)["hosts"]
    assert host["report"] is not None, host
    far = Verdict(status=done.status, document=host["report"], seconds=done.seconds)
    assert far.document["host"]["source"] == "ssh"
    assert far.missing(expected) + far.surplus(expected) == []
    assert steady(far.document) == steady(local.document)


def test_a_shared_connection_stays_as_its_owner_has_it(broken: tuple[Machine, list[Expected]]) -> None:
    """It was made by a look above, is still there, and is left there."""
    machine, _ = broken
    machine.check("ssh -o BatchMode=yes -O check shared")
    machine.check("ssh -O exit shared")
