from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import Process
from sctune.model.process import CopyTool
from sctune.probes.processes import copy_of, normalise, probe, select
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import unavailable

SNAPSHOT = "/dev/euca-ebs-storage-vg-vol-391D44BE/euca-snap-57C3C3E8"


def process(pid: int, name: str, *argv: str, ppid: int = 1, state: str = "S") -> Process:
    return Process(pid=pid, ppid=ppid, name=name, state=state, argv=argv or (name,), started=1.0, cpu_seconds=0.0, uid=0)


# The processes of the recorded test machine, and others as their packages start them.
TABLE = (
    process(1, "systemd"),
    process(140, "systemd-udevd", "/lib/systemd/systemd-udevd", "--daemon"),
    process(153, "iscsid"),
    process(154, "iscsid"),
    process(157, "tgtd"),
    process(159, "tgtd", ppid=157),
    process(303, "dmeventd", "/sbin/dmeventd"),
    process(321, "dd", "dd", f"if={SNAPSHOT}", "of=//var/lib/eucalyptus/volumes/snap-57C3C3E8", "bs=1M", state="D"),
    process(400, "tgtadm", "tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "show"),
    process(401, "lvs", "lvs", "-a"),
    process(402, "lvm", "lvm", "fullreport"),
    process(403, "lvmpolld", "/sbin/lvmpolld"),
    process(404, "tuned", "/usr/bin/python3", "-Es", "/usr/sbin/tuned", "-l", "-P"),
    process(405, "python3", "/usr/bin/python3", "-Es", "/usr/sbin/tuned", "-l", "-P"),
    process(406, "python3", "/usr/bin/python3", "-Es", "/usr/sbin/tuned-adm", "active"),
    process(407, "eucalyptus-clou", "/usr/sbin/eucalyptus-cloud", "-h", "/"),
    process(408, "eucalyptus-cloud", "/usr/sbin/eucalyptus-cloud", "-h", "/"),
    process(409, "httpd", "/usr/sbin/httpd", "-f", "/etc/eucalyptus/httpd-nc.conf"),
    process(410, "httpd", "/usr/sbin/httpd", "-DFOREGROUND"),
    process(411, "java", "java", "-jar", "jenkins.war"),
    process(412, "tgtd", state="Z"),
    process(413, "dd-agent", "dd-agent", "if=/x"),
)


def pids(found: tuple[Process, ...]) -> list[int]:
    return [item.pid for item in found]


def test_selection() -> None:
    found = probe(FakeHost(table=TABLE))
    assert not isinstance(found, Unavailable)
    assert pids(found.tgtd) == [157]
    assert pids(found.iscsid) == [153, 154]
    assert pids(found.tgtadm) == [400]
    assert pids(found.lvm) == [401, 402]
    assert pids(found.tuned) == [404, 405]
    assert pids(found.eucalyptus) == [407, 408, 409]
    (copy,) = found.copies
    assert (copy.tool, copy.source, copy.destination) == (CopyTool.DD, SNAPSHOT, "/var/lib/eucalyptus/volumes/snap-57C3C3E8")


def test_a_logger_alone_is_no_iscsid() -> None:
    alive = probe(FakeHost(table=TABLE, files={"/run/iscsid.pid": "154\n"}))
    assert not isinstance(alive, Unavailable)
    assert pids(alive.iscsid) == [154]
    left = tuple(item for item in TABLE if item.pid != 154)
    killed = probe(FakeHost(table=left, files={"/run/iscsid.pid": "154\n"}))
    assert not isinstance(killed, Unavailable)
    assert killed.iscsid == ()
    foreground = probe(FakeHost(table=(process(9, "iscsid", "/usr/sbin/iscsid", "-f"),), files={"/run/iscsid.pid": "154\n"}))
    assert not isinstance(foreground, Unavailable)
    assert pids(foreground.iscsid) == [9]


@pytest.mark.parametrize("text", ["", "x", "99999999999999999999", "-1"])
def test_a_pid_file_without_a_pid_tells_nothing(text: str) -> None:
    found = probe(FakeHost(table=TABLE, files={"/run/iscsid.pid": text}))
    assert not isinstance(found, Unavailable)
    assert pids(found.iscsid) == [153, 154]


@pytest.mark.parametrize(
    ("namespace", "contained"),
    [("pid:[4026531836]", False), ("pid:[4026532574]", True), ("", False)],
)
def test_a_container_is_told_by_its_process_namespace(namespace: str, contained: bool) -> None:
    """The first namespace of a kernel has a number of its own (include/linux/proc_ns.h, PROC_PID_INIT_INO). Before Linux 3.8 there
    is no such link, and a capture may not have it."""
    host = FakeHost(table=(process(1, "init"),), links={"/proc/self/ns/pid": namespace} if namespace else {})
    found = probe(host)
    assert not isinstance(found, Unavailable)
    assert found.contained is contained


def test_guests_are_qemus_processes() -> None:
    """The names of Debian's, Red Hat's and Xen's; of virtiofsd and qemu-nbd none is a guest."""
    names = ("qemu-system-x86", "qemu-kvm", "kvm", "qemu-dm", "qemu-nbd", "virtiofsd", "qemu-ga")
    found = select(process(pid, name) for pid, name in enumerate(names, 10))
    assert pids(found.guests) == [10, 11, 12, 13]


def test_no_table_no_selection() -> None:
    answer = probe(FakeHost(table=unavailable(Reason.TIMEOUT, "process table")))
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.TIMEOUT


@pytest.mark.parametrize(
    ("argv", "source", "destination"),
    [
        (("dd", "of=/b", "if=/a", "if=/c"), "/c", "/b"),
        (("dd", "bs=1M"), "", ""),
        (("gunzip", "/v/snap.gz"), "/v/snap.gz", "/v/snap"),
        (("gunzip", "-c", "/v/snap.gz"), "/v/snap.gz", ""),
        (("gzip", "-d", "/v/a.tgz"), "/v/a.tgz", "/v/a.tar"),
        (("gzip", "-cd"), "", ""),
        (("tar", "xzf", "/a.tgz", "-C", "//v"), "/a.tgz", "/v"),
        (("tar", "-C", "/v", "-xf", "/a.tar"), "/a.tar", "/v"),
        (("tar", "--extract", "--file=/a.tar", "--directory=/v"), "/a.tar", "/v"),
        (("tar", "-czf", "/a.tgz", "/v/vol-1"), "/v/vol-1", "/a.tgz"),
        (("tar",), "", ""),
        (("busybox", "dd", "if=/a", "of=/b"), "/a", "/b"),
    ],
)
def test_what_a_copy_reads_and_writes(argv: tuple[str, ...], source: str, destination: str) -> None:
    copy = copy_of(process(1, argv[0], *argv))
    assert copy is not None
    assert (copy.source, copy.destination) == (source, destination)


def test_packing_is_no_copy_of_ours() -> None:
    assert copy_of(process(1, "gzip", "gzip", "/v/a")) is None


def test_paths_are_normalised() -> None:
    assert normalise("//var//lib/./x/.//y/../z") == "/var/lib/x/y/../z"
    assert normalise(".hidden/..x") == ".hidden/..x"


_NAMES = st.sampled_from(["dd", "gunzip", "gzip", "tar", "busybox", "tgtd", "iscsid", "python3", "java", "httpd", "lvs", ""])
_PROCESSES = st.builds(
    Process,
    pid=st.integers(1, 9),
    ppid=st.integers(0, 9),
    name=_NAMES | st.text(),
    state=st.sampled_from("SRDZT"),
    argv=st.lists(st.text() | st.sampled_from(["-f", "xzf", "-C", "if=", "--file", "-"])).map(tuple),
    started=st.floats(0, 1e6),
    cpu_seconds=st.floats(0, 1e6),
    uid=st.just(0),
)


@given(st.lists(_PROCESSES), st.none() | st.integers(1, 9))
def test_any_table_can_be_sorted(table: list[Process], pid: int | None) -> None:
    select(table, iscsid_pid=pid)
