"""The kernel settings that volumes depend on: whether what the files ask for is what is in force."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.sysctl import decide, decide_knob, knob_of, same_value
from sctune.unavailable import known, need

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sctune.model.sysctl import SysctlState
    from sctune.sysctl import Assignment, Decided
    from sctune.tuned import Wanted

_FILES = "/etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d /etc/sysctl.conf"

OVERRIDDEN = Code(
    code="SYSCTL_OVERRIDDEN",
    severities=(Severity.INFO, Severity.WARNING),
    title="A kernel setting is not what the file that sets it says",
    meaning="A file of the administrator sets a kernel setting, and another value is in force: a file that is read later sets it "
    "too, nothing reads the file at boot, or somebody changed the running kernel.",
    why="Whoever tuned this host believes in a value that is not there. Where it is the running kernel that differs, the next boot "
    "brings the other value back, long after anybody remembers why.",
    thresholds="Judged are vm.dirty_*, vm.swappiness, fs.aio-max-nr, net.core.{rmem,wmem}_{default,max}, net.core.somaxconn, "
    "net.ipv4.tcp_{rmem,wmem,notsent_lowat,slow_start_after_idle}. Two files of the administrator that set one key are info: "
    "that the later file wins is what sysctl.d is for, and nothing tells whether it was meant. A warning is what no layering "
    "explains: a packaged file (below /usr/lib) that wins over the administrator's; two names of one setting, of which the later "
    "silences the other (vm.dirty_bytes and vm.dirty_ratio, and the background ones); a value in force that the file which "
    "decides does not say. A packaged file that the administrator overrides is no fault, nor is the same value twice. "
    "/etc/sysctl.conf is judged by its own value where nothing applies it. In a container nothing applies these "
    "files, and nothing is judged.",
    see=(
        "/lib/systemd/systemd-sysctl --cat-config    # in the order in which they are applied",
        f"grep -rns 'vm\\.dirty\\|vm\\.swappiness' {_FILES}",
        "sysctl vm.dirty_ratio vm.dirty_bytes vm.swappiness",
    ),
    remedy="Decide which value is meant and leave it in one file only.",
    risk=Risk.SAFE,
    source="sysctl.d(5), systemd src/sysctl/sysctl.c; sysctl(8), sysctl.conf(5) of procps; Linux "
    "Documentation/admin-guide/sysctl/vm.rst (dirty_bytes and dirty_ratio)",
)


def run(look: Look) -> Result:
    """Judges each setting that any file sets, on hosts that serve volumes."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    state = need(look.inventory.sysctl)
    if not state.applied:
        return not_applicable("this is a container: its kernel is the host's, and nothing applies its files")
    if not (state.lines or state.unread_at_boot or state.unreadable):
        return not_applicable("no file sets any of these settings")
    unexamined = tuple(Unexamined.of(item) for item in state.unreadable)
    profile = known(look.inventory.tuned_profile)
    tuner: tuple[Wanted, ...] = ()
    if profile is not None:
        from sctune.tuned import sysctls_of

        tuner = sysctls_of(profile)
    examined = 0
    findings: list[Finding] = []
    for decided in decide(state.lines):
        examined += 1
        # What an active tuned profile sets as well is TUNED_CONFLICT's.
        disputed = any(wanted.key in knob_of(decided.winner.key) for wanted in tuner)
        finding = _by_file(decided, state.live) or (None if disputed or unexamined else _by_hand(decided.winner, state.live))
        if finding is not None:
            findings.append(finding)
    if profile is None:  # tuned applies /etc/sysctl.conf itself
        unread = [item for item in decide(state.unread_at_boot) if decide_knob(state.lines, knob_of(item.winner.key)) is None]
        examined += len(unread)
        findings += [found for item in unread if (found := _never_read(item.winner, state)) is not None]
    return Result(examined=examined, findings=tuple(findings), unexamined=unexamined)


