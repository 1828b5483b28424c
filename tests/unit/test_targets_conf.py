"""targets.conf(5), as tgt-admin reads it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sctune.model.target import PersistedTarget, TgtConfiguration
from sctune.probes.targets_conf import Block, parse, probe
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

MAIN = "/etc/tgt/targets.conf"

# The example of targets.conf(5), and the sample file that tgt installs, shortened.
MANUAL = """
<target iqn.2007-04.com.example:san.monitoring>
  backing-store /dev/san/monitoring

  # if no "incominguser" is specified, it is not used
  incominguser backup secretpass12

  # defaults to ALL if no "initiator-address" is specified
  initiator-address 192.168.1.2
</target>

<target iqn.2007-02.com.example:san.xen1>
  backing-store /dev/san/xen1-disk1 # LUN1
  direct-store /dev/san/xen1-disk2  # LUN2

  initiator-address 192.168.1.2     # Allowed IP
  initiator-address 192.168.5.6     # Allowed IP

  incominguser user1 secretpass12
  incominguser user2 secretpass23

  outgoinguser userA secretpassA
</target>

<target iqn.2007-02.com.example:san.xen2>
  backing-store /dev/san/xen2
</target>
"""
SAMPLE = """
default-driver iscsi
<target iqn.2008-09.com.example:server.target5>

    <direct-store /dev/sdd>
        vendor_id VENDOR1
        lun 1
    </direct-store>

    <backing-store /dev/sdb1>
        vendor_id back1
        #bs-type rbd
        bs-type aio
        # lun 3         # lun is commented out
    </backing-store>

    write-cache off
    initiator-name iqn.1993-08.org.debian:01:abc
    outgoinguser userA secretpassA
