"""The examples for NRPE, sudo, Icinga 2 and Nagios, read by the real ones; and the plug-in's output through a real nrpe."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sctune.report.nagios import State

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "exporters/nagios"
CHECK_NRPE = "/usr/lib/nagios/plugins/check_nrpe"
SCTUNE = "/usr/sbin/sctune"
HOST = ROOT / "tests/scenarios/store-95/host.tar.gz"
V2_BYTES = 1023
"""What a packet of NRPE's version 2 carries."""

pytestmark = pytest.mark.spawns


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    return pytest.mark.skipif(bool(missing), reason=f"missing: {', '.join(missing)}")


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run(*argv: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds, env=env, stdin=subprocess.DEVNULL)


def as_on_a_host(folder: Path, wrapper: str, then: str) -> list[str]:
    """A command line: `then` as nagios, where the example for sudo is in force and `wrapper` is sctune; in a mount namespace."""
    over = folder / "over"
    over.mkdir()
    program = folder / "sctune"
    program.write_text(f"#!/bin/sh\n{wrapper}\n")
    script = (
        f"set -e; mount -t tmpfs none {over}; mkdir {over}/upper {over}/work; install -m 755 {program} {over}/upper/sctune;"
        f"mount -t overlay -o lowerdir=/usr/sbin,upperdir={over}/upper,workdir={over}/work none /usr/sbin || exit 77;"
        "mount -t tmpfs -o mode=755 none /etc/sudoers.d;"
        f"install -m 440 {EXAMPLES}/sctune.sudoers /etc/sudoers.d/sctune;"
        f"exec {then}"
    )
    return ["unshare", "--mount", "sh", "-c", script]


def commands(text: str) -> dict[str, str]:
    """nrpe's commands by their names."""
    return dict(re.findall(r"^command\[(\w+)\]=(.*)$", text, re.MULTILINE))


def test_what_nrpe_runs_is_what_sudo_allows_and_no_more() -> None:
    allowed = re.findall(r"/usr/sbin/sctune doctor[^,\\\n]*", (EXAMPLES / "sctune.sudoers").read_text())
    wanted = [line.removeprefix("/usr/bin/sudo -n ") for line in commands((EXAMPLES / "nrpe.cfg").read_text()).values()]
    assert [line.strip() for line in allowed] == wanted
    assert not re.search(r"[*?!\[]", "".join(allowed)), "a pattern would let more through"


@needs("visudo")
def test_visudo(tmp_path: Path) -> None:
    copy = tmp_path / "sctune"
    shutil.copy(EXAMPLES / "sctune.sudoers", copy)
    copy.chmod(0o440)
    done = run("visudo", "-cf", str(copy))
    assert (done.returncode, done.stderr) == (0, "")


@needs_root
@needs("sudo", "nrpe", "unshare")
@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ("doctor --format nagios", True),
        ("doctor --format nagios --fail-on critical", True),
        ("doctor --format nagios --config /tmp/x", False),
        ("doctor --record", False),
        ("doctor", False),
        ("rollback", False),
        ("", False),
    ],
)
def test_sudo_lets_nagios_do_that_and_nothing_else(tmp_path: Path, arguments: str, allowed: bool) -> None:
    """With /etc/sudoers.d and /usr/sbin of a mount namespace of its own."""
    then = f"setpriv --reuid nagios --regid nagios --init-groups sudo -n {SCTUNE} {arguments}"
    done = run(*as_on_a_host(tmp_path, 'echo "$(id -un): $*"', then))
    if done.returncode == 77:
        pytest.skip("no overlay of /usr/sbin here")
    if allowed:
        assert (done.returncode, done.stdout) == (0, f"root: {arguments}\n"), done.stderr
    else:
        assert done.returncode == 1
        assert done.stdout == ""
        assert "password is required" in done.stderr


@needs("nagios4")
def test_nagios(tmp_path: Path) -> None:
    main = tmp_path / "nagios.cfg"
    objects = tmp_path / "around.cfg"
    objects.write_text(
        "define timeperiod {\n timeperiod_name 24x7\n alias always\n monday 00:00-24:00\n}\n"
        "define command {\n command_name none\n command_line /bin/true\n}\n"
        "define contact {\n contact_name admin\n host_notification_period 24x7\n service_notification_period 24x7\n"
        " host_notification_commands none\n service_notification_commands none\n}\n"
        "define contactgroup {\n contactgroup_name admins\n alias admins\n members admin\n}\n"
        "define host {\n host_name sc1\n address 127.0.0.1\n hostgroups storage\n check_command none\n max_check_attempts 3\n"
        " check_period 24x7\n notification_period 24x7\n contact_groups admins\n}\n"
        "define hostgroup {\n hostgroup_name storage\n alias storage\n}\n"
    )
    main.write_text(
        f"cfg_file={objects}\ncfg_file={EXAMPLES}/nagios.cfg\nlog_file={tmp_path}/log\ncheck_result_path={tmp_path}\n"
        f"lock_file={tmp_path}/lock\ntemp_path={tmp_path}\nstatus_file={tmp_path}/status\nillegal_macro_output_chars=`~$&|\n"
    )
    if os.geteuid() == 0:
        main.write_text(main.read_text() + "nagios_user=root\nnagios_group=root\n")
    done = run("nagios4", "-v", str(main))
    assert done.returncode == 0, done.stdout
    assert "Checked 1 services" in done.stdout
    assert re.search(r"Total Warnings: 0\nTotal Errors: +0", done.stdout), done.stdout


