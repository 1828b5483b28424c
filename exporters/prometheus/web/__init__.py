"""Serves a source's samples over HTTP and TLS, and stands what is on a network."""
