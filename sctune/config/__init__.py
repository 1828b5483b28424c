"""What the operator wants of this host: thresholds, quotas, policy."""
