"""iSCSI tuning on a real initiator: the file, iscsiadm's records, live sessions, multipathd."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .crowd import script
from .faults.initiators import _multipathd
from .faults.sessions import INTERVAL, REPLACEMENT, TIMEOUT
from .hosts import overlay
from .hosts.initiator import PORTAL
from .hosts.tgt import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from .machine import Machine

CHECKOUT = Path(__file__).resolve().parents[2]
CONF = "/etc/iscsi/iscsid.conf"
SETTINGS = (REPLACEMENT, INTERVAL, TIMEOUT)
# A file as people leave it: DOS line ends, a name twice, a line that is skipped, a secret, no end of its last line.
LEFT = (
    f"node.session.auth.password = {SECRET}-unused\\r\\n"
    f"{REPLACEMENT} = 33\\r\\n{REPLACEMENT} = 120\\r\\n{INTERVAL}=9\\r\\n#{TIMEOUT} = 5\\r\\nnode.startup = manual"
)
STATE = f"cat {CONF}; find /etc/iscsi/nodes -type f | sort | xargs -n1 sh -c 'echo $0; cat $0'; stat -c %a-%u-%g {CONF}"
LIVE = (
    "for s in /sys/class/iscsi_session/session*; do echo $(basename $s) $(cat $s/targetname $s/state $s/recovery_tmo); done; "
    "grep . /sys/class/iscsi_connection/connection*/*_tmo"
)
FOLDER = "$(dirname $(grep -lx {iqn} /sys/class/iscsi_session/*/targetname))"

pytestmark = pytest.mark.thorough


def drive(machine: Machine, what: str, profile: str, options: str = "") -> dict[str, Any]:
    """What the driver printed, which holds no secret."""
    command = f"env -C {CHECKOUT} {sys.executable} -m tests.vm.drive_iscsi {what} {profile} {options}"
    out = machine.check(command, timeout=120.0)
    assert SECRET not in out
    answer: dict[str, Any] = json.loads(out)
    return answer


def storage(machine: Machine) -> list[overlay.Volume]:
    """Two volumes with a session each, through records made of Debian's own file."""
    volumes = [overlay.volume(number) for number in (1, 2)]
    script(machine, [*overlay.start(), *overlay.create(volumes), *overlay.attach(volumes)])
    return volumes


def relogin(machine: Machine) -> None:
    """All sessions end and are made anew."""
    machine.check("iscsiadm -m node --logout >/dev/null && iscsiadm -m node --login >/dev/null && udevadm settle", timeout=120.0)


