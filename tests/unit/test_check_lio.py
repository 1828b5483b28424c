"""The checks of targets on a host with LIO, from the recorded trees and from what is changed in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sctune.chain import join
from sctune.checks import lio_luns, target_access, target_drift, target_flush, targets
from sctune.model.block import BlockKind
from sctune.model.lio import LioBackstore, LioLun, LioState, LioTarget
from sctune.model.lio_saved import LioSaved, SavedBackstore
from sctune.probes import lio, lio_saved, lio_state
from sctune.records import replace
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.unit import tgt_hosts
from tests.unit.chain_hosts import device, lv, report
from tests.unit.lio_hosts import DATA, DEMO_IQN, FILE, FILE_IQN, FILE_STAT, INITIATOR, VOLUME, VOLUME_ID, VOLUME_IQN, recorded
from tests.unit.serving_hosts import block

if TYPE_CHECKING:
    from sctune.check import Check, Look

(ZEROS,) = lio_luns.CHECKS
LUNS, BACKING = targets.CHECKS
ACCESS, CHAP = target_access.CHECKS
(DRIFT,) = target_drift.CHECKS
_, CACHE = target_flush.CHECKS
ABSENT = Unavailable(reason=Reason.ABSENT, what="gone")
DM = block("dm-0", BlockKind.DM, device=(253, 0))


def state(name: str = "sound") -> LioState:
    host = recorded(name)
    found = lio_state.probe(host, lio=lio.probe(host))
    assert isinstance(found, LioState)
    return found


def saved() -> LioSaved:
    found = lio_saved.parse((DATA / "saveconfig.json").read_text(), lio_saved.FILES[0])
    assert isinstance(found, LioSaved)
    return replace(found, backstores=tuple(replace(store, stat=FILE_STAT) for store in found.backstores))


def look(given: LioState | Unavailable | None = None, **parts: Any) -> Look:
    """A host where LIO alone serves, as it was recorded; `parts` override."""
    volume = lv("lio", VOLUME, 0)
    made = tgt_hosts.look(
        None,
        **(
            {
                "tgt": ABSENT,
                "lio_state": state() if given is None else given,
                "lio_saved": saved(),
                "lvm": report(volume),
                "dm": (device(volume),),
                "block": (DM,),
                "stores": ABSENT,
                "cloud": ABSENT,
            }
            | parts
        ),
    )
    made.inventory.parts["chains"] = join(made.inventory)
    return made


def found(check: Check, given: LioState | None = None, **parts: Any) -> list[tuple[str, str, str]]:
    return tgt_hosts.codes(check.run(look(given, **parts)))


def group(iqn: str, **facts: Any) -> LioTarget:
    name = "broken" if iqn == DEMO_IQN else "sound"
    return replace(next(target for target in state(name).targets if target.iqn == iqn), **facts)


def serving(*groups: LioTarget) -> LioState:
    return LioState(targets=groups, backstores=())


def with_store(**facts: Any) -> LioState:
    """The file's target with its backstore changed."""
    target = group(FILE_IQN)
    (lun,) = target.luns
    assert lun.backstore is not None
    return serving(replace(target, luns=(replace(lun, backstore=replace(lun.backstore, **facts)),)))


@pytest.mark.parametrize("check", [ZEROS, LUNS, BACKING, ACCESS, DRIFT], ids=lambda check: check.name)
def test_a_sound_host(check: Check) -> None:
    result = check.run(look())
    assert (result.examined, result.findings, result.unexamined, result.not_applicable) == (2, (), (), None)
    assert set(check.needs) <= set(look().inventory.parts)


@pytest.mark.parametrize("check", [ZEROS, LUNS, BACKING, ACCESS, CHAP, DRIFT, CACHE], ids=lambda check: check.name)
def test_lio_that_could_not_be_looked_at_is_not_ok(check: Check) -> None:
    blind = Unavailable(reason=Reason.DENIED, what="/sys/kernel/config/target/core")
    try:
        result = check.run(look(blind))
    except CannotLook as error:
        assert error.unavailable == blind
    else:
        assert [one.what for one in result.unexamined] == [blind.what]


@pytest.mark.parametrize("check", [LUNS, BACKING, ACCESS], ids=lambda check: check.name)
def test_beside_tgt_both_are_judged(check: Check) -> None:
    alone = check.run(tgt_hosts.look())
    both = check.run(look(tgt=tgt_hosts.state(tgt_hosts.daemon(tgt_hosts.target()))))
    assert (both.examined, both.findings, both.unexamined) == (alone.examined + 2, (), ())
    hung = check.run(look(tgt=tgt_hosts.HUNG))
    assert (hung.examined, [one.reason for one in hung.unexamined]) == (2, [Reason.TIMEOUT])


def test_a_session_on_lun_0_without_backstore_reads_zeros() -> None:
    assert found(ZEROS, state("broken")) == [("TARGET_SERVES_ZEROS", "critical", VOLUME_ID)]
    assert found(LUNS, state("broken")) == []


