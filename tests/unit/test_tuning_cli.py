"""`sctune profiles` and `sctune apply-profile --dry-run`: what is printed, and the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import sctune.host.choose
from sctune.__main__ import main
from sctune.unavailable import Reason, Unavailable
from tests.unit.golden import compare
from tests.unit.tuned_kernel import Disk, Kernel
from tests.unit.tuning_plans import MIB, apply, host_of_everything, made, named

if TYPE_CHECKING:
    from tests.fakes import FakeHost

MINE = "/etc/sysctl.d/99-local.conf"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("sctune.tuning.load.SITE_FOLDER", "/nowhere")


def on(monkeypatch: pytest.MonkeyPatch, host: FakeHost) -> None:
    monkeypatch.setattr(sctune.host.choose, "open_host", lambda _from, _root: host)


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capfd.readouterr()
    return int(code), out, err


DRY = ("apply-profile", "--dry-run", "--config", "/dev/null")


@pytest.mark.parametrize("name", ["enterprise-storage", "storage-controller"])
def test_a_dry_run_is_a_difference(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest, name: str
) -> None:
    kernel = host_of_everything()
    kernel.extra[MINE] = "vm.dirty_ratio = 10\n"
    kernel.disks |= {f"sd{letter}": Disk(scheduler="none") for letter in "cdefghijk"}
    kernel.memory = 256 << 30
    on(monkeypatch, kernel.host())
    code, out, err = run(capfd, *DRY, name, "--set", "flush_speed=400 MiB/s")
    assert (code, err) == (4, "")
    assert max(len(line) for line in out.splitlines() if not line.startswith(("+", "-"))) <= 100
    compare(request, f"plan-{name}.txt", out)


def test_nothing_to_do_is_0_and_says_so(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    kernel = host_of_everything()
    apply(kernel, made(kernel, named("storage-controller")))
    on(monkeypatch, kernel.host())
    code, out, _ = run(capfd, *DRY, "storage-controller")
    assert code == 0
    assert "nothing would change" in out
    code, out, _ = run(capfd, *DRY, "storage-controller", "--set", "vm.swappiness=1")
    assert code == 4
    assert "1 value and 1 file would change" in out
    assert run(capfd, *DRY, "storage-controller", "--set", "vm.swappiness=1", "--persist-only")[1].count("1 file would change") == 1
    assert "1 value would change" in run(capfd, *DRY, "storage-controller", "--set", "vm.swappiness=1", "--live-only")[1]


def test_what_could_not_be_looked_at_is_not_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    host = Kernel(governors={"policy0": "performance"}, huge_pages="always").host()
    for key in ("dirty_ratio", "dirty_bytes", "swappiness"):
        host.files[f"/proc/sys/vm/{key}"] = Unavailable(reason=Reason.DENIED, what=f"/proc/sys/vm/{key}")
    on(monkeypatch, host)
    code, out, _ = run(capfd, *DRY, "enterprise-storage", "--live-only")
    assert code == 1
    assert "/proc/sys/vm/dirty_ratio: denied" in out


def test_json(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    on(monkeypatch, host_of_everything().host())
    code, out, _ = run(capfd, *DRY, "enterprise-storage", "--format", "json", "--set", "vm.dirty_ratio=30")
    document = json.loads(out)
    assert code == 4
    assert document["profile"]["set"] == ["vm.dirty_ratio=30"]
    settings = {(one["key"], one["subject"]): one for one in document["settings"]}
    one = settings[("vm.dirty_ratio", "vm.dirty_ratio")]
    assert (one["current"], one["wanted"], one["decision"], one["risk"]) == ("20", "30", "change", "safe")
    assert one["kept_by"] == "/etc/sysctl.d/90-sctune-enterprise-storage.conf"
    assert settings[("block.scheduler", "sdb")]["decision"] == "already"
    assert settings[("block.read-ahead", "dm-0")]["wanted"] == "4096"
    assert settings[("kernel.sched_min_granularity_ns", "kernel.sched_min_granularity_ns")]["decision"] == "absent-on-this-kernel"
    files = {one["path"]: one for one in document["files"]}
    assert files["/etc/sysctl.d/90-sctune-enterprise-storage.conf"]["before"] == "vm.dirty_ratio = 3\n"
    assert document["pending"] == sum(one["decision"] == "change" for one in document["settings"]) + len(files)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("apply-profile", "enterprise-storage", "--from", "x"), "add --dry-run"),
        (("apply-profile", "enterprise-storage", "--format", "json"), "add --yes"),
        ((*DRY, "enterprise-storag"), "did you mean enterprise-storage?"),
        ((*DRY, "enterprise-storage", "--set", "vm.dirty_rati=1"), "did you mean vm.dirty_ratio?"),
        ((*DRY, "enterprise-storage", "--live-only", "--persist-only"), "does not go with"),
        (("profiles", "nothing"), "there is no profile 'nothing'"),
    ],
)
def test_wrong_usage_is_2(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    on(monkeypatch, Kernel().host())
    code, _, err = run(capfd, *arguments)
    assert code == 2
    assert message in err


def test_profiles(capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> None:
    code, out, _ = run(capfd, "profiles")
    assert code == 0
    assert all(name in out for name in ("enterprise-storage", "storage-controller", "eucalyptus-sc"))
    document = json.loads(run(capfd, "profiles", "--format", "json")[1])
    assert {"name", "summary", "file", "includes", "paths"} == set(document["profiles"][0])
    code, out, _ = run(capfd, "profiles", "storage-controller")
    assert code == 0
    head, _, rest = out.partition("\n")
    compare(request, "profile-storage-controller.txt", head + "\n" + rest.partition("\n")[2])  # the second line is a path
    one = json.loads(run(capfd, "profiles", "storage-controller", "--format", "json")[1])
    assert all(setting["why"] and setting["source"] for setting in one["settings"])
    dirty = next(setting for setting in one["settings"] if setting["key"] == "vm.dirty_bytes")
    assert dirty["value"] == {"flush_seconds": 2.0, "otherwise": 600 * MIB, "at_most": 0.1}


def test_a_broken_profile_of_the_site_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("profiles.d")
    (folder / "ours.yaml").write_text("summary: x\nsysctl:\n  vm.swappiness:\n    value: 1\n")
    monkeypatch.setattr("sctune.tuning.load.SITE_FOLDER", str(folder))
    code, out, _ = run(capfd, "profiles")
    assert code == 1
    assert "cannot be used: " in out
    assert "ours.yaml:4:5" in out.replace("\n    ", "")
