"""Findings about a volume, hung on the link of its tree that they are about. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import HOST, SubjectKind
from sctune.initiator import session_subject
from sctune.model.tree import Layer, Link, Mark
from sctune.model.volume import VolumeState
from sctune.records import replace
from sctune.volume_state import subjects_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sctune.findings import Code, Finding
    from sctune.inventory import Inventory
    from sctune.model.chain import Chain

_BY_KIND = {
    SubjectKind.LOOP: (Layer.LOOP,),
    SubjectKind.VG: (Layer.VG,),
    SubjectKind.LV: (Layer.LV,),
    SubjectKind.SNAPSHOT: (Layer.SNAPSHOT,),
    SubjectKind.TARGET: (Layer.TARGET,),
    SubjectKind.LUN: (Layer.LUN, Layer.TARGET),
    SubjectKind.SESSION: (Layer.SESSION,),
    SubjectKind.DISK: (Layer.DISK,),
    SubjectKind.FILESYSTEM: (Layer.FILE,),
}
_BY_CODE = (
    ("LOOP_", (Layer.LOOP,)),
    ("STORE_", (Layer.FILE,)),
    ("VOLUME_SIZE", (Layer.FILE,)),
    ("QUOTA_", (Layer.FILE, Layer.LV)),
    ("SNAPSHOT_", (Layer.SNAPSHOT, Layer.COPY, Layer.LV)),
    ("LVM_PV", (Layer.PV,)),
    ("LVM_DUPLICATE_PV", (Layer.PV,)),
    ("LVM_SNAPSHOT", (Layer.SNAPSHOT, Layer.LV)),
    ("LVM_", (Layer.LV,)),
    ("DM_", (Layer.LV,)),
    ("TARGET_LUN", (Layer.LUN, Layer.TARGET)),
    ("TARGET_BACKING", (Layer.LUN, Layer.TARGET)),
    ("TARGET_", (Layer.TARGET,)),
    ("TGT_AIO", (Layer.LUN,)),
    ("TGT_", (Layer.TARGET,)),
    ("BLOCK_", (Layer.LOOP, Layer.LV, Layer.DISK)),
    ("ISCSI_", (Layer.SESSION,)),
)
"""A finding about the volume as a whole: the links it is about by the first words of its code, the best first."""


def attach(
    links: tuple[Link, ...], chain: Chain, inventory: Inventory, findings: Iterable[Finding], codes: Mapping[str, Code]
) -> tuple[Link, ...]:
    """The same links, each with the findings about it; what is about none of them is on the first."""
    ours = frozenset(subjects_of(chain, inventory))
    unserved = not chain.exports and bool(chain.loops)
    for finding in findings:
        if finding.subject in ours or (finding.subject == HOST and unserved and _breaks(finding, codes)):
            for layer in _layers(finding):
                links, done = _hang(links, layer, finding, _named(finding, chain), codes)
                if done:
                    break
            else:
                links = (_with(links[0], finding, codes), *links[1:]) if links else links
    return links


def _breaks(finding: Finding, codes: Mapping[str, Code]) -> bool:
    """Whether something that is wrong with the whole host is why nobody serves the volume."""
    code = codes.get(finding.code)
    return code is not None and code.volume is VolumeState.BROKEN


def _layers(finding: Finding) -> tuple[Layer, ...]:
    if finding.subject.kind in _BY_KIND:
        return _BY_KIND[finding.subject.kind]
    return next((layers for prefix, layers in _BY_CODE if finding.code.startswith(prefix)), ())


def _named(finding: Finding, chain: Chain) -> str:
    """The name of the link, where its layer has several: a snapshot's, a session's."""
    if finding.subject.kind is SubjectKind.SNAPSHOT:
        return finding.subject.id
    for local in chain.disks:
        if finding.subject == session_subject(local.session):
            return f"session{local.session.number} of this host"
    return ""


def _hang(
    links: tuple[Link, ...], layer: Layer, finding: Finding, name: str, codes: Mapping[str, Code]
) -> tuple[tuple[Link, ...], bool]:
    """The first link of this layer (and name, where one is told), deepest last, gets the finding."""
    for at, link in enumerate(links):
        if link.layer is layer and name in ("", link.name):
            return (*links[:at], _with(link, finding, codes), *links[at + 1 :]), True
        above, done = _hang(link.above, layer, finding, name, codes)
        if done:
            return (*links[:at], replace(link, above=above), *links[at + 1 :]), True
    return links, False


def _with(link: Link, finding: Finding, codes: Mapping[str, Code]) -> Link:
    mark = Mark.BROKEN if link.mark is Mark.FINE and _breaks(finding, codes) else link.mark
    return replace(link, findings=(*link.findings, finding), mark=mark)
