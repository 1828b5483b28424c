"""LIO, the kernel's own target, beside tgt: a portal on another port, block and fileio backstores, CHAP, an ACL for the initiator.

Made by configfs alone, as targetcli and rtslib do it: each call of targetcli takes seconds in an emulated machine.
"""

from __future__ import annotations

from . import initiator, plain

PORTAL = "127.0.0.1:3261"
VG = "lio"
_CORE = "/sys/kernel/config/target/core"
_ISCSI = "/sys/kernel/config/target/iscsi"
_IQN = "iqn.2003-01.org.linux-iscsi.lab:"


def make() -> list[str]:
    """A target over an LV and one over a file, each at LUN 0, which on LIO is a disk."""
    file = f"{plain.FOLDER}/lio.img"
    block, fileio = f"{_CORE}/iblock_0/lv", f"{_CORE}/fileio_0/file"
    return [
        f"vgcreate -q {VG} /dev/ram3 >/dev/null",
        f"lvcreate -q -L 2G -n disk -Wn {VG} >/dev/null",
        f"truncate -s 1G {file}",
        "modprobe -a target_core_mod target_core_iblock target_core_file iscsi_target_mod",
        "mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config",
        f"mkdir -p {block} {fileio} {_ISCSI}",
        f"echo udev_path=/dev/{VG}/disk > {block}/control",
        f"echo fd_dev_name={file},fd_dev_size={1 << 30} > {fileio}/control",
        f"for store in {block} {fileio}; do echo 1 > $store/enable; done",
        *serve("lv", block),
        *serve("file", fileio),
    ]


def serve(name: str, backstore: str) -> list[str]:
    """A target with one LUN for the machine's own initiator, and a session to it."""
    iqn = f"{_IQN}{name}"
    who = plain.account(f"lio-{name}")
    group = f"{_ISCSI}/{iqn}/tpgt_1"
    acl = f"{group}/acls/{initiator.INITIATOR}"
    return [
        f"mkdir -p {group}/lun/lun_0 {group}/np/{PORTAL} {acl}/lun_0",
        f"ln -s {backstore} {group}/lun/lun_0/store",
        f"ln -s {group}/lun/lun_0 {acl}/lun_0/lun",
        f"echo 1 > {group}/attrib/authentication",
        f"echo 0 > {group}/attrib/generate_node_acls",
        # A newline would be taken as part of the name.
        f"printf %s {who.user} > {acl}/auth/userid",
        f"printf %s {who.secret} > {acl}/auth/password",
        f"echo 1 > {group}/enable",
        *plain.login(iqn, who, portal=PORTAL),
    ]