def test_elsewhere_a_lun_without_backstore_gives_errors() -> None:
    """Seen as another number than 0, or by nobody."""
    lost = (LioLun(number=0, backstore=None),)
    volume = group(VOLUME_IQN)
    acl = volume.acls[0]
    as_number_two = replace(acl, mappings=(replace(acl.mappings[0], number=2),))
    for target in (
        replace(volume, luns=lost, acls=(as_number_two,)),
        replace(volume, luns=lost, acls=(replace(acl, session=None),)),
    ):
        assert found(ZEROS, serving(target)) == []
        assert found(LUNS, serving(target)) == [("TARGET_LUN_OFFLINE", "critical", VOLUME_ID)]


def test_a_target_without_any_lun() -> None:
    volume = group(VOLUME_IQN, luns=())
    assert found(ZEROS, serving(volume)) == [("TARGET_SERVES_ZEROS", "critical", VOLUME_ID)]
    assert found(LUNS, serving(volume)) == []
    nobody = replace(volume, acls=())
    assert found(ZEROS, serving(nobody)) == []
    assert found(LUNS, serving(nobody)) == [("TARGET_LUN_MISSING", "critical", VOLUME_ID)]


@pytest.mark.parametrize(("size", "zeros"), [(1 << 30, False), (4096, True), (0, True), (2 << 30, False)])
def test_a_file_that_is_shorter_than_its_disk(size: int, zeros: bool) -> None:
    expected = [("TARGET_SERVES_ZEROS", "critical", f"{FILE_IQN}/0")] if zeros else []
    assert found(ZEROS, with_store(stat=replace(FILE_STAT, size=size))) == expected


def test_a_file_whose_length_is_not_known_is_not_ok() -> None:
    hung = Unavailable(reason=Reason.TIMEOUT, what=FILE)
    result = ZEROS.run(look(with_store(stat=hung)))
    assert (result.findings, [one.what for one in result.unexamined]) == ((), [FILE])


def test_what_a_lun_serves_is_gone() -> None:
    missing = [("TARGET_BACKING_MISSING", "critical", f"{FILE_IQN}/0")]
    assert found(BACKING, with_store(stat=ABSENT)) == missing
    assert found(ZEROS, with_store(stat=ABSENT)) == []
    device_gone = with_store(plugin="iblock", path="/dev/sdz", stat=ABSENT, device=(65, 144))
    assert found(BACKING, device_gone) == missing
    # udev lost the link; the kernel still has the device.
    assert found(BACKING, with_store(plugin="iblock", path="/dev/lio/x", stat=ABSENT, device=(253, 0))) == []
    # A partition is no whole disk; the kernel lists it among all block devices.
    partition = with_store(plugin="iblock", path="/dev/disk/by-id/x-part1", stat=ABSENT, device=(8, 1), present=True)
    assert found(BACKING, partition) == []
    assert found(BACKING, with_store(plugin="iblock", path="/dev/sda1", stat=ABSENT, device=(8, 1), present=False)) == missing
    blind = BACKING.run(look(device_gone, block=Unavailable(reason=Reason.DENIED, what="/sys/block")))
    assert (blind.findings, [one.what for one in blind.unexamined]) == ((), ["/sys/block"])


PORTAL = group(DEMO_IQN).portals[0]


@pytest.mark.parametrize(
    ("address", "facts", "severity"),
    [
        ("10.0.0.5", {}, "warning"),
        ("11.22.33.44", {}, "critical"),
        ("127.0.0.1", {}, ""),
        ("10.0.0.5", {"authentication": True}, ""),
        ("10.0.0.5", {"generate_acls": False}, ""),
        ("10.0.0.5", {"enabled": False}, ""),
        ("10.0.0.5", {"luns": ()}, ""),
        ("10.0.0.5", {"authentication": None}, ""),
        ("0.0.0.0", {}, "warning"),
    ],
)
def test_demo_mode(address: str, facts: dict[str, Any], severity: str) -> None:
    given = serving(group(DEMO_IQN, **({"portals": (replace(PORTAL, address=address),)} | facts)))
    assert found(ACCESS, given) == ([("TARGET_OPEN_ACCESS", severity, DEMO_IQN)] if severity else [])


def test_demo_mode_without_a_portal_reaches_nobody() -> None:
    assert found(ACCESS, serving(group(DEMO_IQN, portals=()))) == []


def test_page_cache_that_initiators_know_of_or_not() -> None:
    assert found(CACHE) == [("TARGET_WRITE_CACHE", "info", "host")]
    assert found(CACHE, with_store(write_back=False)) == [("TARGET_WRITE_CACHE", "warning", "host")]
    assert found(CACHE, with_store(buffered=False, write_back=False)) == []
    assert CACHE.run(look(serving(group(VOLUME_IQN)), tgt=tgt_hosts.state(tgt_hosts.daemon()))).not_applicable is not None


