"""Faults of one volume's session: its target went, or what it runs with is not what is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.vm.hosts import overlay
from tests.vm.hosts.initiator import INITIATOR, PORTAL, disk

from .base import Expected, HostFault, VolumeFault
from .targets import SHOW, rest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume

REPLACEMENT = "node.session.timeo.replacement_timeout"
INTERVAL = "node.conn[0].timeo.noop_out_interval"
TIMEOUT = "node.conn[0].timeo.noop_out_timeout"


def identity(volume: Volume) -> str:
    """What a session of this host with the volume's target is called."""
    return f"{volume.iqn},{PORTAL},{INITIATOR}"


def _folder(volume: Volume) -> str:
    """A shell word that becomes the session's folder in sysfs."""
    return f"$(dirname $(grep -lx {volume.iqn} /sys/class/iscsi_session/*/targetname))"


def _disk_states(volume: Volume) -> str:
    return f"cat {_folder(volume)}/device/target*/*/state"


def _record(volume: Volume) -> str:
    return f"/etc/iscsi/nodes/{volume.iqn}/{PORTAL.replace(':', ',')},1/default"


def _update(volume: Volume, name: str, value: int) -> str:
    return f"iscsiadm -m node -T {volume.iqn} -p {PORTAL} -o update -n '{name}' -v {value}"


def _live(volume: Volume, seconds: int) -> str:
    return f"echo {seconds} > {_folder(volume)}/recovery_tmo"


def _removed(volume: Volume, state: str) -> list[str]:
    """The volume is detached as by its controller while its initiator is logged in, until the session is in *state*."""
    return [
        f"tgtadm --lld iscsi --op delete --mode target --tid {volume.number} --force",
        f"until grep -qx {state} {_folder(volume)}/state; do sleep 0.2; done",
        *rest(volume),
    ]


def _failed(volume: Volume) -> Expected:
    return Expected(code="ISCSI_SESSION_FAILED", severity="critical", subject=identity(volume))


def _left(volume: Volume) -> Expected:
    return Expected(code="ISCSI_SESSION_LEFTOVER", severity="warning", subject=identity(volume))


def _disk(volume: Volume) -> str:
    """A shell word that becomes the name of the disk of the volume's session."""
    return f"$(basename {_folder(volume)}/device/target*/*/block/*)"


def _program(name: str, *lines: str) -> list[str]:
    """A program of this name, which the kernel shows under its first 15 characters, and which sleeps."""
    return [
        f"cat > /usr/local/bin/{name} <<'END'",
        "#!/bin/sh",
        *lines,
        "sleep 100000",
        "END",
        f"chmod +x /usr/local/bin/{name}",
    ]


def _node(volumes: Sequence[Volume]) -> list[str]:
    """A Node Controller and its guests, as processes look: one guest has a disk since it was started, one had another attached
    later, which its arguments do not know. Of the third volume, nobody has the disk."""
    started, attached, _ = volumes
    by_path = disk(started.iqn)
    node = json.dumps({"driver": "host_device", "filename": by_path, "node-name": "libvirt-1-storage"})
    return [
        *overlay.start(),
        *overlay.create(volumes),
        *overlay.attach(volumes),
        *_program("httpd"),
        *_program("qemu-system-x86_64", 'exec 9<"$OPENED"'),
        "httpd -f /run/eucalyptus/httpd-nc.conf -D FOREGROUND >/dev/null 2>&1 &",
        f"test -b {by_path}",
        f"OPENED=/dev/null qemu-system-x86_64 -blockdev '{node}' >/dev/null 2>&1 &",
        f"OPENED=/dev/{_disk(attached)} qemu-system-x86_64 -name i-0a1b2c3d >/dev/null 2>&1 &",
        f"until ls -l /proc/[0-9]*/fd/9 2>/dev/null | grep -q /dev/{_disk(attached)}$; do sleep 0.1; done",
        "mkdir -p /etc/sctune",
        "printf 'thresholds:\\n  session_unused_seconds: 1\\n' > /etc/sctune/unused.yaml",
        "sleep 2",
    ]


