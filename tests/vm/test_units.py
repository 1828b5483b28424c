"""The exporter's and the doctor's units under a real systemd, on a host that serves volumes and is its own initiator."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sctune.registry import load
from sctune.report.events import Kind

from .crowd import script
from .hosts import initiator, overlay, tgt
from .installed import START, START_SECONDS, UNITS, install
from .scraped import ADDRESS, OPENMETRICS, SCRAPE, failed, of, read, scrape, scrape_once_asked, states
from .verdict import OF_THE_MOMENT, SCTUNE, steady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .machine import Machine

pytestmark = pytest.mark.thorough  # two interpreters are started, and started again, and the doctor twice

ATTACHED, RESTING, COMING = overlay.volume(1), overlay.volume(2), overlay.volume(3)
SNAPSHOT = overlay.snapshot(COMING)
HIDDEN = "/var/tmp/elsewhere"
DELETED = "/var/tmp/deleted"
WATCHDOG_SECONDS = 6
DEADLINE_SECONDS = 20
STOP_SECONDS = 1.0
# CAP_DAC_READ_SEARCH and CAP_SYS_ADMIN.
COLLECTORS_RIGHTS = 1 << 2 | 1 << 21
STARTED = re.compile(
    r"(Starting|Started|Stopping|Stopped|Listening on|Closed) sctune-|: (Deactivated successfully\.|Consumed .* CPU time\.)$"
)
SAID = ("sctune: answering on /run/sctune/collector.sock", "sctune: serving on 127.0.0.1:10197")
CHURN = "/run/churn"


@pytest.fixture(scope="module")
def served(boot: Callable[..., Machine]) -> Iterator[Machine]:
    """Two exported volumes, one with a session; a loop device over a file in /var/tmp; the sockets and services are started."""
    with boot(systemd=True) as machine:
        script(
            machine,
            [
                *install(),
                f"mkdir -p /etc/eucalyptus {overlay.STORE}; echo {overlay.Era.E33} > /etc/eucalyptus/eucalyptus-version",
                "rm -rf /etc/lvm/backup /etc/lvm/archive; modprobe -a loop dm_mod dm_snapshot dm_thin_pool",
                "systemctl start tgt",
                f"tgtadm --lld iscsi --op new --mode account --user {tgt.ACCOUNT} --password {tgt.SECRET}",
                *initiator.start(),
                *overlay.create([ATTACHED, RESTING]),
                *(line for volume in (ATTACHED, RESTING) for line in volume.export().lines()),
                *overlay.login([ATTACHED]),
                f"truncate -s 8M {HIDDEN}; losetup -f {HIDDEN}",
                # An emulated processor has as many times longer as it may be slower than any host's.
                f"mkdir -p /etc/sctune; printf 'exporter:\\n  deadline_seconds: {DEADLINE_SECONDS}\\n' > /etc/sctune/sctune.yaml",
                "sctune --version; sctune exporter --help >/dev/null",  # what an import writes beside its module, a unit may not
            ],
        )
        for unit in UNITS:
            drop_in = f"/run/systemd/system/sctune-{unit}.service.d"
            machine.check(f"mkdir -p {drop_in}; printf '[Service]\\nWatchdogSec={WATCHDOG_SECONDS}s\\n' > {drop_in}/watchdog.conf")
        machine.check(START, timeout=START_SECONDS)
        # The first look reads what lies in no cache yet, and may take longer than a collector has.
        first = f"{SCRAPE} >/dev/null"
        machine.run(f"{first}; sleep 5; {first}", timeout=START_SECONDS)
        yield machine


def status(machine: Machine, unit: str) -> dict[str, str]:
    """/proc/PID/status of a unit's main process."""
    text = machine.check(f"cat /proc/$(systemctl show -p MainPID --value sctune-{unit}.service)/status")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def test_what_speaks_to_the_network_has_no_rights_and_what_looks_has_two(served: Machine) -> None:
    web, looking = status(served, "exporter"), status(served, "collector")
    uid, gid = (int(web[name].split()[0]) for name in ("Uid", "Gid"))
    assert 61184 <= uid <= 65519, "not a dynamic user"
    assert gid == int(served.check("getent group sctune-metrics").split(":")[2])
    assert web["Uid"].split() == [str(uid)] * 4
    assert [int(web[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == [0] * 5
    assert (looking["Uid"].split(), looking["Gid"].split()) == (["0"] * 4, ["0"] * 4)
    assert [int(looking[f"Cap{kind}"], 16) for kind in ("Eff", "Bnd")] == [COLLECTORS_RIGHTS] * 2
    for one in (web, looking):
        assert (one["NoNewPrivs"], one["Seccomp"]) == ("1", "2")
    listens = served.check("ss -Hltnp 'sport = :10197'")
    assert "127.0.0.1:10197" in listens
    assert "0.0.0.0" not in listens.split("127.0.0.1:10197")[0]


def test_samples_of_real_volumes(served: Machine) -> None:
    series = scrape(served)
    assert failed(series) == set()
    assert states(series) == {ATTACHED.name: "attached", RESTING.name: "ready"}
    assert of(series, "sctune_target_up") == {("tgt",): 1}
    assert {(at[0], at[-1]) for at in of(series, "sctune_lun_info")} == {(one.lv, one.name) for one in (ATTACHED, RESTING)}
    layers = of(series, "sctune_volume_layer_ready")
    assert layers == {(layer, one.name): 1 for one in (ATTACHED, RESTING) for layer in ("file", "loop", "lvm", "target")}
    assert of(series, "sctune_volume_size_bytes") == {(one.name,): one.gib * overlay.GIB for one in (ATTACHED, RESTING)}
    assert of(series, "sctune_lvm_lv_active") == {(one.lv_name, one.vg): 1 for one in (ATTACHED, RESTING)}
    assert of(series, "sctune_lvm_missing_pvs") == {(): 0}
    assert of(series, "sctune_initiator_sessions")["logged_in",] == 1
    # A file in a folder of which a unit usually has its own.
    hidden = [device for file, device, _ in of(series, "sctune_loop_info") if file == HIDDEN]
    assert [of(series, "sctune_loop_backing_size_bytes")[device,] for device in hidden] == [8 << 20]
    assert [of(series, "sctune_loop_backing_deleted")[device,] for device in hidden] == [0]


def test_the_doctors_unit_finds_what_the_doctor_finds(served: Machine) -> None:
    before = scrape(served)
    assert of(before, "sctune_check_status") == {}
    served.check("systemctl start sctune-doctor.service", timeout=120.0)
    by_unit = json.loads(served.check("cat /var/lib/sctune/doctor.json"))
    by_hand = json.loads(served.check(f"{SCTUNE} doctor --format json --fail-on never", timeout=120.0))
    assert steady(by_unit) == steady(by_hand)
    assert "TGT_NOT_ENABLED" in {code for code, _, _ in steady(by_unit)}
    assert _examined(by_unit) == _examined(by_hand)
    series = scrape(served)
    told = {check: one for (check, one), value in of(series, "sctune_check_status").items() if value == 1}
    assert told == {check["check"]: check["status"] for check in by_unit["checks"]}
    assert {at[0] for at in of(series, "sctune_finding")} == {finding["code"] for finding in by_unit["findings"]}
    assert failed(series) == set()
    served.check("systemctl start sctune-doctor.timer")
    assert served.check("systemctl list-timers --no-legend sctune-doctor.timer").split()[-2:] == [
        "sctune-doctor.timer",
        "sctune-doctor.service",
    ]


def test_the_journal_is_told_what_is_new_and_what_is_gone(served: Machine) -> None:
    """By the doctor's unit, in its sandbox; read as real journald kept it."""
    device = served.check(f"truncate -s 8M {DELETED}; losetup -f --show {DELETED}; rm {DELETED}").strip()
    served.check("systemctl start sctune-doctor.service", timeout=120.0)
    (new,) = [entry for entry in _told(served, Kind.NEW) if entry["SCTUNE_CODE"] == "LOOP_BACKING_DELETED"]
    assert (new["PRIORITY"], new["SCTUNE_SEVERITY"], new["_SYSTEMD_UNIT"]) == ("2", "critical", "sctune-doctor.service")
    assert new["SCTUNE_RUNBOOK"] == "docs/codes/LOOP_BACKING_DELETED.md"
    assert new["SYSLOG_IDENTIFIER"] == "sctune"
    assert DELETED in new["SCTUNE_SUBJECT"]
    served.check(f"losetup -d {device}")
    served.check("systemctl start sctune-doctor.service; systemctl start sctune-doctor.service", timeout=240.0)
    gone = [entry for entry in _told(served, Kind.GONE) if entry["SCTUNE_CODE"] == "LOOP_BACKING_DELETED"]
    assert [entry["SCTUNE_SUBJECT"] for entry in gone] == [new["SCTUNE_SUBJECT"]]
    again = [entry for entry in _told(served, Kind.NEW) if entry["SCTUNE_CODE"] == "LOOP_BACKING_DELETED"]
    assert len(again) == 1, "told twice"
    said = served.check(f"journalctl -b -x --no-pager MESSAGE_ID={Kind.NEW.value} SCTUNE_CODE=LOOP_BACKING_DELETED")
    assert "-- Subject: A storage fault or note is new: LOOP_BACKING_DELETED" in said.replace("░░", "--").replace("  ", " ")
    assert "sctune explain LOOP_BACKING_DELETED" in said
    print(said)


def _told(machine: Machine, kind: Kind) -> list[dict[str, str]]:
    lines = machine.check(f"journalctl --sync; journalctl -b -q -o json --no-pager MESSAGE_ID={kind.value}").splitlines()
    return [json.loads(line) for line in lines]


def _examined(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What each check looked at; and how it ended, but for those that go by how busy the machine is."""
    busy = {check.name for check, code in load().codes() if code.code in OF_THE_MOMENT}
    return {one["check"]: ("" if one["check"] in busy else one["status"], str(one["unexamined"])) for one in report["checks"]}


def test_a_stopped_tgtd(served: Machine) -> None:
    """Two collectors fail, and what tgtd alone knows has no sample; then all is as before."""
    served.check("kill -STOP $(pgrep -ox tgtd)")
    silent = scrape(served)
    served.check("kill -CONT $(pgrep -ox tgtd)")
    assert failed(silent) == {"targets", "luns"}
    assert of(silent, "sctune_target_up") == {("tgt",): 0}
    assert set(states(silent).values()) == {"unknown"}
    assert {layer for layer, _ in of(silent, "sctune_volume_layer_ready")} == {"file", "loop", "lvm"}
    again = scrape(served)
    assert failed(again) == set()
    assert states(again) == {ATTACHED.name: "attached", RESTING.name: "ready"}


def test_a_volume_that_comes_and_goes_while_it_is_scraped(served: Machine) -> None:
    """Made, exported, snapshotted, and deleted: no scrape fails, and nothing is left of it."""
    lines = [
        *overlay.create([COMING]),
        *COMING.export().lines(),
        "sleep 3",
        *SNAPSHOT.create(),
        "sleep 4",
        *SNAPSHOT.remove(),
        *COMING.export().remove(),
        *COMING.rest(),
        f"rm {COMING.file}; udevadm settle",
    ]
    served.check(f"mkdir {CHURN}; cat > {CHURN}.sh <<'CHURN'\nset -e\n" + "\n".join(lines) + "\nCHURN")
    served.check(
        f"(bash {CHURN}.sh; echo $? > {CHURN}.status) >{CHURN}.log 2>&1 &\n"
        f"n=100; until test $n = 160; do {SCRAPE} > {CHURN}/$n || exit 1; n=$((n+1)); sleep 1;"
        f" test ! -e {CHURN}.status || {{ rest=$((rest+1)); test $rest -lt 4 || break; }}; done; test -e {CHURN}.status",
        timeout=240.0,
    )
    assert served.check(f"cat {CHURN}.status {CHURN}.log") == "0\n"
    texts = served.check(f"for file in {CHURN}/*; do cat $file; echo '# ===='; done").split("# ====\n")[:-1]
    scrapes = [read(text) for text in texts]
    assert [failed(series) for series in scrapes] == [set()] * len(scrapes)
    assert any(COMING.name in states(series) for series in scrapes), "it was never seen"
    assert any(of(series, "sctune_snapshots")["active",] for series in scrapes), "its snapshot was never seen"
    for gone in (COMING.name, COMING.vg, SNAPSHOT.name):
        assert gone in "".join(texts)
        assert gone not in texts[-1]
    for series in scrapes:
        others = {volume: state for volume, state in states(series).items() if volume in (ATTACHED.name, RESTING.name)}
        assert others == {ATTACHED.name: "attached", RESTING.name: "ready"}


def test_a_suspended_lv(served: Machine) -> None:
    """I/O to it waits, also for whoever would read its label: nothing of ours does. LVM is asked meanwhile."""
    suspended = {(one.lv_name, one.vg): float(one is RESTING) for one in (ATTACHED, RESTING)}
    served.check(f"dmsetup suspend {overlay.dm_name(RESTING.lv)}")
    try:
        series = scrape_once_asked(served)
    finally:
        served.check(f"dmsetup resume {overlay.dm_name(RESTING.lv)}")
    assert failed(series) == set()
    assert of(series, "sctune_lvm_lv_suspended") == suspended
    assert of(series, "sctune_lvm_suspended_lvs") == {(): 1}
    assert states(series) == {ATTACHED.name: "attached", RESTING.name: "broken"}
    again = scrape(served)
    assert failed(again) == set()
    assert of(again, "sctune_lvm_suspended_lvs") == {(): 0}
    assert states(again) == {ATTACHED.name: "attached", RESTING.name: "ready"}


def test_locks_of_lvm_that_somebody_keeps(served: Machine) -> None:
    """A command of LVM that hangs keeps its locks, and every other command waits behind it. The exporter takes none."""
    locks = " ".join(f"/run/lock/lvm/{name}" for name in ("P_global", f"V_{ATTACHED.vg}", f"V_{RESTING.vg}"))
    keep = f"for lock in {locks}; do flock --no-fork $lock sleep 300 >/dev/null 2>&1 & echo $!; done"
    holders = served.check(f"mkdir -p /run/lock/lvm; {keep}; sleep 0.5")
    try:
        assert served.run("timeout 3 vgs").status == 124
        series = scrape_once_asked(served)
    finally:
        served.check(f"kill {' '.join(holders.split())}; sleep 0.5; timeout 20 vgs >/dev/null")
    assert failed(series) == set()
    assert of(series, "sctune_lvm_lv_active") == {(one.lv_name, one.vg): 1 for one in (ATTACHED, RESTING)}
    assert failed(scrape_once_asked(served)) == set()


def test_half_a_backup_of_metadata(served: Machine) -> None:
    """As a crash leaves it. LVM's copies say that something changed, and are not read."""
    file = f"/etc/lvm/backup/{RESTING.vg}"
    served.check(f"vgcfgbackup -q {RESTING.vg}; cp {file} /run/whole")
    before = scrape(served)
    try:
        served.check(f"head -c 200 /run/whole > {file}.half; cp {file}.half /etc/lvm/backup/.lvm_half; mv {file}.half {file}")
        half = scrape_once_asked(served)
    finally:
        served.check(f"rm /etc/lvm/backup/.lvm_half; mv /run/whole {file}")
    again = scrape_once_asked(served)
    told = [{at for at in series if at[0].startswith("sctune_lvm_")} for series in (before, half, again)]
    assert told[0] == told[1] == told[2]
    assert [failed(series) for series in (before, half, again)] == [set()] * 3


def test_no_page_and_no_log_tells_the_secret(served: Machine) -> None:
    """Initiators' password lies in tgtd, in the initiator's records and in the arguments of a command that runs."""
    assert served.check(f"grep -rl {tgt.SECRET} /etc/iscsi /var/lib/iscsi 2>/dev/null || test $? = 2")
    running = f"sh -c 'sleep 60; :' tgtadm --password {tgt.SECRET} >/dev/null 2>&1 & running=$!; sleep 1"
    texts = served.check(f"{running}; {SCRAPE}; {OPENMETRICS}; curl -sS {ADDRESS}/; kill $running")
    assert "# EOF\n" in texts
    assert "<html" in texts
    journal = served.check("journalctl -b -q -o cat --no-pager -u 'sctune-*'")
    for text in (texts, journal, served.check("cat /var/lib/sctune/doctor.json")):
        assert text
        assert tgt.SECRET not in text


def test_the_watchdog_is_fed_and_the_end_is_quick(served: Machine) -> None:
    """Last: by now the services have lived for longer than their watchdog allows an idle one."""
    served.check(f"sleep {WATCHDOG_SECONDS + 1}")
    for unit in UNITS:
        shown = served.check(f"systemctl show -p ActiveState,NRestarts,WatchdogUSec sctune-{unit}.service").split()
        assert set(shown) == {"ActiveState=active", "NRestarts=0", f"WatchdogUSec={WATCHDOG_SECONDS}s"}
    served.check("systemctl stop sctune-exporter.socket sctune-collector.socket")
    for unit in reversed(UNITS):
        taken = served.check(
            f"begin=$(date +%s%N); systemctl stop sctune-{unit}.service; echo $((($(date +%s%N) - begin) / 1000000))"
        )
        assert int(taken) < STOP_SECONDS * 1000
        assert served.check(f"systemctl show -p Result --value sctune-{unit}.service") == "success\n"
    assert served.run("test -e /run/sctune/collector.sock").status == 1
    units = " ".join(f"-u sctune-{unit}.service -u sctune-{unit}.socket" for unit in UNITS)
    journal = served.check(f"journalctl -b -q -o cat --no-pager {units}").splitlines()
    # What the emulated machine is too slow for in its first scrape is no fault of theirs; tgtd was stopped for one.
    slow = re.compile(
        r"sctune: collector \w+: (it has not come back since it began, \d+ s ago and more|works again)"
        r"|sctune: (no samples: no answer within \d+ s|samples again)"
    )
    silent = re.compile(r"sctune: collector (targets|luns): /var/run/tgtd/socket\.0: timeout \(connected, no answer in 3 s\)")
    expected = (slow.fullmatch, silent.fullmatch, STARTED.search, SAID.__contains__)
    unexpected = [line for line in journal if not any(one(line) for one in expected)]
    assert unexpected == []
    assert served.check("systemctl --failed --no-legend --plain") == ""
