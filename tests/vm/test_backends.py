"""The sound host of every backend: the doctor looks at all of it and finds nothing above info."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from .crowd import script, untrue
from .hosts.backends import BACKENDS, GENERIC
from .listing import broken_links, listed, unsound
from .verdict import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Machine

# A machine each is dear: those that can live side by side share one. A host has one version of Eucalyptus, and one VG of a name.
MACHINES = (
    ("eucalyptus-das",),
    ("cinder-lvm-thin",),
    ("cinder-lvm-thick", "tgt", "lio"),
)
# For the thorough run: the names and life cycles of these are also those of the hosts above or of the crowd.
OTHERS = (("eucalyptus-overlay-3.1",), ("eucalyptus-overlay-3.2",), ("eucalyptus-overlay-3.3",), ("eucalyptus-das-3.2",))
_CASES = [
    *(pytest.param(names, id="+".join(names)) for names in MACHINES),
    *(pytest.param(names, id="+".join(names), marks=pytest.mark.thorough) for names in OTHERS),
]


def test_no_backend_is_left_out() -> None:
    assert Counter(name for names in (*MACHINES, *OTHERS) for name in names) == Counter(list(BACKENDS))


@pytest.mark.parametrize("names", _CASES)
def test_the_doctor_finds_nothing_above_info(
    names: tuple[str, ...], boot: Callable[..., Machine], keep: Callable[[Machine, str], None]
) -> None:
    backends = [BACKENDS[name] for name in names]
    with boot(scratch_bytes=64 << 30) as machine:
        script(machine, backends[0].start())
        for backend in backends:
            script(machine, backend.make())
        assert not untrue(machine, [fact for backend in backends for fact in backend.facts])
        verdict = examine(machine)
        assert verdict.surplus(()) == []
        assert verdict.status == 0, verdict.unexamined()
        labels = list(dict.fromkeys(backend.label for backend in backends))
        # A system of no name is said only where there is no other.
        assert verdict.document["host"]["backends"] == ([label for label in labels if label != GENERIC] or [GENERIC])
        expected: Counter[str] = Counter()
        for backend in backends:
            expected.update(backend.examined)
        examined = {check["check"]: check["examined"] for check in verdict.document["checks"]}
        assert {name: examined[name] for name in expected} == expected
        listing = listed(machine)
        assert unsound(listing, listing) == []
        assert broken_links(machine, next(iter(listing))) == []
        keep(machine, "+".join(names))
