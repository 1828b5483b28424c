"""`sctune exporter` serves the samples; `sctune collector` answers it on a socket, where it is not to look at the host itself."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, NoReturn

from sctune.errors import UserError
from sctune.exitcodes import ExitCode
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.exporters.prometheus.options import Options
    from sctune.exporters.prometheus.peers import Allowed
    from sctune.exporters.prometheus.source import Source
    from sctune.exporters.prometheus.systemd import Notifier

COLLECTOR_SOCKET = "/run/sctune/collector.sock"
_END = b"\0\n"
"""Ends what the collector's process says of its beginning."""
_CHUNK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the command line says of the collectors: names that are switched on and off, and whether there is a series for each
    object (None: as the configuration has it). `config` is the configuration's file."""

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    defaults: bool = True
    detail: bool | None = None
    config: str | None = None


def run_exporter(
    *,
    listen: tuple[str, ...],
    web_config: str | None,
    collector_socket: str | None,
    user: str,
    max_requests: int,
    chosen: Chosen,
) -> int:
    """Serves until it is told to end. Returns 0; 1 where the collector's process, or who makes its children, has ended by itself.
    Raises UserError."""
    from sctune.exporters.prometheus.log import tell
    from sctune.exporters.prometheus.privileges import account, drop_to
    from sctune.exporters.prometheus.socket_source import at_path
    from sctune.exporters.prometheus.source import NURSERY_ENDED
    from sctune.exporters.prometheus.systemd import Notifier, passed_sockets

    notifier = Notifier()
    passed = passed_sockets()
    who = account(user) if os.geteuid() == 0 else None
    lifeline: socket.socket | None = None
    alive: Callable[[], bool] | None = None
    source: Source
    if collector_socket is not None:
        source = at_path(collector_socket)
    elif who is not None:
        # Before anything is loaded that only one of the two processes needs: what this one writes to is memory of its own.
        source, lifeline = _beside(chosen, frozenset({who.uid}), passed)
    else:
        source, alive = _local(_options(chosen))
        tell("not run as root, so what only root may read (device-mapper, LVM, tgt) is missing: see sctune collector")
    from sctune.exporters.prometheus.web.listen import DEFAULT, exposed, read_address, written
    from sctune.exporters.prometheus.web.listen import listen as listen_on
    from sctune.exporters.prometheus.web.serving import serve
    from sctune.exporters.prometheus.web.settings import Settings

    addresses = [read_address(text) for text in listen or (() if passed else (DEFAULT,))]
    settings = Settings(web_config, tell)
    listeners = [*passed, *listen_on(addresses)]
    if lifeline is not None:
        _await_ready(lifeline)
    if who is not None:
        drop_to(who)
        settings.after_dropping()
    for address in exposed(listeners):
        if not settings.current().config.protects:
            tell(f"listening on {address}, where anybody who reaches it can read the samples: --web-config keeps others out")
    tell(f"serving on {', '.join(map(written, listeners))}{f' as {who.name}' if who else ''}")
    well = serve(source, listeners, settings, at_once=max_requests, notifier=notifier, tell=tell, lifeline=lifeline, alive=alive)
    if not well:
        tell("the collector's process has ended, so this ends too" if alive is None else NURSERY_ENDED)
    return ExitCode.OK if well else ExitCode.FAILED


def run_collector(*, path: str | None, users: tuple[str, ...], groups: tuple[str, ...], chosen: Chosen) -> int:
    """Answers on the socket until it is told to end. Returns 0; 1 where who makes its children has ended by itself. Raises
    UserError."""
    from sctune.exporters.prometheus.log import tell
    from sctune.exporters.prometheus.peers import allowed, gid_of
    from sctune.exporters.prometheus.systemd import Notifier, passed_sockets
    from sctune.exporters.prometheus.web.listen import listen_at, written

    notifier = Notifier()
    passed = passed_sockets()
    if passed and path is not None:
        raise UserError("--socket does not go with a socket of the service manager", "leave one of them out")
    who = allowed(users, groups)
    options = _options(chosen)
    if not passed:
        # Users are known only when they connect: whoever may not ask is let in to be told.
        mode = 0o666 if users else 0o660
        passed = [listen_at(path or COLLECTOR_SOCKET, mode=mode, gid=gid_of(groups[0]) if groups else None)]
    if os.geteuid() != 0:
        tell("not run as root, so what only root may read (device-mapper, LVM, tgt) is missing")
    source, alive = _local(options)
    tell(f"answering on {', '.join(map(written, passed))}")
    well = _answer(source, who, alive=alive, listeners=passed, control=None, notifier=notifier)
    return ExitCode.OK if well else ExitCode.FAILED


