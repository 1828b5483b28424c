"""The parameters of every target, by `tgtadm --op show --mode target --tid N`: a request a target, so only who needs them asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.host.base import TgtMode
from sctune.model.tgt_tuning import TargetParameters
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.target import TgtState

_KNOWN = frozenset(
    {
        "nop_interval", "nop_count", "MaxRecvDataSegmentLength", "MaxXmitDataSegmentLength", "FirstBurstLength", "MaxBurstLength",
        "MaxOutstandingR2T", "MaxQueueCmd", "MaxConnections", "InitialR2T", "ImmediateData", "HeaderDigest", "DataDigest",
        "DefaultTime2Wait", "DefaultTime2Retain",
    }
)  # fmt: skip


def probe(host: Host, *, tgt: TgtState | Unavailable, most: int | None = None) -> tuple[TargetParameters, ...] | Unavailable:
    """A record for each target, at most *most* of each daemon. A target that is deleted while we ask is left out; a daemon that
    stops answering ends the asking, since each question would cost its deadline."""
    if isinstance(tgt, Unavailable):
        return tgt
    found: list[TargetParameters] = []
    for target in (target for daemon in tgt.daemons for target in daemon.targets[:most]):
        text = host.tgt(TgtMode.TARGET, control_port=target.control_port, tid=target.tid)
        if isinstance(text, Unavailable):
            if text.reason is Reason.FAILED or text.reason is Reason.ABSENT:
                continue
            return text
        parameters = parse(text, control_port=target.control_port, iqn=target.iqn)
        if isinstance(parameters, Unavailable):
            return parameters
        found.append(parameters)
    return tuple(found)


def parse(text: str, *, control_port: int, iqn: str) -> TargetParameters | Unavailable:
    """`NAME=VALUE` lines. A text with anything else in it is not this answer."""
    values: dict[str, str] = {}
    for line in text.split("\n"):
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        if not equals:
            return Unavailable(
                reason=Reason.MALFORMED, what=f"tgtadm --op show --mode target for {iqn}", detail=f"a line without =: {line[:60]}"
            )
        values[name.strip()] = value.strip()
    return TargetParameters(
        control_port=control_port,
        iqn=iqn,
        nop_interval=_number(values.get("nop_interval")),
        nop_count=_number(values.get("nop_count")),
        max_recv_data_segment_length=_number(values.get("MaxRecvDataSegmentLength")),
        max_xmit_data_segment_length=_number(values.get("MaxXmitDataSegmentLength")),
        first_burst_length=_number(values.get("FirstBurstLength")),
        max_burst_length=_number(values.get("MaxBurstLength")),
        max_outstanding_r2t=_number(values.get("MaxOutstandingR2T")),
        max_queue_cmd=_number(values.get("MaxQueueCmd")),
        max_connections=_number(values.get("MaxConnections")),
        initial_r2t=_yes(values.get("InitialR2T")),
        immediate_data=_yes(values.get("ImmediateData")),
        header_digest=values.get("HeaderDigest"),
        data_digest=values.get("DataDigest"),
        default_time2wait=_number(values.get("DefaultTime2Wait")),
        default_time2retain=_number(values.get("DefaultTime2Retain")),
        others=tuple((name, value) for name, value in values.items() if name not in _KNOWN),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 12 else None


def _yes(text: str | None) -> bool | None:
    return {"Yes": True, "No": False}.get(text or "")
