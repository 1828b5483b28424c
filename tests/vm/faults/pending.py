"""Codes of faults that are made here and that no check knows yet.

The table only ever shrinks: a code that some check declares is refused here (tests/vm/test_tables.py)."""

from __future__ import annotations

PENDING: dict[str, str] = {
    "LVM_SNAPSHOT_LEFTOVER": "a COW snapshot with no copy running",
    "SNAPSHOT_COW_ORPHANED": "a COW file that no snapshot uses",
    "SNAPSHOT_TRUNCATED": "a snapshot's file smaller than the volume, with no copy running",
    "TARGET_PORTAL_CONFLICT": "tgt and LIO on one port",
    "TGT_AIO_UNSAFE_FLUSH": "bstype aio over a layer that caches",
    "VOLUME_SIZE_INVALID": "a volume's file that is not whole GiB and 4 MiB",
}
"""Code: the fault that waits for it."""
