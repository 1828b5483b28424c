"""tgt's running daemons: what each serves, from its answers to `tgtadm --op show`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sctune.host.base import TgtMode
from sctune.model.target import TgtDaemon, TgtState
from sctune.probes.tgt_text import parse_accounts, parse_portals, parse_system, parse_targets
from sctune.tgt_process import is_port
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Host
    from sctune.model.target import Target

FOLDER = "/var/run/tgtd"
_PREFIX = "socket."
_REFUSED = "connection refused"
_MOST_AT_ONCE = 8


def probe(host: Host) -> TgtState | Unavailable:
    """Asks every daemon that has a management socket, several side by side.

    Absent: no socket, so that none has run since the host was booted. Denied: we may ask none of them.
    """
    names = host.list(FOLDER)
    if isinstance(names, Unavailable):
        if names.reason is not Reason.ABSENT:
            return names
        # Before 1.0.58 (2015) the socket had no name in the file system; the host knows how to ask then.
        return _only(_daemon(host, 0))
    ports = control_ports(names)
    if not ports:
        return Unavailable(reason=Reason.ABSENT, what=FOLDER, detail="no management socket in it")
    if len(ports) == 1:
        answers = [_daemon(host, ports[0])]
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=_MOST_AT_ONCE) as pool:
            answers = list(pool.map(lambda port: _daemon(host, port), ports))
    return collect(dict(zip(ports, answers, strict=True)))


def control_ports(names: tuple[str, ...]) -> tuple[int, ...]:
    """The control ports of /var/run/tgtd's names: `socket.N`, and not `socket.N.lock`."""
    numbers = (name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))
    return tuple(sorted(int(number) for number in numbers if is_port(number)))


def collect(answers: dict[int, TgtDaemon | Unavailable]) -> TgtState | Unavailable:
    """One state of all daemons' answers."""
    daemons = tuple(answer for answer in answers.values() if isinstance(answer, TgtDaemon))
    failures = {port: answer for port, answer in answers.items() if isinstance(answer, Unavailable)}
    stale = tuple(port for port, answer in failures.items() if _is_stale(answer))
    # A socket that was removed between the two looks belongs to nobody any more.
    unanswered = tuple(answer for port, answer in failures.items() if port not in stale and answer.reason is not Reason.ABSENT)
    if not daemons and not stale:
        if not unanswered:
            return next(iter(failures.values()))
        if all(answer.reason is Reason.DENIED for answer in unanswered):
            return unanswered[0]
        if all(answer.reason is Reason.NOT_COLLECTED for answer in unanswered):
            return unanswered[0]
    return TgtState(daemons=daemons, unanswered=unanswered, stale=stale)


def _only(answer: TgtDaemon | Unavailable) -> TgtState | Unavailable:
    if isinstance(answer, TgtDaemon) or answer.reason is Reason.TIMEOUT:
        return collect({0: answer})
    return answer


def _is_stale(answer: Unavailable) -> bool:
    return answer.reason is Reason.FAILED and answer.detail.startswith(_REFUSED)


@lru_cache(maxsize=2)
def _targets(listing: str, port: int) -> tuple[Target, ...] | Unavailable:
    """`parse_targets`; who looks again and again mostly gets the very list that he got the last time."""
    return parse_targets(listing, port)


def _daemon(host: Host, port: int) -> TgtDaemon | Unavailable:
    """One daemon. A request that gets no answer is the last one: each would wait until its own deadline.

    Initiators and their connections are part of the target list, so no target is asked for them one by one.
    """
    listing = host.tgt(TgtMode.TARGET, control_port=port)
    if isinstance(listing, Unavailable):
        return listing
    targets = _targets(listing, port)
    if isinstance(targets, Unavailable):
        return targets
    texts: list[str] = []
    for mode in (TgtMode.PORTAL, TgtMode.SYSTEM, TgtMode.ACCOUNT):
        text = host.tgt(mode, control_port=port)
        if isinstance(text, Unavailable):
            if text.reason is Reason.TIMEOUT or _is_stale(text):
                return text
            text = ""  # an older daemon that does not know the mode
        texts.append(text)
    state, backing_types = parse_system(texts[1])
    return TgtDaemon(
        control_port=port,
        state=state,
        targets=targets,
        portals=parse_portals(texts[0]),
        accounts=parse_accounts(texts[2]),
        backing_types=backing_types,
    )
