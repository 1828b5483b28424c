"""Publishers of an inventory to monitoring systems."""
