"""Profiles: what the strict reader refuses and where it says so, what is included, and what --set changes."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from sctune.errors import UserError
from sctune.model.block import BlockKind
from sctune.model.report import Role
from sctune.tuning.load import Catalogue, catalogue, catalogue_of, joined, override
from sctune.tuning.profile import read
from sctune.tuning.schema import Attribute, Bound, Profile, Section, Value
from sctune.tuning.value import Amounts, resolve

if TYPE_CHECKING:
    from pathlib import Path

WHY = "    why: because\n    source: a book\n"
GIB = 1024**3
MIB = 1024**2


def profile(text: str, name: str = "mine") -> Profile:
    return read(f"summary: for tests\n{text}".encode(), f"/p/{name}.yaml", name)


def refused(text: str, name: str = "mine") -> list[str]:
    with pytest.raises(UserError) as caught:
        profile(text, name)
    return caught.value.message.split("\n")


def cat(**texts: str) -> Catalogue:
    return Catalogue(profiles={name: profile(text, name) for name, text in texts.items()}, broken={})


def test_the_profiles_of_the_package_are_sound() -> None:
    found = catalogue(site_folder="/nowhere")
    assert found.broken == {}
    assert {"enterprise-storage", "storage-controller", "eucalyptus-sc"} <= set(found.profiles)
    for name in found.profiles:
        whole = joined(name, found)
        assert whole.settings
        for setting in whole.settings:
            assert len(setting.why) > 40, setting.key
            assert len(setting.source) > 10, setting.key


def test_enterprise_storage_is_what_tuned_set_on_rhel_6() -> None:
    whole = joined("enterprise-storage", catalogue(site_folder="/nowhere"))
    settings = {setting.key: setting for setting in whole.settings}
    assert {key: setting.value.choices for key, setting in settings.items()} == {
        "vm.dirty_ratio": ("40",),
        "kernel.sched_min_granularity_ns": ("10000000",),
        "kernel.sched_wakeup_granularity_ns": ("15000000",),
        "block.scheduler": ("mq-deadline", "deadline"),
        "block.read-ahead": ("4096",),
        "system.transparent_hugepage": ("always",),
        "system.cpu_governor": ("performance",),
    }
    assert settings["block.read-ahead"].bound is Bound.RAISE


def test_eucalyptus_sc_includes_storage_controller() -> None:
    found = catalogue(site_folder="/nowhere")
    keys = [setting.key for setting in joined("eucalyptus-sc", found).settings]
    assert keys == [setting.key for setting in joined("storage-controller", found).settings] + ["module.loop.max_loop"]


def test_a_setting_is_read_whole() -> None:
    (setting,) = profile(
        "block:\n  disks:\n    attribute: read_ahead_kb\n    value: 4 MiB\n    only: raise\n"
        "    when: {kind: [disk, md], rotational: true, transport: ata, driver: [sd], role: storage-controller,\n"
        "           memory_from: 4 GiB, kernel_from: 3.10}\n" + WHY
    ).settings
    assert (setting.section, setting.key, setting.attribute) == (Section.BLOCK, "block.disks", Attribute.READ_AHEAD_KB)
    assert setting.value == Value(choices=("4096",))
    assert setting.when.kinds == (BlockKind.DISK, BlockKind.MD)
    assert (setting.when.rotational, setting.when.transports, setting.when.drivers) == (True, ("ata",), ("sd",))
    assert (setting.when.roles, setting.when.memory_from) == ((Role.STORAGE_CONTROLLER,), 4 * GIB)
    assert setting.when.kernel_from == (3, 10)
    assert setting.place == "/p/mine.yaml:4"


def test_iscsi_settings_are_open_iscsis_own_keys() -> None:
    text = "paths: one\niscsi:\n  node.session.timeo.replacement_timeout:\n    value: 7200\n" + WHY
    whole = profile(text + "  node.conn[0].timeo.noop_out_interval:\n    value: 0\n" + WHY)
    assert whole.paths == "one"
    assert [(setting.key, setting.value.choices) for setting in whole.of(Section.ISCSI)] == [
        ("iscsi.node.session.timeo.replacement_timeout", ("7200",)),
        ("iscsi.node.conn[0].timeo.noop_out_interval", ("0",)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sysctl:\n  vm.swappiness:\n    value: 10\n    source: x\n", "4:5: sysctl.vm.swappiness: why is missing: why it is set"),
        ("sysctl:\n  vm.swappiness:\n    value: 10\n    why: x\n", "4:5: sysctl.vm.swappiness: source is missing: where that"),
        ("sysctl:\n  vm.swappiness:\n" + WHY, "4:5: sysctl.vm.swappiness: value is missing"),
        ("sysctl:\n  swappiness:\n    value: 1\n" + WHY, "3:3: sysctl.swappiness: expected a sysctl's key such as"),
        ("sysctl:\n  vm.../x:\n    value: 1\n" + WHY, "3:3: sysctl.vm.../x: expected a sysctl's key"),
        ("sysctl:\n  vm.dirty_bytes:\n    value: 0\n" + WHY, "4:12: sysctl.vm.dirty_bytes.value: 0 cannot be written there"),
        ("sysctl:\n  vm.dirty_ratio:\n    value: 101\n" + WHY, "4:12: sysctl.vm.dirty_ratio.value: expected 0 to 100, got 101"),
        ("sysctl:\n  vm.swappiness:\n    value: off\n" + WHY, 'got off: quote it if text is meant: "off"'),
        ("sysctl:\n  vm.dirty_ratio:\n    value: 1\n    only: raise\n" + WHY, "ratio and bytes are one setting"),
        ("sysctl:\n  net.ipv4.tcp_fastopen_key:\n    value: a\n" + WHY, "holds a secret"),
        ("iscsi:\n  node.session.auth.password:\n    value: a\n" + WHY, "3:3: iscsi.node.session.auth.password: holds a secret"),
        ("block:\n  a:\n    value: 1\n" + WHY, "attribute is missing"),
        ("block:\n  a:\n    attribute: rotational\n    value: 1\n" + WHY, "expected one of scheduler, read_ahead_kb"),
        ("block:\n  a:\n    attribute: scheduler\n    value: '\"x'\n" + WHY, "expected the name of a scheduler"),
        ("block:\n  a:\n    attribute: scheduler\n    value: none\n    when: {kind: cdrom}\n" + WHY, "got 'cdrom'"),
        ("sysctl:\n  vm.swappiness:\n    value: 1\n    when: {kind: disk}\n" + WHY, "unknown key"),
        ("system:\n  transparent_hugepage:\n    value: sometimes\n" + WHY, "expected one of always, madvise, never"),
        ("loop:\n  direct_io:\n    value: on\n" + WHY, 'quote it if text is meant: "on"'),
        ("sysctl:\n  vm.dirty_bytes:\n    value: {at_most: 10 % of memory}\n" + WHY, "expected flush_seconds or otherwise"),
        ("sysctl:\n  vm.dirty_bytes:\n    value: {otherwise: 1 GiB, at_most: 10 %}\n" + WHY, 'such as "10 % of memory"'),
        ("sysctl:\n  vm.swappiness:\n    value: {otherwise: 1 GiB}\n" + WHY, "only a sysctl in bytes"),
        ("sysctl:\n  vm.swappiness:\n    value: [1, 2]\n" + WHY, "a list is for schedulers"),
        ("sysctl:\n  vm.swappiness:\n    wert: 1\n", "4:5: sysctl.vm.swappiness.wert: unknown key"),
        ("colour: red\n", "2:1: colour: unknown key"),
        ("include: [Bad Name]\n", "2:11: include.0: expected a profile's name"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, message: str) -> None:
    (line,) = refused(text)
    assert line.startswith("/p/mine.yaml:")
    assert message in line


def test_all_problems_are_told_at_once() -> None:
    assert len(refused("a: 1\nb: 2\nsysctl:\n  vm.swappiness:\n    value: 1\n")) == 3
    with pytest.raises(UserError, match="an empty profile"):
        read(b"", "/p/x.yaml", "x")
    with pytest.raises(UserError, match="summary is missing"):
        read(b"sysctl: {}\n", "/p/x.yaml", "x")


def test_two_names_of_one_knob_are_refused_in_one_file() -> None:
    text = "sysctl:\n  vm.dirty_ratio:\n    value: 1\n" + WHY + "  vm.dirty_bytes:\n    value: 1 GiB\n" + WHY
    assert "is the same setting as vm.dirty_ratio (/p/mine.yaml:4)" in refused(text)[0]


def test_of_included_settings_the_later_counts_and_ones_own_last() -> None:
    found = cat(
        one="sysctl:\n  vm.dirty_ratio:\n    value: 1\n" + WHY + "  vm.swappiness:\n    value: 1\n" + WHY,
        two="sysctl:\n  vm.dirty_bytes:\n    value: 1 GiB\n" + WHY,
        mine="include: [one, two]\nsysctl:\n  vm.swappiness:\n    value: 3\n" + WHY,
        bare="include: [one]\nremove: [vm.swappiness]\n",
        wrong="include: [one]\nremove: [vm.nothing]\n",
    )
    mine = {setting.key: setting.value.choices for setting in joined("mine", found).settings}
    assert mine == {"vm.dirty_bytes": (str(GIB),), "vm.swappiness": ("3",)}
    assert [setting.key for setting in joined("bare", found).settings] == ["vm.dirty_ratio"]
    with pytest.raises(UserError, match=r"remove: nothing that is included sets vm\.nothing"):
        joined("wrong", found)


def test_a_profile_that_includes_itself_is_refused() -> None:
    found = cat(one="include: [two]\n", two="include: [three]\n", three="include: [one]\n", diamond="include: [left, right]\n")
    with pytest.raises(UserError, match="includes itself: one -> two -> three -> one"):
        joined("one", found)
    with pytest.raises(UserError, match=r"/p/diamond\.yaml: include: there is no profile 'left'"):
        joined("diamond", found)
    found = cat(base="", left="include: [base]\n", right="include: [base]\n", diamond="include: [left, right]\n")
    assert joined("diamond", found).settings == ()


def test_set_changes_what_the_profile_sets_and_nothing_else() -> None:
    found = catalogue(site_folder="/nowhere")
    base = joined("storage-controller", found)
    changed = override(base, ["vm.swappiness=1", "loop.direct_io=on", "block.read-ahead-rotating=1 MiB", "flush_speed=400 MiB/s"])
    settings = {setting.key: setting for setting in changed.profile.settings}
    assert settings["vm.swappiness"].value.choices == ("1",)
    assert not settings["loop.direct_io"].opt_in
    assert settings["block.read-ahead-rotating"].value.choices == ("1024",)
    assert settings["block.read-ahead-rotating"].bound is None
    assert changed.flush_speed == 400 * MIB
    assert list(settings) == [setting.key for setting in base.settings]
    ratio = override(base, ["vm.dirty_ratio=20"]).profile
    assert "vm.dirty_bytes" not in {setting.key for setting in ratio.settings}
    assert "vm.dirty_ratio" in {setting.key for setting in ratio.settings}
    left = override(base, ["vm.swappiness=leave"]).profile
    assert "vm.swappiness" not in {setting.key for setting in left.settings}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("vm.swappines=1", "has no such setting: did you mean vm.swappiness?"),
        ("vm.swappiness", "expected KEY=VALUE"),
        ("vm.dirty_ratio=200", "expected 0 to 100"),
        ("flush_speed=fast", "expected"),
        ("system.transparent_hugepage=maybe", "expected one of"),
    ],
)
def test_what_set_cannot_mean_is_refused(given: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        override(joined("storage-controller", catalogue(site_folder="/nowhere")), [given])
    assert message in str(caught.value)


def test_sizes_are_made_of_flush_speed_and_memory() -> None:
    value = Value(flush_seconds=2, otherwise=600 * MIB, at_most=0.10)
    assert resolve(value, Amounts(memory=64 * GIB, flush_speed=None)) == ((str(600 * MIB),), "no flush speed is declared")
    assert resolve(value, Amounts(memory=4 * GIB, flush_speed=None))[0] == (str(409 * MIB),)
    assert resolve(value, Amounts(memory=64 * GIB, flush_speed=500 * MIB))[0] == (str(1000 * MIB),)
    assert resolve(value, Amounts(memory=None, flush_speed=500 * MIB))[0] == ()
    assert resolve(Value(flush_seconds=2), Amounts(memory=GIB, flush_speed=None))[0] == ()


def test_a_sites_own_profiles(tmp_path: Path) -> None:
    own = "summary: ours\ninclude: [storage-controller]\nsysctl:\n  vm.swappiness:\n    value: 1\n" + WHY
    (tmp_path / "ours.yaml").write_text(own)
    (tmp_path / "storage-controller.yaml").write_text(own)
    (tmp_path / "broken.yaml").write_text("summary: x\nsysctl:\n  vm.swappiness:\n    value: 1\n")
    (tmp_path / "Upper.yaml").write_text(own)
    (tmp_path / "open.yaml").write_text(own)
    os.chmod(tmp_path / "open.yaml", 0o666)
    found = catalogue(site_folder=str(tmp_path))
    assert joined("ours", found).settings
    said = {os.path.basename(path): why for path, why in found.broken.items()}
    if os.geteuid() == 0:
        assert "may change this file" in said.pop("open.yaml")
    assert set(said) == {"storage-controller.yaml", "broken.yaml", "Upper.yaml"}
    assert "is taken by" in said["storage-controller.yaml"]
    with pytest.raises(UserError, match=r"broken\.yaml:4:5: .*why is missing"):
        joined("broken", found)
    with pytest.raises(UserError, match="did you mean"):
        joined("storage-control", found)


@pytest.mark.parametrize("name", sorted(catalogue("/nowhere").profiles))
def test_a_profile_read_alone_is_the_same(name: str) -> None:
    whole = catalogue("/nowhere")
    alone = catalogue_of(name)
    assert joined(name, alone) == joined(name, whole)
    assert len(alone.profiles) <= 2


@pytest.mark.parametrize("name", ["enterprise", "", "../profiles/iscsi-root", "of-the-site"])
def test_for_another_name_all_profiles_are_read(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sctune.tuning.load.SITE_FOLDER", str(tmp_path))
    (tmp_path / "of-the-site.yaml").write_text("nothing: useful")
    found = catalogue_of(name)
    assert found == catalogue(str(tmp_path))
    assert found.broken


@pytest.mark.parametrize("name", sorted(catalogue("/nowhere").profiles))
def test_no_sentence_is_cut_by_what_yaml_takes_for_a_comment(name: str) -> None:
    with open(catalogue("/nowhere").profiles[name].file) as file:
        cut = [line for line in file if re.match(r"\s*(?:why|source|summary): [^\"'>|\n].* #", line)]
    assert cut == []
