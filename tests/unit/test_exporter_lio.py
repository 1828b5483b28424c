"""LIO's targets and LUNs in the collectors, from recorded trees: the same metrics as tgt's where they mean the same."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sctune.chain import join
from sctune.config.model import Config
from sctune.exporters.prometheus.collectors.luns import COLLECTOR as LUNS
from sctune.exporters.prometheus.collectors.targets import COLLECTOR as TARGETS
from sctune.exporters.prometheus.collectors.volumes import COLLECTOR as VOLUMES
from sctune.exporters.prometheus.options import Options, Selection
from sctune.inventory import Inventory
from sctune.model.lio import LioLunIo, LioState
from sctune.probes import lio_state
from sctune.records import replace
from sctune.unavailable import Reason, Unavailable
from tests.unit.chain_hosts import ABSENT, NOBODY, device, lv, report
from tests.unit.collecting import Run, collect
from tests.unit.lio_hosts import DEMO_IQN, FILE, FILE_IQN, ROOT, VOLUME, VOLUME_ID, VOLUME_IQN, recorded
from tests.unit.test_exporter_targets import row, tgt
from tests.unit.tgt_hosts import HUNG, NO_TGT, lun, target

NO_CHAINS = Unavailable(reason=Reason.NOT_COLLECTED, what="chains")


def run(collector: Any, name: str = "sound", **parts: Any) -> Run:
    return collect(collector, recorded(name), **({"tgt": NO_TGT, "chains": NO_CHAINS} | parts))


def test_targets() -> None:
    told = run(TARGETS)
    assert told.why == ""
    assert told.sources == ["configfs"]
    assert told.of("sctune_targets") == {("lio",): 2}
    assert told.of("sctune_sessions") == {("lio",): 2}
    for metric in ("ready", "sessions", "connections", "luns"):
        assert told.of(f"sctune_target_{metric}") == {(VOLUME_IQN,): 1, (FILE_IQN,): 1}


def test_a_session_without_acl_has_no_connection_that_is_told() -> None:
    told = run(TARGETS, "broken")
    assert told.of("sctune_target_sessions")[DEMO_IQN,] == 1
    assert told.of("sctune_target_connections")[DEMO_IQN,] == 0


def test_logins_and_those_that_were_refused() -> None:
    told = run(TARGETS, "broken")
    host = recorded("broken")
    folder = f"{ROOT}/iscsi/{VOLUME_IQN}/fabric_statistics/iscsi_login_stats"
    counted = {name: int(str(host.files[f"{folder}/{name}"])) for name in ("accepts", "authenticate_fails", "authorize_fails")}
    assert told.of("sctune_target_logins_total")[VOLUME_IQN,] == counted["accepts"]
    refused = told.of("sctune_target_login_failures_total")
    assert refused[VOLUME_IQN, "authenticate"] == counted["authenticate_fails"]
    assert refused[VOLUME_IQN, "authorize"] == counted["authorize_fails"]
    assert {reason for _, reason in refused} == {"authenticate", "authorize", "negotiate", "other"}


def test_logins_that_are_no_number_cost_their_target_alone() -> None:
    host = recorded("sound")
    folder = f"{ROOT}/iscsi/{FILE_IQN}/fabric_statistics/iscsi_login_stats"
    host.files[f"{folder}/other_fails"] = "many\n"
    told = collect(TARGETS, host, tgt=NO_TGT, chains=NO_CHAINS)
    assert "no number" in told.why
    assert set(told.of("sctune_target_logins_total")) == {(VOLUME_IQN,)}
    for name in [name for name in host.files if name.startswith(f"{folder}/")]:
        del host.files[name]
    told = collect(TARGETS, host, tgt=NO_TGT, chains=NO_CHAINS)
    assert told.why == "", "a kernel that does not count them"
    assert set(told.of("sctune_target_logins_total")) == {(VOLUME_IQN,)}


def test_luns_and_their_counters() -> None:
    told = run(LUNS)
    assert told.why == ""
    assert set(told.of("sctune_lun_info")) == {
        (VOLUME_IQN, "0", "", f"/dev/lio/{VOLUME}", "iblock"),
        (FILE_IQN, "0", "", FILE, "fileio"),
    }
    host = recorded("sound")
    for iqn in (VOLUME_IQN, FILE_IQN):
        folder = f"{ROOT}/iscsi/{iqn}/tpgt_1/lun/lun_0/statistics/scsi_tgt_port"
        commands, read, written = (int(str(host.files[f"{folder}/{name}"])) for name in ("in_cmds", "read_mbytes", "write_mbytes"))
        assert commands > 0 < read
        assert told.of("sctune_lun_commands_total")[iqn, "0"] == commands
        assert told.of("sctune_lun_read_bytes_total")[iqn, "0"] == read << 20
        assert told.of("sctune_lun_written_bytes_total")[iqn, "0"] == written << 20
    # LIO does not tell reads from writes, nor errors, nor what is under way.
    assert told.of("sctune_lun_reads_completed_total") == told.of("sctune_lun_errors_total") == {}


def test_a_lun_without_backstore_is_offline_and_counts_nothing() -> None:
    told = run(LUNS, "broken")
    assert told.why == ""
    assert told.of("sctune_lun_online") == {(VOLUME_IQN, "0"): 0, (FILE_IQN, "0"): 1, (DEMO_IQN, "3"): 1}
    assert (VOLUME_IQN, "0") not in told.of("sctune_lun_commands_total")


def test_beside_tgt() -> None:
    served = tgt(target(lun(0), lun(1)))
    told = run(LUNS, tgt=served, tgt_io=(row(read=100),))
    assert {key[0] for key in told.of("sctune_lun_info")} == {VOLUME_IQN, FILE_IQN, target().iqn}
    assert len(told.of("sctune_lun_read_bytes_total")) == 3
    hung = run(LUNS, tgt=HUNG)
    assert "no answer" in hung.why
    assert len(hung.of("sctune_lun_info")) == 2


@pytest.mark.parametrize("collector", [TARGETS, LUNS])
def test_what_may_not_be_read_is_no_empty_host(collector: Any) -> None:
    denied = Unavailable(reason=Reason.DENIED, what=f"{ROOT}/core")
    told = run(collector, lio_state=denied)
    assert "denied" in told.why
    assert told.of("sctune_target_ready") == told.of("sctune_lun_info") == {}


def test_one_counter_that_is_none_costs_its_lun_alone() -> None:
    host = recorded("sound")
    host.files[f"{ROOT}/iscsi/{FILE_IQN}/tpgt_1/lun/lun_0/statistics/scsi_tgt_port/in_cmds"] = "many\n"
    told = collect(LUNS, host, tgt=NO_TGT, chains=NO_CHAINS)
    assert "no number" in told.why
    assert set(told.of("sctune_lun_commands_total")) == {(VOLUME_IQN, "0")}


def test_only_some_and_without_detail() -> None:
    some = run(LUNS, options=Options(volumes=Selection(include=(re.compile(".*:file"),))))
    assert {key[0] for key in some.of("sctune_lun_info")} == {FILE_IQN}
    assert run(LUNS, detail=False).series == {}
    assert run(TARGETS, detail=False).of("sctune_target_ready") == {}


def test_portal_groups_of_one_name_are_one_target() -> None:
    state = lio_state.probe(recorded("sound"), lio=(FILE_IQN,))
    assert isinstance(state, LioState)
    (group,) = state.targets
    two = LioState(targets=(group, replace(group, tag=2)), backstores=())
    counted = LioLunIo(iqn=FILE_IQN, tag=1, lun=0, commands=5, read_bytes=7, write_bytes=9)
    given: dict[str, Any] = {"lio_state": two, "lio_io": (counted, replace(counted, tag=2))}
    told = run(LUNS, **given)
    assert (told.skipped, told.of("sctune_lun_commands_total")) == ({}, {(FILE_IQN, "0"): 10})
    assert run(TARGETS, **given).of("sctune_target_sessions") == {(FILE_IQN,): 2}


def volumes(**parts: Any) -> Run:
    """The collector of volumes on the recorded host, which has LIO alone."""
    volume = lv("lio", VOLUME, 0)
    given: dict[str, Any] = {
        "tgt": ABSENT,
        "lvm": report(volume),
        "dm": (device(volume),),
        "loops": ABSENT,
        "stores": ABSENT,
        "block": (),
        "cloud": ABSENT,
        "guests": ABSENT,
        "processes": NOBODY,
        "sessions": (),
    } | parts
    host = recorded("sound")
    joined = Inventory(host, Config(), strict=True)
    joined.parts.update(given)
    return collect(VOLUMES, host, **given, chains=join(joined))


def test_volumes_on_a_host_of_lio_alone() -> None:
    told = volumes()
    assert told.why == ""
    (about,) = [key for key in told.of("sctune_volume_info") if key[0] == VOLUME_ID]
    assert about[-2:] == (VOLUME_IQN, "0")
    assert told.of("sctune_volume_sessions")[VOLUME_ID,] == 1
    assert told.of("sctune_volume_layer_ready")[VOLUME_ID, "target"] == 1


def test_volumes_where_lio_may_not_be_read() -> None:
    """As of a tgtd that does not answer: who is served is not known, all else of the volume is."""
    told = volumes(lio_state=Unavailable(reason=Reason.DENIED, what=f"{ROOT}/iscsi"))
    assert told.why == ""
    assert told.of("sctune_volume_size_bytes")[VOLUME_ID,] > 0
    assert told.of("sctune_volume_info") == told.of("sctune_volume_sessions") == {}
    assert told.of("sctune_volume_state")[VOLUME_ID, "unknown"] == 1
    # Not even its targets' names; or names of which none is the volume's.
    blind = Unavailable(reason=Reason.DENIED, what=f"{ROOT}/iscsi")
    for names, state in ((blind, "unknown"), ((FILE_IQN,), "ready"), ((VOLUME_IQN,), "unknown")):
        assert volumes(lio=names, lio_state=blind).of("sctune_volume_state")[VOLUME_ID, state] == 1
