"""multipath.conf: how multipath-tools reads it, which files, and what multipathd makes of it for a path and a map.

What the parser makes of odd lines was compared with what `multipath -t` of multipath-tools 0.9.4 prints (tests/data/multipath).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Completed
from sctune.model.multipath import Multipath, MultipathConfiguration, MultipathSection
from sctune.multipath import FOR_EVER, OWN, Chosen, Override, override, wait
from sctune.probes.multipath import probe
from sctune.probes.multipath_conf import parse, tokens
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import disk, dm_device, multipath_of, unavailable

DATA = Path(__file__).parents[1] / "data" / "multipath"
FILE = "/etc/multipath.conf"
BUILTIN = (DATA / "multipath-t-0.9.4.txt").read_text()
MAPS: dict[str, Any] = {
    "dm": (dm_device("dm-3", "mpath-36001"),),
    "block": (replace(disk("sda", "dm-3"), session=1), disk("sdb"), replace(disk("sdc", "dm-3"), session=None)),
}


def one(text: str) -> MultipathSection:
    (section,) = parse(text, "f")
    return section


def values(text: str) -> list[tuple[str, str, int]]:
    """(name, value, line) of the settings of a defaults block around the text."""
    return [(s.name, s.value, s.line) for s in one(f"defaults {{\n{text}\n}}\n").settings]


# The language


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("a b", "b"),
        ("\ta\t b \r", "b"),
        ('a "b c"', "b c"),
        ('a "b ""c"""', 'b "c"'),
        ('a ""', ""),
        ('a "', ""),
        ('a "b', "b"),
        ('a"b"', "b"),
        ("a b c d", "b"),
        ('a "#b!"', "#b!"),
        ("a b#c", "b"),
        ("a b!c", "b"),
        ("a = b", "="),
        ("a é b é c", "b"),
        ("a bé", "b"),
        ('a "é"', "é"),
        ("a b\0c", "b"),
        ("a b\rc d", "b"),
    ],
)
def test_a_setting(line: str, value: str) -> None:
    assert values(line) == [("a", value, 2)]


@pytest.mark.parametrize("line", ["", "# a b", "  ! a b", "a", "a # b", "{", "é"])
def test_what_is_no_setting_is_passed_over(line: str) -> None:
    assert values(f"{line}\nb c") == [("b", "c", 3)]


def test_what_the_real_parser_makes_of_odd_lines() -> None:
    ours = {section.kind: section for section in parse((DATA / "quirks.conf").read_text(), "f")}
    theirs = {section.kind: section for section in parse((DATA / "quirks-t-0.9.4.txt").read_text(), "t")}
    assert ours.keys() == theirs.keys()
    for name in ("polling_interval", "max_polling_interval", "alias_prefix", "uid_attribute", "path_selector", "features"):
        mine, real = ours["defaults"].last(name), theirs["defaults"].last(name)
        assert mine is not None
        assert real is not None
        assert mine.value == real.value
    odd, printed = (
        replace(multipath_of(vendor="V"), readings=(MultipathConfiguration(files=(), sections=parse(text, "f")),))
        for text in ((DATA / name).read_text() for name in ("quirks.conf", "quirks-t-0.9.4.txt"))
    )
    for wwid, checks in (("36001", 1), ("36002", 77)):
        waits = [wait(each, "sda", wwid) for each in (odd, printed)]
        assert [isinstance(one, Chosen) and one.value for one in waits] == [checks * 3.0] * 2
    given_ = [override(each, "sda", "36001") for each in (odd, printed)]
    assert [isinstance(one, Override) and one.values for one in given_] == [(21,)] * 2


def test_blocks_in_blocks_and_keywords_nobody_knows() -> None:
    text = "devices {\n device {\n vendor A\n new_word 1\n }\n}\nblacklist {\n devnode x\n devnode y\n device {\n vendor B\n }\n}\n"
    sections = parse(text, "f")
    assert [section.kind for section in sections] == ["devices", "devices/device", "blacklist", "blacklist/device"]
    assert [(s.name, s.value) for s in sections[1].settings] == [("vendor", "A"), ("new_word", "1")]
    assert [s.value for s in sections[2].settings] == ["x", "y"]
    assert sections[1].settings[1].place == "f:4"


