"""Tests on a real kernel: Debian's own, booted under QEMU, with device-mapper, LVM, tgt and open-iscsi."""
