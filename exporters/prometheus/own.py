"""What the exporter uses itself, under the names that every Prometheus client gives them: process_* and python_info.

prometheus_client has them too. Loading it costs 8 MB, an HTTP server and asyncio among it, and no more of it is needed.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from sctune.exporters.prometheus.metric import Kind, Metric
from sctune.host.own import own_figures

if TYPE_CHECKING:
    from sctune.exporters.prometheus.samples import Samples

_PROC = "proc(5) of the process that looks at the host, without its children"
PYTHON = Metric(
    name="python_info",
    about="Always 1; the Python that runs the exporter.",
    source="the interpreter",
    labels=("implementation", "major", "minor", "patchlevel", "version"),
)
_FIGURES = {
    "virtual": Metric(name="process_virtual_memory_bytes", about="Virtual memory.", source=_PROC),
    "resident": Metric(name="process_resident_memory_bytes", about="Resident memory.", source=_PROC),
    "started": Metric(name="process_start_time_seconds", about="When it started, since the epoch.", source=_PROC),
    "processor": Metric(
        name="process_cpu_seconds_total", about="Processor time, user and system.", source=_PROC, kind=Kind.COUNTER
    ),
    "open": Metric(name="process_open_fds", about="Open file descriptors.", source=_PROC),
    "most_open": Metric(name="process_max_fds", about="How many file descriptors may be open.", source=_PROC),
}
METRICS = (PYTHON, *_FIGURES.values())


def tell(samples: Samples) -> None:
    """Fills in what this process uses now."""
    implementation, version = platform.python_implementation(), platform.python_version()
    samples.add(PYTHON, 1.0, implementation, *platform.python_version_tuple(), version)
    for what, value in own_figures().items():
        samples.add(_FIGURES[what], value)
