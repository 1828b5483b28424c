"""What this host serves by tgtd, as the collectors of targets, of LUNs and of volumes look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exporters.prometheus.chosen import chosen
from sctune.exporters.prometheus.collector import CannotCollect
from sctune.probes.tgt import FOLDER, control_ports
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.inventory import Inventory
    from sctune.model.chain import AnyLun, AnyTarget, Chains
    from sctune.model.target import Target, TgtState


def tgt_of(look: Look, samples: Samples) -> TgtState | None:
    """tgtd's answers; None where no tgtd has run since the host was booted. Raises CannotCollect where none may be asked."""
    state = look.inventory.tgt
    if isinstance(state, Unavailable):
        if state.reason is Reason.ABSENT:
            return None
        raise CannotCollect(str(state))
    samples.used(source(look))
    return state


def source(look: Look) -> str:
    """How tgtd was asked: by its management socket where that lies in the file system; before 1.0.58 (2015) it does not, and tgtadm
    is run."""
    names = look.inventory.host.list(FOLDER)
    return "tgt_socket" if not isinstance(names, Unavailable) and control_ports(names) else "tgtadm"


def answered(state: TgtState) -> None:
    """Raises CannotCollect where a daemon has not answered: to be called when all that others said is told."""
    if state.unanswered:
        raise CannotCollect(str(state.unanswered[0]))


def silent(inventory: Inventory) -> tuple[Unavailable, ...]:
    """Why what tgtd or LIO exports is not known, or not all of it; () where all answered, or none is there. The collectors of
    targets and LUNs fail by it; what else a volume is made of is told without."""
    tgt, lio = inventory.tgt, inventory.lio_state
    unseen = [lio] if isinstance(lio, Unavailable) and lio.reason not in (Reason.ABSENT, Reason.NOT_COLLECTED) else []
    if isinstance(tgt, Unavailable):
        return (*unseen, *([] if tgt.reason is Reason.ABSENT else [tgt]))
    return (*unseen, *tgt.unanswered)


def born_at(look: Look, control_port: int) -> Hashable:
    """What tells one daemon from the next on the same control port: it makes its socket anew. None where that cannot be seen."""
    found = look.inventory.host.stat(f"{FOLDER}/socket.{control_port}")
    return None if isinstance(found, Unavailable) else (found.inode, found.mtime)


def wanted_targets(look: Look, state: TgtState, collector: str, samples: Samples) -> tuple[Target, ...]:
    """The targets of which samples are wanted: by the volume that it serves, or by its IQN where it serves none or several."""
    chains = known(look.inventory.chains)

    def name(target: Target) -> str:
        return target.iqn if chains is None else chains.subject_of_target(target).id

    return chosen(state.targets, name, look.options.volumes, look.options.limit_of(collector), samples)


def volume_of(chains: Chains | None, target: AnyTarget, lun: AnyLun) -> str:
    """The volume that a LUN serves, "" where that is not known."""
    chain = chains.by_export.get((target.iqn, lun.number)) if chains is not None else None
    return chain.id if chain is not None else ""
