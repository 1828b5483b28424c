"""The Ansible collection, run by ansible-core."""