def test_of_two_settings_with_one_name_the_last_counts() -> None:
    setting = one("defaults {\n a 1\n a 2\n}\n").last("a")
    assert setting is not None
    assert (setting.value, setting.line) == ("2", 3)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("defaults {\n a b\n", "f:3: the file ends within defaults"),
        ("}\n", "f:1: '}' without"),
        ("defaults {\n}\n}\n", "f:3: '}' without"),
        ("defaultz {\n a b\n}\n", "f:1: no block 'defaultz' is known here"),
        ("defaults {\n devices {\n }\n}\n", "f:2: no block 'devices' is known in defaults"),
        ("overrides\n a b\n}\n", "f:3: '}' without"),
    ],
)
def test_braces_that_do_not_match_are_refused_with_their_place(text: str, where: str) -> None:
    with pytest.raises(ValueError, match=r"f:[0-9]+: ") as caught:
        parse(text, "f")
    assert str(caught.value).startswith(where)


def test_a_long_line_is_read_in_pieces() -> None:
    assert values("# " + "x" * 1021 + "a b") == [("a", "b", 2)]
    assert values("# " + "x" * 1020 + "a b") == []


WORD = st.text(st.characters(codec="utf-8", exclude_characters='\0\r\n"'), max_size=30)
NAME = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)


@given(st.text())
def test_any_text_is_blocks_or_refused(text: str) -> None:
    try:
        parse(text, "f")
    except ValueError as error:
        assert str(error).startswith("f:")


@given(
    st.lists(st.sampled_from(['"', "{", "}", "defaults", "device", "devices", "a", " ", "\n", "#", "!", "é", "\r"])).map("".join)
)
def test_any_mixture_of_its_signs_is_blocks_or_refused(text: str) -> None:
    try:
        sections = parse(text, "f")
    except ValueError as error:
        assert str(error).startswith("f:")
    else:
        assert all(1 <= s.line <= text.count("\n") + 1 for section in sections for s in section.settings)


@given(st.lists(st.tuples(NAME, WORD)))
def test_what_is_quoted_is_read_as_it_was(settings: list[tuple[str, str]]) -> None:
    lines = "\n".join(f'  {name} "{value}" # {value}' for name, value in settings)
    assert [(name, value) for name, value, _ in values(lines)] == settings


@given(st.text(st.characters(exclude_characters="\n")))
def test_words_hold_no_blank_outside_of_quotes(line: str) -> None:
    quoted = False
    for mark, word in tokens(line):
        quoted = not quoted if mark else quoted
        if not quoted and not mark:
            assert not set(word) & set(" \t\n\v\f\r")


# Which files


def host(files: dict[str, Any], **more: Any) -> FakeHost:
    return FakeHost(files={"/sys/block/sda/device/vendor": "IET     \n", **files}, **more)


def test_without_a_map_nothing_is_read() -> None:
    asked = probe(FakeHost(), dm=(), block=())
    assert isinstance(asked, Unavailable)
    assert asked.reason is Reason.ABSENT
    assert probe(FakeHost(), dm=unavailable(Reason.DENIED), block=()) == unavailable(Reason.DENIED)


def test_files_by_name_after_the_main_one() -> None:
    found = probe(
        host(
            {
                FILE: "defaults {\n fast_io_fail_tmo 1\n}\n",
                "/etc/multipath/conf.d/b.conf": "defaults {\n fast_io_fail_tmo 3\n}\n",
                "/etc/multipath/conf.d/a.conf": "defaults {\n fast_io_fail_tmo 2\n}\n",
                "/etc/multipath/conf.d/c.conf.bak": "defaults {\n fast_io_fail_tmo 4\n}\n",
            }
        ),
        **MAPS,
    )
    assert isinstance(found, Multipath)
    (reading,) = found.readings
    assert reading.files == (FILE, "/etc/multipath/conf.d/a.conf", "/etc/multipath/conf.d/b.conf")
    assert override(found, "sda", "36001") == Override(values=(3,), place="/etc/multipath/conf.d/b.conf:2")
    assert [identity.disk for identity in found.identities] == ["sda"]
    assert found.identities[0].vendor == "IET"


