"""Takes secrets out of what is recorded: command lines, files, what tools say. Pure; see `masking` for what is a secret."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from sctune.host.cinder_conf import is_cinder_conf
from sctune.host.cinder_conf import reduce as reduce_cinder_conf
from sctune.host.masking import MASK, SECRET_NAME, mask, mask_values
from sctune.unavailable import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

# A word of the shell with its quotes, or the blanks between two: joined again they are the line they were.
_SHELL_WORDS = re.compile(r"""[ \t]++|(?:"(?:[^"\\]|\\.)*+"?|'[^']*+'?|\\.|\\$|[^ \t"'\\])++""", re.DOTALL)
_QUOTING = re.compile(r"""\"((?:[^"\\]|\\.)*+)"?|'([^']*+)'?|\\(.)""", re.DOTALL)
_BLANK = re.compile(r"[ \t\n]")
_DEEPEST = 8
# Base64 of 30 bytes and more; RSA, with which clouds encrypt, makes hundreds of letters.
_ENCRYPTED = re.compile(r"[A-Za-z0-9+/]{40,}+={0,2}")
# getopt_long(3) takes any unambiguous beginning of an option's name: --pas is tgtadm's --password.
_PASSWORD_OPTION = re.compile(r"-{1,2}pas[a-z]{0,8}", re.IGNORECASE)
_VALUE_OPTIONS = ("--va", "--val", "--valu", "--value")
_COMMAND_LINE = re.compile(rf"--?pas|tgtadm|iscsiadm|--\S*{SECRET_NAME.pattern}", re.IGNORECASE)

# Files that hold one secret and nothing else: sessions of the initiator (sysfs), LIO (configfs), NVMe in-band authentication.
_PACKAGES = "/var/lib/dpkg/status"
_ASKED = ("Package: tgt\n",)
_SECRET_FILES = frozenset(
    {
        "password",
        "password_in",
        "password_mutual",
        "dhchap_key",
        "dhchap_ctrl_key",
        "dhchap_secret",
        "dhchap_ctrl_secret",
        "shadow",
        "gshadow",
    }
)


def redact_argv(argv: Sequence[str]) -> tuple[str, ...]:
    """A command line without its secrets.

    Known forms: `--password X`, `--password=X` and any other option whose name speaks of a secret; `-p X` and `-pX` of
    tgtadm(8); the value (`-v`, `--value`) that iscsiadm(8) is told to write under a name (`-n`, `--name`) that speaks of
    one; `password=X` (targetcli, mount options); the user part of a URL; a whole command line in one argument (`sh -c`, a
    process that rewrote its title).
    """
    return tuple(_redact_line(word) if _BLANK.search(word) else word for word in _redact_words(list(argv)))


def redact_text(text: str) -> str:
    """What a tool printed, or a line about it, without the secrets in it."""
    if _COMMAND_LINE.search(text):
        lines = text.split("\n")
        text = "\n".join(_redact_line(line) if _COMMAND_LINE.search(line) else line for line in lines)
    return mask_values(text)


def redact_message(text: str) -> str:
    """A message of a cloud's log without its secrets: beside those of command lines, tokens and what was encrypted (as the
    password in a connection string, `,,,SECRET,,HOST,IQN`), which are told by their length alone."""
    return _ENCRYPTED.sub(MASK, redact_text(text))


def redact_file(path: str, text: str) -> str:
    """The text of a file without its secrets. A file that is one secret becomes `MASK`; its final line end stays."""
    if path == _PACKAGES:
        return _known_packages(text)
    if path.endswith(".xml"):
        # The only XML that is read describes guests.
        from sctune.host.guest_xml import reduce

        return reduce(text)
    if is_cinder_conf(path):
        return reduce_cinder_conf(text)
    if os.path.basename(path) in _SECRET_FILES:
        bare = text.rstrip("\n")
        return mask(bare) + text[len(bare) :]
    return redact_text(text)


def _known_packages(text: str) -> str:
    """What dpkg's database says of the packages that are asked about: the rest is nobody's business, and most of a megabyte."""
    kept = [part for part in text.split("\n\n") if part.lstrip("\n").startswith(_ASKED)]
    return "\n\n".join(kept) + "\n" if kept else ""


def redact_unavailable(answer: Unavailable) -> Unavailable:
    """The same answer; `what` may be a command line and `detail` a line of a tool's."""
    return Unavailable(reason=answer.reason, what=redact_text(answer.what), detail=redact_text(answer.detail), pids=answer.pids)


def _redact_line(text: str, depth: int = 0) -> str:
    """Command lines inside a text, each line by itself; what holds no secret stays as it is written.

    A quoted word may be a command line in turn (sh -c '...'), whose secret is quoted once more.
    """
    rows: list[str] = []
    for row in text.split("\n"):
        tokens = _SHELL_WORDS.findall(row)
        places = [index for index, token in enumerate(tokens) if token[0] not in " \t"]
        words = [_QUOTING.sub(_unquoted, tokens[index]) for index in places]
        for index, word, without in zip(places, words, _redact_words(words), strict=True):
            redacted = without
            if _BLANK.search(without):
                redacted = _redact_line(without, depth + 1) if depth < _DEEPEST else MASK
            if redacted != word:
                tokens[index] = redacted if word == tokens[index] else shlex.quote(redacted)
        rows.append("".join(tokens))
    return "\n".join(rows)


def _unquoted(found: re.Match[str]) -> str:
    if found[1] is not None:
        return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)
    return found[2] if found[2] is not None else found[3]


def _redact_words(words: list[str]) -> list[str]:
    programs = {os.path.basename(word.strip("\"'")) for word in words}
    tgtadm = "tgtadm" in programs
    # iscsiadm takes name and value in either order.
    iscsiadm = "iscsiadm" in programs and any(SECRET_NAME.search(word) for word in words)
    done: list[str] = []
    masks_next = False
    for word in words:
        name, equals, value = word.partition("=")
        option = name.startswith("-") and not _BLANK.search(name)
        if masks_next:
            done.append(mask(word))
            masks_next = False
        elif option and (_PASSWORD_OPTION.fullmatch(name) or SECRET_NAME.search(name) or (iscsiadm and name in _VALUE_OPTIONS)):
            done.append(name + equals + mask(value))
            masks_next = not equals
        elif (tgtadm and word.startswith("-p")) or (iscsiadm and word.startswith("-v")):
            done.append(word[:2] + mask(word[2:]))
            masks_next = len(word) == 2
        else:
            done.append(_redact_word(word))
    return done


def _redact_word(word: str) -> str:
    """One word that is no option: `NAME=VALUE` with a secret's name, qemu's secret object, a URL, a piece of JSON."""
    name, equals, value = word.partition("=")
    if equals and SECRET_NAME.search(name) and not any(mark in name for mark in " \t\n\"'{"):
        return name + equals + mask(value)
    if word.startswith("secret,"):  # qemu(1): -object secret,id=NAME,data=SECRET
        return re.sub(r"(?<=,)data=.*", "data=" + MASK, word, flags=re.DOTALL)
    return mask_values(word)