</target>
"""


def read(text: str, **more: str) -> TgtConfiguration:
    host = FakeHost(files={MAIN: text, **more})
    found = probe(host)
    assert isinstance(found, TgtConfiguration), found
    return found


def read_with(files: dict[str, str | Unavailable]) -> TgtConfiguration:
    found = probe(FakeHost(files=files))
    assert isinstance(found, TgtConfiguration), found
    return found


def test_the_manuals_example() -> None:
    assert read(MANUAL).targets == (
        PersistedTarget(
            iqn="iqn.2007-04.com.example:san.monitoring",
            file=MAIN,
            backing_paths=("/dev/san/monitoring",),
            initiator_addresses=("192.168.1.2",),
            initiator_names=(),
            chap=True,
            backing_type="",
        ),
        PersistedTarget(
            iqn="iqn.2007-02.com.example:san.xen1",
            file=MAIN,
            backing_paths=("/dev/san/xen1-disk1", "/dev/san/xen1-disk2"),
            initiator_addresses=("192.168.1.2", "192.168.5.6"),
            initiator_names=(),
            chap=True,
            backing_type="",
        ),
        PersistedTarget(
            iqn="iqn.2007-02.com.example:san.xen2",
            file=MAIN,
            backing_paths=("/dev/san/xen2",),
            initiator_addresses=(),
            initiator_names=(),
            chap=False,
            backing_type="",
        ),
    )


def test_blocks_of_luns() -> None:
    (target,) = read(SAMPLE).targets
    assert target.backing_paths == ("/dev/sdb1", "/dev/sdd"), "backing stores get their LUNs before direct stores"
    assert target.backing_type == "aio"
    assert target.initiator_names == ("iqn.1993-08.org.debian:01:abc",)
    assert target.chap is False, "an outgoing user proves the target, not the initiator"


def test_no_secret_is_kept() -> None:
    assert "secretpass" not in repr(read(MANUAL + SAMPLE))


def test_debians_empty_file() -> None:
    found = read("# You can drop snippets\ninclude /etc/tgt/conf.d/*.conf\n")
    assert found == TgtConfiguration(files=(MAIN,), unread=(), targets=())


def test_included_files() -> None:
    found = read_with(
        {
            MAIN: "include /etc/tgt/conf.d/*.conf\n",
            "/etc/tgt/conf.d/b.conf": "<target iqn.b>\nbacking-store /b\n</target>\n",
            "/etc/tgt/conf.d/a.conf": "<target iqn.a>\nbacking-store /a\n</target>\n",
            "/etc/tgt/conf.d/.hidden.conf": "<target iqn.h>\n</target>\n",
            "/etc/tgt/conf.d/README": "<target iqn.r>\n</target>\n",
        }
    )
    assert [target.iqn for target in found.targets] == ["iqn.a", "iqn.b"]
    assert found.targets[0].file == "/etc/tgt/conf.d/a.conf"
    assert found.files == (MAIN, "/etc/tgt/conf.d/a.conf", "/etc/tgt/conf.d/b.conf")


def test_what_may_not_be_read_is_named() -> None:
    denied = Unavailable(reason=Reason.DENIED, what="/etc/tgt/conf.d/a.conf")
    found = read_with({MAIN: "include /etc/tgt/conf.d/*.conf\ninclude /etc/tgt/gone.conf\n", "/etc/tgt/conf.d/a.conf": denied})
    assert found.unread == ("/etc/tgt/conf.d/a.conf", "/etc/tgt/gone.conf")


def test_a_folder_may_be_included() -> None:
    found = read_with({MAIN: "include /etc/tgt/conf.d\n", "/etc/tgt/conf.d/x": "<target iqn.x>\n</target>\n"})
    assert [target.iqn for target in found.targets] == ["iqn.x"]


def test_include_loops_end() -> None:
    found = read_with(
        {MAIN: "include /etc/tgt/a\n", "/etc/tgt/a": f"include {MAIN}\ninclude /etc/tgt/a\n<target iqn.a>\n</target>"}
    )
    assert [target.iqn for target in found.targets] == ["iqn.a"]


def test_red_hats_second_file() -> None:
    found = read_with({"/etc/tgt/tgtd.conf": "include /etc/tgt/conf.d/*.conf\n<target iqn.r>\nbacking-store /r\n</target>\n"})
    assert found.files == ("/etc/tgt/tgtd.conf",)
    assert [target.iqn for target in found.targets] == ["iqn.r"]


def test_no_configuration_and_none_that_may_be_read() -> None:
    answer = probe(FakeHost())
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.ABSENT
    answer = probe(FakeHost(files={MAIN: Unavailable(reason=Reason.DENIED, what=MAIN)}))
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.DENIED


def test_one_target_in_two_blocks() -> None:
    (target,) = read("<target iqn.x>\nbacking-store /a\n</target>\n<target iqn.x>\nbacking-store /b\n</target>\n").targets
    assert target.backing_paths == ("/a", "/b")


def test_the_languages_other_forms() -> None:
    (target,) = read(
        '/* a comment\n<target iqn.no>\n*/\n<target "iqn.x">\n  backing-store = "/srv/a b"\n'
        "  initiator-address \\\n 10.0.0.1\n\tbacking-store /srv/c\\#1 # note\n</target>\n"
    ).targets
    assert target.iqn == "iqn.x"
    assert target.backing_paths == ("/srv/a b", "/srv/c#1")
    assert target.initiator_addresses == ("10.0.0.1",)


def test_broken_files_do_not_raise() -> None:
    assert (
        read("</target>\nbacking-store /x\n<target iqn.a\n<target iqn.b>\nbacking-store\n<backing-store /y>\n").targets[0].iqn
        == "iqn.b"
    )


@given(st.text(alphabet='<>/targe \n\\"#=*i-x\t\x00é', max_size=120))
def test_any_text(text: str) -> None:
    blocks: dict[str, Block] = {}
    assert isinstance(parse(text, MAIN, blocks), tuple)
    assert isinstance(probe(FakeHost(files={MAIN: text + "\n" + MANUAL})), TgtConfiguration)
