"""Whether tgtd serves what is configured, and would serve after a restart what it serves now."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from sctune.backends.choose import CINDER, candidates
from sctune.both_targets import both, lio_of
from sctune.chain_lio import FOLDER
from sctune.check import Check, Result, Unexamined, not_applicable
from sctune.cinder_lio import without_lv
from sctune.findings import Code, Risk, Severity, Subject, SubjectKind, evidence
from sctune.paths import normalise
from sctune.tgt_process import tgtadm
from sctune.unavailable import Reason, Unavailable, need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.check import Look
    from sctune.findings import Finding
    from sctune.model.chain import Chains
    from sctune.model.lio import LioTarget
    from sctune.model.lio_saved import SavedTarget
    from sctune.model.target import PersistedTarget, Target

TARGET_CONFIG_DRIFT = Code(
    code="TARGET_CONFIG_DRIFT",
    severities=(Severity.WARNING,),
    title="What a target serves is not what is configured",
    meaning="A target differs between the running tgtd and targets.conf with what it includes: it is in one of them alone, or its "
    "disks, the initiators it lets in or its account differ. Or so between LIO and saveconfig.json, of which it is made at boot, "
    "or a device that this names is not there.",
    why="tgtd forgets all when it stops, and tgt-admin makes what is configured. After the next restart initiators find another "
    "target than now: none, one with other disks, or one that does not let them in, or that lets everybody in. "
    "What LIO's restore could not make, as a device was not there yet, it leaves out with a word in the journal; the next save "
    "then writes the rest, and the target is forgotten.",
    thresholds="tgtd on control port 0 against a configuration that has a target at all. Compared: which targets there are, paths "
    "of their disks, addresses and names (none configured: ALL), and whether an account is bound that is not configured (the "
    "other way round is TARGET_CHAP_MISSING). Not judged: targets of Eucalyptus, which are made by tgtadm alone and written "
    "nowhere; which targets of Cinder there are (CINDER_TARGET_DRIFT); a target without any disk (TARGET_LUN_MISSING); a host "
    "where nothing is configured. LIO: targets, LUNs with their backstores, initiators, authentication and demo mode; the devices "
    "and files of what is saved. Not of LIO: a target of Cinder's whose volume has no LV any more (CINDER_TARGET_DRIFT), or that "
    "does not authenticate (TARGET_CHAP_MISSING). Seen twice.",
    see=(
        "ls /etc/rtslib-fb-target/saveconfig.json /etc/target/saveconfig.json   # holds secrets",
        "ls -d /sys/kernel/config/target/core/*/*/ /sys/kernel/config/target/iscsi/*/tpgt_*/lun/*",
        "tgt-admin --dump",
        "tgt-admin --show",
        "grep -rn '<target' /etc/tgt",
    ),
    remedy="Decide which of the two is meant. tgt-admin --update makes a target as configured, and refuses while initiators use "
    "it; tgt-admin --dump prints what runs in the form of targets.conf (without secrets).",
    risk=Risk.DISRUPTIVE,
    source="tgt-admin(8), targets.conf(5); cinder volume/targets/tgt.py (a file a volume); rtslib root.py "
    "(restore, save_to_file), tried; cinder cmd/rtstool.py",
    confirm=True,
)


def lio_drift(look: Look) -> Result:
    """What LIO serves against saveconfig.json."""
    inventory = look.inventory
    lio = lio_of(look)
    saved = need(inventory.lio_saved)
    if not saved.targets:
        return not_applicable(f"{saved.file} configures no target")
    chains = need(inventory.chains)
    wanted = {(item.iqn, item.tag): item for item in saved.targets}
    live = {(target.iqn, target.tag): target for target in lio.targets}
    gone = {
        (store.plugin, store.name): store.path
        for store in saved.backstores
        if isinstance(store.stat, Unavailable) and store.stat.reason is Reason.ABSENT
    }
    stats = [store.stat for store in saved.backstores]
    unseen = [stat for stat in stats if isinstance(stat, Unavailable) and stat.reason is not Reason.ABSENT]
    findings: list[Finding] = []
    without = without_lv(inventory)
    for key in dict.fromkeys((*wanted, *live)):
        if CINDER.target_volume(key[0]) in without:
            continue  # CINDER_TARGET_DRIFT
        target, item = live.get(key), wanted.get(key)
        lost = tuple(path for _, *store in (item.luns if item else ()) if (path := gone.get((store[0], store[1]))))
        if target is None:
            differences: tuple[str, ...] = ("saved, and not served",)
        elif item is None:
            differences = ("served, and not saved",)
        else:
            differences = _lio_differences(target, item)
        if differences or lost:
            subject = Subject(kind=SubjectKind.TARGET, id=key[0]) if target is None else chains.subject_of_target(target)
            sessions = len(target.nexuses) if target is not None else 0
            words = f"{key[0]}: {'; '.join((*differences, *(f'{path} is not there' for path in lost)))}"
            findings.append(
                TARGET_CONFIG_DRIFT.found(
                    subject,
                    words,
                    evidence(
                        differences=differences,
                        missing_backing=lost,
                        configured_in=saved.file,
                        sessions=sessions,
                        source=f"{FOLDER}, {saved.file}",
                    ),
                    commands=(
                        f"cp -p {saved.file} /root/",
                        f"ls -l {FOLDER}/iscsi/{quote(key[0])}/tpgt_*/lun/*",
                        f"ls {FOLDER}/core/*",
                    ),
                    remedy=_LIO_REMEDY,
                )
            )
    return Result(examined=len(wanted.keys() | live.keys()), findings=tuple(findings), unexamined=tuple(map(Unexamined.of, unseen)))


def _lio_differences(target: LioTarget, saved: SavedTarget) -> tuple[str, ...]:
    found: list[str] = []
    luns = sorted(
        (lun.number, lun.backstore.plugin, lun.backstore.name) if lun.backstore is not None else (lun.number, "", "nothing")
        for lun in target.luns
    )
    if luns != list(saved.luns):
        found.append(f"LUNs {_list(map(_lun_words, luns))}, saved {_list(map(_lun_words, saved.luns))}")
    initiators = sorted(acl.initiator for acl in target.acls)
    if [name.casefold() for name in initiators] != [name.casefold() for name in saved.initiators]:
        found.append(f"lets in {_list(initiators)}, saved {_list(saved.initiators)}")
    for name, now, then in (
        ("authentication", target.authentication, saved.authentication),
        ("generate_node_acls", target.generate_acls, saved.generate_acls),
    ):
        # A target of Cinder's that does not authenticate is TARGET_CHAP_MISSING.
        if name == "authentication" and now is False and CINDER.is_target(target.iqn):
            continue
        if None not in (now, then) and now is not then:
            found.append(f"{name} {now:d}, saved {then:d}")
    return tuple(found)


def _lun_words(lun: tuple[int, str, str]) -> str:
    number, plugin, name = lun
    return f"{number}: {plugin}/{name}" if plugin else f"{number}: {name}"


_LIO_REMEDY = (
    "Copy saveconfig.json away first: whoever saves next (targetcli when it ends, Cinder when it attaches a volume) writes what "
    "runs now, and what the restore left out is lost for good. If what runs is meant, save it (targetcli saveconfig). If what is "
    "saved is meant: bring missing devices back (activate the LVs), then make target, LUN and ACLs as saved; targetctl restore "
    "does so and ends every session of LIO."
)


def tgt_drift(look: Look) -> Result:
    """The running targets against the configured ones."""
    inventory = look.inventory
    tgt = need(inventory.tgt)
    configuration = need(inventory.tgt_configuration)
    if not configuration.targets:
        return not_applicable("targets.conf and what it includes configure no target")
    main = next((daemon for daemon in tgt.daemons if daemon.control_port == 0), None)
    unexamined = [Unexamined.of(item) for item in tgt.unanswered]
    if main is None:
        return Result(examined=0, unexamined=tuple(unexamined)) if unexamined else not_applicable("no tgtd on control port 0")
    chains = need(inventory.chains)
    unexamined += [
        Unexamined(what=file, reason=Reason.FAILED, detail="part of tgt's configuration, and could not be read")
        for file in configuration.unread
    ]
    wanted = {item.iqn: item for item in configuration.targets}
    live = {target.iqn: target for target in main.targets}
    findings: list[Finding] = []
    examined = 0
    for iqn in dict.fromkeys((*wanted, *live)):
        target, persisted = live.get(iqn), wanted.get(iqn)
        if target is not None and persisted is None and (configuration.unread or not _persists(target, chains)):
            continue
        if (target is None or persisted is None) and CINDER.is_target(iqn):
            continue
        examined += 1
        if target is None:
            differences: tuple[str, ...] = ("configured, and not served",)
        elif persisted is None:
            differences = ("served, and not configured",)
        else:
            differences = _differences(target, persisted)
        if differences:
            findings.append(_finding(iqn, target, persisted, differences, chains))
    return Result(examined=examined, findings=tuple(findings), unexamined=tuple(unexamined))


def _persists(target: Target, chains: Chains) -> bool:
    """Whether whoever made the target keeps it in a file. A cloud that does not is known by its targets' or volumes' names."""
    named = (backend for backend in candidates(configured=None, cloud=None, lvs=()) if backend.is_target(target.iqn))
    if any(not backend.persists_targets for backend in named):
        return False
    served = [chains.by_export.get((target.iqn, lun.number)) for lun in target.disks]
    return all(chain.backend.persists_targets for chain in served if chain is not None and chain.ours)


def _differences(target: Target, persisted: PersistedTarget) -> tuple[str, ...]:
    found: list[str] = []
    if target.disks:
        paths = sorted(normalise(lun.backing_path) for lun in target.disks)
        if paths != sorted(normalise(path) for path in persisted.backing_paths):
            found.append(f"disks {_list(paths)}, configured {_list(persisted.backing_paths)}")
    # tgt-admin binds ALL where no address is given, whether or not names are.
    allowed = {*(persisted.initiator_addresses or ("ALL",)), *persisted.initiator_names}
    # Several in one line, or anything else that is more than one word, is tgt-admin's to read.
    if not any(len(word.split()) != 1 or "," in word for word in allowed) and set(target.acls) != allowed:
        found.append(f"lets in {_list(target.acls)}, configured {_list(sorted(allowed))}")
    if target.accounts and not persisted.chap:
        found.append("asks for CHAP, which is not configured")
    return tuple(found)


def _list(items: Iterable[str]) -> str:
    return ", ".join(items) or "none"


def _finding(
    iqn: str, target: Target | None, persisted: PersistedTarget | None, differences: tuple[str, ...], chains: Chains
) -> Finding:
    subject = Subject(kind=SubjectKind.TARGET, id=iqn) if target is None else chains.subject_of_target(target)
    return TARGET_CONFIG_DRIFT.found(
        subject,
        f"{iqn}: {'; '.join(differences)}",
        evidence(
            differences=differences,
            configured_in=persisted.file if persisted is not None else "",
            sessions=len(target.nexuses) if target is not None else 0,
            source=f"{tgtadm(0)} --mode target --op show, targets.conf",
        ),
        commands=("tgt-admin --dump",) if persisted is None else (f"tgt-admin --pretend --update {quote(iqn)}",),
    )


CHECKS: tuple[Check, ...] = (
    Check(
        name="target-drift",
        title="Targets are as they are configured",
        codes=(TARGET_CONFIG_DRIFT,),
        needs=("tgt", "tgt_configuration", "chains", "lio_state", "lio_saved", "lvm", "block"),
        run=both(tgt_drift, lio_drift),
    ),
)
