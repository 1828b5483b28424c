"""LVM's own view of the host, from one `lvm fullreport` that changes nothing, takes no lock and meets no dead disk.

How it is asked, and what each option is there for, is told in docs/lvm.md. What remains able to hang it (a loop device over
a dead network mount, a local target that stopped answering a moment ago) ends at the deadline.

**Torn reads.** LVM's reports normally hold the VG's lock. Ours does not, so a command beside us may change the metadata
while they are read: one copy old and one new, a VG that names a PV which LVM has not seen on its walk, an LV made since. The
sequence number of a VG's metadata (vg_seqno) grows with every change. So the report is taken as it is unless something in it
looks torn: LVM complains of metadata that do not agree, a PV is missing, or the kernel has an LV (by the uuid of its
device-mapper device, "LVM-" + VG uuid + LV uuid) that the report has not. Then LVM is asked once more, this time with the
devices that were made since, and the second report is taken where any VG's sequence number differs: the VG was being
changed. Where none does, what looked torn is the host's true state. A host that is changed without pause may show a torn
state twice; the checks that would call that a fault look again later (Code.confirm).
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from sctune.host.base import Source
from sctune.model.block import BlockKind
from sctune.probes import lvm_accept
from sctune.records import dataclass, replace
from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from sctune.host.base import Completed, Host
    from sctune.model.block import BlockDevice
    from sctune.model.initiator import IscsiSession
    from sctune.model.lvm import LvmReport, PhysicalVolume
    from sctune.probes import lvm_json, lvm_messages

DEADLINE = 8.0
_VERSION_DEADLINE = 3.0
_CONFIGURATION = ("/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf")
_DEVICES_FILE = "/etc/lvm/devices/system.devices"
_DM_LOADED = "/sys/class/misc/device-mapper/dev"
_OWN_FILTER = re.compile(r"^[^#\n]*\b(global_filter|filter)\s*=", re.MULTILINE)
_LONGEST_STRING = 120_000
"""execve(2) takes 128 KiB a string (MAX_ARG_STRLEN)."""

FIELDS = {
    "vg": "vg_uuid,vg_name,vg_attr,vg_seqno,vg_size,vg_free,vg_extent_size,vg_mda_free,vg_mda_size,vg_tags",
    "pv": "pv_uuid,pv_name,pv_major,pv_minor,pv_size,pv_free,pv_attr",
    "lv": "lv_uuid,lv_name,lv_attr,lv_size,lv_layout,lv_parent,origin,pool_lv,lv_tags,lv_kernel_major,lv_kernel_minor,"
    "data_percent,metadata_percent,lv_health_status,lv_time",
    "pvseg": "pv_uuid,lv_uuid",
    "seg": "lv_uuid,segtype",
}
"""What is asked of each table. Every field costs LVM a search through all its 250 field names for every VG: what follows
from others (counts, paths, /dev/mapper names) is worked out in lvm_json."""

_USABLE = (0, 5)
"""ECMD_PROCESSED, and ECMD_FAILED: a report of everything but what could not be read."""
_NO_SUCH_COMMAND = 2
_PARSING_FAILED = 3
_UUID = 32
_WHAT = "lvm fullreport"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What decides how LVM is asked. `accept` are the patterns of `setting` (filter or global_filter), None for the host's own
    view. `own_devices_file` leaves the host's devices file in force. `device_mapper`: the kernel has it loaded. `must`: a device
    has to be left out, so that the list counts more than the host's own filters."""

    accept: tuple[str, ...] | None
    setting: str = "global_filter"
    own_devices_file: bool = True
    device_mapper: bool = True
    nolocking: bool = True
    must: bool = False

    def argv(self) -> tuple[str, ...]:
        """The command line."""
        arguments = ["lvm", "fullreport", "--all", "--reportformat", "json", "--units", "b", "--nosuffix"]
        if self.nolocking:
            arguments.append("--nolocking")
        if not self.device_mapper:
            # Else LVM opens /dev/mapper/control, and the kernel loads the module for that.
            arguments += ["--driverloaded", "n"]
        arguments += ["--config", self.configuration()]
        for table, fields in FIELDS.items():
            arguments += ["--configreport", table, "-o", fields]
        return tuple(arguments)

    def configuration(self) -> str:
        """What is put over the host's lvm.conf: see docs/lvm.md."""
        devices = ['hints="none"', 'external_device_info_source="none"', "ignore_suspended_devices=1"]
        if not self.own_devices_file:
            devices.append("use_devicesfile=0")
        if self.accept is not None:
            devices.append(f"{self.setting}=[" + ",".join(f'"{pattern}"' for pattern in self.accept) + "]")
        locking = "" if self.nolocking else " locking_type=0"
        return (
            f"devices{{{' '.join(devices)}}} global{{metadata_read_only=1{locking}}} activation{{monitoring=0}} "
            'backup{backup=0 archive=0} log{file="/dev/null" syslog=0 silent=0 prefix="" command_names=0 report_command_log=0} '
            'report{time_format="%s" list_item_separator="," compact_output=0 mark_hidden_devices=1 binary_values_as_numeric=0}'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    tables: lvm_json.Tables
    messages: lvm_messages.Messages
    seconds: float
    question: Question


def probe(
    host: Host, *, block: tuple[BlockDevice, ...] | Unavailable, sessions: tuple[IscsiSession, ...] | Unavailable
) -> LvmReport | Unavailable:
    """The report. Absent without the lvm command, denied to ordinary users, timeout (with the processes that could not be
    killed) where it does not end within 8 s."""
    if host.source is Source.SOS:
        # sos asked LVM in its own way.
        from sctune.probes.lvm_sos import probe as probe_sos

        return probe_sos(host)
    began = time.monotonic()
    if not host.identity().privileged:
        return _refused(host)
    left_out = _left_out(host, block, sessions)
    first = _ask(host, _question(host, block, sessions, left_out), DEADLINE)
    if isinstance(first, Unavailable):
        return first
    report = _report(first, left_out)
    remaining = DEADLINE - (time.monotonic() - began)
    if remaining < 1.0 or not _looks_torn(host, first, block, left_out):
        return report
    second = _ask(host, _again(first.question, block, left_out), remaining)
    if isinstance(second, Unavailable):
        # A second question that hangs is as much a sign as a first one; another failure leaves what the first one said.
        return second if second.reason is Reason.TIMEOUT else report
    return _report(second, left_out) if second.tables.seqnos != first.tables.seqnos else report


def _refused(host: Host) -> Unavailable:
    """What an ordinary user is told: whether there is an LVM to be asked at all."""
    completed = host.run(("lvm", "version"), timeout=_VERSION_DEADLINE)
    if isinstance(completed, Unavailable) and completed.reason in (Reason.ABSENT, Reason.NOT_COLLECTED):
        return replace(completed, what=_WHAT)
    return Unavailable(reason=Reason.DENIED, what=_WHAT, detail="LVM reads devices, which root alone may")


def _left_out(
    host: Host, block: tuple[BlockDevice, ...] | Unavailable, sessions: tuple[IscsiSession, ...] | Unavailable
) -> frozenset[str]:
    if isinstance(block, Unavailable):
        return lvm_accept.NOT_LISTED if lvm_accept.cannot_list(block, sessions) is not None else frozenset()

    def is_multipath(device: BlockDevice) -> bool:
        uuid = host.read(f"/sys/block/{device.name}/dm/uuid") if device.kind is BlockKind.DM else ""
        return isinstance(uuid, str) and uuid.startswith("mpath-")

    return lvm_accept.excluded(block, sessions, is_multipath)


def _question(
    host: Host,
    block: tuple[BlockDevice, ...] | Unavailable,
    sessions: tuple[IscsiSession, ...] | Unavailable,
    left_out: frozenset[str],
) -> Question:
    """How to ask on this host. Its own filters stay in force: ours goes into the setting that the host does not use, since a
    device has to pass both. With a devices file (RHEL 9) LVM sees nothing else and ignores filters, so there is nothing to
    name unless a device has to be left out; then the file is set aside."""
    if isinstance(block, Unavailable):
        accept = lvm_accept.cannot_list(block, sessions)
        must = accept is not None
    else:
        accept = lvm_accept.patterns(block, left_out)
        must = bool(left_out)
    dm_loaded = not isinstance(host.read(_DM_LOADED), Unavailable)
    devices_file = not isinstance(host.stat(_DEVICES_FILE), Unavailable)
    own = own_filters(_configured(host))
    setting = "filter" if own == {"global_filter"} else "global_filter"
    if not must and (devices_file or len(own) > 1):
        accept = None
    own_devices = not (must and devices_file)
    question = Question(accept=accept, setting=setting, own_devices_file=own_devices, device_mapper=dm_loaded, must=must)
    if len(question.configuration()) > _LONGEST_STRING and not isinstance(block, Unavailable):
        return replace(question, accept=lvm_accept.patterns(block, left_out, everything=True))
    return question


def _configured(host: Host) -> str:
    return "\n".join(text for path in _CONFIGURATION if isinstance(text := host.read(path), str))


def own_filters(configuration: str) -> frozenset[str]:
    """Which of the two filters lvm.conf(5) sets."""
    return frozenset(match[1] for match in _OWN_FILTER.finditer(configuration))


def _again(question: Question, block: tuple[BlockDevice, ...] | Unavailable, left_out: frozenset[str]) -> Question:
    if isinstance(block, Unavailable) or question.accept is None:
        return question
    return replace(question, accept=lvm_accept.patterns(block, left_out, everything=True))


def _ask(host: Host, question: Question, timeout: float) -> _Answer | Unavailable:
    completed = host.run(question.argv(), timeout=timeout)
    if not isinstance(completed, Unavailable) and completed.status == _PARSING_FAILED and "nolocking" in completed.stderr:
        question = replace(question, nolocking=False)  # LVM 2.02
        completed = host.run(question.argv(), timeout=timeout)
    if isinstance(completed, Unavailable):
        # The command line is a page long; what was asked is this.
        return replace(completed, what=_WHAT)
    if completed.status == _NO_SUCH_COMMAND:
        return _ask_old(host, question, timeout)
    return _read(completed, question)


def _ask_old(host: Host, question: Question, timeout: float) -> _Answer | Unavailable:
    """The same of a version that has no such report."""
    from sctune.probes import lvm_messages, lvm_old

    own = own_filters(_configured(host))
    filters = lvm_old.Filters(accept=question.accept, own=own, must=question.must)
    answer = lvm_old.ask(host, filters, device_mapper=question.device_mapper, timeout=timeout)
    if isinstance(answer, Unavailable):
        return answer
    messages = lvm_messages.parse(answer.stderr)
    if answer.torn:
        messages = replace(messages, torn=True)
    return _Answer(tables=answer.tables, messages=messages, seconds=answer.seconds, question=question)


def _read(completed: Completed, question: Question) -> _Answer | Unavailable:
    # Here and below: what reads the answer is loaded while LVM makes it.
    from sctune.probes import lvm_json, lvm_messages

    complaint = lvm_messages.first_complaint(completed.stderr)
    if completed.status not in _USABLE:
        refused = "permission denied" in completed.stderr.lower()
        detail = f"exit status {completed.status}" + (f": {complaint}" if complaint else "")
        return Unavailable(reason=Reason.DENIED if refused else Reason.FAILED, what=_WHAT, detail=detail)
    try:
        tables = lvm_json.parse(completed.stdout)
    except ValueError as error:
        if completed.status != 0:
            return Unavailable(reason=Reason.FAILED, what=_WHAT, detail=complaint or f"exit status {completed.status}")
        return Unavailable(reason=Reason.MALFORMED, what=_WHAT, detail=str(error)[:200])
    return _Answer(tables=tables, messages=lvm_messages.parse(completed.stderr), seconds=completed.seconds, question=question)


def _report(answer: _Answer, left_out: frozenset[str]) -> LvmReport:
    from sctune.model.lvm import LvmReport

    tables, messages = answer.tables, answer.messages
    return LvmReport(
        physical_volumes=tuple(_with_last_path(pv, messages.last_paths) for pv in tables.physical_volumes),
        volume_groups=tables.volume_groups,
        logical_volumes=tables.logical_volumes,
        duplicates=messages.duplicates,
        warnings=messages.warnings,
        seconds=answer.seconds,
        internal=tables.internal,
        excluded=tuple(sorted(left_out)),
    )


def _with_last_path(pv: PhysicalVolume, last_paths: dict[str, str]) -> PhysicalVolume:
    path = last_paths.get(pv.uuid)
    return pv if path is None or not pv.missing else replace(pv, last_path=path)


def _looks_torn(host: Host, answer: _Answer, block: tuple[BlockDevice, ...] | Unavailable, left_out: frozenset[str]) -> bool:
    """Whether a change of the metadata beside us could explain what the report shows."""
    tables = answer.tables
    if answer.messages.torn or any(pv.missing for pv in tables.physical_volumes):
        return True
    if isinstance(block, Unavailable):
        return False
    reported = {lv.dm_uuid for lv in (*tables.logical_volumes, *tables.internal)}
    for device in block:
        if device.kind is BlockKind.DM and device.name not in left_out:
            uuid = host.read(f"/sys/block/{device.name}/dm/uuid")
            if isinstance(uuid, str) and uuid.startswith("LVM-") and uuid[: 4 + 2 * _UUID] not in reported:
                return True
    return False
