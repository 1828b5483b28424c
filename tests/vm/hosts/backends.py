"""Every backend's sound host, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import cinder, das, lio, overlay, plain
from .overlay import Era

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GENERIC = "generic"
CINDER = "cinder-lvm"
# The copies are slowed: what runs, runs for minutes.
_COPYING = "pgrep -x dd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """How a sound host of a backend is made, what the doctor calls it, and what it has to look at there.

    *start* is what the host begins with, the same for all backends that may live side by side, *make* the backend's own things.
    *examined* says how much each of these checks looks at, *facts* are shell conditions that hold by the word of kernel and
    tools alone.
    """

    name: str
    label: str
    start: Callable[[], list[str]]
    make: Callable[[], list[str]]
    examined: Mapping[str, int]
    facts: tuple[str, ...]

    def build(self) -> list[str]:
        """Shell lines for the host."""
        return [*self.start(), *self.make()]


def _overlay(name: str, era: Era, label: str, *, resting: int) -> Backend:
    """Three volumes, of which the last *resting* are at rest; the last of the others is being snapshotted."""
    volumes = [overlay.volume(number, era=era) for number in (1, 2, 3)]
    attached, rest = volumes[: 3 - resting], volumes[3 - resting :]
    loops = len(attached) + 1
    copied = overlay.snapshot(attached[-1])

    def make() -> list[str]:
        resting_lines = [line for one in rest for line in one.rest()]
        return [*overlay.create(volumes), *resting_lines, *overlay.attach(attached), *copied.create(), *copied.copy()]

    return Backend(
        name=name,
        label=label,
        start=lambda: overlay.start(era),
        make=make,
        examined={**_served(len(attached)), "loop-backing": loops, "lvm-snapshots": 1, "quotas": 3, "tgt-exports": 3},
        facts=(
            _COPYING,
            f"test $(losetup -nO NAME | wc -l) = {loops}",
            *(f"! losetup -nO BACK-FILE | grep -qx {one.file}" for one in rest),
            *(f"test -f {one.file}" for one in volumes),
        ),
    )


def _das(name: str, era: Era, label: str) -> Backend:
    """Three volumes, two of them attached and one of these snapshotted."""
    return Backend(
        name=name,
        label=label,
        start=lambda: overlay.start(era),
        make=lambda: das.make(era),
        examined={**_served(2), "lvm-snapshots": 1, "lvm-snapshot-leftover": 1, "quotas": 3, "tgt-exports": 3},
        facts=(
            _COPYING,
            'test -z "$(losetup -nO NAME)"',
            f"lvs --noheadings -o lv_attr {das.vg(era)} | grep -qw 'swi-aos---'",
        ),
    )


def _served(count: int) -> dict[str, int]:
    """What checks of targets and sessions look at where tgt serves so many volumes."""
    return dict.fromkeys(("target-access", "target-luns", "target-backing", "iscsi-sessions"), count)


_ALL = (
    _overlay("eucalyptus-overlay-3.1", Era.E31, "eucalyptus-overlay <=3.1", resting=0),
    _overlay("eucalyptus-overlay-3.2", Era.E32, "eucalyptus-overlay 3.2", resting=1),
    _overlay("eucalyptus-overlay-3.3", Era.E33, "eucalyptus-overlay 3.3+", resting=1),
    _das("eucalyptus-das", Era.E33, "eucalyptus-das 3.3+"),
    _das("eucalyptus-das-3.2", Era.E32, "eucalyptus-das 3.2"),
    Backend(
        name="cinder-lvm-thick",
        label=CINDER,
        start=plain.start,
        make=cinder.thick,
        examined={**_served(2), "lvm-snapshots": 2, "cinder-targets": 2, "target-chap": 2},
        facts=(_COPYING, "test $(lvs --noheadings -o lv_name cinder-volumes | grep -c _snapshot-) = 2"),
    ),
    Backend(
        name="cinder-lvm-thin",
        label=CINDER,
        start=plain.start,
        make=cinder.thin,
        examined={**_served(2), "lvm-thin-pools": 1, "cinder-targets": 2, "target-chap": 2},
        facts=(
            "lvs --noheadings -o lv_attr cinder-volumes/cinder-volumes-pool | grep -q twi-aotz--",
            "test $(lvs --noheadings -o lv_name -S lv_attr=~V cinder-volumes | wc -l) = 4",
        ),
    ),
    Backend(name="tgt", label=GENERIC, start=plain.start, make=plain.make, examined={**_served(2), "target-chap": 2}, facts=()),
    Backend(
        name="lio",
        label=CINDER,
        start=plain.start,
        make=lio.make,
        examined={**_served(2), "lio-luns": 2, "cinder-targets": 1, "target-chap": 1},
        facts=(
            f"test $(iscsiadm -m session | grep -c {lio.PORTAL}) = 2",
            "test $(lsblk -Sno VENDOR | grep -c LIO-ORG) = 2",
            f"grep -q {lio.VOLUME.iqn} {lio.SAVED}",
        ),
    ),
)

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in _ALL}
