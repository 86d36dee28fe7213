"""Readers of network files, one module a major version; `network_file` picks one."""
