"""A secret planted in everything a host answers is in nothing that sctune says: no format, no trace, no capture.

Files, tools' output, arguments of processes and the kernel's log each get it in the notations in which such secrets stand there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sctune.capacity.survey import Question, survey
from sctune.commands.capacity import rendered as what_fits
from sctune.commands.doctor import rendered
from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.exporters.prometheus import log
from sctune.exporters.prometheus.engine import Engine
from sctune.exporters.prometheus.options import Options
from sctune.exporters.prometheus.registry import load as collectors
from sctune.exporters.prometheus.source import Wanted
from sctune.host.answers import Answers
from sctune.host.base import Completed, LogLine, LogLines
from sctune.host.bundle import write_bundle
from sctune.host.capture import CaptureHost
from sctune.host.choose import open_host
from sctune.host.recording import RecordingHost
from sctune.host.tracing import Asked, TracingHost
from sctune.inventory import Inventory
from sctune.probes.cloud_log import ERROR, FAULT_LOGS, NODE_LOG, OUTPUT
from sctune.records import replace
from sctune.registry import load
from sctune.report.format import FailOn, Format, Plain
from sctune.report.html.scene import scene
from sctune.report.trace import Trace
from sctune.unavailable import Unavailable
from tests.unit.test_hostile_answers import ANSWERS, OTHERS, TEXTS

if TYPE_CHECKING:
    from pathlib import Path

    from sctune.host.base import Process
    from sctune.model.report import Report
    from sctune.report.html.scene import Scene

SECRET = "pl4ntedS3cret77"
PARTS = tuple(Inventory.all_parts())
NOTATIONS = (
    f"node.session.auth.password = {SECRET}",
    f"node.session.auth.password_in={SECRET}",
    f"    incominguser volumes {SECRET}",
    f"<target iqn.x:y>\n  outgoinguser = eucalyptus {SECRET}\n</target>",
    f'{{"chap_password": "{SECRET}"}}',
    f"tgtadm --lld iscsi --op new --mode account --user a --password {SECRET}",
    f"root=iscsi:user:{SECRET}@192.0.2.1::3260:1:iqn.x:y",
)
LOGS = (OUTPUT, ERROR, NODE_LOG, *FAULT_LOGS.values())
NAMES = ("storage-controller-faults", "timeouts-aggressive")


def _with_secret(answer: Any) -> Any:
    if isinstance(answer, Unavailable):
        return replace(answer, detail=f"{answer.detail} (password = {SECRET})")
    text = answer.stdout if isinstance(answer, Completed) else answer
    planted = text + "".join(f"\n{line}" for line in NOTATIONS) + "\n"
    return replace(answer, stdout=planted, stderr=planted) if isinstance(answer, Completed) else planted


def _can_hold_one(key: Any) -> bool:
    """An attribute of sysfs is one value; a name of a file that speaks of a password is a name."""
    return not (isinstance(key, str) and key.startswith(("/sys/", "/proc/sys/")))


def _arguments(process: Process) -> Process:
    return replace(process, argv=(*process.argv, "--password", SECRET, f"--secret={SECRET}"))


def _planted_log() -> LogLines:
    said = ("Failed to attach volume vol-391D44BE: ", "Unable to export volume vol-391D44BE ", "ERR-2000 ")
    texts = [f"{head}{line}" for head in said for line in NOTATIONS]
    lines = tuple(LogLine(first=1e12, last=1e12, count=1, text=text) for text in texts)
    return LogLines(lines=lines, begins=1.0, whole=True, size=1, zone="UTC +0000")


def planted(name: str) -> CaptureHost:
    """The recorded host, with the secret in every text. As a host gives it: nothing masks it on the way in."""
    answers = ANSWERS[name]
    kinds: dict[str, Any] = {
        kind: {key: _with_secret(one) if _can_hold_one(key) else one for key, one in getattr(answers, kind).items()}
        for kind in TEXTS
    }
    kinds |= {kind: getattr(answers, kind) for kind in OTHERS}
    table = answers.processes
    kinds["processes"] = tuple(map(_arguments, table)) if isinstance(table, tuple) else table
    kinds["logs"] = {path: _planted_log() for path in LOGS}
    kinds["kernel_log"] = "\n".join(f"[    1.000000] {line}" for line in NOTATIONS)
    return CaptureHost(Answers(identity=answers.identity, clock=answers.clock, source=answers.source, **kinds))


def look(host: Any) -> Report:
    return look_and_draw(host)[0]


def look_and_draw(host: Any) -> tuple[Report, Scene]:
    """The report, and what HTML shows beside it."""
    inventory = Inventory(host, Config(), strict=True)
    report = diagnose(host, Config(), inventory=inventory, strict=True)
    for part in PARTS:
        getattr(inventory, part)
    return report, scene(inventory, report.findings, {code.code: code for _, code in load().codes()})


@pytest.mark.parametrize("name", NAMES)
def test_no_format_and_no_trace_tells_it(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    trace = Trace()
    asked: list[Asked] = []

    def tell(one: Asked) -> None:
        asked.append(one)
        trace.tell(one)

    report, drawn = look_and_draw(TracingHost(planted(name), tell))
    trace.end(load())
    for format in Format:
        for quiet in (False, True):
            data = rendered(report, format, load(), is_terminal=False, fail_on=FailOn.INFO, quiet=quiet, scene=drawn)
            assert SECRET not in data.decode(errors="replace"), format
    out, err = capfd.readouterr()
    assert SECRET not in out + err
    assert len(err.splitlines()) > len(asked) > 100


@pytest.mark.parametrize("name", NAMES)
def test_no_capture_holds_it_and_its_replay_says_the_same(name: str, tmp_path: Path) -> None:
    host = RecordingHost(planted(name))
    report = look(host)
    file = f"{tmp_path}/capture"
    write_bundle(host.answers(), f"{file}.tar.gz")
    again = open_host(f"{file}.tar.gz", None)
    assert isinstance(again, CaptureHost)
    assert SECRET not in repr(again._answers.files) + repr(again._answers.commands) + repr(again._answers)
    assert look(again).findings == report.findings


def test_it_is_really_planted() -> None:
    for name in NAMES:
        answers = planted(name)._answers
        held = [key for kind in TEXTS for key, one in getattr(answers, kind).items() if SECRET in str(one)]
        assert any("iscsid.conf" in str(key) for key in held)
        assert len(held) > 20
        assert SECRET in str(answers.processes)
        assert SECRET in str(answers.kernel_log)
        assert SECRET in str(answers.logs)


@pytest.mark.parametrize("name", NAMES)
def test_no_form_of_what_fits_tells_it(name: str) -> None:
    inventory = Inventory(planted(name), Config(), strict=True)
    capacity = survey(inventory, Question())
    for format in Plain:
        assert SECRET not in what_fits(capacity, inventory, format, is_terminal=False).decode(errors="replace")


@pytest.mark.parametrize("name", NAMES)
def test_no_scrape_and_no_line_of_the_exporters_log_tells_it(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Of all collectors, those that read logs too. The log is told of an answer that was spoilt, in its words."""
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        log.tell(line)

    host = planted(name)
    every = collectors()
    options = Options(on=frozenset(one.name for one in every), deadline=60.0, interval=0.0)
    engine = Engine(every, options, lambda: Inventory(host, Config(), strict=True), tell=tell)
    texts = [engine.scrape(Wanted(timeout=60.0, openmetrics=openmetrics)).decode() for openmetrics in (False, True)]
    assert [text.endswith("# EOF\n") for text in texts] == [False, True]
    assert all(f'success{{collector="{one.name}"}}' in text for one in every for text in texts)
    out, err = capfd.readouterr()
    assert any(SECRET in line for line in told)
    assert len(err.splitlines()) == len(told)
    for text in (*texts, out, err):
        assert SECRET not in text