def _shared(_volumes: Sequence[Volume]) -> Expected:
    return Expected(code="TOPOLOGY_SC_SHARED", severity="warning", subject="host")


def _drift(subject: str) -> Expected:
    return Expected(code="ISCSI_TIMEOUT_DRIFT", severity="warning", subject=subject)


FAULTS = (
    VolumeFault(
        name="target-removed-under-session",
        breaks=lambda volume: _removed(volume, "FAILED"),
        expects=lambda volume: (_failed(volume), _left(volume)),
        facts=lambda volume: [
            f"! {SHOW} | grep -q {volume.iqn}$",
            f"iscsiadm -m session | grep -q '{volume.iqn} '",
            f"{_disk_states(volume)} | grep -qx blocked",
        ],
        late=True,
    ),
    VolumeFault(
        name="session-given-up",
        # The replacement timeout is over: I/O is held back no longer and fails.
        breaks=lambda volume: [_live(volume, 1), *_removed(volume, "FREE")],
        expects=lambda volume: (_failed(volume), _left(volume), _drift(identity(volume))),
        facts=lambda volume: [f"{_disk_states(volume)} | grep -qx transport-offline"],
        late=True,
    ),
    VolumeFault(
        name="record-differs",
        breaks=lambda volume: [_update(volume, REPLACEMENT, 60), _live(volume, 60)],
        expects=lambda _volume: (_drift(REPLACEMENT),),
        facts=lambda volume: [
            f"grep -qx '{REPLACEMENT} = 60' {_record(volume)}",
            f"grep -qx '{REPLACEMENT} = 120' /etc/iscsi/iscsid.conf",
        ],
    ),
    VolumeFault(
        name="session-differs",
        breaks=lambda volume: [_live(volume, 60)],
        expects=lambda volume: (_drift(identity(volume)),),
        facts=lambda volume: [
            f"grep -qx 60 {_folder(volume)}/recovery_tmo",
            f"grep -qx '{REPLACEMENT} = 120' {_record(volume)}",
        ],
    ),
    VolumeFault(
        name="noop-half-off",
        # The session that is made with it has NOP-Outs all the same.
        breaks=lambda volume: [
            _update(volume, INTERVAL, 0),
            f"iscsiadm -m node -T {volume.iqn} --logout >/dev/null",
            f"iscsiadm -m node -T {volume.iqn} --login >/dev/null",
            "udevadm settle",
        ],
        expects=lambda _volume: (Expected(code="ISCSI_NOOP_HALF_OFF", severity="warning", subject=INTERVAL),),
        facts=lambda volume: [f"grep -qx 5 {_folder(volume)}/device/connection*/iscsi_connection/*/recv_tmo"],
    ),
    VolumeFault(
        name="secret-exposed",
        breaks=lambda volume: [
            f"chmod o+rx /etc/iscsi/nodes $(dirname {_record(volume)} $(dirname {_record(volume)}))",
            f"chmod o+r {_record(volume)}",
        ],
        expects=lambda volume: (Expected(code="ISCSI_SECRETS_EXPOSED", severity="warning", subject=_record(volume)),),
        facts=lambda volume: [
            f"setpriv --reuid nobody --regid nogroup --clear-groups grep -q '^node.session.auth.password = ' {_record(volume)}"
        ],
    ),
)

HOST_FAULTS = (
    HostFault(
        name="session-left-on-node",
        volumes=3,
        build=_node,
        breaks=lambda _volumes: [],
        options="--config /etc/sctune/unused.yaml",
        # The machine serves the volumes itself, so that it is no machine of their own.
        expects=lambda volumes: (_left(volumes[2]), _shared(volumes)),
        facts=lambda _volumes: [
            "test $(ps -o comm= -C qemu-system-x86 | wc -l) = 2",
            "! grep -qvx LOGGED_IN /sys/class/iscsi_session/*/state",
        ],
    ),
)
