"""What the tests of plans share: a kernel with a device of each kind, profiles, plans, and doing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.loop import LoopDevice
from sctune.model.target import Target, TgtDaemon, TgtState
from sctune.tuning.load import catalogue, joined, override
from sctune.tuning.model import Item, Options, Plan
from sctune.tuning.plan import operations, plan
from sctune.tuning.profile import read
from sctune.unavailable import Reason, Unavailable
from tests.unit.tuned_kernel import Disk, Kernel

IQN = "iqn.2009-06.com.eucalyptus.store:store1"

if TYPE_CHECKING:
    from sctune.config.model import Config
    from sctune.tuning.operations import Operation
    from sctune.tuning.schema import Profile

GIB = 1 << 30
MIB = 1 << 20
CATALOGUE = catalogue(site_folder="/nowhere")
MINE = "/etc/sysctl.d/90-sctune-mine.conf"


def loop_device(name: str, *, direct_io: bool, read_only: bool = False) -> LoopDevice:
    return LoopDevice(
        name=name,
        number=int(name[4:]),
        backing_file=f"/srv/{name}",
        deleted=False,
        backing=Unavailable(reason=Reason.NOT_COLLECTED, what="/srv"),
        size=GIB,
        offset=0,
        sizelimit=0,
        autoclear=False,
        direct_io=direct_io,
        read_only=read_only,
        logical_block_size=512,
    )


def tgt_state(port: int) -> TgtState:
    target = Target(
        tid=7,
        iqn=IQN,
        driver="iscsi",
        state="ready",
        control_port=port,
        nexuses=(),
        luns=(),
        accounts=(),
        outgoing_accounts=(),
        acls=(),
    )
    daemon = TgtDaemon(control_port=port, state="ready", targets=(target,), portals=(), accounts=(), backing_types=())
    return TgtState(daemons=(daemon,), unanswered=(), stale=())


def profile(text: str, name: str = "mine") -> Profile:
    lines = text.replace("}\n", ", why: because, source: a book}\n")
    return read(f"summary: for tests\n{lines}".encode(), f"/p/{name}.yaml", name)


def named(name: str, *given: str) -> Profile:
    return override(joined(name, CATALOGUE), given).profile


def made(kernel: Kernel, wanted: Profile, options: Options | None = None, config: Config | None = None) -> Plan:
    return plan(kernel.inventory(config), wanted, options or Options())


def item(found: Plan, key: str, subject: str = "") -> Item:
    (one,) = (item for item in found.items if item.setting.key == key and subject in ("", item.subject))
    return one


def apply(kernel: Kernel, found: Plan) -> tuple[Operation, ...]:
    done = operations(found)
    for operation in done:
        kernel.do(operation)
    return done


def sysctl(name: str, value: str, bound: str = "") -> Profile:
    only = f", only: {bound}" if bound else ""
    return profile(f"sysctl:\n  {name}: {{value: {value}{only}}}\n")


def host_of_everything() -> Kernel:
    return Kernel(
        disks={
            "sda": Disk(scheduler="none"),
            "sdb": Disk(rotational=False),
            "nvme0n1": Disk(rotational=False, scheduler="mq-deadline", path="../devices/pci0000:00/nvme/nvme0"),
            "vda": Disk(scheduler="mq-deadline"),
            "dm-0": Disk(schedulers=(), path="../devices/virtual/block"),
            "loop0": Disk(rotational=False, scheduler="mq-deadline", path="../devices/virtual/block"),
        },
        governors={"policy0": "powersave"},
        huge_pages="never",
        files={
            "/etc/sysctl.d/90-sctune-enterprise-storage.conf": "vm.dirty_ratio = 3\n",
            "/etc/iscsi/iscsid.conf": "node.session.timeo.replacement_timeout = 33\n",
        },
    )