def _options(chosen: Chosen) -> Options:
    from sctune.config.load import load
    from sctune.exporters.prometheus.options import read_options

    config = load(chosen.config)
    return read_options(config, on=chosen.on, off=chosen.off, defaults=chosen.defaults, detail=chosen.detail)


def _local(options: Options) -> tuple[Source, Callable[[], bool]]:
    """What looks at this host from this very process, and whether it still can: the one place where it is made. Before any thread
    is."""
    from sctune.exporters.prometheus.local_source import local_source
    from sctune.host.live import LiveHost

    host = LiveHost(stays=True)
    return local_source(host, options), lambda: host.children.alive


def _beside(chosen: Chosen, uids: frozenset[int], passed: list[socket.socket]) -> tuple[Source, socket.socket]:
    """A collector in a process of its own, which keeps the rights this one is about to give up, and the socket that it lives by."""
    from sctune.exporters.prometheus.socket_source import through

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    parent = os.getpid()
    if os.fork() == 0:
        ours.close()
        for listener in passed:
            listener.close()
        _collect(chosen, uids, theirs, parent)
    theirs.close()
    return through(ours), ours


def _await_ready(lifeline: socket.socket) -> None:
    """Waits until the collector has read its configuration. Raises UserError for what is wrong with it."""
    said = b""
    while not said.endswith(_END) and (part := lifeline.recv(_CHUNK)):
        said += part
    if said == _END:
        return
    if not said.endswith(_END):
        raise UserError("the process that looks at this host has ended before it began", "the lines above may say why")
    message, _, hint = said.removesuffix(_END).decode("utf-8", "surrogateescape").partition("\0")
    raise UserError(message, hint)


def _collect(chosen: Chosen, uids: frozenset[int], control: socket.socket, parent: int) -> NoReturn:
    """The collector's process: it ends with the one it was started by, however that ends."""
    from sctune.exporters.prometheus.log import tell
    from sctune.exporters.prometheus.privileges import die_with_parent
    from sctune.exporters.prometheus.systemd import Notifier

    code = 1
    try:
        die_with_parent(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C goes to both, and the other one closes this one's socket
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            options = _options(chosen)
        except UserError as error:
            control.sendall(f"{error.message}\0{error.hint}".encode("utf-8", "surrogateescape") + _END)
            os._exit(code)
        from sctune.exporters.prometheus.peers import Allowed

        source, alive = _local(options)
        control.sendall(_END)
        if _answer(source, Allowed(uids=uids), alive=alive, listeners=[], control=control, notifier=Notifier({})):
            code = 0
    except UserError as error:
        tell(str(error))
    except Exception as error:  # the only place where it can still be told
        tell(f"the collector ended by a defect, please report: {type(error).__name__}: {error}")
    finally:
        os._exit(code)


def _answer(
    source: Source,
    who: Allowed,
    *,
    alive: Callable[[], bool],
    listeners: list[socket.socket],
    control: socket.socket | None,
    notifier: Notifier,
) -> bool:
    """Answers until it is told to end (True), or cannot look any more (False)."""
    from sctune.exporters.prometheus.collector_server import CollectorServer
    from sctune.exporters.prometheus.log import tell

    server = CollectorServer(source, who, listeners=listeners, control=control, alive=alive, tell=tell)
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    if control is None:
        signal.signal(signal.SIGINT, lambda *_: server.stop())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    notifier.ready()
    well = server.serve(every=notifier.every, ping=notifier.alive)
    notifier.stopping()
    return well
