"""The collectors, a file each: a module here that defines COLLECTOR is one."""
