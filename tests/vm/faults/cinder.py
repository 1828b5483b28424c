"""Faults of a host with Cinder's LVM driver and tgt: LVs, files and targets that disagree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.vm.hosts import cinder, overlay, plain
from tests.vm.hosts.initiator import PORTAL

from .base import Expected, HostFault
from .targets import SHOW, address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume

VG = "cinder-volumes"
_FIRST, _SECOND, _THIRD = (cinder.Volume(vg=VG, number=number) for number in (21, 22, 23))
_ALL = (_FIRST, _SECOND, _THIRD)
_FOURTH = cinder.Volume(vg=VG, number=24)
_LIST = "/etc/sctune/openstack-volumes.json"
_CONFIGURATION = "/etc/sctune/cinder.yaml"


def _host(_volumes: Sequence[Volume]) -> list[str]:
    """Two volumes that are attached and one that is not."""
    return [
        *plain.start(),
        *cinder.configuration(VG),
        f"vgcreate -q {VG} /dev/ram1 >/dev/null",
        "lvm >/dev/null <<END",
        *(f"lvcreate -q -n {volume.lv_name} -L 1g -Wn {VG}" for volume in _ALL),
        "END",
        "udevadm settle",
        *(line for volume in (_FIRST, _SECOND) for line in (*volume.export(), *volume.attach())),
    ]


def _drift(*volumes: cinder.Volume) -> tuple[Expected, ...]:
    return tuple(Expected(code="CINDER_TARGET_DRIFT", severity="warning", subject=volume.uuid) for volume in volumes)


def _of(volume: cinder.Volume) -> str:
    """What tgt says of the volume's target alone, for grep."""
    return f"{SHOW} | sed -n '/: {volume.iqn}$/,/^Target/p'"


def _tid(volume: cinder.Volume) -> str:
    return f"$({SHOW} | sed -n 's/^Target \\([0-9]*\\): {volume.iqn}$/\\1/p')"


def _guest_vg() -> list[str]:
    """What a guest does with its disk; Cinder's own lvm.conf lets LVM look into LVs, as the host's does here."""
    return [
        f"pvcreate -q --config 'devices{{scan_lvs=1}}' {_THIRD.lv} >/dev/null",
        f"vgcreate -q --config 'devices{{scan_lvs=1}}' guestvg {_THIRD.lv} >/dev/null",
        "sed -i 's/^devices {/devices {\\n\\tscan_lvs = 1/' /etc/lvm/lvm.conf",
        "printf 'devices {\\n    scan_lvs = 1  # hosts with LVM on LVs\\n}\\n' > /etc/cinder/lvm.conf",
        "udevadm settle",
    ]


def _listed(*rows: tuple[cinder.Volume, str]) -> list[str]:
    """What the client prints of these volumes, a while after they were made, and the configuration that names it."""
    text = json.dumps([{"ID": volume.uuid, "Name": "", "Status": status, "Size": 1, "Attached to": []} for volume, status in rows])
    return [
        "mkdir -p /etc/sctune",
        f"cat > {_LIST} <<'END'",
        text,
        "END",
        f"touch -d '1 hour' {_LIST}",
        f"echo 'openstack_volumes: {_LIST}' > {_CONFIGURATION}",
    ]


def _fault(
    name: str, breaks: list[str], expects: tuple[Expected, ...], facts: list[str], options: str = "", *, rare: bool = False
) -> HostFault:
    return HostFault(
        name=f"cinder-{name}",
        build=_host,
        breaks=lambda _volumes: breaks,
        expects=lambda _volumes: expects,
        facts=lambda _volumes: facts,
        options=options,
        rare=rare,
    )


