"""A tuned that lies in the folder of `tests.unit.tuning_hosts`, and does with its profiles what the real one does, faults too.

It keeps what it found in memory, gives back vm.dirty_bytes by writing 0, and says that all is well though the kernel refused.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from sctune.host.base import Completed
from sctune.probes.tuned_conf import parse
from sctune.unavailable import Unavailable
from tests.unit.tuning_hosts import Faults, Kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

RECOMMENDED = "balanced"
_DISK = {"elevator": "scheduler", "readahead": "read_ahead_kb"}


class Tuned(Kernel):
    """The kernel, and a tuned that lives as long as this object. `deaf`: values it does not set, and says nothing about."""

    def __init__(self, root: str, *, deaf: tuple[str, ...] = ()) -> None:
        super().__init__(root)
        self.deaf = deaf
        self.originals: list[tuple[str, str]] = []

    def finds(self, tool: str) -> bool:
        return tool == "tuned-adm" or super().finds(tool)

    def run(self, argv: Sequence[str], seconds: float) -> Completed | Unavailable:
        if argv[0] != "tuned-adm":
            return super().run(argv, seconds)
        if argv[1] == "off":
            self._unapply()
            self._save("", "manual")
        elif argv[1] == "auto_profile":
            self._switch(RECOMMENDED, "auto")
        elif not os.path.exists(f"{self.root}/etc/tuned/{argv[2]}/tuned.conf"):
            return Completed(argv=tuple(argv), status=1, stdout="", stderr="Requested profile doesn't exist.\n", seconds=0.0)
        else:
            self._switch(argv[2], "manual")
        return Completed(argv=tuple(argv), status=0, stdout="", stderr="", seconds=0.0)

    def _switch(self, name: str, mode: str) -> None:
        self._unapply()
        self._save(name, mode)
        sections = parse(self._text(f"{self.root}/etc/tuned/{name}/tuned.conf"), name)
        assert not isinstance(sections, Unavailable)
        for section in sections:
            for option in section.options:
                if section.name == "sysctl":
                    self._apply("/proc/sys/" + option.key.replace(".", "/"), option.value or "")
                elif section.name.startswith("disk") and option.key in _DISK:
                    self._apply(f"/sys/block/sda/queue/{_DISK[option.key]}", option.value or "")

    def _apply(self, path: str, value: str) -> None:
        now = self.get_value(self.root + path).decode().strip()
        chosen = next((word[1:-1] for word in now.split() if word.startswith("[")), now)
        if value[0] in "<>":
            value = value[1:]
            if (int(value) > int(chosen)) is (value[0] == "<"):
                return
        if path.rpartition("/")[2] not in self.deaf:
            self.originals.append((path, chosen))
            self._write(path, value)

    def _write(self, path: str, value: str) -> None:
        with suppress(OSError):  # which it logs
            Kernel.put_value(self, self.root + path, value.encode())

    def _unapply(self) -> None:
        for path, value in reversed(self.originals):
            self._write(path, value)
        self.originals = []

    def _save(self, name: str, mode: str) -> None:
        self._set(f"{self.root}/etc/tuned/active_profile", name)
        self._set(f"{self.root}/etc/tuned/profile_mode", mode)


class FaultyTuned(Faults, Tuned):
    """The same with a fault at one of the calls that change something."""

    def __init__(self, root: str, *, at: int = 0, number: int | None = None) -> None:
        super().__init__(root)
        self.at = at
        self.number = number


def install(root: str, *, active: str, mode: str, deaf: tuple[str, ...] = ()) -> Tuned:
    """A tuned with two profiles that has taken one up."""
    for name, text in (("balanced", "[main]\nsummary=x\n"), ("throughput", "[sysctl]\nvm.dirty_ratio=40\nvm.swappiness=30\n")):
        os.makedirs(f"{root}/etc/tuned/{name}")
        with open(f"{root}/etc/tuned/{name}/tuned.conf", "w") as file:
            file.write(text)
    daemon = Tuned(root)
    if active:
        daemon._switch(active, mode)
    else:
        daemon._save("", mode)
    daemon.deaf = deaf
    return daemon
