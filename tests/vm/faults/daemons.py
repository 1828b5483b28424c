"""Faults of tgtd as a whole."""

from __future__ import annotations

from .base import Expected, HostFault

FAILED = "! grep -qv FAILED /sys/class/iscsi_session/*/state"
"""Every session has noticed that its target does not answer."""

FAULTS = (
    HostFault(
        name="tgtd-killed",
        breaks=lambda _volumes: ["kill -KILL $(pgrep -ox tgtd)"],
        until=FAILED,
        expects=lambda _volumes: (Expected(code="TGT_DOWN", severity="critical", subject="tgtd"),),
        facts=lambda _volumes: ["! pgrep -x tgtd", "tgtadm --mode sys --op show; test $? = 107"],
    ),
)
