"""Faults of the portals and the service under all targets: who else is there, who can reach them, what comes back after a boot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.vm.hosts import overlay
from tests.vm.hosts.tgt import Export

from .base import Expected, HostFault
from .targets import SHOW, address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume

_PORTAL = "tgtadm --lld iscsi --mode portal"
_SAN = "10.20.0.1"
# Somebody's; the machine has no network that could carry it anywhere, and documentation's own addresses count as private.
_PUBLIC = "11.22.33.44"
_PLAIN = "iqn.2024-05.lab.example"
_LIO = "/sys/kernel/config/target"
_LIO_IQN = "iqn.2003-01.org.linux-iscsi.lab:disk0"


def _lio(portal: str) -> list[str]:
    """LIO with one disk, by configfs alone."""
    disk, group = f"{_LIO}/core/fileio_0/disk0", f"{_LIO}/iscsi/{_LIO_IQN}/tpgt_1"
    return [
        "modprobe -a target_core_mod target_core_file iscsi_target_mod",
        "mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config",
        "truncate -s 64M /srv/lio.img",
        f"mkdir -p {disk}",
        f"echo fd_dev_name=/srv/lio.img,fd_dev_size={64 << 20} > {disk}/control",
        f"echo 1 > {disk}/enable",
        f"mkdir -p {_LIO}/iscsi",
        f"mkdir {_LIO}/iscsi/{_LIO_IQN}",
        f"mkdir {group}",
        f"mkdir {group}/lun/lun_0 {group}/np/{portal}",
        f"ln -s {disk} {group}/lun/lun_0/disk0",
        f"echo 1 > {group}/enable",
    ]


def _share_port(_volumes: Sequence[Volume]) -> list[str]:
    """tgtd on the loopback address alone and LIO on another: whichever is told to listen on all of them next cannot."""
    listen = [f"{_PORTAL} --op delete --param portal={everywhere}:3260" for everywhere in ("0.0.0.0", "[::]")]
    return [*address(_SAN), *listen, f"{_PORTAL} --op new --param portal=127.0.0.1:3260", *_lio(f"{_SAN}:3260")]


def _configured_otherwise(_volumes: Sequence[Volume]) -> list[str]:
    """Three plain targets beside the cloud's: one deleted by hand, one that lets another in, one that nobody wrote down."""
    stanzas = [
        line
        for name in ("gone", "other")
        for line in (
            f"<target {_PLAIN}:{name}>",
            f"    backing-store /srv/{name}.img",
            "    initiator-address 127.0.0.1",
            "</target>",
        )
    ]
    target = "tgtadm --lld iscsi --mode target"
    bare = Export(iqn=f"{_PLAIN}:bare", tid=90, backing="/srv/bare.img", acl="127.0.0.1", chap=False)
    return [
        "truncate -s 64M /srv/gone.img /srv/other.img /srv/bare.img",
        "cat > /etc/tgt/conf.d/plain.conf <<'END'",
        *stanzas,
        "END",
        f"tgt-admin --update {_PLAIN}:gone; tgt-admin --update {_PLAIN}:other",
        *bare.lines(),
        f"tgt-admin --delete {_PLAIN}:gone",
        f"tid=$({SHOW} | sed -n 's/^Target \\([0-9]*\\): {_PLAIN}:other$/\\1/p')",
        f"{target} --op bind --tid $tid -I 10.9.9.9",
    ]


def _under_systemd(volumes: Sequence[Volume]) -> list[str]:
    """A sound host whose tgtd is started by systemd."""
    start = ["systemctl start tgt" if line == "tgtd" else line for line in overlay.start()]
    return [*start, *overlay.create(volumes), *overlay.attach(volumes)]


def _open(volumes: Sequence[Volume]) -> list[str]:
    """Exports without CHAP that the whole Internet may reach."""
    return [*address(_PUBLIC), *(line for volume in volumes for line in replace(volume.export(), chap=False).lines())]


FAULTS: tuple[HostFault, ...] = (
    HostFault(
        name="tgt-and-lio-on-one-port",
        rare=True,
        breaks=_share_port,
        expects=lambda _volumes: (Expected(code="TARGET_PORTAL_CONFLICT", severity="critical", subject="host"),),
        facts=lambda _volumes: [
            f"ss -Hltn | grep -q ' {_SAN}:3260 '",
            "ss -Hltnp | grep ' 127.0.0.1:3260 ' | grep -q tgtd",
            f"! {_PORTAL} --op new --param portal=0.0.0.0:3260",
        ],
    ),
    HostFault(
        name="target-not-as-configured",
        rare=True,
        breaks=_configured_otherwise,
        expects=lambda _volumes: tuple(
            Expected(code="TARGET_CONFIG_DRIFT", severity="warning", subject=f"{_PLAIN}:{name}")
            for name in ("gone", "other", "bare")
        ),
        facts=lambda _volumes: [f"! {SHOW} | grep -q {_PLAIN}:gone", f"{SHOW} | grep -q {_PLAIN}:bare"],
    ),
    HostFault(
        name="open-access-on-public-address",
        rare=True,
        build=lambda volumes: [*overlay.start(), *overlay.create(volumes)],
        breaks=_open,
        expects=lambda volumes: tuple(
            Expected(code="TARGET_OPEN_ACCESS", severity="critical", subject=volume.name) for volume in volumes
        ),
        facts=lambda volumes: [f"test $({SHOW} | grep -cx ' *ALL') = {len(volumes)}", f"! {SHOW} | grep -qx ' *eucalyptus'"],
    ),
    HostFault(
        name="tgt-not-enabled",
        rare=True,  # systemd takes a minute to start; test_machine and test_healthy do it
        before=("systemctl disable tgt",),
        build=_under_systemd,
        breaks=lambda _volumes: ["udevadm settle"],
        # udev has systemd activate the volumes' LVs.
        until="! systemctl list-jobs --no-legend | grep -q .",
        expects=lambda _volumes: (Expected(code="TGT_NOT_ENABLED", severity="warning", subject="tgtd"),),
        facts=lambda _volumes: ["systemctl is-active tgt", "test $(systemctl is-enabled tgt) = disabled"],
        systemd=True,
    ),
)
