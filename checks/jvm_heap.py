"""How much of a storage controller's memory its JVM may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.components import Component, is_storage_controller, processes_of
from sctune.findings import Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.jvm import default_heap, heap_of
from sctune.model.units import size_words
from sctune.probes.cloud_options import PATH
from sctune.records import dataclass
from sctune.tgt_state import service_command
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from sctune.inventory import Inventory
    from sctune.model.cloud import JvmHeap

JVM_HEAP_LARGE = Code(
    code="JVM_HEAP_LARGE",
    severities=(Severity.INFO,),
    title="The cloud's JVM may take more than half of the memory",
    meaning="eucalyptus-cloud may grow its heap to more than half of the memory of a host that serves volumes.",
    why="Volumes of the overlay backend are read and written through the page cache, which has what memory is left. The JVM takes "
    "its heap at the start (-Xms is the same as -Xmx by default) and gives none of it back, so reads come from disk that could "
    "have come from memory, and less may be dirty at a time. A Storage Controller by itself needs little of it.",
    thresholds="The heap's bound is more than half of all memory (jvm_heap). Read from the arguments of the running "
    "eucalyptus-cloud, or from CLOUD_OPTS where it does not run. Where neither sets one: 1 GiB before Eucalyptus 4.0, 2 GiB in "
    "4.0 and 4.1; from 4.2 on half of the memory rounded up to whole GiB, 2 GiB below 4 and 16 GiB above 32. The rounding is what "
    "makes it more than half.",
    see=(
        "ps -o pid,rss,args -C eucalyptus-cloud",
        "grep CLOUD_OPTS /etc/eucalyptus/eucalyptus.conf",
        "journalctl -b -u eucalyptus-cloud | grep 'heap size'   # from 4.2 on",
        "free -h",
    ),
    remedy='On a host that is a Storage Controller alone, bound the heap: CLOUD_OPTS="-Xms2g -Xmx2g" in '
    "/etc/eucalyptus/eucalyptus.conf, with whatever else stands there, and restart eucalyptus-cloud when no snapshot is being "
    "made. Less than 1 GiB is too little. Where the Cloud Controller runs on it as well (TOPOLOGY_SC_SHARED), it needs what it "
    "has.",
    risk=Risk.DISRUPTIVE,
    source="eucalyptus clc/modules/bootstrap/src/main/native/eucalyptus-bootstrap.c (java_init), arguments.ggo.in (jvm-args)",
)
_JVM = Subject(kind=SubjectKind.PROCESS, id="eucalyptus-cloud")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """How large the heap may grow, what says so, and where that was read."""

    size: int
    said_by: str
    source: str


def run(look: Look) -> Result:
    """The heap against the memory."""
    inventory = look.inventory
    if not is_storage_controller(inventory):
        return not_applicable("no volume of Eucalyptus lies here")
    memory = need(inventory.memory).total
    bound = _bound(inventory, memory)
    if isinstance(bound, Unavailable):
        if bound.reason is Reason.ABSENT:
            return not_applicable(bound.detail)
        return Result(examined=0, unexamined=(Unexamined.of(bound),))
    share = bound.size / memory
    if share <= look.config.thresholds.jvm_heap:
        return Result(examined=1)
    finding = JVM_HEAP_LARGE.found(
        _JVM,
        f"eucalyptus-cloud may take {size_words(bound.size)} of {size_words(memory)} for its heap; the page cache, which serves "
        "volumes, has the rest",
        evidence(
            heap=bound.size,
            memory=memory,
            share=round(share, 3),
            limit=look.config.thresholds.jvm_heap,
            set_by=bound.said_by,
            source=f"{bound.source}, /proc/meminfo",
        ),
        commands=(f"grep -n CLOUD_OPTS {PATH}", service_command(inventory, "eucalyptus-cloud", "restart")),
    )
    return Result(examined=1, findings=(finding,))


def _bound(inventory: Inventory, memory: int) -> _Bound | Unavailable:
    running = processes_of(inventory, Component.CLOUD)
    # A parent may have the same arguments; the JVM is the one with the threads.
    process = max(running, key=lambda process: process.threads, default=None)
    if process is not None:
        if not process.argv:
            return Unavailable(reason=Reason.FAILED, what=f"arguments of process {process.pid}", detail="they are not told")
        return _of(heap_of(process.argv[1:]), inventory, memory, f"arguments of process {process.pid}")
    options = inventory.cloud_options
    if isinstance(options, Unavailable):
        if options.reason is Reason.NOT_COLLECTED and not isinstance(inventory.processes, Unavailable):
            return Unavailable(reason=Reason.ABSENT, what="eucalyptus-cloud", detail="eucalyptus-cloud does not run")
        absent = options.reason is Reason.ABSENT
        return Unavailable(reason=options.reason, what=PATH, detail=f"there is no {PATH}" if absent else options.detail)
    return _of(options.heap, inventory, memory, PATH)


def _of(heap: JvmHeap | None, inventory: Inventory, memory: int, source: str) -> _Bound | Unavailable:
    if heap is not None:
        return _Bound(size=heap.size, said_by=heap.word, source=source)
    cloud = known(inventory.cloud)
    version = cloud.version if cloud is not None else ""
    size = default_heap(version, memory)
    if size is None:
        why = f"{source}: no -Xmx, and the default of version {version or 'unknown'} is not known"
        return Unavailable(reason=Reason.FAILED, what="heap of eucalyptus-cloud", detail=why)
    return _Bound(size=size, said_by=f"default of Eucalyptus {version}", source=source)


CHECKS: tuple[Check, ...] = (
    Check(
        name="jvm-heap",
        title="The cloud's JVM leaves memory to the page cache",
        codes=(JVM_HEAP_LARGE,),
        needs=("chains", "cloud", "processes", "cloud_options", "memory", "units"),
        run=run,
    ),
)
