"""The only door to a machine: see `sctune.host.base`."""
