"""--output: the file is there whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from typing import TYPE_CHECKING, NoReturn

import pytest

from sctune.errors import UserError
from sctune.report import atomic
from sctune.report.atomic import Output

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"x" * 100_000


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_new_file(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        Output(str(tmp_path / "report")).write(DATA)
    finally:
        os.umask(old)
    assert (tmp_path / "report").read_bytes() == DATA
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o640
    assert names(tmp_path) == ["report"]


def test_existing_file_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    file = tmp_path / "report"
    file.write_text("old")
    file.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(file, 12, 34)
    before = file.stat()
    Output(str(file)).write(DATA)
    after = file.stat()
    assert file.read_bytes() == DATA
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_relative_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Output("report").write(DATA)
    assert (tmp_path / "report").read_bytes() == DATA


def test_the_longest_name(tmp_path: Path) -> None:
    Output(str(tmp_path / ("r" * 255))).write(DATA)
    assert names(tmp_path) == ["r" * 255]


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/report")
    Output(str(tmp_path / "link")).write(b"first")
    Output(str(tmp_path / "link")).write(DATA)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "report").read_bytes() == DATA
    assert names(tmp_path / "there") == ["report"]


@pytest.mark.parametrize("failing", ["write", "fsync", "rename", "fchmod"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, number: int
) -> None:
    file = tmp_path / "report"
    file.write_text("old")
    destination = Output(str(file))

    def fail(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, failing, fail)
        with pytest.raises(UserError) as error:
            destination.write(DATA)
    assert os.strerror(number).lower() in error.value.message
    assert str(file) in error.value.message
    assert file.read_text() == "old"
    assert names(tmp_path) == ["report"]


def test_interrupt_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report").write_text("old")

    def interrupt(_: int) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            Output(str(tmp_path / "report")).write(DATA)
    assert (tmp_path / "report").read_text() == "old"
    assert names(tmp_path) == ["report"]


def test_a_file_system_that_syncs_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    Output(str(tmp_path / "report")).write(DATA)
    assert (tmp_path / "report").read_bytes() == DATA


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "it is a folder"),
        ("missing/report", "there is no folder"),
        ("file/report", "not a directory"),
        ("new/", "not the name of a file"),
        ("loop", "too many levels of symbolic links"),
    ],
)
def test_wrong_names_are_told_before_the_look(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match=says):
        Output(f"{tmp_path}/{name}")


def test_empty_name() -> None:
    with pytest.raises(UserError, match="cannot write ''"):
        Output("")


def test_odd_names_are_shown_harmless(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        Output(f"{tmp_path}/a\x1b[31m/report")
    assert "\x1b" not in error.value.message


def test_folder_without_the_right_to_write() -> None:
    """Root may write anywhere, and is somebody else for as long as this takes."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        before = os.getresuid()
        if before[0] == 0:
            os.setresuid(65534, 65534, 0)
        try:
            with pytest.raises(UserError, match="permission denied"):
                Output(f"{folder}/report")
        finally:
            os.setresuid(*before)


def test_refused_by_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match="permission denied"):
        Output(str(tmp_path / "report"))
    with pytest.raises(UserError, match="permission denied"):
        Output("/dev/full")


def test_dev_full() -> None:
    with pytest.raises(UserError, match="cannot write /dev/full: no space left on device"):
        Output("/dev/full").write(DATA)
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_dev_null() -> None:
    Output("/dev/null").write(DATA)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("path", [None, "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output(path: str | None, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Output(path).write(DATA)
    assert capfdbinary.readouterr().out == DATA


def test_dev_stdout_appends_where_the_shell_appends(tmp_path: Path) -> None:
    """`sctune doctor --output /dev/stdout >> log` must not replace the log."""
    file = tmp_path / "log"
    file.write_bytes(b"before ")
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)
    try:
        Output(f"/dev/fd/{descriptor}").write(b"report")
    finally:
        os.close(descriptor)
    assert file.read_bytes() == b"before report"
    assert names(tmp_path) == ["log"]


def test_a_pipe_whose_reader_has_gone() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with pytest.raises(BrokenPipeError):
            Output(f"/dev/fd/{writer}").write(DATA)
    finally:
        os.close(writer)


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:1000]))
    Output(str(tmp_path / "report")).write(DATA)
    assert (tmp_path / "report").read_bytes() == DATA


def test_a_closed_descriptor() -> None:
    with pytest.raises(UserError, match="cannot write /dev/fd/987"):
        Output("/dev/fd/987").write(DATA)


def test_hints_exist_for_what_happens_most() -> None:
    assert errno.ENOSPC in atomic._HINTS
    assert errno.EACCES in atomic._HINTS
