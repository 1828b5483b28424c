from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.config import load as module
from sctune.config.load import load, parse
from sctune.config.model import AccountLimits, Config, ExporterSettings, Level, Mute, Quotas, Thresholds
from sctune.config.sample import settings
from sctune.config.show import show
from sctune.config.sizes import Unreadable, parse_percent, parse_rate, parse_size
from sctune.errors import UserError

GIB = 1024**3
DOCS = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "configuration.md")


def config(text: str) -> Config:
    return parse(text.encode("utf-8", "surrogateescape"), "c.yaml")


def errors(text: str | bytes) -> list[str]:
    with pytest.raises(UserError) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), "c.yaml")
    assert caught.value.hint
    return caught.value.message.split("\n")


def sample() -> str:
    with open(DOCS, encoding="utf-8") as stream:
        (text,) = re.findall(r"^```yaml\n(.*?)^```", stream.read(), re.DOTALL | re.MULTILINE)
    return str(text)


def test_the_documented_sample() -> None:
    found = config(sample())
    assert found == Config(
        thresholds=Thresholds(),
        quotas=Quotas(
            total=500 * GIB,
            snapshots_total=200 * GIB,
            volume=100 * GIB,
            volumes={"vol-0a1b2c3d": 250 * GIB},
            accounts={
                "marketing": AccountLimits(
                    total=120 * GIB, volumes=10, snapshots=20, owns=("vol-0a1b2c3d", "vol-4e5f6a7b", "snap-8c9d0e1f")
                )
            },
            source="c.yaml",
        ),
        stores=("/var/lib/eucalyptus/volumes",),
        backend="eucalyptus-overlay",
        role="storage-controller",
        loop_limit=256,
        flush_speed=400 * 1024**2,
        wanted=frozenset({"VM_DIRTY_LIMIT_EXCESSIVE", "BLOCK_SCHEDULER_UNSUITABLE"}),
        properties="/etc/sctune/properties.txt",
        openstack_volumes="/etc/sctune/openstack-volumes.json",
        mutes=(
            Mute(
                code="LOOP_LEAKED",
                subject="vol-0a1b2c3d",
                severity="warning",
                reason="kept for the auditors, ticket 4711",
                until="2027-01-31",
            ),
        ),
        exporter=ExporterSettings(
            collectors={"pressure": True},
            detail_of={"loop": False},
            volumes_include=("vol-.*", "snap-.*"),
            volumes_exclude=("vol-0000.*",),
            devices_exclude=("loop0",),
            groups_exclude=("system",),
            limits={"volumes": 2000},
            deadline_seconds=5.0,
        ),
        files=("c.yaml",),
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("collectors: [loop]", "expected a mapping (key: value), got a list"),
        ("collectors: {loop: 'on'}", "expected true or false"),
        ("detail: 1", "expected true or false, got "),
        ("volumes_include: ['(']", "not a regular expression: missing ), unterminated subpattern at position 0"),
        ("limits: {volumes: 0}", "expected a whole number from 1 on, got "),
        ("deadline_seconds: 0", "expected a number of seconds above 0, got "),
        ("detali: true", "unknown key: did you mean detail?"),
    ],
)
def test_what_is_wrong_with_the_section_of_the_exporter_is_said(line: str, complaint: str) -> None:
    assert any(complaint in one for one in errors(f"exporter:\n  {line}\n"))


def test_the_documentation_shows_the_sample_as_it_is_made() -> None:
    assert sample() == settings()


def test_the_sample_shows_every_key() -> None:
    text = sample()
    for field in (*dataclasses.fields(Thresholds), *dataclasses.fields(Quotas), *dataclasses.fields(Config)):
        if field.name not in ("source", "files"):
            assert re.search(rf"^ *{field.name}:", text, re.MULTILINE), field.name


def test_the_documented_errors_are_real() -> None:
    with open(DOCS, encoding="utf-8") as stream:
        text = stream.read()
    (shown,) = errors("quotas:\n  total: 100\n")
    assert shown.split(": ", 1)[1] in text
    (shown,) = errors("bakend: generic\n")
    assert shown.split(": ", 1)[1] in text


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "---\n", "~\n", "thresholds:\nquotas:\n", "\ufeff"])
def test_empty_is_the_default(text: str) -> None:
    assert dataclasses.replace(config(text), quotas=None, files=()) == Config()


