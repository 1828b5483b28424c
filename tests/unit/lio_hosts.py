"""Hosts with LIO: the trees that were recorded in tests/data/lio."""

from __future__ import annotations

import json
from pathlib import Path

from sctune.host.base import FileKind, FileStat
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

DATA = Path(__file__).parent.parent / "data" / "lio"
ROOT = "/sys/kernel/config/target"
VOLUME_ID = "5f6b3dc5-9a41-4c1e-8a53-000000000015"
VOLUME = f"volume-{VOLUME_ID}"
VOLUME_IQN = f"iqn.2010-10.org.openstack:{VOLUME}"
FILE_IQN = "iqn.2003-01.org.linux-iscsi.lab:file"
DEMO_IQN = "iqn.2003-01.org.linux-iscsi.lab:demo"
INITIATOR = "iqn.1993-08.org.debian:01:5ca1ab1e"
FILE = "/srv/disks/lio.img"
NODE_STAT = FileStat(kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=99, mtime=0.0, rdevice=(253, 0))
FILE_STAT = FileStat(kind=FileKind.FILE, size=1 << 30, allocated=0, device=2, inode=12, mtime=0.0)


def recorded(name: str, host: FakeHost | None = None) -> FakeHost:
    """The host with LIO's part of configfs as it was recorded."""
    host = FakeHost() if host is None else host
    for path, answer in json.loads((DATA / f"{name}.json").read_text()).items():
        at = f"{ROOT}/{path}"
        if "link" in answer:
            host.links[at] = answer["link"]
        elif "error" in answer:
            host.files[at] = Unavailable(reason=Reason.FAILED, what=at, detail=answer["error"])
        else:
            host.files[at] = answer["text"]
    host.stats |= {FILE: FILE_STAT, f"/dev/lio/{VOLUME}": NODE_STAT}
    return host
