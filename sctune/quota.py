"""Quotas: which limits apply to this host, and what counts against them. Pure.

Everything is in logical sizes: N GiB as a user asked for them, never the N GiB + 4 MiB of a backing file, nor what is
allocated of it. Property names and meanings: StorageInfo.java, DirectStorageInfo.java of eucalyptus/eucalyptus.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from sctune.backends.base import FileRole
from sctune.backends.eucalyptus import LVM_HEADER_LENGTH
from sctune.config.model import Quotas
from sctune.model.units import GIB
from sctune.records import dataclass
from sctune.unavailable import Reason, Unavailable, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sctune.inventory import Inventory
    from sctune.model.chain import Chain, Chains
    from sctune.model.cloud import Cloud
    from sctune.model.store import StoreFile, VolumeStore

TOTAL = "maxtotalvolumesizeingb"
VOLUME = "maxvolumesizeingb"
SNAPSHOTS = "storage.global_total_snapshot_size_limit_gb"
WALRUS_SNAPSHOTS = "walrus.storagemaxtotalsnapshotsizeingb"
"""The same before 4.0; 3.2.1 and later do not honour it (EUCA-4838)."""
DEFAULT_SNAPSHOTS = 50 * GIB
"""Its default, in all versions: since 4.2 far below that of the volumes of one zone (500)."""

_PARTITION = re.compile(r"iqn\.2009-06\.com\.eucalyptus\.(.+):store[0-9]+\Z")
_VOLUME_ID = re.compile(r"vol-[0-9A-Fa-f]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit in bytes; `key` is how it is called where it was read, `source` that place. `configured`: in our own file."""

    size: int
    key: str
    source: str
    configured: bool

    @property
    def is_default(self) -> bool:
        """Of snapshots: whether the cloud has the value it came with."""
        return not self.configured and self.size == DEFAULT_SNAPSHOTS


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyTool:
    """One of the two tools for a cloud's properties: how they are shown, and set."""

    show: str
    set: str

    def setting(self, key: str, gib: int) -> str:
        """The command that sets a limit."""
        return f"{self.set} {shlex.quote(f'{key}={gib}')}"


_EUCTL = PropertyTool(show="euctl", set="euctl")
_EUCA = PropertyTool(show="euca-describe-properties", set="euca-modify-property -p")


