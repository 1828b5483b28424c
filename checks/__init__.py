"""The checks: one file a topic."""
