"""multipath-tools: what multipath.conf and its folder say, and which disks it says it of (multipath.conf(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipathSetting:
    """One line `name value`, known to multipath-tools or not, with its place."""

    name: str
    value: str
    file: str
    line: int

    @property
    def place(self) -> str:
        """file:line."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipathSection:
    """One block, `kind` its name with that of the block around it: defaults, blacklist, blacklist_exceptions, overrides, devices,
    multipaths; blacklist/device, blacklist_exceptions/device, devices/device, overrides/protocol, multipaths/multipath. Its own
    settings in their order, those of blocks inside it left to them."""

    kind: str
    file: str
    settings: tuple[MultipathSetting, ...]

    def last(self, name: str) -> MultipathSetting | None:
        """The setting that counts: of several with one name the last."""
        return next((setting for setting in reversed(self.settings) if setting.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipathConfiguration:
    """All blocks of all files, in the order in which multipath-tools reads them: the main file, then its folder by name."""

    files: tuple[str, ...]
    sections: tuple[MultipathSection, ...]

    def of(self, kind: str) -> tuple[MultipathSection, ...]:
        """The blocks of one kind."""
        return tuple(section for section in self.sections if section.kind == kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScsiIdentity:
    """What INQUIRY says of a disk, as device blocks are matched with it: blanks at the end are cut."""

    disk: str
    vendor: str
    product: str
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipath:
    """The configuration of a host that has multipath maps.

    `readings` is one configuration, or two where versions of multipath-tools read different files (config_dir counts up to 0.8 and
    not since 0.9). `builtin` is multipath-tools' own table of devices, as the installed version prints it; an empty one where no
    disk can be in it. `identities` are those of the disks of iSCSI sessions under a map.
    """

    readings: tuple[MultipathConfiguration, ...]
    builtin: MultipathConfiguration | Unavailable
    identities: tuple[ScsiIdentity, ...]

    def identity(self, disk: str) -> ScsiIdentity | None:
        """What is known of a disk."""
        return next((identity for identity in self.identities if identity.disk == disk), None)
