"""Faults of thin pools. Each has a VG of its own on a file in the store, beside a volume that stays sound."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.vm.hosts.overlay import dm_name

from .base import Expected, VolumeFault
from .lvm import attach_files, seeing

if TYPE_CHECKING:
    from tests.vm.hosts.overlay import Volume

_POOL_MIB = 32
_OPTIONS = "--type thin --poolmetadatasize 2M --poolmetadataspare n -Wn"
# How long a full thin pool lets writers wait: 60 s as shipped, longer here, so that the state stays while it is looked at.
_NO_SPACE_TIMEOUT = "/sys/module/dm_thin_pool/parameters/no_space_timeout"
_NO_SPACE_SECONDS = 3600

# Each thin device takes a block of the pool's metadata, which is the quickest way to fill them. A process for each message would
# take a minute: this sends them to the kernel itself (struct dm_ioctl and dm_target_msg of linux/dm-ioctl.h).
_FILL_METADATA = """
import fcntl, struct, subprocess, sys
name, percent = sys.argv[1], int(sys.argv[2])
status = subprocess.run(["dmsetup", "status", name], capture_output=True, check=True, text=True).stdout
used, total = map(int, status.split()[4].split("/"))
DM_TARGET_MSG = 0xC138FD0E
with open("/dev/mapper/control", "rb") as control:
    for thin_id in range(1000, 1000 + total * percent // 100 - used):
        message = struct.pack("=Q", 0) + b"create_thin %d" % thin_id
        header = struct.pack("=3IIIIiIIIQ128s129s7s", 4, 0, 0, 512, 312, 0, 0, 0, 0, 0, 0, name.encode(), b"", b"")
        fcntl.ioctl(control, DM_TARGET_MSG, bytearray((header + message).ljust(512, b"\\0")))
"""


def _vg(volume: Volume) -> str:
    return f"lab-thin-{volume.number}"


def _pool(volume: Volume) -> str:
    return f"{_vg(volume)}/pool0"


def _thin_lv(volume: Volume) -> str:
    return f"/dev/{_vg(volume)}/thin1"


def _layer(volume: Volume, layer: str) -> str:
    return dm_name(f"/dev/{_pool(volume)}") + layer


def _make(volume: Volume, *, written_mib: int) -> list[str]:
    """A pool of 32 MiB with a thin LV of 128 MiB, of which so much is written."""
    vg = _vg(volume)
    alone = seeing("$loop0")
    lines = [
        f"echo {_NO_SPACE_SECONDS} > {_NO_SPACE_TIMEOUT}",
        *attach_files(vg, ("64M",)),
        f"vgcreate -q {alone} -s 1M {vg} $loop0 >/dev/null",
        # Pool and LV by one command; the spare metadata are left out for their time.
        f"lvcreate -q {alone} {_OPTIONS} -V 128M -L {_POOL_MIB}M --thinpool pool0 -n thin1 {vg} >/dev/null 2>&1",
    ]
    return [*lines, f"dd if=/dev/zero of={_thin_lv(volume)} bs=1M count={written_mib} oflag=direct status=none"]


def _out_of_space(volume: Volume) -> list[str]:
    return [
        *_make(volume, written_mib=_POOL_MIB),
        # The writer sleeps until the pool gives up.
        f"dd if=/dev/zero of={_thin_lv(volume)} bs=1M count=1 seek={_POOL_MIB} oflag=direct >/dev/null 2>&1 &",
        f"until dmsetup status {_layer(volume, '-tpool')} | grep -q out_of_data_space; do sleep 0.2; done",
    ]


def _lose_metadata(volume: Volume, flakey: str) -> list[str]:
    """One block is written while the device under the pool's metadata fails, as dm-flakey is told to."""
    tmeta = _layer(volume, "_tmeta")

    def reload(table: str) -> str:
        return f'dmsetup suspend --noflush {tmeta}; dmsetup load {tmeta} --table "{table}"; dmsetup resume {tmeta}'

    return [
        *_make(volume, written_mib=1),
        f"table=$(dmsetup table {tmeta})",
        reload(f"$(echo \"$table\" | sed 's/ linear / flakey /') 0 3600{flakey}"),
        f"! dd if=/dev/zero of={_thin_lv(volume)} bs=1M count=1 seek=8 oflag=direct conv=fsync 2>/dev/null",
        reload("$table"),
    ]


def _read_only(volume: Volume) -> list[str]:
    """The pool cannot write its metadata: it turns read-only and asks for a check."""
    return _lose_metadata(volume, " 1 error_writes")


def _failed(volume: Volume) -> list[str]:
    """It can neither write nor read them: it cannot even go back to the last ones that were written."""
    return _lose_metadata(volume, "")


def _fill_metadata(volume: Volume) -> list[str]:
    fill = f"{sys.executable} -I - {_layer(volume, '-tpool')} 87 <<'END'{_FILL_METADATA}END"
    return [*_make(volume, written_mib=1), fill]


def _broken(volume: Volume) -> tuple[Expected, ...]:
    return (Expected(code="LVM_THIN_POOL_BROKEN", severity="critical", subject=_pool(volume)),)


def _filling(severity: str, volume: Volume) -> tuple[Expected, ...]:
    return (Expected(code="LVM_THIN_POOL_FILLING", severity=severity, subject=_pool(volume)),)


def _status(volume: Volume, pattern: str) -> str:
    return f"dmsetup status {_layer(volume, '-tpool')} | grep -Eq '{pattern}'"


def _promised(volume: Volume) -> tuple[Expected, ...]:
    return (
        Expected(code="LVM_THIN_OVERPROVISIONED", severity="info", subject=_pool(volume)),
        Expected(code="LVM_AUTOEXTEND_OFF", severity="info", subject="activation/thin_pool_autoextend_threshold"),
    )


FAULTS = (
    VolumeFault(
        name="thin-promises",
        breaks=lambda volume: _make(volume, written_mib=8),
        expects=_promised,
        facts=lambda volume: [_status(volume, " 128/512 .* rw ")],
    ),
    VolumeFault(
        name="thin-filling",
        breaks=lambda volume: _make(volume, written_mib=_POOL_MIB * 85 // 100),
        expects=lambda volume: _filling("warning", volume),
        facts=lambda volume: [_status(volume, " 43[0-9]/512 .* rw ")],
    ),
    VolumeFault(
        name="thin-full",
        # Exactly 100 %, which no flag of LVM or device-mapper tells.
        breaks=lambda volume: _make(volume, written_mib=_POOL_MIB),
        expects=lambda volume: _filling("critical", volume),
        facts=lambda volume: [_status(volume, " 512/512 .* rw ")],
    ),
    VolumeFault(
        name="thin-metadata-filling",
        breaks=_fill_metadata,
        expects=lambda volume: _filling("warning", volume),
        facts=lambda volume: [_status(volume, " 4[3-6][0-9]/512 16/512 .* rw ")],
    ),
    VolumeFault(
        name="thin-out-of-space",
        breaks=_out_of_space,
        expects=_broken,
        facts=lambda volume: [_status(volume, " out_of_data_space .*queue_if_no_space")],
        late=True,
    ),
    VolumeFault(
        name="thin-read-only",
        breaks=_read_only,
        expects=_broken,
        facts=lambda volume: [_status(volume, " ro .*needs_check")],
    ),
    VolumeFault(
        name="thin-failed",
        breaks=_failed,
        expects=_broken,
        facts=lambda volume: [_status(volume, " thin-pool Fail$")],
    ),
)
