"""Measuring the chain of a volume, layer by layer: `sctune bench`."""
