"""The bodies of the commands, imported when one is run."""
