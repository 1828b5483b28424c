"""Findings stand at the link that they are about, where a layer has several."""

from __future__ import annotations

import dataclasses

import pytest

from sctune.chain_tree import tree, walk
from sctune.findings import Severity, Subject, SubjectKind
from sctune.model.target import Lun
from sctune.model.tree import Layer, Mark
from sctune.registry import load
from tests.unit.chain_hosts import backed, inventory, report, target
from tests.unit.chain_hosts import lv as a_lv
from tests.unit.serving_hosts import STORE, chains
from tests.unit.storage_hosts import look, loops
from tests.unit.test_chain_state import an_export, attached

CODES = {code.code: code for _, code in load().codes()}
VOLUME = "vol-391D02F1"
VG = f"euca-ebs-storage-vg-{VOLUME}"


@pytest.mark.parametrize(
    ("code", "kind", "name", "expected"),
    [
        ("TARGET_CHAP_MISSING", SubjectKind.TARGET, "iqn.one", (Layer.TARGET, "iqn.one")),
        ("TARGET_CHAP_MISSING", SubjectKind.TARGET, "iqn.two", (Layer.TARGET, "iqn.two")),
        ("LVM_LV_SUSPENDED", SubjectKind.LV, f"{VG}/euca-{VOLUME}", (Layer.LV, f"{VG}/euca-{VOLUME}")),
        ("LOOP_SIZE_MISMATCH", SubjectKind.LOOP, f"{STORE}/{VOLUME}", (Layer.LOOP, "/dev/loop1")),
    ],
)
def test_on_its_own_link(code: str, kind: SubjectKind, name: str, expected: tuple[Layer, str]) -> None:
    lv = a_lv(VG, f"euca-{VOLUME}", 1)
    host = inventory(
        target(1, lv.path, "iqn.one"),
        target(2, lv.path, "iqn.two"),
        loops=loops(backed(1, VOLUME)),
        lvm=report(lv),
    )
    finding = CODES[code].found(Subject(kind=kind, id=name), "here", (("source", "a test"),), severity=CODES[code].severities[0])
    assert finding.severity in Severity
    (chain,) = host.chains.chains  # type: ignore[union-attr]
    told = [(link.layer, link.name) for link in walk(tree(chain, host, (finding,), CODES)) if link.findings]
    assert told == [expected]


@pytest.mark.parametrize(
    ("path", "missing"),
    [("/dev/vg/euca-vol-00000001", ["lv"]), ("/dev/loop0", []), ("/var/lib/eucalyptus/volumes/vol-00000001", [])],
)
def test_what_is_served_as_it_is_misses_no_lv(path: str, missing: list[str]) -> None:
    export = an_export()
    assert isinstance(export.lun, Lun)
    served = dataclasses.replace(export, lun=dataclasses.replace(export.lun, backing_path=path))
    volume = attached(lv=None, dm=None, exports=(served,))
    seen = look(chains=chains(volume)).inventory
    assert [link.layer for link in walk(tree(volume, seen, (), {})) if link.mark is Mark.MISSING] == missing