def test_part_of_a_level_keeps_the_rest() -> None:
    assert config("thresholds: {loop_limit: {warning: 0.5}}").thresholds.loop_limit == Level(warning=0.5, critical=0.95)


def test_zero_is_a_value() -> None:
    found = config('thresholds: {suspended_seconds: 0, store_overcommit: 0, quota_total: 0 %}\nquotas: {total: "0 GiB"}')
    assert (found.thresholds.suspended_seconds, found.thresholds.store_overcommit, found.thresholds.quota_total) == (0, 0, 0)
    assert found.quotas is not None
    assert found.quotas.total == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quotas: {volumes: {vol-1: 5}}", 'c.yaml:1:27: quotas.volumes.vol-1: expected a size such as "100 GiB", got the number 5'),
        ("loop_limit: no", "c.yaml:1:13: loop_limit: expected a whole number from 1 on, got no, which YAML reads as a boolean"),
        ("loop_limit: 4:16", "c.yaml:1:13: loop_limit: YAML reads 4:16 as a number in another notation"),
        ("loop_limit: 0256", "c.yaml:1:13: loop_limit: YAML reads 0256 as a number"),
        ("loop_limit: 0x100", "c.yaml:1:13: loop_limit: YAML reads 0x100 as a number"),
        ("loop_limit: 1_000", "c.yaml:1:13: loop_limit: YAML reads 1_000 as a number"),
        ("loop_limit: 1e3", "c.yaml:1:13: loop_limit: YAML reads 1e3 as text"),
        ("loop_limit: 256.0", "c.yaml:1:13: loop_limit: expected a whole number from 1 on, got the number 256.0"),
        ("loop_limit: '256'", "c.yaml:1:13: loop_limit: expected a whole number from 1 on, got '256'"),
        ("loop_limit: 0", "c.yaml:1:13: loop_limit: expected a whole number from 1 on, got the number 0"),
        ("loop_limit:", "c.yaml:1:12: loop_limit: expected a whole number from 1 on, got nothing"),
        ("loop_limit: [1]", "c.yaml:1:13: loop_limit: expected one value, got a list"),
        ("backend: off", "c.yaml:1:10: backend: expected one of eucalyptus-overlay"),
        ("backend: overlay", "c.yaml:1:10: backend: expected one of eucalyptus-overlay"),
        ("properties: 2020-01-01", "c.yaml:1:13: properties: YAML reads 2020-01-01 as a date"),
        ("quotas: {accounts: {a: {volumes: 0}}}", "c.yaml:1:34: quotas.accounts.a.volumes: expected a whole number from 1 on"),
        ("quotas: {accounts: {a: {size: 1 GiB}}}", "c.yaml:1:25: quotas.accounts.a.size: unknown key"),
        ("quotas: {accounts: {a: {owns: vol-1}}}", "c.yaml:1:31: quotas.accounts.a.owns: expected a list"),
        (
            'quotas: {accounts: {a: {owns: ["vol 1"]}}}',
            "c.yaml:1:32: quotas.accounts.a.owns.0: expected the id of a volume or snapshot",
        ),
        (
            "quotas: {accounts: {a: {owns: [vol-1]}, b: {owns: [VOL-1]}}}",
            "c.yaml:1:20: quotas.accounts: VOL-1 is owned by both a and b",
        ),
        ("properties: euctl.txt", "c.yaml:1:13: properties: expected an absolute path"),
        ('properties: "/a\\0b"', "c.yaml:1:13: properties: a path cannot hold a NUL"),
        ("stores: /srv", "c.yaml:1:9: stores: expected a list, got '/srv'"),
        ("stores: [srv]", "c.yaml:1:10: stores.0: expected an absolute path"),
        ("flush_speed: 400 MiB", 'c.yaml:1:14: flush_speed: expected a speed such as "400 MiB/s"'),
        ("flush_speed: 0 MiB/s", "c.yaml:1:14: flush_speed: expected a speed above 0"),
        ("thresholds: {quota_total: 90}", "c.yaml:1:27: thresholds.quota_total: expected a ratio from 0 to 1"),
        ("thresholds: {quota_total: 190 %}", "c.yaml:1:27: thresholds.quota_total: expected a ratio from 0 to 1"),
        ("thresholds: {quota_total: .nan}", "c.yaml:1:27: thresholds.quota_total: YAML reads .nan as a number"),
        (
            "thresholds: {loop_limit: 0.8}",
            "c.yaml:1:26: thresholds.loop_limit: expected a mapping (key: value), got the number 0.8",
        ),
        ("thresholds: {loop_limit: {warning: 1.0}}", "c.yaml:1:26: thresholds.loop_limit: warning (1) is above critical (0.95)"),
        ("thresholds: {suspended_seconds: -1}", "c.yaml:1:33: thresholds.suspended_seconds: expected a number of seconds"),
        ("wanted: [TGT_DOWNN_]", "c.yaml:1:10: wanted.0: expected the code of a piece of advice"),
        ("wanted: [NO]", "c.yaml:1:10: wanted.0: expected the code of a piece of advice such as VM_DIRTY_LIMIT_LOW, got NO, which"),
        ("wanted: [VM_DIRTY_BYTES_IN_FORCE]", "c.yaml:1:10: wanted.0: VM_DIRTY_BYTES_IN_FORCE is a fault and no advice"),
        ("quotas: {volumes: {1: 5 GiB}}", "c.yaml:1:20: quotas.volumes: expected a name as key, got the number 1: quote it"),
        ("a: 1\nloop_limit: 5\nloop_limit: 6", "c.yaml:3:1: loop_limit: given twice, first in line 2"),
        ("- a", "c.yaml:1:1: expected a mapping (key: value), got a list"),
        ("[" * 3000, "c.yaml: not a YAML document: nested too deeply"),
        ("a: [1", "c.yaml:1:6: expected ',' or ']'"),
        ("a: &x 1\nb: *x", "c.yaml:2:4: aliases are not supported here"),
        ("a: 1\n---\nb: 1", "c.yaml:2:1: but found another document"),
        ("backend: !!python/name:os.system x", "c.yaml:1:10: backend: tags are not supported here"),
    ],
)
def test_errors_name_place_and_key(text: str, message: str) -> None:
    assert any(line.startswith(message) for line in errors(text)), errors(text)


