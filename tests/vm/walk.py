"""Runs inside the test machine: prints attribute files of /sys and /run that match glob patterns, secrets left out.

``== PATH`` and the contents, or what cat(1) would complain of; ``link PATH TARGET``; ``list PATH NAMES…`` for a folder.
"""

import glob
import os
import sys

SECRET_NAMES = ("password", "password_in")
NOISE = ("uevent",)


def show(path: str) -> None:
    """Print one match."""
    if os.path.islink(path):
        print("link", path, os.readlink(path))
    elif os.path.isdir(path):
        print("list", path, *sorted(os.listdir(path)))
    elif os.path.basename(path) not in SECRET_NAMES + NOISE:
        print("==", path)
        try:
            with open(path, errors="replace") as file:
                text = file.read()
        except OSError as error:
            print(f"cat: {path}: {error.strerror}")
        else:
            print(text, end="\n" if text and not text.endswith("\n") else "")


for pattern in sys.argv[1:]:
    for match in sorted(glob.glob(pattern)):
        show(match)
