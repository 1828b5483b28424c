"""What sctune says it applied, and what of it is not in force any more."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from sctune.checks import profile as topic
from sctune.host.root import RootHost
from sctune.model.applied import Applied
from sctune.probes.applied import PATH, probe
from sctune.tuning.operations import WriteValue
from sctune.tuning.record import changed_lines
from sctune.tuning.transaction import Status, read_transaction
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.serving_hosts import codes, look_at
from tests.unit.tuning_hosts import (
    RECORD,
    REPLACEMENT,
    Faulty,
    Killed,
    everything,
    machine,
    parts,
)
from tests.unit.tuning_runs import back, put, run

if TYPE_CHECKING:
    from pathlib import Path

NO_TARGETS = Unavailable(reason=Reason.ABSENT, what="tgtd")


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "host").mkdir()
    return machine(tmp_path / "host")


def look(root: str) -> Applied | Unavailable:
    host = RootHost(root)
    try:
        return probe(host, targets=lambda: NO_TARGETS)
    finally:
        host.close()


def looked(root: str) -> Applied:
    found = look(root)
    assert isinstance(found, Applied)
    return found


def findings(root: str) -> list[tuple[str, str, str]]:
    absent = Unavailable(reason=Reason.ABSENT, what="x")
    return codes(topic.run(look_at({"applied": look(root), "tuned_profile": absent, "devices": ()})))


def test_nothing_was_ever_applied(root: str) -> None:
    found = look(root)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.ABSENT
    absent = Unavailable(reason=Reason.ABSENT, what="x")
    assert topic.run(look_at({"applied": found, "tuned_profile": absent})).not_applicable


def test_in_force_and_rolled_back(root: str) -> None:
    run(root, *everything(root))
    found = looked(root)
    assert [(one.number, one.profile, one.state) for one in found.transactions] == [(1, "storage-controller", "applied")]
    assert len(found.conforming) == len(found.transactions[0].settings) == 12
    assert (found.drifted, found.gone, found.unread) == ((), (), ())
    assert findings(root) == []
    back(root, force=True)
    assert looked(root).transactions == ()


def test_all_may_read_it_and_no_secret_is_in_it(root: str) -> None:
    run(root, *everything(root))
    assert os.stat(root + PATH).st_mode & 0o777 == 0o644
    with open(root + PATH, encoding="utf-8") as file:
        text = file.read()
    assert "Hunter2x" not in text
    held = [one for one in json.loads(text)["transactions"][0]["settings"] if one["setting"] == "iscsid.conf"]
    assert held
    assert not any("wanted" in one for one in held)


def test_each_kind_of_difference(root: str) -> None:
    run(root, *everything(root))
    put(root, "/proc/sys/vm/swappiness", "5\n")
    put(root, "/etc/iscsi.real/iscsid.conf", "node.session.auth.password = Hunter2x\n")
    os.chmod(f"{root}/etc/tmpfiles.d/90-sctune.conf", 0o600)
    os.unlink(f"{root}/etc/udev/rules.d/90-sctune.rules")
    put(root, "/etc/sysctl.d/50-old.conf", "back\n")
    put(root, RECORD, "nothing\n")
    os.unlink(f"{root}/sys/class/iscsi_session/session3")
    found = looked(root)
    assert [one.setting for one in found.gone] == ["session3/recovery_tmo"]
    me = os.geteuid()
    assert [(one.setting, one.wanted, one.now) for one in found.drifted] == [
        ("90-sctune.conf", f"mode 0644, owner {me}", f"mode 0600, owner {me}"),
        ("vm.swappiness", "10", "5"),
        ("iscsid.conf", "node.session.timeo.x = 7200", "no such line"),
        ("90-sctune.rules", "a file", "removed"),
        (REPLACEMENT, f"{REPLACEMENT} = 7200", "no such line"),
        ("50-old.conf", "removed", "there again"),
    ]
    assert "Hunter2x" not in repr(found)
    assert ("PROFILE_DRIFT", "warning", "vm.swappiness") in findings(root)
    assert len(findings(root)) == 6


def test_a_user_of_the_file_may_add_to_it(root: str) -> None:
    run(root, *everything(root))
    with open(f"{root}/etc/iscsi.real/iscsid.conf", "a") as file:
        file.write("\nnode.session.auth.username = other\n")
    assert looked(root).drifted == ()


def test_the_last_word_counts(root: str) -> None:
    run(root, WriteValue(setting="vm.swappiness", path="/proc/sys/vm/swappiness", value="10", before="60"))
    run(root, WriteValue(setting="vm.swappiness", path="/proc/sys/vm/swappiness", value="1", before="10"))
    assert looked(root).drifted == ()
    back(root, force=True)
    put(root, "/proc/sys/vm/swappiness", "7\n")
    assert [(one.by.number, one.wanted, one.now) for one in looked(root).drifted] == [(1, "10", "7")]
    back(root, force=True)
    assert looked(root).conforming == ()


def test_wherever_it_is_killed_the_record_tells_the_truth(root: str, tmp_path: Path) -> None:
    """Whole in the record means: in force, every setting of it. What is in force by half is not whole in it."""
    seen: set[str] = set()
    for at in range(1, 400):
        (tmp_path / str(at)).mkdir()
        here = machine(tmp_path / str(at))
        try:
            run(here, *everything(here), calls=Faulty(here, at=at))
        except Killed:
            pass
        else:
            break
        found = look(here)
        journal = parts(here)[1]
        begun = [one for one in journal.numbers() if read_transaction(journal, one).status is not Status.NEVER]
        if isinstance(found, Unavailable):
            assert found.reason is Reason.ABSENT
            seen.add("no record")
            continue
        states = [one.state for one in found.transactions]
        assert len(states) == len(begun)
        seen.update(states)
        if states == ["applied"]:
            assert found.drifted == ()
    assert seen == {"no record", "interrupted", "applied"}


def test_broken_off_for_long(root: str) -> None:
    with pytest.raises(Killed):
        run(root, *everything(root), calls=Faulty(root, at=30))
    found = looked(root)
    assert [one.state for one in found.transactions] == ["interrupted"]
    with open(root + PATH, encoding="utf-8") as file:
        record = json.load(file)
    for age, told in ((59.0, []), (61.0, [("PROFILE_INTERRUPTED", "warning", "transaction 1")])):
        record["transactions"][0]["time"] = FakeHost().now - age
        put(root, PATH, json.dumps(record))
        assert findings(root) == told  # before that it may still be at work
    back(root, force=True)
    assert findings(root) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format":2,"transactions":[]}', '{"format":1,"transactions":[{"number":1}]}'])
def test_a_record_that_is_none(root: str, text: str) -> None:
    os.makedirs(f"{root}/var/lib/sctune")
    put(root, PATH, text)
    found = look(root)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.MALFORMED
    absent = Unavailable(reason=Reason.ABSENT, what="x")
    result = topic.run(look_at({"applied": found, "tuned_profile": absent}))
    assert [one.what for one in result.unexamined] == [PATH]


def test_changed_lines() -> None:
    before = b"# a = 1\nb = 2\r\nc = 3\n"
    assert changed_lines(before, b"a = 1\nb = 2\r\nc = 4\n# d = 5\nnode\n") == ("a = 1", "c = 4")
