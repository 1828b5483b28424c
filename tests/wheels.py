"""The checkout as a wheel, and the wheels of what it depends on, without fetching anything."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
FOLDERS = ("sctune", "checks", "exporters", "profiles", "docs", "packaging")
FILES = ("pyproject.toml", "README.md", "LICENSE")


def built(folder: Path) -> Path:
    """Built in that folder, from a copy: a build leaves files in the tree it builds."""
    copy = folder / "checkout"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, copy / name)
    pip = (sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    argv = (*pip, "--wheel-dir", str(folder), str(copy))
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


def packed(folder: Path, *extras: str) -> None:
    """What sctune depends on, as it is installed for this interpreter, in wheels again."""
    todo = [("sctune", extras)]
    seen: set[str] = set()
    while todo:
        name, wanted = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        found = distribution(name)
        if name != "sctune":
            _pack(found, folder)
        for requirement in map(Requirement, found.requires or ()):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                todo.append((requirement.name, tuple(requirement.extras)))


def _pack(found: Distribution, folder: Path) -> None:
    tags = [
        line.removeprefix("Tag: ").split("-") for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag: ")
    ]
    tag = "-".join(".".join(sorted({one[part] for one in tags})) for part in range(3))
    name = found.metadata["Name"].replace("-", "_").replace(".", "_")
    record: list[str] = []
    with zipfile.ZipFile(folder / f"{name}-{found.version}-{tag}.whl", "w") as archive:
        for path in found.files or ():
            if ".." in path.parts or path.suffix == ".pyc" or path.name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
                continue
            content = Path(str(found.locate_file(path))).read_bytes()
            archive.writestr(str(path), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{path},sha256={digest},{len(content)}")
        place = next(path.parts[0] for path in found.files or () if path.parts[0].endswith(".dist-info"))
        archive.writestr(f"{place}/RECORD", "\n".join([*record, f"{place}/RECORD,,"]) + "\n")
