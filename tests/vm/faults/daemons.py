"""Faults of tgtd as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vm.hosts import overlay, tgt

from .base import Expected, HostFault
from .initiators import FAILED, FREE, lost, short_timeouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.hosts.overlay import Volume

_KILL = "kill -KILL $(pgrep -ox tgtd)"
_STOP = "kill -STOP $(pgrep -ox tgtd)"
_STOPPED = ["ps -o stat= -C tgtd | grep -q ^T", "! timeout 5 tgtadm --mode sys --op show"]
_DOWN = (Expected(code="TGT_DOWN", severity="critical", subject="tgtd"),)
_UNRESPONSIVE = (Expected(code="TGT_UNRESPONSIVE", severity="critical", subject="tgtd"),)
_NO_TARGET = "! tgtadm --lld iscsi --mode target --op show | grep -q ^Target"


def _attached(volumes: Sequence[Volume]) -> list[str]:
    """A host whose volumes are all attached, and none is being copied."""
    return [*overlay.start(), *overlay.create(volumes), *overlay.attach(volumes)]


def _export_lost(volumes: Sequence[Volume]) -> tuple[Expected, ...]:
    return tuple(Expected(code="TGT_EXPORT_LOST", severity="critical", subject=volume.name) for volume in volumes)


FAULTS = (
    HostFault(
        name="tgtd-killed",
        rare=True,  # tests/live kills a tgtd of its own
        breaks=lambda _volumes: [_KILL],
        until=FAILED,
        expects=lambda _volumes: _DOWN,
        facts=lambda _volumes: ["! pgrep -x tgtd", "tgtadm --mode sys --op show; test $? = 107"],
    ),
    HostFault(
        name="tgtd-killed-long-ago",
        rare=True,
        before=tuple(short_timeouts(2)),
        breaks=lambda _volumes: [_KILL],
        until=FREE,
        expects=lambda volumes: (*_DOWN, *lost(volumes)),
        facts=lambda _volumes: ["! grep -qvx transport-offline /sys/block/sd*/device/state"],
    ),
    HostFault(
        name="tgtd-stopped",
        rare=True,
        breaks=lambda _volumes: [_STOP],
        until=FAILED,
        expects=lambda _volumes: _UNRESPONSIVE,
        facts=lambda _volumes: _STOPPED,
    ),
    HostFault(
        name="tgtd-stopped-just-now",
        # No NOP-Out has been missed yet: the sessions look sound, and whoever reads their disks waits.
        breaks=lambda _volumes: [_STOP],
        expects=lambda _volumes: _UNRESPONSIVE,
        facts=lambda _volumes: ["ps -o stat= -C tgtd | grep -q ^T"],
        rare=True,
    ),
    HostFault(
        name="tgtadm-stuck",
        rare=True,  # tests/live has one beside a tgtd that is stopped
        breaks=lambda _volumes: [_STOP, "tgtadm --lld iscsi --mode target --op show >/dev/null 2>&1 &"],
        until="test $(ps -o etimes= -C tgtadm) -gt 11",
        expects=lambda _volumes: (*_UNRESPONSIVE, Expected(code="TGTADM_STUCK", severity="warning", subject="tgtadm")),
        facts=lambda _volumes: _STOPPED,
    ),
    HostFault(
        name="tgtd-restarted",
        # Its targets were made by bare tgtadm, so they are gone; initiators are told that theirs does not exist.
        build=_attached,
        breaks=lambda _volumes: [_KILL, *tgt.start()],
        until=FAILED,
        expects=_export_lost,
        facts=lambda _volumes: [_NO_TARGET],
    ),
    HostFault(
        name="tgtd-restarted-one-volume",
        build=_attached,
        breaks=lambda _volumes: [_KILL, *tgt.start()],
        until=FAILED,
        expects=_export_lost,
        facts=lambda _volumes: [_NO_TARGET],
        volumes=1,
        rare=True,
    ),
)
