"""Debian's Prometheus scrapes the exporter's unit for minutes while volumes come and go: it is given nothing that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.dashboard import QUERIES, filled_in

from . import prometheus
from .crowd import script
from .hosts import initiator, overlay, tgt
from .installed import SERVICES, START, START_SECONDS, install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .machine import Machine

pytestmark = pytest.mark.thorough

EXPORTER = "127.0.0.1:10197"
# The example's own timeout. In a machine that is emulated beside other work, scrapes with 5 s were given up now and then.
SCRAPED_SECONDS = 10
# No cloud gives an identity twice, but it attaches a volume again.
COMING = [overlay.volume(number) for number in range(10, 70)]
STAYING = overlay.volume(1)
CHURN_SECONDS = 240
LIFE_SECONDS = 180.0
CHURN = "/run/churn"
LIVES = 3
# Everything that the churn could have spoilt, with some minutes of a slow machine to spare.
WHILE = "15m"
OURS = 'job="sctune",__name__=~"sctune_.+"'
COUNTERS = 'job="sctune",__name__=~"sctune_.+_total"'
# What the churn and the volume that stays make rise; those of loop devices are the kernel's, and outlive the exporter.
KERNELS = frozenset({"sctune_loop_read_bytes_total", "sctune_loop_writes_completed_total"})
COUNTED = KERNELS | {"sctune_lun_read_bytes_total", "sctune_lun_reads_completed_total", "sctune_initiator_device_requests_total"}


def _attached(volume: overlay.Volume, *, during: list[str]) -> Iterator[str]:
    """Exported, logged in to, written and read through the session, and detached again."""
    disk = initiator.disk(volume.iqn)
    yield from volume.export().lines()
    yield from overlay.login([volume])
    yield f"dd if=/dev/zero of={disk} bs=64k count=16 oflag=direct status=none"
    yield from during
    yield f"dd if={disk} of=/dev/null bs=64k count=16 iflag=direct status=none"
    yield "sleep 2"
    yield from initiator.logout(volume.iqn)
    yield from volume.export().remove()


def _life(volume: overlay.Volume) -> Iterator[str]:
    """Made, attached, snapshotted while it is written, detached and attached again at once, deleted."""
    snapshot = overlay.snapshot(volume)
    yield from overlay.create([volume])
    write = f"dd if=/dev/urandom of={initiator.disk(volume.iqn)} bs=64k count=8 oflag=direct status=none"
    yield from _attached(volume, during=[*snapshot.create(), write, "sleep 2", *snapshot.remove()])
    yield from _attached(volume, during=[])
    yield from volume.rest()
    yield f"rm {volume.file}; echo {volume.name} >> {CHURN}.done; test ! -e {CHURN}.stop || exit 0"


def _reading() -> str:
    """The volume that stays is read through its session until the machine ends."""
    return f"(while sleep 1; do dd if={initiator.disk(STAYING.iqn)} of=/dev/null bs=64k count=4 iflag=direct status=none; done) &"


@pytest.fixture(scope="module")
def scraped(boot: Callable[..., Machine]) -> Iterator[Machine]:
    """A host with one attached volume that is read all the time, the units, and Prometheus; all others have come and gone."""
    with boot(systemd=True) as machine:
        script(
            machine,
            [
                *install(),
                f"mkdir -p /etc/eucalyptus {overlay.STORE}; echo {overlay.Era.E33} > /etc/eucalyptus/eucalyptus-version",
                "rm -rf /etc/lvm/backup /etc/lvm/archive; modprobe -a loop dm_mod dm_snapshot",
                "systemctl start tgt",
                f"tgtadm --lld iscsi --op new --mode account --user {tgt.ACCOUNT} --password {tgt.SECRET}",
                *initiator.start(),
                *overlay.create([STAYING]),
                *STAYING.export().lines(),
                *overlay.login([STAYING]),
            ],
        )
        machine.check(START, timeout=START_SECONDS)
        # The first look reads what lies in no cache yet, and may take longer than a scrape has here.
        machine.run(f"for i in 1 2 3; do curl -sS -m 20 http://{EXPORTER}/metrics >/dev/null; sleep 2; done", timeout=START_SECONDS)
        prometheus.start(machine, EXPORTER, SCRAPED_SECONDS)
        # Volume by volume: the lines of all are more than a command line can hold.
        for lines in (["set -e", _reading()], *(_life(volume) for volume in COMING)):
            machine.check(f"cat >> {CHURN}.sh <<'CHURN'\n" + "\n".join(lines) + "\nCHURN")
        machine.check(f"(bash {CHURN}.sh; echo $? > {CHURN}.status) >{CHURN}.log 2>&1 &")
        machine.run(f"timeout {CHURN_SECONDS} sh -c 'until test -e {CHURN}.status; do sleep 2; done'", timeout=CHURN_SECONDS + 30.0)
        ended = f"touch {CHURN}.stop; until test -e {CHURN}.status; do sleep 0.5; done"
        machine.check(f"{ended}; sleep {3 * SCRAPED_SECONDS}", timeout=LIFE_SECONDS)
        assert machine.check(f"cat {CHURN}.status {CHURN}.log") == "0\n"
        yield machine


MISSED = 0.2
"""The share of its scrapes that a collector may miss while the machine is busy."""


NO_ANSWER = {
    "Checks by status": "the doctor has not run",
    "Findings": "the doctor has not run",
    "Firing alerts": "nothing is wrong",
    "Quotas used": "there are none",
    "Thin pools": "there is none",
    "Leaked loop devices": "there is none",
    "Waiting for disks": "the collector pressure is off, and no node_exporter is there",
    "Settings changed since a profile was applied": "no profile was applied",
}
"""Panels about what this host has nothing of. The other ones have to show something."""
DIRTY = "sctune_writeback_dirty_bytes"
"""The same of one query of a panel that has another: it is off."""


def gone(machine: Machine) -> list[str]:
    """The names of those that have come and gone."""
    names = machine.check(f"cat {CHURN}.done").split()
    assert len(names) >= LIVES, "hardly anything came or went"
    return names


def test_every_scrape_succeeds(scraped: Machine) -> None:
    assert prometheus.failures(scraped) == []
    [least] = prometheus.ask(scraped, f'min_over_time(up{{job="sctune"}}[{WHILE}])')
    [scrapes] = prometheus.ask(scraped, f'count_over_time(up{{job="sctune"}}[{WHILE}])')
    assert least.value == 1
    assert scrapes.value >= CHURN_SECONDS / SCRAPED_SECONDS * 0.9


def test_a_collector_that_misses_its_time_does_not_stay_away(scraped: Machine) -> None:
    """On an emulated processor beside tools that work, one may not be done by its deadline, says so, and costs no scrape."""
    missed = prometheus.ask(scraped, f"1 - avg_over_time(sctune_scrape_collector_success[{WHILE}]) > 0")
    print({one.labels["collector"]: one.value for one in missed})
    assert {one.labels["collector"]: one.value for one in missed if one.value > MISSED} == {}
    failing = prometheus.ask(scraped, "max_over_time(sctune_scrape_collector_success[1m]) == 0")
    assert [one.labels["collector"] for one in failing] == [], scraped.run("journalctl -q -n 40 -u 'sctune-*'").stdout


def test_nothing_it_was_given_is_wrong(scraped: Machine) -> None:
    assert prometheus.complaints(scraped) == []
    [lost] = prometheus.ask(scraped, "max_over_time((scrape_samples_scraped - scrape_samples_post_metric_relabeling)[15m:2s])")
    assert lost.value == 0


def _fallen(machine: Machine) -> dict[str, float]:
    """How often a counter of any series fell, by the names of metrics: one question each, since an answer's series have none."""
    counters = prometheus.names(machine, f"{{{COUNTERS}}}")
    assert set(counters) >= COUNTED, "hardly anything is counted"
    found = {name: prometheus.ask(machine, f"max(resets({name}[{WHILE}])) > 0") for name in counters}
    return {name: answer[0].value for name, answer in found.items() if answer}


