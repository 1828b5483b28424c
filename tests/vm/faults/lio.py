"""Faults of LIO, the kernel's own target, on a host without a cloud and without a target of tgt's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vm.hosts import lio, plain

from .base import Expected, HostFault
from .targets import address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume

_VOLUME = lio.group(lio.VOLUME.iqn)
_FILE = lio.group(lio.FILE_IQN)
# Somebody's, as in the faults of portals.
_PUBLIC = "11.22.33.44"
_DEMO = "iqn.2003-01.org.linux-iscsi.lab:demo"


def _build(_volumes: Sequence[Volume]) -> list[str]:
    """A sound host with a saved configuration."""
    return [*plain.start(), *lio.make()]


def _partly_restored(_volumes: Sequence[Volume]) -> list[str]:
    """A boot where the LV came up after target.service: the initiator comes back to a target without a LUN."""
    return [
        "iscsiadm -m node -u >/dev/null",
        lio.rtslib("clear_existing(confirm=True)"),
        f"lvchange -an {lio.VG}",
        "udevadm settle",
        lio.rtslib(f"restore_from_file('{lio.SAVED}')"),
        f"lvchange -ay {lio.VG}",
        f"iscsiadm -m node -T {lio.VOLUME.iqn} --login >/dev/null",
        f"iscsiadm -m node -T {lio.FILE_IQN} --login >/dev/null",
        "udevadm settle",
    ]


def _demo(_volumes: Sequence[Volume]) -> list[str]:
    """A target that somebody made to try something, in demo mode, on an address that the Internet reaches."""
    folder = lio.group(_DEMO)
    file = f"{plain.FOLDER}/demo.img"
    store = f"{lio.CORE}/fileio_1/demo"
    return [
        *address(_PUBLIC),
        f"truncate -s 64M {file}",
        f"mkdir -p {store} {folder}/lun/lun_0 {folder}/np/{_PUBLIC}:3261",
        f"printf fd_dev_name={file},fd_dev_size={64 << 20} > {store}/control",
        f"echo 1 > {store}/enable",
        f"ln -s {store} {folder}/lun/lun_0/store",
        f"echo 1 > {folder}/attrib/generate_node_acls",
        f"echo 0 > {folder}/attrib/authentication",
        f"echo 1 > {folder}/enable",
        *lio.save(),
    ]


def _zeros(disk_of: str) -> str:
    """That the session with a target reads zeros where a mark was written."""
    return f"! {_read(disk_of)} | grep -q mark"


def _read(iqn: str) -> str:
    return f"dd if=$(readlink -f /dev/disk/by-path/*{iqn}-lun-0) bs=4096 count=1 skip=1 iflag=direct 2>/dev/null"


def _mark(iqn: str) -> str:
    """Writes a mark; udev looks at the disk when it is closed, and is waited for."""
    disk = f"$(readlink -f /dev/disk/by-path/*{iqn}-lun-0)"
    written = f"dd of={disk} bs=4096 count=1 seek=1 oflag=direct iflag=fullblock 2>/dev/null"
    return f"(echo mark; head -c 4091 /dev/zero) | {written}; udevadm settle"


FAULTS: tuple[HostFault, ...] = (
    HostFault(
        name="lio-lun-without-backstore",
        build=_build,
        breaks=lambda _volumes: [_mark(lio.VOLUME.iqn), f"rm {_VOLUME}/lun/lun_0/store"],
        expects=lambda _volumes: (
            Expected(code="TARGET_SERVES_ZEROS", severity="critical", subject=lio.VOLUME.uuid),
            Expected(code="TARGET_CONFIG_DRIFT", severity="warning", subject=lio.VOLUME.uuid),
        ),
        facts=lambda _volumes: [_zeros(lio.VOLUME.iqn)],
    ),
    HostFault(
        name="lio-partly-restored",
        rare=True,
        build=_build,
        breaks=_partly_restored,
        expects=lambda _volumes: (
            Expected(code="TARGET_SERVES_ZEROS", severity="critical", subject=lio.VOLUME.uuid),
            Expected(code="TARGET_CONFIG_DRIFT", severity="warning", subject=lio.VOLUME.uuid),
        ),
        facts=lambda _volumes: [f"test -d {_VOLUME}", f"! test -e {_VOLUME}/lun/lun_0", f"test -e {_FILE}/lun/lun_0"],
    ),
    HostFault(
        name="lio-file-cut-off",
        rare=True,
        build=_build,
        breaks=lambda _volumes: [
            _mark(lio.FILE_IQN),
            f"sync {lio.FILE}; truncate -s 4096 {lio.FILE}",
        ],
        expects=lambda _volumes: (Expected(code="TARGET_SERVES_ZEROS", severity="critical", subject=f"{lio.FILE_IQN}/0"),),
        facts=lambda _volumes: [_zeros(lio.FILE_IQN)],
    ),
    HostFault(
        name="lio-file-deleted",
        rare=True,
        build=_build,
        breaks=lambda _volumes: [_mark(lio.FILE_IQN), f"rm {lio.FILE}"],
        expects=lambda _volumes: (
            Expected(code="TARGET_BACKING_MISSING", severity="critical", subject=f"{lio.FILE_IQN}/0"),
            Expected(code="TARGET_CONFIG_DRIFT", severity="warning", subject=lio.FILE_IQN),
        ),
        facts=lambda _volumes: [f"{_read(lio.FILE_IQN)} | grep -q mark"],
    ),
    HostFault(
        name="lio-demo-mode",
        rare=True,
        build=_build,
        breaks=_demo,
        expects=lambda _volumes: (Expected(code="TARGET_OPEN_ACCESS", severity="critical", subject=_DEMO),),
        facts=lambda _volumes: [f"iscsiadm -m discovery -t sendtargets -p {_PUBLIC}:3261 | grep -q {_DEMO}"],
    ),
    HostFault(
        name="lio-not-saved",
        rare=True,
        build=_build,
        breaks=lambda _volumes: [
            f"iscsiadm -m node -T {lio.FILE_IQN} -u >/dev/null",
            f"mkdir {_FILE}/acls/iqn.2000-01.lab.example:new",
        ],
        expects=lambda _volumes: (Expected(code="TARGET_CONFIG_DRIFT", severity="warning", subject=lio.FILE_IQN),),
        facts=lambda _volumes: [f"! grep -q lab.example:new {lio.SAVED}"],
    ),
    HostFault(
        name="lio-chap-off",
        rare=True,
        build=_build,
        # As somebody does to see whether CHAP is what keeps an initiator out.
        breaks=lambda _volumes: [f"echo 0 > {_VOLUME}/attrib/authentication"],
        expects=lambda _volumes: (Expected(code="TARGET_CHAP_MISSING", severity="warning", subject=lio.VOLUME.uuid),),
        facts=lambda _volumes: [f"grep -qx 0 {_VOLUME}/attrib/authentication"],
    ),
    HostFault(
        name="lio-volume-deleted",
        rare=True,
        build=_build,
        # The volume is gone, and what was saved is not.
        breaks=lambda _volumes: [
            *lio.unserve(lio.VOLUME.iqn, lio.BLOCK_STORE),
            f"lvremove -qy {lio.VG}/{lio.VOLUME.lv_name} >/dev/null",
            "udevadm settle",
        ],
        expects=lambda _volumes: (Expected(code="CINDER_TARGET_DRIFT", severity="warning", subject=lio.VOLUME.uuid),),
        facts=lambda _volumes: [
            f"! test -e {lio.VOLUME.lv}",
            f"! test -e {lio.BLOCK_STORE}",
            f"! test -e {_VOLUME}",
            f"grep -q {lio.VOLUME.iqn} {lio.SAVED}",
        ],
    ),
    HostFault(
        name="lio-storage-object-left",
        rare=True,
        build=_build,
        # The target went and its storage object stayed: the LV cannot be removed.
        breaks=lambda _volumes: [
            *(line.replace(f" {lio.BLOCK_STORE}", "") for line in lio.unserve(lio.VOLUME.iqn, lio.BLOCK_STORE)),
            *lio.save(),
        ],
        expects=lambda _volumes: (Expected(code="CINDER_TARGET_DRIFT", severity="warning", subject=lio.VOLUME.uuid),),
        facts=lambda _volumes: [f"! lvremove -qy {lio.VG}/{lio.VOLUME.lv_name}", f"test -d {lio.BLOCK_STORE}"],
    ),
)