def test_all_errors_at_once_in_order() -> None:
    lines = errors("bakend: generic\nquotas:\n  total: 100\n  volumes:\n    vol-1: 5G\nloop_limit: no\n")
    assert [line.split(": ")[:2] for line in lines] == [
        ["c.yaml:1:1", "bakend"],
        ["c.yaml:3:10", "quotas.total"],
        ["c.yaml:5:12", "quotas.volumes.vol-1"],
        ["c.yaml:6:13", "loop_limit"],
    ]


def test_control_characters_of_a_key_do_not_reach_the_terminal() -> None:
    (line,) = errors('"a\\e[31m": 1')
    assert "\x1b" not in line


def test_bytes_that_are_no_text() -> None:
    assert errors(b"a: 1\nb: \xff\n") == ["c.yaml:2:1: not UTF-8 text"]
    assert errors(b"a: \x00\n")[0].startswith("c.yaml: not a YAML document")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100 GiB", 100 * GIB),
        ("500 GB", 500 * 10**9),
        ("1.5 TiB", 3 * 512 * GIB),
        ("0 B", 0),
        ("64MiB", 64 * 1024**2),
        ("1 kB", 1000),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "100", "500G", "500g", "5 gib", "5 GIB", "-5 GiB", "5 5 GiB", "GiB", "1e3 GiB", "٣ GiB", "5 Gb"]
)
def test_sizes_are_never_guessed(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_size(text)


def test_the_message_says_what_to_write() -> None:
    assert '"5 GiB"' in errors("quotas: {total: 5 gib}")[0]
    assert '"5 GiB" (1024s) or "5 GB" (1000s)' in errors("quotas: {total: 5G}")[0]


@given(st.text())
def test_quantities_never_raise_anything_else(text: str) -> None:
    for parser in (parse_size, parse_rate, parse_percent):
        with contextlib.suppress(Unreadable):
            assert parser(text) >= 0


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_a_configuration_or_a_user_error(data: bytes) -> None:
    try:
        assert isinstance(parse(data, "c.yaml"), Config)
    except UserError as error:
        assert error.message.startswith("c.yaml")


VALUES = st.recursive(
    st.sampled_from(["no", "1", "0.5", "80 %", "5 GiB", "1 MiB/s", "/a", "generic", "~", "12:30", "'x'", "2001-01-01", "1e3"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(["total", "volume", "warning", "critical", "vol-1"]), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*(field.name for field in dataclasses.fields(Config)), "x"]), VALUES, max_size=4))
