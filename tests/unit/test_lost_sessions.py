"""A session of this host with itself whose target went with a restart of tgtd: the lost export is the cause."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.checks import initiator, tgt_exports
from sctune.findings import Cause
from tests.unit.iscsi_hosts import IQN, connection, disk, session
from tests.unit.serving_hosts import GIB, chain, chains, loop, lv
from tests.unit.storage_hosts import dm
from tests.unit.tgt_hosts import DENIED, HUNG, daemon, only, process, processes, run, state, target

if TYPE_CHECKING:
    from sctune.model.chain import Chain

SESSIONS = next(check for check in initiator.CHECKS if check.name == "iscsi-sessions")
LOST = tgt_exports.CHECKS[0]
WITH_ISCSID = replace(processes(process()), iscsid=(process("iscsid", 90),))


def volume(name: str, gib: int = 1, *, activated: float = 400.0) -> Chain:
    """Attached and active, and exported by nobody; tgtd started 500 s after the boot."""
    return chain(name, loops=(loop(1, gib * GIB),), lv=lv(f"euca-{name}", gib * GIB), dm=dm(activated=activated))


def cause(*volumes: Chain, **parts: Any) -> Cause | None:
    failed = session(connection(local=True, persistent_address="127.0.0.1"), state="FAILED")
    given = {"sessions": (failed,), "tgt": state(daemon()), "processes": WITH_ISCSID, "block": (disk(),)}
    return only(run(SESSIONS, **(given | {"chains": chains(*volumes)} | parts))).caused_by


def test_the_lost_export_explains_it() -> None:
    lost = only(run(LOST, tgt=state(daemon()), chains=chains(volume("vol-00000001"))))
    assert cause(volume("vol-00000001")) == Cause(code=lost.code, subject=lost.subject)


def test_of_several_the_one_of_the_disks_size_is_named() -> None:
    found = cause(volume("vol-00000001", 5), volume("vol-00000002"), volume("vol-00000003"))
    assert found is not None
    assert found.subject.id == "vol-00000002"
    other = cause(volume("vol-00000001", 5), volume("vol-00000002", 7))
    assert other is not None
    assert other.subject.id == "vol-00000001"


@pytest.mark.parametrize(
    "parts",
    [
        {"chains": chains(volume("vol-00000001", activated=600.0))},
        {"tgt": state(daemon(target(iqn=IQN)))},
        {"tgt": state(daemon(), unanswered=(HUNG,))},
        {"tgt": DENIED},
        {"lio": (IQN,)},
        {"sessions": (session(state="FAILED"),)},
    ],
    ids=["younger than tgtd", "served again", "another tgtd hangs", "not to be asked", "LIO's", "another host's"],
)
def test_where_it_explains_nothing(parts: dict[str, Any]) -> None:
    assert cause(volume("vol-00000001"), **parts) is None
