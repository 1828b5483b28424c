"""Cinder's LVM driver with tgt: volumes as LVs of one VG, thick or thin, and a stanza of targets.conf for each that is attached
(cinder volume/drivers/lvm.py, volume/targets/tgt.py, brick/local_dev/lvm.py).

Thick snapshots are COW snapshots as large as their origin, thin ones share its blocks; both stay for as long as users want them. A
volume is made from a snapshot by dd.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import overlay, plain, tgt

STATE = "/var/lib/cinder"
STANZAS = f"{STATE}/volumes"
PREFIX = "iqn.2010-10.org.openstack:"
CONFIGURATION = "/etc/cinder/cinder.conf"
INCLUDE = "/etc/tgt/conf.d/cinder.conf"
POOL_PERCENT = 95
"""How much of a VG the driver gives its thin pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume by its number; LV and target follow from its uuid."""

    vg: str
    number: int

    @property
    def uuid(self) -> str:
        """Its id."""
        return _uuid(self.number)

    @property
    def file(self) -> str:
        """Where its stanza lies."""
        return f"{STANZAS}/{self.lv_name}"

    @property
    def lv_name(self) -> str:
        """The LV's name."""
        return f"volume-{_uuid(self.number)}"

    @property
    def lv(self) -> str:
        """The LV's path."""
        return f"/dev/{self.vg}/{self.lv_name}"

    @property
    def snapshot(self) -> str:
        """The name of its snapshot's LV: LVM keeps names that begin with "snapshot" for itself."""
        return f"_snapshot-{_uuid(self.number + 100)}"

    @property
    def iqn(self) -> str:
        """Its target's name."""
        return f"{PREFIX}{self.lv_name}"

    def export(self) -> list[str]:
        """The stanza as the driver writes it, and the target that tgt-admin makes of it; no initiator-address."""
        who = plain.account(str(self.number))
        return [
            f"(umask 077; cat > {self.file}) <<'END'",
            f"<target {self.iqn}>",
            f"    backing-store /dev/mapper/{overlay.dm_name(self.lv)}",
            "    driver iscsi",
            f"    incominguser {who.user} {who.secret}",
            "    ",
            "    write-cache on",
            f"    scsi_sn {self.lv_name}",
            f"    scsi_id {self.lv_name}",
            "</target>",
            "END",
            *plain.load([self.iqn]),
        ]

    def detach(self) -> list[str]:
        """The initiator logs out, and the driver takes target and stanza away."""
        return [
            f"iscsiadm -m node -T {self.iqn} --logout >/dev/null; iscsiadm -m node -T {self.iqn} -o delete",
            f"tgt-admin --force --delete {self.iqn}",
            f"rm {self.file}",
        ]

    def attach(self) -> list[str]:
        """A session to it."""
        return plain.login(self.iqn, plain.account(str(self.number)))


def thick() -> list[str]:
    """Two volumes that are attached, a snapshot of each; the second's is being copied into a third volume."""
    vg = "cinder-volumes"
    first, second, third = (Volume(vg=vg, number=number) for number in (1, 2, 3))
    source = overlay.dm_name(f"/dev/{vg}/{second.snapshot}")
    return [
        *configuration(vg),
        "lvm >/dev/null <<END",
        f"vgcreate -q {vg} /dev/ram1",
        *(f"lvcreate -q -n {volume.lv_name} -L 1g -Wn {vg}" for volume in (first, second, third)),
        *(f"lvcreate -q -n {volume.snapshot} --snapshot {vg}/{volume.lv_name} -L 1g" for volume in (first, second)),
        "END",
        "udevadm settle",
        *_serve(first, second),
        *_copy(f"/dev/mapper/{source}", f"/dev/mapper/{overlay.dm_name(third.lv)}"),
    ]


def thin() -> list[str]:
    """The same in a thin pool, where a snapshot is an LV that is not activated and no copy is needed; a third volume, made from the
    snapshot, is detached."""
    vg = "cinder-volumes"
    first, second, third = (Volume(vg=vg, number=number) for number in (11, 12, 13))
    return [
        *configuration(vg),
        f"vgcreate -q {vg} /dev/ram2 >/dev/null",
        "lvm >/dev/null <<END",
        f"lvcreate -q -l {POOL_PERCENT}%FREE -T {vg}/{vg}-pool",
        *(f"lvcreate -q -T -V 1g -n {volume.lv_name} {vg}/{vg}-pool" for volume in (first, second)),
        f"lvcreate -q -n {first.snapshot} --snapshot {vg}/{first.lv_name}",
        f"lvcreate -q -n {third.lv_name} -ky -an --snapshot {vg}/{first.snapshot}",
        f"lvchange -q -ay -K {vg}/{third.lv_name}",
        "END",
        "udevadm settle",
        *_serve(first, second, third),
        *third.detach(),
    ]


def configuration(vg: str) -> list[str]:
    """cinder.conf of the install guide: one back end, and secrets of which none may be recorded or printed."""
    return [
        f"mkdir -p {STANZAS} /etc/cinder",
        f"(umask 027; cat > {CONFIGURATION}) <<'END'",
        "[DEFAULT]",
        "enabled_backends = lvm",
        f"transport_url = rabbit://openstack:{tgt.SECRET}@controller",
        f"state_path = {STATE}",
        "[database]",
        f"connection = mysql+pymysql://cinder:{tgt.SECRET}@controller/cinder",
        "[keystone_authtoken]",
        f"password = {tgt.SECRET}",
        "[lvm]",
        "volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver",
        f"volume_group = {vg}",
        "target_protocol = iscsi",
        "target_helper = tgtadm",
        "END",
        f"echo 'include {STANZAS}/*' > {INCLUDE}",
    ]


def _serve(*volumes: Volume) -> list[str]:
    return [line for volume in volumes for line in (*volume.export(), *volume.attach())]


def throttled(device: str, key: str) -> list[str]:
    """A control group whose reads (rbps) or writes (wbps) of a device are slow."""
    return [
        "echo +io > /sys/fs/cgroup/cgroup.subtree_control",
        f"mkdir -p {overlay.COPY_GROUP}",
        f'echo "$(lsblk -dnro MAJ:MIN {device}) {key}={overlay.COPY_BYTES_PER_SECOND}" > {overlay.COPY_GROUP}/io.max',
    ]


def _copy(source: str, destination: str) -> list[str]:
    """The driver's dd, running, slowed by the I/O controller (volume_copy_bps_limit does it so, too)."""
    return [
        *throttled(source, "rbps"),
        f"(echo 0 > {overlay.COPY_GROUP}/cgroup.procs; "
        f"exec dd count=1024 if={source} of={destination} bs=1M oflag=direct conv=sparse) >/dev/null 2>&1 &",
    ]


def _uuid(number: int) -> str:
    return f"{0x5F6B0000 + number * 0x2F1:08x}-9a41-4c1e-8a53-{number:012x}"
