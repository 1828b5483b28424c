"""Which parts of a Eucalyptus cloud are on this host. Pure.

What a process is, its arguments tell: the C components are web servers, each with a configuration file of its own; the Java
services (Cloud Controller, Walrus, Storage Controller, user-facing services) all live in one JVM, `eucalyptus-cloud`, whose
arguments do not say which of them it runs. The Cloud Controller is told by its database, Walrus by its buckets, a storage
controller by its volumes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.unavailable import Unavailable, known

if TYPE_CHECKING:
    from sctune.host.base import Process
    from sctune.inventory import Inventory

STORAGE_CONTROLLER = "storage-controller"
NODE_CONTROLLER = "node-controller"
"""The words of model.report.Role."""


class Component(StrEnum):
    """What a process of Eucalyptus belongs to."""

    CLOUD = "cloud"  # the JVM, and what starts it
    CLUSTER = "cc"
    NODE = "nc"
    OTHER = ""


def component_of(process: Process) -> Component:
    """What one of `Processes.eucalyptus` belongs to."""
    # The kernel cuts names after 15 characters: eucalyptus-clou.
    if process.name.startswith("eucalyptus-clou") or process.name == "java":
        return Component.CLOUD
    for component in (Component.NODE, Component.CLUSTER):
        if process.name == f"eucalyptus-{component}" or any(arg.endswith(f"httpd-{component}.conf") for arg in process.argv):
            return component
    return Component.OTHER


def processes_of(inventory: Inventory, component: Component) -> tuple[Process, ...]:
    """The running processes of a component; () where the process table is not known, too."""
    processes = known(inventory.processes)
    return tuple(process for process in (processes.eucalyptus if processes else ()) if component_of(process) is component)


def is_storage_controller(inventory: Inventory) -> bool:
    """Whether Eucalyptus' volumes lie here, or the configuration says so on a host of Eucalyptus."""
    if inventory.config.role is not None:
        return inventory.config.role == STORAGE_CONTROLLER and not isinstance(inventory.cloud, Unavailable)
    chains = known(inventory.chains)
    return any(chain.ours and chain.backend.name.startswith("eucalyptus") for chain in (chains.chains if chains else ()))


def is_node_controller(inventory: Inventory) -> bool | Unavailable:
    """Whether Eucalyptus' guests run here: its Node Controller does, or it is installed and QEMU runs. Unavailable where the
    process table, which tells, is not known."""
    if inventory.config.role is not None:
        return inventory.config.role == NODE_CONTROLLER
    processes = inventory.processes
    if isinstance(processes, Unavailable):
        return processes
    if processes_of(inventory, Component.NODE):
        return True
    return bool(processes.guests) and not isinstance(inventory.cloud, Unavailable)
