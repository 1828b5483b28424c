"""Does what an iSCSI plan says on the machine it runs on, to the letter, and undoes it in a later process:
``python -m tests.vm.drive_iscsi plan|apply|undo PROFILE [--any] [--kept FILE]``. Prints JSON.

It stands in for no executor: it has no journal that outlives a crash, no lock and asks nobody.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sctune.config.model import Config
from sctune.host.live import LiveHost
from sctune.inventory import Inventory
from sctune.probes.iscsid_conf import CONFIGURATION
from sctune.tuning.iscsi.plan import IscsiPlan, operations, plan
from sctune.tuning.iscsi.settings import wanted_of
from sctune.tuning.iscsi.topology import PathCount
from sctune.tuning.iscsi.view import look
from sctune.tuning.load import catalogue, joined
from sctune.tuning.operations import FileState, Operation, RunTool, WriteFile, WriteValue
from sctune.tuning.schema import Section

if TYPE_CHECKING:
    from collections.abc import Sequence


def state(path: str) -> FileState | None:
    """A file as it is."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return FileState(content=Path(path).read_bytes(), mode=status.st_mode & 0o7777, uid=status.st_uid, gid=status.st_gid)


def made(profile: str, *, told: bool) -> IscsiPlan:
    """The plan for this machine."""
    whole = joined(profile, catalogue())
    values = wanted_of(whole.of(Section.ISCSI))
    with LiveHost() as host:
        seen = look(Inventory(host, Config()), state(CONFIGURATION), [one.name for one in values])
        paths = PathCount.ANY if told or whole.paths is None else PathCount(whole.paths)
        return plan(seen, values, profile=profile, paths=paths)


def put(path: str, after: FileState | None) -> None:
    """A file as it is to be."""
    if after is None:
        os.unlink(path)
        return
    new = Path(f"{path}.new")
    new.write_bytes(after.content)
    new.chmod(after.mode)
    os.chown(new, after.uid, after.gid)
    new.rename(path)


def write(path: str, value: str) -> None:
    """A value of the kernel's, in one write, and read back."""
    with open(path, "w") as file:
        file.write(value)
    read = Path(path).read_text().strip()
    assert read == value, f"{path} reads {read}, not {value}"


def run(argv: Sequence[str]) -> None:
    """A tool."""
    subprocess.run(argv, check=True, capture_output=True, text=True)


def do(one: Operation) -> None:
    """One operation, and whether it is so."""
    match one:
        case WriteFile():
            put(one.path, one.after)
        case WriteValue():
            write(one.path, one.value)
        case RunTool():
            run(one.argv)
            for path, line in one.check.items():
                assert line in Path(path).read_text().split("\n"), f"{path} has no line {line}"


def undo(one: Operation) -> str:
    """One operation undone. What is not there any more, in words."""
    match one:
        case WriteFile():
            put(one.path, one.before)
        case WriteValue():
            if not os.path.exists(one.path):
                return f"{one.path} is gone"
            write(one.path, one.before)
        case RunTool():
            for argv in one.undo:
                run(argv)
    return ""


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("plan", "apply", "undo"))
    parser.add_argument("profile")
    parser.add_argument("--any", action="store_true")
    parser.add_argument("--kept", type=Path, default=Path("/run/drive-iscsi"))
    given = parser.parse_args(arguments)
    if given.what == "undo":
        gone = [undo(one) for one in reversed(pickle.loads(given.kept.read_bytes()))]
        print(json.dumps({"gone": [one for one in gone if one]}))
        return 0
    what = made(given.profile, told=given.any)
    steps = operations(what)
    if given.what == "apply":
        given.kept.write_bytes(pickle.dumps(steps))
        for one in steps:
            do(one)
    print(
        json.dumps(
            {
                "steps": [one.setting for one in steps],
                "items": [[one.place, one.where, one.key, one.current, one.wanted, one.decision, one.why] for one in what.items],
                "rows": [[one.where, one.key, one.file, one.record, one.session, one.multipath, one.wanted] for one in what.rows],
                "agree": [one.agree for one in what.rows],
                "refusals": [str(one) for one in what.refusals],
                "survivals": [one.words for one in what.survivals],
                "notes": what.notes,
                "difference": what.difference(),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
