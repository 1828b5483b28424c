"""Sos archives made by hand: a folder of texts, a manifest, and what sos 4.0 calls the file of a command's output."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from sctune.host.choose import open_host
from sctune.host.sos.manifest import mangle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sctune.host.base import Host

TOP = "sosreport-sc1-2026-11-26-abcdefg"


def tar(members: Iterable[tuple[str, bytes | str]], *, top: str = TOP, mode: str = "w") -> bytes:
    """An archive of files; a text beginning with "-> " is a symbolic link."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            member = tarfile.TarInfo(f"{top}/{name}" if top else name)
            data = content.encode() if isinstance(content, str) else content
            if data.startswith(b"-> "):
                member.type, member.linkname, data = tarfile.SYMTYPE, data[3:].decode(), b""
            member.size, member.mtime = len(data), 1_790_000_000
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def members(
    commands: Mapping[str, str],
    files: Mapping[str, str] | None = None,
    *,
    manifest: bool = True,
    changed: Mapping[str, Mapping[str, Any]] | None = None,
    copied: Iterable[str] = (),
    cmdline: str = "report --batch",
) -> list[tuple[str, bytes | str]]:
    """Commands by their line, in one plugin. `changed` puts other fields into a command's entry in the manifest; one with
    `filepath` None has no output."""
    entries = []
    found: list[tuple[str, bytes | str]] = [("version.txt", "sosreport: 4.0\n")]
    for line, text in commands.items():
        entry: dict[str, Any] = {"exec": line, "filepath": f"sos_commands/all/{mangle(line)}", "return_code": 0, "run_time": 0.1}
        entry |= (changed or {}).get(line, {})
        entries.append(entry)
        if entry["filepath"] is not None:
            found.append((entry["filepath"], text))
    found += (files or {}).items()
    plugin = {"commands": entries, "files": [{"specification": one, "files_copied": []} for one in copied], "timeout_hit": False}
    document = {"version": "4.0", "cmdline": cmdline, "components": {"report": {"plugins": {"all": plugin}}}}
    return [*found, ("sos_reports/manifest.json", json.dumps(document))] if manifest else found


def host(place: Path, commands: Mapping[str, str], files: Mapping[str, str] | None = None, **options: Any) -> Host:
    """The host of such an archive."""
    path = place / "sosreport.tar"
    path.write_bytes(tar(members(commands, files, **options)))
    return open_host(str(path), None)