def _by_file(decided: Decided, live: Mapping[str, str]) -> Finding | None:
    """An administrator's line that a later file overrides, and does so by what is in force.

    The line that wins is the administrator's last word, and what it overrides may well be meant to be overridden: info. It is not
    his word where a package has it, nor does anybody see it in the files where it goes by another name.
    """
    winner = decided.winner
    if not _in_force(winner, live):
        return None  # some other order than ours, or somebody's hand
    for loser in reversed(decided.losers):
        if loser.line.vendor or (loser.line.file == winner.line.file and loser.key == winner.key):
            continue  # what the administrator's files are for; a line that was corrected further down
        layered = loser.key == winner.key and not winner.line.vendor
        return OVERRIDDEN.found(
            Subject(kind=SubjectKind.SETTING, id=loser.key),
            f"{loser.line.place} sets {loser.key} to {loser.value}, and {winner.line.place}, which is applied later, sets "
            f"{winner.key} to {winner.value}",
            evidence(
                setting=loser.key,
                value=loser.value,
                file=loser.line.place,
                overridden_by=winner.line.place,
                its_setting=winner.key,
                its_value=winner.value,
                in_force=live.get(loser.key),
                source="sysctl.d",
            ),
            severity=Severity.INFO if layered else Severity.WARNING,
            commands=(
                f"{_comment_out(loser)}    # if {winner.value} is meant",
                f"{_give_way(winner, loser)} && sysctl -w {_set(loser)}    # if {loser.value} is meant",
            ),
        )
    return None


def _by_hand(winner: Assignment, live: Mapping[str, str]) -> Finding | None:
    """A setting that has another value than the file that decides about it says."""
    if winner.key not in live or _in_force(winner, live):
        return None
    now = live[winner.key]
    other = next((key for key in knob_of(winner.key) if key != winner.key and live.get(key, "0") != "0"), None)
    instead = f"{winner.key} is {now}" if other is None else f"{other} is {live[other]}"
    return OVERRIDDEN.found(
        Subject(kind=SubjectKind.SETTING, id=winner.key),
        f"{instead}, but {winner.line.place} sets {winner.key} to {winner.value}: changed since boot, or that line never applied",
        evidence(
            setting=winner.key,
            value=winner.value,
            file=winner.line.place,
            in_force=now,
            source=f"/proc/sys/{winner.key.replace('.', '/')}",
        ),
        severity=Severity.WARNING,
        remedy="Apply the file, or correct it if the value in force is meant: after a boot the file's counts.",
        commands=(f"sysctl -w {_set(winner)}",),
    )


def _never_read(line: Assignment, state: SysctlState) -> Finding | None:
    """A line of /etc/sysctl.conf that is not in force, where systemd-sysctl does not read that file."""
    if line.key not in state.live or _in_force(line, state.live):
        return None
    return OVERRIDDEN.found(
        Subject(kind=SubjectKind.SETTING, id=line.key),
        f"{line.line.place} sets {line.key} to {line.value}, but systemd does not read that file, and {line.key} is "
        f"{state.live[line.key]}",
        evidence(
            setting=line.key,
            value=line.value,
            file=line.line.place,
            in_force=state.live[line.key],
            source="no link in /etc/sysctl.d leads to /etc/sysctl.conf",
        ),
        severity=Severity.WARNING,
        remedy="Let systemd read the file as well, or move the line into a file in /etc/sysctl.d.",
        commands=("ln -s ../sysctl.conf /etc/sysctl.d/99-sysctl.conf", f"sysctl -w {_set(line)}"),
    )


def _in_force(line: Assignment, live: Mapping[str, str]) -> bool:
    return line.key in live and same_value(live[line.key], line.value)


def _set(line: Assignment) -> str:
    return shlex.quote(f"{line.key}={line.value}")


def _give_way(winner: Assignment, loser: Assignment) -> str:
    """What makes the earlier line win: a package's file is not edited, but outdone by one that comes after it."""
    if winner.line.vendor:
        return f"printf '%s\\n' {_set(loser)} > {shlex.quote(f'/etc/sysctl.d/zz-{loser.key}.conf')}"
    return _comment_out(winner)


def _comment_out(line: Assignment) -> str:
    return f"sed -i --follow-symlinks '{line.line.line}s/^/# /' {shlex.quote(line.line.file)}"


CHECKS = (
    Check(
        name="sysctl",
        title="Kernel settings are what their files say",
        codes=(OVERRIDDEN,),
        needs=("chains", "tgt", "lio", "processes"),
        run=run,
    ),
)
