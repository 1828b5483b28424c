"""Volumes and snapshots against the quotas they were promised under, all in logical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.account_quota import account_use
from sctune.check import Check, Look, Result, Unexamined, not_applicable
from sctune.findings import HOST, Code, Evidence, Finding, Risk, Severity, Subject, SubjectKind, evidence
from sctune.model.store import StoreOrigin
from sctune.model.units import GIB, size_words
from sctune.quota import (
    SNAPSHOTS,
    TOTAL,
    VOLUME,
    Limit,
    Limits,
    Usage,
    limits,
    logical_size,
    partitions_of,
    properties_source,
    snapshots_used,
    tools_of,
    volumes_used,
)
from sctune.serving import need_sight_of_volumes
from sctune.unavailable import Reason, Unavailable, known, need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sctune.account_quota import AccountUse
    from sctune.model.chain import Chain

_SOURCE = (
    "Eucalyptus StorageInfo.java and DirectStorageInfo.java (maxtotalvolumesizeingb, maxvolumesizeingb), "
    "the snapshot manager (storage.global_total_snapshot_size_limit_gb); Eucalyptus Administration Guide, storage properties"
)
_SEE = (
    f"euctl | grep -E '{TOTAL}|{VOLUME}|{SNAPSHOTS}'    # 4.2 and later",
    f"euca-describe-properties | grep -E '{TOTAL}|{VOLUME}|{SNAPSHOTS}'    # before",
    "ls -ls --block-size=1 /var/lib/eucalyptus/volumes    # a volume of N GiB is a file of N GiB + 4 MiB",
)
_NAMED = 20
_RAISE = "Delete what is no longer needed, or raise the limit where the store has the room: limits know nothing of the disk."

VOLUME_EXCEEDED = Code(
    code="QUOTA_VOLUME_EXCEEDED",
    severities=(Severity.WARNING,),
    title="A volume is larger than its quota",
    meaning="A volume's logical size is above its own entry in `quotas.volumes`, or above the limit for each volume.",
    why="It was made before the limit or around it; it cannot be restored from a snapshot under the limit that holds now.",
    thresholds="Logical size above the limit. Exactly the limit is allowed.",
    see=_SEE,
    remedy="A volume does not shrink: copy what it holds into a smaller one, or raise its limit.",
    risk=Risk.SAFE,
    source=_SOURCE,
)
TOTAL_NEAR = Code(
    code="QUOTA_TOTAL_NEAR",
    severities=(Severity.WARNING,),
    title="Volumes have nearly used up their quota",
    meaning="The logical sizes of all volumes on this host come near the limit for their sum, or those of an account "
    "come near one of its own (sum, number).",
    why="At the limit, CreateVolume fails with VolumeLimitExceeded, and an instance that boots from a volume just terminates, "
    "without an error to its user.",
    thresholds="thresholds.quota_total of the limit (90 %), up to the limit itself.",
    see=_SEE,
    remedy=_RAISE,
    risk=Risk.SAFE,
    source=_SOURCE,
)
TOTAL_EXCEEDED = Code(
    code="QUOTA_TOTAL_EXCEEDED",
    severities=(Severity.CRITICAL,),
    title="Volumes exceed their quota",
    meaning="The logical sizes of all volumes on this host are more than the limit for their sum, or those of an account "
    "more than one of its own (sum, number).",
    why="No volume can be created: CreateVolume fails with VolumeLimitExceeded, and an instance that boots from a volume just "
    "terminates. Volumes that nobody counts (left behind, made around the cloud) are the usual cause.",
    thresholds="More than the limit.",
    see=_SEE,
    remedy=_RAISE,
    risk=Risk.SAFE,
    source=_SOURCE,
)
SNAPSHOTS_NEAR = Code(
    code="QUOTA_SNAPSHOTS_NEAR",
    severities=(Severity.WARNING,),
    title="Snapshots have nearly used up their quota",
    meaning="The snapshots on this host come near the limit for the sum of all snapshots. A cloud's limit counts those of all its "
    "zones, so it may be nearer still. Or those of an account come near the number it may have.",
    why="At the limit, CreateSnapshot fails with SnapshotLimitExceeded. Since Eucalyptus 4.2 the default (50 GB) is far below "
    "that for volumes (500 GB), so it is met first, and backups stop unnoticed.",
    thresholds="thresholds.quota_snapshots of the limit (90 %), up to the limit itself.",
    see=_SEE,
    remedy=_RAISE,
    risk=Risk.SAFE,
    source=_SOURCE,
)
SNAPSHOTS_EXCEEDED = Code(
    code="QUOTA_SNAPSHOTS_EXCEEDED",
    severities=(Severity.CRITICAL,),
    title="Snapshots exceed their quota",
    meaning="The snapshots on this host alone are more than the limit for the sum of all snapshots, or those of an account are "
    "more than it may have.",
    why="No snapshot can be made: CreateSnapshot fails with SnapshotLimitExceeded, and backups that rely on it have stopped.",
    thresholds="More than the limit.",
    see=_SEE,
    remedy=_RAISE,
    risk=Risk.SAFE,
    source=_SOURCE,
)
SNAPSHOTS_DEFAULT = Code(
    code="QUOTA_SNAPSHOTS_DEFAULT",
    severities=(Severity.INFO, Severity.WARNING),
    title="The limit of snapshots is the default, and below that of volumes",
    meaning="Nobody has set the limit of all snapshots: it is 50 GB, less than the volumes of this zone alone may have. The limit "
    "counts the snapshots of all zones.",
    why="Since Eucalyptus 4.2 volumes may have 500 GB in each zone by default, and all snapshots together still 50 GB. Each is a "
    "full copy, so that not even one of each volume can be kept: CreateSnapshot fails with SnapshotLimitExceeded, and "
    "backups stop.",
    thresholds="Recorded limit of snapshots = 50 GiB, and the limit of volumes above it: info. The volumes that are here already "
    "have more: warning. A limit of our own configuration is meant.",
    see=_SEE,
    remedy="Raise it to what the store can hold: `sctune capacity` says how much that is.",
    risk=Risk.SAFE,
    source=_SOURCE,
)
UNSAFE = Code(
    code="QUOTA_UNSAFE",
    severities=(Severity.WARNING,),
    title="The quotas promise more than the store can hold",
    meaning="Volumes and snapshots within their limits may come to more than the file system they lie on.",
    why="Volumes are sparse files: each is granted at once and filled later. When the file system is full, writes of guests fail "
    "although every quota was kept. Eucalyptus itself never compares its limits with the disk.",
    thresholds="Limit of all volumes plus limit of all snapshots above the size of the file systems under the store (overlay "
    "only).",
    see=(*_SEE, "df -B1 /var/lib/eucalyptus/volumes"),
    remedy="Lower the limits to what the store can hold (`sctune capacity` works it out), or enlarge it.",
    risk=Risk.SAFE,
    source=_SOURCE,
)
UNKNOWN = Code(
    code="QUOTA_UNKNOWN",
    severities=(Severity.INFO,),
    title="No quota is known for the volumes of this host",
    meaning="There are volumes of a cloud here, and neither the configuration nor recorded cloud properties say what limits them.",
    why="The limits are kept in the cloud's database, not on this host. Without them nobody is told before volumes can no longer "
    "be made.",
    thresholds="No limit at all in `quotas:` nor in the file named by `properties:`, and volumes of Eucalyptus. Cinder bounds what "
    "projects may have, wherever it lies.",
    see=_SEE,
    remedy="Record the cloud's properties and name the file in /etc/sctune/sctune.yaml (`properties: "
    "/etc/sctune/properties.txt`), or write the limits there under `quotas:`.",
    risk=Risk.SAFE,
    source=_SOURCE,
)


def run(look: Look) -> Result:
    """Judges volumes, their sum, the sum of snapshots, and what the limits promise."""
    inventory = look.inventory
    chains = need(inventory.chains)
    ours = [chain for chain in chains.chains if chain.ours]
    if not ours:
        need_sight_of_volumes(inventory)
        return not_applicable("no volume of a cloud on this host")
    cloud = known(inventory.cloud)
    in_force = limits(look.config.quotas, cloud, partitions=partitions_of(chains), source=properties_source(inventory))
    unexamined = [Unexamined.of(item) for item in (cloud and cloud.properties_unavailable,) if item]
    if isinstance(inventory.cloud, Unavailable) and look.config.properties is not None:
        unexamined.append(Unexamined.of(inventory.cloud))
    unexamined += [Unexamined.of(doubt) for doubt in in_force.doubts]
    accounts = look.config.quotas.accounts if look.config.quotas is not None else {}
    if not in_force.known and not accounts:
        if not unexamined and not any(chain.backend.name.startswith("eucalyptus") for chain in ours):
            return not_applicable("no quota is configured, and these volumes' cloud bounds projects, which no host can tell")
        findings = () if unexamined else (_unknown(look, ours),)
        return Result(examined=0 if unexamined else len(ours), findings=findings, unexamined=tuple(unexamined))
    found: list[Finding] = []
    examined = _judge_volumes(look, ours, in_force, found, unexamined)
    stores = inventory.stores
    volumes, snapshots = volumes_used(chains.chains, stores), snapshots_used(chains, stores)
    for limit, used, share, codes, what in (
        (in_force.total, volumes, look.config.thresholds.quota_total, (TOTAL_NEAR, TOTAL_EXCEEDED), "volumes"),
        (in_force.snapshots, snapshots, look.config.thresholds.quota_snapshots, (SNAPSHOTS_NEAR, SNAPSHOTS_EXCEEDED), "snapshots"),
    ):
        if limit is not None:
            examined += 1
            found.extend(_judge_sum(look, limit, used, share, codes=codes, what=what))
            unexamined += [Unexamined.of(item) for item in used.unknown if Unexamined.of(item) not in unexamined]
    found.extend(_judge_promise(look, ours, in_force, unexamined))
    found.extend(_judge_default(in_force, volumes))
    for name, account in accounts.items():
        examined += 1
        found.extend(_judge_account(look, account_use(name, account, chains, stores)))
        unexamined += [Unexamined.of(item) for item in volumes.unknown if Unexamined.of(item) not in unexamined]
    return Result(examined=examined, findings=tuple(found), unexamined=tuple(unexamined))


def _judge_volumes(look: Look, ours: Iterable[Chain], in_force: Limits, found: list[Finding], unexamined: list[Unexamined]) -> int:
    examined = 0
    for chain in ours:
        limit = in_force.of_volume(chain.id)
        if limit is None:
            continue
        size = logical_size(chain)
        if size is None:
            unexamined.append(
                Unexamined(what=f"the size of {chain.id}", reason=Reason.ABSENT, detail="neither its file nor its LV was found")
            )
            continue
        examined += 1
        if size > limit.size:
            found.append(
                _found(
                    look,
                    VOLUME_EXCEEDED,
                    limit,
                    _room_for(size),
                    chain.subject,
                    f"{chain.id} has {size_words(size)}, its limit is {size_words(limit.size)}",
                    evidence(size_bytes=size, limit_bytes=limit.size, limit=limit.key, source=_where(limit)),
                )
            )
    return examined


def _judge_sum(look: Look, limit: Limit, used: Usage, share: float, *, codes: tuple[Code, Code], what: str) -> list[Finding]:
    near, exceeded = codes
    if used.size <= limit.size and (used.count == 0 or used.size < share * limit.size):
        return []
    at_least = "at least " if used.unknown else ""
    facts = evidence(
        used_bytes=used.size,
        limit_bytes=limit.size,
        used=round(used.size / limit.size, 3) if limit.size > 0 else None,
        count=used.count,
        limit=limit.key,
        **({"default_limit": True} if what == "snapshots" and limit.is_default else {}),
        source=_where(limit),
    )
    subject = Subject(kind=SubjectKind.QUOTA, id="total" if what == "volumes" else "snapshots_total")
    default = ", the default" if what == "snapshots" and limit.is_default else ""
    words = f"{used.count} {what if used.count != 1 else what[:-1]} of {at_least}{size_words(used.size)}"
    if used.size > limit.size:
        summary = f"{words}: {size_words(used.size - limit.size)} over the limit of {size_words(limit.size)}{default}"
        return [_found(look, exceeded, limit, _room_for(used.size), subject, summary, facts)]
    left = size_words(limit.size - used.size) if used.size < limit.size else "nothing"
    summary = f"{words}: {left} left of {size_words(limit.size)}{default}"
    return [_found(look, near, limit, _room_for(used.size), subject, summary, facts)]


def _judge_promise(look: Look, ours: Iterable[Chain], in_force: Limits, unexamined: list[Unexamined]) -> list[Finding]:
    if in_force.total is None or any(chain.backend.name != "eucalyptus-overlay" for chain in ours):
        return []
    capacities: dict[object, int] = {}
    for store in known(look.inventory.stores) or ():
        if store.origin is StoreOrigin.LOOP and not any(
            chain.file and chain.file.path.startswith(store.path + "/") for chain in ours
        ):
            continue
        if isinstance(store.space, Unavailable):
            unexamined.append(Unexamined.of(store.space))
            return []
        capacities[store.mount.device if store.mount else store.path] = store.space.total
    capacity = sum(capacities.values())
    snapshots = in_force.snapshots.size if in_force.snapshots is not None else 0
    promised = in_force.total.size + snapshots
    if not capacities or promised <= capacity:
        return []
    return [
        _found(
            look,
            UNSAFE,
            in_force.total,
            max(0, capacity - snapshots) // GIB * GIB,
            Subject(kind=SubjectKind.QUOTA, id="total"),
            f"the limits allow {size_words(promised)} of volumes and snapshots, the store can hold {size_words(capacity)}",
            evidence(
                volumes_limit_bytes=in_force.total.size,
                snapshots_limit_bytes=in_force.snapshots.size if in_force.snapshots is not None else "not set",
                capacity_bytes=capacity,
                limit=in_force.total.key,
                source=f"{_where(in_force.total)}; statvfs(3) of the store",
            ),
        )
    ]


def _judge_default(in_force: Limits, volumes: Usage) -> list[Finding]:
    """The trap of the default limit of snapshots: nobody set it, and it is below what volumes may have."""
    total, snapshots = in_force.total, in_force.snapshots
    if total is None or snapshots is None or not snapshots.is_default or total.size <= snapshots.size:
        return []
    reached = volumes.size > snapshots.size
    here = f"; those here have {size_words(volumes.size)}" if reached else ""
    return [
        SNAPSHOTS_DEFAULT.found(
            Subject(kind=SubjectKind.QUOTA, id="snapshots_total"),
            f"all snapshots may have {size_words(snapshots.size)}, the default, and volumes {size_words(total.size)}{here}",
            evidence(
                snapshots_limit_bytes=snapshots.size,
                volumes_limit_bytes=total.size,
                volumes_used_bytes=volumes.size,
                limit=snapshots.key,
                source=_where(snapshots),
            ),
            severity=Severity.WARNING if reached else Severity.INFO,
            commands=("sctune capacity",),
        )
    ]


def _judge_account(look: Look, use: AccountUse) -> Iterable[Finding]:
    """An account's volumes and snapshots against its own quotas: one finding for the volumes, one for the snapshots."""
    thresholds = look.config.thresholds
    source = look.config.quotas.source if look.config.quotas is not None else ""
    for against, share, near, exceeded in (
        (use.volumes, thresholds.quota_total, TOTAL_NEAR, TOTAL_EXCEEDED),
        (use.snapshots, thresholds.quota_snapshots, SNAPSHOTS_NEAR, SNAPSHOTS_EXCEEDED),
    ):
        over = [one for one in against if one.exceeded]
        told = over or [one for one in against if one.near(share)]
        if not told:
            continue
        facts = {f"{'used_bytes' if one.is_size else f'used_{one.what}'}": one.used for one in told}
        limits_of = {f"{'limit_bytes' if one.is_size else f'limit_{one.what}'}": one.limit for one in told}
        keys = ", ".join(f"`{one.key}`" for one in told)
        code = exceeded if over else near
        yield code.found(
            Subject(kind=SubjectKind.ACCOUNT, id=use.name),
            f"account {use.name} has {' and '.join(one.words for one in told)}",
            evidence(
                **facts,
                **limits_of,
                not_here=use.absent[:_NAMED],
                source=f"{source}; sizes of the files and LVs of this host",
            ),
            remedy=f"Delete what the account no longer needs, or raise its quota. It is {keys} in {source}.",
        )


