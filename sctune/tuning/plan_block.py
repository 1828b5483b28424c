"""Queue attributes of block devices: what each has, what it would get, and the hardware's limits. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sctune.model.block import BlockKind
from sctune.model.units import KIB
from sctune.records import replace
from sctune.tuning.facts import Transfer
from sctune.tuning.model import Decision, Item
from sctune.tuning.operations import WriteValue
from sctune.tuning.schema import Attribute, Bound
from sctune.tuning.select import Attachment, device_chosen
from sctune.tuning.value import readings
from sctune.unavailable import known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sctune.model.block import BlockDevice
    from sctune.tuning.facts import Facts
    from sctune.tuning.pinned import Pins
    from sctune.tuning.schema import Setting

_NOWHERE = Attachment()
_UNREAD = Transfer()


def plan_devices(
    setting: Setting, choices: tuple[str, ...], facts: Facts, pins: Pins, schedulers: Mapping[str, str]
) -> Iterator[Item]:
    """One item for each device that the setting is for. `schedulers` are those that devices are about to get, by name."""
    for device in known(facts.devices) or ():
        # An idle loop device has no size, and udev's rule is there when it gets one.
        if device.size > 0 and device_chosen(setting.when, device, facts.attachments.get(device.name, _NOWHERE)):
            item = _item(setting, choices, device, facts.transfers, schedulers.get(device.name))
            yield _free(item, device, pins)


def _item(
    setting: Setting, choices: tuple[str, ...], device: BlockDevice, transfers: Mapping[str, Transfer], scheduler: str | None
) -> Item:
    attribute = setting.attribute
    assert attribute is not None  # noqa: S101 (the schema asks for it)
    if attribute is Attribute.SCHEDULER:
        found = _scheduler(choices, device)
    elif attribute is Attribute.NR_REQUESTS:
        found = _requests(setting.bound, choices[0], device, scheduler)
    else:
        found = _number(setting.bound, attribute, choices[0], device, transfers.get(device.name, _UNREAD))
    decision, current, wanted, reason = found
    path = f"/sys/block/{device.name}/queue/{attribute}"
    change = decision is Decision.CHANGE and current is not None and wanted is not None
    return Item(
        setting=setting,
        subject=device.name,
        path=path,
        current=current,
        wanted=wanted,
        decision=decision,
        reason=reason,
        operations=(_write(attribute, device, path, current or "", wanted or ""),) if change else (),
    )


def _free(item: Item, device: BlockDevice, pins: Pins) -> Item:
    """The item, without its operation where another tool has the device."""
    if not item.operations or item.setting.attribute is None or item.wanted is None:
        return item
    pinned = pins.blind or pins.device(device, item.setting.attribute, item.wanted)
    return replace(item, decision=Decision.PINNED, reason=pinned, operations=()) if pinned else item


_Found = tuple[Decision, str | None, str | None, str]


def _scheduler(choices: tuple[str, ...], device: BlockDevice) -> _Found:
    now = device.scheduler
    if now is None:
        return Decision.NO_ELEVATOR, None, choices[0], _no_elevator(device)
    wanted = next((choice for choice in choices if choice in device.schedulers), None)
    if wanted is None:
        return Decision.ABSENT, now, choices[0], f"this kernel offers {', '.join(device.schedulers)} here"
    return (Decision.ALREADY if now == wanted else Decision.CHANGE), now, wanted, ""


def _no_elevator(device: BlockDevice) -> str:
    if device.kind in (BlockKind.DM, BlockKind.MD):
        return "it hands requests on, and the disks below have the scheduler"
    return "the kernel shows no scheduler for it"


def _number(bound: Bound | None, attribute: Attribute, wanted: str, device: BlockDevice, transfer: Transfer) -> _Found:
    now = _now(attribute, device, transfer)
    if now is None:
        return Decision.ABSENT, None, wanted, f"the kernel shows no {attribute} for it"
    want = int(wanted)
    reason = ""
    if attribute is Attribute.MAX_SECTORS_KB and transfer.most is not None and want > transfer.most:
        want, reason = transfer.most, f"its hardware takes {transfer.most} KiB at most"
    if (bound is Bound.RAISE and now > want) or (bound is Bound.LOWER and now < want):
        return Decision.BEYOND, str(now), str(want), _only(bound, want)
    if now == want or str(now) in readings(attribute, str(want)):
        return (Decision.HARDWARE if reason else Decision.ALREADY), str(now), str(want), reason
    return Decision.CHANGE, str(now), str(want), reason


def _requests(bound: Bound | None, wanted: str, device: BlockDevice, scheduler: str | None) -> _Found:
    """A number of requests. A scheduler comes with one of its own, so that a new one needs it written again; without one, requests
    are the driver's tags, and there are no more of them (block/blk-mq.c, blk_mq_update_nr_requests)."""
    now, want = device.nr_requests, int(wanted)
    if now is None:
        return Decision.ABSENT, None, wanted, "it hands requests on and has none of its own"
    if (scheduler or device.scheduler) == "none" and (scheduler is not None or want != now):
        return Decision.HARDWARE, str(now), wanted, "without a scheduler it has the requests of its driver"
    beyond = (bound is Bound.RAISE and now > want) or (bound is Bound.LOWER and now < want)
    if scheduler is not None:
        return Decision.CHANGE, str(now), str(now) if beyond else wanted, f"the scheduler {scheduler} comes with another number"
    if beyond:
        return Decision.BEYOND, str(now), wanted, _only(bound, want)
    return (Decision.ALREADY if now == want else Decision.CHANGE), str(now), wanted, ""


def _only(bound: Bound | None, want: int) -> str:
    return f"it is only ever {'raised' if bound is Bound.RAISE else 'lowered'} to {want}"


def _now(attribute: Attribute, device: BlockDevice, transfer: Transfer) -> int | None:
    if attribute is Attribute.READ_AHEAD_KB:
        return None if device.read_ahead is None else device.read_ahead // KIB
    return transfer.now


def _write(attribute: Attribute, device: BlockDevice, path: str, current: str, wanted: str) -> WriteValue:
    restore = None
    if attribute is Attribute.SCHEDULER and device.nr_requests is not None:
        # A scheduler comes with a number of requests of its own (block/elevator.c), so the old one is given back too.
        restore = ((path, current), (f"/sys/block/{device.name}/queue/nr_requests", str(device.nr_requests)))
    return WriteValue(
        setting=f"{device.name}/{attribute}",
        path=path,
        value=wanted,
        before=current,
        accepts=() if attribute is Attribute.SCHEDULER else readings(attribute, wanted),
        restore=restore,
        reset_by=f"/sys/block/{device.name}/queue/scheduler" if attribute is Attribute.NR_REQUESTS else "",
    )
