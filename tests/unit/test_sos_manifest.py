"""What sos asked: by its manifest, never by file names where there is one; and never a part of an answer for the whole."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import DmQuery
from sctune.host.sos.archive import Archive
from sctune.host.sos.manifest import MANIFEST, Output, canonical, mangle, read
from sctune.unavailable import Reason, Unavailable

from .sos_archives import host, members

if TYPE_CHECKING:
    from pathlib import Path

LVS = 'lvs -a -o +lv_tags,devices --config="global{metadata_read_only=1}" --nolocking --foreign'
STATUS = {"dmsetup status": "a: 0 8 linear \n"}


def of(found: list[tuple[str, bytes | str]]) -> Archive:
    archive = Archive()
    for name, content in found:
        archive.add(name, content.encode() if isinstance(content, str) else content)
    return archive


def test_the_manifest_counts_and_not_the_name() -> None:
    asked = read(of([*members({"dmsetup status": "right\n"}, changed={"dmsetup status": {"filepath": "sos_commands/x/odd"}})]))
    asked.archive.add("sos_commands/x/dmsetup_status", b"wrong\n")
    found = asked.output("dmsetup", "status")
    assert isinstance(found, Output)
    assert found.text == "right\n"


def test_columns_and_locking_options_do_not_count() -> None:
    for line in (LVS, "/usr/sbin/lvs -a --config global{locking_type=0} -o +lv_tags,lock_type --foreign"):
        assert isinstance(read(of(members({line: "x\n"}))).output("lvs", "-a"), Output)
    assert canonical(("dmsetup", "info", "-c", "-o", "name")) != canonical(("dmsetup", "info", "-c"))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"truncated": True}, Reason.MALFORMED),
        ({"return_code": 124}, Reason.TIMEOUT),
        ({"filepath": None, "return_code": 127}, Reason.ABSENT),
        ({"filepath": None, "return_code": 0}, Reason.NOT_COLLECTED),
        ({"return_code": 1}, Reason.FAILED),
    ],
)
def test_no_answer_says_why(tmp_path: Path, changed: dict[str, object], reason: Reason) -> None:
    found = host(tmp_path, {**STATUS, "date": "x\n"}, changed={"dmsetup status": changed}).dm(DmQuery.STATUS)
    assert isinstance(found, Unavailable)
    assert found.reason is reason


def test_a_tailed_output_is_no_answer(tmp_path: Path) -> None:
    files = {
        "sos_commands/x/t": "-> ../../sos_strings/x/t.tailed",
        "sos_strings/x/t.tailed": "the end\n",
        "etc/log": "-> ../sos_strings/x/t.tailed",
    }
    found = host(tmp_path, {"date": "x\n"}, files)
    listed = members({"dmsetup table": "x"}, {}, changed={"dmsetup table": {"filepath": "sos_commands/x/t"}})
    archive = of([one for one in listed if one[0] != "sos_commands/x/t"])
    archive.add_link("sos_commands/x/t", "../../sos_strings/x/t.tailed")
    archive.add("sos_strings/x/t.tailed", b"the end\n")
    answer = read(archive).output("dmsetup", "table")
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.MALFORMED
    tailed = found.read("/etc/log")
    assert isinstance(tailed, Unavailable)
    assert tailed.reason is Reason.MALFORMED


def test_an_output_as_long_as_the_limit_is_cut() -> None:
    text = "x" * ((1 << 20) - 100)
    for cmdline, cut in (("report --log-size 1", True), ("report --log-size=2", False), ("report --log-size 0", False)):
        answer = read(of(members({"dmesg": text}, cmdline=cmdline))).output("dmesg")
        assert isinstance(answer, Unavailable) is cut


def test_without_a_manifest_names_are_compared(tmp_path: Path) -> None:
    asked = read(of(members({LVS: "lvs\n", "dmsetup info -c": "info\n", "dmsetup info": "other\n"}, manifest=False)))
    assert not asked.manifest
    for words, text in ((("lvs", "-a"), "lvs\n"), (("dmsetup", "info", "-c"), "info\n"), (("dmsetup", "info"), "other\n")):
        found = asked.output(*words)
        assert isinstance(found, Output)
        assert found.text == text
    missing = asked.output("lvs")
    assert isinstance(missing, Unavailable)
    assert missing.reason is Reason.NOT_COLLECTED
    ps = "ps axo pid,ppid,nlwp"
    assert ("ps", "axo", "pid", "ppid", "nlwp") in set(read(of(members({ps: ""}, manifest=False))).with_prefix("ps", "axo"))


def test_what_sos_calls_a_file() -> None:
    assert mangle("/usr/sbin/dmsetup info -c") == "dmsetup_info_-c"
    assert mangle("udevadm info -a /dev/loop0") == "udevadm_info_-a_.dev.loop0"
    assert mangle("lsof -b +M -n -l -c ''") == "lsof_-b_M_-n_-l_-c"
    assert mangle(LVS) == "lvs_-a_-o_lv_tags_devices_--config_global_metadata_read_only_1_--nolocking_--foreign"


@given(st.text())
def test_a_name_is_a_name(command: str) -> None:
    name = mangle(command)
    assert "/" not in name
    assert len(name) <= 255
    assert re.fullmatch(r"[\w\-.]*", name)
    assert mangle(name) == name or name.startswith("bin")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["components", "report", "plugins", "commands", "files", "exec", "filepath", "x"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_manifest_is_read_or_left(document: object) -> None:
    archive = Archive()
    for text in (
        document,
        {"components": {"report": {"plugins": document}}},
        {"components": {"report": {"plugins": {"x": document}}}},
    ):
        archive.add(MANIFEST, json.dumps(text).encode())
        answer = read(archive).output("dmsetup", "status")
        assert isinstance(answer, Unavailable)


@given(st.binary(max_size=200))
def test_any_bytes_as_a_manifest(data: bytes) -> None:
    archive = Archive()
    archive.add(MANIFEST, data)
    assert isinstance(read(archive).output("date"), Unavailable)
