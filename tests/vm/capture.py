"""Keeps a state of the test machine as a scenario, which is looked at again on every test run (tests/scenarios).

A scenario is a folder: ``host.tar.gz``, what ``sctune capture`` wrote in the machine; ``sctune.yaml``, where the doctor was given a
configuration; ``doctor.json``, what the doctor says of it (written by ``pytest tests/scenarios --update-golden``).
"""

from __future__ import annotations

import base64
import gzip
import io
import shlex
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from .hosts.tgt import SECRET
from .verdict import SCTUNE

if TYPE_CHECKING:
    from .machine import Machine

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "tests" / "scenarios"
CAPTURE_SECONDS = 180.0
# A recording tells of the machine it shows, not of the one that ran it.
NEUTRAL = ((str(ROOT), "/srv/sctune"), (str(Path.home() / ".cache"), "/var/cache"), (sys.base_prefix, "/usr"))


def keep(machine: Machine, name: str, options: str = "") -> None:
    """Captures the machine as it is now into the scenario *name*."""
    file = "/run/sctune-capture.tar.gz"
    done = machine.run(f"rm -f {file}; {SCTUNE} capture {options} -o {file}", timeout=CAPTURE_SECONDS)
    assert done.status in {0, 3}, done.stderr
    folder = SCENARIOS / name
    folder.mkdir(exist_ok=True)
    (folder / "host.tar.gz").write_bytes(_neutral(base64.b64decode(machine.check(f"base64 {file}"))))
    words = shlex.split(options)
    if "--config" in words:
        (folder / "sctune.yaml").write_text(machine.check(f"cat {words[words.index('--config') + 1]}"))


def _neutral(data: bytes) -> bytes:
    """The same archive without this machine's paths, and the same bytes for the same content: no owner, no time."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as source,
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            file = source.extractfile(member)
            content = file.read() if file is not None else b""
            assert SECRET.encode() not in content, f"the secret is in {member.name}"
            for ours, neutral in NEUTRAL:
                content = content.replace(ours.encode(), neutral.encode())
            plain = tarfile.TarInfo(member.name)
            plain.type, plain.size, plain.mode = member.type, len(content), 0o644 if member.isfile() else 0o755
            target.addfile(plain, io.BytesIO(content) if member.isfile() else None)
    return packed.getvalue()