def drifted(given: LioState | None = None, **parts: Any) -> dict[str, object]:
    result = DRIFT.run(look(given, **parts))
    assert all((finding.code, str(finding.severity)) == ("TARGET_CONFIG_DRIFT", "warning") for finding in result.findings)
    return {finding.subject.id: tgt_hosts.facts(finding)["differences"] for finding in result.findings}


def test_what_is_on_one_side_alone() -> None:
    volume, file = group(VOLUME_IQN), group(FILE_IQN)
    assert drifted(serving(volume)) == {FILE_IQN: ("saved, and not served",)}
    assert drifted(serving(volume, file, group(DEMO_IQN))) == {DEMO_IQN: ("served, and not saved",)}
    assert set(drifted(LioState(targets=(), backstores=()))) == {VOLUME_IQN, FILE_IQN}


@pytest.mark.parametrize(
    ("facts", "difference"),
    [
        ({"luns": ()}, f"LUNs none, saved 0: iblock/{VOLUME_IQN}"),
        ({"luns": (LioLun(number=0, backstore=None),)}, f"LUNs 0: nothing, saved 0: iblock/{VOLUME_IQN}"),
        ({"acls": ()}, f"lets in none, saved {INITIATOR}"),
        ({"generate_acls": True}, "generate_node_acls 1, saved 0"),
    ],
)
def test_what_differs(facts: dict[str, Any], difference: str) -> None:
    assert drifted(serving(group(FILE_IQN), group(VOLUME_IQN, **facts))) == {VOLUME_ID: (difference,)}


def test_authentication_of_a_target_of_nobodys_and_of_cinders() -> None:
    """Of Cinder's it is TARGET_CHAP_MISSING."""
    file, volume = group(FILE_IQN, authentication=False), group(VOLUME_IQN, authentication=False)
    assert drifted(serving(file, volume)) == {FILE_IQN: ("authentication 0, saved 1",)}
    assert found(CHAP, serving(file, volume)) == [("TARGET_CHAP_MISSING", "warning", VOLUME_ID)]


def test_chap_of_cinders_targets() -> None:
    result = CHAP.run(look())
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())
    volume = group(VOLUME_IQN)
    (acl,) = volume.acls
    missing = [("TARGET_CHAP_MISSING", "warning", VOLUME_ID)]
    nameless = (replace(acl, account=""),)
    (refused,) = CHAP.run(look(serving(replace(volume, acls=nameless)))).findings
    assert refused.summary == f"{VOLUME_IQN} has no CHAP account for {INITIATOR}, and does not let it in"
    (both,) = CHAP.run(look(serving(replace(volume, acls=nameless, authentication=False)))).findings
    assert both.summary == f"{VOLUME_IQN} asks for no CHAP account, though cinder-lvm demands one"
    assert any(INITIATOR in command for command in both.remedy.commands)
    # Nobody is let in: nothing is missed yet.
    for facts in ({"acls": ()}, {"enabled": False}, {"luns": ()}):
        assert found(CHAP, serving(replace(volume, **({"authentication": False} | facts)))) == []
    opened = replace(volume, authentication=False, generate_acls=True, portals=(replace(PORTAL, address="10.0.0.5"),))
    assert found(CHAP, serving(opened)) == missing
    (finding,) = CHAP.run(look(serving(opened))).findings
    assert finding.caused_by is not None
    assert (finding.caused_by.code, finding.caused_by.subject) == ("TARGET_OPEN_ACCESS", finding.subject)
    nobodys = look(serving(group(FILE_IQN, authentication=False)), tgt=tgt_hosts.state(tgt_hosts.daemon()))
    assert CHAP.run(nobodys).not_applicable is not None


def test_what_is_saved_and_not_there_any_more() -> None:
    """Nothing differs yet: the next boot's restore will leave it out."""
    whole = saved()
    lost = replace(whole, backstores=tuple(replace(one, stat=ABSENT) if one.path == FILE else one for one in whole.backstores))
    (finding,) = DRIFT.run(look(lio_saved=lost)).findings
    assert (finding.subject.id, tgt_hosts.facts(finding)["missing_backing"]) == (FILE_IQN, (FILE,))
    unused = SavedBackstore(plugin="fileio", name="spare", path="/srv/spare", stat=ABSENT)
    assert drifted(lio_saved=replace(whole, backstores=(*whole.backstores, unused))) == {}


def test_where_nothing_is_saved_nothing_drifts() -> None:
    for none in (ABSENT, replace(saved(), targets=())):
        result = DRIFT.run(look(lio_saved=none, tgt=tgt_hosts.state(tgt_hosts.daemon())))
        assert (result.findings, result.unexamined) == ((), ())
        assert result.not_applicable is not None


def test_a_backstore_says_its_folder() -> None:
    assert LioBackstore(plugin="fileio", hba=3, name="a", enabled=None, path="").key == "fileio_3/a"
