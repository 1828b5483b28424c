"""One storage host in the test machine, built with the real tools as Eucalyptus 4.4 builds it.

A volume's chain is: sparse file, loop device, PV, VG, LV (OverlayManager.java), tgt target with LUN 1, a CHAP account and ACL ALL
(TGTWrapper.java), and a session of the same machine's open-iscsi, which stands for a node controller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .machine import Machine

STORE = "/var/lib/eucalyptus/volumes"
PORTAL = "127.0.0.1:3260"
INITIATOR = "iqn.1993-08.org.debian:01:5ca1ab1e"
ACCOUNT = "eucalyptus"
# A test value; nothing that is recorded or printed by the doctor may hold it.
SECRET = "vmLabSecret01234"
GIB = 1 << 30
# OverlayManager.java LVM_HEADER_LENGTH: room for the PV's label and metadata, so that the LV is N GiB exactly.
LVM_HEADER_BYTES = 4 << 20
COPY_BYTES_PER_SECOND = 2 << 20
COPY_GROUP = "/sys/fs/cgroup/copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume as the cloud names it. *number* is that of its target (tid and the N of storeN), *gib* its logical size in GiB."""

    name: str
    number: int
    gib: int = 1

    @property
    def file(self) -> str:
        """The backing file."""
        return f"{STORE}/{self.name}"

    @property
    def file_bytes(self) -> int:
        """Apparent size of the backing file."""
        return self.gib * GIB + LVM_HEADER_BYTES

    @property
    def vg(self) -> str:
        """Its volume group, Eucalyptus 3.3 and later."""
        return f"euca-ebs-storage-vg-{self.name}"

    @property
    def lv(self) -> str:
        """Path of its logical volume."""
        return f"/dev/{self.vg}/euca-{self.name}"

    @property
    def iqn(self) -> str:
        """Its target's name."""
        return f"iqn.2009-06.com.eucalyptus.lab:store{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot being made: a COW snapshot in the volume's VG whose store lies in a file of half the volume's size."""

    name: str
    origin: Volume
    suffix: str = "MsmGAIzx"

    @property
    def cow_file(self) -> str:
        """The file under the COW store: the volume's name and eight random characters (Crypto.getRandom(6))."""
        return f"{STORE}/{self.origin.name}{self.suffix}"

    @property
    def lv(self) -> str:
        """Path of the snapshot's logical volume."""
        return f"/dev/{self.origin.vg}/euca-{self.name}"

    @property
    def file(self) -> str:
        """The file it is copied to."""
        return f"{STORE}/{self.name}"


VOLUME = Volume(name="vol-391D44BE", number=1)
OTHER = Volume(name="vol-A110E8ED", number=2, gib=2)
SNAPSHOT = Snapshot(name="snap-57C3C3E8", origin=VOLUME)


