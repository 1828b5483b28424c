"""LVM's settings in force."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Completed
from sctune.model.lvm import LvmSettings
from sctune.probes.lvmconfig import ARGV, parse, probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.lvm_hosts import DATA

RECORDED = (DATA / "lvm" / "lvmconfig-2.03.16.txt").read_text()


def completed(stdout: str, *, status: int = 0, stderr: str = "") -> FakeHost:
    return FakeHost(commands={ARGV: Completed(argv=ARGV, status=status, stdout=stdout, stderr=stderr, seconds=0.01)})


def test_the_recorded_defaults_of_debian_12() -> None:
    expected = LvmSettings(
        scan_lvs=False,
        use_devicesfile=False,
        filter=("a|.*|",),
        global_filter=("a|.*|",),
        snapshot_autoextend_threshold=1.0,
        snapshot_autoextend_percent=0.2,
        thin_pool_autoextend_threshold=1.0,
        thin_pool_autoextend_percent=0.2,
        monitoring=True,
        use_lvmetad=False,
    )
    assert parse(RECORDED) == expected
    assert probe(completed(RECORDED)) == expected


def test_all_sections_recorded_in_the_machine_say_the_same() -> None:
    assert parse((DATA / "vm" / "healthy" / "lvmconfig.txt").read_text()) == parse(RECORDED)


def test_what_a_version_does_not_have_is_none() -> None:
    settings = parse("devices {\n\tscan_lvs=1\n}\n")
    assert settings is not None
    assert settings.scan_lvs is True
    assert settings.use_devicesfile is None
    assert settings.snapshot_autoextend_threshold is None
    assert settings.filter == ()


def test_several_patterns_with_quotes_and_backslashes() -> None:
    settings = parse('devices {\n\tfilter=["a|^/dev/sd\\\\d$|", "r|\\"|", "r|.*|"]\n}\n')
    assert settings is not None
    assert settings.filter == ("a|^/dev/sd\\d$|", 'r|"|', "r|.*|")


def test_thresholds_are_ratios_and_zero_is_a_value() -> None:
    settings = parse("activation {\n\tsnapshot_autoextend_threshold=70\n\tsnapshot_autoextend_percent=0\n\tmonitoring=0\n}\n")
    assert settings is not None
    assert (settings.snapshot_autoextend_threshold, settings.snapshot_autoextend_percent, settings.monitoring) == (0.7, 0.0, False)


def test_a_word_where_a_number_belongs_is_malformed() -> None:
    answer = probe(completed("devices {\n\tscan_lvs=perhaps\n}\n"))
    assert isinstance(answer, Unavailable)
    assert (answer.reason, "scan_lvs" in answer.detail) == (Reason.MALFORMED, True)


def test_nothing_said_is_a_failure_with_lvms_words() -> None:
    answer = probe(completed("", status=5, stderr="File descriptor 3 leaked\n  Parse error at byte 9 (line 2)\n"))
    assert answer == Unavailable(reason=Reason.FAILED, what="lvm lvmconfig", detail="Parse error at byte 9 (line 2)")


@pytest.mark.parametrize("reason", list(Reason))
def test_why_it_could_not_be_asked_is_passed_on(reason: Reason) -> None:
    refusal = Unavailable(reason=reason, what="lvm")
    assert probe(FakeHost(commands={ARGV: refusal})) == refusal


@given(st.one_of(st.text(), st.text(alphabet='dev{}=\n\t"[]|a1#/ ')))
def test_any_text_is_settings_nothing_or_a_value_error(text: str) -> None:
    try:
        settings = parse(text)
    except ValueError:
        return
    assert settings is None or isinstance(settings, LvmSettings)
