"""Names of devices as the kernel's log has them. Pure."""

from __future__ import annotations


def whole(name: str) -> str:
    """The disk of a partition by the name alone: sda for sda1, nvme0n1 for nvme0n1p2. No look at the host: it may be gone."""
    stem = name.rstrip("0123456789")
    if stem == name:
        return name
    if stem.startswith(("sd", "vd", "xvd")):
        return stem
    if stem.endswith("p") and stem.startswith(("nvme", "mmcblk", "loop", "md")) and stem[:-1][-1:].isdigit():
        return stem[:-1]
    return name
