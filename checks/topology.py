"""What else of the cloud runs on the machine that serves its volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.components import Component, is_storage_controller, processes_of
from sctune.findings import HOST, Code, Risk, Severity, evidence
from sctune.probes.mounts import find_mount
from sctune.probes.walrus import folder_of
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory

TOPOLOGY_SC_SHARED = Code(
    code="TOPOLOGY_SC_SHARED",
    severities=(Severity.WARNING,),
    title="The Storage Controller shares its machine with other parts of the cloud",
    meaning="Volumes are served from this host, and the Cloud Controller, Walrus, a Cluster Controller or a Node Controller runs "
    "on it as well.",
    why="They want the same disks, memory and processors. The Cloud Controller's database waits for the disk at every commit. "
    "Walrus reads and writes whole images and snapshots, and a snapshot's upload is then read and written on the same machine. "
    "Guests take memory, which is what the page cache serves volumes from, and write to the instances' folder. A machine that "
    "fails takes the cloud's volumes with it, and one that is started again has volumes to export before anybody can ask for "
    "them. A machine with everything on it (FastStart) is meant for trying Eucalyptus, not for running it.",
    thresholds="Eucalyptus' volumes lie here, and at least one of these is seen: a PostgreSQL server on /var/lib/eucalyptus/db "
    "(the Cloud Controller's database), buckets in Walrus' folder while eucalyptus-cloud runs, a web server with httpd-cc.conf "
    "(Cluster Controller), one with httpd-nc.conf or QEMU processes (Node Controller). What runs inside eucalyptus-cloud besides "
    "cannot be told: the user-facing services, or a Walrus that has no bucket yet.",
    see=(
        "ps -eo pid,rss,args | grep -e eucalyptus -e httpd- -e postgres -e qemu",
        "ls /var/lib/eucalyptus/bukkits",
        "euserv-describe-services --group-by-host   # 4.2 and later; before: euca-describe-services",
    ),
    remedy="Give the Storage Controller a machine of its own; the Node Controller first, then Walrus, then the Cloud Controller. "
    "Until then keep them apart as far as one machine allows: the volumes folder on disks of its own, a bound for the JVM's heap "
    "(JVM_HEAP_LARGE), and memory that guests may not have.",
    risk=Risk.DISRUPTIVE,
    source="Eucalyptus installation guide (Plan Your Hardware; FastStart); eucalyptus setup_db.groovy, WalrusProperties.java, "
    "cluster/eucalyptus-cluster.in, node/eucalyptus-node.in",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A part of the cloud beside the Storage Controller, and how it was told."""

    name: str
    seen: str


def run(look: Look) -> Result:
    """Neighbours of the Storage Controller."""
    inventory = look.inventory
    if not is_storage_controller(inventory):
        return not_applicable("no volume of Eucalyptus lies here")
    need(inventory.processes)
    neighbours = _neighbours(inventory)
    buckets = inventory.buckets
    unexamined = (Unexamined.of(buckets),) if isinstance(buckets, Unavailable) and buckets.reason is not Reason.ABSENT else ()
    if not neighbours:
        return Result(examined=1, unexamined=unexamined)
    names = [neighbour.name for neighbour in neighbours]
    whole = len(names) == len(_KINDS)
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    finding = TOPOLOGY_SC_SHARED.found(
        HOST,
        "the whole cloud runs on this machine: its volumes share disks and memory with guests, images and the database"
        if whole
        else f"the Storage Controller shares this machine with {listed}: its volumes have to share disks and memory",
        evidence(
            neighbours=tuple(f"{neighbour.name}: {neighbour.seen}" for neighbour in neighbours),
            source="process table" + (f", {folder_of(known(inventory.cloud))}" if known(buckets) else ""),
        ),
    )
    return Result(examined=1, findings=(finding,), unexamined=unexamined)


_KINDS = (
    CLOUD_CONTROLLER := "the Cloud Controller",
    WALRUS := "Walrus",
    CLUSTER_CONTROLLER := "a Cluster Controller",
    NODE_CONTROLLER := "a Node Controller",
)


def _neighbours(inventory: Inventory) -> tuple[Neighbour, ...]:
    found: list[Neighbour] = []
    processes = need(inventory.processes)
    for server in processes.databases[:1]:
        found.append(Neighbour(name=CLOUD_CONTROLLER, seen=f"its database server, process {server.pid}"))
    count = known(inventory.buckets)
    if count:
        folder = folder_of(known(inventory.cloud))
        buckets = "1 bucket" if count == 1 else f"{count} buckets"
        found.append(Neighbour(name=WALRUS, seen=f"{buckets} in {folder}{_same_disk(inventory, folder)}"))
    for process in processes_of(inventory, Component.CLUSTER)[:1]:
        found.append(Neighbour(name=CLUSTER_CONTROLLER, seen=f"its web server, process {process.pid}"))
    seen = [f"its web server, process {process.pid}" for process in processes_of(inventory, Component.NODE)[:1]]
    if processes.guests:
        guests = len(processes.guests)
        seen.append("1 guest (QEMU)" if guests == 1 else f"{guests} guests (QEMU)")
    if seen:
        found.append(Neighbour(name=NODE_CONTROLLER, seen=", ".join(seen)))
    return tuple(found)


def _same_disk(inventory: Inventory, folder: str) -> str:
    """Whether a folder lies on the file system of the volumes, in words."""
    cloud, mounts = known(inventory.cloud), known(inventory.mounts)
    if cloud is None or mounts is None:
        return ""
    own, volumes = find_mount(mounts, folder), find_mount(mounts, cloud.volumes_folder)
    shared = own is not None and volumes is not None and own.device == volumes.device
    return ", on the volumes' file system" if shared else ""


CHECKS: tuple[Check, ...] = (
    Check(
        name="topology",
        title="The Storage Controller has its machine for itself",
        codes=(TOPOLOGY_SC_SHARED,),
        needs=("chains", "cloud", "processes", "buckets", "mounts"),
        run=run,
    ),
)
