"""Faults of the initiator as a whole: its daemon, its network, its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vm import multipath
from tests.vm.hosts import initiator
from tests.vm.hosts.tgt import SECRET

from .base import Expected, HostFault
from .sessions import REPLACEMENT, TIMEOUT, identity
from .targets import SHOW

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


_ALL_DISKS = 'defaults {\\n find_multipaths no\\n}\\nblacklist {\\n devnode "^(vd|loop|dm-)"\\n}\\n'
_SECOND_PORTAL = "127.0.0.2:3260"


def _multipathd(volumes: Sequence[Volume], settings: str) -> list[str]:
    """multipathd with settings of its own, two paths to the first volume and one to each other."""
    return [
        *initiator.login([volumes[0].iqn], portal=_SECOND_PORTAL),
        *multipath.start(_ALL_DISKS + f"overrides {{\\n {settings}\\n}}\\n"),
        f"until test $(dmsetup ls --target multipath | wc -l) = {len(volumes)}; do sleep 0.2; done",
    ]


def _wwid(volume: Volume) -> str:
    """What tgt calls the volume's disk: target and LUN."""
    return f"360000000000000000e{volume.number:010x}0001"


def _sessions(volume: Volume) -> str:
    """A shell word that becomes the sysfs folders of its sessions."""
    return f"$(dirname $(grep -lx {volume.iqn} /sys/class/iscsi_session/*/targetname))"


def _by_hand(volumes: Sequence[Volume]) -> list[str]:
    """Sessions as multipathd sets them, and then one of another value."""
    return [
        *_multipathd(volumes, "fast_io_fail_tmo 7\\n no_path_retry queue"),
        "until ! grep -qvx 7 /sys/class/iscsi_session/*/recovery_tmo; do sleep 0.2; done",
        f"echo 60 > {_sessions(volumes[1])}/recovery_tmo",
    ]


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


def _two_paths(volumes: Sequence[Volume]) -> list[str]:
    """One map over the disks of all: to device-mapper paths to one disk, each with a session of its own."""
    disks = [f"/dev/$(basename {_sessions(volume)}/device/target*/*/block/*)" for volume in volumes]
    return [
        "modprobe -a dm_multipath dm_round_robin",
        f'dmsetup create mpath -u mpath-3600 --table "0 $(blockdev --getsz {disks[0]}) multipath 0 0 {len(disks)} 1 '
        + " ".join(f"round-robin 0 1 1 {disk} 1000" for disk in disks)
        + '"',
        "udevadm settle",
    ]


def _failed_paths(volumes: Sequence[Volume]) -> list[str]:
    """Maps of one path each, which the kernel is told to give up, as it does by itself at an I/O error of the transport."""
    messages = [f"dmsetup message mpath{volume.number} 0 fail_path $(dmsetup deps -o devno mpath{volume.number} | "
                r"sed 's/.*(\([0-9]*\), \([0-9]*\)).*/\1:\2/')" for volume in volumes]  # fmt: skip
    return [*_multipath(volumes), *messages]


_PEER = "10.20.0.2"
_NETWORK = (
    # A second host in a namespace of its own, behind a bond of two links.
    "modprobe -a bonding veth",
    "ip netns add peer",
    "ip link add bond0 mtu 9000 type bond mode active-backup miimon 100",
    "for n in 0 1; do ip link add v$n type veth peer name p$n netns peer; ip link set v$n master bond0; done",
    "ip link set bond0 up",
    "for n in 0 1; do ip link set v$n mtu 9000; ip link set v$n up; ip -n peer link set p$n up; done",
    "ip addr add 10.20.0.1/24 dev bond0",
    "ip -n peer link add br0 type bridge",
    "for n in 0 1; do ip -n peer link set p$n master br0; done",
    f"ip -n peer addr add {_PEER}/24 dev br0",
    "ip -n peer link set br0 up",
)


def _from_a_peer(volumes: Sequence[Volume]) -> list[str]:
    """Connections of that host's initiator, which is libiscsi's: the kernel's own has no namespaces."""
    url = f"iscsi://eucalyptus%{SECRET}@10.20.0.1:3260/{volumes[0].iqn}/1"
    stay = f"ip netns exec peer iscsi-perf -r -m 1 -b 8 -t 600 -i iqn.1993-08.org.debian:01:peer '{url}' >/dev/null 2>&1 &"
    # Stopped, it stays connected and leaves the processor to others.
    return [stay, f"until {SHOW} | grep -q {_PEER}; do sleep 0.2; done", "kill -STOP $(pgrep -x iscsi-perf)"]


def _interface(code: str) -> Expected:
    return Expected(code=code, severity="warning", subject="bond0")


FAULTS: tuple[HostFault, ...] = (
    HostFault(
        name="bond-degraded-and-mtu-differs",
        before=_NETWORK,
        breaks=lambda volumes: [*_from_a_peer(volumes), "ip link set v1 mtu 1500", "ip -n peer link set p1 down"],
        until="grep -q 'MII Status: down' /proc/net/bonding/bond0",
        expects=lambda _volumes: (_interface("NET_BOND_DEGRADED"), _interface("NET_MTU_SUSPECT")),
        facts=lambda _volumes: [
            "grep -qx 9000 /sys/class/net/bond0/mtu",
            "grep -qx 1500 /sys/class/net/v1/mtu",
            f"{SHOW} | grep -q {_PEER}",
        ],
        rare=True,
    ),
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
        name="multipath-timeout-by-hand",
        rare=True,
        breaks=_by_hand,
        expects=lambda volumes: (
            Expected(code="ISCSI_TIMEOUT_DRIFT", severity="warning", subject=identity(volumes[1])),
            Expected(code="ISCSI_TIMEOUT_OVERRIDDEN", severity="info", subject="fast_io_fail_tmo"),
        ),
        facts=lambda volumes: [
            f"test $(grep -lx 7 /sys/class/iscsi_session/*/recovery_tmo | wc -l) = {len(volumes)}",
            f"grep -rqxF '{REPLACEMENT} = 120' /etc/iscsi/nodes",
            "dmsetup status --target multipath | grep -q ' A .* A .*'",
        ],
    ),
    HostFault(
        name="multipath-gives-up-soon",
        rare=True,
        before=tuple(_wanted("ISCSI_TIMEOUTS_AGGRESSIVE")),
        breaks=lambda volumes: _multipathd(volumes, "no_path_retry 2"),
        until="! grep -qvx 5 /sys/class/iscsi_session/*/recovery_tmo",
        options="--config /etc/sctune/wanted.yaml",
        expects=lambda volumes: (
            Expected(code="ISCSI_TIMEOUTS_AGGRESSIVE", severity="warning", subject=_wwid(volumes[0])),
            Expected(code="ISCSI_TIMEOUTS_AGGRESSIVE", severity="warning", subject=identity(volumes[1])),
        ),
        facts=lambda volumes: [f"test $(dmsetup table --target multipath | grep -c queue_if_no_path) = {len(volumes)}"],
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
        breaks=_two_paths,
        options="--config /etc/sctune/wanted.yaml",
        expects=lambda volumes: _each("ISCSI_TIMEOUTS_LAX", volumes),
        facts=lambda _volumes: ["test $(dmsetup ls --target multipath | wc -l) = 1"],
    ),
)
