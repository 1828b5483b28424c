"""LVs of Cinder, its files for tgt and tgtd's targets against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sctune.check import Look, Result
from sctune.checks import cinder_targets, target_drift
from sctune.config.model import Config
from sctune.model.cinder import Cinder, TargetFolder
from sctune.model.target import TgtConfiguration
from sctune.probes.cinder import STATE, target_file
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable
from tests.unit import tgt_hosts
from tests.unit.chain_hosts import ABSENT, device, inventory, lv, report

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.target import Target

(CHECK,) = cinder_targets.CHECKS
(CONFIG_DRIFT,) = target_drift.CHECKS
A, B = (f"2f0d5f0e-6a55-4a3b-9a0e-0c8f3f4b1a2{digit}" for digit in "ab")
VG = "cinder-volumes"
FOLDER = f"{STATE}/volumes"
DENIED = Unavailable(reason=Reason.DENIED, what=FOLDER)


def iqn(volume: str) -> str:
    return f"iqn.2010-10.org.openstack:volume-{volume}"


def stanza(volume: str, scsi_id: str = "") -> str:
    name = scsi_id or f"volume-{volume}"
    return (
        f"<target {iqn(volume)}>\n backing-store /dev/{VG}/volume-{volume}\n driver iscsi\n incominguser u s\n write-cache on\n"
        f" scsi_sn {name}\n scsi_id {name}\n</target>\n"
    )


def served(volume: str, **facts: Any) -> Target:
    disk = tgt_hosts.lun(backing_path=f"/dev/{VG}/volume-{volume}")
    return tgt_hosts.target(tgt_hosts.lun(0), disk, iqn=iqn(volume), acls=("ALL",), accounts=("u",), **facts)


def host(
    *,
    lvs: tuple[str, ...] = (A, B),
    files: dict[str, str] | None = None,
    targets: tuple[str, ...] = (A,),
    included: bool = True,
    **parts: Any,
) -> Inventory:
    """A is attached, B is not: that is how it is meant to be."""
    texts = {f"{FOLDER}/volume-{A}": stanza(A)} if files is None else files
    made = tuple(target_file(path, text) for path, text in texts.items())
    read = tuple(file.path for file in made) if included else ()
    everything: dict[str, Any] = {
        "cinder": Cinder(files=(), unread=(), backends=(), folders=(TargetFolder(path=FOLDER, files=made),)),
        "tgt_configuration": TgtConfiguration(
            files=("/etc/tgt/targets.conf", *read),
            unread=(),
            targets=tuple(target for file in made for target in file.targets) if included else (),
        ),
        "lvm": report(*(lv(VG, f"volume-{name}", number) for number, name in enumerate(lvs))),
        "dm": tuple(device(lv(VG, f"volume-{name}", number)) for number, name in enumerate(lvs)),
        "tgt": tgt_hosts.state(tgt_hosts.daemon(*(served(name) for name in targets))),
        "processes": tgt_hosts.processes(tgt_hosts.process()),
        "units": (),
        "lio": ABSENT,
    }
    return inventory(**(everything | parts))


def run(made: Inventory) -> Result:
    result = CHECK.run(Look(inventory=made, config=Config()))
    assert isinstance(result, Result), result
    return result


def said(made: Inventory) -> list[tuple[str, str, str]]:
    found = run(made).findings
    assert {one.code for one in found} <= {"CINDER_TARGET_DRIFT"}
    return [(one.subject.kind.value, one.subject.id, one.summary.removeprefix(f"{one.subject.id}: ")) for one in found]


def test_as_cinder_left_it() -> None:
    result = run(host())
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_a_file_alone() -> None:
    path = f"{FOLDER}/volume-{B}"
    both = {f"{FOLDER}/volume-{A}": stanza(A), path: stanza(B)}
    assert said(host(files=both)) == [("volume", B, f"{path} is there, and tgtd serves no such target")]
    assert said(host(files=both, lvs=(A,))) == [("volume", B, f"{path} is there, and no LV volume-{B}")]
    (found,) = run(host(files=both, lvs=(A,))).findings
    assert f"rm {path}    # if not" in found.remedy.commands


def test_a_target_alone() -> None:
    assert said(host(targets=(A, B))) == [("volume", B, "tgtd serves it, and no file configures it")]


def test_a_file_that_targets_conf_has_from_elsewhere_counts() -> None:
    elsewhere = target_file(f"/srv/cinder/volume-{B}", stanza(B))
    configuration = TgtConfiguration(
        files=("/etc/tgt/targets.conf", f"{FOLDER}/volume-{A}", elsewhere.path), unread=(), targets=elsewhere.targets
    )
    assert said(host(targets=(A, B), tgt_configuration=configuration)) == []


def test_two_files_with_one_scsi_id() -> None:
    files = {f"{FOLDER}/volume-{A}": stanza(A), f"{FOLDER}/volume-{B}": stanza(B, f"volume-{A}")}
    found = said(host(files=files, targets=(A, B)))
    assert [(one, words) for _, one, words in found] == [
        (A, f"its SCSI ID volume-{A} is that of {B}, too"),
        (B, f"its SCSI ID volume-{A} is that of {A}, too"),
    ]


def test_nothing_is_included() -> None:
    ((kind, subject, words),) = said(host(included=False))
    assert (kind, subject) == ("setting", f"include {FOLDER}/*")
    assert "none of its 1 targets" in words
    # Kolla's tgtd runs in a container, whose configuration is not this host's.
    assert said(host(included=False, tgt_configuration=ABSENT)) == []


def test_where_a_side_cannot_be_seen_nothing_is_missed_there() -> None:
    hung = tgt_hosts.state(unanswered=(tgt_hosts.HUNG,))
    result = run(host(tgt=hung))
    assert (result.findings, [gap.reason for gap in result.unexamined]) == ((), [Reason.TIMEOUT])
    blind = Cinder(files=(), unread=(), backends=(), folders=(TargetFolder(path=FOLDER, files=DENIED),))
    result = run(host(cinder=blind, targets=(A, B), included=False))
    assert (result.findings, [gap.reason for gap in result.unexamined]) == ((), [Reason.DENIED])
    timeout = Unavailable(reason=Reason.TIMEOUT, what="lvm fullreport")
    result = run(host(lvm=timeout, dm=ABSENT))
    assert (result.findings, [gap.reason for gap in result.unexamined]) == ((), [Reason.TIMEOUT])
    part = replace(report(), excluded=("sdb",))
    assert run(host(lvm=part, dm=())).findings == ()


def test_another_host() -> None:
    plain = inventory(cinder=ABSENT, tgt_configuration=ABSENT)
    assert run(plain).not_applicable
    # An ordinary user on a host with docker, and a capture from before Cinder was known.
    for reason in (Reason.DENIED, Reason.NOT_COLLECTED):
        gap = Unavailable(reason=reason, what="/var/lib/docker/volumes/cinder/_data/volumes")
        unread = (gap,) if reason is Reason.NOT_COLLECTED else ()
        unseen = Cinder(files=(), unread=unread, backends=(), folders=(TargetFolder(path=gap.what, files=gap),))
        assert run(inventory(cinder=unseen, tgt_configuration=ABSENT)).not_applicable
    lios = host(files={}, targets=(), tgt=ABSENT, processes=tgt_hosts.processes())
    assert run(lios).not_applicable
    mine = Cinder(files=(), unread=(DENIED,), backends=(), folders=())
    assert [gap.reason for gap in run(inventory(cinder=mine, tgt_configuration=ABSENT)).unexamined] == [Reason.DENIED]


def test_what_is_in_the_file_is_the_other_checks_to_compare() -> None:
    def drift(made: Inventory) -> list[str]:
        result = CONFIG_DRIFT.run(Look(inventory=made, config=Config()))
        assert isinstance(result, Result)
        return [one.summary for one in result.findings]

    assert drift(host()) == drift(host(targets=(A, B))) == drift(host(targets=())) == []
    moved = {f"{FOLDER}/volume-{A}": stanza(A).replace(f"/dev/{VG}", "/dev/fast")}
    (words,) = drift(host(files=moved))
    assert f"configured /dev/fast/volume-{A}" in words