FAULTS: tuple[HostFault, ...] = (
    _fault(
        "file-gone",
        # A restart of tgtd would take the target from under its initiator.
        [f"rm {_FIRST.file}"],
        _drift(_FIRST),
        [f"{_of(_FIRST)} | grep -q 'IP Address'", f"! test -e {_FIRST.file}"],
    ),
    _fault(
        "file-without-lv",
        # LP 1304122: the target went in the end and the volume with it; its file stayed.
        [*_THIRD.export(), f"tgt-admin --force --delete {_THIRD.iqn}", f"lvremove -qy {VG}/{_THIRD.lv_name} >/dev/null"],
        _drift(_THIRD),
        [f"test -f {_THIRD.file}", f"! test -e {_THIRD.lv}", f"! {SHOW} | grep -q {_THIRD.iqn}"],
        rare=True,
    ),
    _fault(
        "not-served",
        [*_THIRD.export(), f"tgt-admin --force --delete {_THIRD.iqn}"],
        _drift(_THIRD),
        [f"test -f {_THIRD.file}", f"test -b {_THIRD.lv}", f"! {SHOW} | grep -q {_THIRD.iqn}"],
        rare=True,
    ),
    _fault(
        "not-included",
        [f"rm {cinder.INCLUDE}"],
        (Expected(code="CINDER_TARGET_DRIFT", severity="warning", subject=f"include {cinder.STANZAS}/*"),),
        [f"! grep -rq {cinder.STANZAS} /etc/tgt", f"test $({SHOW} | grep -c ^Target) = 2"],
        rare=True,
    ),
    _fault(
        "same-scsi-id",
        # A file made by copying another.
        [*_THIRD.export(), f"sed -i 's/^\\( *scsi_id\\) .*/\\1 {_SECOND.lv_name}/' {_THIRD.file}"],
        _drift(_SECOND, _THIRD),
        [f"test $(cat {cinder.STANZAS}/* | grep scsi_id | sort | uniq -d | wc -l) = 1"],
        rare=True,
    ),
    _fault(
        "only-controller",
        # LUN 1 was never made, since something had the device open; the driver knows of it and makes it again.
        [*_THIRD.export(), f"tgtadm --lld iscsi --op delete --mode logicalunit --tid {_tid(_THIRD)} --lun 1"],
        (Expected(code="TARGET_LUN_MISSING", severity="critical", subject=_THIRD.uuid),),
        [f"test $({_of(_THIRD)} | grep -c LUN:) = 1"],
    ),
    _fault(
        "other-disk",
        # The volume was migrated to another VG, and its file written anew without tgt-admin.
        [f"sed -i 's|backing-store .*|backing-store /dev/fast/{_SECOND.lv_name}|' {_SECOND.file}"],
        (Expected(code="TARGET_CONFIG_DRIFT", severity="warning", subject=_SECOND.uuid),),
        [f"{_of(_SECOND)} | grep -q {VG.replace('-', '--')}", f"grep -q /dev/fast {_SECOND.file}"],
        rare=True,
    ),
    _fault(
        "account-unbound",
        [
            *address("10.20.0.1"),
            f"tgtadm --lld iscsi --op unbind --mode account --tid {_tid(_SECOND)} --user {plain.account(str(_SECOND.number)).user}",
        ],
        (
            Expected(code="TARGET_OPEN_ACCESS", severity="warning", subject=_SECOND.uuid),
            Expected(code="TARGET_CHAP_MISSING", severity="warning", subject=_SECOND.uuid),
        ),
        [f"! {_of(_SECOND)} | grep -q user-", f"iscsiadm -m session | grep -q '{PORTAL},1 {_SECOND.iqn} '"],
    ),
    _fault(
        "guest-pv",
        _guest_vg(),
        (Expected(code="LVM_SCANS_VOLUMES", severity="warning", subject=_THIRD.uuid),),
        ["pvs --noheadings -o vg_name | grep -qw guestvg"],
        rare=True,
    ),
    _fault(
        "device-left",
        # The LV's metadata went while its device was in use, as where LVM was killed between the two.
        [
            f"vgcfgbackup -q -f /run/before {VG} >/dev/null",
            f"lvcreate -q -n {_FOURTH.lv_name} -L 64m -Wn {VG} >/dev/null",
            "udevadm settle",
            f"vgcfgrestore -q -y --force -f /run/before {VG} >/dev/null",
        ],
        (Expected(code="DM_LEFTOVER", severity="warning", subject=_FOURTH.uuid),),
        [f"! lvs {VG}/{_FOURTH.lv_name}", f"dmsetup info {overlay.dm_name(_FOURTH.lv)}"],
        rare=True,
    ),
    _fault(
        "wiped-and-open",
        # One volume is being wiped, another is open for somebody who is not seen.
        [
            f"lvcreate -q -n {_FOURTH.lv_name} -L 64m -Wn {VG} >/dev/null",
            "udevadm settle",
            f"sleep 1000 <{_FOURTH.lv} >/dev/null 2>&1 &",
            *cinder.throttled(_THIRD.lv, "wbps"),
            f"(echo 0 > {overlay.COPY_GROUP}/cgroup.procs; exec dd count=1024 if=/dev/zero "
            f"of=/dev/mapper/{overlay.dm_name(_THIRD.lv)} bs=1M oflag=direct) >/dev/null 2>&1 &",
            "mkdir -p /etc/sctune",
            f"echo 'thresholds: {{wipe_seconds: 1}}' > {_CONFIGURATION}",
        ],
        (
            Expected(code="CINDER_WIPE_SLOW", severity="info", subject=_THIRD.uuid),
            Expected(code="CINDER_VOLUME_OPEN", severity="info", subject=_FOURTH.uuid),
        ),
        ["pgrep -x dd", f"lvs --noheadings -o lv_attr {VG}/{_FOURTH.lv_name} | grep -q ao"],
        f"--config {_CONFIGURATION}",
    ),
    _fault(
        "api-drift",
        # The first volume's instance lost its disk; the third is one that the API has no more.
        [
            f"iscsiadm -m node -T {_FIRST.iqn} --logout >/dev/null; iscsiadm -m node -T {_FIRST.iqn} -o delete",
            *_listed((_FIRST, "in-use"), (_SECOND, "in-use")),
        ],
        (
            Expected(code="CINDER_API_DRIFT", severity="info", subject=_FIRST.uuid),
            Expected(code="CINDER_API_DRIFT", severity="warning", subject=_THIRD.uuid),
        ),
        [f"! iscsiadm -m session | grep -q {_FIRST.iqn}", f"lvs {VG}/{_THIRD.lv_name}"],
        f"--config {_CONFIGURATION}",
        rare=True,
    ),
)
