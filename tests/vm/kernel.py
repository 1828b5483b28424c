"""Debian's stock kernel for the test machine: fetched, unpacked into a cache, never installed on the host.

The cache is ``$XDG_CACHE_HOME/sctune-vm`` (``~/.cache/sctune-vm``), one folder a kernel package, about 460 MB. A folder appears
under its final name only when it is complete, so that two runs at once, or an interrupted one, leave no half of a kernel behind.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

META_PACKAGE = "linux-image-amd64"
# An ordinary user's PATH lacks the folders of depmod, mke2fs, tgtd and lvm.
PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
XZ_MAGIC = b"\xfd7zXZ\x00"
CPIO_REGULAR = 0o100000
CPIO_FOLDER = 0o040000
CPIO_CHARACTER = 0o020000
CONSOLE = (5, 1)
# crc32c is what ext4 asks modprobe for, which the initramfs lacks.
BOOT_MODULES = ("virtio_pci", "virtio_console", "virtio_blk", "9p", "9pnet_virtio", "overlay", "crc32c_generic", "ext4")


class MachineUnavailable(RuntimeError):
    """The kernel, or a program that the machine needs, cannot be had here; the message says which and how to get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """An unpacked kernel package: its release, the bootable ELF image and the folder that holds ``lib/modules``."""

    release: str
    vmlinux: Path
    root: Path

    @property
    def modules(self) -> Path:
        """The module tree of this release."""
        return self.root / "lib/modules" / self.release


def find_program(name: str, package: str) -> str:
    """The path of a program of this host.

    :param package: Debian's package that brings it.
    :raises MachineUnavailable: it is not installed.
    """
    path = shutil.which(name, path=PATH)
    if path is None:
        raise MachineUnavailable(f"{name} is not installed: install {package}")
    return path


def run_program(argv: list[str], *, package: str, cwd: Path | None = None, timeout: float = 300.0) -> str:
    """Standard output of a program of this host, which must succeed.

    :raises MachineUnavailable: it is not installed, failed, or did not end in *timeout* seconds.
    """
    argv = [find_program(argv[0], package), *argv[1:]]
    try:
        done = subprocess.run(argv, cwd=cwd, timeout=timeout, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired as error:
        raise MachineUnavailable(f"{' '.join(argv)}: no answer in {timeout:.0f} s") from error
    if done.returncode != 0:
        raise MachineUnavailable(f"{' '.join(argv)}: exit status {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def cache_folder() -> Path:
    """Where unpacked kernels are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sctune-vm"


def _package() -> str:
    """The kernel package that Debian's meta package depends on today."""
    for line in run_program(["apt-cache", "depends", META_PACKAGE], package="apt").splitlines():
        found = re.fullmatch(r"\s*Depends:\s+(linux-image-\d\S*)", line)
        if found is not None:
            return found[1]
    raise MachineUnavailable(f"{META_PACKAGE} is in no package list of this machine: run apt-get update")


def _update_lists() -> None:
    """Fetches the package lists: root's business."""
    if os.geteuid() != 0:
        raise MachineUnavailable("Debian's kernel cannot be had with the package lists of this machine: sudo apt-get update")
    run_program(["apt-get", "update", "--quiet"], package="apt", timeout=300)


def obtain() -> Kernel:
    """The kernel from the cache, else from Debian.

    The image is unpacked beforehand (XZ inside the emulated machine costs seconds) and booted through its PVH note.
    """
    try:
        name = _package()
    except MachineUnavailable:
        kept = sorted(path.name for path in cache_folder().glob("linux-image-*"))
        if kept:
            name = kept[-1]
        else:
            _update_lists()  # a new machine may have none yet
            name = _package()
    folder = cache_folder() / name
    if not folder.is_dir():
        try:
            _unpack(name, folder)
        except MachineUnavailable:
            # The lists may name a kernel that the archive has replaced since.
            _update_lists()
            name = _package()
            folder = cache_folder() / name
            _unpack(name, folder)
    release = name.removeprefix("linux-image-")
    return Kernel(release=release, vmlinux=folder / "vmlinux", root=folder)


def _unpack(name: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as temporary:
        work = Path(temporary)
        run_program(["apt-get", "download", name], package="apt", cwd=work)
        (package,) = work.glob("*.deb")
        tree = work / "tree"
        run_program(["dpkg", "-x", str(package), str(tree)], package="dpkg")
        release = name.removeprefix("linux-image-")
        run_program(["depmod", "-b", str(tree), release], package="kmod")
        packed = (tree / "boot" / f"vmlinuz-{release}").read_bytes()
        start = packed.find(XZ_MAGIC)
        if start < 0:
            raise MachineUnavailable(f"{name}: the image holds no XZ payload")
        (tree / "vmlinux").write_bytes(lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(packed[start:]))
        try:
            tree.rename(folder)
        except OSError:
            if not folder.is_dir():  # another run was first: its copy is as good
                raise


def _boot_modules(kernel: Kernel) -> list[Path]:
    """The modules the root file system needs and what they need, in the order in which insmod must be given them."""
    needs: dict[str, list[str]] = {}
    paths: dict[str, str] = {}
    for line in (kernel.modules / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()[::-1]  # depmod lists the nearest first
        paths[Path(path).name.split(".")[0]] = path
    order: list[str] = []
    for name in BOOT_MODULES:
        wanted = paths.get(name)
        if wanted is not None:  # else built in
            order += [path for path in (*needs[wanted], wanted) if path not in order]
    return [kernel.modules / path for path in order]


def busybox() -> Path:
    """A busybox without shared libraries, which is all the initramfs holds."""
    path = Path(find_program("busybox", "busybox-static"))
    if b"ld-linux" in path.read_bytes()[:4096]:
        raise MachineUnavailable(f"{path} needs shared libraries: install busybox-static")
    return path


def _entry(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    """One member of a cpio archive in the "newc" form (kernel: Documentation/driver-api/early-userspace/buffer-format.rst)."""
    raw = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw), 0)
    head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + raw
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def write_initramfs(kernel: Kernel, init: str, target: Path) -> None:
    """Write an initramfs with busybox, the modules that reach the root file system, and *init* as its first program."""
    modules = _boot_modules(kernel)
    archive = [_entry(name, CPIO_FOLDER | 0o755) for name in ("bin", "modules", "dev", "proc", "lower", "rw", "root")]
    archive.append(_entry("dev/console", CPIO_CHARACTER | 0o600, device=CONSOLE))  # or init's messages are lost
    archive.append(_entry("bin/busybox", CPIO_REGULAR | 0o755, busybox().read_bytes()))
    archive += [_entry(f"modules/{n:02d}-{path.name}", CPIO_REGULAR | 0o644, path.read_bytes()) for n, path in enumerate(modules)]
    archive.append(_entry("init", CPIO_REGULAR | 0o755, init.encode()))
    archive.append(_entry("TRAILER!!!", 0))
    target.write_bytes(b"".join(archive))
