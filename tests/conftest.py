"""What every test gets: no process may be started unless the test says that it does."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings

# How long an example takes says more of what else the machine does than of the code: speed is measured in bench/.
settings.register_profile("sctune", deadline=None)
settings.load_profile("sctune")

if TYPE_CHECKING:
    from collections.abc import Iterator


TOGETHER = frozenset(
    {"test_html_browser", "test_prometheus", "test_prometheus_churn", "test_tuned", "test_tuning_refused", "test_units"}
)
"""Modules whose fixtures are machines, browsers and the like."""


class UnexpectedProcess(BaseException):
    """A test started a process without saying so. Not an Exception: no error handler of ours may swallow it."""


def _refuse(*_arguments: object, **_options: object) -> NoReturn:
    raise UnexpectedProcess("this test starts a process: mark it `spawns` if it must, or fake the host")


@pytest.fixture(autouse=True)
def no_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuses fork, exec and subprocess to tests that are not marked spawns, live or vm."""
    if not any(request.node.get_closest_marker(mark) for mark in ("spawns", "live", "vm")):
        for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen"):
            monkeypatch.setattr(os, name, _refuse)
        monkeypatch.setattr(subprocess.Popen, "__init__", _refuse)
    yield


def pytest_itemcollected(item: pytest.Item) -> None:
    """Where several processes run tests, one of them runs those of this machine's own devices and daemons, one after another;
    and one runs all of a module that share what takes long to make."""
    if item.get_closest_marker("live"):
        item.add_marker(pytest.mark.xdist_group("this-machine"))
    elif item.path.stem in TOGETHER:
        item.add_marker(pytest.mark.xdist_group(item.path.stem))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` rewrites golden files from what is printed now; look at the difference before you commit it."""
    parser.addoption("--update-golden", action="store_true", default=False, help="rewrite golden files")
    parser.addoption("--update-scenarios", action="store_true", default=False, help="capture the hosts of tests/vm anew")
