from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from sctune.model.lio import LioMapping, LioPortal, LioState
from sctune.model.target import Connection, Nexus
from sctune.probes import lio, lio_state, lio_text
from sctune.unavailable import Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.lio_hosts import DEMO_IQN, FILE, FILE_IQN, FILE_STAT, INITIATOR, ROOT, VOLUME, VOLUME_IQN, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from sctune.model.lio import LioTarget


def state(host: FakeHost) -> LioState:
    found = lio_state.probe(host, lio=lio.probe(host))
    assert isinstance(found, LioState)
    return found


def target(host: FakeHost, iqn: str) -> LioTarget:
    (found,) = [target for target in state(host).targets if target.iqn == iqn]
    return found


def test_a_volume_as_cinder_exports_it() -> None:
    volume = target(recorded("sound"), VOLUME_IQN)
    assert (volume.tag, volume.enabled, volume.authentication, volume.generate_acls) == (1, True, True, False)
    assert volume.portals == (LioPortal(iqn=VOLUME_IQN, address="127.0.0.1", port=3261),)
    (lun,) = volume.luns
    assert (lun.number, lun.backing_path, lun.backing_type, lun.online, lun.read_only) == (
        0,
        f"/dev/lio/{VOLUME}",
        "iblock",
        True,
        False,
    )
    assert lun.backstore is not None
    assert lun.backstore.key == f"iblock_0/{VOLUME_IQN}"
    assert lun.backstore.device == (253, 0)
    assert (lun.backstore.write_back, lun.backstore.block_size, lun.backstore.size) == (False, 512, None)
    (acl,) = volume.acls
    assert acl.initiator == INITIATOR
    assert acl.account.startswith("user-lio-")
    assert acl.mappings == (LioMapping(number=0, lun=0, write_protect=False),)
    session = Nexus(sid=1, initiator=INITIATOR, alias="sctune-vm", connections=(Connection(cid=0, address="127.0.0.1"),))
    assert volume.nexuses == (session,)
    assert volume.number_for(INITIATOR.upper(), 0) == 0
    assert volume.number_for(INITIATOR, 1) is None


def test_a_file_that_is_written_through_the_page_cache() -> None:
    (lun,) = target(recorded("sound"), FILE_IQN).luns
    store = lun.backstore
    assert store is not None
    assert (store.plugin, store.path, store.size, store.stat, store.device) == ("fileio", FILE, 1 << 30, FILE_STAT, None)
    assert (store.buffered, store.write_back, store.enabled) == (True, True, True)


def test_a_lun_that_lost_its_backstore_and_a_session_without_acl() -> None:
    host = recorded("broken")
    volume = target(host, VOLUME_IQN)
    assert [(lun.number, lun.backstore, lun.online, lun.backing_path) for lun in volume.luns] == [(0, None, False, "")]
    # The kernel answers ENODEV for write_protect then.
    assert volume.acls[0].mappings == (LioMapping(number=0, lun=0, write_protect=None),)
    assert len(volume.nexuses) == 1
    demo = target(host, DEMO_IQN)
    assert (demo.authentication, demo.generate_acls, demo.demo_write_protect, demo.account) == (False, True, True, "")
    assert [lun.number for lun in demo.luns] == [3]
    assert demo.nexuses == (Nexus(sid=None, initiator=INITIATOR, alias="", connections=()),)
    assert demo.number_for(INITIATOR, 3) == 3


def test_a_node_that_udev_lost_and_a_device_that_is_gone() -> None:
    """The kernel's list of block devices has partitions, too."""
    host = recorded("sound")
    node = f"/dev/lio/{VOLUME}"
    lost = Unavailable(reason=Reason.ABSENT, what=node)

    def present() -> bool | None:
        (lun,) = target(host, VOLUME_IQN).luns
        assert lun.backstore is not None
        return lun.backstore.present

    assert present() is None
    host.stats[node] = lost
    assert present() is False
    (lun,) = target(host, VOLUME_IQN).luns
    assert lun.device is not None
    link = f"/sys/dev/block/{lun.device[0]}:{lun.device[1]}"
    host.links[link] = "../../devices/virtual/block/sda/sda1"
    assert present() is True


