"""The two storage controllers that documentation and `make doctor` show: two volumes, sound and with four faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vm.hosts.overlay import attach, create, start
from tests.vm.stages import OTHER, SNAPSHOT, STATES, VOLUME

from .base import Expected, HostFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume


def _build(_volumes: Sequence[Volume]) -> list[str]:
    return [*start(), *create([VOLUME, OTHER]), *attach([VOLUME, OTHER])]


FAULTS = (
    HostFault(
        name="storage-controller-healthy",
        rare=True,
        build=_build,
        breaks=lambda _volumes: [*STATES["healthy"].lines],
        expects=lambda _volumes: (),
    ),
    HostFault(
        name="storage-controller-faults",
        rare=True,
        before=(r"sed -i 's/^\(node.conn\[0\].timeo.noop_out_timeout\) *=.*/\1 = 0/' /etc/iscsi/iscsid.conf",),
        build=_build,
        breaks=lambda _volumes: [
            *STATES["snapshot-invalid"].lines,
            f"rm {OTHER.file}",
            f"tgtadm --lld iscsi --op update --mode logicalunit --tid {VOLUME.number} --lun 1 --params online=0",
        ],
        expects=lambda _volumes: (
            Expected(code="LOOP_BACKING_DELETED", severity="critical", subject=OTHER.name),
            Expected(code="LVM_SNAPSHOT_INVALID", severity="critical", subject=SNAPSHOT.name),
            Expected(code="TARGET_LUN_OFFLINE", severity="critical", subject=VOLUME.name),
            Expected(code="ISCSI_NOOP_HALF_OFF", severity="warning", subject="node.conn[0].timeo.noop_out_timeout"),
        ),
    ),
)
