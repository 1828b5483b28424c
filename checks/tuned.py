"""tuned: whether something else tunes against it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.sysctl import decide_knob, knob_of
from sctune.unavailable import known, need

if TYPE_CHECKING:
    from sctune.host.base import Process
    from sctune.model.sysctl import SysctlState
    from sctune.model.tuned import TunedProfile
    from sctune.sysctl import Assignment
    from sctune.tuned import Wanted

# Files that tuned itself applies after its profile (reapply_sysctl), which are the administrator's.
_REAPPLIED = ("/run/sysctl.d/", "/etc/sysctl.d/", "/etc/sysctl.conf")
_SERVICES = {"power-profiles-": "power-profiles-daemon", "auto-cpufreq": "auto-cpufreq", "bpftune": "bpftune", "atuned": "atuned"}

CONFLICT = Code(
    code="TUNED_CONFLICT",
    severities=(Severity.WARNING,),
    title="Two tuners want different things",
    meaning="tuned's active profile sets a kernel setting, and a file of sysctl.d sets it to something else; or another daemon "
    "that tunes the host runs beside tuned.",
    why="Who comes last wins, and nobody sees it: tuned applies the administrator's files after its profile unless "
    "reapply_sysctl=0, and says so in its log alone. `tuned-adm profile` exits with 0 all the same, and what was measured with the "
    "profile is not what runs.",
    thresholds="A setting (those of SYSCTL_OVERRIDDEN) that the active profile and a file in /etc/sysctl.d or /run/sysctl.d, or "
    "/etc/sysctl.conf, set differently; vm.dirty_bytes and vm.dirty_ratio are one setting. Packaged files below /usr/lib give way "
    "to tuned and are no conflict. Daemons: power-profiles-daemon, auto-cpufreq, bpftune, atuned.",
    see=(
        "tuned-adm active && tuned-adm verify",
        "grep -i overriding /var/log/tuned/tuned.log",
        "grep -rns 'vm\\.dirty\\|vm\\.swappiness' /etc/sysctl.d /run/sysctl.d /etc/sysctl.conf /etc/tuned /usr/lib/tuned",
    ),
    remedy="Decide which of the two is meant. What differs from a packaged profile belongs in a profile of one's own that includes "
    "it, in /etc/tuned.",
    risk=Risk.SAFE,
    source="tuned-main.conf(5) (reapply_sysctl); tuned plugins/plugin_sysctl.py, tuned.service (Conflicts=)",
)


def run_conflict(look: Look) -> Result:
    """Judges each setting of the profile that sysctl's files set too, and who else tunes."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    tuned = need(look.inventory.tuned)
    others = need(look.inventory.processes).tuners if tuned.running else ()
    findings = [_rival(process) for process in others]
    answer = look.inventory.tuned_profile
    profile = need(answer) if not findings else known(answer)
    state = need(look.inventory.sysctl)
    from sctune.tuned import sysctls_of  # few hosts have a profile, and every run loads this module

    settings = sysctls_of(profile)
    for wanted in settings if profile is not None else ():
        rival = contradiction(wanted, state)
        if rival is not None and profile is not None:
            findings.append(_disputed(wanted, rival, state, profile))
    unexamined = tuple(Unexamined.of(item) for item in (*state.unreadable, *(profile.unread if profile is not None else ())))
    return Result(examined=len(settings) + 1, findings=tuple(findings), unexamined=unexamined)


def _rival(process: Process) -> Finding:
    service = _SERVICES[process.name]
    return CONFLICT.found(
        Subject(kind=SubjectKind.PROCESS, id=service),
        f"{service} runs beside tuned: both set governors or kernel settings, and the later one wins",
        evidence(process=service, source="process table"),
        remedy="Keep one of the two. tuned has a service that answers to the desktop in place of power-profiles-daemon: tuned-ppd."
        if service == "power-profiles-daemon"
        else "Keep one of the two.",
        commands=(f"systemctl disable --now {service}",),
    )


def contradiction(wanted: Wanted, state: SysctlState) -> Assignment | None:
    """The administrator's line that says something else than the profile, if any."""
    knob = knob_of(wanted.key)
    files = [line for line in (*state.lines, *state.unread_at_boot) if line.file.startswith(_REAPPLIED)]
    decided = decide_knob(files, knob)
    if decided is None or (decided.winner.key == wanted.key and wanted.met_by(decided.winner.value)):
        return None
    return decided.winner


def _disputed(wanted: Wanted, rival: Assignment, state: SysctlState, profile: TunedProfile) -> Finding:
    now = state.live.get(rival.key)
    in_force = f"{rival.key} is {now}" if now is not None else ""
    comment_out = f"sed -i --follow-symlinks '{rival.line.line}s/^/# /' {shlex.quote(rival.line.file)}"
    return CONFLICT.found(
        Subject(kind=SubjectKind.SETTING, id=wanted.key),
        f"tuned's profile {profile.name} sets {wanted.key} to {wanted.words}, {rival.line.place} sets {rival.key} to {rival.value}"
        + (f": {in_force} now" if in_force else ""),
        evidence(
            setting=wanted.key,
            profile=profile.name,
            profile_value=wanted.words,
            profile_file=wanted.file,
            file=rival.line.place,
            file_setting=rival.key,
            file_value=rival.value,
            in_force=now,
            reapply_sysctl=profile.reapply_sysctl,
            source="tuned.conf and sysctl.d",
        ),
        commands=(f"{comment_out} && {activate(profile)}    # if the profile is meant",),
    )


def activate(profile: TunedProfile) -> str:
    """The command that has tuned apply its profile again."""
    return f"tuned-adm profile {' '.join(shlex.quote(name) for name in profile.name.split())}"


CHECKS = (
    Check(
        name="tuned-conflict",
        title="tuned alone tunes this host",
        codes=(CONFLICT,),
        needs=("chains", "tgt", "lio", "processes", "tuned"),
        run=run_conflict,
    ),
)
