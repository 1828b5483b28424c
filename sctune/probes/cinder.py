"""Cinder's configuration, and the files in volumes_dir by which tgt-admin makes its targets.

cinder.conf has a section a back end, named in DEFAULT's enabled_backends; what a section does not say, [backend_defaults] does
(cinder volume/configuration.py). Without enabled_backends DEFAULT itself is the back end. Options refer to others by $name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sctune.backends.cinder import PREFIX, volume_of
from sctune.host.cinder_conf import options
from sctune.model.cinder import Cinder, CinderBackend, TargetFile, TargetFolder
from sctune.probes.lvmconfig import parse as parse_lvm
from sctune.probes.targets_conf import Block, parse
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sctune.host.base import Host
    from sctune.model.lvm import LvmSettings

CONFIGURATIONS = ("/usr/share/cinder/cinder-dist.conf", "/etc/cinder/cinder.conf")
"""What services are started with: the distributor's file (RDO), and the site's, whose values count."""
DROP_INS = ("/etc/cinder/cinder.conf.d",)
KOLLA = "/etc/kolla/cinder-volume/cinder.conf"
"""The same in a container: paths in it are the container's."""
KOLLA_STATE = ("/var/lib/docker/volumes/cinder/_data", "/var/lib/containers/storage/volumes/cinder/_data")
"""Where the container's /var/lib/cinder lies on the host (docker, podman)."""
STATE = "/var/lib/cinder"
DEVSTACK = "/opt/stack/data/cinder/volumes"
LVM_CONF = "/etc/cinder/lvm.conf"

_DRIVER = "cinder.volume.drivers.lvm.LVMVolumeDriver"
_LVM_DRIVERS = "cinder.volume.drivers.lvm."
_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")
_LVM_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_LVM_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*+")|#.*')
_MOST_FILES = 10_000
_DEEPEST = 8


def probe(host: Host) -> Cinder | Unavailable:
    """What there is of Cinder's LVM driver; absent where nothing is."""
    texts: list[str] = []
    files: list[str] = []
    unread: list[Unavailable] = []
    for path in _configurations(host, unread):
        text = host.read(path)
        if not isinstance(text, Unavailable):
            files.append(path)
            texts.append(text)
        elif text.reason is not Reason.ABSENT:
            unread.append(text)
    backends = parse_backends(texts) if texts else ()
    wanted = tuple(dict.fromkeys(one.volumes_dir for one in backends if one.target_helper == "tgtadm"))
    folders = tuple(folder for path in _folders(wanted) if (folder := _folder(host, path)) is not None)
    if not files and not unread and not folders:
        return Unavailable(reason=Reason.ABSENT, what=CONFIGURATIONS[-1])
    lvm = next((one.lvm_conf_file for one in backends), LVM_CONF)
    lvm_text = host.read(lvm)
    return Cinder(
        files=tuple(files),
        unread=tuple(unread),
        backends=backends,
        folders=folders,
        lvm_configuration=lvm if not isinstance(lvm_text, Unavailable) or lvm_text.reason is not Reason.ABSENT else "",
        lvm_settings=lvm_settings(lvm_text) if not isinstance(lvm_text, Unavailable) else None,
    )


def _configurations(host: Host, unread: list[Unavailable]) -> Iterable[str]:
    yield from CONFIGURATIONS
    for folder in DROP_INS:
        names = host.list(folder)
        if not isinstance(names, Unavailable):
            yield from (f"{folder}/{name}" for name in sorted(names) if name.endswith(".conf"))
        elif names.reason is not Reason.ABSENT:
            unread.append(names)
    yield KOLLA


def parse_backends(texts: Iterable[str]) -> tuple[CinderBackend, ...]:
    """The LVM back ends of one configuration, given the texts of its files in order: the last value of an option counts."""
    values: dict[str, dict[str, str]] = {}
    for text in texts:
        for section, option, value in options(text):
            values.setdefault(section, {})[option] = value
    default = values.get("DEFAULT", {})
    names = [name.strip() for name in default.get("enabled_backends", "").split(",") if name.strip()]
    if not names:
        return tuple(one for one in (_backend("DEFAULT", (default,)),) if one is not None)
    common = values.get("backend_defaults", {})
    state = {key: value for key, value in default.items() if key == "state_path"}
    found = (_backend(name, (values.get(name if name == "DEFAULT" else name.lower(), {}), common, state)) for name in names)
    return tuple(one for one in found if one is not None)


