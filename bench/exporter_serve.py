"""Serves the exporter's samples of this machine on a loopback port; prints that and its pid: for bench/exporter.py.

The bare server of Python's library around the collectors, so that what is measured is the looking and the text.
"""

from __future__ import annotations

import http.server
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from sctune.config.model import Config
from sctune.exporters.prometheus.local_source import local_source
from sctune.exporters.prometheus.options import read_options
from sctune.exporters.prometheus.source import Wanted
from sctune.host.choose import open_host
from sctune.records import replace


def main() -> None:
    """Serves until it is ended. `--no-detail`: without a series for each object."""
    host = open_host(None, None)
    options = read_options(Config(loop_limit=10**6), detail="--no-detail" not in sys.argv)
    source = local_source(host, replace(options, interval=0.0))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = source.scrape(Wanted(openmetrics="openmetrics" in self.headers.get("Accept", "")))
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], os.getpid(), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
