"""Hosts that serve no volumes: a Debian system as it is installed, and a desktop put together of what desktops have.

The desktop is composed, nobody's own: read-only images on loop devices as snapd mounts its packages (squashfs, detached with their
last user), an image attached to be looked into, a writable image in use, swap on zram, an LVM volume group over dm-crypt as
installers make it, and a disk that can be unplugged.
"""

from __future__ import annotations

SNAPS = 8
HOME = "/home/ann"
# dm-crypt's passphrase, of no use anywhere else.
_PASSPHRASE = "composed"
# By the word of kernel and tools.
PLAIN = ("test $(cat /proc/1/comm) = systemd", "! pgrep -x tgtd", 'test -z "$(losetup -nO NAME)"')
DESKTOP = (
    f"test $(losetup -nO NAME | wc -l) = {SNAPS + 2}",
    "test $(grep -c ' squashfs ' /proc/mounts) = 8",
    "test $(wc -l </proc/swaps) = 3",
    "dmsetup table vda_crypt | grep -qw crypt",
    "grep -q ' /media/ann/stick ext4 ' /proc/mounts",
    "grep -qx 1 /sys/block/sd?/removable",
)


def plain() -> list[str]:
    """A host without any storage service, which is a computer and no container."""
    return ["rm -f /.dockerenv"]


def desktop() -> list[str]:
    """The lines that make it; the scratch disk at /var/lib/eucalyptus becomes the disk it is installed on."""
    disk = "/dev/vda"
    return [
        *plain(),
        "modprobe -a loop squashfs zram dm-crypt dm-mod",
        "umount /var/lib/eucalyptus",
        # An installer's encrypted layout: LUKS, in it a volume group with root and swap.
        f"wipefs -qa {disk}",
        f"printf %s {_PASSPHRASE} | cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file - {disk}",
        f"printf %s {_PASSPHRASE} | cryptsetup open --key-file - {disk} vda_crypt",
        "pvcreate -qq /dev/mapper/vda_crypt",
        "vgcreate -qq desktop-vg /dev/mapper/vda_crypt",
        "lvcreate -qq -y -L 512M -n swap_1 desktop-vg",
        "lvcreate -qq -y -l 100%FREE -n home desktop-vg",
        "udevadm settle",
        "mkswap -q /dev/desktop-vg/swap_1 && swapon /dev/desktop-vg/swap_1",
        "mkfs.ext4 -q -E lazy_itable_init=1 /dev/desktop-vg/home && mount /dev/desktop-vg/home /home",
        f"mkdir -p {HOME}",
        # Swap in memory, as zram-generator makes it.
        "echo 256M > /sys/block/zram0/disksize && mkswap -q /dev/zram0 && swapon -p 100 /dev/zram0",
        # Packages as snapd mounts them.
        "mkdir -p /home/.snapd /home/.tree && echo content > /home/.tree/file",
        f"for n in $(seq {SNAPS}); do"
        " image=/home/.snapd/package${n}_$n.snap;"
        " test $n = 1 && mksquashfs /home/.tree $image -quiet -no-progress >/dev/null || cp /home/.snapd/package1_1.snap $image;"
        " mkdir -p /snap/package$n/$n; mount -t squashfs -o ro,nodev,loop $image /snap/package$n/$n; done",
        # An image that somebody looks into, and one that he writes to.
        f"truncate -s 64M {HOME}/installer.iso && losetup -r -f {HOME}/installer.iso",
        f"truncate -s 256M {HOME}/card.img && mkfs.ext4 -q {HOME}/card.img && mkdir -p /mnt && mount -o loop {HOME}/card.img /mnt",
        "(cd /mnt; sleep 1000000) </dev/null >/dev/null 2>&1 &",
        # A disk that can be unplugged, mounted as desktops mount it.
        "modprobe scsi_debug removable=1 dev_size_mb=64 && udevadm settle",
        "usb=/dev/$(for d in /sys/block/sd*; do if grep -q scsi_debug $d/device/model; then basename $d; fi; done);"
        " mkfs.ext4 -q $usb && mkdir -p /media/ann/stick && mount $usb /media/ann/stick",
        # systemd and udev have to come to rest, and this is an emulated processor.
        "udevadm settle; sync; systemctl is-system-running --wait >/dev/null || true; systemctl show tgt.service >/dev/null",
    ]
