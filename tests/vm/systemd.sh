# Sourced by initramfs.sh in the new root, once for every writable layer: makes the host's systemd fit for the test machine.
# What is enabled, mounted and generated there is the host's business; what stays is what systemd and LVM need. tgt and open-iscsi are
# not started, so that a host is built in the same way with and without systemd; a test of their units enables them.
units=etc/systemd/system
for link in $units/*.wants/* $units/*.requires/* usr/lib/systemd/system/*.wants/*; do
    case ${link##*/} in
    blk-availability.* | dm-event.* | lvm2-* | dbus.socket | sys-kernel-config.mount) ;;
    systemd-journal* | systemd-udev* | systemd-tmpfiles-setup* | systemd-modules-load.* | systemd-sysctl.* | kmod-static-nodes.*) ;;
    systemd-random-seed.* | systemd-initctl.*) ;;
    *) $b rm -f "$link" ;;
    esac
done
# A generator is a process each, and makes units of what this host has: old start scripts, consoles, partitions, database clusters.
for generator in usr/lib/systemd/system-generators/* etc/systemd/system-generators/* usr/local/lib/systemd/system-generators/*; do
    case ${generator##*/} in
    systemd-fstab-generator | systemd-debug-generator | lvm2-*) ;;
    *) $b rm -f "$generator" ;;
    esac
done
# Above all tmp.conf: emptying the host's /tmp in the overlay took 80 s.
for rule in usr/lib/tmpfiles.d/* etc/tmpfiles.d/*; do
    case ${rule##*/} in
    systemd* | static-nodes* | lvm2* | dbus* | var.conf) ;;
    *) $b rm -f "$rule" ;;
    esac
done
: >etc/fstab
echo sctune-vm >etc/hostname
$b rm -rf etc/crypttab etc/iscsi/nodes etc/iscsi/send_targets var/lib/iscsi etc/tgt/conf.d/* var/log/journal
$b mkdir -p $units/sysinit.target.wants etc/systemd/system.conf.d
$b cat >etc/systemd/system.conf.d/sctune-vm.conf <<END
[Manager]
DefaultTimeoutStartSec=60s
DefaultTimeoutStopSec=20s
END
# Early, without dependencies, and not stopped before everything else is: it must answer also where a boot or a shutdown hangs.
# Its end is the end of the machine.
$b cat >$units/sctune-agent.service <<END
[Unit]
Description=Runs the commands of the test machine's harness
DefaultDependencies=no
FailureAction=reboot-immediate

[Service]
ExecStart="$python" -I -S -B "$folder/agent.py"
TasksMax=infinity
OOMPolicy=continue
StandardError=journal+console
END
$b ln -sf ../sctune-agent.service $units/sysinit.target.wants/sctune-agent.service
