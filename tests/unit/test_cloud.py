from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Completed, FileKind, FileStat
from sctune.host.capture import CaptureHost
from sctune.host.recording import RecordingHost
from sctune.model.cloud import Cloud
from sctune.probes.cloud import FOLDER, TOOLS, VERSION_FILE, VOLUMES_FOLDER, parse_properties, probe, volumes_folder
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

DATA = os.path.join(os.path.dirname(__file__), "..", "data", "properties")
FILE = "/etc/sctune/properties.txt"


def composed(name: str) -> str:
    with open(os.path.join(DATA, f"composed-{name}.txt"), encoding="utf-8") as stream:
        return stream.read()


def parsed(text: str) -> dict[str, str]:
    found = parse_properties(text, FILE)
    assert not isinstance(found, Unavailable), found
    return dict(found)


def test_no_eucalyptus() -> None:
    found = probe(FakeHost(), properties=None)
    assert isinstance(found, Unavailable)
    assert (found.reason, found.what) == (Reason.ABSENT, VERSION_FILE)


def test_version_alone() -> None:
    found = probe(FakeHost(files={VERSION_FILE: "4.4.2\n"}), properties=None)
    assert found == Cloud(version="4.4.2", volumes_folder=VOLUMES_FOLDER, properties=(), installed=True)


def test_a_cloud_whose_version_file_is_gone() -> None:
    folder = FileStat(kind=FileKind.DIRECTORY, size=4096, allocated=4096, device=1, inode=2, mtime=1.0)
    host = FakeHost(stats={FOLDER: folder}, files={FILE: "root:x:0:0::/root:/bin/sh\n"})
    assert probe(host, properties=None) == Cloud(version="", volumes_folder=VOLUMES_FOLDER, properties=(), installed=True)
    found = probe(host, properties=FILE)
    assert isinstance(found, Cloud)
    assert found.installed
    assert found.properties_unavailable is not None


def test_version_and_properties() -> None:
    host = FakeHost(files={VERSION_FILE: "4.0.2\nextra\n", FILE: composed("euca-describe-properties-4.0")})
    found = probe(host, properties=FILE)
    assert isinstance(found, Cloud)
    assert (found.version, found.volumes_folder, found.properties_unavailable) == ("4.0.2", "/srv/volumes", None)
    assert ("one.storage.maxtotalvolumesizeingb", "100") in found.properties


def test_properties_of_a_cloud_that_is_not_installed_here() -> None:
    found = probe(FakeHost(files={FILE: composed("euctl-4.4")}), properties=FILE)
    assert isinstance(found, Cloud)
    assert (found.version, found.installed) == ("", False)


def test_a_bad_properties_file_does_not_hide_the_version() -> None:
    found = probe(FakeHost(files={VERSION_FILE: "4.4.2\n", FILE: "root:x:0:0::/root:/bin/sh\n"}), properties=FILE)
    assert isinstance(found, Cloud)
    assert found.version == "4.4.2"
    assert found.properties == ()
    problem = found.properties_unavailable
    assert problem is not None
    assert (problem.reason, problem.what) == (Reason.MALFORMED, FILE)
    assert "root" not in problem.detail


def test_a_named_file_that_is_absent_is_a_failure_and_no_absence() -> None:
    found = probe(FakeHost(), properties=FILE)
    assert isinstance(found, Unavailable)
    assert (found.reason, found.what) == (Reason.FAILED, FILE)


def test_a_version_that_may_not_be_read_is_not_an_absent_cloud() -> None:
    denied = Unavailable(reason=Reason.DENIED, what=VERSION_FILE)
    assert probe(FakeHost(files={VERSION_FILE: denied}), properties=None) is denied
    assert probe(FakeHost(files={VERSION_FILE: denied, FILE: composed("euctl-4.4")}), properties=FILE) is denied


def test_euca_describe_properties() -> None:
    values = parsed(composed("euca-describe-properties-4.0"))
    assert values["one.storage.maxvolumesizeingb"] == "15"
    assert values["system.exec.restricted_concurrent_ops"] == "dd,gunzip,tar"
    assert values["walrus.storagemaxtotalsnapshotsizeingb"] == ""


def test_descriptions_are_no_values() -> None:
    assert parsed(composed("euca-describe-properties-v-3.4")) == {
        "one.storage.maxtotalvolumesizeingb": "100",
        "one.storage.maxvolumesizeingb": "15",
        "one.storage.volumesdir": "/var/lib/eucalyptus/volumes",
    }


def test_euctl_with_and_without_blanks() -> None:
    values = parsed(composed("euctl-4.4"))
    assert values["one.storage.maxtotalvolumesizeingb"] == "500"
    assert values["two.storage.maxtotalvolumesizeingb"] == "200"
    assert values["authentication.credential_download_host_match"] == ""


@pytest.mark.parametrize("name", ["euca-describe-properties-4.0", "euctl-4.4"])
def test_secrets_are_masked(name: str) -> None:
    assert "made-up-secret" in composed(name)
    assert "made-up-secret" not in repr(parse_properties(composed(name), FILE))


def test_what_euctl_says_on_stderr_is_skipped() -> None:
    text = "use euctl --dump to view cloud.network.network_configuration\na.b = 1\neuctl: error: no such variable: x.y\n"
    assert parsed(text) == {"a.b": "1"}


