"""The records: what is known of a host, in base units (bytes, seconds) and in the field's own names."""