def test_any_values_under_known_keys(values: dict[str, str]) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in values.items())
    try:
        assert isinstance(config(text), Config)
    except UserError as error:
        assert error.message.startswith("c.yaml:")


def write(folder: object, text: str, mode: int = 0o644) -> str:
    path = f"{folder}/sctune.yaml"
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, mode)
    return path


def test_a_file(tmp_path: object) -> None:
    path = write(tmp_path, "loop_limit: 5\nquotas: {total: 5 GiB}\n")
    found = load(path)
    assert (found.loop_limit, found.files) == (5, (path,))
    assert found.quotas is not None
    assert found.quotas.source == path


def test_default_that_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(module, "DEFAULT_PATH", f"{tmp_path}/none.yaml")
    monkeypatch.setattr(module, "DROP_INS", f"{tmp_path}/conf.d")
    assert load(None) == Config()


def test_default_that_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(module, "DEFAULT_PATH", write(tmp_path, "loop_limit: 5\n"))
    monkeypatch.setattr(module, "DROP_INS", f"{tmp_path}/conf.d")
    assert load(None).loop_limit == 5


@pytest.mark.parametrize("path", ["/nonexistent/sctune.yaml", "/", "a\0b"])
def test_a_named_file_that_is_none(path: str) -> None:
    with pytest.raises(UserError) as caught:
        load(path)
    assert caught.value.message.startswith(path)


def test_a_fifo_does_not_hang(tmp_path: object) -> None:
    path = f"{tmp_path}/fifo"
    os.mkfifo(path)
    with pytest.raises(UserError, match="not a regular file"):
        load(path)


def test_dev_null_is_no_configuration() -> None:
    assert load("/dev/null") == Config(files=("/dev/null",))


def test_a_huge_file(tmp_path: object) -> None:
    with pytest.raises(UserError, match="larger than 1 MiB"):
        load(write(tmp_path, "#" * (1024 * 1024 + 1)))


@pytest.mark.parametrize("mode", [0o646, 0o666, 0o602])
def test_root_refuses_what_others_may_write(mode: int, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    path = write(tmp_path, "loop_limit: 5\n", mode)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert load(path).loop_limit == 5
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(UserError, match="is not used as root") as caught:
        load(path)
    assert "chmod go-w" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_root_refuses_what_belongs_to_others(tmp_path: object) -> None:
    path = write(tmp_path, "loop_limit: 5\n")
    os.chown(path, 1000, 1000)
    with pytest.raises(UserError, match="user 1000"):
        load(path)
    os.chown(path, 0, 1000)
    os.chmod(path, 0o664)
    with pytest.raises(UserError, match="is not used as root"):
        load(path)
    os.chown(path, 0, 0)
    assert load(path).loop_limit == 5


@pytest.mark.spawns
def test_no_yaml_without_a_file(tmp_path: object) -> None:
    program = (
        "import sys, sctune.config.load as m; m.DEFAULT_PATH = sys.argv[1]; m.DROP_INS = sys.argv[1] + '.d'; m.load(None);"
        "print(sorted({'yaml', 'msgspec', 'sctune.config.schema', 'sctune.registry'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, f"{tmp_path}/none"], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_properties_may_be_asked_for() -> None:
    assert config("properties: ask").properties == "ask"
    assert 'properties: "ask"' in show(config("properties: ask"), None)
