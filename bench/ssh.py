"""`sctune doctor --host` over a link with a round trip of 50 ms.

    python bench/ssh.py [--runs 7] [--milliseconds 50] [--volumes 20]

The host is this machine, over an sshd of its own on loopback and a proxy that is as slow as such a link (slow_link.py). Beside it
stand what any command over ssh costs there (`ssh HOST true`), the same look without the link, and a look without ssh.
Three states of the host: as it is; with volumes on loop devices and targets in a tgtd of its own, whose load takes two readings
with more than a second between them; and with one volume whose file is gone, which wants a second look and so a second connection.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import interleaved, row
from slow_link import slow_link

from tests.live.conftest import GIB, Loops, forget_sockets, start_tgtd
from tests.live.sshd import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 3.0
_CONTROL_PORT = 77


@contextmanager
def volumes(folder: Path, count: int, *, lost: bool) -> Iterator[None]:
    """So many loop devices on files, each a target's LUN; with `lost` the first one's file is deleted."""
    folder.mkdir()
    with closing(Loops(folder=folder)) as loops:
        tgt = start_tgtd(_CONTROL_PORT)
        try:
            for number in range(count):
                file = loops.file(f"disk-{number}", GIB)
                tgt.target(loops.attach(file))
                if lost and number == 0:
                    file.unlink()
            yield
        finally:
            tgt.kill()
            forget_sockets(_CONTROL_PORT)


def main() -> int:
    """Measures; fails where the median of a look that needs one connection is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--milliseconds", type=float, default=50.0)
    parser.add_argument("--volumes", type=int, default=20)
    chosen = parser.parse_args()
    if os.geteuid() != 0:
        print("needs root: loop devices, an sshd, a tgtd")
        return 1
    doctor = [sys.executable, "-m", "sctune", "doctor", "--config", "/dev/null"]
    failed = []
    with tempfile.TemporaryDirectory(prefix="sctune-bench-") as top, ExitStack() as stack:
        sshd = stack.enter_context(serve(Path(top) / "sshd"))
        far = stack.enter_context(slow_link(sshd.port, chosen.milliseconds / 1000))
        os.environ["PATH"] = f"{sshd.folder}/bin:{os.environ['PATH']}"
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
        slow = f"ssh://us:{far}"
        variants = {
            "ssh HOST true": [["ssh", "-T", "-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none", slow, "true"]],
            "doctor --host": [[*doctor, "--host", slow]],
            "doctor --host, without the link": [[*doctor, "--host", "us"]],
            "doctor": [doctor],
        }
        states = {
            "as it is": None,
            f"{chosen.volumes} volumes": False,
            f"{chosen.volumes} volumes, one's file deleted": True,
        }
        for number, (state, lost) in enumerate(states.items()):
            with ExitStack() as made:
                if lost is not None:
                    made.enter_context(volumes(Path(top) / str(number), chosen.volumes, lost=lost))
                times = interleaved(variants, runs=chosen.runs)
            print(f"{state}, {chosen.milliseconds:g} ms a round trip, load {os.getloadavg()[0]:.1f}:")
            for name, seconds in times.items():
                print(row(f"  {name}", seconds))
            if not lost and statistics.median(times["doctor --host"]) > LIMIT:
                failed.append(state)
    for state in failed:
        print(f"FAILED: {state}: a look takes more than {LIMIT:g} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
