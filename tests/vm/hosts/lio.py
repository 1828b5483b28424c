"""LIO, the kernel's own target, beside tgt: a portal on another port, block and fileio backstores, CHAP, an ACL for the initiator.

The block backstore is Cinder's (cinder cmd/rtstool.py): target, backstore and LV are called after the volume, LUN 0 is the disk,
and who has it attached has an ACL of its own. The file is targetcli's default: written through the page cache (write-back).

Made by configfs alone, as targetcli and rtslib do it: each call of targetcli takes seconds in an emulated machine.
"""

from __future__ import annotations

from . import initiator, plain
from .cinder import Volume

PORTAL = "127.0.0.1:3261"
VG = "lio"
CORE = "/sys/kernel/config/target/core"
ISCSI = "/sys/kernel/config/target/iscsi"
VOLUME = Volume(vg=VG, number=21)
SAVED = "/etc/rtslib-fb-target/saveconfig.json"
"""Where Debian keeps it."""
FILE = f"{plain.FOLDER}/lio.img"
FILE_IQN = "iqn.2003-01.org.linux-iscsi.lab:file"
BLOCK_STORE = f"{CORE}/iblock_0/{VOLUME.iqn}"
FILE_STORE = f"{CORE}/fileio_0/file"


def make() -> list[str]:
    """A target over an LV and one over a file, each at LUN 0, which on LIO is a disk."""
    return [
        f"vgcreate -q {VG} /dev/ram3 >/dev/null",
        f"lvcreate -q -L 2G -n {VOLUME.lv_name} -Wn {VG} >/dev/null",
        f"truncate -s 1G {FILE}",
        "modprobe -a target_core_mod target_core_iblock target_core_file iscsi_target_mod",
        "mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config",
        f"mkdir -p {BLOCK_STORE} {FILE_STORE} {ISCSI}",
        # As rtslib writes it, to both files; a newline would be taken as part of the last value.
        f"printf udev_path={VOLUME.lv} > {BLOCK_STORE}/control",
        f"printf {VOLUME.lv} > {BLOCK_STORE}/udev_path",
        f"printf fd_dev_name={FILE},fd_dev_size={1 << 30},fd_buffered_io=1 > {FILE_STORE}/control",
        f"printf {FILE} > {FILE_STORE}/udev_path",
        f"for store in {BLOCK_STORE} {FILE_STORE}; do echo 1 > $store/enable; done",
        *serve(VOLUME.iqn, BLOCK_STORE),
        *serve(FILE_IQN, FILE_STORE),
        *save(),
    ]


def rtslib(call: str) -> str:
    """A call of rtslib's root object, as targetcli and Cinder's rtstool make them."""
    return (
        "python3 -W ignore -c \"import sys; sys.path.insert(0, '/usr/lib/python3/dist-packages'); import rtslib_fb; "
        f'rtslib_fb.RTSRoot().{call}"'
    )


def save() -> list[str]:
    """The configuration as it is now, to be restored at the next boot."""
    return [f"mkdir -p {SAVED.rpartition('/')[0]}", rtslib(f"save_to_file('{SAVED}')")]


def group(iqn: str) -> str:
    """The folder of a target's only portal group."""
    return f"{ISCSI}/{iqn}/tpgt_1"


def serve(iqn: str, backstore: str) -> list[str]:
    """A target with one LUN for the machine's own initiator, and a session to it."""
    who = plain.account(f"lio-{iqn.rpartition(':')[2][:12]}")
    folder = group(iqn)
    acl = f"{folder}/acls/{initiator.INITIATOR}"
    return [
        f"mkdir -p {folder}/lun/lun_0 {folder}/np/{PORTAL} {acl}/lun_0",
        f"ln -s {backstore} {folder}/lun/lun_0/store",
        f"ln -s {folder}/lun/lun_0 {acl}/lun_0/lun",
        f"echo 1 > {folder}/attrib/authentication",
        f"echo 0 > {folder}/attrib/generate_node_acls",
        # A newline would be taken as part of the name.
        f"printf %s {who.user} > {acl}/auth/userid",
        f"printf %s {who.secret} > {acl}/auth/password",
        f"echo 1 > {folder}/enable",
        *plain.login(iqn, who, portal=PORTAL),
    ]


def unserve(iqn: str, backstore: str) -> list[str]:
    """Session, target and backstore taken away, and nothing saved."""
    folder = group(iqn)
    acl = f"{folder}/acls/{initiator.INITIATOR}"
    return [
        f"iscsiadm -m node -T {iqn} -u >/dev/null; iscsiadm -m node -T {iqn} -o delete",
        f"echo 0 > {folder}/enable",
        f"rm {acl}/lun_0/lun; rmdir {acl}/lun_0 {acl}",
        f"rm {folder}/lun/lun_0/store; rmdir {folder}/lun/lun_0 {folder}/np/{PORTAL}",
        f"rmdir {folder} {folder.rpartition('/')[0]} {backstore}",
    ]
