"""Faults of storage hosts, made for real, each with what the doctor has to say of it and nothing else.

A host is built, broken, looked at and thrown away, so no fault has to be undone. Faults of one volume stand together in a crowded
host (``tests.vm.crowd``); a fault of the whole host has a host of its own.
"""
