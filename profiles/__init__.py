"""Tuning profiles as data: one YAML file a profile."""
