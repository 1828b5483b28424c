"""Where secrets stand in the text of files and tools, and what stands in their place. Pure.

What replaces a secret is `MASK`, always of the same length, so that not even the length of a secret is told. A secret
that is not set ("", `<empty>` of iscsiadm(8), `(null)` of the kernel) stays as it is: that there is none is a fact a
check needs. Everything here prefers to mask too much: what follows a word such as "password" goes to the end of its
value, and where the value has no end, to the end of the text.

No pattern here may cost more than linear time: what is read may have been written to hurt. Runs are bounded or
possessive for that reason.
"""

from __future__ import annotations

import re

MASK = "********"
"""What stands in the place of every secret."""

_UNSET = frozenset({"", "<empty>", "<hidden>", "(null)", "NULL", "null", "none", "None", "true", "false", MASK})

_WORDS = (
    r"(?:passw(?:or)?d|passphrase|passcode|secret|credential|dhchap_(?:ctrl_)?key"
    r"|(?:private|secret|access|api|encryption|shared)[_-]?key|(?:auth|api|access|bearer|session)[_-]?token"
    r"|ldap_integration_configuration)"  # a property of Eucalyptus: JSON with the directory's credentials
)
SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
"""A name that speaks of a secret."""

# Group 1: the quote that closes the name, of JSON perhaps inside JSON. Group 2: = or :.
_ASSIGNMENT = re.compile(_WORDS + r"""[\w.\-\[\]]{0,64}+(\\{0,8}+["'])?[ \t]*+([=:])[ \t]*+""", re.IGNORECASE)
_LINE_START = re.compile(r"""[\s#;"'\\]{0,64}+[\w.\-\[\]]{0,200}""")
# To the end of the line, and on where a backslash joins the next one to it.
_REST = re.compile(r"(?:\\\r?\n|[^\n])*+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?|\'(?:[^\'\\]|\\.)*+\'?', re.DOTALL)
_ESCAPED_QUOTE = re.compile(r"""\\{1,8}+["']""")
_BARE = re.compile(r"[^\s,}\]]*+")
_ITEM = re.compile(r"[^\s,]*+")
_TOKEN = re.compile(r"\S*+")

_BLANK = r"(?:[ \t]|\\\r?\n)"
# targets.conf(5): incominguser NAME SECRET, in Config::General's ways of writing an option.
_ACCOUNT = re.compile(
    rf"((?:incoming|outgoing)user(?:{_BLANK}*+={_BLANK}*+|{_BLANK}++)"
    rf"""(?:"(?:[^"\\]|\\.)*+"|'[^']*+'|[^\s"'\\]++){_BLANK}++)((?:\\\r?\n|[^\n])++)""",
    re.IGNORECASE,
)
# euca-describe-properties(1): PROPERTY <tab> name <tab> value.
_PROPERTY = re.compile(rf"^(PROPERTY[ \t]++\S*?{_WORDS}\S*+[ \t]++)((?:\\\r?\n|[^\n])++)", re.IGNORECASE | re.MULTILINE)
_URL = re.compile(r"(://[^\s/@:%]{1,128}[:%])[^\s@]{1,512}+@")
# dracut.cmdline(7): netroot=iscsi:USER:PASSWORD[:USER:PASSWORD]@SERVER...
_NETROOT = re.compile(r"(root=iscsi:)[^\s@]{1,512}@")
_DHCHAP = re.compile(r"DHHC-1:[^\s\"']++")
_PEM = re.compile(r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)(?:(?!-----END ).)*+", re.DOTALL)
# The kernel's table of dm-crypt and dm-integrity holds the key itself; dmsetup(8) hides it, an ioctl does not.
_CRYPT = re.compile(r"(\bcrypt \S+ )(?!:\d+:(?:logon|user|encrypted|trusted):)([^\s-]\S*+)")
_INTEGRITY = re.compile(r"\b((?:internal_hash|journal_crypt|journal_mac):[^\s:]++:)\S++")
_TRIGGER = re.compile(
    _WORDS + r"|(?:incoming|outgoing)user|://|root=iscsi:|DHHC-1:|PRIVATE KEY|\bcrypt |internal_hash:|journal_(?:crypt|mac):",
    re.IGNORECASE,
)


def mask(value: str) -> str:
    """`MASK`, or the value itself where it says that nothing is set. Quotes around the value stay."""
    bare = value.strip()
    if bare in _UNSET:
        return value
    if len(bare) >= 2 and bare[0] == bare[-1] and bare[0] in "\"'":
        return value if bare[1:-1] in _UNSET else bare[0] + MASK + bare[0]
    return MASK


def mask_values(text: str) -> str:
    """The text with every value masked that stands under a name of a secret, in any of the notations of configuration
    files, JSON, targets.conf, properties of Eucalyptus, URLs and device-mapper tables."""
    if not _TRIGGER.search(text):
        return text
    text = _PROPERTY.sub(_mask_second, text)
    text = _ACCOUNT.sub(_mask_second, text)
    text = _mask_assignments(text)
    text = _URL.sub(rf"\1{MASK}@", text)
    text = _NETROOT.sub(rf"\1{MASK}@", text)
    text = _DHCHAP.sub(MASK, text)
    text = _PEM.sub(rf"\1{MASK}", text)
    text = _CRYPT.sub(_mask_second, text)
    return _INTEGRITY.sub(rf"\1{MASK}", text)


def _mask_second(found: re.Match[str]) -> str:
    return found[1] + mask(found[2])


def _mask_assignments(text: str) -> str:
    done: list[str] = []
    position = 0
    while found := _ASSIGNMENT.search(text, position):
        value, end = _value(text, found)
        done.append(text[position : found.end()])
        done.append(value)
        position = max(end, found.end())
    done.append(text[position:])
    return "".join(done)


def _value(text: str, found: re.Match[str]) -> tuple[str, int]:
    """The masked value of an assignment, and where the value ends."""
    start = found.end()
    if found[1]:  # a quoted name: JSON and its like
        return _quoted_value(text, start)
    before = text[max(0, found.start() - 256) : found.start()]
    line = before.rpartition("\n")[2]
    whole_line = len(line) < 256 and _LINE_START.fullmatch(line) is not None
    if found[2] == ":" and not whole_line and text[start - 1 : start] not in (" ", "\t"):
        return "", start  # a path or an address, no assignment
    if whole_line or (found[2] == ":" and text[start : start + 1] not in ('"', "'")):
        rest = _match(_REST, text, start)
        return mask(rest), start + len(rest)
    if text[start : start + 1] in ('"', "'"):
        string = _match(_STRING, text, start)
        # The shell joins what stands beside a quoted string to it.
        string += _match(_ITEM, text, start + len(string))
        return mask(string), start + len(string)
    token = _match(_ITEM if line.endswith(",") or _option_list(line) else _TOKEN, text, start)
    return mask(token), start + len(token)


def _quoted_value(text: str, start: int) -> tuple[str, int]:
    head = text[start : start + 1]
    if head in ('"', "'"):
        string = _match(_STRING, text, start)
        return mask(string) if string[1:-1] in _UNSET else head + MASK + head, start + len(string)
    if head == "\\" and (quote := _match(_ESCAPED_QUOTE, text, start)):
        end = text.find(quote, start + len(quote))
        return quote + MASK + quote, len(text) if end < 0 else end + len(quote)
    if head == "[":
        end = text.find("]", start)
        return f'["{MASK}"]', len(text) if end < 0 else end + 1
    if head == "{":
        return "", start  # its members have names of their own
    bare = _match(_BARE, text, start)
    return (bare if bare in _UNSET else f'"{MASK}"'), start + len(bare)


def _option_list(line: str) -> bool:
    """Whether a name stands in a list such as a mount's options, where a comma ends the value."""
    return "," in line.rpartition(" ")[2].rpartition("\t")[2]


def _match(pattern: re.Pattern[str], text: str, start: int) -> str:
    found = pattern.match(text, start)
    return found[0] if found else ""
