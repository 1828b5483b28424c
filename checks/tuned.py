"""tuned: whether its profile is what is in force, and whether something else tunes against it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.device_subject import DeviceSubjects
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.sysctl import decide_knob, knob_of
from sctune.unavailable import known, need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.host.base import Process
    from sctune.model.sysctl import SysctlState
    from sctune.model.tuned import TunedProfile
    from sctune.sysctl import Assignment
    from sctune.tuned import Wanted
    from sctune.tuned_drift import Difference

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
DRIFT = Code(
    code="PROFILE_DRIFT",
    severities=(Severity.WARNING,),
    title="The host is not tuned as its active profile says",
    meaning="tuned has a profile active, and a setting of it is not in force.",
    why="Somebody changed it by hand, the kernel dropped it when a device was probed anew, or tuned failed to set it, which it "
    "says in its log alone. Whoever reads `tuned-adm active` believes in a tuning that is not there.",
    thresholds="Compared are: the kernel settings of SYSCTL_OVERRIDDEN, transparent huge pages (not where the kernel's command "
    "line sets them: tuned gives way), scheduler and read-ahead of disks that are not removable, governors. >N holds from N on, <N "
    "up to N. Not judged: values with variables or functions that only tuned can tell, sections for some machines or devices only, "
    "settings this kernel does not have, loop and device-mapper devices, disks that came through iSCSI.",
    see=("tuned-adm verify; tail /var/log/tuned/tuned.log", "tuned-adm profile_info"),
    remedy="Have tuned apply its profile again, or change the profile if the value in force is meant.",
    risk=Risk.SAFE,
    source="tuned.conf(5), tuned-adm(8) verify; tuned profiles/merger.py, plugins/plugin_sysctl.py, plugin_vm.py, plugin_disk.py, "
    "plugin_cpu.py",
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
        rival = _contradiction(wanted, state)
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


def _contradiction(wanted: Wanted, state: SysctlState) -> Assignment | None:
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
        commands=(f"{comment_out} && {_apply(profile)}    # if the profile is meant",),
    )


def run_drift(look: Look) -> Result:
    """Compares what the profile sets with what is in force."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    profile = need(look.inventory.tuned_profile)
    state = need(look.inventory.sysctl)
    from sctune.tuned import sysctls_of
    from sctune.tuned_drift import of_governors, of_huge_pages

    unexamined = [Unexamined.of(item) for item in (*state.unreadable, *profile.unread)]
    examined = 0
    findings: list[Finding] = []
    for wanted in sysctls_of(profile):
        if wanted.key not in state.live:
            continue
        examined += 1
        if not wanted.met_by(state.live[wanted.key]) and _contradiction(wanted, state) is None:
            subject = Subject(kind=SubjectKind.SETTING, id=wanted.key)
            difference = _of_sysctl(wanted, state.live[wanted.key])
            findings.append(_drifted(subject, (difference,), profile))
    for what, differences in (
        ("transparent_hugepage", of_huge_pages(profile, known(look.inventory.huge_pages))),
        ("scaling_governor", of_governors(profile, known(look.inventory.governors))),
    ):
        examined += len(differences)
        wrong = tuple(item for item in differences if not item.met)
        if wrong:
            findings.append(_drifted(Subject(kind=SubjectKind.SETTING, id=what), wrong, profile))
    for subject, differences in _disks(look, profile):
        examined += 1
        wrong = tuple(item for item in differences if not item.met)
        if wrong:
            findings.append(_drifted(subject, wrong, profile))
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _disks(look: Look, profile: TunedProfile) -> Iterator[tuple[Subject, tuple[Difference, ...]]]:
    """Each disk that a disk section of the profile is for, with what is set there."""
    if not any(unit.type == "disk" for unit in profile.units):
        return
    from sctune.tuned_devices import judged_disks, owner
    from sctune.tuned_drift import of_disk

    subjects = DeviceSubjects(look.inventory)
    for device in judged_disks(need(look.inventory.block)):
        unit = owner(device, profile)
        differences = of_disk(unit, device) if unit is not None else ()
        if differences:
            yield subjects.of(device), differences


def _of_sysctl(wanted: Wanted, now: str) -> Difference:
    from sctune.tuned_drift import Difference

    return Difference(
        setting=wanted.key,
        wanted=wanted.words,
        now=" ".join(now.split()),
        met=False,
        file=wanted.file,
        source=f"/proc/sys/{wanted.key.replace('.', '/')}",
    )


def _drifted(subject: Subject, wrong: tuple[Difference, ...], profile: TunedProfile) -> Finding:
    return DRIFT.found(
        subject,
        "; ".join(f"{item.setting} is {item.now}, tuned's profile {profile.name} says {item.wanted}" for item in wrong),
        evidence(
            profile=profile.name,
            tuner="tuned",
            setting=tuple(item.setting for item in wrong),
            wanted=tuple(item.wanted for item in wrong),
            in_force=tuple(item.now for item in wrong),
            profile_file=tuple(dict.fromkeys(item.file for item in wrong)),
            source=", ".join(dict.fromkeys(item.source for item in wrong)),
        ),
        commands=(_apply(profile),),
    )


def _apply(profile: TunedProfile) -> str:
    return f"tuned-adm profile {' '.join(shlex.quote(name) for name in profile.name.split())}"


_NEEDS = ("chains", "tgt", "lio", "processes", "tuned")
CHECKS = (
    Check(name="tuned-conflict", title="tuned alone tunes this host", codes=(CONFLICT,), needs=_NEEDS, run=run_conflict),
    Check(
        name="tuned-profile",
        title="tuned's active profile is in force",
        codes=(DRIFT,),
        needs=(*_NEEDS, "block", "loops", "dm"),
        run=run_drift,
    ),
)
