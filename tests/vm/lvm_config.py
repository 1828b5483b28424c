"""Runs inside the test machine: prints the ``--config`` that keeps LVM from writing, and from opening disks of dead sessions.

The accept list holds every block device by its kernel name except those disks: a list of what to reject would still let LVM open a
dead disk by one of its aliases.
"""

import glob
import os

dead = set()
for path in glob.glob("/sys/class/iscsi_session/session*/state"):
    with open(path) as file:
        if file.read().strip() != "LOGGED_IN":
            dead |= {os.path.basename(disk) for disk in glob.glob(os.path.dirname(path) + "/device/target*/*/block/*")}
names = sorted(name for name in os.listdir("/sys/class/block") if name not in dead and not name.startswith("dm-"))
accept = "".join(f'"a|^/dev/{name}$|",' for name in names)
print(
    'devices{use_devicesfile=0 scan_lvs=0 external_device_info_source="none" hints="none" global_filter=['
    + accept
    + '"r|.*|"]} global{metadata_read_only=1} activation{monitoring=0}'
)
