"""A doctor, and two at once, while the cloud makes, attaches, detaches and deletes volumes: nothing critical is said of a race."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .crowd import script
from .hosts import overlay
from .verdict import DOCTOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .machine import Machine

pytestmark = pytest.mark.thorough

# Volumes that stay, and the numbers of those that come and go; no cloud gives an identity twice.
STAYING = 2
COMING = range(10, 90)
DONE = "/run/churned"
ALONE_SECONDS = 9.0
LOOKS = """
look() {{ {doctor} --fail-on never > "/run/$1" || test $? = 3; }}
for round in 1 2 3; do look alone.$round; done
look both.1 & look both.2
wait $!
for file in /run/alone.? /run/both.?; do cat $file; echo ====; done
"""


def _coming_and_going(volume: overlay.Volume) -> Iterator[str]:
    """The whole life of a volume, as Eucalyptus leads it: made and put to rest, attached, detached, deleted."""
    yield from overlay.create([volume])
    yield from volume.rest()
    yield f"loop=$(losetup -f --show {volume.file}); vgchange -q -ay {volume.vg} >/dev/null"
    yield from volume.export().lines()
    yield from volume.export().remove()
    yield from volume.rest()
    yield f"rm {volume.file}; echo >> {DONE}"


def test_nothing_critical_is_said_of_what_comes_and_goes(boot: Callable[..., Machine]) -> None:
    staying = [overlay.volume(number) for number in range(1, STAYING + 1)]
    coming = [line for number in COMING for line in _coming_and_going(overlay.volume(number))]
    with boot() as machine:
        script(machine, [*overlay.start(), *overlay.create(staying), *overlay.attach(staying)])
        machine.check("cat > /run/churn.sh <<'CHURN'\nset -e\n" + "\n".join(coming) + "\nCHURN")
        machine.check("(bash /run/churn.sh; echo $? > /run/churn.status) >/run/churn.log 2>&1 &")
        said = machine.check(LOOKS.format(doctor=DOCTOR), timeout=300.0)
        gone = int(machine.check(f"wc -l < {DONE}"))
        assert machine.run("test -e /run/churn.status").status == 1, machine.check("tail -n 20 /run/churn.log")
    reports = [json.loads(text) for text in said.split("====\n") if text]
    assert len(reports) == 5
    print("seconds of each look:", [report["duration_seconds"] for report in reports], "volumes gone:", gone)
    assert gone >= 5, "nothing came or went during the looks"
    for report in reports:
        assert [check["reason"] for check in report["checks"] if "defect" in (check["reason"] or "")] == []
        # Two at once take longer here than a second look has time for: they are asked for what stayed alone.
        whole = report["duration_seconds"] < ALONE_SECONDS
        critical = [f"{one['code']} {one['summary']}" for one in report["findings"] if one["severity"] == "critical"]
        assert [said for said in critical if whole or any(volume.name in said for volume in staying)] == []
