"""tgtd's text in three versions, and which of its daemons count."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.host.base import FileKind, FileStat, Process, TgtMode
from sctune.host.tgtsocket import REFUSED
from sctune.model.process import Processes
from sctune.model.target import Connection, Nexus, Portal, Target, TgtState
from sctune.probes.addresses import probe as probe_addresses
from sctune.probes.backings import probe as probe_backings
from sctune.probes.lio import probe as probe_lio
from sctune.probes.tgt import FOLDER, control_ports, probe
from sctune.probes.tgt_text import parse_accounts, parse_portals, parse_system, parse_targets
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost

DATA = Path(__file__).parent.parent / "data"
VERSIONS = ("1.0.24", "1.0.50", "1.0.85")
MODES = (TgtMode.TARGET, TgtMode.PORTAL, TgtMode.SYSTEM, TgtMode.ACCOUNT)


def recorded(mode: str, version: str = "1.0.85") -> str:
    return (DATA / "tgt" / f"{mode}-{version}.txt").read_text()


def targets(text: str, control_port: int = 0) -> tuple[Target, ...]:
    found = parse_targets(text, control_port)
    assert isinstance(found, tuple), found
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_tells_the_same(version: str) -> None:
    store, two, three = targets(recorded("target", version), 43)
    assert (store.tid, store.iqn, store.driver, store.state, store.control_port) == (
        1,
        "iqn.2009-06.com.eucalyptus.lab:store1",
        "iscsi",
        "ready",
        43,
    )
    assert [(lun.number, lun.kind, lun.backing_type, lun.backing_path, lun.size_text, lun.block_size) for lun in store.luns] == [
        (0, "controller", "null", "", "0 MB", 1),
        (1, "disk", "rdwr", "/srv/volumes/a.img", "4 MB", 512),
        (2, "disk", "rdwr", "/srv/volumes/b with space.img", "4 MB", 512),
    ]
    assert [lun.number for lun in store.disks] == [1, 2]
    assert all(lun.online and not lun.read_only and not lun.thin_provisioning for lun in store.luns)
    assert (store.accounts, store.outgoing_accounts, store.acls) == (("eucalyptus",), ("out1",), ("ALL",))
    assert two.disks == ()
    assert two.acls == ("192.168.0.0/24", "iqn.1993-08.org.debian:01:abc")
    assert three.nexuses == (
        Nexus(sid=1, initiator="iqn.2010-11.libiscsi:iscsi-perf", alias="", connections=(Connection(cid=0, address="127.0.0.1"),)),
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_the_other_modes(version: str) -> None:
    state, types = parse_system(recorded("sys", version))
    assert state == "ready"
    assert {"rdwr", "null"} <= set(types)
    assert parse_accounts(recorded("account", version)) == ("out1", "eucalyptus")
    assert [portal.address for portal in parse_portals(recorded("portal", version))][-1] == "127.0.0.1"


def test_portals_of_both_families() -> None:
    assert parse_portals("Portal: [::]:3260,1\nPortal: 0.0.0.0:3260,1\nPortal: nonsense\n\n") == (
        Portal(address="::", port=3260, tpgt=1),
        Portal(address="0.0.0.0", port=3260, tpgt=1),
    )


def test_a_recorded_chain_with_an_initiator_alias() -> None:
    first, _ = targets((DATA / "vm" / "healthy" / "tgtadm-target-show.txt").read_text())
    assert first.nexuses[0].alias == "sctune-vm"
    assert first.disks[0].backing_path == "/dev/euca-ebs-storage-vg-vol-391D44BE/euca-vol-391D44BE"


def test_lines_of_versions_before_1_0_16() -> None:
    """As usr/target.c of 1.0.1 prints them: no block size, no read-only mark."""
    text = (
        "Target 1: iqn.x\n    System information:\n        Driver: iscsi\n        State: running\n"
        "    I_T nexus information:\n    LUN information:\n        LUN: 1\n            Type: disk\n            Size: 20G\n"
        "            Online: No\n            Removable media: Yes\n            Backing store type: rdwr\n"
        "            Backing store path: /dev/sdb\n    Account information:\n    ACL information:\n"
    )
    (lun,) = targets(text)[0].luns
    assert (lun.size_text, lun.block_size, lun.online, lun.removable) == ("20G", None, False, True)


def test_odd_paths_and_names() -> None:
    text = recorded("target").replace("/srv/volumes/a.img", "/srv/a: b  ").replace("        ALL\n", "        ALL \n")
    assert targets(text)[0].luns[1].backing_path == "/srv/a: b  "


def test_no_targets() -> None:
    assert parse_targets("", 0) == ()


@pytest.mark.parametrize("text", ["tgtadm: nonsense\n", "x\nTarget 1: iqn.x\n    ACL information:\n", "Target one: iqn.x\n"])
def test_something_else_is_malformed(text: str) -> None:
    answer = parse_targets(text, 0)
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.MALFORMED


def test_a_list_that_is_cut_short_is_malformed() -> None:
    whole = recorded("target")
    cut = whole[: whole.rindex("LUN: 1")]
    answer = parse_targets(cut, 0)
    assert isinstance(answer, Unavailable)
    assert "cut short" in answer.detail


@given(st.text(max_size=400))
def test_any_text(text: str) -> None:
    for given_text in (text, f"Target 1: iqn.x\n{text}", recorded("target")[:600] + text):
        assert isinstance(parse_targets(given_text, 0), tuple | Unavailable)
    assert isinstance(parse_portals(text), tuple)
    assert isinstance(parse_system(text), tuple)
    assert isinstance(parse_accounts(text), tuple)


@given(st.lists(st.sampled_from(recorded("target").split("\n")), max_size=60))
def test_any_shuffling_of_real_lines(lines: list[str]) -> None:
    assert isinstance(parse_targets("\n".join(lines), 0), tuple | Unavailable)


def test_cost_grows_linearly() -> None:
    block = recorded("target")

    def cost(count: int) -> float:
        text = block * count
        best = []
        for _ in range(3):
            began = time.perf_counter()
            targets(text)
            best.append(time.perf_counter() - began)
        return min(best)

    assert cost(1000) < 25 * cost(100)


# --- which daemons there are


def host_of(**answers: str | Unavailable | dict[TgtMode, str | Unavailable]) -> FakeHost:
    """Daemons by control port (`p0`, `p7`): "" is one that answers as recorded."""
    host = FakeHost()
    for name, answer in answers.items():
        port = int(name[1:])
        host.files[f"{FOLDER}/socket.{port}"] = ""
        host.files[f"{FOLDER}/socket.{port}.lock"] = ""
        given = answer if isinstance(answer, dict) else {}
        for mode in MODES:
            default = answer if isinstance(answer, Unavailable) else recorded(str(mode))
            host.tgt_answers[mode, port, None] = given.get(mode, default)
    return host


def silent(reason: Reason, detail: str = "") -> Unavailable:
    return Unavailable(reason=reason, what=f"{FOLDER}/socket.7", detail=detail)


def state(host: FakeHost) -> TgtState:
    found = probe(host)
    assert isinstance(found, TgtState), found
    return found


def test_control_ports() -> None:
    assert control_ports(("socket.0", "socket.0.lock", "socket.12", "socket.x", "socket.", "other", "socket.²")) == (0, 12)


def test_daemons_side_by_side() -> None:
    found = state(host_of(p0="", p7=""))
    assert [daemon.control_port for daemon in found.daemons] == [0, 7]
    assert {target.control_port for target in found.targets} == {0, 7}
    assert found.daemons[0].accounts == ("out1", "eucalyptus")
    assert found.daemons[0].state == "ready"
    assert found.daemons[0].portals[0] == Portal(address="::1", port=33654, tpgt=1)


def test_a_socket_left_behind_is_stale() -> None:
    found = state(host_of(p0="", p7=silent(Reason.FAILED, REFUSED)))
    assert found.stale == (7,)
    assert found.unanswered == ()


def test_a_hung_daemon_is_asked_once() -> None:
    host = host_of(p7=silent(Reason.TIMEOUT))
    asked: list[TgtMode] = []
    answer = host.tgt

    def counting(mode: TgtMode, *, control_port: int = 0, tid: int | None = None) -> str | Unavailable:
        asked.append(mode)
        return answer(mode, control_port=control_port, tid=tid)

    host.tgt = counting  # type: ignore[method-assign]
    found = state(host)
    assert found.unanswered == (silent(Reason.TIMEOUT),)
    assert asked == [TgtMode.TARGET]


def test_a_daemon_that_hangs_half_way() -> None:
    found = state(host_of(p7={TgtMode.PORTAL: silent(Reason.TIMEOUT)}))
    assert (found.daemons, found.unanswered) == ((), (silent(Reason.TIMEOUT),))


def test_a_daemon_that_does_not_know_a_mode() -> None:
    found = state(host_of(p0={TgtMode.PORTAL: silent(Reason.FAILED, "invalid request")}))
    assert found.daemons[0].portals == ()
    assert len(found.targets) == 3


def test_an_ordinary_user_is_denied() -> None:
    answer = probe(host_of(p0=silent(Reason.DENIED), p7=silent(Reason.DENIED)))
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.DENIED


def test_no_tgtd_at_all() -> None:
    answer = probe(FakeHost())
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.ABSENT
    host = FakeHost(files={f"{FOLDER}/socket.0.lock": ""})
    answer = probe(host)
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.ABSENT


def test_an_old_daemon_in_the_abstract_namespace() -> None:
    host = FakeHost()
    for mode in MODES:
        host.tgt_answers[mode, 0, None] = recorded(str(mode), "1.0.24")
    assert len(state(host).targets) == 3


def test_a_malformed_answer_is_kept_as_such() -> None:
    found = state(host_of(p7={TgtMode.TARGET: "nonsense"}, p0=""))
    assert [item.reason for item in found.unanswered] == [Reason.MALFORMED]
    assert len(found.daemons) == 1


# --- what lies at backing paths

A_FILE = FileStat(kind=FileKind.FILE, size=4 << 20, allocated=0, device=1, inode=2, mtime=0.0)
A_LOOP = FileStat(kind=FileKind.BLOCK, size=0, allocated=0, device=1, inode=3, mtime=0.0, rdevice=(7, 3))


def processes(pid: int = 9) -> Processes:
    process = Process(pid=pid, ppid=1, name="tgtd", state="S", argv=("tgtd", "-f"), started=1.0, cpu_seconds=0.0, uid=0, threads=17)
    return Processes(tgtd=(process,), iscsid=(), tuned=(), eucalyptus=(), copies=(), tgtadm=(), lvm=())


def test_each_path_once() -> None:
    host = host_of(p0="")
    host.stats["/srv/volumes/a.img"] = A_FILE
    found = probe_backings(host, tgt=state(host), processes=processes)
    assert isinstance(found, tuple)
    assert [backing.path for backing in found] == ["/srv/volumes/a.img", "/srv/volumes/b with space.img"]
    assert found[0].stat is A_FILE
    assert isinstance(found[1].stat, Unavailable)
    assert found[0].device_size is None


def test_the_kernels_size_of_a_device() -> None:
    host = host_of(p0="")
    host.stats["/srv/volumes/a.img"] = host.stats["/srv/volumes/b with space.img"] = A_LOOP
    host.files["/sys/dev/block/7:3/size"] = "8192\n"
    found = probe_backings(host, tgt=state(host), processes=processes)
    assert isinstance(found, tuple)
    assert [backing.device_size for backing in found] == [4 << 20, 4 << 20]
    host.files["/sys/dev/block/7:3/size"] = "many\n"
    found = probe_backings(host, tgt=state(host), processes=processes)
    assert isinstance(found, tuple)
    assert isinstance(found[0].device_size, Unavailable)


def test_a_daemon_in_a_container_sees_its_own_files() -> None:
    host = host_of(p0="")
    host.links |= {"/proc/self/ns/mnt": "mnt:[1]", "/proc/9/ns/mnt": "mnt:[2]"}
    host.stats["/proc/9/root/srv/volumes/a.img"] = A_FILE
    found = probe_backings(host, tgt=state(host), processes=processes)
    assert isinstance(found, tuple)
    assert found[0].stat is A_FILE
    assert found[1].stat == Unavailable(reason=Reason.ABSENT, what="/srv/volumes/b with space.img")


def test_luns_without_a_file_are_not_looked_for() -> None:
    text = recorded("target").replace("Backing store type: rdwr", "Backing store type: null")
    host = host_of(p0={TgtMode.TARGET: text})
    assert probe_backings(host, tgt=state(host), processes=processes) == ()


# --- small parts


def test_own_addresses() -> None:
    host = FakeHost()
    host.files["/proc/net/fib_trie"] = "Local:\n  |-- 10.0.0.5\n     /32 host LOCAL\n  |-- 10.0.0.255\n     /32 link BROADCAST\n"
    host.files["/proc/net/if_inet6"] = "fd000000000000000000000000000002 04 40 00 82     eth0\n"
    assert probe_addresses(host) == ("10.0.0.5", "fd00::2")
    assert isinstance(probe_addresses(FakeHost()), Unavailable)


def test_lio_targets() -> None:
    host = FakeHost()
    for name in ("discovery_auth/x", "lio_version", "iqn.2003-01.org.linux-iscsi.a:b/tpgt_1"):
        host.files[f"/sys/kernel/config/target/iscsi/{name}"] = ""
    assert probe_lio(host) == ("iqn.2003-01.org.linux-iscsi.a:b",)
    assert isinstance(probe_lio(FakeHost()), Unavailable)
