"""Properties of applying and rolling back over generated operations, on real files in memory."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sctune.records import dataclass
from sctune.tuning.calls import Calls
from sctune.tuning.execute import Ending, apply
from sctune.tuning.journal import FORMAT, Begin, Done, Intent, decode, encode
from sctune.tuning.machine import Machine, machine
from sctune.tuning.operations import FileState, Operation, WriteFile, WriteValue
from sctune.tuning.rollback import rollback
from sctune.tuning.steps import State, ValueStep, last_of_key, reading
from tests.unit import tuning_hosts
from tests.unit.tuning_hosts import REQUEST, Faulty, Killed, everything, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
NAMES = st.text("abcdefgh._-", min_size=1, max_size=12).filter(lambda name: name.strip(".") == name)
VALUES = st.text("0123456789abc", min_size=1, max_size=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A file of the machine before and after; folders below /etc are made as needed."""

    path: str
    before: tuple[bytes, int] | None
    after: tuple[bytes, int] | None


@st.composite
def machines(draw: st.DrawFn) -> tuple[dict[str, tuple[str, str]], tuple[Made, ...]]:
    """Values (path: before, after), and files."""
    values = {f"/proc/sys/gen/{name}": (draw(VALUES), draw(VALUES)) for name in draw(st.lists(NAMES, unique=True, max_size=5))}
    contents = st.none() | st.tuples(st.binary(max_size=60), st.sampled_from((0o600, 0o644, 0o640, 0o444, 0o755)))
    files = []
    for name in draw(st.lists(NAMES, unique=True, max_size=5)):
        folder = draw(st.sampled_from(("/etc", "/etc/sysctl.d", "/etc/udev/rules.d", "/etc/a/b/c")))
        files.append(Made(path=f"{folder}/f{name}", before=draw(contents), after=draw(contents)))
    return values, tuple(files)


def build(root: str, values: dict[str, tuple[str, str]], files: tuple[Made, ...]) -> tuple[Operation, ...]:
    """Makes that machine. Returns what brings it to its `after`."""
    os.makedirs(f"{root}/run")
    os.makedirs(f"{root}/proc/sys/gen")
    os.makedirs(f"{root}/etc")
    os.makedirs(f"{root}/var/lib")
    operations: list[Operation] = []
    for path, (before, after) in values.items():
        with open(root + path, "w") as file:
            file.write(before + "\n")
        operations.append(WriteValue(setting=path, path=path, value=after, before=before))
    for made in files:
        if made.before is not None:
            os.makedirs(os.path.dirname(root + made.path), exist_ok=True)
            with open(root + made.path, "wb") as file_:
                file_.write(made.before[0])
            os.chmod(root + made.path, made.before[1])
        before_, after_ = (_state(one) for one in (made.before, made.after))
        operations.append(WriteFile(setting=made.path, path=made.path, before=before_, after=after_))
    return tuple(operations)


def _state(made: tuple[bytes, int] | None) -> FileState | None:
    return None if made is None else FileState(content=made[0], mode=made[1], uid=os.geteuid(), gid=os.getegid())


@pytest.fixture(scope="module")
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir=PLACE, prefix="sctune-test-") as made:
        yield made


def here(root: str, calls: Calls | None = None) -> Machine:
    return machine(root=root, calls=calls)


def run(at: Machine, operations: tuple[Operation, ...]) -> Ending:
    return apply(operations, writer=at.writer, journal=at.journal, request=REQUEST, lock=at.lock).ending


def back(at: Machine) -> int:
    return rollback(None, writer=at.writer, journal=at.journal, lock=at.lock).exit_code