def test_config_dir_counts_in_old_versions_only() -> None:
    files = {
        FILE: 'defaults {\n config_dir "/srv/mp/"\n}\n',
        "/srv/mp/x.conf": "defaults {\n fast_io_fail_tmo 7\n}\n",
        "/etc/multipath/conf.d/y.conf": "defaults {\n fast_io_fail_tmo 9\n no_path_retry 3\n}\n",
    }
    found = probe(host(files), **MAPS)
    assert isinstance(found, Multipath)
    assert [reading.files for reading in found.readings] == [(FILE, "/srv/mp/x.conf"), (FILE, "/etc/multipath/conf.d/y.conf")]
    assert override(found, "sda", "36001") == Override(values=(7, 9), place="/srv/mp/x.conf:2")
    assert wait(found, "sda", "36001") == Chosen(value=0.0, place=OWN)
    for same in ("/etc/multipath/conf.d", "/etc/multipath/conf.d/"):
        again = probe(host(files | {FILE: f"defaults {{\n config_dir {same}\n}}\n"}), **MAPS)
        assert isinstance(again, Multipath)
        assert len(again.readings) == 1
    relative = probe(host(files | {FILE: "defaults {\n config_dir mp\n}\n"}), **MAPS)
    assert isinstance(relative, Multipath)
    assert [len(reading.files) for reading in relative.readings] == [1, 2]


def test_without_a_file_there_are_the_defaults() -> None:
    found = probe(host({}), **MAPS)
    assert isinstance(found, Multipath)
    assert override(found, "sda", "36001") == Override(values=(5,), place=OWN)
    assert wait(found, "sda", "36001") == Chosen(value=0.0, place=OWN)


@pytest.mark.parametrize("path", [FILE, "/etc/multipath/conf.d/a.conf"])
def test_a_file_that_cannot_be_read_or_understood_is_unknown(path: str) -> None:
    refused = Unavailable(reason=Reason.DENIED, what=path)
    assert probe(host({path: refused}), **MAPS) == refused
    broken = probe(host({path: "defaults {\n"}), **MAPS)
    assert isinstance(broken, Unavailable)
    assert (broken.reason, broken.what) == (Reason.MALFORMED, path)
    assert broken.detail == f"{path}:2: the file ends within defaults"


def test_multipath_tools_own_table_is_asked_for_where_a_disk_may_be_in_it() -> None:
    argv: tuple[str, ...] = ("multipath", "-t")
    pure: dict[str, Any] = {"/sys/block/sda/device/vendor": "PURE    \n", "/sys/block/sda/device/model": "FlashArray      \n"}
    answers: dict[tuple[str, ...], Any] = {argv: Completed(argv=argv, status=0, stdout=BUILTIN, stderr="", seconds=0.1)}
    found = probe(FakeHost(files=pure, commands=answers), **MAPS)
    assert isinstance(found, Multipath)
    assert override(found, "sda", "36001") == Override(values=(10,), place="multipath -t:948")
    silent = probe(FakeHost(files=pure), **MAPS)
    assert isinstance(silent, Multipath)
    assert isinstance(override(silent, "sda", "36001"), Unavailable)
    # What stands before the table in the order is known all the same.
    written = probe(FakeHost(files=pure | {FILE: "overrides {\n fast_io_fail_tmo 6\n no_path_retry fail\n}\n"}), **MAPS)
    assert isinstance(written, Multipath)
    assert isinstance(wait(written, "sda", "36001"), Chosen)
    failed: dict[tuple[str, ...], Any] = {argv: Completed(argv=argv, status=1, stdout="", stderr="need to be root\n", seconds=0.1)}
    told = probe(FakeHost(files=pure, commands=failed), **MAPS)
    assert isinstance(told, Multipath)
    assert isinstance(told.builtin, Unavailable)
    assert told.builtin.detail == "need to be root"


# What multipathd makes of it

