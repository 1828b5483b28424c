"""What of a tuned profile is in force on disks, huge pages and governors. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.model.units import KIB, size_words
from sctune.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.model.block import BlockDevice
    from sctune.model.system import CpuGovernors, HugePages
    from sctune.model.tuned import TunedOption, TunedProfile, TunedUnit

_HUGE_PAGES = {"transparent_hugepages": "enabled", "transparent_hugepage": "enabled", "transparent_hugepage.defrag": "defrag"}
_READ_AHEAD = re.compile(r"([<>]?)\s*([0-9]{1,9})(?:\s+(s)\S*)?\Z")
_LEAST_UNIT = 4 * KIB  # the kernel keeps read-ahead in pages: 777 KiB read back as 776
_ALIASES = {"deadline": "mq-deadline"}  # block/mq-deadline.c, elevator_alias
_OPTION_LIST = re.compile(r"\s*[,|;]\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A setting, what the profile wants (words), what is in force, and whether that is met."""

    setting: str
    wanted: str
    now: str
    met: bool
    file: str
    source: str


def of_huge_pages(profile: TunedProfile, pages: HugePages | None) -> tuple[Difference, ...]:
    """Mode and defragmentation of transparent huge pages. tuned leaves the mode alone where the kernel's command line has it."""
    if pages is None:
        return ()
    found: dict[str, Difference] = {}
    for option in _options(profile, "vm"):
        name = _HUGE_PAGES.get(option.key)
        now = pages.enabled if name == "enabled" else pages.defrag
        if name is None or now is None or not option.value or (name == "enabled" and pages.at_boot is not None):
            continue
        found[name] = Difference(
            setting=f"transparent_hugepage/{name}",
            wanted=option.value,
            now=now,
            met=now == option.value,
            file=option.file,
            source=f"/sys/kernel/mm/transparent_hugepage/{name}",
        )
    return tuple(found.values())


def of_governors(profile: TunedProfile, cpus: CpuGovernors | None) -> tuple[Difference, ...]:
    """The governors: of a list `a|b` tuned takes the first that the processor has."""
    if cpus is None or not cpus.governors:
        return ()
    for option in _options(profile, "cpu"):
        if option.key == "governor" and option.value:
            suits = set(_OPTION_LIST.split(option.value))
            return (
                Difference(
                    setting="scaling_governor",
                    wanted=option.value.replace("|", " or "),
                    now=", ".join(cpus.governors),
                    met=suits.issuperset(cpus.governors),
                    file=option.file,
                    source="/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
                ),
            )
    return ()


def _options(profile: TunedProfile, kind: str) -> Iterator[TunedOption]:
    """The options of the units of one type; none where some units of it are for some machines only."""
    units = [unit for unit in profile.units if unit.type == kind]
    conditional = {option.key for unit in units if unit.conditional for option in unit.options}
    for unit in units:
        if not unit.conditional:
            yield from (option for option in unit.options if option.key not in conditional)


def of_disk(unit: TunedUnit, device: BlockDevice) -> tuple[Difference, ...]:
    """Scheduler and read-ahead of one disk."""
    found: list[Difference] = []
    for option in unit.options:
        item = None
        if option.key == "elevator":
            item = _scheduler(option, device)
        elif option.key == "readahead":
            item = _read_ahead(option, device)
        if item is not None:
            found.append(item)
    return tuple(found)


def _scheduler(option: TunedOption, device: BlockDevice) -> Difference | None:
    """None where the disk has none of the schedulers that are wanted: there was nothing to set."""
    if not option.value or device.scheduler is None:
        return None
    names = [_ALIASES.get(name, name) if name not in device.schedulers else name for name in _OPTION_LIST.split(option.value)]
    chosen = next((name for name in names if name in device.schedulers), None)
    if chosen is None:
        return None
    return Difference(
        setting=f"{device.name} scheduler",
        wanted=chosen,
        now=device.scheduler,
        met=device.scheduler == chosen,
        file=option.file,
        source=f"/sys/block/{device.name}/queue/scheduler",
    )


def _read_ahead(option: TunedOption, device: BlockDevice) -> Difference | None:
    """In KiB, or in sectors with the suffix s."""
    form = _READ_AHEAD.match(option.value or "")
    if form is None or device.read_ahead is None:
        return None
    size = int(form[2]) * (512 if form[3] else KIB) // _LEAST_UNIT * _LEAST_UNIT
    bound = form[1]
    met = device.read_ahead >= size if bound == ">" else device.read_ahead <= size if bound == "<" else device.read_ahead == size
    return Difference(
        setting=f"{device.name} read-ahead",
        wanted={">": "at least ", "<": "at most "}.get(bound, "") + size_words(size),
        now=size_words(device.read_ahead),
        met=met,
        file=option.file,
        source=f"/sys/block/{device.name}/queue/read_ahead_kb",
    )
