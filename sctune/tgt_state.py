"""Which tgtd is meant, whether it runs, and what needs it. Pure; shared by probes and checks.

That no tgtd runs is a fault only where something needs one. A management socket that refuses connections says that a daemon
ran since boot, and not that it died: tgtd never removes it, a clean stop leaves it behind as well (tried with 1.0.85). So demand
is what counts, and systemd's word where its unit was stopped on purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.backends.choose import candidates
from sctune.chain_state import Unexported, unexported
from sctune.findings import Cause
from sctune.loop_use import users
from sctune.model.target import TgtState
from sctune.records import dataclass
from sctune.tgt_process import daemon_subject
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain, Chains
    from sctune.model.initiator import IscsiSession
    from sctune.model.loop import LoopDevice
    from sctune.model.system import Unit

UNITS = ("tgt.service", "tgtd.service")
"""Debian's name and Red Hat's."""
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound
DOWN = "TGT_DOWN"
UNRESPONSIVE = "TGT_UNRESPONSIVE"
LOST = "TGT_EXPORT_LOST"


def unit_of(inventory: Inventory) -> Unit | None:
    """tgtd's systemd unit, None where there is none."""
    units = {unit.name: unit for unit in known(inventory.units) or ()}
    return next((units[name] for name in UNITS if name in units and units[name].load in ("loaded", "masked")), None)


def unit_name(inventory: Inventory) -> str:
    """What to call tgtd's service in a command: without systemd, SysV's name of the family that has the Debian unit's."""
    unit = unit_of(inventory)
    return unit.name.removesuffix(".service") if unit is not None else "tgt"


def service(inventory: Inventory, verb: str) -> str:
    """The command that starts, restarts … tgtd's service on this host."""
    return service_command(inventory, unit_name(inventory), verb)


