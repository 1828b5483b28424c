"""The inventory of a scrape: what may be asked while somebody waits, and nothing that starts a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sctune.exporters.prometheus.kept_lvm import KeptLvm
from sctune.host.base import Source
from sctune.inventory import Inventory, Part
from sctune.probes.backings import probe as probe_backings
from sctune.probes.block import outline
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.config.model import Config
    from sctune.host.base import Host
    from sctune.host.resident import Residents
    from sctune.host.scraped import Kept
    from sctune.model.block import BlockDevice
    from sctune.model.lvm import LvmReport
    from sctune.model.store import Mount
    from sctune.model.target import Backing

NOT_ASKED = frozenset(
    {
        "units",  # systemctl
        "kernel_log",
        "cloud_log",
        "node_log",
        "cloud_faults",
        "spool",
        "buckets",
        "disk_health",  # smartctl
        "io_waiting",  # looks twice, a second apart
        "tgt_parameters",  # a question for each target
        "tgt_defaults",
        "tgt_version",  # the package manager
        "lvm_settings",  # lvmconfig
        "lvm_archive",
        "multipath",  # multipathd
        "node_records",  # a file for each target that was ever discovered
    }
)
"""Parts that take a tool, or long, or say nothing that changes from one scrape to the next."""
BUDGET = 4.0
"""Seconds that all answers of one look may take, however many things hang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LvmAge:
    """When LVM's report of a look was asked for (seconds since the epoch), and whether something has changed since."""

    read_at: float
    stale: bool


class LookInventory(Inventory):
    """One scrape's look: LVM's report is the kept one, and what takes a tool, or long, is not collected."""

    def __init__(self, host: Host, config: Config, lvm: KeptLvm) -> None:
        super().__init__(host, config)
        self._lvm = lvm
        self.lvm_age: LvmAge | None = None

    @Part
    def mounts(self) -> tuple[Mount, ...] | Unavailable:
        """The host's mount table, and not the one that a service manager made for us."""
        from sctune.probes.mounts import probe_host

        return probe_host(self.host)

    @Part
    def devices(self) -> tuple[BlockDevice, ...] | Unavailable:
        """Whole block devices; the sizes of attached loop devices are those that were read with them, and not read once more."""
        loops = known(self.loops)
        return outline(self.host, sizes={loop.name: loop.size for loop in loops.devices} if loops is not None else {})

    @Part
    def backings(self) -> tuple[Backing, ...] | Unavailable:
        """What lies at the backing paths of tgtd's LUNs; the sizes of loop devices as above."""
        loops = known(self.loops)
        sizes = {loop.device: loop.size for loop in loops.devices} if loops is not None else {}
        return probe_backings(self.host, tgt=self.tgt, processes=lambda: self.processes, sizes=sizes)

    @Part
    def lvm(self) -> LvmReport | Unavailable:
        """LVM's own view, as it was when something last changed."""
        kept = self._lvm.report(self)
        if not isinstance(kept.report, Unavailable):
            self.lvm_age = LvmAge(read_at=kept.read_at, stale=kept.stale)
        return kept.report


def _left_out(name: str) -> Part[Any]:
    def fetch(_: Inventory) -> Unavailable:
        return Unavailable(reason=Reason.NOT_COLLECTED, what=name, detail="not asked in a scrape")

    fetch.__name__ = name
    return Part(fetch)


for _name in NOT_ASKED:
    setattr(LookInventory, _name, _left_out(_name))


def lvm_age(inventory: Inventory) -> LvmAge | None:
    """The age of LVM's report in this look; None where LVM was asked for it, or did not answer."""
    _ = inventory.lvm
    return inventory.lvm_age if isinstance(inventory, LookInventory) else None


class Looks:
    """Makes one look after another at one host. Of a recorded one, and of a file tree, all are the same. `first_wait` is for how
    many seconds LVM's first report is waited for, where it is not as a scrape would."""

    def __init__(self, host: Host, config: Config, *, first_wait: float | None = None) -> None:
        self._host = host
        self._config = config
        self._residents = _residents(host)
        self._lvm = KeptLvm(self._asking, first_wait=first_wait)
        self._queues: dict[str, Kept] = {}

    def look(self) -> Inventory:
        """A new look."""
        if self._residents is None:
            return Inventory(self._host, self._config)
        from sctune.host.scraped import ScrapedHost

        host = ScrapedHost(children=self._residents, budget=BUDGET, queues=self._queues)
        return LookInventory(host, self._config, self._lvm)

    def _asking(self) -> Inventory:
        """A look that may run LVM."""
        from sctune.host.live import LiveHost

        return Inventory(LiveHost(children=self._residents), self._config)


def _residents(host: Host) -> Residents | None:
    """Children that stay, of a live host's own nursery."""
    if host.source is not Source.LIVE:
        return None
    from sctune.host.children import Nursery
    from sctune.host.live import LiveHost
    from sctune.host.resident import Residents

    if isinstance(host, LiveHost) and isinstance(host.children, Nursery):
        return Residents(host.children)
    return None