def test_windows_line_ends() -> None:
    assert parsed("\ufeffPROPERTY\ta.b\t1\r\nPROPERTY\tc.d\t2\r\n") == {"a.b": "1", "c.d": "2"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# nothing\n",
        "hello world\n",
        "a.b = 1\nnonsense\n",
        "x = 1\n",
        "oops\nPROPERTY\ta.b\t1\n",
        "PROPERTY\tno name\t1\n",
        "\0",
    ],
)
def test_a_wrong_file_is_named(text: str) -> None:
    found = parse_properties(text, FILE)
    assert isinstance(found, Unavailable)
    assert (found.reason, found.what) == (Reason.MALFORMED, FILE)
    assert "hello" not in found.detail


def test_volumes_folder_only_where_partitions_agree() -> None:
    one, two = ("one.storage.volumesdir", "/srv/a"), ("two.storage.volumesdir", "/srv/b")
    assert volumes_folder((one,)) == "/srv/a"
    assert volumes_folder((one, ("two.storage.volumesdir", "/srv/a"))) == "/srv/a"
    assert volumes_folder((one, two)) == VOLUMES_FOLDER
    assert volumes_folder((("one.storage.volumesdir", ""),)) == VOLUMES_FOLDER


@given(st.text(alphabet=st.sampled_from("PROERTYDSCIN \t\n\r=.ab1#\0\ud800é")) | st.text())
def test_never_raises(text: str) -> None:
    found = parse_properties(text, FILE)
    assert isinstance(found, Unavailable) or all("." in name and "\n" not in value for name, value in found)


def asked(*answers: Completed | Unavailable, version: str = "4.4.2\n") -> Cloud | Unavailable:
    """What `properties: ask` finds where the tools answer this, in their order."""
    commands: dict[tuple[str, ...], Completed | Unavailable] = {(tool,): one for tool, one in zip(TOOLS, answers, strict=False)}
    return probe(FakeHost(files={VERSION_FILE: version}, commands=commands), properties="ask")


def said(tool: str, text: str, *, status: int = 0, error: str = "") -> Completed:
    return Completed(argv=(tool,), status=status, stdout=text, stderr=error, seconds=0.5)


def gone(tool: str) -> Unavailable:
    return Unavailable(reason=Reason.ABSENT, what=tool)


def test_the_tools_are_asked_where_the_configuration_says_so() -> None:
    found = asked(said("euctl", composed("euctl-4.4")))
    assert isinstance(found, Cloud)
    assert ("one.storage.maxtotalvolumesizeingb", "500") in found.properties
    assert found.properties_source == "euctl"
    assert "made-up-secret" not in repr(found)
    found = asked(gone("euctl"), said("euca-describe-properties", composed("euca-describe-properties-4.0")))
    assert isinstance(found, Cloud)
    assert found.properties_source == "euca-describe-properties"
    assert "made-up-secret" not in repr(found)


def test_nobody_asks_unless_told_to() -> None:
    host = FakeHost(files={VERSION_FILE: "4.4.2\n", FILE: composed("euctl-4.4")})
    for properties in (None, FILE):
        probe(host, properties=properties)
    assert host.asked == []


@pytest.mark.parametrize(
    ("answers", "reason", "detail"),
    [
        ((gone("euctl"), gone("euca-describe-properties")), Reason.FAILED, "installed"),
        ((Unavailable(reason=Reason.TIMEOUT, what="euctl"),), Reason.TIMEOUT, ""),
        (
            (said("euctl", "", status=1, error="euctl: error: missing access key ID\n"),),
            Reason.DENIED,
            "access key",
        ),
        ((said("euctl", "", status=1, error="euctl: error (AccessDenied): not you\n"),), Reason.DENIED, "AccessDenied"),
        ((said("euctl", "", status=1, error="\nConnection refused\n"),), Reason.FAILED, "Connection refused"),
        ((said("euctl", "", status=3),), Reason.FAILED, "exit status 3"),
        ((said("euctl", "what is this\n"),), Reason.MALFORMED, "line 1"),
    ],
)
def test_tools_that_do_not_tell_leave_the_version(
    answers: tuple[Completed | Unavailable, ...], reason: Reason, detail: str
) -> None:
    found = asked(*answers)
    assert isinstance(found, Cloud)
    assert (found.version, found.properties, found.properties_source) == ("4.4.2", (), "")
    problem = found.properties_unavailable
    assert problem is not None
    assert problem.reason is reason
    assert detail in problem.detail


def test_a_secret_in_an_error_is_not_passed_on() -> None:
    found = asked(said("euctl", "", status=1, error="euctl: error: --secret-key=geheim123 is wrong\n"))
    assert "geheim123" not in repr(found)


def test_a_capture_replays_what_was_asked() -> None:
    live = RecordingHost(FakeHost(files={VERSION_FILE: "4.4.2\n"}, commands={("euctl",): said("euctl", composed("euctl-4.4"))}))
    found = probe(live, properties="ask")
    assert "made-up-secret" not in repr(live.answers())
    assert probe(CaptureHost(live.answers()), properties="ask") == found