def test_passwords_are_never_asked_for() -> None:
    asked: list[str] = []

    class Watched(FakeHost):
        def read(self, path: str) -> str | Unavailable:
            asked.append(path)
            return super().read(path)

    tree = recorded("sound")
    state(Watched(files=tree.files, links=tree.links, stats=tree.stats))
    assert any("/auth/userid" in path for path in asked)
    assert not any("password" in path for path in asked)


def test_what_vanishes_while_we_look_is_left_out() -> None:
    """Whatever folder or file is gone when it is its turn."""
    tree = recorded("sound")
    whole = state(tree)
    for gone in {path.rpartition("/")[0] for path in (*tree.files, *tree.links)} | {*tree.files, *tree.links}:

        class Vanishing(FakeHost):
            def _keep(self, path: str, answer: Callable[[str], str | Unavailable], gone: str = gone) -> str | Unavailable:
                if path == gone or path.startswith(f"{gone}/"):
                    return Unavailable(reason=Reason.ABSENT, what=path)
                return answer(path)

            def read(self, path: str) -> str | Unavailable:
                return self._keep(path, super().read)

            def readlink(self, path: str) -> str | Unavailable:
                return self._keep(path, super().readlink)

        found = state(Vanishing(files=tree.files, links=tree.links, stats=tree.stats))
        assert {one.iqn for one in found.targets} == {one.iqn for one in whole.targets}


def test_what_may_not_be_read_is_no_empty_host() -> None:
    host = recorded("sound")
    path = f"{ROOT}/iscsi/{FILE_IQN}/tpgt_1/acls/{INITIATOR}/info"
    host.files[path] = Unavailable(reason=Reason.DENIED, what=path)
    assert lio_state.probe(host, lio=lio.probe(host)) == host.files[path]


def test_absent_without_the_module() -> None:
    host = FakeHost()
    answer = lio_state.probe(host, lio=lio.probe(host))
    assert isinstance(answer, Unavailable)
    assert answer.reason is Reason.ABSENT


def test_the_words_of_other_kernels() -> None:
    """Linux 3.10 ends the line of a fileio backstore after its mode; states that the recordings do not have."""
    old = (
        "Status: DEACTIVATED  Max Queue Depth: 0  SectorSize: 512  HwMaxSectors: 1024\n"
        "        iBlock device: dm-2  UDEV PATH: /dev/vg/a b  readonly: 0\n        Major: 253 Minor: 2  CLAIMED: OTHER\n"
    )
    assert lio_text.parse_status(old) is False
    assert lio_text.parse_device(old) == (253, 2)
    assert lio_text.parse_node(old) == "/dev/vg/a b"
    assert lio_text.parse_device("Status: ACTIVATED\n        iBlock device: \n        Major: 0 Minor: 0\n") is None
    synchronous = "Status: ACTIVATED\n        TCM FILEIO ID: 0        File: /a b  Size: 5  Mode: O_DSYNC\n"
    assert lio_text.parse_file(synchronous) == ("/a b", 5)
    assert lio_text.parse_buffered(synchronous) is False
    failed = "InitiatorName: iqn.a\nLIO Session ID: 3   ISID: 0x00\nSession State: TARG_SESS_STATE_FAILED\n"
    assert lio_text.parse_session(failed) is None
    assert lio_text.parse_session("No active iSCSI Session for Initiator Endpoint: iqn.a\n") is None
    six = (
        "InitiatorName: iqn.a\nInitiatorAlias: <NONE>\nLIO Session ID: 3   ISID: 0x00  TSIH: 1  SessionType: Normal\n"
        "Session State: TARG_SESS_STATE_LOGGED_IN\nCID: 1  Connection State: TARG_CONN_STATE_LOGGED_IN\n"
        "   Address [fd00::1] TCP  StatSN: 0x1\n"
    )
    assert lio_text.parse_session(six) == Nexus(
        sid=3, initiator="iqn.a", alias="", connections=(Connection(cid=1, address="fd00::1"),)
    )


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for parse in (
        lio_text.parse_flag,
        lio_text.parse_number,
        lio_text.parse_status,
        lio_text.parse_device,
        lio_text.parse_file,
        lio_text.parse_node,
        lio_text.parse_buffered,
        lio_text.parse_read_only,
        lio_text.parse_serial,
        lio_text.parse_session,
        lio_text.parse_guests,
    ):
        parse(text)