def test_no_counter_falls(scraped: Machine) -> None:
    assert _fallen(scraped) == {}
    for name in COUNTED:
        assert prometheus.ask(scraped, f"increase({name}[{WHILE}]) > 0"), name


def test_what_was_deleted_was_there_and_has_no_sample_any_more(scraped: Machine) -> None:
    names = gone(scraped)
    fresh = prometheus.ask(scraped, f"{{{OURS}}}")
    assert {one.labels["volume"] for one in fresh if "volume" in one.labels} == {STAYING.name}
    ids = [*names, *(overlay.snapshot(volume).name for volume in COMING), *(volume.iqn for volume in COMING)]
    assert [one.labels for one in fresh if any(name in value for value in one.labels.values() for name in ids)] == []
    states = prometheus.ask(scraped, f"max_over_time(sctune_volume_state[{WHILE}]) == 1")
    seen = {one.labels["volume"] for one in states}
    assert set(names) <= seen
    print(sorted({(one.labels["state"]) for one in states}))


def test_no_rule_raises_an_alarm(scraped: Machine) -> None:
    fired = prometheus.ask(scraped, f'count_over_time(ALERTS{{alertstate="firing"}}[{WHILE}])')
    assert [one.labels for one in fired] == []


def test_the_dashboards_queries(scraped: Machine) -> None:
    """Each is answered without an error, and what this host has is shown, a snapshot for a moment too."""
    snapshot = overlay.snapshot(STAYING)
    scraped.check("\n".join(["set -e", *snapshot.create(), f"sleep {4 * SCRAPED_SECONDS}"]), timeout=120.0)
    try:
        asked = [(title, query, prometheus.ask(scraped, filled_in(query, rate="1m"))) for title, query in QUERIES]
    finally:
        scraped.check("\n".join(["set -e", *snapshot.remove()]))
    empty = {(title, query) for title, query, found in asked if not found}
    assert empty == {(title, query) for title, query in QUERIES if title in NO_ANSWER or query.startswith(DIRTY)}


def test_after_a_restart_it_goes_on(scraped: Machine) -> None:
    """Last: a restart, and nothing else, makes counters begin anew. Meanwhile the sockets take connections."""
    scraped.check(f"systemctl restart {SERVICES}", timeout=2 * START_SECONDS)
    scraped.check(f"sleep {5 * SCRAPED_SECONDS}")
    [up] = prometheus.ask(scraped, 'up{job="sctune"}')
    assert up.value == 1
    fallen = _fallen(scraped)
    assert set(fallen.values()) == {1}
    assert set(fallen) >= COUNTED - KERNELS
    assert prometheus.complaints(scraped) == []
