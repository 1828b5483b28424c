"""Volumes of Cinder that are open, wiped for long, or not what the API has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.check import Look, Result
from sctune.checks import cinder_volumes
from sctune.config.model import Config, Thresholds
from sctune.host.base import Clock, Process
from sctune.model.cinder import ApiVolume, ApiVolumes, Cinder, CinderBackend
from sctune.model.lio import LioBackstore, LioLun, LioState, LioTarget
from sctune.model.process import Copy, CopyTool
from sctune.probes.openstack_volumes import parse, probe
from sctune.records import replace
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit import storage_hosts, tgt_hosts
from tests.unit.chain_hosts import ABSENT, NOBODY, device, inventory, lv, report, snapshot

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.target import Target

OPEN, WIPE, API = cinder_volumes.CHECKS
A, B = (f"2f0d5f0e-6a55-4a3b-9a0e-0c8f3f4b1a2{digit}" for digit in "ab")
VG = "cinder-volumes"
FILE = "/etc/sctune/openstack-volumes.json"
# As the client prints it (two volumes, one attached), names and ids of the site replaced.
LISTED = json.dumps(
    [
        {
            "ID": A,
            "Name": "db-disk",
            "Status": "in-use",
            "Size": 1,
            "Attached to": [{"id": A, "volume_id": A, "server_id": "y", "host_name": "node1", "device": "/dev/vdb"}],
        },
        {"ID": B, "Name": "", "Status": "available", "Size": 1, "Attached to": []},
    ]
)


def served(volume: str, **facts: Any) -> Target:
    disk = tgt_hosts.lun(backing_path=f"/dev/{VG}/volume-{volume}")
    return tgt_hosts.target(tgt_hosts.lun(0), disk, iqn=f"iqn.2010-10.org.openstack:volume-{volume}", **facts)


def host(*, opened: tuple[str, ...] = (A,), targets: tuple[Target, ...] | None = None, **parts: Any) -> Inventory:
    """A is attached and so is open; B is not."""
    lvs = tuple(
        lv(VG, f"volume-{name}", number, open=name in opened, created=1000.0) for number, name in enumerate((A, B), start=1)
    )
    made: dict[str, Any] = {
        "lvm": report(*lvs),
        "dm": tuple(device(one) for one in lvs),
        "devices": (),
        "processes": NOBODY,
        "lio": ABSENT,
        "cinder": ABSENT,
    }
    attached = (served(A, nexuses=(tgt_hosts.nexus(),)),) if targets is None else targets
    return inventory(*attached, **(made | parts))


def run(check: Any, made: Inventory, config: Config | None = None) -> Result:
    result = check.run(Look(inventory=made, config=config or Config()))
    assert isinstance(result, Result)
    return result


def said(result: Result) -> list[tuple[str, str, str]]:
    return [(one.code, one.severity.value, one.subject.id) for one in result.findings]


def lios(volume: str) -> LioState:
    """LIO with a target for one of the two."""
    iqn = f"iqn.2010-10.org.openstack:volume-{volume}"
    number = (A, B).index(volume) + 1
    store = LioBackstore(
        plugin="iblock", hba=0, name=iqn, enabled=True, path=f"/dev/{VG}/volume-{volume}", device=lv(VG, "v", number).device
    )
    return LioState(
        targets=(
            LioTarget(
                iqn=iqn,
                tag=1,
                enabled=True,
                authentication=True,
                generate_acls=False,
                demo_write_protect=True,
                account="",
                portals=(),
                luns=(LioLun(number=0, backstore=store),),
                acls=(),
            ),
        ),
        backstores=(store,),
    )


def nvmet() -> Cinder:
    backend = CinderBackend(
        section="lvm", volume_group=VG, lvm_type="", lvm_conf_file="", target_helper="nvmet", target_prefix="", volumes_dir=""
    )
    return Cinder(files=(), unread=(), backends=(backend,), folders=())


def test_an_open_lv() -> None:
    assert said(run(OPEN, host())) == []
    assert said(run(OPEN, host(opened=(A, B)))) == [("CINDER_VOLUME_OPEN", "info", B)]


def test_an_lv_that_is_open_for_somebody() -> None:
    copied = replace(NOBODY, copies=(dd("/dev/zero", f"/dev/{VG}/volume-{B}", 0.0),))
    assert said(run(OPEN, host(opened=(A, B), processes=copied))) == []
    block = storage_hosts.block("dm-2", holders=("dm-7",))
    assert said(run(OPEN, host(opened=(A, B), devices=(block,)))) == []
    assert said(run(OPEN, host(opened=(A, B), lio_state=lios(B)))) == []
    # A storage object that no target serves: CINDER_TARGET_DRIFT.
    assert said(run(OPEN, host(opened=(A, B), lio_state=replace(lios(B), targets=())))) == []
    assert said(run(OPEN, host(opened=(A, B), lio_state=LioState(targets=(), backstores=())))) == [
        ("CINDER_VOLUME_OPEN", "info", B)
    ]
    blind = Unavailable(reason=Reason.DENIED, what="/sys/kernel/config/target/core")
    assert [gap.what for gap in run(OPEN, host(opened=(A, B), lio_state=blind)).unexamined] == [blind.what]
    assert run(OPEN, host(opened=(A, B), cinder=nvmet())).not_applicable
    hung = run(OPEN, host(opened=(A, B), targets=(), tgt=tgt_hosts.state(unanswered=(tgt_hosts.HUNG,))))
    assert (said(hung), [gap.reason for gap in hung.unexamined]) == ([], [Reason.TIMEOUT])
    assert run(OPEN, inventory(cinder=ABSENT)).not_applicable


def dd(source: str, destination: str, started: float) -> Copy:
    argv = ("dd", f"if={source}", f"of={destination}", "bs=1M")
    process = replace(tgt_hosts.process("dd", 900), argv=argv, started=started)
    assert isinstance(process, Process)
    return Copy(process=process, tool=CopyTool.DD, source=source, destination=destination)


def wiping(*copies: Copy) -> Inventory:
    kept = snapshot(VG, f"_snapshot-{B}", 9, f"volume-{A}")
    origin = lv(VG, f"volume-{A}", 1)
    made = host(processes=replace(NOBODY, copies=copies), lvm=report(origin, kept, lv(VG, f"volume-{B}", 2)))
    made.host.clock = lambda: Clock(now=1e9, boot=10_000.0)  # type: ignore[method-assign]
    return made


def test_a_wipe_of_an_hour() -> None:
    path = f"/dev/mapper/cinder--volumes-volume--{B.replace('-', '--')}"
    assert said(run(WIPE, wiping(dd("/dev/zero", path, 7000.0)))) == []
    long = wiping(dd("/dev/zero", path, 6000.0), dd("/dev/zero", f"/dev/{VG}/volume-{A}", 9000.0))
    result = run(WIPE, long)
    assert said(result) == [("CINDER_WIPE_SLOW", "info", B)]
    assert "one of 2 at a time" in result.findings[0].summary
    assert said(run(WIPE, long, Config(wanted=frozenset({"CINDER_WIPE_SLOW"})))) == [("CINDER_WIPE_SLOW", "warning", B)]
    assert len(said(run(WIPE, long, Config(thresholds=Thresholds(wipe_seconds=60))))) == 2


def test_what_is_copied_is_not_wiped_and_a_cow_store_is() -> None:
    cow = f"/dev/mapper/cinder--volumes-_snapshot--{B.replace('-', '--')}-cow"
    assert said(run(WIPE, wiping(dd(f"/dev/{VG}/volume-{A}", f"/dev/{VG}/volume-{B}", 0.0)))) == []
    assert said(run(WIPE, wiping(dd("/dev/zero", "/dev/sdx", 0.0)))) == []
    (found,) = run(WIPE, wiping(dd("/dev/zero", cow, 0.0))).findings
    assert (found.subject.kind.value, found.subject.id) == ("snapshot", B)


def compared(text: str = LISTED, *, recorded: float = 2000.0, **parts: Any) -> Result:
    volumes = parse(text)
    assert volumes is not None
    listed = ApiVolumes(source=FILE, recorded=recorded, volumes=volumes)
    return run(API, host(openstack_volumes=listed, **parts), Config(openstack_volumes=FILE))


def test_the_api_and_the_host_agree() -> None:
    assert said(compared()) == []
    assert run(API, host()).not_applicable
    assert probe(FakeHost(), None) == ApiVolumes(source="", recorded=0.0, volumes=())


def test_an_lv_that_the_api_does_not_have() -> None:
    alone = json.dumps(json.loads(LISTED)[:1])
    assert said(compared(alone)) == [("CINDER_API_DRIFT", "warning", B)]
    # One that was made after the list was recorded cannot be in it.
    assert said(compared(alone, recorded=900.0)) == []


def test_in_use_without_a_session() -> None:
    assert said(compared(targets=(served(A),))) == [("CINDER_API_DRIFT", "info", A)]
    assert said(compared(targets=(served(A),), cinder=nvmet())) == []


def test_a_list_that_is_none() -> None:
    for text in ("", "{}", "[1]", '[{"ID": 1, "Status": "x"}]', "[" * 100_000, "ID,Status"):
        assert parse(text) is None
        answer = probe(FakeHost(files={FILE: text}), FILE)
        assert isinstance(answer, Unavailable)
    missing = probe(FakeHost(), FILE)
    assert isinstance(missing, Unavailable)
    assert missing.reason is Reason.FAILED
    with pytest.raises(CannotLook):
        API.run(Look(inventory=host(openstack_volumes=missing), config=Config(openstack_volumes=FILE)))


@given(st.lists(st.tuples(st.uuids(), st.sampled_from(["in-use", "available", "error_deleting"]))))
def test_every_row_is_a_volume(rows: list[tuple[object, str]]) -> None:
    text = json.dumps([{"ID": str(id), "Status": status, "Size": 1} for id, status in rows])
    assert parse(text) == tuple(ApiVolume(id=str(id), status=status) for id, status in rows)
