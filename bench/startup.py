"""How long until sctune says its first word, against a Python that does nothing.

    python bench/startup.py [SCTUNE]      (default: the sctune beside this Python)

Fails when `--version` takes more than 2 times, or `--help` more than 10 times as long as `python3 -c pass`.
"""

from __future__ import annotations

import os
import sys

from measure import interleaved, ratio, row

LIMITS = {"sctune --version": 2.0, "sctune --help": 10.0}
PEER = "python3 -c pass"


def main() -> int:
    """Measures and judges."""
    sctune = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(sys.executable), "sctune")
    python = os.path.join(os.path.dirname(sctune), "python")
    times = interleaved(
        {PEER: [[python, "-c", "pass"]], "sctune --version": [[sctune, "--version"]], "sctune --help": [[sctune, "--help"]]},
        runs=21,
    )
    failed = False
    for name, measured in times.items():
        if name == PEER:
            print(row(name, measured))
            continue
        factor, limit = ratio(times, name, PEER), LIMITS[name]
        failed |= factor > limit
        print(f"{row(name, measured)}   {factor:.2f} x (at most {limit:g} x)")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