class Storage:
    """Builds and takes down chains. Every method sends one batch and raises CommandFailed where a tool refuses."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def _do(self, *lines: str, timeout: float = 90.0) -> str:
        return self.machine.check("set -e\n" + "\n".join(lines), timeout=timeout)

    def wait_until(self, condition: str, seconds: float) -> None:
        """Ask a shell condition every quarter of a second until it holds; CommandTimeout if it does not in *seconds*."""
        self.machine.check(f"until {condition}; do sleep 0.25; done", timeout=seconds)

    def attach_file(self, file: str, size: str) -> str:
        """Make a sparse *file* (*size* as truncate(1) takes it) and return the loop device it is attached to."""
        return self._do(f"truncate -s {size} {file}", f"losetup -f --show {file}").strip()

    def start(self) -> None:
        """Kernel modules, udevd, tgtd and iscsid, and the files that say which Eucalyptus this is."""
        self._do(
            f"mkdir -p /etc/eucalyptus {STORE}",
            "echo 4.4.2 > /etc/eucalyptus/eucalyptus-version",
            f"echo InitiatorName={INITIATOR} > /etc/iscsi/initiatorname.iscsi",
            # What the host itself once talked to or backed up is no business of the machine.
            "rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets /var/lib/iscsi/nodes /etc/lvm/backup /etc/lvm/archive",
            "modprobe -a loop dm_mod dm_snapshot dm_thin_pool iscsi_tcp sd_mod",
            "/lib/systemd/systemd-udevd --daemon",
            "udevadm trigger --action=add --subsystem-match=block",
            "udevadm settle",
            "iscsid",
        )
        self.start_tgtd()

    def start_tgtd(self) -> None:
        """A new tgtd that knows the account and nothing else: targets made by bare tgtadm do not outlive their daemon."""
        self._do(
            "tgtd",
            "until tgtadm --mode sys --op show >/dev/null 2>&1; do sleep 0.1; done",
            f"tgtadm --lld iscsi --op new --mode account --user {ACCOUNT} --password {SECRET}",
        )

    def create(self, volume: Volume) -> None:
        """File, loop device, PV, VG and LV (createVolume, and what an attachment makes active again)."""
        mib = volume.file_bytes >> 20
        self._do(
            f"dd if=/dev/zero of={volume.file} count=1 bs=1M seek={mib - 1} status=none",
            "loop=$(losetup -f)",
            f"losetup $loop {volume.file}",
            "pvcreate -q $loop",
            f"vgcreate -q {volume.vg} $loop",
            f"lvcreate -q --addtag {volume.name} -n euca-{volume.name} -l 100%FREE --wipesignatures y --yes {volume.vg}",
        )

    def export(self, volume: Volume) -> None:
        """Target, LUN 1, account and ACL, in Eucalyptus' order."""
        tgtadm = f"tgtadm --lld iscsi --tid {volume.number}"
        self._do(
            f"{tgtadm} --op new --mode target -T {volume.iqn}",
            f"{tgtadm} --op new --mode logicalunit --lun 1 -b {volume.lv}",
            f"{tgtadm} --op bind --mode account --user {ACCOUNT}",
            f"{tgtadm} --op bind --mode target -I ALL",
        )

    def login(self, volume: Volume) -> None:
        """Node record with CHAP, and a session."""
        node = f"iscsiadm -m node -T {volume.iqn} -p {PORTAL}"
        settings = {"authmethod": "CHAP", "username": ACCOUNT, "password": SECRET}
        self._do(
            # "-o new" leaves the records of sessions that exist alone: a plain discovery takes their CHAP settings away
            f"iscsiadm -m discovery -t sendtargets -p {PORTAL} -o new",
            *(f"{node} -o update -n node.session.auth.{name} -v {value}" for name, value in settings.items()),
            f"{node} --login",
            "udevadm settle",
        )

    def attach(self, volume: Volume) -> None:
        """The whole chain of one volume."""
        self.create(volume)
        self.export(volume)
        self.login(volume)

    def detach(self, volume: Volume) -> None:
        """Take the whole chain down, also when parts of it are missing or the file is deleted already."""
        node = f"iscsiadm -m node -T {volume.iqn} -p {PORTAL}"
        target = f"tgtadm --lld iscsi --tid {volume.number} --op delete --mode target --force"
        self.machine.run(f"{node} --logout; {node} -o delete; {target}")
        self._do(
            f"vgchange -q -an {volume.vg} || dmsetup remove {dm_name(volume.lv)} || true",
            # losetup -j looks the file up by its inode, which a deleted file no longer offers
            f"for file in /sys/block/loop*/loop/backing_file; do if grep -qx '{volume.file}\\( (deleted)\\)\\?' $file; then",
            "loop=${file#/sys/block/}; losetup -d /dev/${loop%%/*}; fi; done",
            f"rm -f {volume.file}",
            "udevadm settle",
        )

    def snapshot(self, snapshot: Snapshot, *, extents: str = "-l 100%FREE") -> None:
        """COW file of half the volume's size, loop, PV, and the COW snapshot (createSnapshot).

        :param extents: how large lvcreate makes the COW store.
        """
        size = snapshot.origin.gib * GIB // 2
        self._do(
            f"truncate -s {size} {snapshot.cow_file}",
            "loop=$(losetup -f)",
            f"losetup $loop {snapshot.cow_file}",
            "pvcreate -q $loop",
            f"vgextend -q {snapshot.origin.vg} $loop",
            f"lvcreate -q -n euca-{snapshot.name} -s {extents} {snapshot.origin.lv}",
            "udevadm settle",
        )

    def start_copy(self, snapshot: Snapshot) -> int:
        """Start the copy to the snapshot's file, slowed to 2 MiB/s by the I/O controller, and return dd's process id."""
        # The block layer slows a running dd; stopping it by a signal would leave it in a state no real copy is in.
        return int(
            self._do(
                "echo +io > /sys/fs/cgroup/cgroup.subtree_control",
                f"mkdir -p {COPY_GROUP}",
                f'echo "$(lsblk -dnro MAJ:MIN {snapshot.lv}) rbps={COPY_BYTES_PER_SECOND}" > {COPY_GROUP}/io.max',
                f"(echo 0 > {COPY_GROUP}/cgroup.procs; exec dd if={snapshot.lv} of={snapshot.file} bs=1M) >/dev/null 2>&1 &",
                "echo $!",
            )
        )

    def stop_copy(self, snapshot: Snapshot) -> None:
        """End the copy and delete the incomplete file."""
        self._do(
            f"echo 1 > {COPY_GROUP}/cgroup.kill",
            f"while grep -q 'populated 1' {COPY_GROUP}/cgroup.events; do sleep 0.1; done",
            f"rmdir {COPY_GROUP}; rm -f {snapshot.file}",
        )

    def remove_snapshot(self, snapshot: Snapshot) -> None:
        """What Eucalyptus does after the copy: lvremove, vgreduce, pvremove, losetup -d, rm."""
        self._do(
            f"loop=$(losetup -nO NAME -j {snapshot.cow_file})",
            f"lvremove -q -f {snapshot.lv}",
            f"vgreduce -q {snapshot.origin.vg} $loop",
            "pvremove -q $loop",
            f"losetup -d $loop; rm -f {snapshot.cow_file}",
            "udevadm settle",
        )


def dm_name(lv: str) -> str:
    """The device-mapper name of ``/dev/VG/LV``: hyphens within either part are doubled (lvm(8))."""
    _, _, vg, name = lv.split("/")
    return f"{vg.replace('-', '--')}-{name.replace('-', '--')}"
