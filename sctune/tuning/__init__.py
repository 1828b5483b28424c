"""Tuning: profiles as data, a plan that says what would change and why, a journal, apply and rollback."""
