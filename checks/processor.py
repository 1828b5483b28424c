"""Settings of processors and memory management that cost a storage host latency: CPU governors, transparent huge pages."""

from __future__ import annotations

from sctune.check import Check, Look, Result, not_applicable
from sctune.findings import Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.serving import NOT_SERVING, serves_volumes
from sctune.unavailable import need

# Drivers in whose powersave the processor chooses its own frequency, led by a preference.
_SELF_GOVERNED = frozenset({"intel_pstate", "amd-pstate-epp"})
_GOVERNOR_FILES = "/sys/devices/system/cpu/cpu*/cpufreq"
_THP = "/sys/kernel/mm/transparent_hugepage"

POWERSAVE = Code(
    code="CPU_GOVERNOR_POWERSAVE",
    severities=(Severity.INFO, Severity.WARNING),
    title="Processors save power instead of serving volumes",
    meaning="The governor powersave rules some of the processors.",
    why="All network I/O of a tgtd goes through one thread, in short bursts. With acpi-cpufreq, powersave holds the processor at "
    "its lowest frequency whatever the load; with intel_pstate and amd-pstate it lets it climb only after a while of load, longer "
    "than a request takes.",
    thresholds="The governor powersave on any processor; with intel_pstate and amd-pstate (active mode) not where "
    "energy_performance_preference is performance. Not applicable without cpufreq, as in most virtual machines.",
    see=(f"grep . {_GOVERNOR_FILES}/scaling_governor {_GOVERNOR_FILES}/energy_performance_preference", "cpupower frequency-info"),
    remedy="Choose the governor performance, and keep it by the service of cpupower or a profile of tuned "
    "(throughput-performance). It costs power.",
    risk=Risk.SAFE,
    source="Linux Documentation/admin-guide/pm/cpufreq.rst, intel_pstate.rst, amd-pstate.rst; tuned's profile "
    "throughput-performance",
    advice=True,
)
THP_MODE = Code(
    code="THP_MODE",
    severities=(Severity.INFO, Severity.WARNING),
    title="Huge pages are made for programs that did not ask",
    meaning="Transparent huge pages are set to always.",
    why="The page cache of volumes leaves memory in small pieces. Putting 2 MiB together of them moves pages about while I/O "
    "waits, and no part of serving volumes gains by it. tuned's storage profiles set it until 2.4 and gave it up since.",
    thresholds="always in transparent_hugepage/enabled. madvise and never are both fine: programs that gain by huge pages ask for "
    "them (madvise(2)).",
    see=(f"cat {_THP}/enabled {_THP}/defrag", "grep -E 'thp_fault_alloc|compact_stall' /proc/vmstat"),
    remedy="Set it to madvise, which acts on what is allocated from then on, and keep it by tmpfiles.d. A profile of tuned that "
    "sets transparent_hugepages sets it back.",
    risk=Risk.SAFE,
    source="Linux Documentation/admin-guide/mm/transhuge.rst; tuned commit e2f86d4 (removed from throughput-performance)",
    advice=True,
)


def run_governor(look: Look) -> Result:
    """Judges the governors."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    cpus = need(look.inventory.governors)
    if not cpus.governors:
        return not_applicable("the kernel does not set processors' frequency here (no cpufreq), as in most virtual machines")
    by_itself = bool(cpus.drivers) and _SELF_GOVERNED.issuperset(cpus.drivers)
    if "powersave" not in cpus.governors or (by_itself and cpus.preferences == ("performance",)):
        return Result(examined=cpus.cpus)
    if by_itself:
        preferred = f" with the preference {', '.join(cpus.preferences)}" if cpus.preferences else ""
        why = f"{', '.join(cpus.drivers)} raises the frequency only after a while of load{preferred}"
    else:
        why = "it holds them at their lowest frequency"
    finding = POWERSAVE.found(
        Subject(kind=SubjectKind.SETTING, id="scaling_governor"),
        f"processors have the governor powersave: {why}",
        evidence(
            governors=cpus.governors,
            driver=cpus.drivers,
            energy_performance_preference=cpus.preferences,
            source=f"{_GOVERNOR_FILES}/scaling_governor",
        ),
        severity=Severity.WARNING if POWERSAVE.code in look.config.wanted else Severity.INFO,
        commands=(f"echo performance | tee {_GOVERNOR_FILES}/scaling_governor",),
    )
    return Result(examined=cpus.cpus, findings=(finding,))


def run_huge_pages(look: Look) -> Result:
    """Judges the mode of transparent huge pages."""
    if not need(serves_volumes(look.inventory)):
        return not_applicable(NOT_SERVING)
    pages = need(look.inventory.huge_pages)
    if pages.enabled != "always":
        return Result(examined=1)
    asked = pages.at_boot == "always"
    finding = THP_MODE.found(
        Subject(kind=SubjectKind.SETTING, id="transparent_hugepage"),
        "transparent huge pages are made for every program, which moves memory about while I/O waits",
        evidence(enabled=pages.enabled, defrag=pages.defrag, at_boot=pages.at_boot, source=f"{_THP}/enabled"),
        severity=Severity.WARNING if THP_MODE.code in look.config.wanted else Severity.INFO,
        commands=(
            f"echo madvise > {_THP}/enabled",
            f"printf '%s\\n' 'w {_THP}/enabled - - - - madvise' > /etc/tmpfiles.d/transparent-hugepage.conf",
        ),
        remedy=THP_MODE.remedy + " The kernel's command line asks for it as well: take transparent_hugepage=always out there."
        if asked
        else None,
    )
    return Result(examined=1, findings=(finding,))


CHECKS = (
    Check(
        name="cpu-governor",
        title="CPU frequency governors",
        codes=(POWERSAVE,),
        needs=("chains", "tgt", "lio", "processes"),
        run=run_governor,
    ),
    Check(
        name="huge-pages",
        title="Transparent huge pages",
        codes=(THP_MODE,),
        needs=("chains", "tgt", "lio", "processes"),
        run=run_huge_pages,
    ),
)