def tools_of(version: str) -> tuple[PropertyTool, PropertyTool]:
    """Both, that of this version of the cloud first: euctl came with 4.2, and the other is still there then."""
    numbers = version_numbers(version)
    return (_EUCA, _EUCTL) if numbers and numbers < (4, 2) else (_EUCTL, _EUCA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits in force. None: no such limit is known. `volumes` holds the entries for single volumes.
    `doubts` says why a limit that was recorded could not be used."""

    total: Limit | None = None
    snapshots: Limit | None = None
    volume: Limit | None = None
    volumes: Mapping[str, Limit]
    doubts: tuple[Unavailable, ...] = ()

    @property
    def known(self) -> bool:
        """Whether anything is limited at all."""
        return bool(self.volumes) or not (self.total is None and self.snapshots is None and self.volume is None)

    def of_volume(self, volume: str) -> Limit | None:
        """The limit of one volume: its own entry, else the default. The case of a Eucalyptus id does not matter."""
        if volume in self.volumes:
            return self.volumes[volume]
        if _VOLUME_ID.match(volume):
            for name, limit in self.volumes.items():
                if name.lower() == volume.lower():
                    return limit
        return self.volume


def limits(quotas: Quotas | None, cloud: Cloud | None, *, partitions: Iterable[str] = (), source: str = "") -> Limits:
    """The limits in force: each from the configuration, else from recorded cloud properties.

    `partitions` are those this host serves, where its targets tell; properties of several partitions that differ are of
    no use without. `source` is the file of the recording.
    """
    recorded = _Recorded(cloud.properties if cloud is not None else (), tuple(partitions), source)

    own = Quotas() if quotas is None else quotas

    def configured(value: int | None, key: str) -> Limit | None:
        return None if value is None else Limit(size=value, key=key, source=own.source, configured=True)

    return Limits(
        total=configured(own.total, "quotas.total") or recorded.partitioned(TOTAL),
        snapshots=configured(own.snapshots_total, "quotas.snapshots_total")
        or recorded.snapshots(cloud.version if cloud is not None else ""),
        volume=configured(own.volume, "quotas.volume") or recorded.partitioned(VOLUME),
        volumes={
            name: Limit(size=size, key=f"quotas.volumes.{name}", source=own.source, configured=True)
            for name, size in own.volumes.items()
        },
        doubts=tuple(recorded.doubts),
    )


def properties_source(inventory: Inventory) -> str:
    """What recorded properties are from, in words: the file, or the tool that was asked."""
    cloud = known(inventory.cloud)
    asked = cloud.properties_source if cloud is not None else ""
    return asked or inventory.config.properties or "recorded properties"


def version_numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version such as "4.4.2", () where the text is none."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isascii() and part.isdecimal())
    return numbers if len(numbers) == 2 else ()


def partitions_of(chains: Chains) -> tuple[str, ...]:
    """The partitions (availability zones) this host exports volumes of: they are in the names of its targets."""
    found = {match[1] for iqn, _ in chains.by_export if (match := _PARTITION.match(iqn)) is not None}
    return tuple(sorted(found))


def logical_size(chain: Chain) -> int | None:
    """The size of a volume as its user asked for it, None where nothing that has a size is left of it.

    Eucalyptus' overlay: the file's length less 4 MiB, to whole GiB (its users can ask for nothing else). Otherwise the LV's
    size, and without one the file's.
    """
    if chain.backend.name == "eucalyptus-overlay":
        length = chain.file.apparent if chain.file is not None else (chain.loops[0].size if chain.loops else None)
        if length is not None:
            return max(1, (length - LVM_HEADER_LENGTH + GIB // 2) // GIB) * GIB
    if chain.lv is not None:
        return chain.lv.size
    return chain.file.apparent if chain.file is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What counts against a limit: `count` things of `size` bytes in all. `unknown` names what could not be counted:
    the size is then "at least"."""

    size: int
    count: int
    unknown: tuple[Unavailable, ...] = ()


def volumes_used(chains: Iterable[Chain], stores: tuple[VolumeStore, ...] | Unavailable) -> Usage:
    """All volumes that a cloud made on this host."""
    sizes = [size for chain in chains if chain.ours and (size := logical_size(chain)) is not None]
    return Usage(size=sum(sizes), count=len(sizes), unknown=_unread(stores))


def snapshots_used(chains: Chains, stores: tuple[VolumeStore, ...] | Unavailable) -> Usage:
    """All snapshot files on this host, finished ones by their length. One that a copy still writes counts as its volume,
    and to whole GiB where that is not known."""
    growing = {copy.destination: chain for chain in chains.chains for copy in chain.copies if copy.destination}
    sizes: dict[tuple[int, int], int] = {}
    for _, file in snapshot_files(chains, stores):
        chain = growing.get(file.path)
        whole = -(-file.apparent // GIB) * GIB
        sizes[file.device, file.inode] = max(whole, (logical_size(chain) or 0) if chain is not None else 0)
    return Usage(size=sum(sizes.values()), count=len(sizes), unknown=_unread(stores))


def snapshot_files(chains: Chains, stores: tuple[VolumeStore, ...] | Unavailable) -> Iterator[tuple[str, StoreFile]]:
    """The files of snapshots, each with the snapshot's id; one file may be met in two folders."""
    for store in () if isinstance(stores, Unavailable) else stores:
        for file in () if isinstance(store.files, Unavailable) else store.files:
            for backend in chains.backends:
                name = backend.file_name(file.name)
                if name.role is FileRole.SNAPSHOT:
                    yield name.id, file
                    break


def _unread(stores: tuple[VolumeStore, ...] | Unavailable) -> tuple[Unavailable, ...]:
    if isinstance(stores, Unavailable):
        return (stores,)
    return tuple(store.files for store in stores if isinstance(store.files, Unavailable))


class _Recorded:
    """Limits in recorded cloud properties. A later line of the recording wins over an earlier one."""

    def __init__(self, properties: tuple[tuple[str, str], ...], partitions: tuple[str, ...], source: str) -> None:
        self.values = dict(properties)
        self.partitions = partitions
        self.source = source
        self.doubts: list[Unavailable] = []

    def single(self, name: str) -> Limit | None:
        """A property of the whole cloud, in GiB."""
        return self._limit(name, self.values[name]) if name in self.values else None

    def snapshots(self, version: str) -> Limit | None:
        """The limit of all snapshots: in 4.0 it got another name, and the old one stays behind, empty."""
        numbers = version_numbers(version)
        if SNAPSHOTS not in self.values and numbers and numbers < (4, 0):
            return self.single(WALRUS_SNAPSHOTS) if self.values.get(WALRUS_SNAPSHOTS) else None
        return self.single(SNAPSHOTS)

    def partitioned(self, name: str) -> Limit | None:
        """A property that each partition has: that of the partition we serve, or what all of them agree on."""
        suffix = f".storage.{name}"
        named = {key.removesuffix(suffix): value for key, value in self.values.items() if key.endswith(suffix)}
        if not named:
            return None
        ours = {key: value for key, value in named.items() if key in self.partitions} if self.partitions else named
        if not ours:
            self._doubt(name, Reason.NOT_COLLECTED, f"recorded for {_list(named)}, and this host serves {_list(self.partitions)}")
            return None
        if len(set(ours.values())) > 1:
            self._doubt(
                name, Reason.NOT_COLLECTED, f"differs between {_list(ours)}, and no target tells which of them is served here"
            )
            return None
        partition = min(ours)
        return self._limit(partition + suffix, ours[partition])

    def _limit(self, key: str, value: str) -> Limit | None:
        if not (value.isascii() and value.isdecimal() and len(value) <= 12):
            self._doubt(key, Reason.MALFORMED, "not a number of GiB")
            return None
        return Limit(size=int(value) * GIB, key=key, source=self.source, configured=False)

    def _doubt(self, name: str, reason: Reason, detail: str) -> None:
        self.doubts.append(Unavailable(reason=reason, what=f"{name} in {self.source}", detail=detail))


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