@settings(max_examples=120, deadline=None)
@given(made=machines(), order=st.randoms(use_true_random=False), cut=st.integers(1, 60))
def test_apply_twice_and_back(
    folder: str, made: tuple[dict[str, tuple[str, str]], tuple[Made, ...]], order: random.Random, cut: int
) -> None:
    """Applied once all is as wanted; twice writes nothing; rolled back no byte is changed; nor where it was killed anywhere."""
    root = tempfile.mkdtemp(dir=folder)
    operations = list(build(root, *made))
    order.shuffle(operations)
    planned = tuple(operations)
    before = snapshot(root)
    first = run(here(root, Calls()), planned)
    for one in planned:
        if isinstance(one, WriteValue):
            with open(root + one.path) as file:
                assert file.read() == one.value + "\n" or one.value == one.before
        elif isinstance(one, WriteFile):
            assert here(root).writer.read_file(one.path) == one.after
    wanted = snapshot(root)
    counting = Faulty(root)
    assert run(here(root, counting), planned) is Ending.NOTHING
    assert counting.count == 0
    assert snapshot(root) == wanted
    assert back(here(root, Calls())) == 0
    assert snapshot(root) == before
    assert (first is Ending.NOTHING) == (wanted == before)
    with suppress(Killed):
        run(here(root, Faulty(root, at=cut)), planned)
    assert back(here(root, Calls())) == 0
    assert snapshot(root) == before
    shutil.rmtree(root)


TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


@given(
    content=st.binary(max_size=200),
    label=TEXT,
    value=TEXT,
    data=st.data(),
)
def test_records_come_back_as_they_were(content: bytes, label: str, value: str, data: st.DataObject) -> None:
    step = ValueStep(setting=value, path="/proc/sys/x", value=value, accepts=(), before=label, restore=(), place="")
    state = State(content=content, mode=0o600, uid=0, gid=0, label=label)
    records = (Intent(index=0, step=step), Done(index=0, read=value))
    first = Begin(format=FORMAT, profile=value, version="1", boot_id="b", time=1.0, user="u", options=(), steps=1)
    begun = encode((first,), "")
    lines, _ = encode(records, begun[1])
    whole = begun[0] + lines
    assert decode(whole, "x")[0][1:] == records
    assert state.content == content
    cut = data.draw(st.integers(0, len(whole)))
    found, size, _, torn = decode(whole[:cut], "x")
    assert whole[:size] == encode(found, "")[0]
    assert torn == (size != cut)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[none] mq-deadline\n", "none"),
        ("none [mq-deadline] kyber bfq \n", "mq-deadline"),
        ("[none]\n", "none"),
        ("always [madvise] never\n", "madvise"),
        ("none\n", "none"),
        ("4096\t131072\t6291456\n", "4096 131072 6291456"),
        ("[a] [b]\n", "[a] [b]"),
        ("|/usr/lib/core %p [x\n", "|/usr/lib/core %p [x"),
        ("\n", ""),
    ],
)
def test_reading(text: str, value: str) -> None:
    assert reading(text) == value


def test_last_of_key() -> None:
    text = "a = 1\n# a = 2\nb.c = 3\na = 4\n"
    assert last_of_key(text, "a = 9") == "a = 4"
    assert last_of_key(text, "b.c = 9") == "b.c = 3"
    assert last_of_key(text, "x = 9") is None


class Slow(tuning_hosts.Kernel):
    """A machine on which a child can be caught in the middle."""

    def sync(self, descriptor: int) -> None:
        time.sleep(0.0005)
        super().sync(descriptor)

    def put_value(self, path: str, data: bytes) -> None:
        super().put_value(path, data)
        time.sleep(0.0005)

    def rename(self, source: str, target: str) -> None:
        time.sleep(0.0005)
        super().rename(source, target)


@pytest.mark.spawns
def test_children_that_are_killed_from_outside(folder: str) -> None:
    """One child applies and rolls back again and again, and is killed at some time; another is killed in the rollback."""
    root = os.path.join(folder, "killed")
    os.mkdir(root)
    tuning_hosts.machine(Path(root))
    operations = everything(root)
    before = snapshot(root)
    chance = random.Random(6)
    spoiled = 0
    for turn in range(1000):
        if turn >= 60 and spoiled > 10:
            break
        kill_after(chance.uniform(0.002, 0.03), lambda: work(root, operations))
        spoiled += snapshot(root) != before
        kill_after(chance.uniform(0.001, 0.02), lambda: back(here(root, Slow(root))))
        back(here(root, tuning_hosts.Kernel(root)))
        assert snapshot(root) == before
    assert spoiled > 10


def work(root: str, operations: tuple[Operation, ...]) -> None:
    while True:
        run(here(root, Slow(root)), operations)
        back(here(root, Slow(root)))


def kill_after(seconds: float, body: object) -> None:
    child = os.fork()
    if not child:
        try:
            body()  # type: ignore[operator]
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
