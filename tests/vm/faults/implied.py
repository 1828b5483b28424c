"""What a fault brings with it: findings above info that are true beside its own. Nothing else may be said.

A finding that names the expected one as its cause (`caused_by`) needs no line here.
"""

from __future__ import annotations

IMPLIED: dict[str, frozenset[str]] = {
    # What keeps a volume's VG visible without the volume's own PV is the snapshot that was left in it.
    "LVM_PV_MISSING": frozenset({"LVM_SNAPSHOT_LEFTOVER"}),
    # Who reads the disk of a LUN that went, or the device of an LV whose store went, gets errors, and the kernel says so.
    "TARGET_LUN_MISSING": frozenset({"KERNEL_STORAGE_ERRORS"}),
    "DM_LEFTOVER": frozenset({"KERNEL_STORAGE_ERRORS"}),
}
"""Code of the fault: codes that may stand beside it."""