def _backend(section: str, sources: tuple[Mapping[str, str], ...]) -> CinderBackend | None:
    """A section's options, None where its volumes are no LVs."""
    known: dict[str, str] = {}
    for source in reversed(sources):
        known.update(source)
    known.setdefault("state_path", STATE)

    def told(*names: str, default: str) -> str:
        return _resolved(next((known[name] for name in names if name in known), default), known)

    if not told("volume_driver", default=_DRIVER).startswith(_LVM_DRIVERS):
        return None
    return CinderBackend(
        section=section,
        volume_group=told("volume_group", default="cinder-volumes"),
        lvm_type=told("lvm_type", default="auto"),
        lvm_conf_file=told("lvm_conf_file", default=LVM_CONF),
        target_helper=told("target_helper", "iscsi_helper", default="tgtadm"),
        target_prefix=told("target_prefix", "iscsi_target_prefix", default=PREFIX),
        volumes_dir=told("volumes_dir", default="$state_path/volumes").rstrip("/") or "/",
    )


def _resolved(value: str, known: Mapping[str, str], depth: int = 0) -> str:
    """$name and ${name} replaced, `$$` a dollar; one that is not known stays."""

    def of(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name is None:
            return "$"
        return _resolved(known[name], known, depth + 1) if name in known and depth < _DEEPEST else match[0]

    return _REFERENCE.sub(of, value)


def _folders(configured: Iterable[str]) -> tuple[str, ...]:
    """The folders to look at: those configured, and the usual ones."""
    usual = (f"{STATE}/volumes", DEVSTACK, *(f"{state}/volumes" for state in KOLLA_STATE))
    return tuple(dict.fromkeys(path for path in (*configured, *usual) if path.startswith("/")))


def _folder(host: Host, path: str) -> TargetFolder | None:
    """A folder and its files; None where there is none."""
    names = host.list(path)
    if isinstance(names, Unavailable):
        return None if names.reason is Reason.ABSENT else TargetFolder(path=path, files=names)
    files: list[TargetFile] = []
    unread: list[Unavailable] = []
    for name in sorted(names)[:_MOST_FILES]:
        # tgt-admin's include takes what does not begin with a dot.
        if name.startswith("."):
            continue
        text = host.read(f"{path}/{name}")
        if isinstance(text, Unavailable):
            if text.reason is not Reason.ABSENT:
                unread.append(text)
            continue
        files.append(target_file(f"{path}/{name}", text))
    return TargetFolder(path=path, files=tuple(files), unread=tuple(unread))


def target_file(path: str, text: str) -> TargetFile:
    """One file. Of accounts only that there is one is kept."""
    blocks: dict[str, Block] = {}
    parse(text, path, blocks)
    return TargetFile(
        path=path,
        volume=volume_of(path.rpartition("/")[2]),
        targets=tuple(block.record(iqn) for iqn, block in blocks.items()),
    )


def lvm_settings(text: str) -> LvmSettings | None:
    """What an lvm.conf sets, as an administrator writes it; None where that is nothing, or no lvm.conf. (`lvm lvmconfig` would make
    the folder that it is told.)"""
    try:
        return parse_lvm("\n".join(_lvm_lines(text)))
    except ValueError:
        return None


def _lvm_lines(text: str) -> Iterable[str]:
    """One thing a line, without comments, as lvmconfig prints it."""
    pending = ""
    for raw in text.split("\n"):
        line = _LVM_COMMENT.sub(lambda found: found[1] or "", raw).strip()
        if not line:
            continue
        pending = f"{pending} {line}".strip()
        bare = _LVM_STRING.sub("", pending)
        if bare.count("[") <= bare.count("]"):
            yield pending
            pending = ""
