"""cinder.conf (oslo.config), read for a few options and cut down to them. Pure.

The file holds passwords of the database, the message queue and the identity service under names and in URLs that change with
versions and plug-ins. So nothing is masked in it: an option that is not on the list here does not leave the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = frozenset(
    {
        "enabled_backends",
        "iscsi_helper",  # target_helper before Rocky
        "iscsi_target_prefix",
        "lvm_conf_file",
        "lvm_type",
        "state_path",
        "target_helper",
        "target_prefix",
        "volume_driver",
        "volume_group",
        "volumes_dir",
    }
)
"""What is read of it: names of options as they stand in the file."""
_FOLDERS = ("cinder", "cinder-volume", "cinder.conf.d")
_NAMES = ("cinder.conf", "cinder-dist.conf")


def is_cinder_conf(path: str) -> bool:
    """Whether a file is read as Cinder's configuration; /etc/tgt/conf.d/cinder.conf, which only tgt reads, is none."""
    folder, _, name = path.rpartition("/")
    folder = folder.rpartition("/")[2]
    return folder in _FOLDERS and (name in _NAMES or folder == "cinder.conf.d")


def options(text: str) -> Iterator[tuple[str, str, str]]:
    """(section, option, value) of each option of OPTIONS in order, values as written but for quotes around them.

    Sections other than DEFAULT, and options, are told apart whatever their case (oslo_config/cfg.py, _normalize_group_name).
    A line that begins with a blank goes on with the value before it (oslo_config/iniparser.py), and is left out: none of these
    options needs one, and another's may hold a secret.
    """
    section = ""
    for line in text.replace("\r", "").split("\n"):
        if not line.strip() or line[0] in "#;":
            continue
        if line[0] == "[" and line.rstrip().endswith("]"):
            section = line.rstrip()[1:-1]
            section = section if section == "DEFAULT" else section.lower()
            continue
        if line[0].isspace():
            continue
        name, value = _split(line)
        if section and name in OPTIONS:
            yield section, name, value


def reduce(text: str) -> str:
    """The text with the options of OPTIONS alone, under their sections."""
    lines: list[str] = []
    last = None
    for section, name, value in options(text):
        if section != last:
            lines.append(f"[{section}]")
            last = section
        lines.append(f"{name} = {value}")
    return "".join(f"{line}\n" for line in lines)


def _split(line: str) -> tuple[str, str]:
    """Name and value; the first of `=` and `:` is between them."""
    marks = [position for position in (line.find("="), line.find(":")) if position > 0]
    if not marks:
        return line.strip(), ""
    value = line[min(marks) + 1 :].strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return line[: min(marks)].strip().lower(), value
