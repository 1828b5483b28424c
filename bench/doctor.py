"""`sctune doctor` and `sctune volumes` against what an operator types instead, with 250 loop devices and 250 tgt targets.

    sudo python bench/doctor.py [--count 250] [--runs 9] [--files-only]

Builds a wheel of this checkout, installs it into a fresh virtual environment, attaches loop devices of its own, starts a tgtd of
its own on loopback, measures in turns, and removes all of it. The loop devices carry what a storage controller's carry, a PV, a
VG and an LV each (not activated: that works without device-mapper too); with `--files-only` LVM finds nothing on them, and
the commands that the doctor replaces have nothing to display. Fails when the doctor takes more than half the operator's time, or
the list of volumes more than three quarters of it.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from measure import interleaved, ratio, row

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OPERATOR = "losetup, pv/vg/lvdisplay, tgt-admin"
LIMIT = 0.5
LIST_LIMIT = 0.75


def run(*argv: str) -> str:
    """A command that must succeed."""
    return subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE).stdout


@contextlib.contextmanager
def installed_wheel(folder: str) -> Iterator[str]:
    """The path of sctune in an environment that holds only the wheel and what it depends on."""
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, CHECKOUT)
    run(sys.executable, "-m", "venv", f"{folder}/venv")
    run(f"{folder}/venv/bin/pip", "install", "--quiet", "--compile", *glob.glob(f"{folder}/*.whl"))
    yield f"{folder}/venv/bin/sctune"


@contextlib.contextmanager
def loops(folder: str, count: int) -> Iterator[list[str]]:
    """`count` attached loop devices on sparse files of their own."""
    attached: list[str] = []
    try:
        for number in range(count):
            path = f"{folder}/vol-{number + 0x20000000:08X}"
            with open(path, "wb") as file:
                file.truncate((1 << 30) + (4 << 20))  # as a cloud makes them: any other length is a finding, looked at twice
            attached.append(run("losetup", "--find", "--show", "--nooverlap", path).strip())
        yield attached
    finally:
        for device in attached:
            subprocess.run(["losetup", "--detach", device], check=False)


LV = """
	logical_volumes {{
		{lv} {{
			id = "{uuid}"
			status = ["READ", "WRITE", "VISIBLE"]
			tags = ["{tag}"]
			segment_count = 1
			segment1 {{
				start_extent = 0
				extent_count = {extents}
				type = "striped"
				stripe_count = 1
				stripes = ["pv0", 0]
			}}
		}}
	}}
}}
"""


@contextlib.contextmanager
def volume_groups(folder: str, devices: list[str]) -> Iterator[None]:
    """A PV, a VG and an LV on each device, as Eucalyptus 3.3 and later name them. Afterwards only what LVM's own commands left
    about them in /etc/lvm is removed: the rest goes with the files."""
    run("pvcreate", "--quiet", *devices)
    prefix = "euca-ebs-storage-vg-vol-"
    for number, device in enumerate(devices):
        volume = f"vol-{number + 0x20000000:08X}"
        group = f"euca-ebs-storage-vg-{volume}"
        alone = ("--quiet", "--config", f'devices{{filter=["a|^{device}$|","r|.*|"] hints="none"}} backup{{backup=0 archive=0}}')
        run("vgcreate", *alone, group, device)
        text = f"{folder}/{group}"
        run("vgcfgbackup", *alone, "--file", text, group)
        with open(text, encoding="utf-8") as file:
            metadata = file.read()
        digits = secrets.token_hex(16)
        uuid = "-".join((digits[:6], *(digits[i : i + 4] for i in range(6, 26, 4)), digits[26:]))
        extents = re.findall(r"pe_count = (\d+)", metadata)[0]
        head, _, tail = metadata.partition("\n}\n")
        with open(text, "w", encoding="utf-8") as file:
            file.write(head + LV.format(lv=f"euca-{volume}", uuid=uuid, tag=volume, extents=extents) + tail)
        run("vgcfgrestore", *alone, "--file", text, group)
    try:
        yield
    finally:
        for left in (*glob.glob(f"/etc/lvm/backup/{prefix}2*"), *glob.glob(f"/etc/lvm/archive/{prefix}2*")):
            os.unlink(left)


@contextlib.contextmanager
def targets(devices: list[str]) -> Iterator[None]:
    """A tgtd on loopback with one target a device. It takes the default control port: tgt-admin knows no other."""
    daemon = subprocess.Popen(
        ["tgtd", "-f", "--iscsi", "portal=127.0.0.1:33299"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 10
        while subprocess.run(["tgtadm", "--mode", "sys", "--op", "show"], capture_output=True, check=False).returncode:
            if time.monotonic() > end:
                raise SystemExit("tgtd does not answer")
            time.sleep(0.1)
        for tid, device in enumerate(devices, 1):
            base = ("tgtadm", "--lld", "iscsi", "--tid", str(tid))
            run(*base, "--op", "new", "--mode", "target", "-T", f"iqn.2009-06.com.eucalyptus.bench:store{tid}")
            run(*base, "--op", "new", "--mode", "logicalunit", "--lun", "1", "-b", device)
            run(*base, "--op", "bind", "--mode", "target", "-I", "127.0.0.1")
        yield
    finally:
        daemon.kill()
        daemon.wait()
        for left in glob.glob("/var/run/tgtd/socket.0*"):
            os.unlink(left)


def main() -> int:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=250)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--files-only", action="store_true")
    options = parser.parse_args()
    if os.geteuid():
        raise SystemExit("needs root: it attaches loop devices and starts a tgtd")
    if os.path.exists("/var/run/tgtd/socket.0"):
        raise SystemExit("a tgtd runs here already; this benchmark needs the default control port for tgt-admin")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sctune = stack.enter_context(installed_wheel(folder))
        devices = stack.enter_context(loops(folder, options.count))
        if not options.files_only:
            stack.enter_context(volume_groups(folder, devices))
        stack.enter_context(targets(devices))
        times = interleaved(
            {
                "sctune doctor": [[sctune, "doctor"]],
                "sctune volumes": [[sctune, "volumes"]],
                OPERATOR: [["losetup", "-a"], ["pvdisplay"], ["vgdisplay"], ["lvdisplay"], ["tgt-admin", "-s"]],
                "lvm fullreport alone": [["lvm", "fullreport", "--reportformat", "json"]],
            },
            runs=options.runs,
        )
        idle = len(glob.glob("/sys/block/loop*")) - len(devices)
    carrying = "without LVM on them" if options.files_only else "each with a PV, a VG and an LV"
    print(f"{options.count} attached loop devices {carrying}, {idle} idle ones, {options.count} tgt targets")
    for name, measured in times.items():
        print(row(name, measured))
    factor = ratio(times, "sctune doctor", OPERATOR)
    print(f"sctune doctor takes {factor:.2f} of the operator's time (at most {LIMIT:g})")
    listing = ratio(times, "sctune volumes", OPERATOR)
    print(f"sctune volumes takes {listing:.2f} of the operator's time (at most {LIST_LIMIT:g})")
    return int(factor > LIMIT or listing > LIST_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
