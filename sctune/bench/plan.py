"""What a benchmark will do, before anything is done. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sctune.bench.model import OF_ISCSI_PERF, READING, WRITING, Job, Layer, Options, Served, Tool
from sctune.host.flushing import SPARE, SPARE_SHARE
from sctune.model.units import MIB
from sctune.records import dataclass
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sctune.host.base import FilesystemSpace

LEAST = 16 * MIB
"""LVM takes 4 MiB of it and rounds to as much again; less would measure nothing."""
FOR_LVM = 8 * MIB
_START = 1.5
"""Seconds a run takes beside its time: starting, flushing what is left."""
_PREFILL = 50 * MIB
"""Bytes a second that the estimate takes for writing the file."""


class Do(StrEnum):
    """A step."""

    MAKE_FILE = "make-file"
    ATTACH = "attach"
    MAKE_LV = "make-lv"
    EXPORT = "export"
    MEASURE = "measure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`layer` is the one to measure, or the one that is made; `jobs` what is done to it."""

    do: Do
    layer: Layer
    tool: Tool = Tool.FIO
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a scratch benchmark stands on. `space` is that of the store; the others are reasons why a layer cannot be had, or what
    it needs. `engines` are fio's."""

    space: FilesystemSpace | Unavailable
    engines: frozenset[str]
    tools: Mapping[str, bool]
    loops: str
    device_mapper: str
    served: Served | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in their order, layers that cannot be had and why, how long it takes (seconds, about), and why nothing is done at all
    ("" where it can be)."""

    steps: tuple[Step, ...] = ()
    left_out: tuple[tuple[Layer, str], ...] = ()
    seconds: float = 0.0
    refusal: str = ""
    hint: str = ""


_MAKES = {Layer.FILE: Do.MAKE_FILE, Layer.LOOP: Do.ATTACH, Layer.LV: Do.MAKE_LV, Layer.TARGET: Do.EXPORT}
_SCRATCH = tuple(_MAKES)


def plan(ground: Ground, options: Options) -> Plan:
    """The steps of a benchmark of scratch volumes. A layer is made where it or one above it is measured, and can be left out from
    under one above it: a target is on the LV, or on the loop device where there can be none."""
    wanted = options.layers or _SCRATCH
    if strange := [one for one in wanted if one not in _SCRATCH]:
        return Plan(refusal=f"a scratch volume has no layer {strange[0].value}", hint="Name a volume to measure that of it.")
    if refused := _no_room(ground.space, options.size):
        return refused
    reasons = {layer: why for layer, why in _reasons(ground, options).items() if why}
    highest = max((_SCRATCH.index(one) for one in wanted if one not in reasons), default=-1)
    steps: list[Step] = []
    for layer in _SCRATCH[: highest + 1]:
        if layer in reasons:
            continue
        if layer is not Layer.LV or Layer.LV in wanted or Layer.TARGET in wanted:
            steps.append(Step(do=_MAKES[layer], layer=layer))
        if layer in wanted:
            tool = _tool(layer, ground)
            steps.append(Step(do=Do.MEASURE, layer=layer, tool=tool, jobs=READING if options.read_only else WRITING))
    left_out = tuple((one, reasons[one]) for one in _SCRATCH if one in wanted and one in reasons)
    if not any(step.do is Do.MEASURE for step in steps):
        return Plan(left_out=left_out, refusal="nothing of it can be measured: " + "; ".join(why for _, why in left_out))
    return Plan(steps=tuple(steps), left_out=left_out, seconds=seconds(steps, options))


def seconds(steps: Sequence[Step], options: Options) -> float:
    """About how long it takes."""
    runs = sum(len([job for job in step.jobs if can(step.tool, job)]) for step in steps if step.do is Do.MEASURE) * options.runs
    filled = options.size / _PREFILL if any(step.do is Do.MAKE_FILE for step in steps) else 0.0
    return runs * (options.ramp + options.runtime + _START) + filled


def can(tool: Tool, job: Job) -> bool:
    """Whether a tool does a job."""
    return tool is not Tool.ISCSI_PERF or job in OF_ISCSI_PERF


def _tool(layer: Layer, ground: Ground) -> Tool:
    if layer is not Layer.TARGET:
        return Tool.FIO
    return Tool.FIO_LIBISCSI if "libiscsi" in ground.engines else Tool.ISCSI_PERF


def _no_room(space: FilesystemSpace | Unavailable, size: int) -> Plan | None:
    if isinstance(space, Unavailable):
        return Plan(refusal=f"the store could not be looked at: {space}", hint="Name another folder with --in.")
    spare = max(SPARE, int(space.total * SPARE_SHARE))
    if space.available < size + spare:
        room = max(0, space.available - spare) // MIB
        return Plan(
            refusal=f"too little room: {size // MIB} MiB would leave less than 1 GiB or 5 % of the file system free",
            hint=f"There is room for --size {room}MiB." if room * MIB >= LEAST else "Name another folder with --in.",
        )
    return None


def _reasons(ground: Ground, options: Options) -> dict[Layer, str]:
    """Why a layer cannot be had; "" where it can. One that stands on another needs that too."""
    no_tool = {tool: f"{tool} is not installed" for tool, found in ground.tools.items() if not found}
    loop = ground.loops or no_tool.get("losetup", "")
    lv = loop or ground.device_mapper or no_tool.get("lvm") or no_tool.get("dmsetup", "")
    if not lv and options.size < LEAST + FOR_LVM:
        lv = "too small for LVM"
    target = loop or (ground.served if isinstance(ground.served, str) else "") or no_tool.get("tgtadm", "")
    if not target and "libiscsi" not in ground.engines and (lacks := no_tool.get("iscsi-perf")):
        target = f"fio has no libiscsi engine here, and {lacks} (package libiscsi-bin)"
    return {Layer.FILE: "", Layer.LOOP: loop, Layer.LV: lv, Layer.TARGET: target}
