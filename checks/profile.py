"""Whether a profile that was applied to this host, by sctune or by tuned, is what is in force."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.checks.tuned import activate, contradiction
from sctune.device_subject import DeviceSubjects
from sctune.findings import Code, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.unavailable import CannotLook, Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sctune.model.applied import Drift, Transaction
    from sctune.model.tuned import TunedProfile
    from sctune.tuned import Wanted
    from sctune.tuned_drift import Difference

_UNDER_WAY = 60.0
"""Seconds in which a transaction that has not come to its end may still be at work."""

DRIFT = Code(
    code="PROFILE_DRIFT",
    severities=(Severity.WARNING,),
    title="The host is not tuned as its profile says",
    meaning="A profile was applied to this host, by sctune or by tuned, and a setting of it is not in force.",
    why="Somebody changed it by hand, the kernel dropped it when a device was probed anew, a file that kept it was changed or "
    "removed, or tuned failed to set it, which it says in its log alone. Whoever reads `sctune history` or `tuned-adm "
    "active` believes in a tuning that is not there.",
    thresholds="Of sctune's profiles: every value, file and line that `sctune apply-profile` left and that is not rolled back; of "
    "several transactions that set one thing the last counts, and what was set on devices or sessions that are gone is not "
    "judged. Of tuned's active profile, on hosts that serve volumes: the kernel settings of SYSCTL_OVERRIDDEN, transparent "
    "huge pages (not where the kernel's command line sets them: tuned gives way), scheduler and read-ahead of disks that "
    "are not removable, governors. >N holds from N on, <N up to N. Not judged: values with variables or functions that only"
    " tuned can tell, sections for some machines or devices only, settings this kernel does not have, loop and device-"
    "mapper devices, disks that came through iSCSI.",
    see=(
        "sctune history",
        "cat /var/lib/sctune/applied.json",
        "tuned-adm verify; tail /var/log/tuned/tuned.log",
    ),
    remedy="Apply the profile again, or roll it back if the value in force is meant; of tuned's, have tuned apply it again or "
    "change it.",
    risk=Risk.SAFE,
    source="/var/lib/sctune/applied.json; tuned.conf(5), tuned-adm(8) verify; tuned profiles/merger.py, plugins/plugin_sysctl.py, "
    "plugin_vm.py, plugin_disk.py, plugin_cpu.py",
)
INTERRUPTED = Code(
    code="PROFILE_INTERRUPTED",
    severities=(Severity.WARNING,),
    title="A profile was applied or rolled back by half",
    meaning="`sctune apply-profile` or `sctune rollback` was broken off: killed, or the power went.",
    why="The machine is neither as it was nor as it was to be, and what it was like before is known to the journal alone. "
    "sctune refuses to apply anything until that is settled.",
    thresholds="A transaction that has neither come to its end nor been undone wholly for longer than 60 s.",
    see=("sctune history", "cat /var/lib/sctune/applied.json"),
    remedy="Roll the transaction back: that restores what it changed, also after a reboot.",
    risk=Risk.SAFE,
    source="/var/lib/sctune/applied.json, docs/tuning-journal.md",
)


def run(look: Look) -> Result:
    """Judges what sctune left, then what tuned's active profile says; one that is not there is no failure of the other."""
    results: list[Result] = []
    absent: list[str] = []
    unexamined: list[Unexamined] = []
    for half in (of_sctune, of_tuned):
        try:
            result = half(look)
        except CannotLook as error:
            if error.unavailable.reason is Reason.ABSENT:
                absent.append("nothing is applied by sctune" if half is of_sctune else "no profile of tuned is active")
            else:
                unexamined.append(Unexamined.of(error.unavailable))
            continue
        if result.not_applicable is not None:
            absent.append(result.not_applicable)
        else:
            results.append(result)
    if not results and not unexamined:
        return not_applicable("; ".join(absent))
    findings: dict[tuple[str, Subject], Finding] = {}
    for finding in (finding for result in results for finding in result.findings):
        findings.setdefault((finding.code, finding.subject), finding)
    return Result(
        examined=sum(result.examined for result in results),
        findings=tuple(findings.values()),
        unexamined=(*unexamined, *(one for result in results for one in result.unexamined)),
    )


