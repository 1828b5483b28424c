"""Faults of a volume store on a network file system: NFS, with the machine as its own server."""

from __future__ import annotations

from tests.vm.hosts.overlay import ROOT, STORE

from .base import Expected, HostFault
from .stores import SCRATCH, found, without_snapshot

NFS_SERVER = "/srv/nfs"
"""The folder that the machine exports to itself."""


def _nfs() -> list[str]:
    """The machine's own NFS server, exporting a folder of the scratch disk to itself, and the store on it."""
    return [
        f"mkdir -p {NFS_SERVER}",
        # The scratch disk becomes what the server exports; the store is the client's mount.
        f"umount {ROOT}",
        f"mount {SCRATCH} {NFS_SERVER}",
        "modprobe -a nfsd nfs nfsv3",
        "mkdir -p /proc/fs/nfsd /var/lib/nfs/rpc_pipefs /run/rpcbind",
        "mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd",
        "mountpoint -q /var/lib/nfs/rpc_pipefs || mount -t rpc_pipefs sunrpc /var/lib/nfs/rpc_pipefs",
        "rpcbind -w",
        f"exportfs -o rw,no_root_squash,no_subtree_check,insecure,fsid=1 127.0.0.1:{NFS_SERVER}",
        "rpc.mountd",
        "rpc.nfsd 2",
        f"mount -t nfs -o vers=3,nolock 127.0.0.1:{NFS_SERVER} {ROOT}",
    ]


FAULTS: tuple[HostFault, ...] = (
    HostFault(
        name="store-on-nfs",
        before=tuple(_nfs()),
        breaks=lambda _volumes: [],
        expects=found("STORE_NETWORK_FILESYSTEM", "warning"),
        facts=lambda _volumes: [f"test $(stat -f -c %T {STORE}) = nfs"],
        rare=True,
    ),
    HostFault(
        name="store-nfs-server-stopped",
        before=tuple(_nfs()),
        build=without_snapshot,
        breaks=lambda _volumes: ["rpc.nfsd 0"],
        expects=lambda _volumes: (
            Expected(code="STORE_UNREACHABLE", severity="critical", subject=ROOT),
            Expected(code="STORE_NETWORK_FILESYSTEM", severity="warning", subject=ROOT),
        ),
        facts=lambda _volumes: [f"timeout -s KILL 2 stat -f {STORE}; test $? = 137"],
    ),
)