def service_command(inventory: Inventory, name: str, verb: str) -> str:
    """The command that does so with any service: by systemd where it runs."""
    if isinstance(inventory.units, Unavailable) and inventory.units.reason is Reason.ABSENT:
        return f"service {name} {verb}"
    return f"systemctl {verb} {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What shows that a tgtd ought to run here, from hard to soft: sessions of this host with itself that lost their target;
    volumes that stand ready to be exported; a service that systemd saw die; targets configured for a service that
    is started at boot; loop devices that are attached for nobody, where a daemon ran and nothing says it was stopped on purpose."""

    sessions: tuple[IscsiSession, ...] = ()
    volumes: tuple[Chain, ...] = ()
    died: Unit | None = None
    configured: tuple[str, ...] = ()
    idle: tuple[LoopDevice, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sessions or self.volumes or self.died or self.configured or self.idle)


def runs(inventory: Inventory) -> bool | Unavailable:
    """Whether any tgtd runs here, answering or not. Unavailable where that could not be told."""
    tgt = inventory.tgt
    processes = inventory.processes
    if not isinstance(tgt, Unavailable) and (tgt.daemons or tgt.unanswered):
        return True
    if not isinstance(processes, Unavailable) and processes.tgtd:
        return True
    # Who may not ask tgtd may not see its process either (hidepid, proc(5)).
    blind = isinstance(processes, Unavailable) or (isinstance(tgt, Unavailable) and tgt.reason is Reason.DENIED)
    if blind and isinstance(tgt, Unavailable) and tgt.reason is not Reason.ABSENT:
        return tgt
    unit = unit_of(inventory)
    if unit is not None and unit.active == "active" and unit.main_pid:
        what = f"systemd says that {unit.name} runs as process {unit.main_pid}, which is not in the process table"
        return Unavailable(reason=Reason.FAILED, what="tgtd", detail=what)
    return False


def demand(inventory: Inventory) -> Demand:
    """What needs a tgtd here. What LIO serves needs none."""
    lio = known(inventory.lio) or ()
    tgt = inventory.tgt
    chains = known(inventory.chains)
    unit = unit_of(inventory)
    # A service that failed before it made a socket never served anything.
    ran = not isinstance(tgt, Unavailable) and bool(tgt.stale)
    lost = tuple(
        session
        for session in known(inventory.sessions) or ()
        if session.local
        and session.state != "LOGGED_IN"
        and session.target not in lio
        and (_ever_here(inventory, unit) or _made_by_a_cloud(session.target))
    )
    volumes = tuple(
        chain
        for chain in (chains.chains if chains else ())
        if chain.ours and _ready(chain) and unexported(chain, tgt, inventory.processes) is Unexported.UNSERVED
    )
    configuration = known(inventory.tgt_configuration)
    at_boot = unit is not None and unit.enabled in ("enabled", "enabled-runtime")
    configured = tuple(target.iqn for target in configuration.targets) if configuration is not None and at_boot and not lio else ()
    died = unit if unit is not None and unit.active == "failed" and ran and not lio else None
    idle = _idle_loops(inventory, chains) if ran and not lio and not _stopped_on_purpose(tgt, unit) else ()
    return Demand(sessions=lost, volumes=volumes, died=died, configured=configured, idle=idle)


def _stopped_on_purpose(tgt: TgtState | Unavailable, unit: Unit | None) -> bool:
    """Whether systemd says that its daemon, the one on control port 0, was stopped and did not fail."""
    return unit is not None and unit.active == "inactive" and not isinstance(tgt, Unavailable) and tgt.stale == (0,)


def _idle_loops(inventory: Inventory, chains: Chains | None) -> tuple[LoopDevice, ...]:
    """Writable loop devices that carry no LVM and that nothing uses: what a plain file's export leaves when its daemon ends.
    () where any part that could show a use is not known."""
    loops, block, mounts = known(inventory.loops), known(inventory.block), known(inventory.mounts)
    if loops is None or block is None or mounts is None or chains is None:
        return ()

    def carries_lvm(loop: LoopDevice) -> bool:
        chain = chains.by_loop.get(loop.name)
        return chain is not None and (chain.ours or chain.lv is not None or bool(chain.pvs))

    return tuple(
        loop
        for loop in loops.devices
        if not loop.read_only
        and not loop.autoclear
        and not carries_lvm(loop)
        and not users(loop, block=block, mounts=mounts, chains=chains)
    )


def _ever_here(inventory: Inventory, unit: Unit | None) -> bool:
    """Whether tgt is or was on this host at all: another target (SCST, a container's) may have served a session."""
    return unit is not None or not isinstance(inventory.tgt, Unavailable) or known(inventory.tgt_configuration) is not None


def _made_by_a_cloud(iqn: str) -> bool:
    """Whether a cloud that serves its volumes by tgt alone named this target; Cinder may serve them by LIO as well."""
    return any(
        backend.is_target(iqn) and not backend.persists_targets for backend in candidates(configured=None, cloud=None, lvs=())
    )


def _ready(chain: Chain) -> bool:
    """Attached and active all the way up: what a volume is only while it is exported or copied."""
    return bool(chain.loops) and (chain.dm is not None or (chain.lv is not None and chain.lv.active))


def down(inventory: Inventory) -> Cause | None:
    """The finding that says that tgtd is down, where that is so: for findings it explains."""
    if runs(inventory) is not False or not demand(inventory):
        return None
    return Cause(code=DOWN, subject=daemon_subject(stale_port(inventory.tgt)))


def lost_exports(inventory: Inventory) -> tuple[Chain, ...]:
    """Volumes whose export went with a tgtd that has a successor: what TGT_EXPORT_LOST says without TGT_DOWN."""
    chains = known(inventory.chains)
    return tuple(
        chain
        for chain in (chains.chains if chains else ())
        if chain.ours
        and not chain.backend.persists_targets
        and unexported(chain, inventory.tgt, inventory.processes) is Unexported.LOST
    )


def stale_port(tgt: TgtState | Unavailable) -> int:
    """The control port of the daemon that is down: the lowest with a socket left behind."""
    return 0 if isinstance(tgt, Unavailable) else min(tgt.stale, default=0)


def hanging(tgt: TgtState | Unavailable) -> tuple[Unavailable, ...]:
    """The daemons that listen and do not answer."""
    return () if isinstance(tgt, Unavailable) else tuple(item for item in tgt.unanswered if item.reason is Reason.TIMEOUT)


def serves_portal(tgt: TgtState, session: IscsiSession) -> bool:
    """Whether one of the daemons that answer listens on a portal of the session."""
    portals = {(portal.address, portal.port) for daemon in tgt.daemons for portal in daemon.portals}
    wildcards = {port for address, port in portals if address in _WILDCARDS}
    return any(
        connection.persistent_port in wildcards or (connection.persistent_address, connection.persistent_port) in portals
        for connection in session.connections
    )


def unserved_sessions(inventory: Inventory) -> tuple[IscsiSession, ...]:
    """Sessions of this host with itself that lost a portal which none of the daemons that answer listens on: one more daemon
    has served it."""
    tgt = known(inventory.tgt) or TgtState(daemons=(), unanswered=(), stale=())
    return tuple(session for session in demand(inventory).sessions if session.connections and not serves_portal(tgt, session))


def starts_by_itself(inventory: Inventory) -> bool:
    """Whether the cloud on this host starts tgtd: Eucalyptus 3.1 does; later versions leave it to the service."""
    chains = known(inventory.chains)
    return chains is not None and any(
        backend.name.startswith("eucalyptus") and backend.era.startswith("<=") for backend in chains.backends
    )
