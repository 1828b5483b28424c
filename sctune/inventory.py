"""One look at one host: each probe runs when first asked for, once, several at the same time where they wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.inventory_part import Part
from sctune.inventory_system import SystemParts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.model.applied import Applied
    from sctune.model.block import BlockDevice
    from sctune.model.chain import Chains
    from sctune.model.cinder import ApiVolumes, Cinder
    from sctune.model.cloud import Cloud, CloudOptions
    from sctune.model.cloud_log import CloudFaults, CloudLog, Spool
    from sctune.model.disk_health import DiskHealth
    from sctune.model.dm import DmDevice
    from sctune.model.guest import Guests
    from sctune.model.initiator import InitiatorConfiguration, IscsiSession, NodeRecord, TcpTransport
    from sctune.model.io import IoCounters, LunIo, ScsiCounters
    from sctune.model.lio import LioLogins, LioLunIo, LioPortal, LioState
    from sctune.model.lio_saved import LioSaved
    from sctune.model.loop import LoopState
    from sctune.model.lvm import LvmArchive, LvmReport, LvmSettings
    from sctune.model.multipath import Multipath
    from sctune.model.process import GuestDisks
    from sctune.model.raid import MdArray
    from sctune.model.store import Mount, VolumeStore
    from sctune.model.target import Backing, TgtConfiguration, TgtState
    from sctune.model.tgt_tuning import TargetParameters, TgtLoad, TgtVersion
    from sctune.unavailable import Unavailable

__all__ = ["FIRST", "Inventory", "Part"]

FIRST = ("lvm", "units", "tgt", "processes")
"""Parts that wait on something outside this process from their first moment, the longest wait first."""


class Inventory(SystemParts):
    """What is there."""

    @Part
    def block(self) -> tuple[BlockDevice, ...] | Unavailable:
        """Whole block devices, loop and device-mapper included; of a loop device's queue the scheduler alone."""
        from sctune.probes.block import with_queues

        return with_queues(self.host, self.devices)

    @Part
    def disk_ids(self) -> Mapping[str, str] | Unavailable:
        """Lasting names of disks: kernel name -> name in /dev/disk/by-id."""
        from sctune.probes.disk_ids import probe

        return probe(self.host)

    @Part
    def devices(self) -> tuple[BlockDevice, ...] | Unavailable:
        """Whole block devices without what their queues say: what LVM has to be told before it is asked."""
        from sctune.probes.block import outline

        return outline(self.host)

    @Part
    def queues(self) -> tuple[BlockDevice, ...] | Unavailable:
        """Whole block devices with all that their queues say: for tuning and metering, which loop devices are part of."""
        from sctune.probes.block import with_queues

        return with_queues(self.host, self.devices, loops=True)

    @Part
    def disk_io(self) -> tuple[IoCounters | Unavailable, ...] | Unavailable:
        """I/O counters of all devices in use. Who wants a few asks `probes.disk_io.read_io`, and again for a rate."""
        from sctune.probes.disk_io import probe

        return probe(self.host, self.devices)

    @Part
    def scsi_io(self) -> tuple[ScsiCounters | Unavailable, ...] | Unavailable:
        """Commands, errors and timeouts of the disks that came through iSCSI sessions."""
        from sctune.probes.disk_io import probe_scsi

        return probe_scsi(self.host, self.devices)

    @Part
    def loops(self) -> LoopState | Unavailable:
        """Loop devices and their bounds."""
        from sctune.probes.loop import probe

        return probe(self.host)

    @Part
    def mounts(self) -> tuple[Mount, ...] | Unavailable:
        """The mount table."""
        from sctune.probes.mounts import probe

        return probe(self.host)

    @Part
    def stores(self) -> tuple[VolumeStore, ...] | Unavailable:
        """The folders of backing files."""
        from sctune.probes.store import probe

        return probe(self.host, configured=self.config.stores, cloud=self.cloud, loops=self.loops, mounts=self.mounts)

    @Part
    def dm(self) -> tuple[DmDevice, ...] | Unavailable:
        """Device-mapper devices."""
        from sctune.probes.dm import probe

        return probe(self.host)

    @Part
    def dm_lower(self) -> frozenset[tuple[int, int]] | Unavailable:
        """Devices that device-mapper's tables name and that are gone, by (major, minor)."""
        from sctune.probes.dm_lower import probe

        return probe(self.host, dm=self.dm, block=self.devices)

    @Part
    def lvm(self) -> LvmReport | Unavailable:
        """LVM's own view, from one read-only report."""
        from sctune.probes.lvm import probe

        return probe(self.host, block=self.devices, sessions=self.sessions)

    @Part
    def lvm_settings(self) -> LvmSettings | Unavailable:
        """lvm.conf in force."""
        from sctune.probes.lvmconfig import probe

        return probe(self.host)

    @Part
    def lvm_archive(self) -> LvmArchive | Unavailable:
        """LVM's old metadata."""
        from sctune.probes.lvm_archive import probe

        return probe(self.host)

    @Part
    def lvmetad(self) -> bool | Unavailable:
        """Whether lvmetad can be reached."""
        from sctune.probes.lvmetad import probe

        return probe(self.host)

    @Part
    def tgt(self) -> TgtState | Unavailable:
        """tgtd's targets."""
        from sctune.probes.tgt import probe

        return probe(self.host)

    @Part
    def tgt_parameters(self) -> tuple[TargetParameters, ...] | Unavailable:
        """What tgtd's targets negotiate: a question a target."""
        from sctune.probes.tgt_parameters import probe

        return probe(self.host, tgt=self.tgt)

    @Part
    def tgt_defaults(self) -> tuple[TargetParameters, ...] | Unavailable:
        """What a few of each tgtd's targets negotiate: they have it from their daemon, unless somebody set it one by one."""
        from sctune.probes.tgt_parameters import probe

        return probe(self.host, tgt=self.tgt, most=4)

    @Part
    def tgt_io(self) -> tuple[LunIo | Unavailable, ...] | Unavailable:
        """What tgtd's daemons did for each session and LUN."""
        from sctune.probes.tgt_io import probe

        return probe(self.host, tgt=self.tgt)

    @Part
    def copy_io(self) -> Mapping[int, int | Unavailable] | Unavailable:
        """What each running copy has written, by its pid."""
        from sctune.probes.copy_io import probe

        return probe(self.host, processes=self.processes)

    @Part
    def tgt_version(self) -> TgtVersion | Unavailable:
        """Which tgt is installed."""
        from sctune.probes.tgt_version import probe

        return probe(self.host)

    @Part
    def tgt_load(self) -> tuple[TgtLoad, ...] | Unavailable:
        """How busy the main threads of tgtd are."""
        from sctune.probes.tgt_load import probe

        return probe(self.host, processes=self.processes)

    @Part
    def applied(self) -> Applied | Unavailable:
        """What sctune applied here, and what of it is not in force any more."""
        from sctune.probes.applied import probe

        return probe(self.host, targets=lambda: self.tgt_parameters)

    @Part
    def tgt_configuration(self) -> TgtConfiguration | Unavailable:
        """targets.conf and what it includes."""
        from sctune.probes.targets_conf import probe

        return probe(self.host)

    @Part
    def backings(self) -> tuple[Backing, ...] | Unavailable:
        """What lies at the backing paths of tgtd's LUNs."""
        from sctune.probes.backings import probe

        return probe(self.host, tgt=self.tgt, processes=lambda: self.processes)

    @Part
    def lio(self) -> tuple[str, ...] | Unavailable:
        """The targets of the kernel's own iSCSI target, LIO."""
        from sctune.probes.lio import probe

        return probe(self.host)

    @Part
    def lio_portals(self) -> tuple[LioPortal, ...] | Unavailable:
        """Where LIO listens."""
        from sctune.probes.lio import probe_portals

        return probe_portals(self.host, lio=self.lio)

    @Part
    def lio_state(self) -> LioState | Unavailable:
        """What LIO serves, to whom and from what."""
        from sctune.probes.lio_state import probe

        return probe(self.host, lio=self.lio)

    @Part
    def lio_io(self) -> tuple[LioLunIo | Unavailable, ...] | Unavailable:
        """What LIO did for each LUN."""
        from sctune.probes.lio_io import probe

        return probe(self.host, lio=self.lio_state)

    @Part
    def lio_logins(self) -> tuple[LioLogins | Unavailable, ...] | Unavailable:
        """Logins to LIO's targets, and those that were refused."""
        from sctune.probes.lio_logins import probe

        return probe(self.host, lio=self.lio)

    @Part
    def lio_saved(self) -> LioSaved | Unavailable:
        """What LIO is made of when the host boots."""
        from sctune.probes.lio_saved import probe

        return probe(self.host)

    @Part
    def sessions(self) -> tuple[IscsiSession, ...] | Unavailable:
        """Live iSCSI sessions of this host's initiator."""
        from sctune.probes.iscsi_sessions import probe

        return probe(self.host)

    @Part
    def disk_arrivals(self) -> Mapping[str, float] | Unavailable:
        """When the disks of iSCSI sessions came, on the boot clock: by kernel name."""
        from sctune.probes.disk_arrivals import probe

        return probe(self.host, sessions=self.sessions, devices=self.devices)

    @Part
    def guest_disks(self) -> tuple[GuestDisks, ...] | Unavailable:
        """Which devices guests have, where this host has iSCSI sessions."""
        from sctune.probes.guest_disks import probe

        return probe(self.host, processes=self.processes, sessions=self.sessions)

    @Part
    def initiator_configuration(self) -> InitiatorConfiguration | Unavailable:
        """iscsid.conf."""
        from sctune.probes.iscsid_conf import probe_configuration

        return probe_configuration(self.host)

    @Part
    def node_records(self) -> tuple[NodeRecord, ...] | Unavailable:
        """The initiator's node database."""
        from sctune.probes.iscsid_conf import probe_records

        return probe_records(self.host)

    @Part
    def multipath(self) -> Multipath | Unavailable:
        """multipath.conf, where a disk is under multipath."""
        from sctune.probes.multipath import probe

        return probe(self.host, dm=self.dm, block=self.devices)

    @Part
    def iscsi_transport(self) -> TcpTransport | Unavailable:
        """Whether the kernel has iscsi_tcp, or can load it."""
        from sctune.probes.iscsi_transport import probe

        return probe(self.host)

    @Part
    def disk_health(self) -> tuple[DiskHealth | Unavailable, ...] | Unavailable:
        """What the host's own disks say of their health."""
        from sctune.probes.disk_health import probe

        return probe(self.host, self.block, self.mounts)

    @Part
    def raid(self) -> tuple[MdArray, ...] | Unavailable:
        """Software RAID (md)."""
        from sctune.probes.raid import probe

        return probe(self.host, self.devices)

    @Part
    def guests(self) -> Guests | Unavailable:
        """Guests of this host and their disks."""
        from sctune.probes.guests import probe

        return probe(self.host, processes=lambda: self.processes)

    @Part
    def cloud(self) -> Cloud | Unavailable:
        """Eucalyptus' version and recorded properties."""
        from sctune.probes.cloud import probe

        return probe(self.host, properties=self.config.properties)

    @Part
    def cinder(self) -> Cinder | Unavailable:
        """Cinder's LVM driver: its configuration, and its files for tgt."""
        from sctune.probes.cinder import probe

        return probe(self.host)

    @Part
    def openstack_volumes(self) -> ApiVolumes | Unavailable:
        """What Cinder's API has, without a source where the configuration names no record of it."""
        from sctune.probes.openstack_volumes import probe

        return probe(self.host, self.config.openstack_volumes)

    @Part
    def cloud_options(self) -> CloudOptions | Unavailable:
        """What eucalyptus-cloud is started with."""
        from sctune.probes.cloud_options import probe

        return probe(self.host)

    @Part
    def buckets(self) -> int | Unavailable:
        """How many of Walrus' buckets lie here, where it may run."""
        from sctune.probes.walrus import probe

        return probe(self.host, cloud=self.cloud, processes=self.processes)

    @Part
    def cloud_log(self) -> CloudLog | Unavailable:
        """What the cloud's services logged of storage."""
        from sctune.probes.cloud_log import probe

        return probe(self.host, cloud=self.cloud, seconds=self.config.thresholds.log_seconds)

    @Part
    def node_log(self) -> CloudLog | Unavailable:
        """What the node controller logged of storage."""
        from sctune.probes.cloud_log import probe_node

        return probe_node(self.host, cloud=self.cloud, seconds=self.config.thresholds.log_seconds)

    @Part
    def cloud_faults(self) -> CloudFaults | Unavailable:
        """The faults that the cloud's components logged."""
        from sctune.probes.cloud_log import probe_faults

        return probe_faults(self.host, cloud=self.cloud, seconds=self.config.thresholds.log_seconds)

    @Part
    def spool(self) -> Spool | Unavailable:
        """Parts of snapshots on their way to or from object storage."""
        from sctune.probes.spool import probe

        return probe(self.host, cloud=self.cloud)

    @Part
    def chains(self) -> Chains | Unavailable:
        """Every volume's chain."""
        from sctune.chain import join

        return join(self)
