#!/bin/busybox sh
# First program of the test machine: root is an overlay over the host's root file system, which is shared read-only by 9p.
# What stands between @ signs is filled in by machine.py; first is the first program: agent or systemd; upper a disk, or tmpfs.
set -e
b=/bin/busybox
release="@RELEASE@" modules="@MODULES@" python="@PYTHON@" folder="@FOLDER@" first="@FIRST@" upper="@UPPER@"
$b mount -t devtmpfs dev /dev
for module in /modules/*; do $b insmod "$module"; done
# cache=loose: the host does not change its tools while the machine runs, and every look-up would be a round trip otherwise
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose host /lower
case $upper in
tmpfs) $b mount -t tmpfs -o size=75% rw /rw ;;
*) $b mount -t ext4 "$upper" /rw ;;
esac
$b mkdir -p /rw/upper /rw/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work overlay /root
cd /root
$b mkdir -p proc sys dev run "usr/lib/modules/$release" var/lib/eucalyptus
$b rm -f .dockerenv
if [ "$first" = systemd ] && [ ! -e /rw/prepared ]; then
    . "/root$folder/systemd.sh"
    $b touch /rw/prepared
fi
$b mount -t proc proc proc
$b mount -t sysfs sysfs sys
$b mount -t devtmpfs dev dev
$b mkdir -p dev/pts dev/shm
$b mount -t devpts devpts dev/pts
$b mount -t tmpfs shm dev/shm
$b mount -t tmpfs -o mode=755 run run
$b mkdir -p run/lock run/lvm
$b mount -t cgroup2 cgroup2 sys/fs/cgroup
$b mount --bind "/root$modules" "usr/lib/modules/$release"
$b mount -t ext4 /dev/vda var/lib/eucalyptus
$b hostname sctune-vm
$b ip link set lo up
case $first in
systemd) exec $b switch_root /root /lib/systemd/systemd ;;
*) exec $b switch_root /root "$python" -I -S -B "$folder/agent.py" ;;
esac