def test_all_places_of_a_host_with_single_paths(boot: Callable[..., Machine]) -> None:
    with boot() as machine:
        volumes = storage(machine)
        machine.check(f"printf '{LEFT}' > {CONF}; chmod 640 {CONF}")
        before, live = machine.check(STATE), machine.check(LIVE)

        planned = drive(machine, "plan", "iscsi-root")
        assert (machine.check(STATE), machine.check(LIVE)) == (before, live)
        assert all("survives an outage of 130 s; when this is applied 7210 s" in one for one in planned["survivals"])
        assert planned["difference"][2:] == [
            "@@ -3,3 +3,3 @@",
            f"-{REPLACEMENT} = 120",
            f"-{INTERVAL}=9",
            f"-#{TIMEOUT} = 5",
            f"+{REPLACEMENT} = 7200",
            f"+{INTERVAL} = 0",
            f"+{TIMEOUT} = 0",
        ]

        # Live, without a logout: the same sessions, another replacement timeout.
        applied = drive(machine, "apply", "iscsi-root")
        assert len(applied["steps"]) == 1 + 2 * 3 + 2
        assert machine.check(LIVE) == live.replace(" 120\n", " 7200\n").replace("recovery_tmo:120", "recovery_tmo:7200")
        again = drive(machine, "plan", "iscsi-root")
        assert (again["steps"], again["difference"]) == ([], [])
        assert again["agree"] == [True, False, False] * 2

        # A new record takes what open-iscsi reads in the file.
        fresh = "iscsiadm -m node -T iqn.2009-06.com.eucalyptus.lab:fresh -p 127.0.0.9:3260"
        shown = machine.check(f"{fresh} -o new >/dev/null && {fresh} && {fresh} -o delete").splitlines()
        assert {f"{REPLACEMENT} = 7200", f"{INTERVAL} = 0", f"{TIMEOUT} = 0"} <= set(shown)

        assert drive(machine, "undo", "iscsi-root") == {"gone": []}
        assert (machine.check(STATE), machine.check(LIVE)) == (before, live)

        # After a new login all four places agree.
        drive(machine, "apply", "iscsi-root")
        relogin(machine)
        agreed = drive(machine, "plan", "iscsi-root")
        assert (agreed["agree"], agreed["steps"]) == ([True] * 6, [])
        assert {tuple(row[2:]) for row in agreed["rows"]} == {(7200, 7200, 7200, None, 7200), (0, 0, 0, None, 0)}
        assert len(drive(machine, "undo", "iscsi-root")["gone"]) == 2
        assert machine.check(STATE) == before
        relogin(machine)
        assert {line.split()[2:] == ["LOGGED_IN", "120"] for line in machine.check(LIVE).splitlines()[:2]} == {True}

        # The kernel refuses a session that is down, and the plan knows.
        machine.check("ip link set lo down; until ! grep -qv FAILED /sys/class/iscsi_session/*/state; do sleep 0.2; done")
        refused = machine.run(f"echo 60 | dd of={FOLDER.format(iqn=volumes[0].iqn)}/recovery_tmo")
        assert "Device or resource busy" in refused.stderr
        down = drive(machine, "plan", "iscsi-root")
        assert {item[5] for item in down["items"] if item[0] == "session" and item[2] == REPLACEMENT} == {"not now"}
        machine.check("ip link set lo up; until ! grep -qv LOGGED_IN /sys/class/iscsi_session/*/state; do sleep 0.2; done")


def test_multipathd_has_the_last_word(boot: Callable[..., Machine]) -> None:
    with boot() as machine:
        volumes = storage(machine)
        script(machine, [*_multipathd(volumes, "fast_io_fail_tmo 7\\n no_path_retry queue")])
        machine.check("until ! grep -qvx 7 /sys/class/iscsi_session/*/recovery_tmo; do sleep 0.2; done")
        live = machine.check(LIVE)

        wrong = drive(machine, "apply", "iscsi-root")
        assert wrong["steps"] == []
        assert "multipath lies above" in wrong["refusals"][0]

        applied = drive(machine, "apply", "iscsi-multipath")
        assert applied["refusals"] == []
        assert len(applied["steps"]) == 1 + 3 * 2  # noop_out_interval is 5 as it is
        assert machine.check(LIVE) == live
        whys = {item[6] for item in applied["items"] if item[0] == "session" and item[2] == REPLACEMENT}
        assert all("multipathd gives it 7 s (/etc/multipath.conf:" in why for why in whys)
        assert all("set fast_io_fail_tmo 15 in multipath.conf, then multipathd reconfigure" in why for why in whys)

        # What the plan says to do does it.
        machine.check("sed -i 's/fast_io_fail_tmo 7/fast_io_fail_tmo 15/' /etc/multipath.conf && multipathd reconfigure")
        machine.check("until ! grep -qvx 15 /sys/class/iscsi_session/*/recovery_tmo; do sleep 0.2; done")
        done = drive(machine, "plan", "iscsi-multipath")
        assert {item[5] for item in done["items"] if item[2] == REPLACEMENT} == {"already so"}
        assert done["steps"] == []


def test_values_for_multipath_are_refused_on_a_single_path_unless_told(boot: Callable[..., Machine]) -> None:
    with boot() as machine:
        storage(machine)
        before, live = machine.check(STATE), machine.check(LIVE)
        refused = drive(machine, "apply", "iscsi-multipath")
        assert refused["steps"] == []
        assert "nothing lies above sd" in refused["refusals"][0]
        assert PORTAL in refused["refusals"][0]
        assert (machine.check(STATE), machine.check(LIVE)) == (before, live)
        told = drive(machine, "apply", "iscsi-multipath", "--any")
        assert (len(told["steps"]), told["refusals"]) == (1 + 2 * 2 + 2, [])
        assert drive(machine, "undo", "iscsi-multipath") == {"gone": []}
        assert (machine.check(STATE), machine.check(LIVE)) == (before, live)
