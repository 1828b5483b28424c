"""Debian's own `sos report` in the machine, and what is kept of its archive as a scenario.

An archive of one machine is a megabyte, most of it about the kernel's modules and the host's udev. What is kept is what a look may
ask for, as sos wrote it, and of the manifest what tells of these.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import tarfile
from typing import TYPE_CHECKING, Any

from .capture import NEUTRAL, SCENARIOS
from .hosts.tgt import SECRET

if TYPE_CHECKING:
    from .machine import Machine

PLUGINS = "block,lvm2,devicemapper,iscsi,iscsitarget,kernel,process,memory,filesys,host,date"
SECONDS = 600.0
_KEPT = re.compile(
    r"sos_reports/manifest\.json|version\.txt"
    r"|sos_commands/(?:block/(?:ls_-lanR|udevadm_info_-a|losetup)|date/|devicemapper/dmsetup_|filesys/df_|host/(?:hostname|uptime)$"
    r"|iscsi/iscsiadm_-m_session|kernel/(?:dmesg|sysctl|uname)|lvm2/(?:pvs|vgs|lvs|vgdisplay)_|memory/free|process/ps_axo)"
    r"|etc/(?:lvm/lvm(?:local)?\.conf|lvm/(?:archive|backup)|iscsi|sysctl|fstab|mtab|localtime|hostname|tgt|eucalyptus)"
    r"|proc/(?:partitions|stat|meminfo|vmstat|mounts|self|[0-9]+/(?:mountinfo|mounts)|diskstats|cmdline|1/)"
    r"|sys/block/[^/]+/queue|sys/kernel/mm/transparent_hugepage|sys/module/loop"
)
_QUEUE = re.compile(
    r"sys/block/(?!.*/(?:scheduler|rotational|read_ahead_kb|nr_requests|write_cache|logical_block_size)$).*/queue/.+"
)


def archive_of(machine: Machine, plugins: str = PLUGINS) -> bytes:
    """Makes an archive of the machine as it is now."""
    folder = "/run/sos"
    machine.check(f"rm -rf {folder}; mkdir {folder}")
    machine.check(f"sos report --batch --tmp-dir {folder} -o {plugins} --plugin-timeout 300 --threads 2", timeout=SECONDS)
    return base64.b64decode(machine.check(f"base64 {folder}/*.tar.xz"))


def keep(data: bytes, name: str) -> None:
    """Keeps what a look may ask for of an archive as the scenario *name*."""
    folder = SCENARIOS / name
    folder.mkdir(exist_ok=True)
    (folder / "host.tar.gz").write_bytes(reduced(data))


def reduced(data: bytes) -> bytes:
    """The archive without what no look asks for and without this machine's paths."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as source,
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        names = {member.name.partition("/")[2] for member in source.getmembers()}
        kept = {name for name in names if _KEPT.match(name) and not _QUEUE.match(name)}
        # A mount table for each process is in it: of those only the one that sos read as its own.
        own = source.getmember(next(one for one in source.getnames() if one.endswith("/proc/self"))).linkname
        kept = {name for name in kept if not re.match(rf"proc/(?!(?:1|{own})/)[0-9]+/", name)}
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            name = member.name.partition("/")[2]
            if name not in kept or member.isdir():
                continue
            plain = tarfile.TarInfo(member.name)
            plain.type, plain.linkname, plain.mtime, plain.mode = member.type, member.linkname, member.mtime, 0o644
            file = source.extractfile(member) if member.isfile() else None
            content = file.read() if file is not None else b""
            if name == "sos_reports/manifest.json":
                content = json.dumps(_manifest(json.loads(content), kept), indent=1).encode()
            for ours, neutral in NEUTRAL:
                content = content.replace(ours.encode(), neutral.encode())
            assert SECRET.encode() not in content, f"the secret is in {name}"
            plain.size = len(content)
            target.addfile(plain, io.BytesIO(content))
    return packed.getvalue()


def _manifest(manifest: dict[str, Any], kept: set[str]) -> dict[str, Any]:
    for plugin in manifest["components"]["report"]["plugins"].values():
        plugin["commands"] = [one for one in plugin["commands"] if one["filepath"] in kept]
        for file in plugin["files"]:
            file["files_copied"] = [name for name in file["files_copied"] if name in kept]
    return manifest
