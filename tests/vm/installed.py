"""The checkout installed in the machine as a package installs it: /usr/bin/sctune, the units, and the group they name.

Interpreter, packages and checkout are bound below /opt: where they lie on the host (a home, /tmp) a unit may not look.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
UNITS = ("collector", "exporter")
SERVICES = " ".join(f"sctune-{unit}.service" for unit in UNITS)
START = (
    f"systemctl daemon-reload; systemctl start {' '.join(f'sctune-{unit}.socket' for unit in UNITS)} && systemctl start {SERVICES}"
)
"""The sockets and what answers on them, with what the units' files say now."""
START_SECONDS = 60.0
_ROOT = "/opt/sctune"
_BOUND = {"python": sys.base_prefix, "packages": sysconfig.get_path("purelib"), "checkout": str(CHECKOUT)}
_COMMAND = f"""#!/bin/sh
export LD_LIBRARY_PATH={_ROOT}/python/lib PYTHONPATH={_ROOT}/checkout:{_ROOT}/packages
exec {_ROOT}/python/bin/python3 -P -m tests.vm.patient "$@"
"""


def install() -> Iterator[str]:
    """Shell lines; in a machine with systemd."""
    for name, source in _BOUND.items():
        yield f"mkdir -p {_ROOT}/{name}; mount --bind {Path(source).resolve()} {_ROOT}/{name}"
    yield f"cat > /usr/bin/sctune <<'END'\n{_COMMAND}END\nchmod 755 /usr/bin/sctune"
    yield f"cp {CHECKOUT}/packaging/systemd/sctune-*.service {CHECKOUT}/packaging/systemd/sctune-*.socket /usr/lib/systemd/system/"
    yield f"cp {CHECKOUT}/packaging/systemd/sctune-*.timer /usr/lib/systemd/system/"
    yield f"cp {CHECKOUT}/packaging/systemd/sctune.sysusers.conf /usr/lib/sysusers.d/sctune.conf"
    yield f"cp {CHECKOUT}/packaging/systemd/sctune.catalog /usr/lib/systemd/catalog/; journalctl --update-catalog"
    yield "systemd-sysusers 2>/dev/null; systemctl daemon-reload"
