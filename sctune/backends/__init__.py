"""Backends: how a system names its things, and what is normal in it."""
