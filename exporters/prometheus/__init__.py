"""Publishes an inventory to Prometheus: a file a collector, one scrape one look."""
