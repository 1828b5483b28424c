"""What another tool holds: a tuned that runs, and its profile. Two tools that set one knob undo each other. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.tuned import sysctls_of, wanted
from sctune.tuned_devices import owner
from sctune.tuning.schema import Attribute
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from sctune.model.block import BlockDevice
    from sctune.model.tuned import TunedOption, TunedProfile
    from sctune.tuning.facts import Facts

_DIRTY = ("vm.dirty_ratio", "vm.dirty_bytes", "vm.dirty_background_ratio", "vm.dirty_background_bytes")
_DISK = {Attribute.SCHEDULER: "elevator", Attribute.READ_AHEAD_KB: "readahead", Attribute.MAX_SECTORS_KB: "max_sectors_kb"}
_HUGE_PAGES = ("transparent_hugepages", "transparent_hugepage")


class Pins:
    """What of a profile tuned holds; all of it where tuned runs and its profile cannot be told."""

    def __init__(self, facts: Facts) -> None:
        self._profile: TunedProfile | None = None
        self._blind, self._unsure = "", ""
        if facts.via is not None:  # tuned's profile ends, and what it sets with it
            self._unsure = facts.via.unsure
            return
        tuned = known(facts.tuned)
        answer = facts.tuned_profile
        runs = tuned is not None and tuned.running and bool(tuned.profile)
        self._profile = known(answer) if runs else None
        if isinstance(facts.tuned, Unavailable) and facts.tuned.reason is not Reason.ABSENT:
            said = f"whether tuned runs could not be told ({facts.tuned})"
            # A file tree and an old capture have no processes to ask, and nothing is applied to them.
            self._blind, self._unsure = ("", said) if facts.tuned.reason is Reason.NOT_COLLECTED else (said, "")
        elif runs and self._profile is None:
            self._blind = f"tuned runs, and what its profile sets could not be read ({answer})"

    @property
    def blind(self) -> str:
        """Why nobody can tell what tuned holds, "" where it can be told."""
        return self._blind

    @property
    def unsure(self) -> str:
        """What the plan takes for granted: that no tuned runs where nobody recorded whether one does."""
        return self._unsure

    @property
    def profile(self) -> str:
        """The profile that a running tuned has active, "" for none."""
        return self._profile.name if self._profile is not None else ""

    def sysctl(self, knob: tuple[str, ...], key: str, value: str) -> str:
        """Why tuned stands in the way of a kernel setting, "" where it does not: its profile does not set it, or to the same."""
        return self._said(self.sysctl_set(knob, key, value))

    def huge_pages(self, value: str) -> str:
        """The same of transparent huge pages."""
        return self._said(self.huge_pages_set(value))

    def governor(self, value: str) -> str:
        """The same of processors' governors."""
        return self._said(self.governor_set(value))

    def device(self, device: BlockDevice, attribute: Attribute, value: str) -> str:
        """The same of a disk's queue."""
        return self._said(self.device_set(device, attribute, value))

    def sysctl_set(self, knob: tuple[str, ...], key: str, value: str) -> str:
        """What tuned sets of a kernel setting otherwise, as "its option (to VALUE)"; "" where nothing."""
        found = [option for kind, option in self._options("sysctl", "vm") if _names(kind, option, knob)]
        if found and self._profile is not None:
            same = [one for one in sysctls_of(self._profile) if one.key == key and one.met_by(value)]
            if not same:
                return _words(found[-1])
        return ""

    def huge_pages_set(self, value: str) -> str:
        """The same of transparent huge pages."""
        found = [option for _, option in self._options("vm") if option.key in _HUGE_PAGES and option.value != value]
        return _words(found[-1]) if found else ""

    def governor_set(self, value: str) -> str:
        """The same of processors' governors."""
        for _, option in self._options("cpu"):
            if option.key == "governor" and value not in (option.value or "").replace("|", " ").split():
                return _words(option)
        return ""

    def device_set(self, device: BlockDevice, attribute: Attribute, value: str) -> str:
        """The same of a disk's queue."""
        if self._profile is None or attribute not in _DISK:
            return ""
        unit = owner(device, self._profile)
        for option in unit.options if unit is not None else ():
            if option.key == _DISK[attribute]:
                meant = wanted(option)
                if meant is None or not meant.met_by(value):
                    return _words(option)
        return ""

    def _options(self, *kinds: str) -> list[tuple[str, TunedOption]]:
        units = self._profile.units if self._profile is not None else ()
        return [(unit.type, option) for unit in units if unit.type in kinds for option in unit.options]

    def _said(self, what: str) -> str:
        return f"tuned runs, and its profile {self.profile} sets {what}" if what else ""


def _words(option: TunedOption) -> str:
    return f"{option.key} (to {option.value or 'something of its own'})"


def _names(kind: str, option: TunedOption, knob: tuple[str, ...]) -> bool:
    if kind == "sysctl":
        return option.key.replace("/", ".") in knob
    return f"vm.{option.key}" in knob and f"vm.{option.key}" in _DIRTY
