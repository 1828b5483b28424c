"""Probes: one file a subsystem, each turning what a Host answers into records by a pure parser."""