def of_sctune(look: Look) -> Result:
    """Judges what `sctune apply-profile` left, by its own record."""
    applied = need(look.inventory.applied)
    if not applied.transactions:
        return not_applicable("nothing is applied by sctune")
    broken = [one for one in applied.transactions if not one.whole and look.inventory.clock.now - one.time > _UNDER_WAY]
    findings = [_interrupted(one) for one in broken]
    by_subject: dict[Subject, list[Drift]] = {}
    subjects = _Subjects(look)
    for drift in applied.drifted:
        by_subject.setdefault(subjects.of(drift), []).append(drift)
    findings += [_left(subject, tuple(drifts)) for subject, drifts in by_subject.items()]
    return Result(
        examined=len(applied.transactions) + len(applied.conforming) + len(applied.drifted),
        findings=tuple(findings),
        unexamined=tuple(Unexamined.of(answer) for _, answer in applied.unread),
    )


class _Subjects:
    """The lasting names of what was set: a disk's where it was a disk's."""

    def __init__(self, look: Look) -> None:
        self._inventory = look.inventory
        self._names: DeviceSubjects | None = None

    def of(self, drift: Drift) -> Subject:
        """What a finding about a setting is about."""
        setting = Subject(kind=SubjectKind.SETTING, id=drift.setting)
        parts = drift.path.split("/")
        if parts[:3] != ["", "sys", "block"] or len(parts) < 4:
            return setting
        devices = known(self._inventory.devices) or ()
        device = next((one for one in devices if one.name == parts[3]), None)
        if device is None or isinstance(self._inventory.chains, Unavailable):
            return setting
        self._names = self._names or DeviceSubjects(self._inventory)
        return self._names.of(device)


def _interrupted(transaction: Transaction) -> Finding:
    return INTERRUPTED.found(
        Subject(kind=SubjectKind.SETTING, id=f"transaction {transaction.number}"),
        f"transaction {transaction.number}, of the profile {transaction.profile}, was broken off: it is {transaction.state}",
        evidence(
            transaction=transaction.number,
            profile=transaction.profile,
            state=transaction.state,
            source="/var/lib/sctune/applied.json",
        ),
        commands=(f"sctune rollback {transaction.number}",),
    )


def _left(subject: Subject, drifts: tuple[Drift, ...]) -> Finding:
    by = drifts[-1].by
    lost = " (it was applied with --live-only: a boot takes it away)" if by.live_only else ""
    wanted = "; ".join(f"{one.setting} is {one.now}, the profile {one.by.profile} says {one.wanted}" for one in drifts)
    return DRIFT.found(
        subject,
        f"{wanted}{lost}",
        evidence(
            profile=by.profile,
            tuner="sctune",
            setting=tuple(one.setting for one in drifts),
            wanted=tuple(one.wanted for one in drifts),
            in_force=tuple(one.now for one in drifts),
            transaction=by.number,
            source=", ".join(dict.fromkeys(one.path for one in drifts)),
        ),
        commands=tuple(_again(one) for one in dict.fromkeys(drift.by for drift in drifts)),
    )


def _again(transaction: Transaction) -> str:
    """The command that applies the profile once more, as it was applied."""
    options = [f"--set {shlex.quote(value)}" if name == "set" else f"--{name}" for name, value in transaction.options]
    return " ".join(["sctune apply-profile", shlex.quote(transaction.profile), *options])


def of_tuned(look: Look) -> Result:
    """Compares what tuned's active profile sets with what is in force."""
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
        if not wanted.met_by(state.live[wanted.key]) and contradiction(wanted, state) is None:
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
        commands=(activate(profile),),
    )


CHECKS = (
    Check(
        name="profile",
        title="The applied profile is in force",
        codes=(DRIFT, INTERRUPTED),
        needs=("applied", "chains", "tgt", "lio", "processes", "tuned", "block", "loops", "dm"),
        run=run,
    ),
)
