"""An archive that tells less is never judged better: without any one command, nothing is found sound that was not before."""

from __future__ import annotations

import io
import json
import tarfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.choose import open_host
from sctune.report.json import document

if TYPE_CHECKING:
    from collections.abc import Callable

ARCHIVE = Path(__file__).resolve().parent / "sos-volume-faults" / "host.tar.gz"
LEFT_OUT = (
    *("date", "dmsetup info", "dmsetup table", "dmsetup status", "dmesg", "hostname", "uname", "sysctl", "df -al -x", "df -ali"),
    *("ls -lanR /dev", "ls -lanR /sys/block", "udevadm", "iscsiadm", "pvs", "vgs", "lvs", "vgdisplay"),
    *("ps axo flags", "ps axo pid", "ps"),
)
FILES = ("proc/partitions", "proc/stat", "proc/self", "proc/", "etc/lvm", "etc/", "sys/block", "sys/module", "sys/", "sos_reports/")


def judged(path: Path) -> dict[str, Any]:
    said: dict[str, Any] = document(diagnose(open_host(str(path), None), Config(), strict=True))
    return said


@cache
def whole() -> dict[str, Any]:
    return judged(ARCHIVE)


def copy(place: Path, keep: Callable[[str], bool], change: Callable[[dict[str, Any]], None]) -> Path:
    """The archive with some of its members, and another manifest."""
    with tarfile.open(ARCHIVE) as source, tarfile.open(place, "w") as target:
        for member in source.getmembers():
            name = member.name.partition("/")[2]
            if not keep(name):
                continue
            file = source.extractfile(member) if member.isfile() else None
            data = file.read() if file is not None else b""
            if name == "sos_reports/manifest.json":
                manifest = json.loads(data)
                for plugin in manifest["components"]["report"]["plugins"].values():
                    change(plugin)
                data = json.dumps(manifest).encode()
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return place


def no_better(said: dict[str, Any]) -> None:
    status = {check["check"]: check["status"] for check in whole()["checks"]}
    for check in said["checks"]:
        now, before = check["status"], status[check["check"]]
        # What was found may be unknown now, but is not sound, and nothing else becomes so.
        assert now not in {"ok", "not_applicable"} or before in {"ok", "not_applicable"}, (
            check["check"],
            before,
            now,
            check["reason"],
        )
    # Of codes: without LVM the same fault is one of a device, not of a snapshot.
    assert {one["code"] for one in said["findings"]} <= {one["code"] for one in whole()["findings"]}


@pytest.mark.parametrize("line", LEFT_OUT)
def test_without_a_command(line: str, tmp_path: Path) -> None:
    def change(plugin: dict[str, Any]) -> None:
        plugin["commands"] = [one for one in plugin["commands"] if not one["exec"].startswith(line)]

    no_better(judged(copy(tmp_path / "a.tar", lambda _: True, change)))


@pytest.mark.parametrize("line", LEFT_OUT)
def test_with_a_command_that_was_cut(line: str, tmp_path: Path) -> None:
    def change(plugin: dict[str, Any]) -> None:
        for one in plugin["commands"]:
            one["truncated"] = one["exec"].startswith(line)

    no_better(judged(copy(tmp_path / "a.tar", lambda _: True, change)))


@pytest.mark.parametrize("start", FILES)
def test_without_files(start: str, tmp_path: Path) -> None:
    def change(plugin: dict[str, Any]) -> None:
        plugin["files"] = [one for one in plugin["files"] if not one["specification"].startswith("/" + start)]

    no_better(judged(copy(tmp_path / "a.tar", lambda name: not name.startswith(start), change)))
