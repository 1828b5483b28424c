"""What shares the machine of a storage controller, and how much of its memory the cloud's JVM may take; on composed hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sctune.checks import jvm_heap, topology
from sctune.config.model import Config, Thresholds
from sctune.doctor import diagnose
from sctune.findings import HOST, Severity
from sctune.host.base import FileEntry, FileKind, FileStat, Process
from sctune.jvm import default_heap, heap_of
from sctune.model.cloud import CloudOptions, JvmHeap
from sctune.model.report import Role
from sctune.model.system import Memory
from sctune.probes import cloud_options, walrus
from sctune.probes.processes import select
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.synthetic import storage_controller
from tests.unit.chain_hosts import GIB, euca
from tests.unit.chain_hosts import inventory as made
from tests.unit.iscsi_hosts import unavailable
from tests.unit.lvm_hosts import run
from tests.unit.serving_hosts import chain, chains

if TYPE_CHECKING:
    from sctune.check import Result
    from sctune.inventory import Inventory

(TOPOLOGY,) = topology.CHECKS
(HEAP,) = jvm_heap.CHECKS
BUCKETS = "/var/lib/eucalyptus/bukkits"
VOLUME = chain("vol-391D44BE")


def process(pid: int, name: str, *argv: str, threads: int = 1) -> Process:
    words = argv or (name,)
    return Process(pid=pid, ppid=1, name=name, state="S", argv=words, started=1.0, cpu_seconds=1.0, uid=0, threads=threads)


# As Eucalyptus 4.4 starts them (systemd/units, setup_db.groovy), and the database's workers, which are no servers.
JVM = process(500, "eucalyptus-clou", "/usr/sbin/eucalyptus-cloud", "--log-level=INFO", threads=300)
DATABASE = process(510, "postgres", "/usr/bin/postgres", "-D", "/var/lib/eucalyptus/db/data", "-h0.0.0.0/0", "-p8777", "-i")
WORKER = process(511, "postgres", "postgres: eucalyptus eucalyptus_shared 127.0.0.1(51234) idle")
CLUSTER = process(520, "httpd", "/usr/sbin/httpd", "-f", "/run/eucalyptus/httpd-cc.conf", "-D", "FOREGROUND")
NODE = process(530, "httpd", "/usr/sbin/httpd", "-f", "/run/eucalyptus/httpd-nc.conf", "-D", "FOREGROUND")
GUEST = process(540, "qemu-kvm", "/usr/libexec/qemu-kvm", "-name", "i-0a1b2c3d")
OTHERS = (
    process(600, "postgres", "/usr/lib/postgresql/15/bin/postgres", "-D", "/var/lib/postgresql/15/main"),
    process(601, "httpd", "/usr/sbin/httpd", "-DFOREGROUND"),
    process(602, "java", "/usr/bin/java", "-Xmx64g", "-jar", "jenkins.war"),
    process(603, "qemu-nbd"),
)
EVERYTHING = (JVM, DATABASE, WORKER, CLUSTER, NODE, GUEST)


def a_host(*table: Process, **parts: Any) -> Inventory:
    """A host of Eucalyptus 4.4.2 with a volume and these processes."""
    given: dict[str, Any] = {
        "chains": chains(VOLUME),
        "cloud": euca(),
        "processes": select(table),
        "buckets": unavailable(Reason.ABSENT),
        "units": unavailable(Reason.ABSENT),
    }
    return made(**(given | parts))


def neighbours(result: Result) -> tuple[str, ...]:
    (finding,) = result.findings
    assert (finding.code, finding.severity, finding.subject) == ("TOPOLOGY_SC_SHARED", Severity.WARNING, HOST)
    told = dict(finding.evidence)["neighbours"]
    assert isinstance(told, tuple)
    return told


@pytest.mark.parametrize(
    ("table", "parts", "expected", "words"),
    [
        (
            (JVM, DATABASE, WORKER),
            {},
            ("the Cloud Controller: its database server, process 510",),
            "with the Cloud Controller: its",
        ),
        ((CLUSTER,), {}, ("a Cluster Controller: its web server, process 520",), "with a Cluster Controller: its"),
        ((NODE,), {}, ("a Node Controller: its web server, process 530",), "with a Node Controller: its"),
        ((GUEST, GUEST), {}, ("a Node Controller: 2 guests (QEMU)",), "with a Node Controller: its"),
        ((JVM,), {"buckets": 3}, (f"Walrus: 3 buckets in {BUCKETS}",), "with Walrus: its"),
        (
            (JVM, DATABASE),
            {"buckets": 1},
            ("the Cloud Controller: its database server, process 510", f"Walrus: 1 bucket in {BUCKETS}"),
            "with the Cloud Controller and Walrus: its",
        ),
    ],
)
def test_each_neighbour_is_named_with_how_it_was_told(
    table: tuple[Process, ...], parts: dict[str, Any], expected: tuple[str, ...], words: str
) -> None:
    result = run(TOPOLOGY, a_host(*table, **parts))
    assert neighbours(result) == expected
    assert words in result.findings[0].summary


def test_a_machine_with_everything_on_it() -> None:
    result = run(TOPOLOGY, a_host(*EVERYTHING, buckets=3))
    assert len(neighbours(result)) == 4
    assert neighbours(result)[3] == "a Node Controller: its web server, process 530, 1 guest (QEMU)"
    assert result.findings[0].summary.startswith("the whole cloud runs on this machine")


def test_a_machine_of_its_own_is_sound() -> None:
    result = run(TOPOLOGY, a_host(JVM, *OTHERS, buckets=0))
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


def test_buckets_that_could_not_be_looked_at_are_unknown() -> None:
    hung = unavailable(Reason.TIMEOUT, BUCKETS)
    alone = run(TOPOLOGY, a_host(JVM, buckets=hung))
    assert not alone.findings
    assert [item.what for item in alone.unexamined] == [BUCKETS]
    shared = run(TOPOLOGY, a_host(JVM, DATABASE, buckets=hung))
    assert len(neighbours(shared)) == 1
    assert shared.unexamined


def test_only_a_storage_controller_is_judged() -> None:
    assert run(TOPOLOGY, a_host(*EVERYTHING, chains=chains())).not_applicable
    assert run(HEAP, a_host(*EVERYTHING, chains=chains())).not_applicable
    other = Config(role="node-controller")
    assert run(TOPOLOGY, a_host(*EVERYTHING, config=other)).not_applicable
    said = Config(role="storage-controller")
    assert run(TOPOLOGY, a_host(DATABASE, chains=chains(), config=said)).findings
    assert run(TOPOLOGY, a_host(DATABASE, chains=chains(), cloud=unavailable(Reason.ABSENT), config=said)).not_applicable
    with pytest.raises(CannotLook):
        run(TOPOLOGY, a_host(processes=unavailable(Reason.TIMEOUT)))


def test_buckets_are_folders_of_a_walrus_that_runs() -> None:
    def entry(name: str, kind: FileKind) -> FileEntry:
        return FileEntry(name=name, stat=FileStat(kind=kind, size=0, allocated=0, device=1, inode=1, mtime=0.0))

    entries = (entry("a", FileKind.DIRECTORY), entry("b", FileKind.DIRECTORY), entry("lost", FileKind.FILE))
    elsewhere = replace(euca(), properties=(("walrusbackend.storagedir", "/srv/walrus"),))
    host = FakeHost(folders={BUCKETS: entries, "/srv/walrus": entries[:1]})
    running = select((JVM,))
    assert walrus.probe(host, cloud=euca(), processes=running) == 2
    assert walrus.probe(host, cloud=elsewhere, processes=running) == 1
    for answer in (
        walrus.probe(host, cloud=euca(), processes=select((CLUSTER,))),
        walrus.probe(FakeHost(), cloud=euca(), processes=running),
        walrus.probe(host, cloud=euca(), processes=unavailable(Reason.ABSENT)),
    ):
        assert isinstance(answer, Unavailable)
        assert answer.reason is Reason.ABSENT


# JVM_HEAP_LARGE


def memory(size: float) -> Memory:
    return Memory(total=int(size * GIB), available=None, free=0, dirty=0, writeback=0)


def heap(*table: Process, total: float = 16.0, options: object = None, config: Config | None = None, **parts: Any) -> Result:
    given = {"memory": memory(total), "cloud_options": options or unavailable(Reason.ABSENT)}
    return run(HEAP, a_host(*table, config=config, **(given | parts)))


def started(*options: str) -> Process:
    return replace(JVM, argv=("/usr/sbin/eucalyptus-cloud", *options))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-Xmx4g",), (4 * GIB, "-Xmx4g")),
        (("-Xmx4G", "-Xms1g", "-Xmx512m"), (512 << 20, "-Xmx512m")),
        (("-X", "mx1024k"), (1 << 20, "-Xmx1024k")),
        (("--jvm-args=mx2t",), (2048 * GIB, "-Xmx2t")),
        (("--jvm-args", "mx4096"), (4096, "-Xmx4096")),
        (("-XX:MaxHeapSize=8g",), (8 * GIB, "-XX:MaxHeapSize=8g")),
        (("-Xms4g", "-Xmxlots", "-Xmx", "-Xmx4gb", "mx4g", "--log-level=mx4g"), None),
        ((), None),
    ],
)
def test_the_heap_on_a_command_line(words: tuple[str, ...], expected: tuple[int, str] | None) -> None:
    found = heap_of(words)
    assert (None if found is None else (found.size, found.word)) == expected


@pytest.mark.parametrize(
    ("version", "gib", "expected"),
    [
        ("3.4.2", 64.0, 1),
        ("4.0.2", 64.0, 2),
        ("4.1.2", 64.0, 2),
        ("4.2.2", 3.9, 2),
        ("4.4.2", 4.0, 2),
        ("4.4.2", 7.6, 4),
        ("4.4.2", 15.5, 8),
        ("4.4.2", 16.1, 9),
        ("4.4.2", 32.0, 16),
        ("4.4.2", 33.0, 16),
        ("5.1.0", 64.0, 16),
        ("", 64.0, None),
        ("devel", 64.0, None),
    ],
)
def test_the_heap_where_nothing_is_set(version: str, gib: float, expected: int | None) -> None:
    assert default_heap(version, int(gib * GIB)) == (None if expected is None else expected * GIB)


@pytest.mark.parametrize(("option", "told"), [("-Xmx8g", False), ("-Xmx8193m", True), ("-Xmx12g", True)])
def test_more_than_half_of_the_memory(option: str, told: bool) -> None:
    result = heap(started("--log-level=INFO", option))
    assert bool(result.findings) is told
    assert result.examined == 1


def test_what_is_said_of_a_large_heap() -> None:
    (finding,) = heap(started("-Xmx12g")).findings
    assert (finding.code, finding.severity, finding.subject.id) == ("JVM_HEAP_LARGE", Severity.INFO, "eucalyptus-cloud")
    told = dict(finding.evidence)
    assert (told["share"], told["set_by"], told["source"]) == (0.75, "-Xmx12g", "arguments of process 500, /proc/meminfo")
    assert finding.remedy.commands[-1] == "service eucalyptus-cloud restart"


def test_the_threshold_is_the_configurations() -> None:
    quarter = Config(thresholds=Thresholds(jvm_heap=0.25))
    assert heap(started("-Xmx5g"), config=quarter).findings
    assert not heap(started("-Xmx4g"), config=quarter).findings


def test_the_default_is_judged_where_nothing_is_set() -> None:
    (finding,) = heap(started(), total=15.5).findings
    assert dict(finding.evidence)["set_by"] == "default of Eucalyptus 4.4.2"
    assert not heap(started(), total=64.0).findings
    assert not heap(started(), total=15.5, cloud=euca("4.1.2")).findings
    unknown = heap(started(), cloud=euca(""))
    assert [item.what for item in unknown.unexamined] == ["heap of eucalyptus-cloud"]


def test_the_process_with_the_threads_is_the_jvm() -> None:
    parent = replace(JVM, pid=499, threads=1, argv=("/usr/sbin/eucalyptus-cloud", "-Xmx15g"))
    assert not heap(parent, started("-Xmx2g")).findings


def test_arguments_that_are_not_told_are_unknown() -> None:
    result = heap(replace(JVM, argv=()))
    assert (result.examined, len(result.unexamined)) == (0, 1)


def test_where_it_does_not_run_its_options_tell() -> None:
    (finding,) = heap(options=CloudOptions(heap=JvmHeap(size=12 * GIB, word="-Xmx12g"))).findings
    assert dict(finding.evidence)["source"] == "/etc/eucalyptus/eucalyptus.conf, /proc/meminfo"
    assert heap(options=CloudOptions(heap=None), total=15.5).findings
    assert heap().not_applicable == "there is no /etc/eucalyptus/eucalyptus.conf"
    assert heap(options=unavailable(Reason.NOT_COLLECTED)).not_applicable == "eucalyptus-cloud does not run"
    assert heap(options=unavailable(Reason.DENIED)).unexamined
    tree = unavailable(Reason.NOT_COLLECTED, "process table")
    assert heap(processes=tree, options=CloudOptions(heap=JvmHeap(size=12 * GIB, word="-Xmx12g"))).findings
    assert heap(processes=tree, options=unavailable(Reason.NOT_COLLECTED)).unexamined


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('EUCALYPTUS="/"\nCLOUD_OPTS="-Xmx4g --log-level=INFO"\nNODES=""\n', "-Xmx4g"),
        ("CLOUD_OPTS=-Xmx2g # small\n", "-Xmx2g"),
        ("CLOUD_OPTS='-Xmx2g'\nexport CLOUD_OPTS=\"-Xms1g -Xmx3g\"\n", "-Xmx3g"),
        ('#CLOUD_OPTS="-Xmx4g"\n', None),
        ('CLOUD_OPTS="-Xmx4g"\nCLOUD_OPTS=""\n', None),
        ("CLOUD_OPTS=\n", None),
        ("", None),
    ],
)
def test_cloud_opts(text: str, expected: str | None) -> None:
    found = cloud_options.probe(FakeHost(files={"/etc/eucalyptus/eucalyptus.conf": text}))
    assert not isinstance(found, Unavailable)
    assert (None if found.heap is None else found.heap.word) == expected


def test_cloud_opts_with_an_open_quote_are_malformed() -> None:
    found = cloud_options.parse('CLOUD_OPTS="-Xmx4g\n')
    assert isinstance(found, Unavailable)
    assert (found.reason, found.detail) == (Reason.MALFORMED, "line 1: No closing quotation")


# Whole hosts.


def test_a_whole_host_that_is_a_whole_cloud() -> None:
    """A storage controller as 4.4 builds it, with all of the cloud beside it, through every probe."""
    host = storage_controller(2)
    assert not isinstance(host.table, Unavailable)
    host.table = (*host.table, *(replace(one, pid=one.pid + 5000) for one in EVERYTHING), *OTHERS)
    stat = FileStat(kind=FileKind.DIRECTORY, size=0, allocated=0, device=1, inode=1, mtime=0.0)
    host.folders[BUCKETS] = (FileEntry(name="snapshots-1", stat=stat),)
    host.files["/proc/meminfo"] = "MemTotal: 16252928 kB\nMemFree: 8 kB\nDirty: 0 kB\nWriteback: 0 kB\n"
    report = diagnose(host, Config(), strict=True)
    said = {finding.code: finding for finding in report.findings}
    assert said["TOPOLOGY_SC_SHARED"].summary.startswith("the whole cloud runs on this machine")
    assert f"Walrus: 1 bucket in {BUCKETS}" in str(said["TOPOLOGY_SC_SHARED"].evidence)
    assert dict(said["JVM_HEAP_LARGE"].evidence)["heap"] == 8 * GIB
    assert Role.NODE_CONTROLLER in report.roles


def test_a_whole_host_that_is_a_storage_controller_alone() -> None:
    host = storage_controller(2)
    assert not isinstance(host.table, Unavailable)
    host.table = (*host.table, JVM)
    codes = {finding.code for finding in diagnose(host, Config(), strict=True).findings}
    assert not codes & {"TOPOLOGY_SC_SHARED", "JVM_HEAP_LARGE"}
