"""What serves volumes over iSCSI: tgtd's and LIO's targets, their sessions and where they listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.exporters.prometheus.collector import CannotCollect, Collector
from sctune.exporters.prometheus.metric import Kind, Metric
from sctune.exporters.prometheus.served import answered, tgt_of, wanted_targets
from sctune.exporters.prometheus.served_lio import lio_of, wanted_groups
from sctune.model.lio import LioLogins
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Container

    from sctune.exporters.prometheus.collector import Look
    from sctune.exporters.prometheus.samples import Samples
    from sctune.model.target import TgtState

_TGT = "tgtd's management socket, as tgtadm --op show --mode target"
_CONFIGFS = "/sys/kernel/config/target/iscsi"
_BOTH = f"{_TGT}; {_CONFIGFS}"
_LOGINS = f"{_CONFIGFS}/IQN/fabric_statistics/iscsi_login_stats"
_TARGET = ("target",)
REASONS = ("authenticate", "authorize", "negotiate", "other")
"""Why LIO refused a login: the fields of `LioLogins`."""
DAEMON_STATES = ("answering", "silent", "gone")

UP = Metric(
    name="sctune_target_up",
    about="Whether what serves targets works: tgt, every tgtd that runs answers and that of control port 0 has not gone; lio, its "
    "targets can be read. Absent where none has run since the host was booted. 0 also after tgtd was stopped on purpose.",
    source=_BOTH,
    labels=("driver",),
)
TARGETS = Metric(name="sctune_targets", about="Targets.", source=_BOTH, labels=("driver",))
DAEMONS = Metric(
    name="sctune_tgt_daemons",
    about="tgtd's daemons, a control port each: answering, silent (one listens and does not answer), gone (its socket is left; "
    "tgtd never removes it, however it ends).",
    source="/var/run/tgtd/socket.N",
    labels=("state",),
)
READY = Metric(
    name="sctune_target_ready",
    about="Whether tgtd calls the target ready (1), or a portal group of it is enabled in LIO: that it is not switched off; "
    "nothing of what lies behind it.",
    source=_BOTH,
    labels=_TARGET,
    detail=True,
)
SESSIONS = Metric(
    name="sctune_target_sessions",
    about="Initiators that are logged in (I_T nexuses).",
    source=_BOTH,
    labels=_TARGET,
    detail=True,
)
CONNECTIONS = Metric(
    name="sctune_target_connections",
    about="TCP connections of these sessions. LIO tells none of sessions without an ACL (demo mode).",
    source=_BOTH,
    labels=_TARGET,
    detail=True,
)
LUNS = Metric(
    name="sctune_target_luns", about="Logical units, without tgtd's controller (LUN 0).", source=_BOTH, labels=_TARGET, detail=True
)
ALL_SESSIONS = Metric(
    name="sctune_sessions", about="Initiators that are logged in, to any target.", source=_BOTH, labels=("driver",)
)
PORTAL = Metric(
    name="sctune_target_portal_info",
    about="Always 1; an address that targets listen on, and its portal group tag (empty for lio: it has one for each target).",
    source=f"tgtadm --op show --mode portal; {_CONFIGFS}/*/tpgt_*/np",
    labels=("driver", "address", "port", "tpgt"),
)
LOGINS = Metric(
    name="sctune_target_logins_total",
    about="Logins to a target of LIO since it was made. tgtd does not count them.",
    source=_LOGINS,
    labels=_TARGET,
    kind=Kind.COUNTER,
    detail=True,
)
LOGIN_FAILURES = Metric(
    name="sctune_target_login_failures_total",
    about="Logins to a target of LIO that were refused: authenticate, the initiator did not prove who it is; authorize, it has no "
    "ACL or the portal group is switched off; negotiate, for what it proposed; other.",
    source=_LOGINS,
    labels=("target", "reason"),
    kind=Kind.COUNTER,
    detail=True,
)
METRICS = (UP, TARGETS, DAEMONS, ALL_SESSIONS, READY, SESSIONS, CONNECTIONS, LUNS, LOGINS, LOGIN_FAILURES, PORTAL)


def collect(look: Look, samples: Samples) -> None:
    """Fills in LIO's targets, which is a look at configfs and cannot hang, then tgtd's."""
    failure = _lio(look, samples)
    state = tgt_of(look, samples)
    if state is not None:
        _tgt(look, state, samples)
    if failure is not None:
        raise CannotCollect(str(failure))
    if state is not None:
        answered(state)


def _lio(look: Look, samples: Samples) -> Unavailable | None:
    """LIO's part; why it could not be read."""
    names = look.inventory.lio
    if isinstance(names, Unavailable):
        if names.reason in (Reason.ABSENT, Reason.NOT_COLLECTED):
            return None
        samples.add(UP, 0.0, "lio")
        return names
    samples.used("configfs")
    samples.add(UP, 1.0, "lio")
    samples.add(TARGETS, float(len(names)), "lio")
    portals = look.inventory.lio_portals
    if isinstance(portals, Unavailable):
        return portals
    for address, port in sorted({(portal.address, portal.port) for portal in portals}):
        samples.add(PORTAL, 1.0, "lio", address, str(port), "")
    state = lio_of(look, samples)
    if state is None or isinstance(state, Unavailable):
        return state
    samples.add(ALL_SESSIONS, float(sum(len(target.nexuses) for target in state.targets)), "lio")
    if not samples.detail:
        return None
    wanted = wanted_groups(look, state, "targets", samples)
    for iqn, groups in wanted.items():
        nexuses = [nexus for group in groups for nexus in group.nexuses]
        samples.add(READY, float(any(group.enabled for group in groups)), iqn)
        samples.add(SESSIONS, float(len(nexuses)), iqn)
        samples.add(CONNECTIONS, float(sum(len(nexus.connections) for nexus in nexuses)), iqn)
        samples.add(LUNS, float(sum(len(group.luns) for group in groups)), iqn)
    return _logins(look, wanted, samples)


