"""Plans of whole profiles: what is done is done once, and can be undone; of any profile on any kernel."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctune.model.block import BlockKind
from sctune.tuning.model import Decision, Options
from sctune.tuning.numbers import above, below
from sctune.tuning.operations import FileState, WriteFile, WriteValue
from sctune.tuning.plan import operations
from sctune.tuning.schema import Attribute, Bound, Profile, Section, Setting, Value, When
from tests.unit.tuned_kernel import MEMORY, Disk, Kernel
from tests.unit.tuning_plans import (
    CATALOGUE,
    GIB,
    MINE,
    apply,
    host_of_everything,
    made,
    named,
    profile,
    sysctl,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


# --- the whole


@pytest.mark.parametrize("name", sorted(CATALOGUE.profiles))
def test_applied_twice_a_profile_changes_nothing_and_undone_nothing_is_left(name: str) -> None:
    kernel = host_of_everything()
    before = kernel.snapshot()
    wanted = named(name)
    done = apply(kernel, made(kernel, wanted))
    assert done
    again = made(kernel, wanted)
    assert operations(again) == ()
    assert {one.decision for one in again.items} <= set(Decision) - {Decision.CHANGE}
    for operation in reversed(done):
        kernel.undo(operation)
    assert kernel.snapshot() == before


def test_live_and_persist_are_apart() -> None:
    kernel = host_of_everything()
    wanted = named("storage-controller")
    live = operations(made(kernel, wanted, Options(persist=False)))
    files = operations(made(kernel, wanted, Options(live=False)))
    assert all(isinstance(one, WriteValue) for one in live)
    assert all(isinstance(one, WriteFile) for one in files)
    assert operations(made(kernel, wanted)) == live + files


def test_a_file_that_nothing_needs_any_more_goes() -> None:
    kernel = Kernel()
    apply(kernel, made(kernel, sysctl("vm.swappiness", "10")))
    (gone,) = operations(made(kernel, profile("")))
    assert isinstance(gone, WriteFile)
    assert (gone.path, gone.after) == (MINE, None)
    assert isinstance(gone.before, FileState)


# --- properties

_RATIO = st.one_of(st.tuples(st.integers(0, 100), st.just(0)), st.tuples(st.just(0), st.integers(8192, 1 << 40)))


def _disks() -> st.SearchStrategy[dict[str, Disk]]:
    elevators = st.sampled_from(
        [(), ("none",), ("none", "mq-deadline"), ("none", "mq-deadline", "kyber", "bfq"), ("noop", "deadline", "cfq")]
    )

    @st.composite
    def disk(draw: st.DrawFn) -> Disk:
        schedulers = draw(elevators)
        tags = draw(st.integers(4, 256))
        scheduler = draw(st.sampled_from(schedulers or ("none",)))
        return Disk(
            rotational=draw(st.booleans()),
            schedulers=schedulers,
            scheduler=scheduler,
            read_ahead_kb=draw(st.integers(0, 200)) * 64,
            nr_requests=draw(st.integers(4, tags if scheduler == "none" else 1024)),
            tags=tags,
            max_sectors_kb=draw(st.integers(64, 512)),
            max_hw_sectors_kb=draw(st.integers(512, 4096)),
            path=draw(st.sampled_from([Disk().path, "../devices/platform/host9/session4/target9:0:0/9:0:0:1/block"])),
        )

    names = st.sampled_from(["sda", "sdb", "vda", "nvme0n1", "dm-0", "dm-7", "md0", "loop0", "loop12", "sr0"])
    return st.dictionaries(names, disk(), max_size=5)


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    kernel = Kernel(
        disks=draw(_disks()),
        huge_pages=draw(st.sampled_from(["always", "madvise", "never"])),
        governors=draw(st.dictionaries(st.sampled_from(["policy0", "policy3"]), st.sampled_from(["powersave", "performance"]))),
        page_kib=draw(st.sampled_from([4, 16, 64])),
    )
    for pair in ("dirty", "dirty_background"):
        ratio, bytes_ = draw(_RATIO)
        kernel.sysctl |= {f"vm.{pair}_ratio": str(ratio), f"vm.{pair}_bytes": str(bytes_)}
    kernel.sysctl["vm.swappiness"] = str(draw(st.integers(0, 200)))
    if draw(st.booleans()):
        kernel.files[MINE] = draw(st.sampled_from(["", "# a comment\n", "vm.swappiness = 3\n", "vm.dirty_ratio=7\nrubbish"]))
    return kernel


def _setting(
    section: Section,
    name: str,
    values: Iterable[str],
    *,
    attribute: Attribute | None = None,
    bound: Bound | None = None,
    when: When | None = None,
) -> Setting:
    return Setting(
        section=section,
        name=name,
        value=Value(choices=tuple(values)),
        why="w",
        source="s",
        profile="mine",
        place="x:1",
        attribute=attribute,
        bound=bound,
        when=when or When(),
    )


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    bounds = st.sampled_from([None, Bound.RAISE, Bound.LOWER])
    kinds = st.lists(st.sampled_from([kind for kind in BlockKind if kind is not BlockKind.OTHER]), unique=True).map(tuple)
    whens = st.builds(
        When,
        kinds=kinds,
        rotational=st.sampled_from([None, True, False]),
        transports=st.sampled_from([(), ("iscsi",), ("ata", "usb")]),
    )
    settings: list[Setting] = []
    for pair in ("dirty", "dirty_background"):
        match draw(st.integers(0, 2)):
            case 1:
                settings.append(_setting(Section.SYSCTL, f"vm.{pair}_ratio", [str(draw(st.integers(0, 100)))]))
            case 2:
                settings.append(_setting(Section.SYSCTL, f"vm.{pair}_bytes", [str(draw(st.integers(8192, 1 << 40)))]))
    if draw(st.booleans()):
        settings.append(_setting(Section.SYSCTL, "vm.swappiness", [str(draw(st.integers(0, 200)))], bound=draw(bounds)))
    schedulers = st.lists(st.sampled_from(["none", "noop", "mq-deadline", "deadline", "bfq"]), unique=True, min_size=1, max_size=3)
    made: list[Setting] = []
    if draw(st.booleans()):
        made.append(_setting(Section.BLOCK, "s", draw(schedulers), attribute=Attribute.SCHEDULER, when=draw(whens)))
    for attribute, least, most in (
        (Attribute.READ_AHEAD_KB, 0, 9000),
        (Attribute.NR_REQUESTS, 4, 2048),
        (Attribute.MAX_SECTORS_KB, 64, 8192),
    ):
        if draw(st.booleans()):
            value = [str(draw(st.integers(least, most)))]
            made.append(
                _setting(
                    Section.BLOCK,
                    attribute.value.replace("_", "-"),
                    value,
                    attribute=attribute,
                    bound=draw(bounds),
                    when=draw(whens),
                )
            )
    settings += draw(st.permutations(made))
    if draw(st.booleans()):
        settings.append(_setting(Section.SYSTEM, "transparent_hugepage", [draw(st.sampled_from(["always", "madvise"]))]))
    if draw(st.booleans()):
        settings.append(_setting(Section.SYSTEM, "cpu_governor", ["ondemand", "performance"]))
    return Profile(name="mine", file="/p/mine.yaml", summary="s", settings=tuple(settings))


@settings(max_examples=100, deadline=None)
@given(kernels(), profiles())
def test_any_plan_is_done_once_and_undone_whole(kernel: Kernel, wanted: Profile) -> None:
    before = kernel.snapshot()
    done = apply(kernel, made(kernel, wanted))
    kernel.written = 0
    assert operations(made(kernel, wanted)) == ()
    for operation in reversed(done):
        kernel.undo(operation)
    assert kernel.snapshot() == before


@settings(max_examples=100, deadline=None)
@given(kernels(), profiles())
def test_udevs_rules_alone_bring_the_same(kernel: Kernel, wanted: Profile) -> None:
    """A device that comes later gets by the rules what one that is there gets by the plan."""
    only = replace(wanted, settings=wanted.of(Section.BLOCK))
    rules = next(((file.after or b"").decode() for file in made(kernel, only).files if file.path.endswith(".rules")), "")
    for name in kernel.disks:
        kernel.udev(rules, name)
    assert operations(made(kernel, only, Options(persist=False))) == ()


@given(st.integers(0, 100000), st.integers(0, 200000))
def test_patterns_compare_numbers(bound: int, number: int) -> None:
    def matches(pattern: str) -> bool:
        return any(fnmatchcase(str(number), one) for one in pattern.split("|"))

    assert matches(below(bound)) is (number < bound)
    assert matches(above(bound)) is (number > bound)


def test_memory_of_the_kernel_in_these_tests() -> None:
    assert MEMORY == 64 * GIB
