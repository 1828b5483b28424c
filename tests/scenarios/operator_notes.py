"""The host of the operator's notes, composed: ``python -m tests.scenarios.operator_notes`` writes its captures.

The notes (a storage controller of Eucalyptus 3.0, January 2012, while vol-D02E43C2 is snapshotted) show listings for people. From
them (tests/data/operator-notes) the answers are put together that such a host gives the doctor; what the listings do not show is
filled in here, and tests/scenarios/README.md says what. Nothing of it was recorded on a host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from sctune.config.model import Config
from sctune.doctor import diagnose
from sctune.host.base import (
    Completed,
    DmQuery,
    FileEntry,
    FileKind,
    FileStat,
    FilesystemSpace,
    Process,
    TgtMode,
)
from sctune.host.bundle import write_bundle
from sctune.host.recording import RecordingHost
from tests.fakes import FakeHost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sctune.unavailable import Unavailable

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
NOTES = DATA / "operator-notes"
STORE = "/var/lib/eucalyptus/volumes"
ROOT_DEVICE = 0xFD00  # what losetup says the files lie on: 253:0
PACIFIC = timezone(timedelta(hours=-8))  # 07:44 in the listing is 15:44Z in what euca-describe-snapshots prints
LOOKED = datetime(2012, 1, 30, 15, 44, 54, tzinfo=UTC).timestamp()
UPTIME = 12 * 86400.0
EXTENT = 4 << 20
LISTENING = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0CBC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9001 1 ffff8800 299 0 0 2 -1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One moment of the host: its Eucalyptus, seconds after the listing, whether the dd still runs, whether the copy is done."""

    name: str
    version: str = "3.0.1"
    later: float = 0.0
    copying: bool = True
    copied: bool = False


