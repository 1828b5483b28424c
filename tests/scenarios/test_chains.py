"""Recorded hosts as `sctune chain` shows them: every volume's tree, and some of them as people read it."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from sctune.__main__ import main
from sctune.chain_find import find
from sctune.chain_io import count
from sctune.chain_tree import tree, walk
from sctune.commands.looking import look
from sctune.guest_disks import guest_index
from sctune.model.tree import Mark
from sctune.model.volume import VolumeState
from sctune.report.chain_json import render
from sctune.unavailable import need
from sctune.volume_state import VolumeStates
from sctune.volumes import PARTS, row
from tests.scenarios.test_scenarios import HERE, SCENARIOS
from tests.scenarios.test_volumes import arguments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA: dict[str, Any] = json.loads((resources.files("sctune.report") / "chain.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)

READ = (
    ("storage-controller-healthy", "vol-391D44BE"),
    ("storage-controller-faults", "vol-391D44BE"),
    ("storage-controller-faults", "vol-A110E8ED"),
    ("eucalyptus-das", "vol-391D05E2"),
    ("cinder-lvm-thin", "iqn.2010-10.org.openstack:volume-5f6b205b-9a41-4c1e-8a53-00000000000b"),
    ("tgtd-killed", "vol-391D02F1"),
    ("crowd-1", "vol-391D1788"),
    ("crowd-1", "vol-391D2C1F"),
    ("lvm-unresponsive", "vol-391D02F1"),
)
"""Trees kept as people read them (chains.txt): whole, with a fault in each layer, and with layers that nobody could see."""


@pytest.mark.parametrize("scenario", sorted({scenario for scenario, _ in READ}))
def test_what_is_shown(scenario: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]) -> None:
    folder = HERE / scenario
    said = ""
    for name in (name for where, name in READ if where == scenario):
        code = main(["chain", name, *arguments(folder)])
        said += f"$ sctune chain {name}\n{capfd.readouterr().out}(exit code {code})\n\n"
    path = folder / "chains.txt"
    if request.config.getoption("--update-golden"):
        path.write_text(said, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == said


def links(value: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for link in value:
        yield link
        yield from links(link["above"])


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_every_volume_has_a_tree(folder: Path) -> None:
    archive, config = folder / "host.tar.gz", folder / "sctune.yaml"
    from_path = str(archive if archive.exists() else folder)
    with look(from_path=from_path, root=None, config_path=str(config) if config.exists() else None, parts=PARTS) as judged:
        inventory = judged.inventory
        chains = need(inventory.chains)
        states = VolumeStates(inventory, judged.findings, judged.codes)
        for chain in chains.chains:
            assert chain in find(chain.id, inventory, chains)
            said = row(chain, states, guest_index(inventory))
            trees = tree(chain, inventory, judged.findings, judged.codes)
            io = count(inventory.host, trees)
            text = render([(said, trees)], io, identity=inventory.identity, source=inventory.host.source, clock=inventory.clock)
            VALIDATOR.validate(json.loads(text))
            every = tuple(walk(trees))
            # What makes a volume what it is stands somewhere in its tree.
            assert set(said.why) <= {found.code for link in every for found in link.findings}, said.id
            if said.state is VolumeState.BROKEN:
                assert any(link.mark in (Mark.BROKEN, Mark.MISSING) for link in every), said.id
            for link in every:
                assert link.source or link.mark is not Mark.FINE, link
                assert link.note or link.mark in (Mark.FINE, Mark.BROKEN), link


def test_no_such_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", "vol-391D02F2", *arguments(HERE / "eucalyptus-das")]) == 1
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err == "sctune: nothing here is called 'vol-391D02F2'. Did you mean vol-391D02F1?\n"


def test_no_such_name_where_not_everything_could_be_seen(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", "nothing", *arguments(HERE / "lvm-unresponsive")]) == 3
    assert "Not everything could be looked at, so it may be there all the same." in capfd.readouterr().err


def test_no_interval_that_is_no_number(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", "vol-391D02F1", "--interval", "nan"]) == 2
    assert "--interval is not a number" in capfd.readouterr().err


def test_no_interval_of_a_capture(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", "vol-391D02F1", "--interval", "1", *arguments(HERE / "eucalyptus-das")]) == 2
    assert "--interval needs a live machine" in capfd.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "vol-391D263D",
        "VOL-391D263D",
        "snap-57C33031",
        "/var/lib/eucalyptus//volumes/vol-391D263D",
        "vol-391D263D",
        "/dev/loop12",
        "loop12",
        "euca-ebs-storage-vg-vol-391D263D/euca-vol-391D263D",
        "/dev/euca-ebs-storage-vg-vol-391D263D/euca-vol-391D263D",
        "/dev/mapper/euca--ebs--storage--vg--vol--391D263D-euca--vol--391D263D",
        "euca-ebs-storage-vg-vol-391D263D",
        "euca-snap-57C33031",
        "iqn.2009-06.com.eucalyptus.lab:store13",
        "iqn.2009-06.com.eucalyptus.lab:store13/1",
    ],
)
def test_found_by(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["chain", name, "--format", "json", *arguments(HERE / "crowd-1")]) in (0, 3)
    assert [chain["volume"]["id"] for chain in json.loads(capfd.readouterr().out)["chains"]] == ["vol-391D263D"]


def test_found_by_the_disk_and_the_session_of_this_host(capfd: pytest.CaptureFixture[str]) -> None:
    arguments_here = arguments(HERE / "storage-controller-healthy")
    main(["chain", "vol-391D44BE", "--format", "json", *arguments_here])
    every = list(links(json.loads(capfd.readouterr().out)["chains"][0]["links"]))
    disks = [link["name"] for link in every if link["layer"] == "disk"]
    sessions = [link["name"].split()[0] for link in every if link["layer"] == "session"]
    assert disks and sessions
    for name in (*disks, disks[0].removeprefix("/dev/"), *sessions):
        main(["chain", name, "--format", "json", *arguments_here])
        assert json.loads(capfd.readouterr().out)["chains"][0]["volume"]["id"] == "vol-391D44BE"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