@needs_root
@needs("icinga2")
def test_icinga(tmp_path: Path) -> None:
    """A host with an agent, one with nrpe, and one that is no storage host."""
    (tmp_path / "icinga2.conf").write_text(
        "include <itl>\ninclude <plugins>\n"
        'const NodeName = "master"\nconst ZoneName = "master"\nconst PluginDir = "/usr/lib/nagios/plugins"\n'
        'object Endpoint "master" {}\nobject Zone "master" { endpoints = [ "master" ] }\n'
        'object Endpoint "sc1" {}\nobject Zone "sc1" { endpoints = [ "sc1" ]\n parent = "master" }\n'
    )
    zone = tmp_path / "zones.d/master"
    zone.mkdir(parents=True)
    shutil.copy(EXAMPLES / "icinga2.conf", zone)
    (zone / "hosts.conf").write_text(
        'object Host "sc1" {\n check_command = "dummy"\n vars.sctune = "agent"\n}\n'
        'object Host "sc2" {\n check_command = "dummy"\n vars.sctune = "nrpe"\n vars.sctune_fail_on = "critical"\n}\n'
        'object Host "web" {\n check_command = "dummy"\n}\n'
    )
    folders = [f"-D{name}={tmp_path}" for name in ("DataDir", "LogDir", "CacheDir", "SpoolDir", "InitRunDir")]
    folders.append(f"-DZonesDir={tmp_path}/zones.d")
    user = ["-DRunAsUser=root", "-DRunAsGroup=root"]
    done = run("icinga2", "daemon", "-C", "-c", str(tmp_path / "icinga2.conf"), *folders, *user, "--log-level", "information")
    assert done.returncode == 0, done.stdout
    assert "Instantiated 2 Services" in done.stdout
    assert "warning/" not in done.stdout


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real nrpe on loopback with the examples for it and for sudo; the doctor looks at a recorded host."""
    folder = tmp_path_factory.mktemp("nrpe")
    port = _free_port()
    config = "\n".join(
        (
            f"server_port={port}\nserver_address=127.0.0.1\nallowed_hosts=127.0.0.1\nnrpe_user=nagios\nnrpe_group=nagios",
            f"command_timeout=60\npid_file={folder}/pid\ndisable_syslog=1",
            (EXAMPLES / "nrpe.cfg").read_text(),
            f"command[wrong]=/usr/bin/sudo -n {SCTUNE} rollback",
        )
    )
    (folder / "nrpe.cfg").write_text(config)
    wrapper = f'PYTHONPATH={ROOT} exec {sys.executable} -P -m sctune "$@" --from {HOST}'
    argv = as_on_a_host(folder, wrapper, f"nrpe -c {folder}/nrpe.cfg -f -n")
    daemon = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if daemon.poll() == 77:
                pytest.skip("no overlay of /usr/sbin here")
            assert daemon.poll() is None, "nrpe did not start"
            time.sleep(0.05)
        yield port
    finally:
        daemon.terminate()
        daemon.wait(10)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def ask(port: int, command: str, *options: str) -> subprocess.CompletedProcess[str]:
    return run(CHECK_NRPE, "-H", "127.0.0.1", "-p", str(port), "-n", "-D", "-t", "60:3", *options, "-c", command, seconds=90)


@needs_root
@needs("sudo", "nrpe", "unshare", CHECK_NRPE)
@pytest.mark.parametrize("command", ["check_sctune", "check_sctune_critical"])
def test_through_nrpe_and_sudo(port: int, command: str) -> None:
    done = ask(port, command)
    assert done.returncode == State.CRITICAL, done.stdout
    assert done.stdout.startswith("SCTUNE CRITICAL - ")
    assert " | time=" in done.stdout.splitlines()[0]
    assert len(done.stdout.splitlines()) > 2


@needs_root
@needs("sudo", "nrpe", "unshare", CHECK_NRPE)
def test_what_sudo_refuses_is_no_ok(port: int) -> None:
    assert ask(port, "wrong").returncode != State.OK


@needs_root
@needs("sudo", "nrpe", "unshare", CHECK_NRPE)
def test_what_version_2_of_nrpe_cuts(port: int) -> None:
    """The state and the first line's text are there; of the numbers and details what fits."""
    whole, cut = (ask(port, "check_sctune", *options) for options in ((), ("-2",)))
    assert len(whole.stdout.encode()) > V2_BYTES
    assert cut.returncode == whole.returncode
    assert len(cut.stdout.encode()) <= V2_BYTES + 1
    assert cut.stdout.partition(" | ")[0] == whole.stdout.partition(" | ")[0]
    print(cut.stdout, len(cut.stdout), len(whole.stdout))