DEVICE = "devices {{\n device {{\n vendor IET\n product VIRTUAL\n {}\n }}\n}}\n"
OTHER = DEVICE.replace("IET", "I.T")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", (5,)),
        ("defaults {\n fast_io_fail_tmo 30\n}\n", (30,)),
        ("defaults {\n fast_io_fail_tmo 30\n}\n" + DEVICE.format("fast_io_fail_tmo 20"), (20,)),
        ("overrides {\n fast_io_fail_tmo 10\n}\n" + DEVICE.format("fast_io_fail_tmo 20"), (10,)),
        ("overrides {\n fast_io_fail_tmo 10\n protocol {\n type scsi:iscsi\n fast_io_fail_tmo 8\n }\n}\n", (8,)),
        ("overrides {\n fast_io_fail_tmo 10\n protocol {\n type scsi:fcp\n fast_io_fail_tmo 8\n }\n}\n", (10,)),
        # iSCSI cannot be told these: the session stays as it is.
        ("defaults {\n fast_io_fail_tmo off\n}\n", (None,)),
        ("defaults {\n fast_io_fail_tmo 0\n}\n", (None,)),
        # What is no number is passed over.
        ("defaults {\n fast_io_fail_tmo 30\n fast_io_fail_tmo soon\n}\n", (30,)),
        ("defaults {\n fast_io_fail_tmo -4\n}\n", (1,)),
        ("defaults {\n fast_io_fail_tmo 99999999999\n}\n", (2**31 - 1,)),
        # It has to be smaller than dev_loss_tmo.
        ("defaults {\n fast_io_fail_tmo 20\n dev_loss_tmo 20\n}\n", (None,)),
        ("defaults {\n fast_io_fail_tmo 20\n dev_loss_tmo 21\n}\n", (20,)),
        ("defaults {\n fast_io_fail_tmo 20\n dev_loss_tmo 10\n no_path_retry 5\n}\n", (20,)),
        ("defaults {\n fast_io_fail_tmo 20\n dev_loss_tmo infinity\n}\n", (20,)),
        ("defaults {\n fast_io_fail_tmo 20\n no_path_retry 3\n}\n", (20, None)),
        ("defaults {\n fast_io_fail_tmo 20\n no_path_retry queue\n}\n", (20,)),
        # The last block that matches wins, with what an earlier one of the same patterns says.
        (DEVICE.format("fast_io_fail_tmo 7") + DEVICE.format("fast_io_fail_tmo 9"), (9,)),
        (DEVICE.format("fast_io_fail_tmo 7") + OTHER.format("fast_io_fail_tmo 9"), (9,)),
        (DEVICE.format("fast_io_fail_tmo 7") + OTHER.format("fast_io_fail_tmo 9") + DEVICE.format("prio const"), (7,)),
        (DEVICE.replace("IET", "^ET").format("fast_io_fail_tmo 9"), (5,)),
        (DEVICE.replace("IET", "IET(").format("fast_io_fail_tmo 9"), (5,)),
        ("devices {\n device {\n product VIRTUAL\n fast_io_fail_tmo 9\n }\n}\n", (5,)),
        (DEVICE.format("revision 2\n fast_io_fail_tmo 9"), (5,)),
    ],
)
def test_the_replacement_timeout_that_multipathd_gives(text: str, seconds: tuple[int | None, ...]) -> None:
    given_ = override(multipath_of(text), "sda", "36001")
    assert isinstance(given_, Override)
    assert given_.values == seconds


def test_a_pattern_that_python_reads_otherwise_is_unknown() -> None:
    unknown = override(multipath_of(DEVICE.replace("IET", "[[:upper:]]ET").format("fast_io_fail_tmo 9")), "sda", "36001")
    assert isinstance(unknown, Unavailable)
    assert unknown.what == "/etc/multipath.conf:3"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.0),
        ("defaults {\n no_path_retry 12\n}\n", 60.0),
        ("defaults {\n no_path_retry 12\n polling_interval 2\n}\n", 24.0),
        ("defaults {\n no_path_retry 12\n max_polling_interval 8\n}\n", 24.0),
        ("defaults {\n no_path_retry 12\n polling_interval 9\n max_polling_interval 3\n}\n", 36.0),
        ("defaults {\n no_path_retry queue\n}\n", FOR_EVER),
        ("defaults {\n no_path_retry fail\n}\n", 0.0),
        ("defaults {\n no_path_retry 0\n}\n", 0.0),
        ("defaults {\n no_path_retry 12\n}\n" + DEVICE.format("no_path_retry 1"), 5.0),
        ("overrides {\n no_path_retry 2\n}\n" + DEVICE.format("no_path_retry 1"), 10.0),
        ("overrides {\n no_path_retry 2\n}\nmultipaths {\n multipath {\n wwid 36001\n no_path_retry 4\n }\n}\n", 20.0),
        ("overrides {\n no_path_retry 2\n}\nmultipaths {\n multipath {\n wwid 36002\n no_path_retry 4\n }\n}\n", 10.0),
        ('defaults {\n features "1 queue_if_no_path"\n}\n', FOR_EVER),
        ('defaults {\n features "1 queue_if_no_path"\n no_path_retry 1\n}\n', 5.0),
    ],
)
def test_how_long_a_map_waits_without_a_path(text: str, seconds: float) -> None:
    waits = wait(multipath_of(text), "sda", "36001")
    assert isinstance(waits, Chosen)
    assert waits.value == seconds


def test_a_disk_whose_vendor_was_not_read_is_unknown_unless_it_does_not_matter() -> None:
    assert isinstance(override(multipath_of(), "sdz", "36001"), Unavailable)
    assert isinstance(override(multipath_of("overrides {\n fast_io_fail_tmo 4\n}\n"), "sdz", "36001"), Unavailable)