def _logins(look: Look, wanted: Container[str], samples: Samples) -> Unavailable | None:
    """LIO's logins; why those of a target could not be read. A kernel built without them has none."""
    rows = look.inventory.lio_logins
    if isinstance(rows, Unavailable):
        return None if rows.reason is Reason.NOT_COLLECTED else rows
    for row in rows:
        if isinstance(row, LioLogins) and row.iqn in wanted:
            samples.add(LOGINS, float(row.accepted), row.iqn)
            for reason in REASONS:
                samples.add(LOGIN_FAILURES, float(getattr(row, reason)), row.iqn, reason)
    failed = (row for row in rows if isinstance(row, Unavailable) and row.reason is not Reason.NOT_COLLECTED)
    return next(failed, None)


def _tgt(look: Look, state: TgtState, samples: Samples) -> None:
    up = bool(state.daemons) and not state.unanswered and 0 not in state.stale
    samples.add(UP, float(up), "tgt")
    for word, count in zip(DAEMON_STATES, (len(state.daemons), len(state.unanswered), len(state.stale)), strict=True):
        samples.add(DAEMONS, float(count), word)
    samples.add(TARGETS, float(len(state.targets)), "tgt")
    samples.add(ALL_SESSIONS, float(sum(len(target.nexuses) for target in state.targets)), "tgt")
    for portal in sorted({(one.address, one.port, one.tpgt) for daemon in state.daemons for one in daemon.portals}):
        samples.add(PORTAL, 1.0, "tgt", portal[0], str(portal[1]), str(portal[2]))
    if not samples.detail:
        return
    targets = wanted_targets(look, state, "targets", samples)
    names = [(target.iqn,) for target in targets]
    samples.fill(READY, names, [float(target.state == "ready") for target in targets])
    samples.fill(SESSIONS, names, [float(len(target.nexuses)) for target in targets])
    samples.fill(CONNECTIONS, names, [float(sum([len(nexus.connections) for nexus in target.nexuses])) for target in targets])
    samples.fill(LUNS, names, [float(len(target.disks)) for target in targets])


COLLECTOR = Collector(
    name="targets", about="iSCSI targets of tgtd and LIO, and who is logged in.", metrics=METRICS, collect=collect
)
