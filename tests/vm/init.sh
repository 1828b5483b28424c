#!/bin/busybox sh
# First program of the test machine: root is a tmpfs over the host's root file system, which is shared read-only by 9p.
# @MODULES@, @PYTHON@ and @AGENT@ are filled in by machine.py.
set -e
b=/bin/busybox
$b mount -t devtmpfs dev /dev
for module in /modules/*; do $b insmod "$module"; done
# cache=loose: the host does not change its tools while the machine runs, and every look-up would be a round trip otherwise
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose host /lower
$b mount -t tmpfs -o size=75% rw /rw
$b mkdir /rw/upper /rw/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work overlay /root
cd /root
$b rm -f .dockerenv
$b mkdir -p proc sys dev run "usr/lib/modules/@RELEASE@" var/lib/eucalyptus
$b mount -t proc proc proc
$b mount -t sysfs sysfs sys
$b mount -t devtmpfs dev dev
$b mkdir -p dev/pts dev/shm
$b mount -t devpts devpts dev/pts
$b mount -t tmpfs shm dev/shm
$b mount -t tmpfs -o mode=755 run run
$b mkdir -p run/lock run/lvm
$b mount -t cgroup2 cgroup2 sys/fs/cgroup
$b mount --bind "/root@MODULES@" "usr/lib/modules/@RELEASE@"
$b hostname sctune-vm
$b ip link set lo up
exec $b switch_root /root "@PYTHON@" -I -S -B "@AGENT@"
