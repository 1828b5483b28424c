"""The Debian package, built, and used in a Debian of its own in a folder."""