def _unknown(look: Look, ours: list[Chain]) -> Finding:
    ask = f"{tools_of(_version(look))[0].show} > /etc/sctune/properties.txt    # on a host with the cloud's admin credentials"
    return UNKNOWN.found(
        HOST,
        f"{len(ours)} volume{'s' if len(ours) != 1 else ''} of a cloud, and no quota configured or recorded",
        evidence(volumes=len(ours), source="the configuration (quotas, properties)"),
        commands=(ask,),
    )


def _version(look: Look) -> str:
    cloud = known(look.inventory.cloud)
    return cloud.version if cloud else ""


def _room_for(used: int) -> int:
    """A limit a fifth above what is used, in whole GiB."""
    return -(-used * 6 // (5 * GIB)) * GIB


def _found(look: Look, code: Code, limit: Limit, new: int, subject: Subject, summary: str, facts: Evidence) -> Finding:  # noqa: PLR0917
    """A finding whose remedy says where this limit is set, and the command where a command sets it."""
    if limit.configured:
        remedy = f"{code.remedy} This one is `{limit.key}` in {limit.source}."
        return code.found(subject, summary, facts, remedy=remedy)
    commands = (tools_of(_version(look))[0].setting(limit.key, new // GIB),) if new > 0 else ()
    return code.found(subject, summary, facts, commands=commands)


def _where(limit: Limit) -> str:
    return f"{limit.source}; sizes of the files and LVs of this host"


CHECKS = (
    Check(
        name="quotas",
        title="Volumes and snapshots against their quotas",
        codes=(VOLUME_EXCEEDED, TOTAL_NEAR, TOTAL_EXCEEDED, SNAPSHOTS_NEAR, SNAPSHOTS_EXCEEDED, SNAPSHOTS_DEFAULT, UNSAFE, UNKNOWN),
        needs=("chains", "stores", "cloud"),
        run=run,
    ),
)
