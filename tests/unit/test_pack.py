"""A capture is written whole or not at all, and nothing else is touched."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from sctune.errors import UserError
from sctune.host import pack
from sctune.host.bundle import read_bundle, write_bundle
from tests.unit.test_bundle import sample

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@pytest.mark.parametrize("name", ["c.tar", "c.tar.gz", "c.tgz", "c.tar.xz", "c.txz", "folder/"])
def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    place = tmp_path / name
    if not name.endswith("/"):
        place.write_text("before")
    before = sorted(os.listdir(tmp_path))

    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(UserError, match="No space left") as caught:
        write_bundle(sample(), f"{tmp_path}/{name}")
    assert caught.value.hint
    assert sorted(os.listdir(tmp_path)) == before
    if before:
        assert place.read_text() == "before"


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterable[tuple[str, bytes]]:
        yield "capture.json", b"{}"
        raise KeyboardInterrupt

    for name in ("c.tar.gz", "c/"):
        with pytest.raises(KeyboardInterrupt):
            pack.pack(f"{tmp_path}/{name}", interrupted(), mtime=0)
    assert os.listdir(tmp_path) == []


def test_wrong_names_are_refused_before_the_look(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "dir.tar").mkdir()
    os.mkfifo(tmp_path / "fifo.tar")
    for name in ("capture", "c.zip", "", "/", ".tar.gz", "folder/", "dir.tar", "fifo.tar", "none/c.tar"):
        with pytest.raises(UserError) as caught:
            pack.refuse_early(f"{tmp_path}/{name}" if name not in ("", "/") else name)
        assert caught.value.hint
    pack.refuse_early(f"{tmp_path}/c.tar.gz")


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "c.tar").symlink_to(tmp_path / "target")
    write_bundle(sample(), f"{tmp_path}/c.tar")
    assert (tmp_path / "target").read_text() == "mine"
    assert read_bundle(f"{tmp_path}/c.tar") == sample()


def test_the_same_answers_make_the_same_bytes(tmp_path: Path) -> None:
    write_bundle(sample(), f"{tmp_path}/a.tar.gz")
    write_bundle(sample(), f"{tmp_path}/b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
