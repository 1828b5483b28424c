"""Findings about a volume, hung on the link of its tree that they are about. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.findings import HOST, Subject, SubjectKind
from sctune.model.tree import Layer, Link, Mark
from sctune.model.volume import VolumeState
from sctune.records import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sctune.findings import Code, Finding

_BY_KIND = {
    SubjectKind.LOOP: (Layer.LOOP,),
    SubjectKind.VG: (Layer.VG,),
    SubjectKind.LV: (Layer.SNAPSHOT, Layer.LV),
    SubjectKind.SNAPSHOT: (Layer.SNAPSHOT,),
    SubjectKind.TARGET: (Layer.TARGET,),
    SubjectKind.LUN: (Layer.LUN, Layer.TARGET),
    SubjectKind.SESSION: (Layer.SESSION,),
    SubjectKind.DISK: (Layer.MULTIPATH, Layer.DISK),
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
    links: tuple[Link, ...],
    findings: Iterable[Finding],
    codes: Mapping[str, Code],
    *,
    about: Collection[Subject],
    links_of: Mapping[Subject, str],
    unserved: bool = False,
) -> tuple[Link, ...]:
    """The same links, each with the findings about it; what is about none of them is on the first. `about` are the subjects of
    findings about this volume, `links_of` the names of links by the subject, where a layer has several; `unserved`: what breaks
    volumes on the whole host is about this one too."""
    for finding in findings:
        if finding.subject in about or (unserved and finding.subject == HOST and _breaks(finding, codes)):
            name = links_of.get(finding.subject, "")
            for layer in _layers(finding):
                links, done = _hang(links, layer, finding, name, codes)
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
