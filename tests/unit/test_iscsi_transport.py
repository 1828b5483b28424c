from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctune.check import Look, Result
from sctune.checks import initiator_transport
from sctune.config.model import Config
from sctune.findings import Severity
from sctune.inventory import Inventory
from sctune.probes.iscsi_transport import forbids, in_modules, probe
from sctune.unavailable import CannotLook, Reason, Unavailable
from tests.fakes import FakeHost
from tests.unit.iscsi_hosts import record, timeouts, unavailable

(CHECK,) = initiator_transport.CHECKS
KERNEL = "6.1.0-56-amd64"
# A line of Debian's modules.dep of this kernel, and how Red Hat's has it.
DEP = "kernel/drivers/scsi/iscsi_tcp.ko: kernel/drivers/scsi/libiscsi_tcp.ko kernel/drivers/scsi/libiscsi.ko\n"
WITHOUT = "kernel/drivers/scsi/libiscsi_tcp.ko: kernel/drivers/scsi/libiscsi.ko\nkernel/drivers/scsi/libiscsi.ko:\n"
AT_BOOT = record(replace(timeouts(), startup="automatic"))


def look(records: Any = (AT_BOOT,), **files: str | Unavailable) -> Result:
    return judge(FakeHost(files=dict(files)), records)


def judge(host: FakeHost, records: Any = (AT_BOOT,)) -> Result:
    inventory = Inventory(host, Config(), strict=True)
    inventory.parts["node_records"] = records
    return CHECK.run(Look(inventory=inventory, config=inventory.config))


def host(dep: str | Unavailable = DEP, **more: str) -> FakeHost:
    return FakeHost(files={f"/lib/modules/{KERNEL}/modules.dep": dep, **more})


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({f"/lib/modules/{KERNEL}/modules.dep": WITHOUT}, "is not among the modules"),
        ({"/lib/modules/6.1.0-99-amd64/modules.dep": DEP}, "is not among the modules"),
        (
            {f"/lib/modules/{KERNEL}/modules.dep": DEP, "/etc/modprobe.d/a b.conf": "blacklist iscsi_tcp\n"},
            "/etc/modprobe.d/a b.conf: blacklist iscsi_tcp",
        ),
        (
            {f"/lib/modules/{KERNEL}/modules.dep": DEP, "/lib/modprobe.d/cis.conf": "install iscsi-tcp /bin/false\n"},
            "install iscsi-tcp /bin/false",
        ),
        ({f"/lib/modules/{KERNEL}/modules.dep": DEP, "/proc/cmdline": "ro modprobe.blacklist=x,iscsi_tcp"}, "/proc/cmdline"),
    ],
)
def test_missing(files: dict[str, Any], words: str) -> None:
    (finding,) = judge(FakeHost(files=files)).findings
    assert (finding.code, finding.subject.id, finding.severity) == ("ISCSI_TRANSPORT_MISSING", "iscsi_tcp", Severity.CRITICAL)
    assert words in finding.summary


@pytest.mark.parametrize(
    "files",
    [
        {"/sys/class/iscsi_transport/tcp/handle": "1", "/etc/modprobe.d/x.conf": "blacklist iscsi_tcp\n"},
        {f"/lib/modules/{KERNEL}/modules.dep": DEP},
        {f"/lib/modules/{KERNEL}/modules.dep": DEP.replace(".ko", ".ko.xz")},
        # A file of the same name in /etc hides the one of the distribution.
        {
            f"/lib/modules/{KERNEL}/modules.dep": DEP,
            "/etc/modprobe.d/cis.conf": "# nothing\n",
            "/lib/modprobe.d/cis.conf": "blacklist iscsi_tcp\n",
        },
    ],
)
def test_there_or_loadable(files: dict[str, Any]) -> None:
    result = judge(FakeHost(files=files))
    assert (result.examined, result.findings, result.unexamined) == (1, (), ())


@pytest.mark.parametrize("records", [(), (record(),), (replace(AT_BOOT, transport="iser"),)])
def test_nobody_logs_in_at_boot(records: Any) -> None:
    assert look(records).not_applicable


def test_what_cannot_be_seen_is_unknown() -> None:
    assert look().unexamined  # a container: no folder of modules
    with pytest.raises(CannotLook):
        judge(host(unavailable(Reason.DENIED)))
    with pytest.raises(CannotLook):
        look(unavailable(Reason.DENIED))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("install iscsi_tcp /sbin/modprobe --ignore-install iscsi_tcp && logger x\n", ""),
        ("#blacklist iscsi_tcp\nblacklist iscsi_tcpx\noptions iscsi_tcp debug=1\n", ""),
        ("blacklist \\\n iscsi_tcp\n", "blacklist iscsi_tcp"),
        ("install iscsi_tcp /bin/true", "install iscsi_tcp /bin/true"),
    ],
)
def test_lines_of_modprobe_d(text: str, line: str) -> None:
    assert forbids(text) == line


@given(st.text())
def test_any_text(text: str) -> None:
    assert isinstance(forbids(text), str)
    assert in_modules(text) in (True, False)
    answer = probe(FakeHost(files={f"/lib/modules/{KERNEL}/modules.dep": text, "/etc/modprobe.d/x.conf": text}))
    assert not isinstance(answer, Unavailable)
