"""The parts of an inventory that tell of the host as a whole: its processes and units, network, kernel log, and how it is tuned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.inventory_part import Fetched, Part

if TYPE_CHECKING:
    from sctune.model.kernel_log import KernelLog
    from sctune.model.network import Network
    from sctune.model.process import Processes
    from sctune.model.sysctl import SysctlState
    from sctune.model.system import CpuGovernors, HugePages, IoWaiting, Memory, Pressure, TcpSockets, Tuned, Unit, Writeback
    from sctune.model.tuned import TunedProfile
    from sctune.unavailable import Unavailable


class SystemParts(Fetched):
    """What is the same on every Linux host."""

    @Part
    def tcp(self) -> TcpSockets | Unavailable:
        """TCP sockets: asked only where somebody else may have a portal, or an initiator is logged in."""
        from sctune.probes.tcp import probe

        return probe(self.host)

    @Part
    def addresses(self) -> tuple[str, ...] | Unavailable:
        """This host's own IP addresses."""
        from sctune.probes.addresses import probe

        return probe(self.host)

    @Part
    def network(self) -> Network | Unavailable:
        """Network interfaces and routes."""
        from sctune.probes.network import probe

        return probe(self.host)

    @Part
    def kernel_log(self) -> KernelLog | Unavailable:
        """What the kernel's log says of storage since boot."""
        from sctune.probes.kernel_log import probe

        return probe(self.host)

    @Part
    def writeback(self) -> Writeback | Unavailable:
        """vm.dirty_*."""
        from sctune.probes.writeback import probe

        return probe(self.host)

    @Part
    def memory(self) -> Memory | Unavailable:
        """/proc/meminfo."""
        from sctune.probes.memory import probe_memory

        return probe_memory(self.host)

    @Part
    def pressure(self) -> Pressure | Unavailable:
        """/proc/pressure: how long work stood still for want of disks or memory."""
        from sctune.probes.pressure import probe

        return probe(self.host)

    @Part
    def io_waiting(self) -> IoWaiting | Unavailable:
        """Who waits for disks now: takes a second and a half where the kernel says that anybody does."""
        from sctune.probes.io_waiting import probe

        return probe(self.host, pressure=self.pressure, level=self.config.thresholds.io_pressure.warning)

    @Part
    def sysctl(self) -> SysctlState | Unavailable:
        """The kernel settings that matter, in their files and in force."""
        from sctune.probes.sysctl import probe

        return probe(self.host)

    @Part
    def huge_pages(self) -> HugePages | Unavailable:
        """Transparent huge pages."""
        from sctune.probes.memory import probe_huge_pages

        return probe_huge_pages(self.host)

    @Part
    def governors(self) -> CpuGovernors | Unavailable:
        """CPU frequency governors."""
        from sctune.probes.governor import probe

        return probe(self.host)

    @Part
    def processes(self) -> Processes | Unavailable:
        """The processes that matter."""
        from sctune.probes.processes import probe

        return probe(self.host)

    @Part
    def units(self) -> tuple[Unit, ...] | Unavailable:
        """systemd's units of the storage services."""
        from sctune.probes.units import probe

        return probe(self.host)

    @Part
    def tuned(self) -> Tuned | Unavailable:
        """tuned's active profile."""
        from sctune.probes.tuned import probe

        return probe(self.host, processes=self.processes)

    @Part
    def tuned_profile(self) -> TunedProfile | Unavailable:
        """What tuned's active profile sets."""
        from sctune.probes.tuned_profile import probe

        return probe(self.host, tuned=self.tuned)