STATES = (
    State(name="operator-notes-copying"),
    State(name="operator-notes-copy-gone", later=3600.0, copying=False),
    State(name="operator-notes-copied", later=3600.0, copying=False, copied=True),
    State(name="operator-notes-copying-3.2", version="3.2.2"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lv:
    """An LV and the VG and PV it is in. `number` is its minor number; `cow` its size where it is a snapshot's store."""

    vg: str
    vg_uuid: str
    name: str
    uuid: str
    number: int
    extents: int
    device: str
    pv_uuid: str
    made: str
    origin: str = ""

    @property
    def mapper(self) -> str:
        return f"{self.vg.replace('-', '--')}-{self.name.replace('-', '--')}"

    @property
    def dm_uuid(self) -> str:
        return "LVM-" + (self.vg_uuid + self.uuid).replace("-", "")


def text(name: str) -> str:
    return (NOTES / f"{name}.txt").read_text(encoding="ascii")


def shown(name: str, key: str, place: int = 0) -> str:
    """The value that a listing of LVM has beside a key, the first or a later one."""
    found: list[str] = re.findall(rf"(?m)^{re.escape(key)}  +(.*?) *$", text(name))
    return found[place]


def listing(name: str) -> dict[str, tuple[int, float]]:
    """Name: size and time, of `ls -l`."""
    found = {}
    for line in text(name).splitlines()[1:]:
        *_, size, month, day, clock, file = line.split()
        moment = datetime.strptime(f"2012 {month} {day} {clock}", "%Y %b %d %H:%M").replace(tzinfo=PACIFIC)
        found[file] = (int(size), moment.timestamp())
    return found


def inodes() -> dict[str, int]:
    """Name: inode, of `losetup -a`; the others' are filled in."""
    return {match[2]: int(match[1]) for match in re.finditer(r":(\d+) \(.*/(\S+)\)", text("losetup-a"))}


def volumes(state: State) -> list[Lv]:
    """The LVs. The names and uuids of vol-178C3E9C's VG, and the uuids of PVs other than loop1's, are filled in."""
    vg, vg_uuid = shown("vgdisplay-copying", "VG Name"), shown("vgdisplay-copying", "VG UUID")
    origin, snap = (shown("lvdisplay-copying", "LV Name", place).rpartition("/")[2] for place in (0, 1))
    found = [
        Lv(
            vg="vg-Rm3kXA..",
            vg_uuid="q2LxVd-8HtP-Yc0R-mWf5-Jb7u-Ke1s-ZnQ4oA",
            name="lv-u7PdWg..",
            uuid="T5cXbE-0Jrw-Hq8M-vZk2-Ls6y-Fo9d-NgUpA1",
            number=2,
            extents=2560,
            device="loop0",
            pv_uuid="b8WmYt-3Kvh-Rz6N-qDc1-Xe4s-Jp7f-LuGoA2",
            made="2012 Jan 20 09:56",
        ),
        Lv(
            vg=shown("vgdisplay-attached", "VG Name"),
            vg_uuid=shown("vgdisplay-attached", "VG UUID"),
            name=shown("lvdisplay-attached", "LV Name").rpartition("/")[2],
            uuid=shown("lvdisplay-attached", "LV UUID"),
            number=int(shown("lvdisplay-attached", "Block device").partition(":")[2]),
            extents=int(shown("lvdisplay-attached", "Current LE")),
            device="loop1",
            pv_uuid=shown("pvdisplay-attached", "PV UUID"),
            made="2012 Jan 23 08:57",
        ),
        Lv(
            vg=vg,
            vg_uuid=vg_uuid,
            name=origin,
            uuid=shown("lvdisplay-copying", "LV UUID"),
            number=int(shown("lvdisplay-copying", "Block device").partition(":")[2]),
            extents=int(shown("lvdisplay-copying", "Current LE")),
            device="loop2",
            pv_uuid="c1HsNf-5Qyb-Ua9V-kTj3-Md8w-Gx2r-EvBoA3",
            made="2012 Jan 30 06:50",
        ),
    ]
    if not state.copied:
        found.append(
            Lv(
                vg=vg,
                vg_uuid=vg_uuid,
                name=snap,
                uuid=shown("lvdisplay-copying", "LV UUID", 1),
                number=int(shown("lvdisplay-copying", "Block device", 1).partition(":")[2]),
                extents=int(shown("lvdisplay-copying", "COW-table LE")),
                device="loop3",
                pv_uuid="d4JtPg-7Szc-Wb1X-nVl5-Of0y-Iz4t-HxDqA4",
                made="2012 Jan 30 07:44",
                origin=origin,
            )
        )
    return found


def uuid(letter: str) -> str:
    """A filled-in uuid of LVM."""
    return "-".join(letter * length for length in (6, 4, 4, 4, 4, 4, 6))


ROOT = tuple(
    Lv(
        vg="vg_pod03",
        vg_uuid=uuid("v"),
        name=name,
        uuid=uuid(name[3]),
        number=number,
        extents=extents,
        device="sda2",
        pv_uuid=uuid("p"),
        made="2012 Jan 18 07:45",
    )
    for number, (name, extents) in enumerate((("lv_root", 60_000), ("lv_swap", 1_000)))
)


class NotesHost(FakeHost):
    """Answers of RHEL 6: LVM that knows no report in JSON, loop devices that losetup tells. What is not here is not there."""

    def __init__(self, state: State) -> None:
        super().__init__(name="Pod-03", kernel="2.6.32-220.el6.x86_64", now=LOOKED + state.later, boot=UPTIME + state.later)
        self.state = state
        self.lvs = volumes(state)
        self.sizes = listing("ls-copied" if state.copied else "ls-copying")
        self.began = self.now - self.boot
        self._system()
        self._store()
        self._loops()
        self._mapper()
        self._targets()

    def _system(self) -> None:
        state = self.state
        root = "/dev/mapper/vg_pod03-lv_root"
        self.files |= {
            "/etc/eucalyptus/eucalyptus-version": f"{state.version}\n",
            "/proc/self/mountinfo": f"20 1 253:0 / / rw,relatime - ext4 {root} rw,barrier=1,data=ordered\n",
            "/etc/fstab": f"{root} / ext4 defaults 1 1\n",
            "/proc/net/tcp": LISTENING,
            "/sys/block/sda/sda2/dev": "8:2\n",
            "/sys/block/sda/dev": "8:0\n",
            "/sys/block/sda/size": "1953525168\n",
            "/sys/block/sda/ro": "0\n",
            "/sys/block/sda/queue/scheduler": "noop anticipatory [deadline] cfq\n",
            "/sys/block/sda/queue/rotational": "1\n",
            "/sys/block/sda/queue/read_ahead_kb": "128\n",
            "/sys/block/sda/queue/nr_requests": "128\n",
        }
        cloud = ("eucalyptus-cloud", "--home", "/", "--fork")
        table = [("tgtd", 1, 900, 300.0, ("tgtd",)), ("eucalyptus-clou", 1, 1200, 360.0, cloud)]
        if state.copying:
            table.append(("dd", 1200, 4711, self.boot - 49.0, tuple(text("ps").split())))
        self.table = tuple(
            Process(
                pid=pid, ppid=ppid, name=name, state="D" if name == "dd" else "S", argv=argv, started=at, cpu_seconds=1.0, uid=0
            )
            for name, ppid, pid, at, argv in table
        )

    def _store(self) -> None:
        numbers = inodes()
        entries = []
        for place, (name, (size, moment)) in enumerate(self.sizes.items()):
            # A snapshot's file is written through, a volume's is sparse. The minute of a file that grows is the one of the look.
            written = size if name.startswith("snap-") else 64 << 20
            stat = FileStat(
                kind=FileKind.FILE,
                size=size,
                allocated=written,
                device=ROOT_DEVICE,
                inode=numbers.get(name, 394000 + place),
                mtime=min(moment + 54, LOOKED) if moment > LOOKED - 120 else moment,
            )
            entries.append(FileEntry(name=name, stat=stat))
            self.stats[f"{STORE}/{name}"] = stat
        self.folders[STORE] = tuple(entries)
        self.stats["/dev/sda2"] = node(8, 2)
        self.stats[STORE] = FileStat(
            kind=FileKind.DIRECTORY, size=4096, allocated=4096, device=ROOT_DEVICE, inode=393217, mtime=LOOKED, mode=0o755
        )
        self.spaces[STORE] = FilesystemSpace(
            total=900 << 30, free=850 << 30, available=805 << 30, inodes=58_982_400, inodes_free=58_900_000
        )

    def _loops(self) -> None:
        self.files["/sys/module/loop/parameters/max_loop"] = "0\n"
        lines = [line for line in text("losetup-a").splitlines() if line.rpartition("/")[2].rstrip(")") in self.sizes]
        self.losetup = "\n".join(lines) + "\n"
        for number in range(8):
            name = lines[number].rpartition("/")[2].rstrip(")") if number < len(lines) else ""
            size = self.sizes[name][0] // 512 if name else 0
            self.files |= {f"/sys/block/loop{number}/size": f"{size}\n", f"/sys/block/loop{number}/ro": "0\n"}
            self.stats[f"/dev/loop{number}"] = node(7, number)

    def _mapper(self) -> None:
        """Device-mapper: the root LV, and each volume's. The two hidden devices of a snapshot follow the shown ones."""
        self.files["/sys/class/misc/device-mapper/dev"] = "10:58\n"
        devices = [
            (lv.mapper, lv.dm_uuid, lv.number, lv.extents, "sda", f"linear 8:2 {2048 + lv.number * 500_000_000}", "", lv.made)
            for lv in ROOT
        ]
        snap = next((lv for lv in self.lvs if lv.origin), None)
        for lv in self.lvs:
            linear = f"linear 7:{lv.device[4:]} 384"
            if snap is None or lv.vg != snap.vg:
                devices.append((lv.mapper, lv.dm_uuid, lv.number, lv.extents, lv.device, linear, "", lv.made))
        if snap is not None:
            origin = next(lv for lv in self.lvs if lv.vg == snap.vg and not lv.origin)
            cow = snap.extents * EXTENT // 512
            table, status = "snapshot 253:6 253:7 P 8", f"16/{cow} 16"
            devices += [
                (origin.mapper, origin.dm_uuid, origin.number, origin.extents, "dm-6", "snapshot-origin 253:6", "", origin.made),
                (snap.mapper, snap.dm_uuid, snap.number, origin.extents, "dm-6 dm-7", table, status, snap.made),
                (origin.mapper + "-real", origin.dm_uuid + "-real", 6, origin.extents, "loop2", "linear 7:2 384", "", snap.made),
                (snap.mapper + "-cow", snap.dm_uuid + "-cow", 7, snap.extents, "loop3", "linear 7:3 384", "", snap.made),
            ]
        tables, states = [], []
        for name, uuid, number, extents, below, table, status, made in sorted(devices, key=lambda device: device[2]):
            folder, sectors = f"/sys/block/dm-{number}", extents * EXTENT // 512
            self.files |= {
                f"{folder}/dev": f"253:{number}\n",
                f"{folder}/size": f"{sectors}\n",
                f"/sys/dev/block/253:{number}/size": f"{sectors}\n",
                f"{folder}/dm/name": f"{name}\n",
                f"{folder}/dm/uuid": f"{uuid}\n",
                f"{folder}/dm/suspended": "0\n",
                **{f"{folder}/slaves/{slave}/dev": "" for slave in below.split()},
            }
            kind = table.split()[0]
            tables.append(f"{name}: 0 {sectors} {table}")
            states.append(f"{name}: 0 {sectors} {kind} {status}")
            moment = datetime.strptime(made, "%Y %b %d %H:%M").replace(tzinfo=PACIFIC).timestamp()
            self.links[f"/dev/mapper/{name}"] = f"../dm-{number}"
            self.mtimes[f"/dev/mapper/{name}"] = moment
            self.stats[f"/dev/mapper/{name}"] = node(253, number)
        for lv in self.lvs:
            self.stats[f"/dev/{lv.vg}/{lv.name}"] = node(253, lv.number)
        self.dm_answers = {DmQuery.TABLE: "\n".join(tables) + "\n", DmQuery.STATUS: "\n".join(states) + "\n"}

    def _targets(self) -> None:
        self.tgt_answers = {
            (mode, 0, None): (DATA / "tgt" / f"{name}-1.0.24.txt").read_text()
            for mode, name in ((TgtMode.SYSTEM, "sys"), (TgtMode.ACCOUNT, "account"))
        }
        self.tgt_answers |= {
            (TgtMode.TARGET, 0, None): text("tgt-admin"),
            (TgtMode.PORTAL, 0, None): "Portal: 0.0.0.0:3260,1\n",
        }

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed | Unavailable:
        """losetup, and LVM of its age."""
        words, command = tuple(argv), (argv[0], argv[1] if len(argv) > 1 else "")
        answers = {
            ("losetup", "-a"): (0, self.losetup, ""),
            ("lvm", "version"): (0, (DATA / "lvm" / "version-2.02.87.txt").read_text(), ""),
            ("lvm", "pvs"): (0, self._pvs(), ""),
            ("lvm", "vgs"): (0, self._vgs(), ""),
            ("lvm", "dumpconfig"): (0, (DATA / "lvm" / "dumpconfig-2.02.87.txt").read_text(), ""),
        }
        if command == ("lvm", "lvs"):
            if any("data_percent" in word for word in words):
                answers[command] = (5, "", (DATA / "lvm" / "lvs-2.02.87.stderr").read_text())
            else:
                answers[command] = (0, self._lvs(), "")
        elif words[0] == "lvm" and command not in answers:
            answers[command] = (2, "", "  No such command.  Try 'help'.\n")
        if command not in answers:
            return super().run(words, timeout=timeout)
        status, out, err = answers[command]
        return Completed(argv=words, status=status, stdout=out, stderr=err, seconds=0.2)

    def _seqno(self, vg: str) -> str:
        if vg == ROOT[0].vg:
            return "3"
        return shown("vgdisplay-copying", "Metadata Sequence No") if vg.startswith("vg-Ws") else "2"

    def _pvs(self) -> str:
        root = ROOT[0]
        rows = [f"{root.pv_uuid}|{root.vg_uuid}|3|{61_000 * EXTENT}|0|a-|{root.vg}|/dev/{root.device}"]
        for lv in self.lvs:
            size = lv.extents * EXTENT
            rows.append(f"{lv.pv_uuid}|{lv.vg_uuid}|{self._seqno(lv.vg)}|{size}|0|a-|{lv.vg}|/dev/{lv.device}")
        return "".join(f"  {row}\n" for row in rows)

    def _vgs(self) -> str:
        rows = [f"{ROOT[0].vg_uuid}|3|wz--n-|{61_000 * EXTENT}|0|{EXTENT}|95232|192512|{ROOT[0].vg}|"]
        for lv in self.lvs:
            if not lv.origin:
                size = sum(other.extents for other in self.lvs if other.vg == lv.vg) * EXTENT
                rows.append(f"{lv.vg_uuid}|{self._seqno(lv.vg)}|wz--n-|{size}|0|{EXTENT}|95232|192512|{lv.vg}|")
        return "".join(f"  {row}\n" for row in rows)

    def _lvs(self) -> str:
        rows = []
        origins = {lv.origin for lv in self.lvs if lv.origin}
        for lv in (*ROOT, *self.lvs):
            # "# open 1" is shown of all but vol-178C3E9C's, which no target serves.
            attr = "swi-ao" if lv.origin else "owi-ao" if lv.name in origins else "-wi-a-" if lv.device == "loop0" else "-wi-ao"
            percent = "0.00" if lv.origin else ""
            size = lv.extents * EXTENT
            rows.append(
                f"{lv.uuid}|{lv.vg_uuid}|{self._seqno(lv.vg)}|{attr}|{size}|253|{lv.number}|{percent}|linear|{lv.origin}|{lv.name}||"
                f"/dev/{lv.device}(0)"
            )
        return "".join(f"  {row}\n" for row in rows)


def node(major: int, minor: int) -> FileStat:
    """A block device's node."""
    return FileStat(
        kind=FileKind.BLOCK, size=0, allocated=0, device=5, inode=9000 + major * 100 + minor, mtime=1.0, rdevice=(major, minor)
    )


def compose(state: State) -> RecordingHost:
    """The host, after the doctor has asked it all its questions."""
    host = RecordingHost(NotesHost(state))
    diagnose(host, Config(), strict=True)
    return host


def main() -> None:
    """Writes the captures; `pytest tests/scenarios --update-golden` then writes what the doctor says of them."""
    for state in STATES:
        folder = HERE / state.name
        folder.mkdir(exist_ok=True)
        answers = compose(state).answers()
        write_bundle(replace(answers, version="composed"), str(folder / "host.tar.gz"))


if __name__ == "__main__":
    main()
