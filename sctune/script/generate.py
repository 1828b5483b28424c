"""The text of sctune-capture.sh: the questions of `plan` put into `capture.sh`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from sctune.host.cinder_conf import OPTIONS
from sctune.host.index import quote_words
from sctune.host.questions import covers, without_devices
from sctune.probes.disk_health import NVME, SMARTCTL
from sctune.probes.tgt_load import CLOCKS
from sctune.script.kept import kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sctune.script.plan import Plan

_TEMPLATE = "capture.sh"
_ASKS = {"list": "lists", "read": "reads", "readlink": "links", "stat": "stats", "lstat_mtime": "lstat_mtimes"}
_TOGETHER = ("readlink", "stat", "lstat_mtime")
"""What is asked in one job for all patterns."""
_LVM_SECONDS = 8
_SECONDS = 8
_DISK_SECONDS = 4
_DISKS_SECONDS = 12
"""A disk that fails may take long to answer; the script asks one after the other."""


def script(version: str) -> str:
    """The script."""
    questions = kept()
    text = Path(__file__).with_name(_TEMPLATE).read_text(encoding="utf-8")
    reports, others = _reports(questions.commands)
    blocks = {
        "@VERSION@": version,
        "@CINDER_OPTIONS@": "|".join(sorted(OPTIONS)),
        "@PATHS@": "\n".join(_paths(questions)),
        "@COMMANDS@": "\n".join(f"command_ {_SECONDS} {shlex.quote(quote_words(words))} {shlex.join(words)}" for words in others),
        "@SMARTCTL@": quote_words(SMARTCTL),
        "@NVME@": quote_words(NVME),
        "@DISK_SECONDS@": str(_DISK_SECONDS),
        "@DISKS_SECONDS@": str(_DISKS_SECONDS),
        "@KERNEL_LOG@": "kernel_log" if questions.kernel_log else "",
        "@LOGS@": "\n".join(f"log_ {shlex.quote(path)} {shlex.quote(pattern)}" for path, pattern in questions.logs),
        "@LVM@": _lvm(reports),
        "@TGT_MODES@": " ".join(mode for mode, of_target in questions.tgt if not of_target),
        "@TGT_TARGET_MODES@": " ".join(mode for mode, of_target in questions.tgt if of_target),
    }
    for mark, block in blocks.items():
        text = text.replace(mark, block)
    return text


def _reports(commands: Sequence[tuple[str, ...]]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """LVM's reports, of which part depends on the host's devices, each once without that; and all other commands."""
    reports = dict.fromkeys(without_devices(words) for words in commands if words[0] == "lvm" and "--config" in words)
    return list(reports), [words for words in commands if not (words[0] == "lvm" and "--config" in words)]


def _lvm(reports: Sequence[tuple[str, ...]]) -> str:
    """All ways of asking for a report in JSON until one is understood; where none is, the reports of older versions."""
    full = [words for words in reports if "fullreport" in words]
    old = [words for words in reports if "fullreport" not in words]
    lines = [_report(words) for words in full]
    text = " ||\n    ".join(lines)
    if old:
        text += " || {\n" + "".join(f"    {_report(words, 'LVM_OLD_DEVICES')}\n" for words in old) + "    physical_volumes\n}"
    return text or ":"


def _report(words: tuple[str, ...], devices: str = "LVM_DEVICES") -> str:
    parts: list[str] = []
    for before, word in zip(("", *words), words, strict=False):
        if before == "--config" and "devices{" in word:
            head, _, tail = word.partition("devices{")
            parts.append(f'{shlex.quote(head + "devices{")}"${devices} "{shlex.quote(tail)}')
        elif word == "--config":
            parts.append("$LVM_DRIVER --config")
        else:
            parts.append(shlex.quote(word))
    return f"lvm_ {_LVM_SECONDS} {shlex.quote(quote_words(words))} {' '.join(parts)}"


def _paths(questions: Plan) -> Iterator[str]:
    for kind, ask in _ASKS.items():
        patterns = questions.paths[kind]
        wanted = [
            shlex.quote(pattern)
            for pattern in patterns
            # The script finds these out, and asks for them at their time.
            if "@" not in pattern and pattern not in CLOCKS
            if not any(covers(other, pattern) for other in patterns if other != pattern)
        ]
        if kind in _TOGETHER:
            yield " \\\n    ".join((ask, *wanted))
        else:
            yield from (f"{ask} {pattern}" for pattern in wanted)
