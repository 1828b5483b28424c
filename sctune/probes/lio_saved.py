"""saveconfig.json: what rtslib makes LIO of when the host boots (rtslib root.py, save_to_file and restore).

The file holds CHAP secrets in clear text (chap_password of an ACL, a portal group and discovery): they are dropped while it is
read. Cinder's rtstool and targetcli write the same file. Debian keeps it in /etc/rtslib-fb-target, all others in /etc/target.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sctune.model.lio_saved import LioSaved, SavedBackstore, SavedTarget
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.host.base import Host

FILES = ("/etc/rtslib-fb-target/saveconfig.json", "/etc/target/saveconfig.json")
_KERNEL_NAMES = {"block": "iblock", "fileio": "fileio", "pscsi": "pscsi", "ramdisk": "rd_mcp", "user": "user"}


def probe(host: Host) -> LioSaved | Unavailable:
    """The file that was written last. Absent where there is none."""
    failures: list[Unavailable] = []
    found: list[LioSaved] = []
    for file in FILES:
        text = host.read(file)
        if isinstance(text, Unavailable):
            failures.append(text)
            continue
        stat = host.stat(file)
        parsed = parse(text, file, None if isinstance(stat, Unavailable) else stat.mtime)
        if isinstance(parsed, Unavailable):
            failures.append(parsed)
        else:
            found.append(parsed)
    unread = [failure for failure in failures if failure.reason is not Reason.ABSENT]
    if unread or not found:
        # One that is there and could not be read may be the one that counts.
        return unread[0] if unread else failures[0]
    return _with_stats(host, max(found, key=lambda one: one.saved or 0.0))


def _with_stats(host: Host, saved: LioSaved) -> LioSaved:
    """A file may lie on a dead mount: they are looked at as all of a store's are."""
    paths = tuple(dict.fromkeys(store.path for store in saved.backstores if store.path.startswith("/")))
    stats = dict(zip(paths, host.stat_files(paths), strict=True)) if paths else {}
    return replace(saved, backstores=tuple(replace(store, stat=stats.get(store.path)) for store in saved.backstores))


def parse(text: str, file: str, saved: float | None = None) -> LioSaved | Unavailable:
    """What the file says. What is not of the form that rtslib writes is left out."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        # The error's own words may quote the text, and so a secret.
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
        return Unavailable(reason=Reason.MALFORMED, what=file, detail=f"no JSON: {where}")
    if not isinstance(document, dict):
        return Unavailable(reason=Reason.MALFORMED, what=file, detail="no object")
    backstores = tuple(
        SavedBackstore(plugin=_KERNEL_NAMES[plugin], name=name, path=_text(item, "dev"))
        for item in _items(document, "storage_objects")
        if (plugin := _text(item, "plugin")) in _KERNEL_NAMES and (name := _text(item, "name"))
    )
    targets = tuple(
        _target(iqn, group)
        for item in _items(document, "targets")
        if item.get("fabric") == "iscsi" and (iqn := _text(item, "wwn"))
        for group in _items(item, "tpgs")
    )
    return LioSaved(file=file, saved=saved, backstores=backstores, targets=targets)


def _target(iqn: str, group: dict[str, object]) -> SavedTarget:
    attributes = group.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    luns = ((_number(lun, "index"), *_backstore(_text(lun, "storage_object"))) for lun in _items(group, "luns"))
    return SavedTarget(
        iqn=iqn,
        tag=_number(group, "tag"),
        luns=tuple(sorted(luns)),
        initiators=tuple(sorted(name for acl in _items(group, "node_acls") if (name := _text(acl, "node_wwn")))),
        authentication=_flag(attributes, "authentication"),
        generate_acls=_flag(attributes, "generate_node_acls"),
    )


def _backstore(path: str) -> tuple[str, str]:
    """The kernel's plugin and the name, of /backstores/PLUGIN/NAME; a name may hold a slash no more than a folder's."""
    parts = path.split("/", 3)
    return (_KERNEL_NAMES.get(parts[2], parts[2]), parts[3]) if len(parts) == 4 else ("", path)


def _items(record: dict[str, object], name: str) -> Iterator[dict[str, object]]:
    value = record.get(name)
    yield from (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))


def _text(record: dict[str, object], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _number(record: dict[str, object], name: str) -> int:
    value = record.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _flag(record: dict[str, object], name: str) -> bool | None:
    value = record.get(name)
    return bool(value) if isinstance(value, int) else None
