"""The programs that a benchmark runs: which there are, and how one is run so that it does not outlive us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.tuning.writer import Refused
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.host.base import Completed
    from sctune.tuning.writer import Writer

NEEDED = ("losetup", "lvm", "dmsetup", "tgtadm", "iscsi-perf")
_SECONDS = 30.0


class Tools:
    """`tied`: what is run ends when we are killed (setpriv(1) of util-linux 2.33), so that nothing goes on writing."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._tied = ("setpriv", "--pdeathsig", "KILL") if writer.finds("setpriv") else ()

    def finds(self, tool: str) -> bool:
        """Whether it is installed."""
        return self._writer.finds(tool)

    def measure(self, argv: Sequence[str], seconds: float) -> Completed | Unavailable:
        """Runs what takes its time; any exit status is an answer."""
        return self._writer.run((*self._tied, *argv), seconds)

    def do(self, *argv: str, seconds: float = _SECONDS) -> str:
        """Runs what has to succeed, and says what it printed. Raises Refused."""
        answer = self._writer.run(argv, seconds)
        if isinstance(answer, Unavailable):
            raise Refused(f"{argv[0]}: {answer.detail or answer.reason}")
        if answer.status:
            raise Refused(f"{argv[0]}: {first_line(answer.stderr or answer.stdout) or f'exit status {answer.status}'}")
        return answer.stdout


def fio_of(tools: Tools) -> tuple[str, frozenset[str]]:
    """fio's version and engines. Raises Refused where there is none."""
    from sctune.bench import fio

    answer = tools.measure(("fio", "--version"), _SECONDS)
    if not tools.finds("fio") or (isinstance(answer, Unavailable) and answer.reason is Reason.ABSENT):
        raise Refused("fio is not installed, and it does the measuring", "Install it; the package is called fio.")
    if isinstance(answer, Unavailable) or answer.status:
        raise Refused(f"fio does not run: {answer if isinstance(answer, Unavailable) else first_line(answer.stderr)}")
    return fio.version(answer.stdout), fio.engines(tools.do("fio", "--enghelp"))


def first_line(text: str) -> str:
    """The first that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:200]
