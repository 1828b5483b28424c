"""Faults of the initiator as a whole: its daemon, its network, its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Expected, HostFault
from .sessions import REPLACEMENT, TIMEOUT, identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume

FAILED = "! grep -qv FAILED /sys/class/iscsi_session/*/state"
"""Every session has noticed that its target does not answer."""
FREE = "! grep -qv FREE /sys/class/iscsi_session/*/state"
"""The replacement timeout of every session has passed."""
_CONFIGURATION = "/etc/iscsi/iscsid.conf"
_CUT = "ip link set lo down"


def _configured(name: str, value: int) -> str:
    """A shell line that changes iscsid.conf, before any record is made from it."""
    pattern = name.replace("[", r"\[")
    return f"sed -i 's/^{pattern} = .*/{name} = {value}/' {_CONFIGURATION} && grep -qxF '{name} = {value}' {_CONFIGURATION}"


def short_timeouts(replacement: int) -> list[str]:
    """Sessions that give up soon."""
    return [_configured(REPLACEMENT, replacement)]


def _wanted(code: str) -> list[str]:
    """A configuration that wants the advice followed."""
    return ["mkdir -p /etc/sctune", f"printf 'wanted:\\n  - {code}\\n' > /etc/sctune/wanted.yaml"]


def lost(volumes: Sequence[Volume]) -> tuple[Expected, ...]:
    """A session lost its target, for each."""
    return tuple(Expected(code="ISCSI_SESSION_FAILED", severity="critical", subject=identity(volume)) for volume in volumes)


def _each(code: str, volumes: Sequence[Volume]) -> tuple[Expected, ...]:
    return tuple(Expected(code=code, severity="warning", subject=identity(volume)) for volume in volumes)


def _setting(code: str, name: str) -> tuple[Expected, ...]:
    return (Expected(code=code, severity="warning", subject=name),)


def _multipath(volumes: Sequence[Volume]) -> list[str]:
    """A multipath map over the disk of each, as multipathd would make it."""
    lines = ["modprobe -a dm_multipath dm_round_robin"]
    for volume in volumes:
        session = f"$(dirname $(grep -lx {volume.iqn} /sys/class/iscsi_session/*/targetname))"
        lines += [
            f"disk=$(basename {session}/device/target*/*/block/*)",
            f'dmsetup create mpath{volume.number} -u mpath-3600{volume.number} --table "0 $(cat /sys/block/$disk/size) multipath '
            '0 0 1 1 round-robin 0 1 1 /dev/$disk 1000"',
        ]
    return [*lines, "udevadm settle"]


def _failed_paths(volumes: Sequence[Volume]) -> list[str]:
    """Maps of one path each, which the kernel is told to give up, as it does by itself at an I/O error of the transport."""
    messages = [f"dmsetup message mpath{volume.number} 0 fail_path $(dmsetup deps -o devno mpath{volume.number} | "
                r"sed 's/.*(\([0-9]*\), \([0-9]*\)).*/\1:\2/')" for volume in volumes]  # fmt: skip
    return [*_multipath(volumes), *messages]


FAULTS: tuple[HostFault, ...] = (
    HostFault(
        name="iscsid-killed",
        breaks=lambda _volumes: ["kill -KILL $(pgrep -x iscsid)"],
        until="! pgrep -x iscsid >/dev/null",
        expects=lambda _volumes: (Expected(code="ISCSID_DOWN", severity="critical", subject="iscsid"),),
        facts=lambda _volumes: ["! grep -qvx LOGGED_IN /sys/class/iscsi_session/*/state"],
    ),
    HostFault(
        name="network-lost",
        breaks=lambda _volumes: [_CUT],
        until=FAILED,
        expects=lost,
        facts=lambda _volumes: ["! grep -qvx blocked /sys/block/sd*/device/state", "pgrep -x tgtd"],
    ),
    HostFault(
        name="network-lost-long-ago",
        rare=True,
        before=tuple(short_timeouts(2)),
        breaks=lambda _volumes: [_CUT],
        until=FREE,
        expects=lost,
        facts=lambda _volumes: ["! grep -qvx transport-offline /sys/block/sd*/device/state"],
    ),
    HostFault(
        name="noop-half-off-configured",
        rare=True,
        before=(_configured(TIMEOUT, 0),),
        breaks=lambda _volumes: [],
        expects=lambda _volumes: _setting("ISCSI_NOOP_HALF_OFF", TIMEOUT),
        facts=lambda _volumes: ["! grep -qvx 5 /sys/class/iscsi_connection/*/ping_tmo"],
    ),
    HostFault(
        name="setting-ignored",
        rare=True,
        before=(f"printf '\\n{REPLACEMENT}=30\\n' >> {_CONFIGURATION}",),
        breaks=lambda _volumes: [],
        expects=lambda _volumes: _setting("ISCSI_SETTING_IGNORED", REPLACEMENT),
        facts=lambda _volumes: ["! grep -qvx 120 /sys/class/iscsi_session/*/recovery_tmo"],
    ),
    HostFault(
        name="configuration-changed-later",
        breaks=lambda _volumes: short_timeouts(60),
        expects=lambda _volumes: _setting("ISCSI_TIMEOUT_DRIFT", REPLACEMENT),
        facts=lambda _volumes: ["! grep -qvx 120 /sys/class/iscsi_session/*/recovery_tmo"],
        rare=True,
    ),
    HostFault(
        name="timeouts-aggressive",
        rare=True,
        before=(*short_timeouts(15), *_wanted("ISCSI_TIMEOUTS_AGGRESSIVE")),
        breaks=lambda _volumes: [],
        options="--config /etc/sctune/wanted.yaml",
        expects=lambda volumes: _each("ISCSI_TIMEOUTS_AGGRESSIVE", volumes),
        facts=lambda _volumes: ["! grep -qvx 15 /sys/class/iscsi_session/*/recovery_tmo"],
    ),
    HostFault(
        name="multipath-paths-failed",
        rare=True,
        breaks=_failed_paths,
        expects=lambda volumes: tuple(
            Expected(code="MULTIPATH_PATH_FAILED", severity="warning", subject=f"3600{volume.number}") for volume in volumes
        ),
        facts=lambda volumes: [f"test $(dmsetup status --target multipath | grep -c ' F 1 ') = {len(volumes)}"],
    ),
    HostFault(
        name="transport-missing",
        # iscsiadm keeps to the blacklist, which modprobe with the module's own name does not.
        build=lambda _volumes: [
            "echo InitiatorName=iqn.1993-08.org.debian:01:5ca1ab1e > /etc/iscsi/initiatorname.iscsi",
            "rm -rf /etc/iscsi/nodes /var/lib/iscsi/nodes",
            "iscsiadm -m node -T iqn.2009-06.com.eucalyptus.lab:store1 -p 127.0.0.1:3260 -o new >/dev/null",
            "iscsiadm -m node -o update -n node.startup -v automatic",
        ],
        breaks=lambda _volumes: ["echo blacklist iscsi_tcp > /etc/modprobe.d/hardening.conf"],
        expects=lambda _volumes: (Expected(code="ISCSI_TRANSPORT_MISSING", severity="critical", subject="iscsi_tcp"),),
        facts=lambda _volumes: ["test ! -e /sys/class/iscsi_transport/tcp", "! iscsiadm -m discovery -t st -p 127.0.0.1"],
        rare=True,
    ),
    HostFault(
        name="timeouts-lax",
        rare=True,
        before=tuple(_wanted("ISCSI_TIMEOUTS_LAX")),
        breaks=_multipath,
        options="--config /etc/sctune/wanted.yaml",
        expects=lambda volumes: _each("ISCSI_TIMEOUTS_LAX", volumes),
        facts=lambda volumes: [f"test $(dmsetup ls --target multipath | wc -l) = {len(volumes)}"],
    ),
)
