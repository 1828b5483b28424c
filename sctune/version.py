"""The version, in a module that imports nothing so that ``--version`` costs nothing."""

VERSION = "0.1.0"
