"""What a Eucalyptus installation says of itself on this host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.records import dataclass

if TYPE_CHECKING:
    from sctune.unavailable import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """`version` is the first line of /etc/eucalyptus/eucalyptus-version, e.g. "4.4.2"; "" where the file is absent. `installed`:
    /etc/eucalyptus is there, so that the host is a cloud's whether or not it tells its version.
    `volumes_folder` is where this storage controller keeps backing files. `properties` are recorded cloud properties
    (name, value) in the order of the recording, () where none were given; values that hold secrets are masked.
    `properties_source` is the file or the tool they are from. `properties_unavailable` says why there are none although the
    configuration names one."""

    version: str
    volumes_folder: str
    properties: tuple[tuple[str, str], ...]
    properties_unavailable: Unavailable | None = None
    installed: bool = False
    properties_source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JvmHeap:
    """The largest heap a JVM may have, in bytes, and the argument that says so (`-Xmx4g`)."""

    size: int
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudOptions:
    """What matters of CLOUD_OPTS. `heap` is None where it sets none."""

    heap: JvmHeap | None
