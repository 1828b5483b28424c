"""Eucalyptus on this host: its version file, and cloud properties that an operator recorded.

Formats: `euca-describe-properties` prints `PROPERTY<TAB>name<TAB>value`, with -v also `DESCRIPTION<TAB>name<TAB>text`
(eucalyptus/eucalyptus maint-3.4, eucadmin/describeproperties.py); `euctl` prints `name = value` (4.2 and later,
admin-tools/eucalyptus_admin/commands/properties/euctl.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from sctune.config.model import ASK
from sctune.host.redact import redact_text
from sctune.model.cloud import Cloud
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.host.base import Host

FOLDER = "/etc/eucalyptus"
VERSION_FILE = "/etc/eucalyptus/eucalyptus-version"
VOLUMES_FOLDER = "/var/lib/eucalyptus/volumes"

TOOLS = ("euctl", "euca-describe-properties")
ASK_SECONDS = 5.0
"""A cloud controller that answers does so in one or two."""

Property: TypeAlias = tuple[str, str]

_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+\Z")
_SECRET = re.compile(r"passw|passphrase|secret|credential|private|token|key|ldap_integration_configuration", re.IGNORECASE)
# requestbuilder's and the services' words for credentials that are missing, wrong or not enough.
_REFUSED = re.compile(
    r"AuthFailure|Unauthorized|AccessDenied|InvalidAccessKeyId|InvalidClientTokenId|access key|credential", re.IGNORECASE
)
_MASK = "********"
_BYTE_ORDER_MARK = "\ufeff"
# What euctl says on stderr, where somebody recorded both streams in one file.
_EUCTL_NOTE = re.compile(r"use euctl --dump to view |.*\bno such variable: ")


def probe(host: Host, *, properties: str | None) -> Cloud | Unavailable:
    """The cloud's version and recorded properties. Absent where neither is there, nor the folder of its configuration.

    Properties that were configured and cannot be read leave the rest of the record in place, since the version alone
    decides what is normal here; `properties_unavailable` then says why.
    """
    version = host.read(VERSION_FILE)
    if isinstance(version, Unavailable) and version.reason is not Reason.ABSENT:
        return version
    installed = True
    if isinstance(version, Unavailable):
        installed = not isinstance(host.stat(FOLDER), Unavailable)
        if not installed and properties is None:
            return version
    source, recorded = _properties(host, properties)
    failed = recorded if isinstance(recorded, Unavailable) else None
    if failed is not None and not installed:
        return failed
    found = () if isinstance(recorded, Unavailable) else recorded
    return Cloud(
        version="" if isinstance(version, Unavailable) else version.strip().partition("\n")[0].strip(),
        volumes_folder=volumes_folder(found),
        properties=found,
        properties_unavailable=failed,
        installed=installed,
        properties_source=source if found else "",
    )


def _properties(host: Host, properties: str | None) -> tuple[str, tuple[Property, ...] | Unavailable]:
    """The properties, and what they are from."""
    if properties is None:
        return "", ()
    return ask_properties(host) if properties == ASK else (properties, read_properties(host, properties))


def ask_properties(host: Host) -> tuple[str, tuple[Property, ...] | Unavailable]:
    """What the first of the cloud's tools that is installed says. They find credentials where they always do (~/.euca,
    /etc/euca2ools); none are passed on, and what they print of secrets is masked."""
    for tool in TOOLS:
        answer = host.run((tool,), timeout=ASK_SECONDS)
        if isinstance(answer, Unavailable):
            if answer.reason is Reason.ABSENT:
                continue
            return tool, answer
        if answer.status != 0:
            first = next((line.strip() for line in answer.stderr.splitlines() if line.strip()), f"exit status {answer.status}")
            refused = Reason.DENIED if _REFUSED.search(answer.stderr) else Reason.FAILED
            return tool, Unavailable(reason=refused, what=tool, detail=redact_text(first))
        return tool, parse_properties(answer.stdout, tool)
    # The configuration wants them asked, so that they are not there is a fault and no property of the host.
    return "", Unavailable(reason=Reason.FAILED, what="properties: ask", detail=f"neither {' nor '.join(TOOLS)} is installed here")


def read_properties(host: Host, path: str) -> tuple[Property, ...] | Unavailable:
    """The recorded properties, read through the host so that a capture carries them."""
    text = host.read(path)
    if isinstance(text, Unavailable):
        if text.reason is Reason.ABSENT:  # the configuration names it, so its absence is a fault and no property of the host
            return Unavailable(reason=Reason.FAILED, what=path, detail="the file named by `properties:` does not exist")
        return text
    return parse_properties(text, path)


def parse_properties(text: str, path: str) -> tuple[Property, ...] | Unavailable:
    """Recorded output of either tool, as (name, value) in order; `path` is for the message.

    Values that hold secrets, and values of several lines (documents, which may), are masked.
    """
    lines = [line.rstrip("\r") for line in text.removeprefix(_BYTE_ORDER_MARK).split("\n")]
    table = any(line.startswith("PROPERTY\t") for line in lines)
    found: list[Property] = []
    for name, value in _table(lines) if table else _assignments(lines):
        if name is None:
            return Unavailable(
                reason=Reason.MALFORMED,
                what=path,
                detail=f"line {value} is neither of euca-describe-properties nor of euctl",
            )
        found.append((name, _MASK if value and ("\n" in value or _SECRET.search(name)) else value))
    if not found:
        return Unavailable(
            reason=Reason.MALFORMED, what=path, detail="no property in it: record `euctl` or `euca-describe-properties`"
        )
    return tuple(found)


def volumes_folder(properties: tuple[Property, ...]) -> str:
    """Where backing files lie: `<partition>.storage.volumesdir` where all partitions agree, else the default, since
    nothing recorded says which partition this host serves."""
    folders = {value for name, value in properties if name.endswith(".storage.volumesdir") and value.startswith("/")}
    return folders.pop() if len(folders) == 1 else VOLUMES_FOLDER


def _table(lines: list[str]) -> Iterator[tuple[str, str] | tuple[None, str]]:
    """PROPERTY lines. A value may run over several lines, so what follows a record and is no record belongs to it."""
    name, value = "", ""
    described = False
    for number, line in enumerate(lines, 1):
        kind, _, rest = line.partition("\t")
        if kind == "PROPERTY":
            if name:
                yield name, value
            name, _, value = rest.partition("\t")
            described = False
            if not _NAME.match(name):
                yield None, str(number)
                return
        elif kind == "DESCRIPTION":
            described = True
        elif line.strip() and not described:
            if not name and not line.startswith("#"):
                yield None, str(number)
                return
            value = f"{value}\n{line}" if name else value
    if name:
        yield name, value


def _assignments(lines: list[str]) -> Iterator[tuple[str, str] | tuple[None, str]]:
    """`name = value` lines; blanks around the sign are optional, as in the manual."""
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#") or _EUCTL_NOTE.match(line):
            continue
        name, sign, value = line.partition("=")
        if not sign or not _NAME.match(name.strip()):
            yield None, str(number)
            return
        yield name.strip(), value.strip()
