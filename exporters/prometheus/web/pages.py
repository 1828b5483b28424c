"""What is answered to which request: the samples, a page that links to them, and whether all is well."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.protocol import MOST_NAMES, is_name
from sctune.exporters.prometheus.source import Unanswered, Wanted
from sctune.exporters.prometheus.web.auth import Crowded
from sctune.exporters.prometheus.web.http import Refused
from sctune.exporters.prometheus.web.negotiate import OPENMETRICS, TEXT, takes_gzip, timeout_of, wants_openmetrics
from sctune.exporters.prometheus.web.runs import Busy
from sctune.records import dataclass, field
from sctune.report.sanitize import clean
from sctune.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sctune.exporters.prometheus.web.http import Request
    from sctune.exporters.prometheus.web.runs import Runs
    from sctune.exporters.prometheus.web.settings import InForce

PLAIN = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_RETRY = {"Retry-After": "1"}
FRESH = 10.0
"""Seconds for which an answer of the source says that it is there: /-/ready may be asked often, and costs no look for so long."""
_ASKED_ABOUT_READY = 5.0

_LANDING = f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>sctune exporter</title></head>
<body>
<h1>sctune exporter {VERSION}</h1>
<p>Volumes, snapshots, loop devices, LVM, iSCSI targets and sessions of this host, for Prometheus.</p>
<ul>
<li><a href="/metrics">Metrics</a></li>
<li><a href="/-/healthy">Healthy</a></li>
<li><a href="/-/ready">Ready</a></li>
</ul>
</body>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer. `headers` are those above its type, length and connection."""

    status: HTTPStatus
    body: bytes
    type: str = PLAIN
    headers: Mapping[str, str] = field(default_factory=dict)


def said(status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """One line in plain text."""
    return Response(status=status, body=f"{clean(message)}\n".encode("utf-8", "replace"), headers=headers or {})


class Pages:
    """Answers requests with what a source gives."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._paths: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/": self._landing,
            "/metrics": self._metrics,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
        }

    async def answer(self, request: Request, in_force: InForce) -> Response:
        """The answer, whatever is asked; nothing is raised."""
        try:
            return await self._answer(request, in_force)
        except Refused as refused:
            return said(refused.status, refused.message)
        except (Busy, Crowded):
            return said(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once: try again", _RETRY)
        except Unanswered as error:
            return said(HTTPStatus.BAD_REQUEST if error.asked_wrongly else HTTPStatus.SERVICE_UNAVAILABLE, error.message)
        except Exception as error:  # a defect costs this answer, not the exporter
            return said(HTTPStatus.INTERNAL_SERVER_ERROR, f"the exporter failed: {type(error).__name__}")

    async def _answer(self, request: Request, in_force: InForce) -> Response:
        if not in_force.bucket.take():
            return said(HTTPStatus.TOO_MANY_REQUESTS, "more requests than rate_limit lets in", _RETRY)
        if not await in_force.users.admits(request.headers.get("authorization")):
            return said(HTTPStatus.UNAUTHORIZED, "name and password needed", {"WWW-Authenticate": 'Basic realm="sctune"'})
        page = self._paths.get(request.path)
        if page is None:
            return said(HTTPStatus.NOT_FOUND, "nothing here: /metrics has the samples")
        if request.method not in ("GET", "HEAD"):
            return said(HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD are answered here", {"Allow": "GET, HEAD"})
        return await page(request)

    async def _landing(self, _request: Request) -> Response:
        return Response(status=HTTPStatus.OK, body=_LANDING.encode(), type=_HTML)

    async def _healthy(self, _request: Request) -> Response:
        return said(HTTPStatus.OK, "healthy")

    async def _metrics(self, request: Request) -> Response:
        wanted = wanted_by(request)
        compressed = takes_gzip(request.headers.get("accept-encoding", ""))
        body = await self._runs.get(wanted, compressed=compressed)
        headers = {"Vary": "Accept, Accept-Encoding"} | ({"Content-Encoding": "gzip"} if compressed else {})
        return Response(status=HTTPStatus.OK, body=body, type=OPENMETRICS if wanted.openmetrics else TEXT, headers=headers)

    async def _ready(self, _request: Request) -> Response:
        """Ready from the first answer of the source on, for as long as it goes on answering."""
        answered = self._runs.answered
        if answered is None and not self._runs.failure:
            return said(HTTPStatus.SERVICE_UNAVAILABLE, "the first look at the host is not done yet")
        if self._runs.failure or answered is None or time.monotonic() - answered > FRESH:
            try:
                await asyncio.wait_for(self.look(_ASKED_ABOUT_READY), 2 * _ASKED_ABOUT_READY)
            except TimeoutError:
                raise Unanswered("no answer") from None
        return said(HTTPStatus.OK, "ready")

    async def look(self, timeout: float) -> None:
        """One scrape of everything, for what it tells of the source. Raises Unanswered and Busy."""
        await self._runs.get(Wanted(timeout=timeout), compressed=False)


def wanted_by(request: Request) -> Wanted:
    """What a request for samples asks for. Raises Refused."""
    collect, exclude = (tuple(sorted(set(request.all(name)))) for name in ("collect[]", "exclude[]"))
    if collect and exclude:
        raise Refused(HTTPStatus.BAD_REQUEST, "collect[] and exclude[] do not go together: give one of them")
    if len(collect) + len(exclude) > MOST_NAMES:
        raise Refused(HTTPStatus.BAD_REQUEST, f"more than {MOST_NAMES} collectors named")
    for name in collect + exclude:
        if not is_name(name):
            raise Refused(HTTPStatus.BAD_REQUEST, f"unknown collector {name[:40]!r}")
    return Wanted(
        collect=collect,
        exclude=exclude,
        timeout=timeout_of(request.headers.get("x-prometheus-scrape-timeout-seconds")),
        openmetrics=wants_openmetrics(request.headers.get("accept", "")),
    )
