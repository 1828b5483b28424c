"""The archive that Debian's own sos makes of a host: the doctor finds its faults in it, and nothing that the host does not have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.choose import open_host
from sctune.report.json import document

from . import sos
from .crowd import make_crowd
from .faults.volumes import VOLUME_FAULTS
from .hosts.tgt import SECRET
from .verdict import OF_THE_MOMENT, examine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .machine import Machine

FAULTS = ("snapshot-invalid", "missing-pv", "thin-full")


def _found(said: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(one["code"], one["severity"], one["subject"]["id"]) for one in said["findings"] if one["code"] not in OF_THE_MOMENT}


def _of_archive(data: bytes, place: Path) -> dict[str, Any]:
    place.write_bytes(data)
    said: dict[str, Any] = document(diagnose(open_host(str(place), None), Config(), strict=True))
    assert SECRET not in json.dumps(said)
    assert said["host"]["name"]
    return said


@pytest.mark.thorough
@pytest.mark.parametrize("names", [FAULTS, ()], ids=["faults", "sound"])
def test_what_an_archive_tells(
    names: tuple[str, ...], boot: Callable[..., Machine], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    faults = [fault for fault in VOLUME_FAULTS if fault.name in names]
    with boot(scratch_bytes=64 << 30) as machine:
        volumes = make_crowd(machine, faults, sound=2)
        if machine.run("command -v sos").status != 0:
            pytest.skip("sos is missing (package sosreport)")
        data = sos.archive_of(machine)
        live = examine(machine)
    said = _of_archive(data, tmp_path / "sosreport.tar.xz")
    expected = {(one.code, one.severity, one.subject) for fault in faults for one in fault.expects(volumes[fault.name])}
    assert expected <= _found(said)
    # Nothing that the host itself does not say: what an archive does not tell is unknown.
    assert _found(said) <= _found(live.document)
    sound = {one["check"] for one in said["checks"] if one["status"] == "ok"}
    assert sound <= {one["check"] for one in live.document["checks"] if one["status"] == "ok"}
    assert {"store-space", "tgt-daemon", "target-luns"} <= {one["check"] for one in said["checks"] if one["status"] == "unknown"}
    reduced = sos.reduced(data)
    assert _found(_of_archive(reduced, tmp_path / "reduced.tar.gz")) == _found(said)
    if request.config.getoption("--update-scenarios"):
        sos.keep(data, "sos-volume-faults" if names else "sos-sound")
